//! When an action's rounds are made.

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use std::time::Duration;

/// When rounds are made. There is no default.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// The ticks.
    pub cadence: Cadence,
    /// Ticks count only within these; empty means always.
    pub windows: Vec<Window>,
    /// The zone in which cron fields and windows are read.
    pub zone: TimeZone,
}

/// The ticks of a schedule.
#[derive(Debug, Clone)]
pub enum Cadence {
    /// At a fixed interval, shifted by an offset that is the action's own and does not change over restarts.
    Every(Duration),
    /// At five-field cron times in the schedule's zone.
    At(Box<croner::Cron>),
}

/// A part of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// On which days it begins; None means every day.
    pub days: Option<WeekdayRange>,
    /// Its first moment.
    pub from: Time,
    /// The moment after its last; None means midnight at the day's end. Before or equal to `from` means on the next day.
    pub to: Option<Time>,
}

/// From one weekday to another, both included; may wrap over the week's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeekdayRange {
    /// The first.
    pub first: Weekday,
    /// The last.
    pub last: Weekday,
}
