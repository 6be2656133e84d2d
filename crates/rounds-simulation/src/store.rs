//! The real store, with an edge on each side of each write, disks that fill and fail, and somebody who watches the commits.

use crate::breaks::Break;
use crate::clock::{Chance, SimulatedClock};
use crate::crash::{CrashPoint, Crasher};
use crate::journal::Journal;
use crate::watch::Watch;
use async_trait::async_trait;
use jiff::Timestamp;
use rounds_domain::plan::Missed;
use rounds_domain::ports::{
    Claimed, Clock, DestinationNote, DestinationState, Randomness, Store, StoreError,
    StoreErrorKind,
};
use rounds_domain::{
    ActionName, AttemptOutcome, CommitReceipt, ConnectionName, Container, ContainerSettlement,
    Cursor, DeliveryJob, DeliverySettlement, DestinationName, Document, FeedKey, FeedState,
    InstanceId, Knowledge, MissedRecord, NextStep, OrderingKey, RecordId, Resolution, RoundCommit,
    RoundEnd, Version,
};
use rounds_store::SqliteStore;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a disk stays full or broken.
const TROUBLE_LASTS: Duration = Duration::from_secs(45);
/// How many writes there are to one that fails.
const WRITES_PER_TROUBLE: u64 = 400;

/// What goes wrong with writes.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    /// Nothing is written, and that is said.
    Refused(StoreErrorKind),
    /// It is written, and it is said that it is not: an error of the disk after the log was written.
    WrittenAndDenied,
}

/// The store as one life of the process sees it.
pub(crate) struct EdgeStore {
    parts: Parts,
    trouble: Mutex<Option<(Trouble, Timestamp)>>,
}

/// What an [`EdgeStore`] is made of.
pub(crate) struct Parts {
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) clock: Arc<SimulatedClock>,
    pub(crate) crasher: Arc<Crasher>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) chance: Arc<Chance>,
    pub(crate) has_trouble: bool,
    pub(crate) healed_at: Timestamp,
    pub(crate) faults: Arc<AtomicU64>,
    pub(crate) broken: Option<Break>,
}

impl EdgeStore {
    pub(crate) fn of(parts: Parts) -> Self {
        Self {
            parts,
            trouble: Mutex::default(),
        }
    }

    fn is(&self, broken: Break) -> bool {
        self.parts.broken == Some(broken)
    }

    /// What is wrong with the disk now.
    fn trouble(&self) -> Option<Trouble> {
        let now = self.parts.clock.now();
        if !self.parts.has_trouble || now >= self.parts.healed_at {
            return None;
        }
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((what, until)) = *trouble {
            if now < until {
                return Some(what);
            }
            *trouble = None;
        }
        if self.parts.chance.below(WRITES_PER_TROUBLE) > 0 {
            return None;
        }
        let what = match self.parts.chance.below(4) {
            0 => Trouble::Refused(StoreErrorKind::Full),
            1 => Trouble::Refused(StoreErrorKind::Busy),
            2 => Trouble::Refused(StoreErrorKind::Unavailable),
            _ => Trouble::WrittenAndDenied,
        };
        *trouble = Some((what, now + TROUBLE_LASTS));
        Some(what)
    }

    async fn write<T: Send>(
        &self,
        begun: CrashPoint,
        done: CrashPoint,
        write: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        self.parts.crasher.pass(begun).await;
        let denied = |kind| StoreError {
            kind,
            operation: "writing".to_owned(),
            reason: "the simulated disk".to_owned(),
        };
        let outcome = match self.trouble() {
            None => write.await,
            Some(trouble) => {
                self.parts.faults.fetch_add(1, Ordering::Relaxed);
                self.parts
                    .journal
                    .note(format!("the disk fails: {trouble:?}"));
                match trouble {
                    Trouble::Refused(kind) => Err(denied(kind)),
                    Trouble::WrittenAndDenied => {
                        write.await?;
                        Err(denied(StoreErrorKind::Unavailable))
                    }
                }
            }
        };
        self.parts.crasher.pass(done).await;
        outcome
    }

    /// Commits to the real store, and lets the watch see what was really written.
    async fn commit(&self, commit: RoundCommit) -> Result<CommitReceipt, StoreError> {
        let before = self
            .parts
            .store
            .feed_states(std::slice::from_ref(&commit.feed))
            .await?;
        let seen = commit.clone();
        let receipt = self.parts.store.commit_round(commit).await?;
        self.parts.journal.note(format!(
            "commit {} {:?} {} changes, {receipt:?}, cursor {:?}",
            seen.feed,
            seen.end,
            seen.changes.len(),
            seen.cursor
        ));
        self.parts.watch.committed(&seen, &receipt, before.first());
        Ok(receipt)
    }

    fn break_commit(&self, commit: &mut RoundCommit) {
        let is_time = matches!(commit.cursor, Some(Cursor::Time(_)) | None);
        match self.parts.broken {
            Some(Break::CursorEarly)
                if is_time
                    && !matches!(commit.end, RoundEnd::Succeeded)
                    && commit.feed.feed.as_str() == "changes"
                    && self.parts.watch.is_by_time(&commit.feed.action) =>
            {
                commit.cursor = Some(Cursor::Time(commit.started_at));
            }
            Some(Break::CursorAhead) if matches!(commit.cursor, Some(Cursor::Time(_))) => {
                commit.cursor = Some(Cursor::Time(commit.committed_at + Duration::from_mins(15)));
            }
            Some(Break::Ledger) => {
                for change in &mut commit.changes {
                    let salt = self.parts.chance.next_u64().to_be_bytes();
                    let mut version = change.version.0;
                    version[..8].copy_from_slice(&salt);
                    change.version = Version(version);
                }
            }
            Some(Break::Order) => {
                for change in &mut commit.changes {
                    change.ordering_key =
                        OrderingKey::new(self.parts.chance.next_u64().to_string());
                }
            }
            Some(Break::FirstLook) => {
                for change in &mut commit.changes {
                    if change.resolution == Resolution::Presume {
                        change.resolution = Resolution::Baseline;
                    }
                }
            }
            Some(Break::Overtaken) => {
                for change in &mut commit.changes {
                    change.read_at = Timestamp::MAX;
                }
            }
            Some(Break::SweepShown) => {
                let kept = commit.shown.len() / 2;
                commit.shown.truncate(kept);
            }
            _ => {}
        }
    }
}

