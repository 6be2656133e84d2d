//! What operators ask and do.
//!
//! Apart from [`super::Store`], because these are asked by people (the command line, later a console) and not by the
//! engine. What they return may be shown to a person who asked for it; nothing of it goes to a log.

use super::{DestinationState, RecordHistory, StoreError};
use crate::{
    ActionName, Attempt, ChangeKind, ContainerId, ContainerState, DeliveryId, DeliveryState,
    DestinationName, Document, FeedKey, FeedState, Former, Gap, NotificationId, OrderingKey,
    RecordId, Version,
};
use async_trait::async_trait;
use jiff::Timestamp;
use std::time::Duration;

/// What operators ask and do.
#[async_trait]
pub trait Operations: Send + Sync + 'static {
    /// How everything stands.
    async fn overview(&self) -> Result<Overview, StoreError>;

    /// Containers, oldest first.
    async fn containers(
        &self,
        filter: ContainerFilter,
        page: PageRequest,
    ) -> Result<Vec<ContainerSummary>, StoreError>;

    /// One container with its record.
    async fn container(&self, id: &ContainerId) -> Result<Option<ContainerDetail>, StoreError>;

    /// Makes parked or dead containers due now, with fresh attempts; says how many.
    async fn retry_containers(
        &self,
        selection: Selection<ContainerId, ContainerFilter>,
        now: Timestamp,
    ) -> Result<u64, StoreError>;

    /// Drops open containers (waiting, due, parked or dead); says how many.
    async fn drop_containers(
        &self,
        selection: Selection<ContainerId, ContainerFilter>,
        reason: String,
        now: Timestamp,
    ) -> Result<u64, StoreError>;

    /// Deletions that were held back, by action and record.
    async fn held_deletions(
        &self,
        filter: DeletionFilter,
        page: PageRequest,
    ) -> Result<Vec<HeldDeletion>, StoreError>;

    /// Decides of deletions that are held back; says of how many.
    async fn decide_deletions(
        &self,
        filter: DeletionFilter,
        decision: DeletionDecision,
    ) -> Result<u64, StoreError>;

    /// Notifications, newest first.
    async fn notifications(
        &self,
        filter: NotificationFilter,
        page: PageRequest,
    ) -> Result<Vec<NotificationSummary>, StoreError>;

    /// One notification with its body, its deliveries and their attempts.
    async fn notification(
        &self,
        id: &NotificationId,
    ) -> Result<Option<NotificationDetail>, StoreError>;

    /// All that is known of a record: its state in the ledger, and its last containers and notifications, at most `limit` of each.
    async fn history(
        &self,
        action: &ActionName,
        record: &RecordId,
        limit: usize,
    ) -> Result<RecordHistory, StoreError>;

    /// The records of an action that were changed last under a key of the user's own (`order_by`), newest first, at most `limit`.
    async fn records_of_key(
        &self,
        action: &ActionName,
        key: &OrderingKey,
        limit: usize,
    ) -> Result<Vec<RecordId>, StoreError>;

    /// Deliveries, oldest first.
    async fn deliveries(
        &self,
        filter: DeliveryFilter,
        page: PageRequest,
    ) -> Result<Vec<DeliverySummary>, StoreError>;

    /// Makes dead (or still open) deliveries due now, with fresh attempts, and serves their destinations again if a 410
    /// paused them; says how many. A dead one whose key has gone on meanwhile is sent out of order: that is the person's choice.
    async fn retry_deliveries(
        &self,
        selection: Selection<DeliveryId, DeliveryFilter>,
        now: Timestamp,
    ) -> Result<u64, StoreError>;

    /// Drops open or dead deliveries; says how many.
    async fn drop_deliveries(
        &self,
        selection: Selection<DeliveryId, DeliveryFilter>,
        reason: String,
        now: Timestamp,
    ) -> Result<u64, StoreError>;

    /// How many deliveries match, by destination and state.
    async fn count_deliveries(
        &self,
        filter: DeliveryFilter,
    ) -> Result<Vec<DeliveryCount>, StoreError>;

    /// Sends finished deliveries (delivered, dead, dropped) once more, with their own ids and fresh attempts: the first now, each further
    /// one `every` later. They go before whatever of their keys is not under way, in their own order. Says how many.
    async fn replay_deliveries(
        &self,
        selection: Selection<DeliveryId, DeliveryFilter>,
        now: Timestamp,
        every: Duration,
    ) -> Result<u64, StoreError>;

    /// Sends nothing to a destination until it is released. Its deliveries wait, and none is lost.
    async fn hold_destination(
        &self,
        destination: &DestinationName,
        reason: String,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Serves a destination again, whoever or whatever paused it, and closes its breaker.
    async fn release_destination(&self, destination: &DestinationName) -> Result<(), StoreError>;
}

