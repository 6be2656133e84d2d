//! What is kept, in the words of the domain.
//!
//! Every method takes a batch and is one transaction. None of them relies on being the only writer: a claim is a row
//! with an expiry, so that several processes can share a store that allows it.

use crate::plan::Missed;
use crate::{
    ActionName, Code, CommitReceipt, ConnectionName, Container, ContainerSettlement, DeliveryJob,
    DeliverySettlement, DestinationName, Document, FeedKey, FeedState, InstanceId, Knowledge,
    MissedRecord, RecordId, RoundCommit, Version,
};
use async_trait::async_trait;
use jiff::Timestamp;
use std::time::Duration;

/// What the engine needs of a store.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The random name that the store got when it was made.
    async fn instance(&self) -> Result<InstanceId, StoreError>;

    /// The states of these feeds, in order; the default state for one that was never run.
    async fn feed_states(&self, feeds: &[FeedKey]) -> Result<Vec<FeedState>, StoreError>;

    /// What the ledger knows of these records of an action, in order.
    async fn known_versions(
        &self,
        action: &ActionName,
        records: &[RecordId],
    ) -> Result<Vec<Knowledge>, StoreError>;

    /// What this feed showed last of these records, in order: noted where a commit says so ([`RoundCommit::views`]).
    async fn versions_shown(
        &self,
        feed: &FeedKey,
        records: &[RecordId],
    ) -> Result<Vec<Option<Version>>, StoreError>;

    /// The states of these records that the ledger keeps, in order: what `previous` would be.
    async fn known_records(
        &self,
        action: &ActionName,
        records: &[RecordId],
    ) -> Result<Vec<Option<Document>>, StoreError>;

    /// Records of the feed's action that are known and that the feed's round which began at `round` has not shown, by their
    /// ids, at most `limit` after `after`. Left out are those that were told as gone or are out of sight, those that were first seen
    /// or changed after the round began, and those that `missed` leaves out.
    async fn missed_records(
        &self,
        feed: &FeedKey,
        round: Timestamp,
        missed: Missed,
        after: Option<&RecordId>,
        limit: usize,
    ) -> Result<Vec<MissedRecord>, StoreError>;

    /// Ledger, containers and cursor of a round, or of a part of it, in one transaction (law 1).
    async fn commit_round(&self, commit: RoundCommit) -> Result<CommitReceipt, StoreError>;

    /// Takes up to `limit` containers of a lane that are due, in the order of their changes, and keeps others from taking
    /// them until `lease` is over. A container is never given while an earlier one of its action and ordering key is
    /// waiting, due or parked.
    async fn claim_containers(
        &self,
        lane: &ConnectionName,
        now: Timestamp,
        lease: Duration,
        limit: usize,
    ) -> Result<Claimed<Container>, StoreError>;

    /// Ends claims of containers, each in its own way. Settling one that is gone already changes nothing.
    async fn settle_containers(
        &self,
        settlements: Vec<ContainerSettlement>,
    ) -> Result<(), StoreError>;

    /// Takes up to `limit` deliveries to a destination that are due, and keeps others from taking them until `lease` is
    /// over. A delivery is never given while an earlier one of its destination and ordering key is waiting or due.
    /// Nothing is given while the destination is paused.
    async fn claim_deliveries(
        &self,
        destination: &DestinationName,
        now: Timestamp,
        lease: Duration,
        limit: usize,
    ) -> Result<Claimed<DeliveryJob>, StoreError>;

    /// Ends claims of deliveries. Settling one that is done already changes nothing but the attempt's record.
    async fn settle_deliveries(
        &self,
        settlements: Vec<DeliverySettlement>,
    ) -> Result<(), StoreError>;

    /// What is known of a destination.
    async fn destination_state(
        &self,
        destination: &DestinationName,
    ) -> Result<DestinationState, StoreError>;

    /// Notes something of a destination and leaves the rest of its state as it is: a person may be at it as well.
    async fn note_destination(
        &self,
        destination: &DestinationName,
        note: DestinationNote,
    ) -> Result<(), StoreError>;

    /// Removes what was finished (delivered, dropped) before this time, at most `limit` notifications at once, and says
    /// how many went.
    async fn prune(&self, finished_before: Timestamp, limit: usize) -> Result<usize, StoreError>;

    /// Makes containers and deliveries due at `now` that would be due only after `latest`, which no schedule means: they were put off
    /// by a clock that was wrong. Says how many.
    async fn bring_forward(&self, latest: Timestamp, now: Timestamp) -> Result<usize, StoreError>;
}

