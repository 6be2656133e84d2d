//! A span that is too long for one request, asked for in slices.
//!
//! Some EHRs refuse a span of more than a week, or of 190 days. Then the span is asked for piece by piece, the oldest first,
//! and each piece is drained before the next. What keeps that from losing anything:
//!
//! - Slices by time overlap by one granule, because one EHR takes its upper bound in, and another takes neither bound in. Slices of
//!   days share the day between them, for the same reason.
//! - A slice is as long as is allowed both in elapsed time and on the wall clock: a week in which clocks go forward has seven
//!   days on the wall and an hour less in between, and nobody says which of the two the EHR counts.
//! - The bound that counts is the one that was written, not the one that was meant: it may have been cut down, or put before an
//!   hour that comes twice. Where no slice of the allowed length would get any further (a span shorter than that hour), the slice
//!   is longer than allowed, and the EHR says what it makes of it.
//!
//! What to mind: nothing here goes past the end of the whole span, which is now minus `settle`.

use super::ask::{Asked, Unwritable};
use super::instant::{self, Written};
use crate::moment::{earlier, later};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use rounds_domain::plan::{CursorRule, DateRange, Feed, Sweep, SweepScope, TimeCursor};
use std::time::Duration;

/// What is left of a span after a slice of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Nothing: it was the last slice.
    Nothing,
    /// From the slice's upper bound up to this.
    Until(Written),
    /// From this day up to the span's last.
    From(Date),
}

/// The first slice of a span by time; the whole span where there is no limit.
pub(super) fn first_of_time(
    from: Timestamp,
    until: Timestamp,
    rule: &TimeCursor,
) -> Result<Asked, Unwritable> {
    let lower = instant::write(from, rule)?;
    let closed = lower.instant;
    slice(lower, closed, instant::write(until, rule)?, rule)
}

/// The first slice of a range of days.
pub(super) fn first_of_dates(whole: (Date, Date), range: &DateRange) -> Result<Asked, Unwritable> {
    days(whole.0, whole, range)
}

/// The slice after this one; None after the last.
pub(super) fn after(feed: &Feed, asked: &Asked) -> Result<Option<Asked>, Unwritable> {
    match (&asked.rest, &feed.cursor, asked.until, asked.dates) {
        (Rest::Until(whole), CursorRule::Time(rule), Some(closed), _) => {
            following(closed, whole, rule).map(Some)
        }
        (
            Rest::Until(whole),
            CursorRule::Sweep(Sweep {
                scope: SweepScope::ChangesSince { written, .. },
                ..
            }),
            Some(closed),
            _,
        ) => following(closed, whole, written).map(Some),
        (
            Rest::From(day),
            CursorRule::Sweep(Sweep {
                scope: SweepScope::Dates(range),
                ..
            }),
            _,
            Some(whole),
        ) => days(*day, whole, range).map(Some),
        _ => Ok(None),
    }
}

fn following(closed: Timestamp, whole: &Written, rule: &TimeCursor) -> Result<Asked, Unwritable> {
    let lower = instant::write(earlier(closed, rule.granularity), rule)?;
    slice(lower, closed, whole.clone(), rule)
}

/// The slice that begins here, where everything before `closed` was asked for already.
fn slice(
    lower: Written,
    closed: Timestamp,
    whole: Written,
    rule: &TimeCursor,
) -> Result<Asked, Unwritable> {
    let Some(longest) = rule.longest_window else {
        return Ok(Asked::of_time(lower, whole, Rest::Nothing));
    };
    let mut length = longest;
    loop {
        let end = end_of(lower.instant, length, rule);
        if end >= whole.instant {
            return Ok(Asked::of_time(lower, whole, Rest::Nothing));
        }
        let upper = instant::write(end, rule)?;
        if upper.instant > closed {
            return Ok(Asked::of_time(lower, upper, Rest::Until(whole)));
        }
        length = length.saturating_add(longest);
    }
}

/// The latest moment that is no further away than this, neither in elapsed time nor on the wall clock.
fn end_of(from: Timestamp, length: Duration, rule: &TimeCursor) -> Timestamp {
    let elapsed = later(from, length);
    let wall = SignedDuration::try_from(length)
        .ok()
        .and_then(|length| {
            let local = from.to_zoned(rule.zone.clone()).datetime();
            local.checked_add(length).ok()
        })
        .and_then(|local| rule.zone.to_ambiguous_timestamp(local).earlier().ok());
    wall.map_or(elapsed, |wall| wall.min(elapsed))
}

fn days(from: Date, whole: (Date, Date), range: &DateRange) -> Result<Asked, Unwritable> {
    let text = |day: Date| jiff::fmt::strtime::format(&range.format, day);
    let end = match range.longest_days {
        // Both its first and its last day count; two days at least, or it would never end.
        Some(longest) => from.checked_add((longest.max(2) - 1).days())?.min(whole.1),
        None => whole.1,
    };
    let rest = if end < whole.1 {
        Rest::From(end)
    } else {
        Rest::Nothing
    };
    Ok(Asked::of_dates(text(from)?, text(end)?, whole, rest))
}

#[cfg(test)]
mod tests;