/// Some by name, or all that match.
#[derive(Debug, Clone)]
pub enum Selection<Id, Filter> {
    /// These.
    These(Vec<Id>),
    /// All that match.
    Matching(Filter),
}

/// A slice of a long list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// How many to skip.
    pub offset: usize,
    /// How many at most.
    pub limit: usize,
}

/// Which containers. Every part that is given must hold.
#[derive(Debug, Clone, Default)]
pub struct ContainerFilter {
    /// Of this action.
    pub action: Option<ActionName>,
    /// In one of these states; empty means any.
    pub states: Vec<ContainerState>,
    /// Of this record.
    pub record_id: Option<RecordId>,
}

/// Which deletions that are held back. Every part that is given must hold.
#[derive(Debug, Clone, Default)]
pub struct DeletionFilter {
    /// Of this action.
    pub action: Option<ActionName>,
    /// Of this record.
    pub record_id: Option<RecordId>,
}

/// A deletion that is held back.
#[derive(Debug, Clone)]
pub struct HeldDeletion {
    /// Of which action.
    pub action: ActionName,
    /// Of which record.
    pub record_id: RecordId,
    /// Whether a person said that it is gone, so that the next sweep which misses it tells it.
    pub is_released: bool,
    /// When the sweep began that did not show it first.
    pub unseen_at: Option<Timestamp>,
}

/// What a person decides of deletions that are held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletionDecision {
    /// They are gone: the next complete sweep that misses them tells them, however many they are.
    Release,
    /// They are not to be missed any more; a sweep that shows them again takes that back.
    Forget,
}

/// Which notifications. Every part that is given must hold.
#[derive(Debug, Clone, Default)]
pub struct NotificationFilter {
    /// Of this action.
    pub action: Option<ActionName>,
    /// Of this record.
    pub record_id: Option<RecordId>,
}

/// Which deliveries. Every part that is given must hold.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// To this destination.
    pub destination: Option<DestinationName>,
    /// Of this notification.
    pub notification: Option<NotificationId>,
    /// Of this action.
    pub action: Option<ActionName>,
    /// Of this record.
    pub record_id: Option<RecordId>,
    /// Of notifications that are called so.
    pub event: Option<String>,
    /// Of changes that were found at this time or later.
    pub since: Option<Timestamp>,
    /// Of changes that were found before this time.
    pub until: Option<Timestamp>,
    /// In one of these states; empty means any.
    pub states: Vec<DeliveryState>,
}

/// How many deliveries to a destination are in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryCount {
    /// To whom.
    pub destination: DestinationName,
    /// Where they stand.
    pub state: DeliveryState,
    /// How many.
    pub count: u64,
}

/// How everything stands.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    /// Each action that the store knows.
    pub actions: Vec<ActionOverview>,
    /// Each destination that the store knows.
    pub destinations: Vec<DestinationOverview>,
}

/// How one action stands.
#[derive(Debug, Clone)]
pub struct ActionOverview {
    /// Which.
    pub action: ActionName,
    /// Its feeds.
    pub feeds: Vec<(FeedKey, FeedState)>,
    /// Records that its ledger knows.
    pub known_records: u64,
    /// Containers waiting or due.
    pub containers_open: u64,
    /// Containers parked.
    pub containers_parked: u64,
    /// The one of them that was found first.
    pub oldest_parked: Option<Oldest>,
    /// Containers dead.
    pub containers_dead: u64,
    /// The one of them that was found first.
    pub oldest_dead: Option<Oldest>,
    /// Notifications kept.
    pub notifications: u64,
}

