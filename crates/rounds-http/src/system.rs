//! The real clock and the real chance.

#![expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the machine's clock"
)]

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use rounds_domain::ports::{Clock, Randomness};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// The machine's clock. Sleeping needs a tokio runtime with its timer on.
#[derive(Debug, Clone)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// Starts the monotonic clock at zero.
    pub fn new() -> Self {
        Self {
            origin: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(duration).boxed()
    }
}

/// The operating system's random bits.
///
/// The port cannot fail, but the system can in principle. The first read happens in [`SystemRandomness::new`], where
/// its failure is said; should a later one fail (none does once the first went well), a `SplitMix64` step from that first
/// value answers instead.
#[derive(Debug)]
pub struct SystemRandomness {
    fallback: AtomicU64,
}

impl SystemRandomness {
    /// Reads the system's source once, to know that it is there.
    pub fn new() -> std::io::Result<Self> {
        let seed = getrandom::u64().map_err(std::io::Error::from)?;
        Ok(Self {
            fallback: AtomicU64::new(seed),
        })
    }

    fn split_mix(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut bits = self
            .fallback
            .fetch_add(STEP, Ordering::Relaxed)
            .wrapping_add(STEP);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }
}

impl Randomness for SystemRandomness {
    fn next_u64(&self) -> u64 {
        getrandom::u64().unwrap_or_else(|_| self.split_mix())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn random_values_differ_and_use_all_bits() -> std::io::Result<()> {
        let source = SystemRandomness::new()?;
        for next in [
            Randomness::next_u64 as fn(&SystemRandomness) -> u64,
            SystemRandomness::split_mix,
        ] {
            let values: BTreeSet<u64> = (0..1000).map(|_| next(&source)).collect();
            assert_eq!(values.len(), 1000);
            assert_eq!(values.iter().fold(0, |seen, value| seen | value), u64::MAX);
            assert_eq!(values.iter().fold(u64::MAX, |seen, value| seen & value), 0);
        }
        Ok(())
    }

    #[tokio::test]
    async fn the_monotonic_clock_covers_a_sleep() {
        let clock = SystemClock::new();
        let before = clock.monotonic();
        clock.sleep(Duration::from_millis(5)).await;
        assert!(clock.monotonic() >= before + Duration::from_millis(5));
    }
}
