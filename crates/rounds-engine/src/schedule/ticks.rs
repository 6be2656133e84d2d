//! The ticks of one schedule.

use jiff::civil::Time;
use jiff::{Timestamp, ToSpan, Zoned};
use rounds_domain::plan::{Cadence, Schedule, Window};
use rounds_domain::{FeedKey, InstanceId};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// A window is looked for this many days ahead; a week holds every window, and a day more every zone.
const DAYS_AHEAD: i64 = 9;
/// Skipped ticks are counted one by one up to here; nobody needs to know whether it was more.
const COUNTED_AT_MOST: u64 = 100_000;

/// The ticks of one feed's schedule.
#[derive(Debug)]
pub(crate) struct Ticks<'a> {
    schedule: &'a Schedule,
    offset: Duration,
}

impl<'a> Ticks<'a> {
    /// The ticks of this feed in this installation.
    pub(crate) fn new(schedule: &'a Schedule, feed: &FeedKey, instance: &InstanceId) -> Self {
        let offset = match schedule.cadence {
            Cadence::Every(every) => offset_within(every, feed, instance),
            Cadence::At(_) => Duration::ZERO,
        };
        Self { schedule, offset }
    }

    /// The first tick after `moment`; None if there is none (a cron expression that never comes again).
    pub(crate) fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        if let Some(every) = self.longer_than_a_window() {
            return self.next_made_up(moment, every);
        }
        let mut tick = self.next_unwindowed(moment)?;
        // Each turn either ends or leaps to the next opening, so a handful is enough; the bound guards windows that no
        // tick ever meets.
        for _ in 0..1_000 {
            match next_opening(
                &self.schedule.windows,
                &tick.to_zoned(self.schedule.zone.clone()),
            ) {
                Opening::Open => return Some(tick),
                Opening::At(opening) => {
                    let just_before = opening.checked_sub(1.nanosecond()).ok()?;
                    tick = self.next_unwindowed(just_before.max(tick))?;
                }
                Opening::Never => return None,
            }
        }
        None
    }

    /// The interval, if a window is shorter: then its ticks may all lie outside.
    fn longer_than_a_window(&self) -> Option<Duration> {
        let Cadence::Every(every) = self.schedule.cadence else {
            return None;
        };
        let mut windows = self.schedule.windows.iter();
        windows
            .any(|window| length(window) < every)
            .then_some(every)
    }

    /// As [`Self::next_after`], where a tick outside of the windows is made when the next one opens: once a day within office hours is meant so,
    /// and by its place in the interval it might never come.
    fn next_made_up(&self, moment: Timestamp, every: Duration) -> Option<Timestamp> {
        let before = self.elapsed_ticks(moment, every);
        // The tick before may wait for a window; those before it wait for the same one, or had theirs.
        for tick in before.. {
            let nanoseconds =
                tick * nanoseconds(every) + i128::try_from(self.offset.as_nanos()).ok()?;
            let tick = Timestamp::from_nanosecond(nanoseconds).ok()?;
            let made = match next_opening(
                &self.schedule.windows,
                &tick.to_zoned(self.schedule.zone.clone()),
            ) {
                Opening::Open => tick,
                Opening::At(opening) => opening,
                Opening::Never => return None,
            };
            if made > moment {
                return Some(made);
            }
        }
        None
    }

    /// How many ticks lie after `from` and not after `to`.
    pub(crate) fn count(&self, from: Timestamp, to: Timestamp) -> u64 {
        if let (Cadence::Every(every), true) =
            (&self.schedule.cadence, self.schedule.windows.is_empty())
        {
            let until = |moment: Timestamp| self.elapsed_ticks(moment, *every);
            return u64::try_from(until(to) - until(from)).unwrap_or(0);
        }
        let mut count = 0;
        let mut tick = from;
        while count < COUNTED_AT_MOST {
            match self.next_after(tick) {
                Some(next) if next <= to => tick = next,
                _ => break,
            }
            count += 1;
        }
        count
    }

    /// Whether the windows allow a round at this moment.
    pub(crate) fn is_open(&self, moment: Timestamp) -> bool {
        let local = moment.to_zoned(self.schedule.zone.clone());
        matches!(next_opening(&self.schedule.windows, &local), Opening::Open)
    }

    fn next_unwindowed(&self, moment: Timestamp) -> Option<Timestamp> {
        match &self.schedule.cadence {
            Cadence::Every(every) => {
                let nanoseconds = nanoseconds(*every);
                let next = (self.elapsed_ticks(moment, *every) + 1) * nanoseconds
                    + i128::try_from(self.offset.as_nanos()).ok()?;
                Timestamp::from_nanosecond(next).ok()
            }
            Cadence::At(cron) => {
                let local = moment.to_zoned(self.schedule.zone.clone());
                cron.find_next_occurrence(&local, false)
                    .ok()
                    .map(|next| next.timestamp())
            }
        }
    }

    /// How many ticks there were up to and including `moment`, counted from 1970.
    fn elapsed_ticks(&self, moment: Timestamp, every: Duration) -> i128 {
        let offset = i128::try_from(self.offset.as_nanos()).unwrap_or(0);
        (moment.as_nanosecond() - offset).div_euclid(nanoseconds(every))
    }
}