/// How one destination stands.
#[derive(Debug, Clone)]
pub struct DestinationOverview {
    /// Which.
    pub destination: DestinationName,
    /// Paused, verified.
    pub state: DestinationState,
    /// Deliveries owed: waiting or due.
    pub owed: u64,
    /// When the oldest owed one was found at the EHR.
    pub oldest_owed_at: Option<Timestamp>,
    /// Of those, how many an attempt has failed of.
    pub failing: u64,
    /// The one of them that was found first.
    pub oldest_failing: Option<Oldest>,
    /// Deliveries taken by the receiver and still kept.
    pub delivered: u64,
    /// Deliveries given up.
    pub dead: u64,
    /// The one of them that was found first.
    pub oldest_dead: Option<Oldest>,
}

/// The oldest of several that do not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oldest {
    /// When its change was found.
    pub found_at: Timestamp,
    /// The stable code and the words of why it does not go on.
    pub reason: Option<(String, String)>,
}

/// One container in a list.
#[derive(Debug, Clone)]
pub struct ContainerSummary {
    /// Which.
    pub id: ContainerId,
    /// Its action.
    pub action: ActionName,
    /// Its record.
    pub record_id: RecordId,
    /// First seen, or changed.
    pub kind: ChangeKind,
    /// Where it stands.
    pub state: ContainerState,
    /// How often it was tried and parked.
    pub attempts: u32,
    /// When it is tried next, if it is open.
    pub due_at: Option<Timestamp>,
    /// The stable code and the words of why it is parked, dead or dropped.
    pub reason: Option<(String, String)>,
    /// When the change was committed.
    pub detected_at: Timestamp,
}

/// One container with its record.
#[derive(Debug, Clone)]
pub struct ContainerDetail {
    /// What the list shows.
    pub summary: ContainerSummary,
    /// Which state of the record.
    pub version: Version,
    /// The record.
    pub record: Document,
    /// Its former state.
    pub previous: Option<Document>,
}

/// One notification in a list.
#[derive(Debug, Clone)]
pub struct NotificationSummary {
    /// Which.
    pub id: NotificationId,
    /// Its action.
    pub action: ActionName,
    /// Its record.
    pub record_id: RecordId,
    /// First seen, or changed.
    pub kind: ChangeKind,
    /// What it is called.
    pub event: String,
    /// When the change was committed.
    pub detected_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its deliveries, by state.
    pub deliveries: Vec<(DestinationName, DeliveryState)>,
}

/// One notification with everything.
#[derive(Debug, Clone)]
pub struct NotificationDetail {
    /// What the list shows.
    pub summary: NotificationSummary,
    /// The container it came from.
    pub container: ContainerId,
    /// Which state of the record.
    pub version: Version,
    /// What is missing in it.
    pub gaps: Vec<Gap>,
    /// What is known of the record's state before.
    pub former: Former,
    /// The paths of its body that are not as they were.
    pub changed: Vec<String>,
    /// The destinations that did not want it, by the rules of their subscriptions.
    pub filtered: Vec<DestinationName>,
    /// What the receiver gets.
    pub body: Document,
    /// Its deliveries with their attempts.
    pub deliveries: Vec<DeliveryDetail>,
}

/// One delivery in a list.
#[derive(Debug, Clone)]
pub struct DeliverySummary {
    /// Which.
    pub id: DeliveryId,
    /// The action.
    pub action: ActionName,
    /// The record.
    pub record_id: RecordId,
    /// Where it stands.
    pub state: DeliveryState,
    /// How many attempts were made in all.
    pub attempts: u32,
    /// When it is tried next, if it is open.
    pub due_at: Option<Timestamp>,
    /// The stable code and the words of why it is open after an attempt, dead or dropped.
    pub reason: Option<(String, String)>,
    /// When the change was committed.
    pub detected_at: Timestamp,
}

/// One delivery with its attempts.
#[derive(Debug, Clone)]
pub struct DeliveryDetail {
    /// What the list shows.
    pub summary: DeliverySummary,
    /// The attempts, oldest first. At most the last 100 are kept.
    pub attempts: Vec<Attempt>,
    /// The one before it of the same destination and ordering key, if it waits for that.
    pub behind: Option<(NotificationId, RecordId)>,
}
