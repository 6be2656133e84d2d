//! Restarts and retention.

use super::Backend;
use crate::support::*;
use rounds_domain::ports::{ContainerFilter, Operations, Selection, Store};
use rounds_domain::{Cursor, NextStep, RoundCommit};

pub(crate) async fn a_new_process_finds_everything_and_claims_released(backend: &impl Backend) {
    let store = backend.open().await;
    notify(&store, 0, vec![change("a", 1), change("b", 1)]).await;
    let moved = RoundCommit {
        cursor: Some(Cursor::Number("9".to_owned())),
        ..round(1, vec![change("a", 2), change("a", 3), change("c", 1)])
    };
    commit(&store, moved).await;
    claim(&store, 1, ALL).await;
    settle(&store, vec![parked(&container_id("c", 1), 50)]).await;
    claim_jobs(&store, &app(), 1, ALL).await;
    let state = store.feed_states(&[feed()]).await.expect("states");

    let store = backend.reopen(store).await;
    assert_eq!(store.feed_states(&[feed()]).await.expect("states"), state);
    // The leases would last until 61.
    let claimed = claim(&store, 2, ALL).await;
    assert_eq!(ids(&claimed), ["a2"]);
    assert_eq!(claimed.next_due, Some(at(50)));
    assert_eq!(
        claimed.items[0].previous,
        Some(crate::support::state("a", 1))
    );
    let jobs = claim_jobs(&store, &app(), 2, ALL).await;
    assert_eq!(job_ids(&jobs), ["a1", "b1"]);
}

pub(crate) async fn the_installation_keeps_its_name(backend: &impl Backend) {
    let store = backend.open().await;
    let name = store.instance().await.expect("a name");
    assert!(!name.as_str().is_empty());
    let store = backend.reopen(store).await;
    assert_eq!(store.instance().await.expect("a name"), name);
}

pub(crate) async fn what_is_due_beyond_any_schedule_is_brought_forward(backend: &impl Backend) {
    let store = backend.open().await;
    notify(&store, 0, vec![change("a", 1), change("b", 1)]).await;
    commit(&store, round(1, vec![change("c", 1), change("d", 1)])).await;
    claim(&store, 1, ALL).await;
    let parkings = vec![
        parked(&container_id("c", 1), 9_000),
        parked(&container_id("d", 1), 40),
    ];
    settle(&store, parkings).await;
    claim_jobs(&store, &app(), 1, 1).await;
    let put_off = refused(
        &delivery_id("a", 1, &app()),
        1,
        NextStep::RetryAt(at(9_000)),
    );
    settle_jobs(&store, vec![put_off]).await;

    let brought = |latest| store.bring_forward(at(latest), at(2));
    assert_eq!(brought(9_000).await.expect("looked"), 0);
    assert_eq!(brought(100).await.expect("brought"), 2);
    let claimed = claim(&store, 2, ALL).await;
    assert_eq!(
        (ids(&claimed), claimed.next_due),
        (vec!["c1"], Some(at(40)))
    );
    let jobs = claim_jobs(&store, &app(), 2, ALL).await;
    assert_eq!(job_ids(&jobs), ["a1", "b1"]);
    // What is being worked at keeps its lease.
    assert_eq!(brought(3).await.expect("looked"), 1, "only d");
}

pub(crate) async fn finished_ones_are_pruned_and_others_stay(backend: &impl Backend) {
    let store = backend.open().await;
    let names = ["delivered", "owed", "dead", "late"];
    let changes = names.map(|name| change(name, 1)).to_vec();
    notify(&store, 0, changes).await;
    claim_jobs(&store, &app(), 0, ALL).await;
    let settlements = vec![
        delivered(&delivery_id("delivered", 1, &app()), 5),
        refused(&delivery_id("dead", 1, &app()), 5, give_up()),
        delivered(&delivery_id("late", 1, &app()), 20),
    ];
    settle_jobs(&store, settlements).await;
    // One that was owed to nobody, and one that was dropped.
    commit(
        &store,
        round(1, vec![change("untold", 1), change("dropped", 1)]),
    )
    .await;
    let claimed = claim(&store, 1, ALL).await;
    settle(&store, vec![notified(&claimed.items[0], 1, &[])]).await;
    let selection = Selection::These(vec![container_id("dropped", 1)]);
    let dropped = store.drop_containers(selection, "a test".to_owned(), at(2));
    assert_eq!(dropped.await.expect("dropped"), 1);

    assert_eq!(store.prune(at(1), ALL).await.expect("pruned"), 0);
    assert_eq!(store.prune(at(10), ALL).await.expect("pruned"), 3);
    assert_eq!(store.prune(at(10), ALL).await.expect("pruned"), 0);
    for (name, stays) in [
        ("delivered", false),
        ("owed", true),
        ("dead", true),
        ("late", true),
        ("untold", false),
    ] {
        let id = container_id(name, 1).notification_id();
        let found = store.notification(&id).await.expect("read");
        assert_eq!(found.is_some(), stays, "{name}");
    }
    let dropped = container_id("dropped", 1);
    assert!(store.container(&dropped).await.expect("read").is_none());
    // What is pruned is still known: the ledger goes on.
    let again = round(30, vec![change("delivered", 1), change("dropped", 1)]);
    assert_eq!(commit(&store, again).await, (0, 2));
    let states = store
        .known_records(&action(), &[record("delivered")])
        .await
        .expect("records");
    assert_eq!(states, [Some(state("delivered", 1))]);
}

pub(crate) async fn pruning_works_in_slices(backend: &impl Backend) {
    let store = backend.open().await;
    let changes = (0..7).map(|number| change(&format!("r{number}-"), 1));
    commit(&store, round(0, changes.collect())).await;
    let claimed = claim(&store, 0, 5).await;
    let settlements = claimed
        .items
        .iter()
        .map(|container| notified(container, 0, &[]))
        .collect();
    settle(&store, settlements).await;
    let rest = Selection::Matching(ContainerFilter::default());
    let dropped = store.drop_containers(rest, "a test".to_owned(), at(0));
    assert_eq!(dropped.await.expect("dropped"), 2);
    let mut slices = Vec::new();
    loop {
        let gone = store.prune(at(1), 3).await.expect("pruned");
        if gone == 0 {
            break;
        }
        slices.push(gone);
    }
    assert_eq!(slices, [3, 3, 1]);
}
