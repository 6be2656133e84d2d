//! The commit of a round (law 1).
//!
//! The ledger decides. A change whose version it has is counted as known and touches nothing, so a commit may be
//! tried again, and an overlap is silent. A change that was asked for before another feed of the action told of the same
//! record is contested: nobody can say which of the two states is the newer, so it is left alone, and a cursor that would
//! pass it stays where it is.

use super::codec::{At, CodeText, ContainerWord, FormerWord, KindWord, VersionBytes};
use super::error::Result;
use super::ledger::{self, Absence, Entry, NewEntry, Standing};
use super::names::Names;
use super::{bodies, feeds, order, views};
use rounds_domain::ports::Taken;
use rounds_domain::{
    Change, CommitReceipt, ContainerState, Cursor, Partition, Presence, Resolution, RoundCommit,
};
use rusqlite::{Connection, params};
use std::collections::HashSet;

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
        partition: commit.feed.partition.as_ref(),
    };
    let mut receipt = CommitReceipt::default();
    let mut contested = HashSet::new();
    let mut new_records = 0;
    for change in &commit.changes {
        let known = ledger::entry(connection, action, &change.record_id)?;
        let was_shown = !commit.views.is_empty()
            && views::find(connection, action, &commit.feed.feed, &change.record_id)?
                == Some(change.version);
        let verdict = if was_shown {
            Verdict::Known
        } else {
            standing_of(connection, &place, change, known.as_ref())?
        };
        match verdict {
            Verdict::Known => receipt.known += 1,
            Verdict::Contested => {
                receipt.contested += 1;
                contested.insert(&change.record_id);
            }
            Verdict::New => {
                new_records += u64::from(known.is_none());
                receipt.containers += u64::from(!is_silent(&change.resolution));
                receipt.elsewhere += u64::from(was_elsewhere(&place, known.as_ref()));
                take(connection, &place, change, known.as_ref())?;
            }
        }
    }
    if new_records > 0 {
        connection
            .prepare_cached("UPDATE actions SET known_records = known_records + ?2 WHERE id = ?1")?
            .execute(params![action, new_records])?;
    }
    for (record, version) in &commit.views {
        if !contested.contains(record) {
            views::note(connection, action, &commit.feed.feed, record, *version)?;
        }
    }
    ledger::mark_shown(connection, action, round, &commit.shown)?;
    ledger::mark_absent(connection, action, commit.started_at, &commit.absences)?;
    if let Some(cursor) = &commit.cursor
        && (receipt.contested == 0 || !is_position(cursor))
    {
        feeds::move_cursor(connection, action, &commit.feed, cursor)?;
    }
    Ok(receipt)
}

/// Whether what lies behind a cursor is not asked for again. A sweep asks for everything each time.
const fn is_position(cursor: &Cursor) -> bool {
    match cursor {
        Cursor::Time(_)
        | Cursor::Number(_)
        | Cursor::Token(_)
        | Cursor::Baseline(_)
        | Cursor::Queue(_) => true,
        Cursor::Dates { .. } | Cursor::Sweep => false,
    }
}

/// What all changes of a commit share.
struct Place<'c> {
    action: i64,
    lane: i64,
    round: u64,
    committed_at: At,
    partition: Option<&'c Partition>,
}

enum Verdict {
    New,
    Known,
    Contested,
}

