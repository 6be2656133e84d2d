//! The commit of a round.

use super::Backend;
use crate::support::*;
use rounds_domain::ports::{ContainerFilter, Operations, PageRequest, Store};
use rounds_domain::{
    ChangeKind, Code, ContainerState, Cursor, FeedKey, FeedName, FeedState, Finding, FindingUpdate,
    Knowledge, Partition, Phi, QueueState, Resolution, RoundCommit, RoundCounts, RoundEnd,
    RoundFailure, Sighting,
};

async fn feed_state(store: &impl Store) -> FeedState {
    let states = store.feed_states(&[feed()]).await.expect("states");
    states.into_iter().next().expect("one state")
}

pub(crate) async fn a_feed_that_was_never_run_has_the_default_state(backend: &impl Backend) {
    let store = backend.open().await;
    assert_eq!(feed_state(&store).await, FeedState::default());
    commit(&store, round(0, vec![])).await;
    let other = FeedKey {
        feed: FeedName::new("other"),
        ..feed()
    };
    let states = store.feed_states(&[other, feed()]).await.expect("states");
    assert_eq!(states[0], FeedState::default());
    assert_eq!(states[1].rounds, 1);
}

pub(crate) async fn a_change_becomes_a_container_and_a_ledger_entry(backend: &impl Backend) {
    let store = backend.open().await;
    assert_eq!(commit(&store, round(5, vec![change("a", 1)])).await, (1, 0));
    let known = store
        .known_versions(&action(), &[record("b"), record("a")])
        .await
        .expect("versions");
    assert_eq!(known, [Knowledge::Unknown, Knowledge::Known(version(1))]);
    let states = store
        .known_records(&action(), &[record("b"), record("a")])
        .await
        .expect("records");
    assert_eq!(states, [None, Some(state("a", 1))]);

    let claimed = claim(&store, 5, ALL).await.items;
    let [container] = claimed.as_slice() else {
        panic!("one container");
    };
    assert_eq!(container.id, container_id("a", 1));
    assert_eq!(container.action, action());
    assert_eq!(container.record_id, record("a"));
    assert_eq!(container.version, version(1));
    assert_eq!(container.kind, ChangeKind::Created);
    assert_eq!(container.ordering_key.expose(), "a");
    assert_eq!(container.record, state("a", 1));
    assert_eq!(container.previous, None);
    assert_eq!(container.detected_at, at(5));
    assert_eq!(container.attempts, 0);
    assert!(container.answers.is_empty());
}

pub(crate) async fn a_repeated_commit_is_harmless(backend: &impl Backend) {
    let store = backend.open().await;
    let found = round(0, vec![change("a", 1), change("b", 1)]);
    assert_eq!(commit(&store, found.clone()).await, (2, 0));
    assert_eq!(commit(&store, found).await, (0, 2));
    assert_eq!(ids(&claim(&store, 0, ALL).await), ["a1", "b1"]);
}

pub(crate) async fn a_commit_repeated_after_the_ledger_went_on_tells_nothing_again(
    backend: &impl Backend,
) {
    let store = backend.open().await;
    notify(&store, 0, vec![change("a", 1)]).await;
    commit(&store, round(1, vec![change("a", 2)])).await;
    // The first was told and is gone, the second is on its way, and the ledger has the second.
    let again = round(2, vec![change("a", 1), change("a", 2)]);
    assert_eq!(commit(&store, again).await, (0, 2));
    let known = store.known_versions(&action(), &[record("a")]).await;
    assert_eq!(known.expect("versions"), [Knowledge::Known(version(2))]);
}

pub(crate) async fn the_previous_state_is_the_ledgers_at_the_commit(backend: &impl Backend) {
    let store = backend.open().await;
    notify(&store, 0, vec![change("a", 1)]).await;
    commit(&store, round(1, vec![change("a", 2)])).await;
    commit(&store, round(2, vec![change("a", 3)])).await;
    for number in [2, 3] {
        let claimed = claim(&store, 2, ALL).await.items;
        let [container] = claimed.as_slice() else {
            panic!("one container");
        };
        assert_eq!(container.kind, ChangeKind::Updated);
        assert_eq!(container.record, state("a", number));
        assert_eq!(container.previous, Some(state("a", number - 1)));
        settle(&store, vec![notified(container, 2, &[])]).await;
    }
}

