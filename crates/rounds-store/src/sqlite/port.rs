//! The ports, each method as one job with the name of its operation.

use super::error::Result;
use super::{
    SqliteStore, claim, containers, credentials, deliveries, destinations, feeds, ledger,
    operations, prune, rounds, views,
};
use async_trait::async_trait;
use jiff::Timestamp;
use rounds_domain::plan::Missed;
use rounds_domain::ports::{
    Claimed, ContainerDetail, ContainerFilter, ContainerSummary, Credential, Credentials,
    DeletionDecision, DeletionFilter, DeliveryCount, DeliveryFilter, DeliverySummary,
    DestinationNote, DestinationState, HeldDeletion, NotificationDetail, NotificationFilter,
    NotificationSummary, Operations, Overview, PageRequest, RecordHistory, Selection, Store,
    StoreError,
};
use rounds_domain::{
    ActionName, CommitReceipt, ConnectionName, Container, ContainerId, ContainerSettlement,
    DeliveryId, DeliveryJob, DeliverySettlement, DestinationName, Document, FeedKey, FeedState,
    InstanceId, Knowledge, MissedRecord, NotificationId, OrderingKey, RecordId, RoundCommit,
    Version,
};
use rusqlite::Connection;
use std::time::Duration;

pub(super) type Answer<T> = std::result::Result<T, StoreError>;

/// Ends every claim. Their rows are due when they were before they were claimed.
pub(crate) fn release_claims(connection: &Connection) -> Result<u64> {
    let containers = connection.execute(
        "UPDATE containers SET claimed_until = NULL WHERE claimed_until IS NOT NULL",
        [],
    )?;
    let deliveries = connection.execute(
        "UPDATE deliveries SET claimed_until = NULL WHERE claimed_until IS NOT NULL",
        [],
    )?;
    Ok(u64::try_from(containers + deliveries).unwrap_or(u64::MAX))
}

#[async_trait]
impl Store for SqliteStore {
    async fn instance(&self) -> Answer<InstanceId> {
        self.read("reading the installation's name", |connection| {
            let name: String =
                connection.query_row("SELECT name FROM instance", [], |row| row.get(0))?;
            Ok(InstanceId::new(name))
        })
        .await
    }

    async fn feed_states(&self, feeds: &[FeedKey]) -> Answer<Vec<FeedState>> {
        let feeds = feeds.to_vec();
        self.read("reading where feeds stand", move |connection| {
            feeds::states(connection, &feeds)
        })
        .await
    }

    async fn known_versions(
        &self,
        action: &ActionName,
        records: &[RecordId],
    ) -> Answer<Vec<Knowledge>> {
        let operation = format!("reading the ledger of {action}");
        let action = action.clone();
        let records = records.to_vec();
        self.read(operation, move |connection| {
            ledger::knowledge(connection, &action, &records)
        })
        .await
    }

    async fn versions_shown(
        &self,
        feed: &FeedKey,
        records: &[RecordId],
    ) -> Answer<Vec<Option<Version>>> {
        let operation = format!("reading what {feed} showed");
        let feed = feed.clone();
        let records = records.to_vec();
        self.read(operation, move |connection| {
            views::of_feed(connection, &feed, &records)
        })
        .await
    }

    async fn known_records(
        &self,
        action: &ActionName,
        records: &[RecordId],
    ) -> Answer<Vec<Option<Document>>> {
        let operation = format!("reading known records of {action}");
        let action = action.clone();
        let records = records.to_vec();
        self.read(operation, move |connection| {
            ledger::states(connection, &action, &records)
        })
        .await
    }

    async fn missed_records(
        &self,
        feed: &FeedKey,
        round: Timestamp,
        missed: Missed,
        after: Option<&RecordId>,
        limit: usize,
    ) -> Answer<Vec<MissedRecord>> {
        let operation = format!("looking for what a round of {feed} did not show");
        let feed = feed.clone();
        let after = after.cloned();
        self.read(operation, move |connection| {
            ledger::missed(connection, &feed, round, missed, after.as_ref(), limit)
        })
        .await
    }

