//! Rates by the clock: so many requests in each minute, hour or day.
//!
//! The EHR counts by its own clock and we by ours. So around the turn of a span a request may be counted in either of the two,
//! and both must have room for it: what was granted shortly before the turn counts in the new span too, and shortly after
//! it the old one still counts.

use jiff::Timestamp;
use jiff::Zoned;
use jiff::tz::TimeZone;
use rounds_domain::plan::Rate;
use std::collections::VecDeque;
use std::time::Duration;

/// By how much the two clocks, and the way of a request, may differ.
pub(super) const MARGIN: Duration = Duration::from_secs(2);

/// When the span has room for one more, by the monotonic clock; None if it has room now. `grants` are in order.
pub(super) fn room_at(
    rate: &Rate,
    zone: &TimeZone,
    grants: &VecDeque<Duration>,
    now: Duration,
    wall: Timestamp,
) -> Option<Duration> {
    let (begun, next) = span(rate.per, zone, wall)?;
    let elapsed = Duration::try_from(wall.duration_since(begun)).unwrap_or_default();
    let left = Duration::try_from(next.duration_since(wall)).unwrap_or_default();
    let limit = usize::try_from(rate.requests.max(1)).unwrap_or(usize::MAX);
    let since = |ago: Duration| {
        let from = now.saturating_sub(ago);
        grants.len() - grants.partition_point(|granted| *granted < from)
    };
    if since(elapsed + MARGIN) >= limit {
        return Some(now.saturating_add(left));
    }
    if elapsed < MARGIN {
        // A day before this one may have been longer than it, where clocks change.
        let (before, _) = span(rate.per, zone, begun.checked_sub(MARGIN).ok()?)?;
        let of_both = Duration::try_from(wall.duration_since(before)).unwrap_or_default();
        if since(of_both + MARGIN) >= limit {
            return Some(now.saturating_add(MARGIN.saturating_sub(elapsed)));
        }
    }
    None
}

/// The beginning of the span that contains this moment, and that of the next.
fn span(per: Duration, zone: &TimeZone, wall: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let local = wall.to_zoned(zone.clone());
    let begun: Zoned = match per.as_secs() {
        0..=60 => local.with().second(0).subsec_nanosecond(0).build().ok()?,
        61..=3_600 => (local.with().minute(0).second(0).subsec_nanosecond(0))
            .build()
            .ok()?,
        _ => {
            let day = local.start_of_day().ok()?;
            let next = local.date().tomorrow().ok()?.to_zoned(zone.clone()).ok()?;
            return Some((day.timestamp(), next.timestamp()));
        }
    };
    let begun = begun.timestamp();
    Some((begun, begun.checked_add(per).ok()?))
}

#[cfg(test)]
mod tests;