fn standing_of(
    connection: &Connection,
    place: &Place<'_>,
    change: &Change,
    known: Option<&Entry>,
) -> Result<Verdict> {
    let Some(known) = known else {
        return Ok(Verdict::New);
    };
    let only_presumed = known.is_presumed && change.resolution != Resolution::Presume;
    if known.version == change.version && !only_presumed {
        return Ok(Verdict::Known);
    }
    // A tombstone after a sweep that missed the record, or the other way round: it is gone once.
    if change.presence == Presence::Gone && known.is_told_gone {
        return Ok(Verdict::Known);
    }
    if is_told(connection, change)? {
        return Ok(Verdict::Known);
    }
    let was_overtaken = known.round != place.round && known.seen_at >= At(change.read_at);
    Ok(match (was_overtaken, known.version == change.version) {
        (false, _) | (true, true) => Verdict::New,
        // Whichever is the newer, nothing of it was to be told; a first round must not be made again for it.
        (true, false) if is_silent(&change.resolution) => Verdict::Known,
        (true, false) => Verdict::Contested,
    })
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

const fn is_silent(resolution: &Resolution) -> bool {
    match resolution {
        Resolution::Baseline | Resolution::Presume => true,
        Resolution::Tell | Resolution::Dead { .. } => false,
    }
}

/// Whether another partition told of the record before.
fn was_elsewhere(place: &Place<'_>, known: Option<&Entry>) -> bool {
    let before = known.and_then(|known| known.partition.as_ref());
    matches!((before, place.partition), (Some(before), Some(now)) if before != now)
}

/// Writes a change that is new.
fn take(
    connection: &Connection,
    place: &Place<'_>,
    change: &Change,
    known: Option<&Entry>,
) -> Result<()> {
    let body = bodies::insert(connection, &change.record)?;
    // A state that was only presumed and is told now was never told before: it has no former state.
    let previous = known
        .filter(|known| known.version != change.version)
        .map(|known| known.body);
    // A sweep over all partitions does not know them; who told of the record before does.
    let partition = (place.partition).or_else(|| known.and_then(|known| known.partition.as_ref()));
    match &change.resolution {
        Resolution::Tell => {
            let (queue, keys) = (&order::CONTAINERS, &change.ordering_key);
            let state = if order::is_open(connection, queue, place.action, keys, i64::MAX)? {
                ContainerState::Waiting
            } else {
                ContainerState::Due
            };
            let made = Made {
                body,
                previous,
                partition,
                state,
                reason: None,
            };
            insert_container(connection, place, change, &made)?;
            let row = connection.last_insert_rowid();
            order::enter(connection, queue, place.action, keys, row)?;
        }
        Resolution::Dead { code, reason } => {
            let reason = Some((CodeText(*code), reason.as_str()));
            let state = ContainerState::Dead;
            let made = Made {
                body,
                previous,
                partition,
                state,
                reason,
            };
            insert_container(connection, place, change, &made)?;
        }
        Resolution::Baseline | Resolution::Presume => {}
    }
    ledger::put(
        connection,
        &NewEntry {
            action: place.action,
            record_id: &change.record_id,
            version: change.version,
            body,
            seen_at: place.committed_at,
            round: place.round,
            standing: match change.resolution {
                Resolution::Presume => Standing::Presumed,
                _ => Standing::Known,
            },
            taken: if is_silent(&change.resolution) {
                Taken::Silently
            } else {
                Taken::ToTell
            },
            absence: match change.presence {
                Presence::There => Absence::None,
                Presence::Gone => Absence::Told,
            },
            partition,
        },
    )?;
    match known {
        // Nobody may be left who holds the former state.
        Some(known) => bodies::release(
            connection,
            place.action,
            change.record_id.expose(),
            known.body,
        ),
        None => Ok(()),
    }
}

/// A container beside its change.
struct Made<'m> {
    body: i64,
    previous: Option<i64>,
    partition: Option<&'m Partition>,
    state: ContainerState,
    reason: Option<(CodeText, &'m str)>,
}

fn insert_container(
    connection: &Connection,
    place: &Place<'_>,
    change: &Change,
    made: &Made<'_>,
) -> Result<()> {
    let (kind, former) = change.kind(made.previous.is_some());
    connection
        .prepare_cached(
            "INSERT INTO containers
                 (id, action, lane, round, record_id, version, kind, ordering_key, record_body, previous_body,
                  state, due_at, reason_code, reason, detected_at, partition, former)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?12, ?15, ?16)",
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
            made.body,
            made.previous,
            ContainerWord(made.state),
            place.committed_at,
            made.reason.map(|(code, _)| code),
            made.reason.map(|(_, words)| words),
            made.partition.map(Partition::expose),
            FormerWord(former),
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