    async fn commit_round(&self, commit: RoundCommit) -> Answer<CommitReceipt> {
        let operation = format!("committing a round of {}", commit.feed);
        self.write(operation, move |connection| {
            rounds::commit(connection, &commit)
        })
        .await
    }

    async fn claim_containers(
        &self,
        lane: &ConnectionName,
        now: Timestamp,
        lease: Duration,
        limit: usize,
    ) -> Answer<Claimed<Container>> {
        let operation = format!("claiming containers of {lane}");
        let lane = lane.clone();
        self.write(operation, move |connection| {
            containers::claim(connection, &lane, now, lease, limit)
        })
        .await
    }

    async fn settle_containers(&self, settlements: Vec<ContainerSettlement>) -> Answer<()> {
        self.write("settling containers", move |connection| {
            containers::settle(connection, &settlements)
        })
        .await
    }

    async fn claim_deliveries(
        &self,
        destination: &DestinationName,
        now: Timestamp,
        lease: Duration,
        limit: usize,
    ) -> Answer<Claimed<DeliveryJob>> {
        let operation = format!("claiming deliveries to {destination}");
        let destination = destination.clone();
        self.write(operation, move |connection| {
            deliveries::claim(connection, &destination, now, lease, limit)
        })
        .await
    }

    async fn settle_deliveries(&self, settlements: Vec<DeliverySettlement>) -> Answer<()> {
        self.write("settling deliveries", move |connection| {
            deliveries::settle(connection, &settlements)
        })
        .await
    }

    async fn destination_state(&self, destination: &DestinationName) -> Answer<DestinationState> {
        let operation = format!("reading the state of {destination}");
        let destination = destination.clone();
        self.read(operation, move |connection| {
            destinations::state(connection, &destination)
        })
        .await
    }

    async fn note_destination(
        &self,
        destination: &DestinationName,
        note: DestinationNote,
    ) -> Answer<()> {
        let operation = format!("writing the state of {destination}");
        let destination = destination.clone();
        self.write(operation, move |connection| {
            destinations::note(connection, &destination, &note)
        })
        .await
    }

    async fn prune(&self, finished_before: Timestamp, limit: usize) -> Answer<usize> {
        self.write("removing what is finished", move |connection| {
            prune::prune(connection, finished_before, limit)
        })
        .await
    }

    async fn bring_forward(&self, latest: Timestamp, now: Timestamp) -> Answer<usize> {
        self.write("bringing forward what is due too late", move |connection| {
            claim::bring_forward(connection, latest, now)
        })
        .await
    }
}

#[async_trait]
impl Credentials for SqliteStore {
    async fn credential(&self, connection: &ConnectionName) -> Answer<Option<Credential>> {
        let operation = format!("reading the secret that is kept for {connection}");
        let name = connection.clone();
        self.read(operation, move |connection| {
            credentials::credential(connection, &name)
        })
        .await
    }

    async fn keep_credential(
        &self,
        connection: &ConnectionName,
        credential: Credential,
    ) -> Answer<()> {
        let operation = format!("keeping a secret for {connection}");
        let name = connection.clone();
        self.write(operation, move |connection| {
            credentials::keep(connection, &name, &credential)
        })
        .await
    }
}

#[async_trait]
impl Operations for SqliteStore {
    async fn overview(&self) -> Answer<Overview> {
        self.read("counting", operations::overview::overview).await
    }

    async fn containers(
        &self,
        filter: ContainerFilter,
        page: PageRequest,
    ) -> Answer<Vec<ContainerSummary>> {
        self.read("listing containers", move |connection| {
            operations::containers::list(connection, &filter, page)
        })
        .await
    }

    async fn container(&self, id: &ContainerId) -> Answer<Option<ContainerDetail>> {
        let operation = format!("reading container {id}");
        let id = id.clone();
        self.read(operation, move |connection| {
            operations::containers::detail(connection, &id)
        })
        .await
    }

    async fn retry_containers(
        &self,
        selection: Selection<ContainerId, ContainerFilter>,
        now: Timestamp,
    ) -> Answer<u64> {
        self.write("retrying containers", move |connection| {
            operations::containers::retry(connection, &selection, now)
        })
        .await
    }