pub(crate) async fn one_record_twice_in_a_commit_is_told_twice_in_order(backend: &impl Backend) {
    let store = backend.open().await;
    let both = round(0, vec![change("a", 1), change("a", 2)]);
    assert_eq!(commit(&store, both).await, (2, 0));
    let first = claim(&store, 0, ALL).await;
    assert_eq!(ids(&first), ["a1"]);
    settle(&store, vec![notified(&first.items[0], 0, &[])]).await;
    let second = claim(&store, 0, ALL).await;
    assert_eq!(ids(&second), ["a2"]);
    assert_eq!(second.items[0].previous, Some(state("a", 1)));
}

pub(crate) async fn a_baseline_enters_the_ledger_silently(backend: &impl Backend) {
    let store = backend.open().await;
    let silent = |number| {
        let mut change = change("a", number);
        change.resolution = Resolution::Baseline;
        change
    };
    assert_eq!(commit(&store, round(0, vec![silent(1)])).await, (0, 0));
    assert_eq!(commit(&store, round(1, vec![silent(2)])).await, (0, 0));
    assert_eq!(commit(&store, round(2, vec![silent(2)])).await, (0, 1));
    assert!(claim(&store, 2, ALL).await.items.is_empty());
    commit(&store, round(3, vec![change("a", 3)])).await;
    let claimed = claim(&store, 3, ALL).await.items;
    assert_eq!(claimed[0].kind, ChangeKind::Updated);
    assert_eq!(claimed[0].previous, Some(state("a", 2)));
}

pub(crate) async fn a_change_that_cannot_be_told_is_dead_at_once(backend: &impl Backend) {
    let store = backend.open().await;
    let mut hopeless = change("a", 1);
    hopeless.resolution = Resolution::Dead {
        code: TROUBLE,
        reason: "it has no identity".to_owned(),
    };
    commit(&store, round(0, vec![hopeless, change("a", 2)])).await;
    // It does not hold up what comes after it.
    let next = claim(&store, 0, ALL).await;
    assert_eq!(ids(&next), ["a2"]);
    assert_eq!(next.items[0].previous, Some(state("a", 1)));
    let page = PageRequest {
        offset: 0,
        limit: ALL,
    };
    let listed = store.containers(ContainerFilter::default(), page).await;
    let listed = listed.expect("containers");
    assert_eq!(listed[0].state, ContainerState::Dead);
    assert_eq!(
        listed[0].reason,
        Some(("R0401".to_owned(), "it has no identity".to_owned()))
    );
}

pub(crate) async fn a_commit_is_all_or_nothing(backend: &impl Backend) {
    // Case 55: NIFI-8136, NIFI-12731.
    let store = backend.open().await;
    commit(&store, round(0, vec![change("z", 1)])).await;
    // The last change has the container id of a container of another record: it cannot be written.
    let mut impossible = change("y", 1);
    impossible.container = container_id("x", 1);
    let mut torn = round(1, vec![change("x", 1), impossible]);
    torn.cursor = Some(Cursor::Number("7".to_owned()));
    torn.missed_ticks = 3;
    let before = feed_state(&store).await;
    store.commit_round(torn).await.expect_err("refused");

    assert_eq!(feed_state(&store).await, before);
    let known = store
        .known_versions(&action(), &[record("x"), record("y")])
        .await
        .expect("versions");
    assert_eq!(known, [Knowledge::Unknown, Knowledge::Unknown]);
    assert_eq!(ids(&claim(&store, 9, ALL).await), ["z1"]);
    // And the store goes on.
    assert_eq!(commit(&store, round(2, vec![change("x", 1)])).await, (1, 0));
}

