//! A clock that stands still until it is moved. Shared by the unit tests and the integration tests.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use rounds_domain::ports::Clock;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Stands still until it is moved; the wall clock and the monotonic clock go together.
#[derive(Clone, Default)]
pub(crate) struct TestClock(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    elapsed: Duration,
    sleepers_so_far: u64,
    sleepers: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
}

impl TestClock {
    /// What [`Clock::now`] says before the clock is moved: the example date of RFC 9110.
    pub(crate) const START: Timestamp = Timestamp::constant(784_111_777, 0);

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves the clock and wakes who has slept long enough.
    pub(crate) fn advance(&self, by: Duration) {
        let mut state = self.state();
        state.elapsed += by;
        let elapsed = state.elapsed;
        while let Some(sleeper) = state.sleepers.first_entry()
            && sleeper.key().0 <= elapsed
        {
            // A sleeper that went away does not mind.
            let _ = sleeper.remove().send(());
        }
    }

    /// How long until the next sleeper wakes; None while nobody sleeps.
    pub(crate) fn next_wake(&self) -> Option<Duration> {
        let mut state = self.state();
        state.sleepers.retain(|_, sleeper| !sleeper.is_closed());
        let (wake, _) = *state.sleepers.first_key_value()?.0;
        Some(wake.saturating_sub(state.elapsed))
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Self::START + self.state().elapsed
    }

    fn monotonic(&self) -> Duration {
        self.state().elapsed
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        if duration.is_zero() {
            return futures_util::future::ready(()).boxed();
        }
        let (wake, woken) = oneshot::channel();
        let mut state = self.state();
        let key = (state.elapsed + duration, state.sleepers_so_far);
        state.sleepers_so_far += 1;
        state.sleepers.insert(key, wake);
        woken.map(|_| ()).boxed()
    }
}
