//! Deliveries: claimed, attempted, settled.

use super::Backend;
use crate::support::*;
use rounds_domain::ports::{DeliveryDetail, DestinationState, Operations, Store};
use rounds_domain::{
    AttemptOutcome, DeliverySettlement, DeliveryState, DestinationName, Gap, LookupName, NextStep,
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
        notification: made.clone(),
        destinations: vec![app(), warehouse(), app()],
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
    let state = DestinationState {
        paused: Some((at(1), TROUBLE, "it answered 410".to_owned())),
        verified: Some(("mark".to_owned(), at(0))),
    };
    let set = store.set_destination_state(&app(), state.clone()).await;
    set.expect("set");
    assert_eq!(store.destination_state(&app()).await.expect("state"), state);
    let nothing = claim_jobs(&store, &app(), 5, ALL).await;
    assert!(nothing.items.is_empty() && nothing.next_due.is_none());
    let served = DestinationState::default();
    let set = store.set_destination_state(&app(), served.clone()).await;
    set.expect("set");
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
