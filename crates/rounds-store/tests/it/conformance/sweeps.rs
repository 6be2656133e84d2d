//! Laws of several feeds in one ledger: first looks, overtaking, and what a sweep misses.

use super::Backend;
use crate::support::*;
use rounds_domain::plan::Missed;
use rounds_domain::ports::{DeletionDecision, DeletionFilter, Operations, PageRequest, Store};
use rounds_domain::{
    Absence, Change, ChangeKind, Container, Cursor, FeedKey, FeedName, FeedState, Knowledge,
    Presence, Resolution, RoundCommit, RoundCounts, Suspicion,
};
use std::time::Duration;

fn sweep() -> FeedKey {
    FeedKey {
        feed: FeedName::new("reconcile"),
        ..feed()
    }
}

/// A successful round of the sweep that showed these records.
fn swept(seconds: i64, changes: Vec<Change>, shown: &[&str]) -> RoundCommit {
    RoundCommit {
        feed: sweep(),
        shown: shown.iter().map(|name| record(name)).collect(),
        ..round(seconds, changes)
    }
}

fn presumed(name: &str, number: u8) -> Change {
    Change {
        resolution: Resolution::Presume,
        ..change(name, number)
    }
}

async fn known(store: &impl Store, name: &str) -> Knowledge {
    let known = store.known_versions(&action(), &[record(name)]).await;
    known.expect("knowledge")[0]
}

/// The names of the records that the sweep's round of that time missed.
async fn missed(store: &impl Store, seconds: i64, which: Missed) -> Vec<String> {
    let mut names = Vec::new();
    let mut after = None;
    // Two at a time, so that every law goes over a page's edge.
    loop {
        let page = store
            .missed_records(&sweep(), at(seconds), which, after.as_ref(), 2)
            .await
            .expect("missed records");
        let Some(last) = page.last() else {
            return names;
        };
        after = Some(last.id.clone());
        for found in page {
            let name = found.id.expose();
            assert_eq!(found.record, state(name, found.version.0[0]));
            names.push(name.to_owned());
        }
    }
}

async fn told(store: &impl Store, seconds: i64) -> Vec<Container> {
    claim(store, seconds, ALL).await.items
}

async fn state_of(store: &impl Store, feed: FeedKey) -> FeedState {
    let states = store.feed_states(&[feed]).await.expect("states");
    states.into_iter().next().expect("one state")
}

pub(crate) async fn what_a_first_look_presumes_is_told_when_the_change_query_shows_it(
    backend: &impl Backend,
) {
    let store = backend.open().await;
    let silent = commit(
        &store,
        swept(0, vec![presumed("a", 1), presumed("b", 1)], &["a", "b"]),
    );
    assert_eq!(silent.await, (0, 0));
    assert_eq!(known(&store, "a").await, Knowledge::Presumed(version(1)));
    // A second look finds nothing new, the change query does.
    assert_eq!(
        commit(&store, swept(1, vec![presumed("a", 1)], &["a"])).await,
        (0, 1)
    );
    assert_eq!(commit(&store, round(2, vec![change("a", 1)])).await, (1, 0));
    assert_eq!(known(&store, "a").await, Knowledge::Known(version(1)));
    let containers = told(&store, 3).await;
    assert_eq!(containers.len(), 1);
    assert_eq!(containers[0].id, container_id("a", 1));
    assert_eq!(containers[0].kind, ChangeKind::Created);
    assert!(containers[0].previous.is_none());
    // A baseline of the change query makes it known without a word.
    let baseline = Change {
        resolution: Resolution::Baseline,
        ..change("b", 1)
    };
    assert_eq!(commit(&store, round(4, vec![baseline])).await, (0, 0));
    assert_eq!(known(&store, "b").await, Knowledge::Known(version(1)));
}

pub(crate) async fn a_presumed_record_that_changed_has_a_former_state(backend: &impl Backend) {
    let store = backend.open().await;
    commit(&store, swept(0, vec![presumed("a", 1)], &["a"])).await;
    assert_eq!(commit(&store, round(1, vec![change("a", 2)])).await, (1, 0));
    let containers = told(&store, 2).await;
    assert_eq!(containers[0].kind, ChangeKind::Updated);
    assert_eq!(containers[0].previous, Some(state("a", 1)));
}

