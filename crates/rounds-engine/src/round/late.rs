//! What a sweep finds that the change query should have shown: whether the horizon is long enough.
//!
//! A change that a sweep finds may be new simply because the change query has not been there yet. It is *late* if its date
//! lies before what the change query (or, for a reconciling sweep, the trailing sweep) has passed: then it showed up when
//! nobody looked there any more. It is *undeclared* if the record is known and its date has not moved: no change query can
//! ever show that. Both are counted, so that a user sees whether `horizon` is too short, or the EHR keeps changes to itself.

use super::cursor::{Position, SourceClock};
use super::feed_key;
use super::read::position_of;
use crate::Ports;
use crate::moment::earlier;
use jiff::Timestamp;
use rounds_domain::plan::{Action, CursorRule, Feed, FeedRole};
use rounds_domain::ports::StoreError;
use rounds_domain::{Cursor, FeedState, Partition, RecordId, RoundCounts};
use rounds_map::Json;
use std::sync::Arc;
use std::time::Duration;

/// A change that a sweep is going to tell.
pub(super) struct Found {
    /// Which record.
    pub(super) id: RecordId,
    /// What it says of when it changed.
    pub(super) at: Timestamp,
}

/// Up to where the faster feeds of an action have looked; None for the change query itself, and where it has no dates.
pub(super) async fn passed_before(
    ports: &Ports,
    action: &Action,
    feed: &Feed,
    partition: Option<&Partition>,
) -> Result<Option<Timestamp>, StoreError> {
    let trailing = || {
        action
            .sweeps
            .iter()
            .find(|sweep| sweep.role == FeedRole::Trailing)
    };
    let faster = match feed.role {
        FeedRole::Changes => return Ok(None),
        FeedRole::Trailing => &action.changes,
        FeedRole::Reconcile => trailing().unwrap_or(&action.changes),
    };
    let CursorRule::Time(rule) = &faster.cursor else {
        return Ok(None);
    };
    let mut key = feed_key(action, faster);
    // A sweep without partitions, behind a change query that has them, goes by the query's latest tour.
    key.partition = partition.filter(|_| faster.partitions.is_some()).cloned();
    let states = ports.store.feed_states(&[key]).await?;
    Ok(states.first().and_then(|state: &FeedState| {
        let Some(Cursor::Time(cursor)) = &state.cursor else {
            return None;
        };
        Some(earlier(*cursor, rule.overlap))
    }))
}

/// Counts what is late and what is undeclared among the changes of a page.
pub(super) async fn count(
    ports: &Ports,
    action: &Action,
    feed: &Arc<Feed>,
    found: Vec<Found>,
    passed: Option<Timestamp>,
    clock: SourceClock,
    counts: &mut RoundCounts,
) -> Result<(), StoreError> {
    if found.is_empty() {
        return Ok(());
    }
    let ids: Vec<RecordId> = found.iter().map(|found| found.id.clone()).collect();
    let former = ports.store.known_records(&action.name, &ids).await?;
    let for_reading = Arc::clone(feed);
    let positions = ports.evaluator.run(move || {
        former
            .into_iter()
            .map(
                |former| match former.map(|former| Json::parse(former.bytes())) {
                    Some(Ok(former)) => position_of(&for_reading, &former),
                    _ => Position::NotAsked,
                },
            )
            .collect::<Vec<_>>()
    });
    // Only counted: an evaluator that gave up must not cost a change.
    let positions = positions.await.unwrap_or_default();
    for (found, former) in found.iter().zip(positions) {
        if former == Position::At(found.at) {
            counts.undeclared += 1;
        } else if passed.is_some_and(|passed| found.at < passed) {
            counts.late += 1;
            let by = Duration::try_from(clock.now.duration_since(found.at)).unwrap_or_default();
            counts.longest_late = counts.longest_late.max(Some(by));
        }
    }
    Ok(())
}
