//! How long to wait before trying again: one rule for containers, deliveries, rounds and the store.

use rounds_domain::plan::RetrySchedule;
use rounds_domain::ports::Randomness;
use std::time::Duration;

/// The wait before the next try after `failed_before` earlier failures and one more now; None when the schedule is
/// used up. What the other side asked for (`Retry-After`) lengthens the wait, within the schedule's bound, and never
/// shortens it.
pub(crate) fn next_wait(
    schedule: &RetrySchedule,
    failed_before: u32,
    retry_after: Option<Duration>,
    randomness: &dyn Randomness,
) -> Option<Duration> {
    let index = usize::try_from(failed_before).unwrap_or(usize::MAX);
    let wait = jittered(
        *schedule.waits.get(index)?,
        schedule.jitter_percent,
        randomness,
    );
    let asked = retry_after.map_or(Duration::ZERO, |asked| {
        asked.min(schedule.longest_retry_after)
    });
    Some(wait.max(asked))
}

/// A wait that doubles from `first` with each failure in a row, up to `longest`.
pub(crate) fn doubling(first: Duration, longest: Duration, failures_in_a_row: u32) -> Duration {
    let doublings = failures_in_a_row.saturating_sub(1).min(31);
    first.saturating_mul(1_u32 << doublings).min(longest)
}

fn jittered(wait: Duration, percent: u8, randomness: &dyn Randomness) -> Duration {
    let percent = u64::from(percent.min(100));
    // From 100 - percent to 100 + percent, in steps of a tenth of a percent.
    let steps = randomness.next_u64() % (percent * 20 + 1);
    let permille = u32::try_from((100 - percent) * 10 + steps).unwrap_or(1_000);
    wait.saturating_mul(permille) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Counting(AtomicU64);

    impl Randomness for Counting {
        fn next_u64(&self) -> u64 {
            self.0.fetch_add(7, Ordering::Relaxed)
        }
    }

    fn schedule(longest_retry_after_seconds: u64) -> RetrySchedule {
        RetrySchedule {
            waits: vec![Duration::from_secs(10), Duration::from_mins(1)],
            jitter_percent: 20,
            longest_retry_after: Duration::from_secs(longest_retry_after_seconds),
        }
    }

    #[test]
    fn a_wait_stays_within_its_jitter_and_the_schedule_ends() {
        let chance = Counting(AtomicU64::new(0));
        for _ in 0..1_000 {
            let wait = next_wait(&schedule(0), 0, None, &chance).expect("the first wait");
            assert!(wait >= Duration::from_secs(8) && wait <= Duration::from_secs(12));
        }
        assert_eq!(next_wait(&schedule(0), 2, None, &chance), None);
    }

    #[test]
    fn retry_after_lengthens_within_its_bound_and_never_shortens() {
        let chance = Counting(AtomicU64::new(0));
        let hour = Some(Duration::from_hours(1));
        assert_eq!(
            next_wait(&schedule(120), 0, hour, &chance),
            Some(Duration::from_mins(2))
        );
        let soon = Some(Duration::from_secs(1));
        assert!(next_wait(&schedule(120), 0, soon, &chance) >= Some(Duration::from_secs(8)));
    }

    #[test]
    fn doubling_is_bounded() {
        let second = Duration::from_secs(1);
        let longest = Duration::from_mins(5);
        assert_eq!(doubling(second, longest, 1), second);
        assert_eq!(doubling(second, longest, 4), Duration::from_secs(8));
        assert_eq!(doubling(second, longest, u32::MAX), longest);
    }
}