    async fn drop_containers(
        &self,
        selection: Selection<ContainerId, ContainerFilter>,
        reason: String,
        now: Timestamp,
    ) -> Answer<u64> {
        self.write("dropping containers", move |connection| {
            operations::containers::drop_all(connection, &selection, &reason, now)
        })
        .await
    }

    async fn held_deletions(
        &self,
        filter: DeletionFilter,
        page: PageRequest,
    ) -> Answer<Vec<HeldDeletion>> {
        self.read("listing deletions that are held back", move |connection| {
            ledger::held(connection, &filter, page)
        })
        .await
    }

    async fn decide_deletions(
        &self,
        filter: DeletionFilter,
        decision: DeletionDecision,
    ) -> Answer<u64> {
        self.write("deciding of deletions", move |connection| {
            ledger::decide(connection, &filter, decision)
        })
        .await
    }

    async fn notifications(
        &self,
        filter: NotificationFilter,
        page: PageRequest,
    ) -> Answer<Vec<NotificationSummary>> {
        self.read("listing notifications", move |connection| {
            operations::notifications::list(connection, &filter, page)
        })
        .await
    }

    async fn history(
        &self,
        action: &ActionName,
        record: &RecordId,
        limit: usize,
    ) -> Answer<RecordHistory> {
        let operation = format!("reading the history of a record of `{action}`");
        let (action, record) = (action.clone(), record.clone());
        self.read(operation, move |connection| {
            operations::history::of_record(connection, &action, &record, limit)
        })
        .await
    }

    async fn records_of_key(
        &self,
        action: &ActionName,
        key: &OrderingKey,
        limit: usize,
    ) -> Answer<Vec<RecordId>> {
        let operation = format!("looking for the records of a key of `{action}`");
        let (action, key) = (action.clone(), key.clone());
        self.read(operation, move |connection| {
            operations::history::records_of_key(connection, &action, &key, limit)
        })
        .await
    }

    async fn notification(&self, id: &NotificationId) -> Answer<Option<NotificationDetail>> {
        let operation = format!("reading notification {id}");
        let id = id.clone();
        self.read(operation, move |connection| {
            operations::notifications::detail(connection, &id)
        })
        .await
    }

    async fn deliveries(
        &self,
        filter: DeliveryFilter,
        page: PageRequest,
    ) -> Answer<Vec<DeliverySummary>> {
        self.read("listing deliveries", move |connection| {
            operations::deliveries::list(connection, &filter, page)
        })
        .await
    }

    async fn retry_deliveries(
        &self,
        selection: Selection<DeliveryId, DeliveryFilter>,
        now: Timestamp,
    ) -> Answer<u64> {
        self.write("retrying deliveries", move |connection| {
            operations::deliveries::retry(connection, &selection, now)
        })
        .await
    }

    async fn drop_deliveries(
        &self,
        selection: Selection<DeliveryId, DeliveryFilter>,
        reason: String,
        now: Timestamp,
    ) -> Answer<u64> {
        self.write("dropping deliveries", move |connection| {
            operations::deliveries::drop_all(connection, &selection, &reason, now)
        })
        .await
    }

    async fn count_deliveries(&self, filter: DeliveryFilter) -> Answer<Vec<DeliveryCount>> {
        self.read("counting deliveries", move |connection| {
            operations::deliveries::count(connection, &filter)
        })
        .await
    }

    async fn replay_deliveries(
        &self,
        selection: Selection<DeliveryId, DeliveryFilter>,
        now: Timestamp,
        every: Duration,
    ) -> Answer<u64> {
        self.write("replaying deliveries", move |connection| {
            operations::deliveries::replay(connection, &selection, now, every)
        })
        .await
    }

    async fn hold_destination(
        &self,
        destination: &DestinationName,
        reason: String,
        now: Timestamp,
    ) -> Answer<()> {
        let operation = format!("holding {destination}");
        let destination = destination.clone();
        self.write(operation, move |connection| {
            destinations::hold(connection, &destination, &reason, now)
        })
        .await
    }

    async fn release_destination(&self, destination: &DestinationName) -> Answer<()> {
        let operation = format!("releasing {destination}");
        let destination = destination.clone();
        self.write(operation, move |connection| {
            destinations::release(connection, &destination)
        })
        .await
    }
}
