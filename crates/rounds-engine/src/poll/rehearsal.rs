//! The store and the EHR of a dry run: the real ones, read only, with what would have been written kept aside.

use super::{Trial, Tried};
use crate::Ports;
use crate::observe::Exchange;
use async_trait::async_trait;
use jiff::Timestamp;
use rounds_domain::plan::{Action, Missed};
use rounds_domain::ports::{
    Claimed, Clock, DestinationNote, DestinationState, Ehr, EhrError, EhrRequest, EhrResponse,
    Store, StoreError,
};
use rounds_domain::{
    ActionName, Change, CommitReceipt, ConnectionName, Container, ContainerSettlement, DeliveryJob,
    DeliverySettlement, DestinationName, Document, FeedKey, FeedState, InstanceId, Knowledge,
    MissedRecord, Partition, RecordId, Resolution, RoundCommit, Version,
};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What a dry run knows of the records that it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Memory {
    /// What the store knows.
    OfTheStore,
    /// Nothing: every record is new, and no feed was ever asked.
    Empty,
}

/// Reads from a real store and writes nowhere.
pub(super) struct Rehearsal {
    store: Arc<dyn Store>,
    memory: Memory,
    ehr: Arc<dyn Ehr>,
    clock: Arc<dyn Clock>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    changes: Vec<(Change, Option<Partition>, Option<Document>)>,
    committed_at: Option<Timestamp>,
    exchanges: Vec<Exchange>,
}

impl Rehearsal {
    pub(super) fn over(ports: &Ports, memory: Memory) -> Self {
        Self {
            store: Arc::clone(&ports.store),
            memory,
            ehr: Arc::clone(&ports.ehr),
            clock: Arc::clone(&ports.clock),
            kept: Mutex::default(),
        }
    }

    /// The containers that the round would have made.
    pub(super) fn containers(&self, action: &Action) -> Vec<Container> {
        let kept = self.kept();
        let detected_at = kept.committed_at.unwrap_or(Timestamp::UNIX_EPOCH);
        let told = kept
            .changes
            .iter()
            .filter(|(change, ..)| change.resolution == Resolution::Tell);
        told.map(|(change, partition, previous)| {
            let (kind, former) = change.kind(previous.is_some());
            Container {
                id: change.container.clone(),
                action: action.name.clone(),
                round: 0,
                partition: partition.clone(),
                record_id: change.record_id.clone(),
                version: change.version,
                kind,
                former,
                ordering_key: change.ordering_key.clone(),
                record: change.record.clone(),
                previous: previous.clone(),
                detected_at,
                attempts: 0,
                answers: Vec::new(),
            }
        })
        .collect()
    }

    /// The records that the round would have kept as dead containers: they cannot be told as they are.
    pub(super) fn dead(&self) -> Vec<Tried> {
        let kept = self.kept();
        let dead = (kept.changes.iter()).filter_map(|(change, ..)| match &change.resolution {
            Resolution::Dead { code, reason } => Some(Tried {
                record_id: change.record_id.clone(),
                outcome: Trial::Failed {
                    code: code.to_string(),
                    reason: reason.clone(),
                },
            }),
            Resolution::Tell | Resolution::Baseline | Resolution::Presume => None,
        });
        dead.collect()
    }

    /// Forgets the exchanges so far: those of the pages are known from the round itself.
    pub(super) fn forget_exchanges(&self) {
        self.kept().exchanges.clear();
    }

