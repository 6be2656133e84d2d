//! Who may use the threads next.
//!
//! Each share (a connection's, mostly) has a queue of its own, and the queues take turns: a share with a thousand large pages waiting delays another's
//! closure by one of its own and not by all. One thing more is needed, because a closure that has begun is not interrupted: a share whose
//! closures are slow does not get the last thread. Otherwise as many slow ones as there are threads would keep everybody else
//! waiting for as long as they take.
//!
//! What to mind: a share is slow until one of its closures was quick again, so who is healed gets all threads back at once.

use super::threads::Job;
use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What takes longer is slow: beside it, mapping a record takes less than a thousandth of that.
pub(super) const SLOW: Duration = Duration::from_millis(500);

/// Which share.
pub(super) type ShareNumber = u64;

/// The queues of all shares.
#[derive(Debug, Default)]
pub(super) struct Queues {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    shares: HashMap<ShareNumber, Share>,
    /// Those that have something waiting, in the order of their turns.
    turns: VecDeque<ShareNumber>,
    /// How many threads serve.
    threads: usize,
    is_closed: bool,
}

#[derive(Debug, Default)]
struct Share {
    waiting: VecDeque<Job>,
    running: usize,
    pace: Pace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Pace {
    #[default]
    Quick,
    Slow,
}

impl Queues {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many threads serve now.
    pub(super) fn served_by(&self, threads: usize) {
        self.state().threads = threads;
    }

    /// Puts a job into its share's queue.
    pub(super) fn put(&self, number: ShareNumber, job: Job) {
        let mut state = self.state();
        let share = state.shares.entry(number).or_default();
        let was_empty = share.waiting.is_empty();
        share.waiting.push_back(job);
        if was_empty {
            state.turns.push_back(number);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Nothing more is put: the threads end when nothing waits any more.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.changed.notify_all();
    }

    /// Waits for a job. None when there will be none.
    pub(super) fn take(&self) -> Option<(ShareNumber, Job)> {
        let mut state = self.state();
        loop {
            if let Some(taken) = state.take() {
                return Some(taken);
            }
            if state.is_closed && state.turns.is_empty() {
                return None;
            }
            state = (self.changed.wait(state)).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A job is slow, though it has not ended.
    pub(super) fn is_slow(&self, number: ShareNumber) {
        if let Some(share) = self.state().shares.get_mut(&number) {
            share.pace = Pace::Slow;
        }
    }

    /// A job has ended, after this long, or was given up.
    pub(super) fn ended(&self, number: ShareNumber, took: Duration) {
        let mut state = self.state();
        if let Some(share) = state.shares.get_mut(&number) {
            share.running = share.running.saturating_sub(1);
            if took > SLOW {
                share.pace = Pace::Slow;
            } else if share.running == 0 {
                // Beside a slow one a quick one says nothing.
                share.pace = Pace::Quick;
            }
            if share.running == 0 && share.waiting.is_empty() && share.pace == Pace::Quick {
                state.shares.remove(&number);
            }
        }
        drop(state);
        // Whoever may begin now may be any of those that wait.
        self.changed.notify_all();
    }
}

impl State {
    /// The next job, of the first share in turn that may have a thread.
    fn take(&mut self) -> Option<(ShareNumber, Job)> {
        let all_but_one = self.threads.saturating_sub(1).max(1);
        let turn = self.turns.iter().position(|number| {
            let share = self.shares.get(number);
            share.is_some_and(|share| share.pace == Pace::Quick || share.running < all_but_one)
        })?;
        let number = self.turns.remove(turn)?;
        let share = self.shares.get_mut(&number)?;
        let job = share.waiting.pop_front()?;
        share.running += 1;
        if !share.waiting.is_empty() {
            self.turns.push_back(number);
        }
        Some((number, job))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Job {
        Job {
            work: Box::new(|| {}),
            give_up: Box::new(|_| {}),
        }
    }

    fn queues(threads: usize, waiting: &[ShareNumber]) -> Queues {
        let queues = Queues::default();
        queues.served_by(threads);
        for number in waiting {
            queues.put(*number, job());
        }
        queues
    }

    fn next(queues: &Queues) -> Option<ShareNumber> {
        queues.state().take().map(|(number, _)| number)
    }

    #[test]
    fn shares_take_turns() {
        let queues = queues(4, &[1, 1, 1, 1, 2, 3, 3]);
        let order: Vec<_> = std::iter::from_fn(|| next(&queues)).collect();
        assert_eq!(order, [1, 2, 3, 1, 3, 1, 1]);
    }

    #[test]
    fn a_slow_share_leaves_the_last_thread_to_others() {
        let queues = queues(2, &[1, 1, 1]);
        assert_eq!(next(&queues), Some(1));
        queues.is_slow(1);
        assert_eq!(next(&queues), None, "the last thread is not for it");
        queues.put(2, job());
        assert_eq!(next(&queues), Some(2));
        queues.ended(1, Duration::from_secs(3));
        assert_eq!(
            next(&queues),
            Some(1),
            "it goes on with the one that it has"
        );
        assert_eq!(next(&queues), None);
        queues.ended(1, Duration::from_millis(1));
        queues.put(1, job());
        assert_eq!(
            (next(&queues), next(&queues)),
            (Some(1), Some(1)),
            "it is quick again"
        );
    }

    #[test]
    fn with_one_thread_a_slow_share_goes_on() {
        let queues = queues(1, &[1, 1]);
        assert_eq!(next(&queues), Some(1));
        queues.ended(1, Duration::from_secs(3));
        assert_eq!(next(&queues), Some(1));
    }

    #[test]
    fn what_has_ended_is_forgotten() {
        let queues = queues(2, &[1, 2]);
        for _ in 0..2 {
            let number = next(&queues).expect("one waits");
            queues.ended(number, Duration::from_millis(1));
        }
        assert!(queues.state().shares.is_empty());
        queues.close();
        assert!(queues.take().is_none());
    }
}
