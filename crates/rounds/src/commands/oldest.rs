//! The oldest of several things that do not go on: since when, and why.

use crate::output::Ago;
use jiff::Timestamp;
use rounds_domain::plain;
use rounds_domain::ports::Oldest;
use serde::Serialize;

/// Since when and why something does not go on.
#[derive(Debug, Serialize)]
pub struct OldestRow {
    /// When its change was found.
    pub found_at: Timestamp,
    /// The code of the last trouble.
    pub code: Option<String>,
    /// The same in words.
    pub reason: Option<String>,
}

impl From<Oldest> for OldestRow {
    fn from(oldest: Oldest) -> Self {
        let (code, reason) = oldest.reason.unzip();
        Self {
            found_at: oldest.found_at,
            code: code.filter(|code| !code.is_empty()),
            reason,
        }
    }
}

impl OldestRow {
    /// `found 3 min ago (R0502): answered 503`.
    pub(super) fn in_words(&self, now: Timestamp) -> String {
        let found = Ago {
            at: self.found_at,
            now,
        };
        let code = self
            .code
            .as_ref()
            .map_or_else(String::new, |code| format!(" ({code})"));
        let reason = self
            .reason
            .as_deref()
            .map_or_else(String::new, |reason| format!(": {}", plain(reason)));
        format!("found {found}{code}{reason}")
    }
}

/// `1 is`, `2 are`.
pub(super) fn are(count: u64) -> String {
    match count {
        1 => "1 is".to_owned(),
        count => format!("{count} are"),
    }
}