pub(crate) async fn a_change_that_another_feed_overtook_is_left_alone_and_the_cursor_stays(
    backend: &impl Backend,
) {
    let store = backend.open().await;
    let asked_at = |seconds, change| Change {
        read_at: at(seconds),
        ..change
    };
    commit(&store, round(10, vec![change("a", 2)])).await;
    // The sweep had asked before, and shows a state that may be older.
    let receipt = store
        .commit_round(swept(9, vec![asked_at(9, change("a", 1))], &["a"]))
        .await
        .expect("a commit");
    assert_eq!((receipt.containers, receipt.contested), (0, 1));
    assert_eq!(known(&store, "a").await, Knowledge::Known(version(2)));
    // The same the other way round: then the change query must ask again.
    commit(&store, swept(20, vec![change("b", 2)], &["b"])).await;
    let late = RoundCommit {
        cursor: Some(Cursor::Time(at(19))),
        ..round(
            21,
            vec![asked_at(19, change("b", 1)), asked_at(19, change("c", 1))],
        )
    };
    let receipt = store.commit_round(late).await.expect("a commit");
    assert_eq!((receipt.containers, receipt.contested), (1, 1));
    assert_eq!(state_of(&store, feed()).await.cursor, None);
    // Asked again afterwards, nothing stands in the way; and a feed does not contest itself.
    let again = RoundCommit {
        cursor: Some(Cursor::Time(at(19))),
        ..round(
            22,
            vec![asked_at(21, change("b", 3)), asked_at(0, change("d", 1))],
        )
    };
    let receipt = store.commit_round(again.clone()).await.expect("a commit");
    assert_eq!((receipt.containers, receipt.contested), (2, 0));
    assert_eq!(
        state_of(&store, feed()).await.cursor,
        Some(Cursor::Time(at(19)))
    );
    let part = RoundCommit {
        changes: vec![asked_at(0, change("d", 2))],
        ..again
    };
    let receipt = store.commit_round(part).await.expect("a commit");
    assert_eq!((receipt.containers, receipt.contested), (1, 0));
}

pub(crate) async fn a_sweep_misses_what_it_did_not_show(backend: &impl Backend) {
    let store = backend.open().await;
    let all = ["a", "b", "c", "d", "e"];
    let changes = all.iter().map(|name| change(name, 1)).collect();
    commit(&store, swept(0, changes, &all)).await;
    assert!(missed(&store, 0, Missed::EveryKnownRecord).await.is_empty());
    commit(&store, swept(10, vec![], &["b", "d"])).await;
    for which in [Missed::EveryKnownRecord, Missed::SweptBefore] {
        assert_eq!(missed(&store, 10, which).await, ["a", "c", "e"]);
    }
    // A round that is not the feed's last one has nothing to say.
    assert!(missed(&store, 0, Missed::EveryKnownRecord).await.is_empty());
    assert!(
        missed(&store, 11, Missed::EveryKnownRecord)
            .await
            .is_empty()
    );
}

pub(crate) async fn what_a_sweep_never_showed_is_missed_only_where_asked_for(
    backend: &impl Backend,
) {
    let store = backend.open().await;
    commit(&store, round(0, vec![change("a", 1), change("b", 1)])).await;
    commit(&store, swept(10, vec![], &["b"])).await;
    assert_eq!(missed(&store, 10, Missed::EveryKnownRecord).await, ["a"]);
    assert!(missed(&store, 10, Missed::SweptBefore).await.is_empty());
    commit(&store, swept(20, vec![], &[])).await;
    assert_eq!(missed(&store, 20, Missed::SweptBefore).await, ["b"]);
}

pub(crate) async fn what_came_or_changed_meanwhile_is_not_missed(backend: &impl Backend) {
    let store = backend.open().await;
    commit(
        &store,
        swept(0, vec![change("a", 1), change("b", 1)], &["a", "b"]),
    )
    .await;
    let sweeping = RoundCommit {
        committed_at: at(15),
        ..swept(10, vec![], &[])
    };
    commit(&store, round(12, vec![change("a", 2), change("c", 1)])).await;
    commit(&store, sweeping).await;
    assert_eq!(missed(&store, 10, Missed::EveryKnownRecord).await, ["b"]);
}

pub(crate) async fn what_is_gone_is_told_once_and_may_come_back(backend: &impl Backend) {
    let store = backend.open().await;
    commit(&store, swept(0, vec![change("a", 1)], &["a"])).await;
    notify(&store, 1, vec![]).await;
    let gone = Change {
        container: container_id("gone", 9),
        version: version(9),
        presence: Presence::Gone,
        ..change("a", 1)
    };
    commit(&store, swept(10, vec![], &[])).await;
    assert_eq!(
        commit(&store, swept(10, vec![gone.clone()], &[])).await,
        (1, 0)
    );
    assert_eq!(commit(&store, swept(10, vec![gone], &[])).await, (0, 1));
    assert!(
        missed(&store, 10, Missed::EveryKnownRecord)
            .await
            .is_empty()
    );
    let containers = told(&store, 11).await;
    let gone = containers
        .iter()
        .find(|container| container.kind == ChangeKind::Deleted);
    assert_eq!(
        gone.expect("the deletion").record,
        state("a", 1),
        "the last that was seen"
    );
    // The very state that it had is news after that.
    let back = Change {
        container: container_id("back", 1),
        ..change("a", 1)
    };
    assert_eq!(commit(&store, swept(20, vec![back], &["a"])).await, (1, 0));
    commit(&store, swept(30, vec![], &[])).await;
    assert_eq!(missed(&store, 30, Missed::SweptBefore).await, ["a"]);
}

