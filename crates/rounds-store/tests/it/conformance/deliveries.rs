//! Deliveries: claimed, attempted, settled.

use super::Backend;
use crate::support::*;
use rounds_domain::ports::{
    Breaker, DeliveryCount, DeliveryDetail, DeliveryFilter, DestinationNote, DestinationState,
    Operations, Selection, Store,
};
use rounds_domain::{
    AttemptOutcome, Change, ContainerSettlement, DeliveryOrder, DeliverySettlement, DeliveryState,
    DestinationName, Gap, LookupName, NextStep, OrderingKey, Owed,
};
use std::time::Duration;

fn warehouse() -> DestinationName {
    DestinationName::new("warehouse")
}

/// The delivery of `a1` to `app`.
async fn detail(store: &impl Operations) -> DeliveryDetail {
    let id = delivery_id("a", 1, &app());
    let detail = store.notification(&id.notification).await;
    let detail = detail.expect("read").expect("there");
    let mut deliveries = detail.deliveries.into_iter();
    deliveries
        .find(|delivery| delivery.summary.id == id)
        .expect("owed")
}

pub(crate) async fn a_notification_is_owed_to_each_destination(backend: &impl Backend) {
    let store = backend.open().await;
    commit(&store, round(0, vec![change("a", 1)])).await;
    let claimed = claim(&store, 0, ALL).await;
    let mut made = notification(&claimed.items[0], 3);
    made.changed = vec![
        "Visit.VisitDateTime".to_owned(),
        "Visit.Duration".to_owned(),
    ];
    made.filtered = vec![DestinationName::new("archive")];
    made.gaps = vec![
        Gap {
            lookup: LookupName::new("visit"),
            status: 410,
        },
        Gap {
            lookup: LookupName::new("patient"),
            status: 404,
        },
    ];
    let settlement = rounds_domain::ContainerSettlement::Notified {
        notification: Box::new(made.clone()),
        destinations: [app(), warehouse(), app()].iter().map(owed).collect(),
    };
    settle(&store, vec![settlement]).await;
    for destination in [app(), warehouse()] {
        let claimed = claim_jobs(&store, &destination, 3, ALL).await.items;
        let [job] = claimed.as_slice() else {
            panic!("one delivery");
        };
        assert_eq!(job.id, delivery_id("a", 1, &destination));
        assert_eq!(job.action, action());
        assert_eq!(job.body, made.body);
        assert_eq!(job.gaps, made.gaps);
        assert_eq!(job.changed, made.changed);
        assert_eq!(job.attempts, 0);
        assert_eq!(job.detected_at, at(0));
    }
    let unknown = DestinationName::new("nobody");
    assert!(claim_jobs(&store, &unknown, 3, ALL).await.items.is_empty());
}

pub(crate) async fn deliveries_keep_the_order_of_their_key(backend: &impl Backend) {
    let store = backend.open().await;
    let changes = vec![
        change("a", 1),
        change("b", 1),
        change("a", 2),
        change("b", 2),
    ];
    notify(&store, 0, changes).await;
    let first = claim_jobs(&store, &app(), 0, 1).await;
    assert_eq!(job_ids(&first), ["a1"]);
    assert_eq!(first.next_due, Some(at(0)));
    let second = claim_jobs(&store, &app(), 0, ALL).await;
    assert_eq!(job_ids(&second), ["b1"]);
    let a1 = delivery_id("a", 1, &app());
    let b1 = delivery_id("b", 1, &app());
    let settlements = vec![
        refused(&a1, 1, NextStep::RetryAt(at(40))),
        delivered(&b1, 1),
    ];
    settle_jobs(&store, settlements).await;
    let third = claim_jobs(&store, &app(), 39, ALL).await;
    assert_eq!(job_ids(&third), ["b2"]);
    assert_eq!(third.next_due, Some(at(40)));
    let retried = claim_jobs(&store, &app(), 40, ALL).await;
    assert_eq!(job_ids(&retried), ["a1"]);
    assert_eq!(retried.items[0].attempts, 1);
    settle_jobs(&store, vec![delivered(&a1, 41)]).await;
    assert_eq!(job_ids(&claim_jobs(&store, &app(), 41, ALL).await), ["a2"]);
}

