//! Containers: claimed and settled.

use super::Backend;
use crate::support::*;
use rounds_domain::ports::{ContainerFilter, Operations, PageRequest, Store};
use rounds_domain::{
    Code, ConnectionName, ContainerSettlement, ContainerState, Gap, LookupAnswer, LookupName,
    RoundCommit,
};
use std::collections::BTreeSet;

pub(crate) async fn claims_come_in_the_order_of_changes_and_one_per_key(backend: &impl Backend) {
    let store = backend.open().await;
    let changes = vec![
        keyed_change("a", 1, "x"),
        keyed_change("b", 1, "x"),
        keyed_change("c", 1, "y"),
        keyed_change("d", 1, "x"),
        keyed_change("e", 1, "z"),
    ];
    commit(&store, round(0, changes)).await;
    let first = claim(&store, 0, 2).await;
    assert_eq!(ids(&first), ["a1", "c1"]);
    assert_eq!(first.next_due, Some(at(0)), "e1 is due and was left");
    let second = claim(&store, 0, 2).await;
    assert_eq!(ids(&second), ["e1"]);
    assert_eq!(second.next_due, Some(at(60)), "when the first lease ends");
    settle(&store, vec![notified(&first.items[0], 1, &[])]).await;
    let third = claim(&store, 1, ALL).await;
    assert_eq!(ids(&third), ["b1"]);
    settle(&store, vec![notified(&third.items[0], 1, &[])]).await;
    assert_eq!(ids(&claim(&store, 1, ALL).await), ["d1"]);
}

pub(crate) async fn a_claim_hides_until_its_lease_is_over(backend: &impl Backend) {
    let store = backend.open().await;
    let nothing = claim(&store, 0, ALL).await;
    assert!(nothing.items.is_empty() && nothing.next_due.is_none());
    commit(&store, round(0, vec![change("a", 1)])).await;
    let taken = claim(&store, 0, ALL).await;
    assert_eq!(ids(&taken), ["a1"]);
    assert_eq!(taken.next_due, None);
    let hidden = claim(&store, 59, ALL).await;
    assert!(hidden.items.is_empty());
    assert_eq!(hidden.next_due, Some(at(60)));
    assert_eq!(ids(&claim(&store, 60, ALL).await), ["a1"]);
}

pub(crate) async fn a_parked_one_holds_up_its_key_and_no_other(backend: &impl Backend) {
    let store = backend.open().await;
    let changes = vec![change("a", 1), change("a", 2), change("b", 1)];
    commit(&store, round(0, changes)).await;
    let claimed = claim(&store, 0, ALL).await;
    assert_eq!(ids(&claimed), ["a1", "b1"]);
    let settlements = vec![
        parked(&container_id("a", 1), 30),
        notified(&claimed.items[1], 0, &[]),
    ];
    settle(&store, settlements).await;
    commit(&store, round(1, vec![change("b", 2)])).await;
    let others = claim(&store, 29, ALL).await;
    assert_eq!(ids(&others), ["b2"]);
    assert_eq!(others.next_due, Some(at(30)));
    let retried = claim(&store, 30, ALL).await;
    assert_eq!(ids(&retried), ["a1"]);
    assert_eq!(retried.items[0].attempts, 1);
    settle(&store, vec![notified(&retried.items[0], 30, &[])]).await;
    assert_eq!(ids(&claim(&store, 30, ALL).await), ["a2"]);
}

pub(crate) async fn answers_of_a_parked_one_are_kept(backend: &impl Backend) {
    let store = backend.open().await;
    commit(&store, round(0, vec![change("a", 1)])).await;
    let answer = |name: &str, seconds: i64, text: Option<&str>| LookupAnswer {
        name: LookupName::new(name),
        body: text.map(body),
        fetched_at: at(seconds),
    };
    let rounds = [
        vec![answer("patient", 1, Some("{}")), answer("visit", 2, None)],
        vec![answer("patient", 1, Some("[]"))],
    ];
    for (try_number, answers) in (0..).zip(rounds) {
        claim(&store, try_number * 10, ALL).await;
        let settlement = ContainerSettlement::Parked {
            id: container_id("a", 1),
            code: TROUBLE,
            reason: "the lookup failed".to_owned(),
            due_at: at(try_number * 10 + 10),
            answers: answers.clone(),
        };
        settle(&store, vec![settlement]).await;
        let again = claim(&store, try_number * 10 + 10, ALL).await;
        let kept: Vec<_> = again.items[0]
            .answers
            .iter()
            .map(|answer| (answer.name.clone(), answer.body.clone(), answer.fetched_at))
            .collect();
        let given: Vec<_> = answers
            .into_iter()
            .map(|answer| (answer.name, answer.body, answer.fetched_at))
            .collect();
        assert_eq!(kept, given);
        settle(
            &store,
            vec![parked(&container_id("a", 1), try_number * 10 + 10)],
        )
        .await;
    }
}

