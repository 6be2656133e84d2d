//! All feeds' next rounds in one structure.

use super::Ticks;
use crate::backoff::doubling;
use crate::moment::later;
use crate::round::feed_key;
use jiff::Timestamp;
use rounds_domain::plan::{Action, Feed};
use rounds_domain::{FeedKey, FeedState, InstanceId};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

/// A failing feed waits at least this long after its first failure.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
/// A failing feed waits at most this long, or its interval if that is longer.
const LONGEST_BACKOFF: Duration = Duration::from_mins(5);
/// How far apart the first rounds after a start are put, on average.
const START_SPACING: Duration = Duration::from_millis(50);

/// A feed with its action: what has rounds of its own.
#[derive(Debug, Clone)]
pub(crate) struct Polled {
    /// The action.
    pub(crate) action: Arc<Action>,
    /// One of its feeds.
    pub(crate) feed: Arc<Feed>,
    /// What both are called.
    pub(crate) key: FeedKey,
}

impl Polled {
    /// All feeds of these actions, in the order of the plan.
    pub(crate) fn all(actions: &[Arc<Action>]) -> Vec<Self> {
        actions
            .iter()
            .flat_map(|action| {
                action.feeds().map(|feed| Self {
                    action: Arc::clone(action),
                    feed: Arc::clone(feed),
                    key: feed_key(action, feed),
                })
            })
            .collect()
    }
}

/// One feed whose round is due.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// The feed's place in the list that the timetable was made of.
    pub(crate) index: usize,
    /// Ticks that passed since its last round without one, this one not counted.
    pub(crate) missed_ticks: u64,
}

/// All feeds' next rounds. A feed that is running is not in the heap, so it cannot be started twice.
pub(crate) struct Timetable {
    feeds: Vec<Polled>,
    instance: InstanceId,
    heap: BinaryHeap<Reverse<(Timestamp, usize)>>,
    last_started: Vec<Option<Timestamp>>,
}

impl Timetable {
    /// Puts every feed in its place. Those that are overdue, or were never run, get one round soon after the start:
    /// spread so that a restart of many does not strike an EHR at once.
    pub(crate) fn new(
        feeds: Vec<Polled>,
        states: &[FeedState],
        instance: InstanceId,
        now: Timestamp,
    ) -> Self {
        let many = feeds.len();
        let mut timetable = Self {
            feeds,
            instance,
            heap: BinaryHeap::with_capacity(many),
            last_started: states.iter().map(|state| state.last_started_at).collect(),
        };
        let count = u32::try_from(many).unwrap_or(u32::MAX);
        let spread = START_SPACING.saturating_mul(count.saturating_sub(1));
        for index in 0..many {
            let Some(next) = timetable.ticks(index).next_after(now) else {
                continue;
            };
            let overdue = match timetable.last_started[index] {
                Some(last) => timetable.ticks(index).count(last, now) > 0,
                None => true,
            };
            let first = if overdue && timetable.ticks(index).is_open(now) {
                next.min(later(now, timetable.place_within(index, spread)))
            } else {
                next
            };
            timetable.heap.push(Reverse((first, index)));
        }
        timetable
    }

