//! The commit of a round (law 1).
//!
//! The ledger decides. A change whose version it has is counted as known and touches nothing, so a commit may be
//! tried again, and an overlap is silent. Every look-up is by primary key, so a round costs the same however many
//! records are known.

use super::codec::{At, CodeText, ContainerWord, KindWord, VersionBytes};
use super::error::Result;
use super::names::Names;
use super::{bodies, feeds, order};
use rounds_domain::{
    ActionName, Change, ChangeKind, CommitReceipt, ContainerState, Document, RecordId, Resolution,
    RoundCommit, Version,
};
use rusqlite::{Connection, OptionalExtension, params};

/// What the ledger knows of these records, in order.
pub(crate) fn known_versions(
    connection: &Connection,
    action: &ActionName,
    records: &[RecordId],
) -> Result<Vec<Option<Version>>> {
    let Some(action) = Names::Actions.find(connection, action.as_str())? else {
        return Ok(vec![None; records.len()]);
    };
    records
        .iter()
        .map(|record| Ok(known(connection, action, record)?.map(|known| known.version)))
        .collect()
}

/// The states of these records as the ledger keeps them, in order.
pub(crate) fn known_records(
    connection: &Connection,
    action: &ActionName,
    records: &[RecordId],
) -> Result<Vec<Option<Document>>> {
    let Some(action) = Names::Actions.find(connection, action.as_str())? else {
        return Ok(vec![None; records.len()]);
    };
    records
        .iter()
        .map(|record| match known(connection, action, record)? {
            Some(known) => bodies::load(connection, known.body).map(Some),
            None => Ok(None),
        })
        .collect()
}

/// Ledger, containers and feed of a round or of a part of it.
pub(crate) fn commit(connection: &Connection, commit: &RoundCommit) -> Result<CommitReceipt> {
    let action = Names::Actions.number(connection, commit.feed.action.as_str())?;
    let lane = Names::Lanes.number(connection, commit.lane.as_str())?;
    move_to_lane(connection, action, lane)?;
    let round = feeds::record(connection, action, commit)?;
    let place = Place {
        action,
        lane,
        round,
        committed_at: At(commit.committed_at),
    };
    let mut receipt = CommitReceipt::default();
    let mut new_records = 0;
    for change in &commit.changes {
        let known = known(connection, action, &change.record_id)?;
        if let Some(known) = &known
            && (known.version == change.version || is_told(connection, change)?)
        {
            receipt.known += 1;
            continue;
        }
        new_records += u64::from(known.is_none());
        receipt.containers += u64::from(change.resolution != Resolution::Baseline);
        take(connection, &place, change, known.as_ref())?;
    }
    if new_records > 0 {
        connection
            .prepare_cached("UPDATE actions SET known_records = known_records + ?2 WHERE id = ?1")?
            .execute(params![action, new_records])?;
    }
    Ok(receipt)
}

/// What all changes of a commit share.
struct Place {
    action: i64,
    lane: i64,
    round: u64,
    committed_at: At,
}

/// The one look-up that every record of every round costs.
pub(crate) const KNOWN: &str =
    "SELECT version, body FROM ledger WHERE action = ?1 AND record_id = ?2";

struct Known {
    version: Version,
    body: i64,
}

fn known(connection: &Connection, action: i64, record: &RecordId) -> Result<Option<Known>> {
    let mut statement = connection.prepare_cached(KNOWN)?;
    let found = statement.query_row(params![action, record.expose()], |row| {
        Ok(Known {
            version: row.get::<_, VersionBytes>(0)?.0,
            body: row.get(1)?,
        })
    });
    Ok(found.optional()?)
}

/// Whether this very change was taken before, though the ledger has moved on since: its container is still there, or
/// its notification is.
fn is_told(connection: &Connection, change: &Change) -> Result<bool> {
    let mut statement = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM containers WHERE id = ?1)
             OR EXISTS (SELECT 1 FROM notifications WHERE id = ?2)",
    )?;
    let told = statement.query_row(
        [
            change.container.as_str(),
            change.container.notification_id().as_str(),
        ],
        |row| row.get(0),
    )?;
    Ok(told)
}

/// Writes a change that the ledger does not know.
fn take(
    connection: &Connection,
    place: &Place,
    change: &Change,
    known: Option<&Known>,
) -> Result<()> {
    let body = bodies::insert(connection, &change.record)?;
    let previous = known.map(|known| known.body);
    match &change.resolution {
        Resolution::Tell => {
            let first = !order::container_is_open(
                connection,
                place.action,
                change.ordering_key.expose(),
                i64::MAX,
            )?;
            let state = if first {
                ContainerState::Due
            } else {
                ContainerState::Waiting
            };
            insert_container(connection, place, change, body, previous, state, None)?;
        }
        Resolution::Dead { code, reason } => {
            let reason = Some((CodeText(*code), reason.as_str()));
            let state = ContainerState::Dead;
            insert_container(connection, place, change, body, previous, state, reason)?;
        }
        Resolution::Baseline => {}
    }
    connection
        .prepare_cached(
            "INSERT INTO ledger (action, record_id, version, body, seen_at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET version = excluded.version, body = excluded.body, seen_at = excluded.seen_at",
        )?
        .execute(params![
            place.action,
            change.record_id.expose(),
            VersionBytes(change.version),
            body,
            place.committed_at,
        ])?;
    match previous {
        // Without a container nobody may be left who holds the former state.
        Some(previous) if change.resolution == Resolution::Baseline => bodies::release(
            connection,
            place.action,
            change.record_id.expose(),
            previous,
        ),
        _ => Ok(()),
    }
}

fn insert_container(
    connection: &Connection,
    place: &Place,
    change: &Change,
    body: i64,
    previous: Option<i64>,
    state: ContainerState,
    reason: Option<(CodeText, &str)>,
) -> Result<()> {
    let kind = if previous.is_some() {
        ChangeKind::Updated
    } else {
        ChangeKind::Created
    };
    connection
        .prepare_cached(
            "INSERT INTO containers
                 (id, action, lane, round, record_id, version, kind, ordering_key, record_body, previous_body,
                  state, due_at, reason_code, reason, detected_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?12)",
        )?
        .execute(params![
            change.container.as_str(),
            place.action,
            place.lane,
            place.round,
            change.record_id.expose(),
            VersionBytes(change.version),
            KindWord(kind),
            change.ordering_key.expose(),
            body,
            previous,
            ContainerWord(state),
            place.committed_at,
            reason.map(|(code, _)| code),
            reason.map(|(_, words)| words),
        ])?;
    Ok(())
}

/// Containers wait in the lane of their action's connection. When the user gives the action another connection, those
/// that are there already go along, or nobody would ever claim them.
fn move_to_lane(connection: &Connection, action: i64, lane: i64) -> Result<()> {
    let moved = connection
        .prepare_cached("UPDATE actions SET lane = ?2 WHERE id = ?1 AND lane IS NOT ?2")?
        .execute([action, lane])?;
    if moved > 0 {
        connection
            .prepare_cached("UPDATE containers SET lane = ?2 WHERE action = ?1 AND lane <> ?2")?
            .execute([action, lane])?;
    }
    Ok(())
}