pub(crate) async fn attempts_are_recorded_and_the_last_hundred_kept(backend: &impl Backend) {
    let store = backend.open().await;
    notify(&store, 0, vec![change("a", 1)]).await;
    let id = delivery_id("a", 1, &app());
    let outcomes = [
        AttemptOutcome::Gone,
        AttemptOutcome::Unreachable {
            code: TROUBLE,
            reason: "no such host".to_owned(),
        },
        AttemptOutcome::Impossible {
            code: TROUBLE,
            reason: "the address is not allowed".to_owned(),
        },
        AttemptOutcome::Refused {
            status: 429,
            retry_after: None,
            reason: "Too Many Requests".to_owned(),
        },
    ];
    for number in 0..101_i64 {
        claim_jobs(&store, &app(), number, 1).await;
        let chosen = usize::try_from(number).expect("small") % outcomes.len();
        let settlement = DeliverySettlement {
            id: id.clone(),
            attempt: Some(rounds_domain::Attempt {
                started_at: at(number),
                took: Duration::from_micros(1_500),
                outcome: outcomes[chosen].clone(),
            }),
            next: NextStep::RetryAt(at(number + 1)),
        };
        settle_jobs(&store, vec![settlement]).await;
    }
    let detail = detail(&store).await;
    assert_eq!(detail.summary.attempts, 101);
    assert_eq!(detail.attempts.len(), 100);
    for (number, attempt) in (1_i64..).zip(&detail.attempts) {
        let chosen = usize::try_from(number).expect("small") % outcomes.len();
        assert_eq!(attempt.started_at, at(number));
        assert_eq!(attempt.took, Duration::from_micros(1_500));
        assert_eq!(attempt.outcome, outcomes[chosen]);
    }
    // The last one was the first of the four.
    let (code, words) = detail.summary.reason.expect("a reason");
    assert_eq!(code, "R0508");
    assert!(words.contains("410"), "{words}");
}

pub(crate) async fn an_untried_one_is_due_again_uncounted(backend: &impl Backend) {
    let store = backend.open().await;
    notify(&store, 0, vec![change("a", 1)]).await;
    claim_jobs(&store, &app(), 0, ALL).await;
    let released = DeliverySettlement {
        id: delivery_id("a", 1, &app()),
        attempt: None,
        next: NextStep::RetryAt(at(2)),
    };
    settle_jobs(&store, vec![released]).await;
    assert!(claim_jobs(&store, &app(), 1, ALL).await.items.is_empty());
    assert_eq!(
        claim_jobs(&store, &app(), 2, ALL).await.items[0].attempts,
        0
    );
    assert_eq!(detail(&store).await.summary.attempts, 0);
}

pub(crate) async fn a_delivery_given_up_lets_its_key_go_on(backend: &impl Backend) {
    let store = backend.open().await;
    notify(&store, 0, vec![change("a", 1), change("a", 2)]).await;
    claim_jobs(&store, &app(), 0, ALL).await;
    let id = delivery_id("a", 1, &app());
    settle_jobs(&store, vec![refused(&id, 1, give_up())]).await;
    let summary = detail(&store).await.summary;
    assert_eq!(summary.state, DeliveryState::Dead);
    assert_eq!(summary.due_at, None);
    assert_eq!(
        summary.reason,
        Some(("R0401".to_owned(), "no more tries".to_owned()))
    );
    assert_eq!(job_ids(&claim_jobs(&store, &app(), 1, ALL).await), ["a2"]);
}

