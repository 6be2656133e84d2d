//! What people ask and do.

use super::Backend;
use crate::support::*;
use rounds_domain::ports::{
    ContainerFilter, DeliveryFilter, DestinationNote, DestinationState, NotificationFilter,
    Operations, PageRequest, Selection, Store,
};
use rounds_domain::{
    ActionName, AttemptOutcome, ChangeKind, ContainerState, DeliveryState, DestinationName,
    FeedKey, NextStep, RoundCommit,
};

const EVERYTHING: PageRequest = PageRequest {
    offset: 0,
    limit: ALL,
};

async fn containers(
    store: &impl Operations,
    filter: ContainerFilter,
    page: PageRequest,
) -> Vec<String> {
    let listed = store.containers(filter, page).await.expect("a list");
    listed
        .iter()
        .map(|summary| format!("{} {:?}", &summary.id.as_str()[4..], summary.state))
        .collect()
}

async fn deliveries(
    store: &impl Operations,
    filter: DeliveryFilter,
    page: PageRequest,
) -> Vec<String> {
    let listed = store.deliveries(filter, page).await.expect("a list");
    listed
        .iter()
        .map(|summary| {
            let notification = &summary.id.notification.as_str()[4..];
            format!("{notification} {:?}", summary.state)
        })
        .collect()
}

async fn retry(store: &impl Operations, name: &str, number: u8, seconds: i64) -> u64 {
    let selection = Selection::These(vec![container_id(name, number)]);
    let retried = store.retry_containers(selection, at(seconds)).await;
    retried.expect("retried")
}

pub(crate) async fn the_overview_counts(backend: &impl Backend) {
    let store = backend.open().await;
    let empty = store.overview().await.expect("an overview");
    assert!(empty.actions.is_empty() && empty.destinations.is_empty());

    // a is delivered, b owed, c given up; d is parked, e dead, f waits behind d, g is dropped.
    let told = vec![change("a", 1), change("b", 1), change("c", 1)];
    notify(&store, 10, told).await;
    claim_jobs(&store, &app(), 10, ALL).await;
    let settlements = vec![
        delivered(&delivery_id("a", 1, &app()), 11),
        refused(&delivery_id("b", 1, &app()), 11, NextStep::RetryAt(at(20))),
        refused(&delivery_id("c", 1, &app()), 11, give_up()),
    ];
    settle_jobs(&store, settlements).await;
    let open = vec![
        change("d", 1),
        change("e", 1),
        keyed_change("f", 1, "d"),
        change("g", 1),
    ];
    commit(&store, round(30, open)).await;
    claim(&store, 30, ALL).await;
    let settlements = vec![
        parked(&container_id("d", 1), 99),
        dead(&container_id("e", 1), 31),
    ];
    settle(&store, settlements).await;
    let selection = Selection::These(vec![container_id("g", 1)]);
    let dropped = store.drop_containers(selection, "test data".to_owned(), at(32));
    assert_eq!(dropped.await.expect("dropped"), 1);

    let overview = store.overview().await.expect("an overview");
    let [counts] = overview.actions.as_slice() else {
        panic!("one action");
    };
    assert_eq!(counts.action, action());
    assert_eq!(counts.known_records, 7);
    assert_eq!(counts.containers_open, 1);
    assert_eq!(counts.containers_parked, 1);
    assert_eq!(counts.containers_dead, 1);
    assert_eq!(counts.notifications, 3);
    let [(key, state)] = counts.feeds.as_slice() else {
        panic!("one feed");
    };
    assert_eq!(*key, feed());
    assert_eq!(state.rounds, 2);
    let [counts] = overview.destinations.as_slice() else {
        panic!("one destination");
    };
    assert_eq!(counts.destination, app());
    assert_eq!(counts.state, DestinationState::default());
    assert_eq!((counts.owed, counts.delivered, counts.dead), (1, 1, 1));
    assert_eq!(counts.oldest_owed_at, Some(at(10)));
}

