//! The words by which a person or the system asks a process to end.

use crate::Problem;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and SIGINT (Ctrl-C), heard from the moment that this is made.
#[derive(Debug)]
pub struct Stopping {
    terminate: Signal,
    interrupt: Signal,
}

impl Stopping {
    /// Begins to listen.
    pub fn listen() -> Result<Self, Problem> {
        let listen = |kind| {
            signal(kind).map_err(|error| Problem::cannot_start("listening for signals", &error))
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    /// Ends when one of them comes, and gives its name. Can be asked again for a second one.
    pub async fn asked(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