pub(crate) async fn a_released_one_is_due_again_uncounted(backend: &impl Backend) {
    let store = backend.open().await;
    commit(&store, round(0, vec![change("a", 1)])).await;
    claim(&store, 0, ALL).await;
    let released = ContainerSettlement::Released {
        id: container_id("a", 1),
        due_at: at(5),
        answers: Vec::new(),
    };
    settle(&store, vec![released]).await;
    let early = claim(&store, 4, ALL).await;
    assert!(early.items.is_empty());
    assert_eq!(early.next_due, Some(at(5)));
    assert_eq!(claim(&store, 5, ALL).await.items[0].attempts, 0);
}

pub(crate) async fn a_dead_one_lets_its_key_go_on(backend: &impl Backend) {
    let store = backend.open().await;
    commit(&store, round(0, vec![change("a", 1), change("a", 2)])).await;
    claim(&store, 0, ALL).await;
    settle(&store, vec![dead(&container_id("a", 1), 1)]).await;
    assert_eq!(ids(&claim(&store, 1, ALL).await), ["a2"]);
}

pub(crate) async fn a_dropped_one_lets_its_key_go_on(backend: &impl Backend) {
    let store = backend.open().await;
    commit(&store, round(0, vec![change("a", 1), change("a", 2)])).await;
    claim(&store, 0, ALL).await;
    let dropped = ContainerSettlement::Dropped {
        id: container_id("a", 1),
        code: Code::new("R0404"),
        reason: "its patient is not there".to_owned(),
        gaps: vec![Gap {
            lookup: LookupName::new("patient"),
            status: 404,
        }],
        at: at(1),
    };
    settle(&store, vec![dropped]).await;
    assert_eq!(ids(&claim(&store, 1, ALL).await), ["a2"]);
    let page = PageRequest {
        offset: 0,
        limit: 1,
    };
    let listed = store.containers(ContainerFilter::default(), page).await;
    let listed = listed.expect("containers");
    assert_eq!(listed[0].state, ContainerState::Dropped);
    let reason = "its patient is not there; missing: patient (404)".to_owned();
    assert_eq!(listed[0].reason, Some(("R0404".to_owned(), reason)));
}

pub(crate) async fn settling_what_is_gone_changes_nothing(backend: &impl Backend) {
    let store = backend.open().await;
    commit(&store, round(0, vec![change("a", 1), change("a", 2)])).await;
    let first = claim(&store, 0, ALL).await;
    let done = notified(&first.items[0], 0, &[app()]);
    settle(&store, vec![done.clone(), done.clone()]).await;
    settle(&store, vec![done, parked(&container_id("a", 1), 50)]).await;
    settle(&store, vec![dead(&container_id("nowhere", 1), 0)]).await;
    assert_eq!(ids(&claim(&store, 0, ALL).await), ["a2"]);
    assert_eq!(job_ids(&claim_jobs(&store, &app(), 0, ALL).await), ["a1"]);
}

pub(crate) async fn a_late_worker_cannot_end_a_claim_that_is_not_his(backend: &impl Backend) {
    // Case 50: n8n-io/n8n#35372: a worker outlived its lease and wrote all the same.
    let store = backend.open().await;
    commit(&store, round(0, vec![change("a", 1)])).await;
    let late = claim(&store, 0, ALL).await;
    claim(&store, 60, ALL).await;
    settle(&store, vec![parked(&container_id("a", 1), 90)]).await;
    // It is parked by the second worker; the first one comes back from a long pause.
    settle(&store, vec![dead(&container_id("a", 1), 61)]).await;
    assert_eq!(claim(&store, 89, ALL).await.next_due, Some(at(90)));
    // A finished container is welcome from anybody.
    settle(&store, vec![notified(&late.items[0], 62, &[app()])]).await;
    assert!(claim(&store, 90, ALL).await.items.is_empty());
    assert_eq!(job_ids(&claim_jobs(&store, &app(), 90, ALL).await), ["a1"]);
}

pub(crate) async fn containers_follow_their_action_to_another_lane(backend: &impl Backend) {
    let store = backend.open().await;
    commit(&store, round(0, vec![change("a", 1)])).await;
    let moved = RoundCommit {
        lane: ConnectionName::new("new-clinic"),
        ..round(1, vec![])
    };
    commit(&store, moved).await;
    assert!(claim(&store, 1, ALL).await.items.is_empty());
    let claimed = store
        .claim_containers(&ConnectionName::new("new-clinic"), at(1), LEASE, ALL)
        .await
        .expect("a claim");
    assert_eq!(ids(&claimed), ["a1"]);
}

pub(crate) async fn what_many_claim_at_once_is_claimed_once(backend: &impl Backend) {
    let store = backend.open().await;
    let changes = (0..200).map(|number| change(&format!("r{number}-"), 1));
    commit(&store, round(0, changes.collect())).await;
    let (first, second, third, fourth) = tokio::join!(
        claim(&store, 0, 60),
        claim(&store, 0, 60),
        claim(&store, 0, 60),
        claim(&store, 0, 60),
    );
    let claims = [first, second, third, fourth];
    let claimed: Vec<&str> = claims.iter().flat_map(ids).collect();
    assert_eq!(claimed.len(), 200);
    assert_eq!(claimed.iter().collect::<BTreeSet<_>>().len(), 200);
}
