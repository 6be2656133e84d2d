//! Time, as something that a test gives.
//!
//! The fakes stamp records, log requests and check signature ages by one function. In the demo that function is the system's clock; in a test
//! it is a [`ManualClock`], which stands still until the test moves it. Two changes at the very same instant, a clock that runs ahead of
//! Rounds, a clock that jumps back: each is then one line of a story and not a race.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Says what time it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The clock of the machine.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the fakes take the real time, for the demo"
)]
pub fn system_clock() -> Clock {
    Arc::new(Timestamp::now)
}

/// A clock that moves only when it is told to. Clones share one time.
#[derive(Clone)]
pub struct ManualClock {
    now: Arc<Mutex<Timestamp>>,
}

impl ManualClock {
    /// A clock that stands at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self {
            now: Arc::new(Mutex::new(now)),
        }
    }

    /// The time it stands at.
    pub fn now(&self) -> Timestamp {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts it at `now`, which may lie before the former time.
    pub fn set(&self, now: Timestamp) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Moves it by `step` (back, if negative) and gives the new time. At the edges of representable time it stops there.
    pub fn advance(&self, step: SignedDuration) -> Timestamp {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        *now = now.saturating_add(step).unwrap_or(*now);
        *now
    }

    /// The function that the fakes ask.
    pub fn clock(&self) -> Clock {
        let shared = self.clone();
        Arc::new(move || shared.now())
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ManualClock({})", self.now())
    }
}

/// Lets `duration` pass on the runtime's clock: the slowness that a script or the demo asks for.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the fakes wait for time"
)]
pub(crate) async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Ticks every `interval` on the runtime's clock, first after one interval. Ticks that were missed are not made up.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the fakes take the runtime's time"
)]
pub(crate) fn ticks(interval: Duration) -> tokio::time::Interval {
    // tokio refuses an interval of zero.
    let interval = interval.max(Duration::from_millis(1));
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + interval, interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks
}
