//! The word to stop, heard by all.

use tokio::sync::watch;

/// The word to stop. Cheap to clone; once said, it stays said.
#[derive(Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

/// The one who may say it.
pub(crate) struct StopSaying(watch::Sender<bool>);

impl Stop {
    /// A word that was not said yet, and the one who may say it.
    pub(crate) fn new() -> (StopSaying, Self) {
        let (sender, receiver) = watch::channel(false);
        (StopSaying(sender), Self(receiver))
    }

    /// Whether it was said.
    pub(crate) fn is_stopping(&self) -> bool {
        *self.0.borrow()
    }

    /// Ends when it is said.
    pub(crate) async fn stopping(&self) {
        // An error means that nobody is left who could say it, which is the same.
        let _ = self.0.clone().wait_for(|said| *said).await;
    }
}

impl StopSaying {
    /// Says it.
    pub(crate) fn say(&self) {
        self.0.send_replace(true);
    }
}
