//! The words by which a person or the system asks a process to end, and one that must not end it.

use crate::Problem;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGXFSZ, which POSIX sends for a write beyond the process's limit of file size (`ulimit -f`). The number is that of Linux on
/// x86 and ARM, of macOS and of the BSDs.
const FILE_SIZE_LIMIT: i32 = 25;

/// SIGTERM, SIGINT (Ctrl-C) and SIGHUP (the terminal went away, or a service manager wants a restart), heard from the moment that this is
/// made.
#[derive(Debug)]
pub struct Stopping {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    /// Never asked. A listener is what keeps the signal from ending the process with a core dump: the write fails with an error
    /// instead, which the store tells like any other, and Rounds goes on when the limit is raised.
    _file_size_limit: Signal,
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
            hangup: listen(SignalKind::hangup())?,
            _file_size_limit: listen(SignalKind::from_raw(FILE_SIZE_LIMIT))?,
        })
    }

    /// Ends when one of them comes, and gives its name. Can be asked again for a second one.
    pub async fn asked(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.hangup.recv() => "SIGHUP",
        }
    }
}
