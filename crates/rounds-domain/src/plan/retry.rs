//! When to try again.

use std::time::Duration;

/// Waits between tries: the first is waited after the first failure. When they are used up, it is given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetrySchedule {
    /// The waits, in order.
    pub waits: Vec<Duration>,
    /// By how much a wait is varied at random, in percent either way: 20 makes 60 s something from 48 s to 72 s.
    pub jitter_percent: u8,
    /// The longest `Retry-After` that is believed; a longer one is taken as this.
    pub longest_retry_after: Duration,
}

impl RetrySchedule {
    /// For deliveries where the user says nothing: dense at first, because a clinic waits; a little over three days in all.
    pub fn deliveries() -> Self {
        Self::of_seconds(&[
            5, 10, 20, 40, 80, 160, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200,
            57_600, 57_600, 57_600,
        ])
    }

    /// For containers whose lookups or mapping failed, where the user says nothing: about two days in all.
    pub fn containers() -> Self {
        Self::of_seconds(&[
            5, 15, 60, 300, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 57_600, 57_600,
        ])
    }

    fn of_seconds(waits: &[u64]) -> Self {
        Self {
            waits: waits.iter().copied().map(Duration::from_secs).collect(),
            jitter_percent: 20,
            longest_retry_after: Duration::from_hours(6),
        }
    }
}