pub(crate) async fn the_end_of_a_round_shows_in_its_feed(backend: &impl Backend) {
    let store = backend.open().await;
    let failure = RoundFailure {
        code: TROUBLE,
        message: "the EHR answered 500".to_owned(),
        hint: Some("ask its operator".to_owned()),
    };
    let ended = |seconds: i64, end: RoundEnd| RoundCommit {
        committed_at: at(seconds + 1),
        missed_ticks: 2,
        counts: RoundCounts {
            records: 3,
            future_dated: 1,
            ..RoundCounts::default()
        },
        end,
        ..round(seconds, vec![])
    };
    for seconds in [10, 20] {
        let failed = ended(seconds, RoundEnd::Failed(failure.clone()));
        commit(&store, failed).await;
    }
    let mut expected = FeedState {
        cursor: None,
        last_started_at: Some(at(20)),
        last_succeeded_at: None,
        failures_in_a_row: 2,
        failure: Some(failure),
        missed_ticks: 4,
        rounds: 0,
        future_dated: 1,
        shown: Some(6),
        ..FeedState::default()
    };
    assert_eq!(feed_state(&store).await, expected);

    let moved = RoundCommit {
        cursor: Some(Cursor::Sweep),
        ..ended(30, RoundEnd::Succeeded)
    };
    commit(&store, moved).await;
    expected.cursor = Some(Cursor::Sweep);
    expected.last_started_at = Some(at(30));
    expected.last_succeeded_at = Some(at(31));
    expected.failures_in_a_row = 0;
    expected.failure = None;
    expected.missed_ticks = 6;
    expected.rounds = 1;
    expected.began_at = Some(at(30));
    expected.shown = Some(9);
    assert_eq!(feed_state(&store).await, expected);

    let next = RoundCommit {
        cursor: Some(Cursor::Sweep),
        ..ended(40, RoundEnd::Succeeded)
    };
    commit(&store, next).await;
    let began_at = feed_state(&store).await.began_at;
    assert_eq!(began_at, Some(at(30)), "it begins once");
}

pub(crate) async fn findings_stay_until_they_are_gone(backend: &impl Backend) {
    let store = backend.open().await;
    let sighting = |code: &'static str, records| Sighting {
        code: Code::new(code),
        records,
        message: format!("{records} records:\nodd"),
        hint: "mend them".to_owned(),
    };
    let found = |seconds, seen: &[Sighting], gone: &[&'static str]| RoundCommit {
        findings: FindingUpdate {
            seen: seen.to_vec(),
            gone: gone.iter().map(|code| Code::new(code)).collect(),
        },
        ..round(seconds, vec![])
    };
    let seen = |findings: &[Finding]| -> Vec<(&'static str, u64, i64, i64)> {
        let row = |finding: &Finding| {
            let Sighting { code, records, .. } = finding.sighting;
            let (first, last) = (finding.first_seen_at, finding.last_seen_at);
            (
                code.as_str(),
                records,
                first.duration_since(at(0)).as_secs(),
                last.duration_since(at(0)).as_secs(),
            )
        };
        findings.iter().map(row).collect()
    };
    commit(
        &store,
        found(10, &[sighting("R0374", 3), sighting("R0370", 1)], &[]),
    )
    .await;
    commit(&store, found(20, &[sighting("R0374", 5)], &[])).await;
    commit(&store, round(30, vec![change("a", 1)])).await;
    let state = feed_state(&store).await;
    assert_eq!(
        seen(&state.findings),
        [("R0370", 1, 10, 10), ("R0374", 5, 10, 20)]
    );
    assert!(
        !state.findings[0].sighting.message.contains('\n'),
        "a forged line"
    );

    let store = backend.reopen(store).await;
    commit(&store, found(40, &[], &["R0374"])).await;
    assert_eq!(
        seen(&feed_state(&store).await.findings),
        [("R0370", 1, 10, 10)]
    );
    // Seen again after it was gone, it is new.
    commit(&store, found(50, &[sighting("R0374", 2)], &[])).await;
    let overview = store.overview().await.expect("an overview");
    let (_, state) = &overview.actions[0].feeds[0];
    assert_eq!(
        seen(&state.findings),
        [("R0370", 1, 10, 10), ("R0374", 2, 50, 50)]
    );

    // Another feed of the action, and a partition of this one, have none of their own.
    let other = feed().of_partition(Partition::new("north"));
    let states = store.feed_states(&[other]).await.expect("states");
    assert_eq!(states[0].findings, []);
}

