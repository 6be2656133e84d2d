//! Time and chance of a simulation: tokio's paused clock, which leaps when everybody waits, and a generator from the seed.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use rounds_domain::ports::{Clock, Randomness};
use rounds_testkit::random::Random;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The clock of one simulated world.
#[derive(Debug)]
pub(crate) struct SimulatedClock {
    start: Timestamp,
    began: tokio::time::Instant,
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock, over tokio's paused one"
)]
impl SimulatedClock {
    /// Begins now, at this time of the simulated world.
    pub(crate) fn starting_at(start: Timestamp) -> Self {
        Self {
            start,
            began: tokio::time::Instant::now(),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock, over tokio's paused one"
)]
impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        self.start
            .checked_add(self.began.elapsed())
            .unwrap_or(Timestamp::MAX)
    }

    fn monotonic(&self) -> Duration {
        self.began.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(duration).boxed()
    }
}

/// Chance from a seed, behind a lock because ports are shared.
#[derive(Debug)]
pub(crate) struct Chance(Mutex<Random>);

impl Chance {
    pub(crate) fn from_seed(seed: u64) -> Self {
        Self(Mutex::new(Random::from_seed(seed)))
    }

    fn random(&self) -> std::sync::MutexGuard<'_, Random> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number from 0 up to, and without, `bound`.
    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.random().below(bound)
    }

    /// Whether something happens that happens so many times in a thousand.
    pub(crate) fn happens(&self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }

    /// A time from nothing up to `longest`.
    pub(crate) fn time_up_to(&self, longest: Duration) -> Duration {
        let milliseconds = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.below(milliseconds.saturating_add(1)))
    }
}

impl Randomness for Chance {
    fn next_u64(&self) -> u64 {
        self.random().next_bits()
    }
}
