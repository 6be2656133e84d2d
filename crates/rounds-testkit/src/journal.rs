//! An ordered, bounded list of what a fake saw, on which a story can wait without sleeping.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::Notify;

/// Fewer things came than a story waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("waited {timeout:?} for {wanted} {what}, and {came} came")]
pub struct WaitTimeout {
    /// What was waited for, in the plural.
    pub what: &'static str,
    /// How many were to come.
    pub wanted: u64,
    /// How many had come when the time was over.
    pub came: u64,
    /// How long the story waited.
    pub timeout: Duration,
}

/// The list. It holds at most `capacity` entries, and forgets the oldest first; its counts go on.
pub(crate) struct Journal<T> {
    inner: Mutex<Inner<T>>,
    grown: Notify,
    capacity: usize,
    what: &'static str,
    counts: fn(&T) -> bool,
}

struct Inner<T> {
    entries: VecDeque<Arc<T>>,
    total: u64,
    counted: u64,
}

impl<T> Journal<T> {
    /// An empty journal. Entries for which `counts` holds are those that [`Journal::wait_for`] counts.
    pub(crate) fn new(what: &'static str, capacity: usize, counts: fn(&T) -> bool) -> Self {
        let inner = Inner {
            entries: VecDeque::new(),
            total: 0,
            counted: 0,
        };
        Self {
            inner: Mutex::new(inner),
            grown: Notify::new(),
            capacity: capacity.max(1),
            what,
            counts,
        }
    }

    pub(crate) fn push(&self, entry: T) {
        self.with(|inner| {
            inner.total += 1;
            inner.counted += u64::from((self.counts)(&entry));
            if inner.entries.len() == self.capacity {
                inner.entries.pop_front();
            }
            inner.entries.push_back(Arc::new(entry));
        });
        self.grown.notify_waiters();
    }

    /// What is held, oldest first.
    pub(crate) fn entries(&self) -> Vec<Arc<T>> {
        self.with(|inner| inner.entries.iter().cloned().collect())
    }

    /// How many entries came in all, held or forgotten.
    pub(crate) fn total(&self) -> u64 {
        self.with(|inner| inner.total)
    }

    /// How many entries that count came in all, held or forgotten.
    pub(crate) fn counted(&self) -> u64 {
        self.with(|inner| inner.counted)
    }

    /// Waits until `wanted` entries that count have come since the start.
    pub(crate) async fn wait_for(&self, wanted: u64, timeout: Duration) -> Result<(), WaitTimeout> {
        self.wait_until(wanted, timeout, Self::counted).await
    }

    /// Waits until `wanted` entries have come since the start, whether they count or not.
    pub(crate) async fn wait_for_any(
        &self,
        wanted: u64,
        timeout: Duration,
    ) -> Result<(), WaitTimeout> {
        self.wait_until(wanted, timeout, Self::total).await
    }

    async fn wait_until(
        &self,
        wanted: u64,
        timeout: Duration,
        count: fn(&Self) -> u64,
    ) -> Result<(), WaitTimeout> {
        let came = async {
            loop {
                let mut grown = pin!(self.grown.notified());
                // Listening starts before looking, so a push between the two is not missed.
                grown.as_mut().enable();
                if count(self) >= wanted {
                    return;
                }
                grown.await;
            }
        };
        tokio::time::timeout(timeout, came)
            .await
            .map_err(|_elapsed| WaitTimeout {
                what: self.what,
                wanted,
                came: count(self),
                timeout,
            })
    }

    fn with<R>(&self, act: impl FnOnce(&mut Inner<T>) -> R) -> R {
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_entry_goes_first_and_the_counts_stay() {
        let journal = Journal::new("numbers", 2, |number: &u32| number.is_multiple_of(2));
        for number in 1..=5 {
            journal.push(number);
        }
        let held: Vec<u32> = journal.entries().iter().map(|number| **number).collect();
        assert_eq!(
            (held, journal.total(), journal.counted()),
            (vec![4, 5], 5, 2)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_with_the_entry_or_with_the_time() {
        let journal = Arc::new(Journal::new("numbers", 8, |_: &u32| true));
        let waiter = tokio::spawn({
            let journal = Arc::clone(&journal);
            async move { journal.wait_for(1, Duration::from_secs(5)).await }
        });
        tokio::task::yield_now().await;
        journal.push(1);
        assert_eq!(waiter.await.expect("the waiter ends"), Ok(()));

        let short = journal
            .wait_for(2, Duration::from_secs(5))
            .await
            .expect_err("only one came");
        assert_eq!(short.to_string(), "waited 5s for 2 numbers, and 1 came");
    }
}
