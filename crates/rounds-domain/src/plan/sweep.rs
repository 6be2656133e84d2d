//! Sweeps: queries that do not ask what changed but what is there, to be compared with what is known.

use super::TimeCursor;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rounds_map::Filter;

/// A query for what is there.
#[derive(Debug, Clone)]
pub struct Sweep {
    /// How much of it.
    pub scope: SweepScope,
    /// Whether a record that is not there any more is told.
    pub deletions: Deletions,
}

/// How much a sweep looks at.
#[derive(Debug, Clone)]
pub enum SweepScope {
    /// All that the request gives as it is.
    Everything,
    /// The change query, asked from this instant.
    ChangesSince {
        /// The instant.
        since: Timestamp,
        /// How it is written.
        written: Box<TimeCursor>,
    },
    /// A range of dates around the day of the round.
    Dates(Box<DateRange>),
}

/// A range of dates around the day of the round, such as those of appointments.
#[derive(Debug, Clone)]
pub struct DateRange {
    /// Its first day, counted from the day of the round; before it where negative.
    pub from_days: i32,
    /// Its last day, counted in the same way.
    pub to_days: i32,
    /// In which zone a day begins.
    pub zone: TimeZone,
    /// How `from` and `to` are written, as strftime.
    pub format: String,
    /// From a record to its date or time.
    pub field: Filter,
    /// The most days that one request may ask for, two at least; a longer range is asked for in slices that share the day between
    /// them, so that it does not matter whether the EHR takes `to` in or leaves it out. None: there is no limit.
    pub longest_days: Option<i32>,
}

/// Whether a record that is not there any more is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletions {
    /// It is, from a sweep that was complete.
    Told {
        /// If more than this share of what should be there is gone at once, it is held back: it is more likely that the sweep is wrong.
        /// Ten records are never too many.
        hold_back_above_percent: u8,
        /// Which records can be missed at all.
        missed: Missed,
    },
    /// It is not.
    Ignored,
}

/// Which records a sweep can miss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    /// Every record that is known: the sweep asks for the same as the change query does.
    EveryKnownRecord,
    /// Those that a sweep has shown before: it asks in its own way, and some records may never be part of it.
    SweptBefore,
}

impl Deletions {
    /// `hold_back_above_percent` where the user says nothing.
    pub const DEFAULT_HOLD_BACK_ABOVE_PERCENT: u8 = 10;
}