pub(crate) async fn lists_are_filtered_and_paged(backend: &impl Backend) {
    let store = backend.open().await;
    let elsewhere = |changes| RoundCommit {
        feed: FeedKey {
            action: ActionName::new("orders"),
            ..feed()
        },
        ..round(0, changes)
    };
    notify(&store, 0, vec![change("a", 1), change("b", 1)]).await;
    commit(&store, elsewhere(vec![keyed_change("o", 1, "order")])).await;
    commit(&store, round(1, vec![change("a", 2), change("a", 3)])).await;

    let page = |offset, limit| PageRequest { offset, limit };
    let all = ContainerFilter::default();
    let listed = containers(&store, all.clone(), EVERYTHING).await;
    assert_eq!(listed, ["o1 Due", "a2 Due", "a3 Waiting"]);
    assert_eq!(containers(&store, all, page(1, 1)).await, ["a2 Due"]);
    let waiting = ContainerFilter {
        action: Some(action()),
        states: vec![ContainerState::Waiting, ContainerState::Dead],
        record_id: Some(record("a")),
    };
    assert_eq!(
        containers(&store, waiting, EVERYTHING).await,
        ["a3 Waiting"]
    );
    let other = ContainerFilter {
        action: Some(ActionName::new("orders")),
        ..ContainerFilter::default()
    };
    assert_eq!(containers(&store, other, EVERYTHING).await, ["o1 Due"]);
    let unknown = ContainerFilter {
        action: Some(ActionName::new("nowhere")),
        ..ContainerFilter::default()
    };
    assert!(containers(&store, unknown, EVERYTHING).await.is_empty());

    let reader = &store;
    let notifications = |filter, page| async move {
        let listed = reader.notifications(filter, page).await.expect("a list");
        let ids = listed
            .iter()
            .map(|summary| summary.id.as_str()[4..].to_owned());
        ids.collect::<Vec<_>>()
    };
    let newest_first = notifications(NotificationFilter::default(), EVERYTHING).await;
    assert_eq!(newest_first, ["b1", "a1"]);
    let second = notifications(NotificationFilter::default(), page(1, 5)).await;
    assert_eq!(second, ["a1"]);
    for action in [None, Some(action())] {
        let of_record = NotificationFilter {
            action,
            record_id: Some(record("b")),
        };
        assert_eq!(notifications(of_record, EVERYTHING).await, ["b1"]);
    }
    let of_action = NotificationFilter {
        action: Some(ActionName::new("orders")),
        record_id: None,
    };
    assert!(notifications(of_action, EVERYTHING).await.is_empty());

    claim_jobs(&store, &app(), 1, ALL).await;
    settle_jobs(&store, vec![delivered(&delivery_id("a", 1, &app()), 1)]).await;
    let all = DeliveryFilter::default();
    let listed = deliveries(&store, all.clone(), EVERYTHING).await;
    assert_eq!(listed, ["a1 Delivered", "b1 Due"]);
    assert_eq!(deliveries(&store, all, page(1, 1)).await, ["b1 Due"]);
    let due = DeliveryFilter {
        destination: Some(app()),
        notification: Some(container_id("b", 1).notification_id()),
        states: vec![DeliveryState::Due],
        ..DeliveryFilter::default()
    };
    assert_eq!(deliveries(&store, due, EVERYTHING).await, ["b1 Due"]);
    let elsewhere = DeliveryFilter {
        destination: Some(DestinationName::new("nowhere")),
        ..DeliveryFilter::default()
    };
    assert!(deliveries(&store, elsewhere, EVERYTHING).await.is_empty());
}

pub(crate) async fn retried_containers_start_afresh(backend: &impl Backend) {
    let store = backend.open().await;
    let changes = vec![change("a", 1), change("b", 1), change("c", 1)];
    commit(&store, round(0, changes)).await;
    claim(&store, 0, 2).await;
    let settlements = vec![
        parked(&container_id("a", 1), 500),
        dead(&container_id("b", 1), 1),
    ];
    settle(&store, settlements).await;
    let everything = Selection::Matching(ContainerFilter::default());
    let retried = store.retry_containers(everything, at(2)).await;
    assert_eq!(retried.expect("retried"), 2, "c was never tried");
    let claimed = claim(&store, 2, ALL).await;
    assert_eq!(ids(&claimed), ["a1", "b1", "c1"]);
    assert!(
        claimed
            .items
            .iter()
            .all(|container| container.attempts == 0)
    );
    assert_eq!(retry(&store, "nowhere", 1, 2).await, 0);
}