pub(crate) async fn a_late_attempt_is_only_remembered(backend: &impl Backend) {
    let store = backend.open().await;
    notify(&store, 0, vec![change("a", 1), change("a", 2)]).await;
    claim_jobs(&store, &app(), 0, ALL).await;
    let id = delivery_id("a", 1, &app());
    settle_jobs(&store, vec![delivered(&id, 1)]).await;
    claim_jobs(&store, &app(), 1, ALL).await;
    let late = vec![
        refused(&id, 2, NextStep::RetryAt(at(3))),
        refused(&id, 2, give_up()),
    ];
    settle_jobs(&store, late).await;
    let detail = detail(&store).await;
    assert_eq!(detail.summary.state, DeliveryState::Delivered);
    assert_eq!(detail.attempts.len(), 3);
    // a2 is claimed, and nothing else was made due.
    assert!(claim_jobs(&store, &app(), 30, ALL).await.items.is_empty());
}

pub(crate) async fn a_paused_destination_is_given_nothing(backend: &impl Backend) {
    let store = backend.open().await;
    notify(&store, 0, vec![change("a", 1)]).await;
    note(&store, DestinationNote::Verified("mark".to_owned(), at(0))).await;
    note(&store, paused(1, "it answered 410")).await;
    // Whoever paused it first keeps their reason.
    note(&store, paused(2, "another")).await;
    let state = DestinationState {
        paused: Some((at(1), TROUBLE, "it answered 410".to_owned())),
        breaker: None,
        verified: Some(("mark".to_owned(), at(0))),
    };
    assert_eq!(store.destination_state(&app()).await.expect("state"), state);
    let nothing = claim_jobs(&store, &app(), 5, ALL).await;
    assert!(nothing.items.is_empty() && nothing.next_due.is_none());
    store.release_destination(&app()).await.expect("released");
    let served = DestinationState {
        paused: None,
        ..state
    };
    assert_eq!(
        store.destination_state(&app()).await.expect("state"),
        served
    );
    assert_eq!(job_ids(&claim_jobs(&store, &app(), 5, ALL).await), ["a1"]);
    // One that was never heard of is served.
    let unknown = store.destination_state(&warehouse()).await.expect("state");
    assert_eq!(unknown, DestinationState::default());
}

pub(crate) async fn keys_of_different_destinations_are_apart(backend: &impl Backend) {
    let store = backend.open().await;
    for number in [1, 2] {
        commit(&store, round(0, vec![change("a", number)])).await;
        let claimed = claim(&store, 0, ALL).await;
        let both = notified(&claimed.items[0], 0, &[app(), warehouse()]);
        settle(&store, vec![both]).await;
    }
    claim_jobs(&store, &app(), 0, ALL).await;
    claim_jobs(&store, &warehouse(), 0, ALL).await;
    let done = delivered(&delivery_id("a", 1, &warehouse()), 1);
    settle_jobs(&store, vec![done]).await;
    let next = claim_jobs(&store, &warehouse(), 1, ALL).await;
    assert_eq!(job_ids(&next), ["a2"]);
    assert!(claim_jobs(&store, &app(), 1, ALL).await.items.is_empty());
}

fn paused(seconds: i64, reason: &str) -> DestinationNote {
    DestinationNote::Paused {
        at: at(seconds),
        code: TROUBLE,
        reason: reason.to_owned(),
    }
}

async fn note(store: &impl Store, note: DestinationNote) {
    let noted = store.note_destination(&app(), note).await;
    noted.expect("noted");
}

pub(crate) async fn a_breaker_outlives_the_process(backend: &impl Backend) {
    let store = backend.open().await;
    notify(&store, 0, vec![change("a", 1)]).await;
    let breaker = Breaker {
        opened_at: at(1),
        failures: 12,
        next_try_at: at(6),
        code: TROUBLE,
        reason: "answered 503".to_owned(),
    };
    note(&store, DestinationNote::Breaker(Some(breaker.clone()))).await;
    note(&store, paused(2, "gone")).await;
    let store = backend.reopen(store).await;
    let state = store.destination_state(&app()).await.expect("state");
    assert_eq!(state.breaker, Some(breaker));
    assert!(state.paused.is_some(), "one note leaves the other");
    note(&store, DestinationNote::Breaker(None)).await;
    let state = store.destination_state(&app()).await.expect("state");
    assert!(state.breaker.is_none() && state.paused.is_some());
}

