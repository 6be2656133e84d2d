//! A door at which an answer waits until the story opens it.

use std::fmt;

use tokio::sync::watch;

/// Shut at first; [`Gate::open`] lets all who wait pass, for ever. Clones are the same door.
///
/// With it a story says "the answer is on its way" without a sleep: hold the answer, do what must happen meanwhile, open.
#[derive(Clone)]
pub struct Gate {
    open: watch::Sender<bool>,
}

impl Gate {
    /// A shut door.
    pub fn shut() -> Self {
        Self {
            open: watch::Sender::new(false),
        }
    }

    /// Opens it.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    /// Waits until it is open.
    pub async fn opened(&self) {
        // The sender is held by `self`, so the channel cannot close under this wait.
        let mut door = self.open.subscribe();
        let _open = door.wait_for(|open| *open).await;
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "Gate({})",
            if *self.open.borrow() { "open" } else { "shut" }
        )
    }
}
