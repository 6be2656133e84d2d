//! Several change queries that tell of the same records.

use super::Backend;
use crate::support::*;
use rounds_domain::ports::Store;
use rounds_domain::{Change, FeedKey, FeedName, RoundCommit};

fn feed(name: &str) -> FeedKey {
    FeedKey {
        feed: FeedName::new(name),
        ..round(0, Vec::new()).feed
    }
}

/// A round of this feed that shows what it tells.
fn showing(name: &str, seconds: i64, changes: Vec<Change>) -> RoundCommit {
    RoundCommit {
        feed: feed(name),
        views: (changes.iter())
            .map(|change| (change.record_id.clone(), change.version))
            .collect(),
        ..round(seconds, changes)
    }
}

pub(crate) async fn feeds_that_show_two_states_of_a_record_do_not_take_turns(
    backend: &impl Backend,
) {
    let store = backend.open().await;
    let told = |name: &'static str, seconds, version| {
        let commit = showing(name, seconds, vec![change("a", version)]);
        let store = &store;
        async move {
            let receipt = store.commit_round(commit).await.expect("committed");
            assert_eq!(receipt.contested, 0);
            receipt.containers
        }
    };
    assert_eq!(told("present", 1, 1).await, 1);
    assert_eq!(told("deleted", 2, 2).await, 1);
    for seconds in 3..6 {
        assert_eq!(told("present", seconds * 10, 1).await, 0);
        assert_eq!(told("deleted", seconds * 10 + 1, 2).await, 0);
    }
    assert_eq!(told("present", 90, 3).await, 1);
    assert_eq!(told("deleted", 91, 2).await, 0);
    // A state that another feed told already is not told again, and is noted all the same.
    assert_eq!(told("deleted", 92, 3).await, 0);
    let shown = store
        .versions_shown(&feed("deleted"), &[record("a"), record("b")])
        .await
        .expect("read");
    assert_eq!(shown, [Some(change("a", 3).version), None]);
}

pub(crate) async fn a_contested_change_leaves_no_view(backend: &impl Backend) {
    let store = backend.open().await;
    let newer = showing("present", 20, vec![change("a", 2)]);
    store.commit_round(newer).await.expect("committed");
    let mut late = change("a", 1);
    late.read_at = at(10);
    let late = showing("deleted", 10, vec![late]);
    let receipt = store.commit_round(late).await.expect("committed");
    assert_eq!((receipt.containers, receipt.contested), (0, 1));
    let shown = store
        .versions_shown(&feed("deleted"), &[record("a")])
        .await
        .expect("read");
    assert_eq!(shown, [None]);
}