pub(crate) async fn only_a_person_ends_a_persons_hold(backend: &impl Backend) {
    let store = backend.open().await;
    notify(&store, 0, vec![change("a", 1)]).await;
    note(&store, paused(1, "gone")).await;
    let reason = "maintenance".to_owned();
    let held = store.hold_destination(&app(), reason, at(2)).await;
    held.expect("held");
    note(&store, paused(3, "gone again")).await;
    let everything = Selection::Matching(DeliveryFilter::default());
    let retried = store.retry_deliveries(everything, at(4)).await;
    assert_eq!(retried.expect("retried"), 1);
    let state = store.destination_state(&app()).await.expect("state");
    let hold = (at(2), DestinationState::HELD, "maintenance".to_owned());
    assert_eq!(state.paused, Some(hold));
    assert!(claim_jobs(&store, &app(), 5, ALL).await.items.is_empty());
    store.release_destination(&app()).await.expect("released");
    assert_eq!(job_ids(&claim_jobs(&store, &app(), 5, ALL).await), ["a1"]);
}

pub(crate) async fn a_destination_may_be_told_one_after_another(backend: &impl Backend) {
    let store = backend.open().await;
    let changes = vec![change("a", 1), change("b", 1), change("c", 1)];
    commit(&store, round(0, changes)).await;
    let claimed = claim(&store, 0, ALL).await.items;
    let in_a_row = Owed {
        destination: app(),
        order: DeliveryOrder::Destination,
    };
    for container in &claimed {
        let settlement = ContainerSettlement::Notified {
            notification: Box::new(notification(container, 1)),
            destinations: vec![in_a_row.clone(), owed(&warehouse())],
        };
        settle(&store, vec![settlement]).await;
    }
    let beside = claim_jobs(&store, &warehouse(), 1, ALL).await;
    assert_eq!(job_ids(&beside), ["a1", "b1", "c1"]);
    for name in ["a", "b", "c"] {
        let claimed = claim_jobs(&store, &app(), 1, ALL).await;
        assert_eq!(job_ids(&claimed), [format!("{name}1")]);
        settle_jobs(&store, vec![delivered(&delivery_id(name, 1, &app()), 2)]).await;
    }
}

