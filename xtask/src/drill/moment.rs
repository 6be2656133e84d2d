//! When a life is killed.
//!
//! Most of a life is waiting, so kills at any time fall there most often. Some are therefore aimed: shortly after something came to an end of the
//! wire, where requests, answers and commits are under way.

use crate::shared::wait::pause;
use rounds_testkit::ehr::{FakeEhr, Scope};
use rounds_testkit::random::Random;
use rounds_testkit::receiver::FakeReceiver;
use std::time::Duration;

/// How long a life that is aimed at waits for its mark; more than the interval of the rounds.
const LONGEST_WAIT: Duration = Duration::from_millis(1_500);
/// A kill comes so long after its mark at most: less than the slow answers take, and more than the quick ones.
const LONGEST_AFTER: u64 = 60;

/// A moment within a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// So long after the start.
    At(Duration),
    /// So long after the first of these.
    After(Mark, Duration),
}

/// What comes to an end of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Round,
    Lookup,
    Attempt,
}

/// Draws one. Of those at a time, a third falls into the start (opening the store takes some 12 ms), the others into the first
/// 0.6 s and up to 2 s.
pub(super) fn draw(random: &mut Random) -> Moment {
    let mut between = |shortest: u64, longest: u64| {
        Duration::from_millis(shortest + random.below(longest - shortest))
    };
    let (start, early, late) = (between(0, 20), between(20, 600), between(600, 2_000));
    let after = between(0, LONGEST_AFTER);
    match random.below(7) {
        0 => Moment::At(start),
        1 => Moment::At(early),
        2 => Moment::At(late),
        3 => Moment::After(Mark::Round, after),
        // Lookups are fewest, because one answers for all changes of its patient.
        4 | 5 => Moment::After(Mark::Lookup, after),
        _ => Moment::After(Mark::Attempt, after),
    }
}

impl Moment {
    /// Waits for it. A mark that does not come is not waited for without end.
    pub(super) async fn come(self, ehr: &FakeEhr, receiver: &FakeReceiver) {
        match self {
            Self::At(time) => pause(time).await,
            Self::After(mark, time) => {
                let marked = mark.come(ehr, receiver);
                let _no_mark_is_a_moment_too = tokio::time::timeout(LONGEST_WAIT, marked).await;
                pause(time).await;
            }
        }
    }
}

impl Mark {
    async fn come(self, ehr: &FakeEhr, receiver: &FakeReceiver) {
        let scope = match self {
            Self::Round => Scope::path("/appointments"),
            Self::Lookup => Scope::under("/patient/"),
            Self::Attempt => {
                let attempts = receiver.attempts().len() as u64;
                // Who waits for it sets the limit.
                let _came = receiver.wait_for_attempts(attempts + 1, LONGEST_WAIT).await;
                return;
            }
        };
        let before = ehr.count(&scope);
        while ehr.count(&scope) == before {
            let requests = ehr.total_requests();
            let _came = ehr.wait_for_requests(requests + 1, LONGEST_WAIT).await;
        }
    }
}