/// What was taken, and when to look again.
#[derive(Debug, Clone)]
pub struct Claimed<T> {
    /// What was taken.
    pub items: Vec<T>,
    /// When the next one falls due that could not be taken now; None if none is known. Never earlier than `now` when
    /// `items` has fewer than the limit.
    pub next_due: Option<Timestamp>,
}

/// What is known of a destination beside its deliveries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DestinationState {
    /// Since when and why nothing is sent to it; None while it is served.
    pub paused: Option<(Timestamp, Code, String)>,
    /// Set while nearly everything that is sent to it fails.
    pub breaker: Option<Breaker>,
    /// A mark of the endpoint that answered the challenge last (a hash of its URL), and when.
    pub verified: Option<(String, Timestamp)>,
}

impl DestinationState {
    /// A person holds it: only a person releases it.
    pub const HELD: Code = Code::new("R0511");
}

/// An open breaker: one delivery at a time is tried, until one succeeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breaker {
    /// Since when.
    pub opened_at: Timestamp,
    /// How many attempts failed since the last that did not.
    pub failures: u32,
    /// When the next one is made.
    pub next_try_at: Timestamp,
    /// The code of the last failure.
    pub code: Code,
    /// The last failure in words, without patient data.
    pub reason: String,
}

/// One thing to note of a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DestinationNote {
    /// Nothing is sent to it from now on. Somebody who paused it earlier keeps their reason.
    Paused {
        /// When.
        at: Timestamp,
        /// The stable code of why.
        code: Code,
        /// Why, in words.
        reason: String,
    },
    /// It answered the challenge: a mark of its URL, and when.
    Verified(String, Timestamp),
    /// How its breaker stands; None closes it.
    Breaker(Option<Breaker>),
}

/// A store that could not do something.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{operation}: {reason}")]
pub struct StoreError {
    /// What sort of trouble it is.
    pub kind: StoreErrorKind,
    /// What was being done, and on what.
    pub operation: String,
    /// What went wrong, without patient data.
    pub reason: String,
}

/// What sort of trouble a store has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// The disk is full. Nothing was written; it may be tried again.
    Full,
    /// Another process has it, or it did not answer in time. It may be tried again.
    Busy,
    /// It could not be read or written.
    Unavailable,
    /// It is damaged.
    Corrupt,
    /// It was made by a newer version of Rounds.
    TooNew,
    /// It was closed.
    Closed,
}

impl StoreError {
    /// The stable code.
    pub const fn code(&self) -> Code {
        Code::new(match self.kind {
            StoreErrorKind::Full => "R0601",
            StoreErrorKind::Busy => "R0602",
            StoreErrorKind::Unavailable => "R0603",
            StoreErrorKind::Corrupt => "R0604",
            StoreErrorKind::TooNew => "R0605",
            StoreErrorKind::Closed => "R0606",
        })
    }

    /// How to mend it.
    pub const fn hint(&self) -> &'static str {
        match self.kind {
            StoreErrorKind::Full => {
                "free space on the disk of the data directory; Rounds goes on by itself then"
            }
            StoreErrorKind::Busy => {
                "another process uses this data directory; stop it, or give this one its own with --data-dir"
            }
            StoreErrorKind::Unavailable => {
                "check that the data directory exists and that this user may read and write it"
            }
            StoreErrorKind::Corrupt => {
                "restore the data directory from a backup; keep the damaged one"
            }
            StoreErrorKind::TooNew => "run the version of Rounds that made it, or a newer one",
            StoreErrorKind::Closed => "Rounds is stopping",
        }
    }
}
