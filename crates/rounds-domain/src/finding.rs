//! What a person should look at, though a round did what it should.
//!
//! A failure stops a round; a finding does not. Only the EHR's answers can show that an `id` is not unique or that dates are local times
//! of another zone, so nothing can be said of it before, and a line in the log of the first night is not read. So a finding is kept
//! with its feed: said once in the log when it is new, shown by `rounds status` until it is gone, with how many records show it.

use crate::Code;
use jiff::Timestamp;

/// What a round saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The stable code, of which a feed has one finding at most.
    pub code: Code,
    /// How many records of the round show it; 0 where it is not of single ones.
    pub records: u64,
    /// One sentence, without any patient data.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// What is kept of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// As the last round that saw it says it.
    pub sighting: Sighting,
    /// When it was first seen since it was not there, by our clock.
    pub first_seen_at: Timestamp,
    /// When it was last seen.
    pub last_seen_at: Timestamp,
}

/// What a round brings for the findings of its feed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FindingUpdate {
    /// What it saw.
    pub seen: Vec<Sighting>,
    /// What is not so any more.
    pub gone: Vec<Code>,
}
