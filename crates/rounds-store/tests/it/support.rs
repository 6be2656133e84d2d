//! Short ways to say what happens in a story.

use jiff::Timestamp;
use rounds_domain::ports::{Claimed, Store};
use rounds_domain::{
    ActionName, Attempt, AttemptOutcome, Change, Code, ConnectionName, Container, ContainerId,
    ContainerSettlement, DeliveryId, DeliveryJob, DeliveryOrder, DeliverySettlement,
    DestinationName, Document, FeedKey, FeedName, NextStep, Notification, OrderingKey, Origin,
    Owed, Presence, RecordId, Resolution, RoundCommit, RoundEnd, Version,
};
use std::time::Duration;

pub(crate) const LEASE: Duration = Duration::from_mins(1);
pub(crate) const ALL: usize = 1_000;
pub(crate) const TROUBLE: Code = Code::new("R0401");

/// Seconds after the story began.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::new(1_800_000_000 + seconds, 0).expect("an instant")
}

pub(crate) fn lane() -> ConnectionName {
    ConnectionName::new("clinic")
}

pub(crate) fn action() -> ActionName {
    ActionName::new("appointments")
}

pub(crate) fn feed() -> FeedKey {
    FeedKey::whole(action(), FeedName::new("changes"))
}

pub(crate) fn app() -> DestinationName {
    DestinationName::new("app")
}

pub(crate) fn record(name: &str) -> RecordId {
    RecordId::new(name)
}

pub(crate) fn version(number: u8) -> Version {
    Version([number; 16])
}

pub(crate) fn body(text: impl Into<String>) -> Document {
    Document::new(text.into())
}

/// A new state of a record, which is its own ordering key. Container id and body follow from record and version.
pub(crate) fn change(name: &str, number: u8) -> Change {
    keyed_change(name, number, name)
}

/// A new state of a record under an ordering key.
pub(crate) fn keyed_change(name: &str, number: u8, key: &str) -> Change {
    Change {
        container: container_id(name, number),
        record_id: record(name),
        version: version(number),
        ordering_key: OrderingKey::new(key),
        record: state(name, number),
        presence: Presence::There,
        origin: Origin::New,
        // After everything that a story may have committed: nothing is contested.
        read_at: at(1_000_000),
        resolution: Resolution::Tell,
    }
}

pub(crate) fn container_id(name: &str, number: u8) -> ContainerId {
    ContainerId::new(format!("ctr_{name}{number}"))
}

