//! The real store with a fault at one of its writes: the edges between two effects, one by one.

use async_trait::async_trait;
use jiff::Timestamp;
use rounds_domain::plan::Missed;
use rounds_domain::ports::{
    Claimed, DestinationNote, DestinationState, Store, StoreError, StoreErrorKind,
};
use rounds_domain::{
    ActionName, CommitReceipt, ConnectionName, Container, ContainerSettlement, DeliveryJob,
    DeliverySettlement, DestinationName, Document, FeedKey, FeedState, InstanceId, Knowledge,
    MissedRecord, RecordId, RoundCommit, Version,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// What happens at the chosen write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process is gone before the write: it never happens, and nobody hears of it.
    DiesBefore,
    /// The process is gone after the write: it happened, and nobody hears of it.
    DiesAfter,
    /// The disk is full: nothing is written, and it is said. This write and all after it, until the store is replaced.
    Full,
    /// The first reads of where feeds stand fail, as many as the chosen number says; then it can be read again.
    Unreadable,
}

/// A store that has one fault.
pub(crate) struct FaultyStore {
    store: Arc<dyn Store>,
    fault: Fault,
    at: usize,
    writes: AtomicUsize,
    reads: AtomicUsize,
}

impl FaultyStore {
    /// Has this fault at the write number `at`, counted from 0. Claims and settlements are writes too.
    pub(crate) fn new(store: Arc<dyn Store>, fault: Fault, at: usize) -> Self {
        Self {
            store,
            fault,
            at,
            writes: AtomicUsize::new(0),
            reads: AtomicUsize::new(0),
        }
    }

    /// How many writes were begun.
    pub(crate) fn writes(&self) -> usize {
        self.writes.load(Ordering::Relaxed)
    }

    async fn read<T>(
        &self,
        read: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let number = self.reads.fetch_add(1, Ordering::Relaxed);
        if self.fault == Fault::Unreadable && number < self.at {
            return Err(trouble(StoreErrorKind::Unavailable, "it cannot be read"));
        }
        read.await
    }

    async fn write<T>(
        &self,
        write: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let number = self.writes.fetch_add(1, Ordering::Relaxed);
        match self.fault {
            Fault::Full if number >= self.at => {
                Err(trouble(StoreErrorKind::Full, "the disk is full"))
            }
            Fault::DiesBefore if number == self.at => std::future::pending().await,
            Fault::DiesAfter if number == self.at => {
                write.await?;
                std::future::pending().await
            }
            _ => write.await,
        }
    }
}

fn trouble(kind: StoreErrorKind, reason: &str) -> StoreError {
    StoreError {
        kind,
        operation: "using the store".to_owned(),
        reason: reason.to_owned(),
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn instance(&self) -> Result<InstanceId, StoreError> {
        self.read(self.store.instance()).await
    }

    async fn feed_states(&self, feeds: &[FeedKey]) -> Result<Vec<FeedState>, StoreError> {
        self.read(self.store.feed_states(feeds)).await
    }

    async fn known_versions(
        &self,
        action: &ActionName,
        records: &[RecordId],
    ) -> Result<Vec<Knowledge>, StoreError> {
        self.store.known_versions(action, records).await
    }

    async fn versions_shown(
        &self,
        feed: &FeedKey,
        records: &[RecordId],
    ) -> Result<Vec<Option<Version>>, StoreError> {
        self.store.versions_shown(feed, records).await
    }

    async fn known_records(
        &self,
        action: &ActionName,
        records: &[RecordId],
    ) -> Result<Vec<Option<Document>>, StoreError> {
        self.store.known_records(action, records).await
    }

    async fn missed_records(
        &self,
        feed: &FeedKey,
        round: Timestamp,
        missed: Missed,
        after: Option<&RecordId>,
        limit: usize,
    ) -> Result<Vec<MissedRecord>, StoreError> {
        self.store
            .missed_records(feed, round, missed, after, limit)
            .await
    }

    async fn commit_round(&self, commit: RoundCommit) -> Result<CommitReceipt, StoreError> {
        self.write(self.store.commit_round(commit)).await
    }

    async fn claim_containers(
        &self,
        lane: &ConnectionName,
        now: Timestamp,
        lease: Duration,
        limit: usize,
    ) -> Result<Claimed<Container>, StoreError> {
        self.write(self.store.claim_containers(lane, now, lease, limit))
            .await
    }

    async fn settle_containers(
        &self,
        settlements: Vec<ContainerSettlement>,
    ) -> Result<(), StoreError> {
        self.write(self.store.settle_containers(settlements)).await
    }

    async fn claim_deliveries(
        &self,
        destination: &DestinationName,
        now: Timestamp,
        lease: Duration,
        limit: usize,
    ) -> Result<Claimed<DeliveryJob>, StoreError> {
        self.write(self.store.claim_deliveries(destination, now, lease, limit))
            .await
    }

    async fn settle_deliveries(
        &self,
        settlements: Vec<DeliverySettlement>,
    ) -> Result<(), StoreError> {
        self.write(self.store.settle_deliveries(settlements)).await
    }

    async fn destination_state(
        &self,
        destination: &DestinationName,
    ) -> Result<DestinationState, StoreError> {
        self.store.destination_state(destination).await
    }

    async fn note_destination(
        &self,
        destination: &DestinationName,
        note: DestinationNote,
    ) -> Result<(), StoreError> {
        self.write(self.store.note_destination(destination, note))
            .await
    }

    async fn prune(&self, finished_before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.write(self.store.prune(finished_before, limit)).await
    }

    async fn bring_forward(&self, latest: Timestamp, now: Timestamp) -> Result<usize, StoreError> {
        self.write(self.store.bring_forward(latest, now)).await
    }
}
