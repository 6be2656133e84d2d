//! How long notifications took.

use jiff::SignedDuration;

/// For each notified change, the time from the change to its first arrival. Negative where the receiver's clock runs behind the hospital's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delays {
    sorted: Vec<SignedDuration>,
}

impl Delays {
    pub(crate) fn new(mut delays: Vec<SignedDuration>) -> Self {
        delays.sort_unstable();
        Self { sorted: delays }
    }

    /// The smallest delay that at least `percent` of a hundred do not exceed (nearest rank); `None` if nothing was notified.
    pub fn percentile(&self, percent: u8) -> Option<SignedDuration> {
        let rank = (self.sorted.len() * usize::from(percent.min(100)))
            .div_ceil(100)
            .max(1);
        self.sorted.get(rank - 1).copied()
    }

    /// The middle one.
    pub fn p50(&self) -> Option<SignedDuration> {
        self.percentile(50)
    }

    /// The one that 99 of 100 do not exceed.
    pub fn p99(&self) -> Option<SignedDuration> {
        self.percentile(99)
    }

    /// The longest.
    pub fn longest(&self) -> Option<SignedDuration> {
        self.sorted.last().copied()
    }

    /// All, the shortest first.
    pub fn sorted(&self) -> &[SignedDuration] {
        &self.sorted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_millis(millis: impl IntoIterator<Item = i64>) -> Delays {
        Delays::new(
            millis
                .into_iter()
                .map(SignedDuration::from_millis)
                .collect(),
        )
    }

    #[test]
    fn percentiles_are_delays_that_happened() {
        let delays = of_millis((1..=200).rev());
        let millis = |percent| delays.percentile(percent).map(|delay| delay.as_millis());
        assert_eq!(
            [0, 1, 50, 99, 100].map(millis),
            [1, 2, 100, 198, 200].map(Some)
        );
    }

    #[test]
    fn one_delay_is_every_percentile_and_none_is_none() {
        assert_eq!(of_millis([7]).p50(), of_millis([7]).p99());
        assert_eq!(of_millis([]).p99(), None);
    }
}