    /// The exchanges since then.
    pub(super) fn exchanges(&self) -> Vec<Exchange> {
        std::mem::take(&mut self.kept().exchanges)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Ehr for Rehearsal {
    async fn send(&self, request: EhrRequest) -> Result<EhrResponse, EhrError> {
        let began = self.clock.monotonic();
        let answer = self.ehr.send(request.clone()).await;
        let took = self.clock.monotonic().saturating_sub(began);
        self.kept()
            .exchanges
            .push(Exchange::of(&request, &answer, took));
        answer
    }

    async fn session_ended(&self, connection: &ConnectionName, sent_at: Duration) {
        self.ehr.session_ended(connection, sent_at).await;
    }

    async fn throttled(
        &self,
        connection: &ConnectionName,
        sent_at: Duration,
        after: Option<Duration>,
    ) {
        self.ehr.throttled(connection, sent_at, after).await;
    }
}

#[async_trait]
impl Store for Rehearsal {
    async fn instance(&self) -> Result<InstanceId, StoreError> {
        self.store.instance().await
    }

    async fn feed_states(&self, feeds: &[FeedKey]) -> Result<Vec<FeedState>, StoreError> {
        match self.memory {
            Memory::OfTheStore => self.store.feed_states(feeds).await,
            Memory::Empty => Ok(vec![FeedState::default(); feeds.len()]),
        }
    }

    async fn known_versions(
        &self,
        action: &ActionName,
        records: &[RecordId],
    ) -> Result<Vec<Knowledge>, StoreError> {
        match self.memory {
            Memory::OfTheStore => self.store.known_versions(action, records).await,
            Memory::Empty => Ok(vec![Knowledge::Unknown; records.len()]),
        }
    }

    async fn versions_shown(
        &self,
        feed: &FeedKey,
        records: &[RecordId],
    ) -> Result<Vec<Option<Version>>, StoreError> {
        match self.memory {
            Memory::OfTheStore => self.store.versions_shown(feed, records).await,
            Memory::Empty => Ok(vec![None; records.len()]),
        }
    }

    async fn known_records(
        &self,
        action: &ActionName,
        records: &[RecordId],
    ) -> Result<Vec<Option<Document>>, StoreError> {
        match self.memory {
            Memory::OfTheStore => self.store.known_records(action, records).await,
            Memory::Empty => Ok(vec![None; records.len()]),
        }
    }

    async fn missed_records(
        &self,
        feed: &FeedKey,
        round: Timestamp,
        missed: Missed,
        after: Option<&RecordId>,
        limit: usize,
    ) -> Result<Vec<MissedRecord>, StoreError> {
        match self.memory {
            Memory::OfTheStore => {
                let store = &self.store;
                store
                    .missed_records(feed, round, missed, after, limit)
                    .await
            }
            Memory::Empty => Ok(Vec::new()),
        }
    }

    async fn commit_round(&self, commit: RoundCommit) -> Result<CommitReceipt, StoreError> {
        let ids: Vec<RecordId> = commit
            .changes
            .iter()
            .map(|change| change.record_id.clone())
            .collect();
        let previous = self.known_records(&commit.feed.action, &ids).await?;
        let mut kept = self.kept();
        kept.committed_at = Some(commit.committed_at);
        let changes = commit.changes.into_iter().zip(previous);
        let partition = commit.feed.partition;
        kept.changes
            .extend(changes.map(|(change, previous)| (change, partition.clone(), previous)));
        Ok(CommitReceipt::default())
    }

    async fn claim_containers(
        &self,
        _lane: &ConnectionName,
        _now: Timestamp,
        _lease: Duration,
        _limit: usize,
    ) -> Result<Claimed<Container>, StoreError> {
        Ok(Claimed {
            items: Vec::new(),
            next_due: None,
        })
    }

    async fn settle_containers(&self, _: Vec<ContainerSettlement>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn claim_deliveries(
        &self,
        _destination: &DestinationName,
        _now: Timestamp,
        _lease: Duration,
        _limit: usize,
    ) -> Result<Claimed<DeliveryJob>, StoreError> {
        Ok(Claimed {
            items: Vec::new(),
            next_due: None,
        })
    }

    async fn settle_deliveries(&self, _: Vec<DeliverySettlement>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn destination_state(
        &self,
        destination: &DestinationName,
    ) -> Result<DestinationState, StoreError> {
        self.store.destination_state(destination).await
    }

    async fn note_destination(
        &self,
        _destination: &DestinationName,
        _note: DestinationNote,
    ) -> Result<(), StoreError> {
        Ok(())
    }

    async fn prune(&self, _before: Timestamp, _limit: usize) -> Result<usize, StoreError> {
        Ok(0)
    }

    async fn bring_forward(
        &self,
        _latest: Timestamp,
        _now: Timestamp,
    ) -> Result<usize, StoreError> {
        Ok(0)
    }
}