/// The body of a record's state.
pub(crate) fn state(name: &str, number: u8) -> Document {
    body(format!(r#"{{"id":"{name}","version":{number}}}"#))
}

/// A successful round that found these changes.
pub(crate) fn round(seconds: i64, changes: Vec<Change>) -> RoundCommit {
    let at = at(seconds);
    RoundCommit {
        changes,
        ..RoundCommit::of(feed(), lane(), at, at, RoundEnd::Succeeded)
    }
}

/// What a container becomes: a notification with the record's own body.
pub(crate) fn notification(container: &Container, seconds: i64) -> Notification {
    Notification {
        id: container.id.notification_id(),
        container: container.id.clone(),
        action: container.action.clone(),
        record_id: container.record_id.clone(),
        version: container.version,
        kind: container.kind,
        former: container.former,
        event: "Scheduling.Test".to_owned(),
        ordering_key: container.ordering_key.clone(),
        body: container.record.clone(),
        gaps: Vec::new(),
        changed: Vec::new(),
        unknown: Vec::new(),
        filtered: Vec::new(),
        shape: rounds_domain::plan::Shape::Plain,
        detected_at: container.detected_at,
        created_at: at(seconds),
    }
}

pub(crate) fn notified(
    container: &Container,
    seconds: i64,
    destinations: &[DestinationName],
) -> ContainerSettlement {
    ContainerSettlement::Notified {
        notification: Box::new(notification(container, seconds)),
        destinations: destinations.iter().map(owed).collect(),
    }
}

pub(crate) fn owed(destination: &DestinationName) -> Owed {
    Owed {
        destination: destination.clone(),
        order: DeliveryOrder::Key,
    }
}

pub(crate) fn parked(id: &ContainerId, due_seconds: i64) -> ContainerSettlement {
    ContainerSettlement::Parked {
        id: id.clone(),
        code: TROUBLE,
        reason: "the lookup failed".to_owned(),
        due_at: at(due_seconds),
        answers: Vec::new(),
    }
}

pub(crate) fn dead(id: &ContainerId, seconds: i64) -> ContainerSettlement {
    ContainerSettlement::Dead {
        id: id.clone(),
        code: TROUBLE,
        reason: "the lookup failed too often".to_owned(),
        at: at(seconds),
    }
}

pub(crate) fn delivery_id(name: &str, number: u8, destination: &DestinationName) -> DeliveryId {
    DeliveryId {
        notification: container_id(name, number).notification_id(),
        destination: destination.clone(),
    }
}

fn attempt(seconds: i64, outcome: AttemptOutcome) -> Attempt {
    Attempt {
        started_at: at(seconds),
        took: Duration::from_millis(250),
        outcome,
    }
}

pub(crate) fn delivered(id: &DeliveryId, seconds: i64) -> DeliverySettlement {
    DeliverySettlement {
        id: id.clone(),
        attempt: Some(attempt(seconds, AttemptOutcome::Delivered { status: 204 })),
        next: NextStep::Done,
    }
}

pub(crate) fn refused(id: &DeliveryId, seconds: i64, next: NextStep) -> DeliverySettlement {
    let outcome = AttemptOutcome::Refused {
        status: 503,
        retry_after: Some(Duration::from_secs(7)),
        reason: "Service Unavailable".to_owned(),
    };
    DeliverySettlement {
        id: id.clone(),
        attempt: Some(attempt(seconds, outcome)),
        next,
    }
}

pub(crate) fn give_up() -> NextStep {
    NextStep::GiveUp {
        code: TROUBLE,
        reason: "no more tries".to_owned(),
    }
}

pub(crate) async fn commit(store: &impl Store, commit: RoundCommit) -> (u64, u64) {
    let receipt = store.commit_round(commit).await.expect("a commit");
    (receipt.containers, receipt.known)
}

pub(crate) async fn claim(store: &impl Store, seconds: i64, limit: usize) -> Claimed<Container> {
    store
        .claim_containers(&lane(), at(seconds), LEASE, limit)
        .await
        .expect("a claim")
}

pub(crate) async fn claim_jobs(
    store: &impl Store,
    destination: &DestinationName,
    seconds: i64,
    limit: usize,
) -> Claimed<DeliveryJob> {
    store
        .claim_deliveries(destination, at(seconds), LEASE, limit)
        .await
        .expect("a claim")
}

pub(crate) async fn settle(store: &impl Store, settlements: Vec<ContainerSettlement>) {
    store
        .settle_containers(settlements)
        .await
        .expect("a settlement");
}

pub(crate) async fn settle_jobs(store: &impl Store, settlements: Vec<DeliverySettlement>) {
    store
        .settle_deliveries(settlements)
        .await
        .expect("a settlement");
}

/// Commits these changes and makes notifications to `app` of all that is due.
pub(crate) async fn notify(store: &impl Store, seconds: i64, changes: Vec<Change>) {
    commit(store, round(seconds, changes)).await;
    loop {
        let claimed = claim(store, seconds, ALL).await.items;
        if claimed.is_empty() {
            return;
        }
        let settlements = claimed
            .iter()
            .map(|container| notified(container, seconds, &[app()]))
            .collect();
        settle(store, settlements).await;
    }
}

/// The ids of what was claimed, without their prefix.
pub(crate) fn ids(claimed: &Claimed<Container>) -> Vec<&str> {
    claimed
        .items
        .iter()
        .map(|container| &container.id.as_str()[4..])
        .collect()
}

/// The notifications of what was claimed, without their prefix.
pub(crate) fn job_ids(claimed: &Claimed<DeliveryJob>) -> Vec<&str> {
    claimed
        .items
        .iter()
        .map(|job| &job.id.notification.as_str()[4..])
        .collect()
}
