//! When an action's rounds are made.

use jiff::civil::{DateTime, Time, Weekday};
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

impl Window {
    /// Whether it contains this moment of the clock on the wall.
    pub fn contains(&self, local: DateTime) -> bool {
        let (day, time) = (local.date().weekday(), local.time());
        let begins_on = |day: Weekday| self.days.is_none_or(|days| days.contains(day));
        let over_midnight = self.to.is_some_and(|to| to <= self.from);
        let before_end = self.to.is_none_or(|to| time < to);
        let begun_today = begins_on(day) && self.from <= time && (over_midnight || before_end);
        let begun_yesterday = over_midnight && begins_on(day.previous()) && before_end;
        begun_today || begun_yesterday
    }
}

impl WeekdayRange {
    /// Whether it contains this day.
    pub fn contains(self, day: Weekday) -> bool {
        self.first.until(day) <= self.first.until(self.last)
    }
}

/// From one weekday to another, both included; may wrap over the week's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeekdayRange {
    /// The first.
    pub first: Weekday,
    /// The last.
    pub last: Weekday,
}

#[cfg(test)]
mod tests {
    use super::{WeekdayRange, Window};
    use jiff::civil::{DateTime, Time, Weekday, time};

    fn window(days: Option<(Weekday, Weekday)>, from: Time, to: Option<Time>) -> Window {
        let days = days.map(|(first, last)| WeekdayRange { first, last });
        Window { days, from, to }
    }

    #[test]
    fn a_window_contains_its_first_moment_and_not_its_last_and_may_go_over_midnight() {
        let working = window(
            Some((Weekday::Monday, Weekday::Friday)),
            time(6, 0, 0, 0),
            Some(time(18, 0, 0, 0)),
        );
        let night = window(
            Some((Weekday::Saturday, Weekday::Sunday)),
            time(22, 0, 0, 0),
            Some(time(5, 0, 0, 0)),
        );
        let evening = window(None, time(20, 0, 0, 0), None);
        // The 23rd of November 2026 is a Monday.
        for (window, at, expected) in [
            (&working, "2026-11-23T06:00", true),
            (&working, "2026-11-23T17:59:59", true),
            (&working, "2026-11-23T18:00", false),
            (&working, "2026-11-22T12:00", false),
            (&night, "2026-11-21T23:00", true),
            (&night, "2026-11-23T04:59", true),
            (&night, "2026-11-23T05:00", false),
            (&night, "2026-11-23T23:00", false),
            (&night, "2026-11-21T04:00", false),
            (&evening, "2026-11-23T23:59", true),
            (&evening, "2026-11-23T00:00", false),
        ] {
            let local: DateTime = at.parse().expect("a local time");
            assert_eq!(window.contains(local), expected, "{at} in {window:?}");
        }
    }
}
