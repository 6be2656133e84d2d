//! The wall clock, without its leaps.
//!
//! A machine's clock may be set wrong for some seconds: a bad time server, a resumed virtual machine, an operator's slip. Whoever believed it
//! would find everything overdue, write tries that are due in another year, and remove what was finished "long ago". So the wall clock is compared with
//! the monotonic one, which nobody can set: small steps are taken as they come, and a leap is believed only once it has lasted. Until then
//! time goes on from where it was.
//!
//! What to mind: a leap forward is also what a machine looks like that slept. It has lasted a minute soon enough, and nothing is lost by asking an
//! EHR with the time of before. What was written while a wrong clock was believed is the housekeeping's matter.

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use rounds_domain::ports::Clock;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What clocks are adjusted by without anybody's notice.
const STEP: SignedDuration = SignedDuration::from_secs(5);
/// How long a leap must last before it is believed.
const LASTS: Duration = Duration::from_mins(1);

/// A clock whose leaps are believed only once they have lasted a minute.
pub struct SteadyClock {
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
}

/// What is believed of the wall clock.
struct Known {
    /// What it showed when it was believed last, and the monotonic time of that.
    wall: Timestamp,
    at: Duration,
    /// A leap that is not believed yet.
    leap: Option<Leap>,
}

struct Leap {
    by: SignedDuration,
    /// The monotonic time when it was seen first.
    since: Duration,
}

impl SteadyClock {
    /// Believes what the clock shows now.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let known = Known {
            wall: clock.now(),
            at: clock.monotonic(),
            leap: None,
        };
        Self {
            clock,
            known: Mutex::new(known),
        }
    }
}

impl std::fmt::Debug for SteadyClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SteadyClock").finish_non_exhaustive()
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Read under the lock, so that two threads do not see each other's readings the wrong way round.
        let (wall, at) = (self.clock.now(), self.clock.monotonic());
        let expected = known.expected(at);
        let by = wall.duration_since(expected);
        if by.abs() <= STEP {
            *known = Known {
                wall,
                at,
                leap: None,
            };
            return wall;
        }
        let since = match &known.leap {
            Some(leap) if (by - leap.by).abs() <= STEP => leap.since,
            _ => {
                known.leap = Some(Leap { by, since: at });
                tracing::warn!(
                    by_seconds = by.as_secs(),
                    "the machine's clock leapt; it is believed if it stays so for a minute"
                );
                at
            }
        };
        if at.saturating_sub(since) < LASTS {
            return expected;
        }
        tracing::warn!(
            by_seconds = by.as_secs(),
            "the machine's clock leapt and stays so: it is believed from now on"
        );
        *known = Known {
            wall,
            at,
            leap: None,
        };
        wall
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.clock.sleep(duration)
    }
}

impl Known {
    /// What the wall clock would show at a monotonic time if it had gone on evenly.
    fn expected(&self, at: Duration) -> Timestamp {
        let elapsed = at.saturating_sub(self.at);
        self.wall.checked_add(elapsed).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use jiff::ToSpan;

    /// A machine whose wall clock is set by hand.
    #[derive(Default)]
    struct Machine(Mutex<(Duration, SignedDuration)>);

    impl Machine {
        fn pass(&self, seconds: u64) {
            self.0.lock().expect("not poisoned").0 += Duration::from_secs(seconds);
        }

        fn set_off_by(&self, hours: i64) {
            self.0.lock().expect("not poisoned").1 = SignedDuration::from_hours(hours);
        }
    }

    const START: Timestamp = Timestamp::constant(1_795_648_000, 0);

    impl Clock for Machine {
        fn now(&self) -> Timestamp {
            let (elapsed, off) = *self.0.lock().expect("not poisoned");
            START + elapsed + off
        }

        fn monotonic(&self) -> Duration {
            self.0.lock().expect("not poisoned").0
        }

        fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
            futures_util::future::ready(()).boxed()
        }
    }

    #[test]
    fn a_year_that_lasts_for_seconds_is_no_year() {
        let machine = Arc::new(Machine::default());
        let clock = SteadyClock::new(Arc::clone(&machine) as Arc<dyn Clock>);
        machine.pass(10);
        for off in [8_760, -8_760] {
            machine.set_off_by(off);
            let before = clock.now();
            machine.pass(5);
            assert_eq!(clock.now(), before + 5.seconds());
            machine.set_off_by(0);
            machine.pass(5);
            assert_eq!(clock.now(), before + 10.seconds());
        }
    }

    #[test]
    fn a_leap_that_stays_is_believed_after_a_minute() {
        for hours in [2, -2] {
            let machine = Arc::new(Machine::default());
            let clock = SteadyClock::new(Arc::clone(&machine) as Arc<dyn Clock>);
            machine.set_off_by(hours);
            assert_eq!(clock.now(), START);
            machine.pass(59);
            assert_eq!(clock.now(), START + 59.seconds());
            machine.pass(1);
            assert_eq!(clock.now(), START + 60.seconds() + hours.hours());
            machine.pass(1);
            assert_eq!(clock.now(), START + 61.seconds() + hours.hours());
        }
    }

    #[test]
    fn two_leaps_are_not_one_that_lasts() {
        let machine = Arc::new(Machine::default());
        let clock = SteadyClock::new(Arc::clone(&machine) as Arc<dyn Clock>);
        for turn in 1..=6 {
            machine.set_off_by(turn);
            assert_eq!(
                clock.now(),
                START + Duration::from_secs(30) * (u32::try_from(turn).expect("few") - 1)
            );
            machine.pass(30);
        }
    }

    #[test]
    fn small_steps_are_taken_as_they_come() {
        let machine = Arc::new(Machine::default());
        let clock = SteadyClock::new(Arc::clone(&machine) as Arc<dyn Clock>);
        machine.0.lock().expect("not poisoned").1 = SignedDuration::from_millis(-900);
        assert_eq!(clock.now(), START - 900.milliseconds());
    }
}