pub(crate) async fn a_dead_container_retried_keeps_behind_earlier_ones_and_beside_later_ones(
    backend: &impl Backend,
) {
    let store = backend.open().await;
    let changes = (1..=4).map(|number| change("a", number)).collect();
    commit(&store, round(0, changes)).await;
    for number in [1, 2] {
        claim(&store, 0, ALL).await;
        settle(&store, vec![dead(&container_id("a", number), 0)]).await;
    }
    // a3 goes on; a1 is the first of all and is due beside it; a2 is behind a1.
    let third = claim(&store, 0, ALL).await;
    assert_eq!(ids(&third), ["a3"]);
    assert_eq!(retry(&store, "a", 1, 1).await, 1);
    assert_eq!(retry(&store, "a", 2, 1).await, 1);
    let first = claim(&store, 1, ALL).await;
    assert_eq!(ids(&first), ["a1"]);
    settle(&store, vec![notified(&third.items[0], 1, &[])]).await;
    assert!(claim(&store, 1, ALL).await.items.is_empty(), "a1 is open");
    settle(&store, vec![notified(&first.items[0], 1, &[])]).await;
    let second = claim(&store, 1, ALL).await;
    assert_eq!(ids(&second), ["a2"]);
    settle(&store, vec![notified(&second.items[0], 1, &[])]).await;
    assert_eq!(ids(&claim(&store, 1, ALL).await), ["a4"]);
}

pub(crate) async fn dropped_containers_let_their_keys_go_on(backend: &impl Backend) {
    let store = backend.open().await;
    let changes = vec![
        change("a", 1),
        change("a", 2),
        change("a", 3),
        change("b", 1),
    ];
    commit(&store, round(0, changes)).await;
    let held = claim(&store, 0, ALL).await;
    let filter = ContainerFilter {
        record_id: Some(record("a")),
        ..ContainerFilter::default()
    };
    let drop_them = |selection| store.drop_containers(selection, "a test".to_owned(), at(1));
    let waiting = Selection::These(vec![container_id("a", 2), container_id("a", 1)]);
    assert_eq!(drop_them(waiting).await.expect("dropped"), 2);
    assert_eq!(ids(&claim(&store, 1, ALL).await), ["a3"]);
    let rest = Selection::Matching(filter.clone());
    assert_eq!(drop_them(rest.clone()).await.expect("dropped"), 1);
    assert_eq!(drop_them(rest).await.expect("dropped"), 0);
    // A worker that still had it cannot bring it back, and neither can a retry.
    settle(&store, vec![notified(&held.items[0], 2, &[app()])]).await;
    assert_eq!(retry(&store, "a", 1, 2).await, 0);
    let listed = containers(&store, filter, EVERYTHING).await;
    assert_eq!(listed, ["a1 Dropped", "a2 Dropped", "a3 Dropped"]);
    assert!(claim_jobs(&store, &app(), 2, ALL).await.items.is_empty());
}

pub(crate) async fn retried_deliveries_start_afresh_and_resume_their_destination(
    backend: &impl Backend,
) {
    let store = backend.open().await;
    let changes = vec![
        change("a", 1),
        change("a", 2),
        change("b", 1),
        change("c", 1),
    ];
    notify(&store, 0, changes).await;
    claim_jobs(&store, &app(), 0, ALL).await;
    let settlements = vec![
        refused(&delivery_id("a", 1, &app()), 1, give_up()),
        refused(&delivery_id("b", 1, &app()), 1, NextStep::RetryAt(at(900))),
        delivered(&delivery_id("c", 1, &app()), 1),
    ];
    settle_jobs(&store, settlements).await;
    let verified = Some(("mark".to_owned(), at(0)));
    let paused = DestinationNote::Paused {
        at: at(1),
        code: AttemptOutcome::GONE,
        reason: "gone".to_owned(),
    };
    let noted = DestinationNote::Verified("mark".to_owned(), at(0));
    for note in [paused, noted] {
        store.note_destination(&app(), note).await.expect("noted");
    }
    let nothing = Selection::These(vec![delivery_id("nowhere", 1, &app())]);
    let retried = store.retry_deliveries(nothing, at(2)).await;
    assert_eq!(retried.expect("retried"), 0);
    assert!(claim_jobs(&store, &app(), 2, ALL).await.items.is_empty());

    let everything = Selection::Matching(DeliveryFilter {
        destination: Some(app()),
        ..DeliveryFilter::default()
    });
    let retried = store.retry_deliveries(everything, at(2)).await;
    assert_eq!(retried.expect("retried"), 3, "a1 was dead, a2 and b1 due");
    let state = store.destination_state(&app()).await.expect("state");
    assert_eq!(
        state,
        DestinationState {
            verified,
            ..DestinationState::default()
        }
    );
    let claimed = claim_jobs(&store, &app(), 2, ALL).await;
    assert_eq!(job_ids(&claimed), ["a1", "b1", "a2"]);
    assert!(claimed.items.iter().all(|job| job.attempts == 0));
    let listed = store
        .deliveries(DeliveryFilter::default(), EVERYTHING)
        .await;
    let listed = listed.expect("a list");
    let b = &listed[1];
    assert_eq!(b.id, delivery_id("b", 1, &app()));
    assert_eq!(b.attempts, 1, "all attempts are counted in the list");
    assert_eq!(b.reason, None);
}