/// Patient 1 was merged into patient 2: what concerns either of them before comes before, and after, after.
pub(crate) async fn a_merge_is_a_barrier_across_its_keys(backend: &impl Backend) {
    let store = backend.open().await;
    let merged = OrderingKey::several(["one", "two", "one"]);
    let merge = Change {
        ordering_key: merged,
        ..change("merge", 1)
    };
    let changes = vec![
        keyed_change("a", 1, "one"),
        keyed_change("b", 1, "two"),
        merge,
        keyed_change("a", 2, "one"),
        keyed_change("b", 2, "two"),
        keyed_change("c", 1, "three"),
    ];
    commit(&store, round(0, changes)).await;
    let first = claim(&store, 0, ALL).await;
    assert_eq!(ids(&first), ["a1", "b1", "c1"]);
    settle(&store, vec![notified(&first.items[2], 1, &[])]).await;
    // One key is free, the other is not: it still waits, and what is behind it as well.
    settle(&store, vec![notified(&first.items[0], 1, &[app()])]).await;
    assert!(claim(&store, 1, ALL).await.items.is_empty());
    settle(&store, vec![notified(&first.items[1], 1, &[app()])]).await;
    let merge = claim(&store, 1, ALL).await;
    assert_eq!(ids(&merge), ["merge1"]);
    settle(&store, vec![notified(&merge.items[0], 1, &[app()])]).await;
    let last = claim(&store, 1, ALL).await;
    assert_eq!(ids(&last), ["a2", "b2"]);
    for container in &last.items {
        settle(&store, vec![notified(container, 1, &[app()])]).await;
    }
    // Deliveries keep the same order...
    assert_eq!(
        job_ids(&claim_jobs(&store, &app(), 2, ALL).await),
        ["a1", "b1"]
    );
    let given_up = refused(&delivery_id("b", 1, &app()), 2, give_up());
    settle_jobs(&store, vec![given_up]).await;
    assert!(claim_jobs(&store, &app(), 2, ALL).await.items.is_empty());
    settle_jobs(&store, vec![delivered(&delivery_id("a", 1, &app()), 2)]).await;
    assert_eq!(
        job_ids(&claim_jobs(&store, &app(), 2, ALL).await),
        ["merge1"]
    );
    // ...and a barrier that was given up and is retried is one again.
    let merge = delivery_id("merge", 1, &app());
    settle_jobs(&store, vec![refused(&merge, 3, give_up())]).await;
    let store = backend.reopen(store).await;
    let retry = store.retry_deliveries(Selection::These(vec![merge.clone()]), at(4));
    assert_eq!(retry.await.expect("retried"), 1);
    let claimed = claim_jobs(&store, &app(), 4, ALL).await;
    assert_eq!(
        job_ids(&claimed),
        ["merge1", "a2", "b2"],
        "as a person chose"
    );
    commit(&store, round(5, vec![keyed_change("a", 3, "one")])).await;
    let third = claim(&store, 5, ALL).await.items;
    settle(&store, vec![notified(&third[0], 5, &[app()])]).await;
    settle_jobs(&store, vec![delivered(&delivery_id("a", 2, &app()), 5)]).await;
    assert!(claim_jobs(&store, &app(), 5, ALL).await.items.is_empty());
    settle_jobs(&store, vec![delivered(&merge, 6)]).await;
    assert_eq!(job_ids(&claim_jobs(&store, &app(), 6, ALL).await), ["a3"]);
}

pub(crate) async fn replayed_deliveries_keep_their_order_and_their_ids(backend: &impl Backend) {
    let store = backend.open().await;
    let changes = vec![
        change("a", 1),
        change("a", 2),
        change("b", 1),
        change("a", 3),
    ];
    notify(&store, 0, changes).await;
    for id in [("a", 1), ("b", 1), ("a", 2)] {
        claim_jobs(&store, &app(), 1, ALL).await;
        settle_jobs(&store, vec![delivered(&delivery_id(id.0, id.1, &app()), 2)]).await;
    }
    // a3 is due and nobody has begun it.
    let count = store.count_deliveries(DeliveryFilter::default()).await;
    let counted = |state, count| DeliveryCount {
        destination: app(),
        state,
        count,
    };
    assert_eq!(
        count.expect("counted"),
        [
            counted(DeliveryState::Delivered, 3),
            counted(DeliveryState::Due, 1)
        ]
    );
    let of_a = Selection::Matching(DeliveryFilter {
        record_id: Some(record("a")),
        event: Some("Scheduling.Test".to_owned()),
        action: Some(action()),
        since: Some(at(0)),
        until: Some(at(1)),
        ..DeliveryFilter::default()
    });
    let replayed = store.replay_deliveries(of_a, at(10), Duration::from_secs(5));
    assert_eq!(replayed.await.expect("replayed"), 2);
    let mut told = Vec::new();
    for seconds in [10, 11, 15, 16] {
        let claimed = claim_jobs(&store, &app(), seconds, ALL).await.items;
        for job in claimed {
            told.push((seconds, job.id.notification.as_str()[4..].to_owned()));
            settle_jobs(&store, vec![delivered(&job.id, seconds)]).await;
        }
    }
    let expected = [(10, "a1"), (15, "a2"), (16, "a3")];
    let expected: Vec<_> = expected.map(|(at, id)| (at, id.to_owned())).into();
    assert_eq!(told, expected);
    let nobody = Selection::Matching(DeliveryFilter {
        until: Some(at(0)),
        ..DeliveryFilter::default()
    });
    let replayed = store.replay_deliveries(nobody, at(20), Duration::ZERO);
    assert_eq!(replayed.await.expect("replayed"), 0);
}
