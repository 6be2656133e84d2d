//! Findings as commands show them.

use super::Ago;
use jiff::Timestamp;
use rounds_domain::{Finding, Sighting};
use serde::Serialize;
use std::io::{self, Write};

/// What a person should look at.
#[derive(Debug, Clone, Serialize)]
pub struct FindingRow {
    /// The code.
    pub code: &'static str,
    /// How many records of the last round that saw it; 0 where it is not of single ones.
    pub records: u64,
    /// In words.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// When it was first and last seen; none in a dry run.
    #[serde(flatten)]
    pub seen: Option<SeenAt>,
}

/// When a finding was seen.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct SeenAt {
    /// First, since it was not there.
    pub first_seen_at: Timestamp,
    /// Last.
    pub last_seen_at: Timestamp,
}

impl From<&Sighting> for FindingRow {
    fn from(sighting: &Sighting) -> Self {
        Self {
            code: sighting.code.as_str(),
            records: sighting.records,
            message: sighting.message.clone(),
            hint: sighting.hint.clone(),
            seen: None,
        }
    }
}

impl From<&Finding> for FindingRow {
    fn from(finding: &Finding) -> Self {
        Self {
            seen: Some(SeenAt {
                first_seen_at: finding.first_seen_at,
                last_seen_at: finding.last_seen_at,
            }),
            ..Self::from(&finding.sighting)
        }
    }
}

impl FindingRow {
    /// Writes it: what it is, when it was seen, what to do.
    pub fn write(&self, title: &str, now: Timestamp, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{title}: {} ({})", self.message, self.code)?;
        if let Some(seen) = self.seen {
            let ago = |at| Ago { at, now };
            let (first, last) = (ago(seen.first_seen_at), ago(seen.last_seen_at));
            writeln!(out, "  seen: first {first}, last {last}")?;
        }
        writeln!(out, "  help: {}", self.hint)
    }
}