pub(crate) async fn a_round_in_parts_is_one_round(backend: &impl Backend) {
    let store = backend.open().await;
    let part = |name: &str, end: RoundEnd| RoundCommit {
        counts: RoundCounts {
            future_dated: 2,
            ..RoundCounts::default()
        },
        end,
        ..round(0, vec![change(name, 1)])
    };
    commit(&store, part("a", RoundEnd::Unfinished)).await;
    let unfinished = feed_state(&store).await;
    assert_eq!(unfinished.rounds, 0);
    assert_eq!(unfinished.cursor, None);
    let last = RoundCommit {
        cursor: Some(Cursor::Number("2".to_owned())),
        ..part("b", RoundEnd::Succeeded)
    };
    commit(&store, last).await;
    let done = feed_state(&store).await;
    assert_eq!(done.rounds, 1);
    assert_eq!(done.cursor, Some(Cursor::Number("2".to_owned())));
    assert_eq!(done.future_dated, 4);
    let claimed = claim(&store, 0, ALL).await.items;
    assert_eq!(claimed[0].round, claimed[1].round);
}

pub(crate) async fn every_round_has_its_own_number(backend: &impl Backend) {
    let store = backend.open().await;
    let failed = RoundCommit {
        end: RoundEnd::Failed(RoundFailure {
            code: TROUBLE,
            message: "the second page was HTML".to_owned(),
            hint: None,
        }),
        ..round(0, vec![change("a", 1)])
    };
    commit(&store, failed).await;
    commit(&store, round(1, vec![change("b", 1)])).await;
    let other_feed = RoundCommit {
        feed: FeedKey {
            feed: FeedName::new("deleted"),
            ..feed()
        },
        ..round(1, vec![change("c", 1)])
    };
    commit(&store, other_feed).await;
    let claimed = claim(&store, 1, ALL).await.items;
    let mut numbers: Vec<u64> = claimed.iter().map(|container| container.round).collect();
    numbers.dedup();
    assert_eq!(numbers.len(), 3);
}

pub(crate) async fn every_kind_of_cursor_is_kept(backend: &impl Backend) {
    let store = backend.open().await;
    let cursors = [
        Cursor::Time("2026-11-23T10:20:30.123456789Z".parse().expect("time")),
        Cursor::Time("9999-12-30T00:00:00Z".parse().expect("time")),
        Cursor::Number("340282366920938463463374607431768211456".to_owned()),
        Cursor::Token(Phi::new("opaque é\u{0}".to_owned())),
        Cursor::Queue(QueueState::Taking {
            since: "2026-11-23T10:20:30.123456789Z".parse().expect("time"),
        }),
        Cursor::Queue(QueueState::Settled),
        Cursor::Baseline(Box::new(Cursor::Number("1000".to_owned()))),
        Cursor::Baseline(Box::new(Cursor::Token(Phi::new("a/b=".to_owned())))),
        Cursor::Sweep,
    ];
    for (seconds, cursor) in (0..).zip(cursors) {
        let moved = RoundCommit {
            cursor: Some(cursor.clone()),
            ..round(seconds, vec![])
        };
        commit(&store, moved).await;
        assert_eq!(feed_state(&store).await.cursor, Some(cursor.clone()));
        // A round that does not move it keeps it.
        commit(&store, round(seconds, vec![])).await;
        assert_eq!(feed_state(&store).await.cursor, Some(cursor));
    }
}

pub(crate) async fn a_container_knows_the_partition_that_showed_its_record(backend: &impl Backend) {
    let store = backend.open().await;
    let shown_by = |partition: &str, seconds, change| RoundCommit {
        feed: feed().of_partition(Partition::new(partition)),
        ..round(seconds, vec![change])
    };
    let mut elsewhere = Vec::new();
    for commit in [
        shown_by("north", 1, keyed_change("a", 1, "key1")),
        shown_by("north", 2, keyed_change("a", 2, "key2")),
        shown_by("south", 3, keyed_change("a", 3, "key3")),
        // Whoever asks for all partitions at once does not know them.
        round(4, vec![keyed_change("a", 4, "key4")]),
    ] {
        let receipt = store.commit_round(commit).await.expect("a commit");
        elsewhere.push(receipt.elsewhere);
    }
    assert_eq!(elsewhere, [0, 0, 1, 0]);
    let partitions = claim(&store, 5, ALL)
        .await
        .items
        .into_iter()
        .map(|told| told.partition);
    let wanted = ["north", "north", "south", "south"].map(|name| Some(Partition::new(name)));
    assert_eq!(partitions.collect::<Vec<_>>(), wanted);
}