#[async_trait]
impl Store for EdgeStore {
    async fn instance(&self) -> Result<InstanceId, StoreError> {
        self.parts.store.instance().await
    }

    async fn feed_states(&self, feeds: &[FeedKey]) -> Result<Vec<FeedState>, StoreError> {
        self.parts.store.feed_states(feeds).await
    }

    async fn known_versions(
        &self,
        action: &ActionName,
        records: &[RecordId],
    ) -> Result<Vec<Knowledge>, StoreError> {
        if self.is(Break::Ledger) {
            return Ok(vec![Knowledge::Unknown; records.len()]);
        }
        self.parts.store.known_versions(action, records).await
    }

    async fn versions_shown(
        &self,
        feed: &FeedKey,
        records: &[RecordId],
    ) -> Result<Vec<Option<Version>>, StoreError> {
        self.parts.store.versions_shown(feed, records).await
    }

    async fn known_records(
        &self,
        action: &ActionName,
        records: &[RecordId],
    ) -> Result<Vec<Option<Document>>, StoreError> {
        self.parts.store.known_records(action, records).await
    }

    async fn missed_records(
        &self,
        feed: &FeedKey,
        round: Timestamp,
        missed: Missed,
        after: Option<&RecordId>,
        limit: usize,
    ) -> Result<Vec<MissedRecord>, StoreError> {
        self.parts
            .store
            .missed_records(feed, round, missed, after, limit)
            .await
    }

    async fn commit_round(&self, mut commit: RoundCommit) -> Result<CommitReceipt, StoreError> {
        self.break_commit(&mut commit);
        if self.is(Break::CursorCommit) && commit.cursor.is_some() {
            let cursor_alone = RoundCommit {
                changes: Vec::new(),
                end: RoundEnd::Unfinished,
                ..commit.clone()
            };
            self.commit(cursor_alone).await?;
        }
        self.write(
            CrashPoint::RoundCommitBegun,
            CrashPoint::RoundCommitted,
            self.commit(commit),
        )
        .await
    }

    async fn claim_containers(
        &self,
        lane: &ConnectionName,
        now: Timestamp,
        lease: Duration,
        limit: usize,
    ) -> Result<Claimed<Container>, StoreError> {
        self.write(
            CrashPoint::ContainersAsked,
            CrashPoint::ContainersClaimed,
            self.parts.store.claim_containers(lane, now, lease, limit),
        )
        .await
    }

    async fn settle_containers(
        &self,
        settlements: Vec<ContainerSettlement>,
    ) -> Result<(), StoreError> {
        self.write(
            CrashPoint::ContainerSettlementBegun,
            CrashPoint::ContainersSettled,
            self.parts.store.settle_containers(settlements),
        )
        .await
    }

    async fn claim_deliveries(
        &self,
        destination: &DestinationName,
        now: Timestamp,
        lease: Duration,
        limit: usize,
    ) -> Result<Claimed<DeliveryJob>, StoreError> {
        let store = &self.parts.store;
        let claim = async {
            let claimed = store
                .claim_deliveries(destination, now, lease, limit)
                .await?;
            if self.is(Break::DeliveryCommit) {
                let done = claimed.items.iter().map(|job| DeliverySettlement {
                    id: job.id.clone(),
                    attempt: None,
                    next: NextStep::Done,
                });
                store.settle_deliveries(done.collect()).await?;
            }
            Ok(claimed)
        };
        self.write(
            CrashPoint::DeliveriesAsked,
            CrashPoint::DeliveriesClaimed,
            claim,
        )
        .await
    }

    async fn settle_deliveries(
        &self,
        mut settlements: Vec<DeliverySettlement>,
    ) -> Result<(), StoreError> {
        if self.is(Break::Refusal) {
            for settlement in &mut settlements {
                let outcome = settlement.attempt.as_ref().map(|attempt| &attempt.outcome);
                if matches!(outcome, Some(AttemptOutcome::Refused { .. })) {
                    settlement.next = NextStep::Done;
                }
            }
        }
        self.write(
            CrashPoint::DeliverySettlementBegun,
            CrashPoint::DeliveriesSettled,
            self.parts.store.settle_deliveries(settlements),
        )
        .await
    }

    async fn destination_state(
        &self,
        destination: &DestinationName,
    ) -> Result<DestinationState, StoreError> {
        self.parts.store.destination_state(destination).await
    }

    async fn note_destination(
        &self,
        destination: &DestinationName,
        note: DestinationNote,
    ) -> Result<(), StoreError> {
        self.parts.store.note_destination(destination, note).await
    }

    async fn prune(&self, finished_before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.parts.store.prune(finished_before, limit).await
    }

    async fn bring_forward(&self, latest: Timestamp, now: Timestamp) -> Result<usize, StoreError> {
        self.parts.store.bring_forward(latest, now).await
    }
}