pub(crate) async fn what_is_thought_of_a_missed_record_is_kept_until_it_is_shown(
    backend: &impl Backend,
) {
    let store = backend.open().await;
    commit(
        &store,
        swept(
            0,
            vec![change("a", 1), change("b", 1), change("c", 1)],
            &["a", "b", "c"],
        ),
    )
    .await;
    let marked = |seconds, absences: &[(&str, Absence)]| RoundCommit {
        absences: (absences
            .iter()
            .map(|(name, absence)| (record(name), *absence)))
        .collect(),
        ..swept(seconds, vec![], &[])
    };
    let thought = async |seconds| {
        let found = store
            .missed_records(&sweep(), at(seconds), Missed::SweptBefore, None, 10)
            .await
            .expect("missed records");
        found
            .into_iter()
            .map(|found| found.suspicion)
            .collect::<Vec<_>>()
    };
    commit(&store, swept(10, vec![], &["c"])).await;
    assert_eq!(thought(10).await, [Suspicion::None, Suspicion::None]);
    commit(
        &store,
        marked(10, &[("a", Absence::Unseen), ("b", Absence::Unseen)]),
    )
    .await;
    // The first sweep that missed it counts, not the latest.
    commit(
        &store,
        marked(20, &[("a", Absence::Unseen), ("b", Absence::Held)]),
    )
    .await;
    assert_eq!(
        thought(20).await[..2],
        [Suspicion::Unseen(at(10)), Suspicion::Held]
    );

    let all = PageRequest {
        offset: 0,
        limit: 10,
    };
    let held = store
        .held_deletions(DeletionFilter::default(), all)
        .await
        .expect("a list");
    let held: Vec<_> = held
        .iter()
        .map(|held| (held.record_id.expose(), held.is_released, held.unseen_at))
        .collect();
    assert_eq!(held, [("b", false, Some(at(10)))]);
    let release = store
        .decide_deletions(DeletionFilter::default(), DeletionDecision::Release)
        .await;
    assert_eq!(release.expect("is decided"), 1);
    // Who released it is not overruled by the next sweep.
    commit(&store, marked(30, &[("b", Absence::Held)])).await;
    assert_eq!(
        thought(30).await[..2],
        [Suspicion::Unseen(at(10)), Suspicion::Released]
    );

    commit(&store, swept(40, vec![], &["a", "b"])).await;
    commit(&store, swept(50, vec![], &[])).await;
    assert!(
        thought(50)
            .await
            .iter()
            .all(|thought| *thought == Suspicion::None)
    );

    commit(&store, marked(50, &[("c", Absence::Held)])).await;
    let forget = store
        .decide_deletions(DeletionFilter::default(), DeletionDecision::Forget)
        .await;
    assert_eq!(forget.expect("is decided"), 1);
    assert_eq!(missed(&store, 50, Missed::SweptBefore).await, ["a", "b"]);
    let held = store.held_deletions(DeletionFilter::default(), all).await;
    assert!(held.expect("a list").is_empty());
}

pub(crate) async fn what_is_out_of_sight_is_not_missed_until_it_is_shown_again(
    backend: &impl Backend,
) {
    let store = backend.open().await;
    commit(&store, swept(0, vec![change("a", 1)], &["a"])).await;
    let left = RoundCommit {
        absences: vec![(record("a"), Absence::OutOfSight)],
        ..swept(10, vec![], &[])
    };
    commit(&store, left).await;
    assert!(missed(&store, 10, Missed::SweptBefore).await.is_empty());
    commit(&store, swept(20, vec![], &[])).await;
    assert!(missed(&store, 20, Missed::SweptBefore).await.is_empty());
    assert_eq!(known(&store, "a").await, Knowledge::Known(version(1)));
    commit(&store, swept(30, vec![], &["a"])).await;
    commit(&store, swept(40, vec![], &[])).await;
    assert_eq!(missed(&store, 40, Missed::SweptBefore).await, ["a"]);
}

pub(crate) async fn what_sweeps_found_is_added_up(backend: &impl Backend) {
    let store = backend.open().await;
    let counted = |seconds, held_back, late_minutes| RoundCommit {
        counts: RoundCounts {
            late: 1,
            longest_late: Some(Duration::from_mins(late_minutes)),
            undeclared: 2,
            deleted: 3,
            held_back,
            ..RoundCounts::default()
        },
        ..swept(seconds, vec![], &[])
    };
    commit(&store, counted(0, 7, 5)).await;
    commit(&store, counted(10, 1, 90)).await;
    commit(&store, counted(10, 1, 3)).await;
    let FeedState {
        late,
        longest_late,
        undeclared,
        deleted,
        held_back,
        ..
    } = state_of(&store, sweep()).await;
    assert_eq!((late, undeclared, deleted), (3, 6, 9));
    assert_eq!(longest_late, Some(Duration::from_mins(90)));
    assert_eq!(held_back, 2, "of the last round");
}