    /// When the next round is due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.heap.peek().map(|Reverse((due, _))| *due)
    }

    /// Puts the feeds in their places again after the wall clock went back: a round that was due by the clock of before may be due
    /// in another year by this one.
    pub(crate) fn rearrange(&mut self, now: Timestamp) {
        let waiting: Vec<(Timestamp, usize)> = self.heap.drain().map(|Reverse(due)| due).collect();
        for (due, index) in waiting {
            let next = self
                .ticks(index)
                .next_after(now)
                .map_or(due, |next| next.min(due));
            self.heap.push(Reverse((next, index)));
        }
    }

    /// Takes a feed that is due now.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> Option<Due> {
        let Reverse((due, index)) = *self.heap.peek()?;
        if due > now {
            return None;
        }
        self.heap.pop();
        let missed_ticks = self.last_started[index].map_or(0, |last| {
            self.ticks(index).count(last, now).saturating_sub(1)
        });
        self.last_started[index] = Some(now);
        Some(Due {
            index,
            missed_ticks,
        })
    }

    /// Puts a feed back after its round: at its next tick, or later if it fails again and again.
    pub(crate) fn put_back(&mut self, index: usize, now: Timestamp, failures_in_a_row: u32) {
        let not_before = if failures_in_a_row == 0 {
            now
        } else {
            later(
                now,
                doubling(FIRST_BACKOFF, LONGEST_BACKOFF, failures_in_a_row),
            )
        };
        if let Some(next) = self.ticks(index).next_after(not_before) {
            self.heap.push(Reverse((next, index)));
        }
    }

    fn ticks(&self, index: usize) -> Ticks<'_> {
        let Polled { feed, key, .. } = &self.feeds[index];
        Ticks::new(&feed.schedule, key, &self.instance)
    }

    /// The feed's stable place within `spread`.
    fn place_within(&self, index: usize, spread: Duration) -> Duration {
        let count = u32::try_from(self.feeds.len().max(1)).unwrap_or(u32::MAX);
        spread.saturating_mul(u32::try_from(index).unwrap_or(u32::MAX)) / count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_plan::action_every;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + second).expect("an instant")
    }

    fn timetable(intervals: &[u64], states: &[FeedState], now: Timestamp) -> Timetable {
        let actions: Vec<_> = intervals
            .iter()
            .enumerate()
            .map(|(number, seconds)| action_every(&format!("action-{number}"), *seconds))
            .collect();
        Timetable::new(
            Polled::all(&actions),
            states,
            InstanceId::new("instance"),
            now,
        )
    }

    fn started(at: Timestamp) -> FeedState {
        FeedState {
            last_started_at: Some(at),
            ..FeedState::default()
        }
    }

    #[test]
    fn a_clock_that_went_back_leaves_no_feed_waiting_for_another_year() {
        let year = 31_536_000;
        let mut timetable = timetable(
            &[60, 600],
            &[FeedState::default(), FeedState::default()],
            at(year),
        );
        for index in [0, 1] {
            while timetable.take_due(at(year + 600)).is_some() {}
            timetable.put_back(index, at(year + 600), 0);
        }
        timetable.rearrange(at(0));
        let mut taken = Vec::new();
        while let Some(due) = timetable.take_due(at(600)) {
            assert_eq!(due.missed_ticks, 0);
            taken.push(due.index);
        }
        taken.sort_unstable();
        assert_eq!(taken, [0, 1]);
    }

    #[test]
    fn after_downtime_there_is_one_round_and_the_missed_ticks_are_counted() {
        let six_hours = 6 * 60 * 60;
        let mut timetable = timetable(&[60], &[started(at(0))], at(six_hours));
        let due = timetable
            .take_due(at(six_hours))
            .expect("the round that catches up");
        assert_eq!(
            due,
            Due {
                index: 0,
                missed_ticks: 359
            }
        );
        timetable.put_back(0, at(six_hours + 1), 0);
        assert_eq!(timetable.take_due(at(six_hours + 1)), None);
    }

    #[test]
    fn a_round_that_outlives_its_interval_skips_ticks_and_never_overlaps() {
        // Case 60: EC:29ada2bb3.
        let mut timetable = timetable(&[10], &[FeedState::default()], at(0));
        assert!(timetable.take_due(at(0)).is_some());
        assert_eq!(timetable.take_due(at(35)), None, "it is still running");
        timetable.put_back(0, at(35), 0);
        let next = timetable.next_due().expect("a next round");
        assert!(next > at(35) && next <= at(45));
        assert_eq!(
            timetable.take_due(next).map(|due| due.missed_ticks),
            Some(3)
        );
    }

    #[test]
    fn a_feed_that_always_fails_is_asked_less_and_less_often() {
        let mut timetable = timetable(&[1], &[FeedState::default()], at(0));
        let mut now = at(0);
        let mut rounds = 0;
        for failures in 1.. {
            let Some(due) = timetable.next_due().filter(|due| *due <= at(3_600)) else {
                break;
            };
            now = now.max(due);
            assert!(timetable.take_due(now).is_some());
            timetable.put_back(0, now, failures);
            rounds += 1;
        }
        assert!((12..=30).contains(&rounds), "{rounds} rounds in an hour");
    }

    #[test]
    fn many_rounds_of_a_short_time_keep_their_number() {
        // Each round takes 0.4 s; an hour of 10 s has 360.
        let mut timetable = timetable(&[10], &[started(at(-1))], at(0));
        let mut rounds = 0;
        while let Some(due) = timetable.next_due().filter(|due| *due < at(3_600)) {
            assert!(timetable.take_due(due).is_some());
            timetable.put_back(0, later(due, Duration::from_millis(400)), 0);
            rounds += 1;
        }
        assert!((359..=361).contains(&rounds), "{rounds}");
    }

    #[test]
    fn a_restart_of_many_overdue_actions_spreads_their_rounds() {
        let states = vec![started(at(-86_400)); 1_000];
        let mut timetable = timetable(&[60; 1_000], &states, at(0));
        let mut per_second = [0_u32; 61];
        while let Some(due) = timetable.next_due() {
            assert!(timetable.take_due(due).is_some());
            let second = usize::try_from((due.as_second() - at(0).as_second()).max(0));
            per_second[second.expect("a second")] += 1;
        }
        // The mean is 1,000 / 60, about 17.
        assert!(
            per_second.iter().all(|count| *count <= 50),
            "{per_second:?}"
        );
    }
}
