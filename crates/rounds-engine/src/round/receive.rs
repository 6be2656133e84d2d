//! What an EHR pushes: the same ledger, the same containers, without a cursor.
//!
//! A push is taken in one commit, and only then answered: what the EHR was told to have arrived is on the disk. Records that the ledger knows in
//! this version are silent, so a push and a poll of one state are told once, whichever comes first, and so is a push that is sent
//! again. Since pushes may overtake each other, one that is dated before what is known is silent too.
//!
//! Pushes and polls are several tellers of the same records: like further change queries, each remembers what it showed last, so that a
//! poll that still shows the state before a push (a search index that lags) does not tell it again.

use super::cursor::Position;
use super::origin::Past;
use super::pending::Pending;
use super::read::{self, ReadRecord};
use super::{Interruption, feed_key, gone};
use crate::Ports;
use crate::round::failure;
use bytes::Bytes;
use rounds_domain::plan::{Action, Feed};
use rounds_domain::ports::{NotTaken, Receipt, StoreError};
use rounds_domain::{
    CommitReceipt, Document, Knowledge, RecordId, Resolution, RoundCommit, RoundCounts, RoundEnd,
    Version,
};
use rounds_map::Json;
use std::sync::Arc;

/// How often a push is tried again that met a round at the very same records.
const MOST_TRIES: usize = 5;

/// Takes a push for an action.
pub(crate) async fn receive(
    ports: &Ports,
    action: &Arc<Action>,
    feed: &Arc<Feed>,
    body: Bytes,
) -> Result<Receipt, NotTaken> {
    let taken = take(ports, action, feed, body).await;
    taken.map_err(|interruption| match interruption {
        Interruption::Failed(failure) | Interruption::Expired(failure) => NotTaken::Unreadable {
            code: failure.code,
            reason: failure.message,
        },
        Interruption::Store(error) => unavailable(&error),
        // Nothing here waits for a job.
        Interruption::Waits => NotTaken::Unknown,
    })
}

fn unavailable(error: &StoreError) -> NotTaken {
    NotTaken::Unavailable {
        code: error.code(),
        reason: error.to_string(),
    }
}

async fn take(
    ports: &Ports,
    action: &Arc<Action>,
    feed: &Arc<Feed>,
    body: Bytes,
) -> Result<Receipt, Interruption> {
    let mut tries = 0;
    loop {
        tries += 1;
        let records = read_beside(ports, action, feed, body.clone()).await?;
        let count = u64::try_from(records.len()).unwrap_or(u64::MAX);
        let receipt = commit(ports, action, feed, records).await?;
        if receipt.contested == 0 || tries == MOST_TRIES {
            return Ok(Receipt {
                told: receipt.containers,
                known: count.saturating_sub(receipt.containers),
            });
        }
    }
}

async fn read_beside(
    ports: &Ports,
    action: &Arc<Action>,
    feed: &Arc<Feed>,
    body: Bytes,
) -> Result<Vec<ReadRecord>, Interruption> {
    let (for_reading, through) = (Arc::clone(action), Arc::clone(feed));
    let read = ports
        .evaluator
        .run(move || read::pushed(&for_reading, &through, &body))
        .await;
    let mut records = read.map_err(|error| failure::not_evaluated("reading a push", error))??;
    gone::complete(ports, action, &mut records).await?;
    Ok(records)
}

async fn commit(
    ports: &Ports,
    action: &Arc<Action>,
    feed: &Arc<Feed>,
    records: Vec<ReadRecord>,
) -> Result<CommitReceipt, Interruption> {
    let key = feed_key(action, feed);
    let (store, name) = (&ports.store, &action.name);
    let ids: Vec<RecordId> = records.iter().map(|record| record.id.clone()).collect();
    let versions = store.known_versions(name, &ids).await?;
    let shown = store.versions_shown(&key, &ids).await?;
    let known = store.known_records(name, &ids).await?;
    // A push says nothing of what was there before; the change query's beginning does.
    let main = store
        .feed_states(&[feed_key(action, &action.changes)])
        .await?;
    let past = Past::of(ports, action, feed, main.first(), None).await?;
    let now = ports.clock.now();
    let mut counts = RoundCounts {
        records: u64::try_from(records.len()).unwrap_or(u64::MAX),
        ..RoundCounts::default()
    };
    let origins = past
        .origins(ports, feed, &records, &versions, &mut counts)
        .await?;
    let mut pending = Pending::default();
    let beside = versions.into_iter().zip(shown).zip(known).zip(origins);
    for (record, (((version, shown), known), origin)) in records.into_iter().zip(beside) {
        let is_known = version == Knowledge::Known(record.version) || shown == Some(record.version);
        if is_known || is_older(feed, &record, known.as_ref()) {
            counts.unchanged += 1;
            continue;
        }
        counts.changed += 1;
        pending.view(record.id.clone(), record.version);
        pending.put(record, origin, Resolution::Tell, now, ports);
    }
    let views: Vec<(RecordId, Version)> = pending.take_views();
    let (changes, _) = pending.take();
    let lane = action.connection.clone();
    let commit = RoundCommit {
        changes,
        views,
        counts,
        ..RoundCommit::of(key, lane, now, now, RoundEnd::Succeeded)
    };
    Ok(store.commit_round(commit).await?)
}

/// Whether a pushed state is dated before the one that is known.
fn is_older(feed: &Feed, pushed: &ReadRecord, known: Option<&Document>) -> bool {
    let known = known.and_then(|known| Json::parse(known.bytes()).ok());
    match (
        known.map(|known| read::position_of(feed, &known)),
        pushed.position,
    ) {
        (Some(Position::At(known)), Position::At(pushed)) => pushed < known,
        _ => false,
    }
}