/// When a feed's next round would be made, for those who only want to show it.
pub fn next_tick_at(
    schedule: &Schedule,
    feed: &FeedKey,
    instance: &InstanceId,
    after: Timestamp,
) -> Option<Timestamp> {
    Ticks::new(schedule, feed, instance).next_after(after)
}

fn nanoseconds(every: Duration) -> i128 {
    i128::try_from(every.as_nanos()).unwrap_or(i128::MAX).max(1)
}

/// A stable place within the interval: the feed's own, and this installation's own.
fn offset_within(every: Duration, feed: &FeedKey, instance: &InstanceId) -> Duration {
    let digest = Sha256::new()
        .chain_update(instance.as_str())
        .chain_update([0])
        .chain_update(feed.action.as_str())
        .chain_update([0])
        .chain_update(feed.feed.as_str())
        .finalize();
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest[..8]);
    let hash = u128::from(u64::from_be_bytes(bytes));
    let nanoseconds = (hash * every.as_nanos()) >> 64;
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0))
}

/// How long a window is open, on a day without a change of clocks.
fn length(window: &Window) -> Duration {
    const A_DAY: i32 = 24 * 60 * 60;
    let seconds = |time: Time| {
        let (hours, minutes) = (i32::from(time.hour()), i32::from(time.minute()));
        (hours * 60 + minutes) * 60
    };
    let closes = window.to.map_or(A_DAY, seconds);
    let open = (closes - seconds(window.from)).rem_euclid(A_DAY);
    let open = if open == 0 { A_DAY } else { open };
    Duration::from_secs(u64::try_from(open).unwrap_or(0))
}

enum Opening {
    Open,
    At(Timestamp),
    Never,
}

fn next_opening(windows: &[Window], moment: &Zoned) -> Opening {
    if windows.is_empty() {
        return Opening::Open;
    }
    let mut earliest: Option<Timestamp> = None;
    // A window of yesterday may reach into today.
    for days in -1..=DAYS_AHEAD {
        let Ok(day) = moment.date().checked_add(days.days()) else {
            continue;
        };
        for window in windows
            .iter()
            .filter(|window| window.days.is_none_or(|days| days.contains(day.weekday())))
        {
            let last_day = if reaches_into_next_day(window) {
                day.tomorrow()
            } else {
                Ok(day)
            };
            let bounds = day
                .to_datetime(window.from)
                .to_zoned(moment.time_zone().clone())
                .and_then(|opens| {
                    let closes = last_day?
                        .to_datetime(window.to.unwrap_or(Time::midnight()))
                        .to_zoned(moment.time_zone().clone())?;
                    Ok((opens.timestamp(), closes.timestamp()))
                });
            let Ok((opens, closes)) = bounds else {
                continue;
            };
            if opens <= moment.timestamp() && moment.timestamp() < closes {
                return Opening::Open;
            }
            if opens > moment.timestamp() {
                earliest = Some(earliest.map_or(opens, |known| known.min(opens)));
            }
        }
    }
    earliest.map_or(Opening::Never, Opening::At)
}

fn reaches_into_next_day(window: &Window) -> bool {
    window.to.is_none_or(|to| to <= window.from)
}

#[cfg(test)]
mod tests;