pub(crate) async fn dropped_deliveries_let_their_keys_go_on(backend: &impl Backend) {
    let store = backend.open().await;
    notify(
        &store,
        0,
        vec![change("a", 1), change("a", 2), change("b", 1)],
    )
    .await;
    claim_jobs(&store, &app(), 0, ALL).await;
    settle_jobs(&store, vec![delivered(&delivery_id("b", 1, &app()), 1)]).await;
    let first = Selection::These(vec![delivery_id("a", 1, &app())]);
    let dropped = store.drop_deliveries(first, "not wanted".to_owned(), at(1));
    assert_eq!(dropped.await.expect("dropped"), 1);
    assert_eq!(job_ids(&claim_jobs(&store, &app(), 1, ALL).await), ["a2"]);
    let rest = Selection::Matching(DeliveryFilter::default());
    let dropped = store.drop_deliveries(rest, "not wanted".to_owned(), at(2));
    assert_eq!(dropped.await.expect("dropped"), 1, "b1 was delivered");
    let listed = store
        .deliveries(DeliveryFilter::default(), EVERYTHING)
        .await;
    let reason = Some((String::new(), "not wanted".to_owned()));
    assert_eq!(listed.expect("a list")[0].reason, reason);
}

pub(crate) async fn a_claim_survives_what_an_operator_does(backend: &impl Backend) {
    let store = backend.open().await;
    notify(&store, 0, vec![change("a", 1)]).await;
    claim_jobs(&store, &app(), 0, ALL).await;
    let everything = Selection::Matching(DeliveryFilter::default());
    let retried = store.retry_deliveries(everything, at(1)).await;
    assert_eq!(retried.expect("retried"), 1);
    // It is on its way right now; a second try beside it would only be a repetition.
    assert!(claim_jobs(&store, &app(), 1, ALL).await.items.is_empty());
    settle_jobs(&store, vec![delivered(&delivery_id("a", 1, &app()), 1)]).await;
    let delivered = DeliveryFilter {
        states: vec![DeliveryState::Delivered],
        ..DeliveryFilter::default()
    };
    let listed = deliveries(&store, delivered, EVERYTHING).await;
    assert_eq!(listed, ["a1 Delivered"]);
}

pub(crate) async fn details_show_everything(backend: &impl Backend) {
    let store = backend.open().await;
    notify(&store, 0, vec![change("a", 1)]).await;
    commit(&store, round(7, vec![change("a", 2)])).await;
    claim(&store, 7, ALL).await;
    settle(&store, vec![parked(&container_id("a", 2), 50)]).await;

    let container = store.container(&container_id("a", 2)).await.expect("read");
    let container = container.expect("there");
    assert_eq!(container.version, version(2));
    assert_eq!(container.record, state("a", 2));
    assert_eq!(container.previous, Some(state("a", 1)));
    let summary = container.summary;
    assert_eq!(summary.action, action());
    assert_eq!(summary.record_id, record("a"));
    assert_eq!(summary.kind, ChangeKind::Updated);
    assert_eq!(summary.state, ContainerState::Parked);
    assert_eq!(summary.attempts, 1);
    assert_eq!(summary.due_at, Some(at(50)));
    assert_eq!(summary.detected_at, at(7));
    let reason = ("R0401".to_owned(), "the lookup failed".to_owned());
    assert_eq!(summary.reason, Some(reason));

    claim_jobs(&store, &app(), 0, ALL).await;
    settle_jobs(&store, vec![delivered(&delivery_id("a", 1, &app()), 1)]).await;
    let id = container_id("a", 1).notification_id();
    let detail = store.notification(&id).await.expect("read").expect("there");
    assert_eq!(detail.container, container_id("a", 1));
    assert_eq!(detail.version, version(1));
    assert_eq!(detail.body, state("a", 1));
    assert!(detail.gaps.is_empty());
    assert!(detail.changed.is_empty());
    assert_eq!(detail.summary.event, "Scheduling.Test");
    assert_eq!(detail.summary.created_at, at(0));
    let states = vec![(app(), DeliveryState::Delivered)];
    assert_eq!(detail.summary.deliveries, states);
    assert_eq!(detail.deliveries[0].attempts.len(), 1);

    let nowhere = container_id("nowhere", 1);
    assert!(store.container(&nowhere).await.expect("read").is_none());
    let nowhere = nowhere.notification_id();
    assert!(store.notification(&nowhere).await.expect("read").is_none());
}
