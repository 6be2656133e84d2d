//! What happened, in order: a digest of it always, the lines themselves for who wants to read them.
//!
//! Two runs of one seed have the same digest, or the simulation is not deterministic and its seeds are worth nothing.

use crate::clock::SimulatedClock;
use rounds_domain::ports::Clock;
use sha2::{Digest, Sha256};
use std::sync::{Arc, Mutex, PoisonError};

/// Whether a journal keeps its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// A digest only.
    Digest,
    /// Every line.
    Lines,
}

/// What happened.
pub(crate) struct Journal {
    clock: Arc<SimulatedClock>,
    keep: Keep,
    written: Mutex<Written>,
}

#[derive(Default)]
struct Written {
    digest: Sha256,
    lines: Vec<String>,
}

impl Journal {
    pub(crate) fn new(clock: Arc<SimulatedClock>, keep: Keep) -> Self {
        Self {
            clock,
            keep,
            written: Mutex::default(),
        }
    }

    /// Notes that something happened now.
    pub(crate) fn note(&self, what: impl AsRef<str>) {
        let line = format!("{} {}", self.clock.now(), what.as_ref());
        let mut written = self.written();
        written.digest.update(line.as_bytes());
        written.digest.update(b"\n");
        if self.keep == Keep::Lines {
            written.lines.push(line);
        }
    }

    /// The digest so far, in hexadecimal, and the lines.
    pub(crate) fn read(&self) -> (String, Vec<String>) {
        let written = self.written();
        let digest = written.digest.clone().finalize();
        let digest = digest
            .iter()
            .fold(String::new(), |digest, byte| format!("{digest}{byte:02x}"));
        (digest, written.lines.clone())
    }

    fn written(&self) -> std::sync::MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
