//! What is known of one record, for whoever asks why.

use super::Backend;
use crate::support::*;
use rounds_domain::ports::{Operations, RecordHistory, Taken, Whereabouts};
use rounds_domain::{
    Absence, Change, ContainerState, FeedKey, FeedName, OrderingKey, Presence, Resolution,
    RoundCommit,
};

async fn history(store: &impl Operations, name: &str) -> RecordHistory {
    let history = store.history(&action(), &record(name), 10).await;
    history.expect("a history")
}

fn silent(name: &str, number: u8) -> Change {
    Change {
        resolution: Resolution::Baseline,
        ..change(name, number)
    }
}

pub(crate) async fn a_record_remembers_when_it_came_and_whether_that_was_told(
    backend: &impl Backend,
) {
    let store = backend.open().await;
    let nothing = history(&store, "a").await;
    assert!(nothing.known.is_none() && nothing.notifications.is_empty());

    commit(&store, round(10, vec![silent("a", 1)])).await;
    let known = history(&store, "a").await.known.expect("is known");
    assert_eq!(known.first, Some((at(10), Taken::Silently)));
    assert_eq!(known.last, (at(10), Some(Taken::Silently)));
    assert_eq!(known.whereabouts, Whereabouts::There);

    // The next state is told; where it came from stays known.
    notify(&store, 20, vec![change("a", 2)]).await;
    let told = history(&store, "a").await;
    let known = told.known.expect("is known");
    assert_eq!(known.first, Some((at(10), Taken::Silently)));
    assert_eq!(known.last, (at(20), Some(Taken::ToTell)));
    assert_eq!(told.notifications.len(), 1);
    assert_eq!(told.notifications[0].version, version(2));

    // Only its own, the last ones, oldest first.
    for number in 3..6 {
        notify(
            &store,
            i64::from(number) * 10,
            vec![change("a", number), change("b", number)],
        )
        .await;
    }
    let all = history(&store, "a").await;
    let versions: Vec<_> = all.notifications.iter().map(|told| told.version).collect();
    assert_eq!(versions, [version(2), version(3), version(4), version(5)]);
    assert!(!all.is_cut);
    let last = store.history(&action(), &record("a"), 2).await;
    let last = last.expect("a history");
    let versions: Vec<_> = last.notifications.iter().map(|told| told.version).collect();
    assert_eq!(versions, [version(4), version(5)]);
    assert!(last.is_cut);
}

pub(crate) async fn what_waits_is_known_with_what_it_waits_for(backend: &impl Backend) {
    let store = backend.open().await;
    let changes = vec![
        keyed_change("a", 1, "key:p"),
        keyed_change("b", 1, "key:p"),
        keyed_change("c", 1, "key:q"),
    ];
    commit(&store, round(10, changes)).await;
    let first = container_id("a", 1);
    claim(&store, 20, 1).await;
    settle(&store, vec![parked(&first, 90)]).await;
    let a = history(&store, "a").await.containers;
    assert_eq!(a[0].summary.state, ContainerState::Parked);
    assert!(a[0].behind.is_none());
    let b = history(&store, "b").await.containers;
    assert_eq!(b[0].summary.state, ContainerState::Waiting);
    assert_eq!(b[0].behind, Some((first, record("a"))));

    let of = async |key| {
        let found = store
            .records_of_key(&action(), &OrderingKey::new(key), 10)
            .await;
        let found = found.expect("records");
        found
            .iter()
            .map(|id| id.expose().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(of("key:p").await, ["a", "b"]);
    assert_eq!(of("key:q").await, ["c"]);
    assert_eq!(of("key:r").await, [""; 0]);
}

pub(crate) async fn what_was_told_under_a_key_is_found_by_it(backend: &impl Backend) {
    let store = backend.open().await;
    let merge = OrderingKey::several(["key:p", "key:q"]);
    let told = vec![
        keyed_change("a", 1, "key:p"),
        keyed_change("b", 1, "key:p2"),
        keyed_change("c", 1, merge.expose()),
        change("d", 1),
    ];
    notify(&store, 10, told).await;
    notify(&store, 30, vec![keyed_change("e", 1, "key:p")]).await;
    let key = OrderingKey::new("key:p");
    let of = async |limit| {
        let found = store.records_of_key(&action(), &key, limit).await;
        let found = found.expect("records");
        found
            .iter()
            .map(|id| id.expose().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(of(10).await, ["e", "a", "c"]);
    assert_eq!(of(1).await, ["e"]);
}

pub(crate) async fn a_delivery_that_waits_is_known_with_what_it_waits_for(backend: &impl Backend) {
    let store = backend.open().await;
    let told = vec![keyed_change("a", 1, "key:p"), keyed_change("b", 1, "key:p")];
    notify(&store, 10, told).await;
    let behind = async |name| {
        let told = history(&store, name).await.notifications;
        told[0].deliveries[0].behind.clone()
    };
    assert_eq!(behind("a").await, None);
    let first = delivery_id("a", 1, &app()).notification;
    assert_eq!(behind("b").await, Some((first, record("a"))));
}

pub(crate) async fn what_sweeps_think_of_a_record_is_known(backend: &impl Backend) {
    let store = backend.open().await;
    let sweep = FeedKey {
        feed: FeedName::new("reconcile"),
        ..feed()
    };
    let presumed = Change {
        resolution: Resolution::Presume,
        ..change("a", 1)
    };
    let swept = |seconds, absence: Option<Absence>| RoundCommit {
        feed: sweep.clone(),
        absences: absence
            .map(|absence| (record("a"), absence))
            .into_iter()
            .collect(),
        ..round(seconds, Vec::new())
    };
    let whereabouts = async || {
        let known = history(&store, "a").await.known;
        known.expect("is known").whereabouts
    };
    commit(&store, round(10, vec![presumed])).await;
    assert_eq!(whereabouts().await, Whereabouts::Presumed);
    commit(&store, round(20, vec![change("a", 2)])).await;
    assert_eq!(whereabouts().await, Whereabouts::There);
    let missing = swept(30, Some(Absence::Unseen));
    let since = missing.started_at;
    commit(&store, missing).await;
    assert_eq!(whereabouts().await, Whereabouts::UnseenSince(since));
    commit(&store, swept(40, Some(Absence::Held))).await;
    assert_eq!(whereabouts().await, Whereabouts::HeldSince(Some(since)));
    commit(&store, swept(50, Some(Absence::OutOfSight))).await;
    assert_eq!(whereabouts().await, Whereabouts::OutOfSight);
    let gone = Change {
        presence: Presence::Gone,
        ..change("a", 3)
    };
    commit(&store, round(60, vec![gone])).await;
    assert_eq!(whereabouts().await, Whereabouts::Gone);
}
