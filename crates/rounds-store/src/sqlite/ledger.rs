//! What is known of records.
//!
//! One row for each record of an action, whichever feed found it. Beside the version and the last state it remembers what
//! sweeps need: whether the record is known from a sweep's first look only (`presumed`), which round of a sweep showed it
//! last (`swept`), and why it cannot be missed any more (`absence`).
//!
//! Every look-up is by primary key, so a round costs the same however many records are known. Only [`missed`] walks over an
//! action's rows: it belongs to a sweep, which has just read as many records.

use super::codec::{At, VersionBytes};
use super::error::Result;
use super::names::Names;
use super::{bodies, feeds};
use jiff::Timestamp;
use rounds_domain::plan::Missed;
use rounds_domain::ports::{
    DeletionDecision, DeletionFilter, HeldDeletion, KnownRecord, KnownState, PageRequest, Taken,
    Whereabouts,
};
use rounds_domain::{
    self as domain, ActionName, Document, FeedKey, Knowledge, MissedRecord, Partition, RecordId,
    Suspicion, Version,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// What the ledger has of one record.
pub(crate) struct Entry {
    pub(crate) version: Version,
    pub(crate) body: i64,
    pub(crate) is_presumed: bool,
    /// When this version was committed, and in which round of the action.
    pub(crate) seen_at: At,
    pub(crate) round: u64,
    /// Whether it was told that the record is gone.
    pub(crate) is_told_gone: bool,
    /// The partition that told of it last, where it has partitions.
    pub(crate) partition: Option<Partition>,
}

/// The one look-up that every record of every round costs.
pub(crate) const KNOWN: &str = "SELECT version, body, presumed, seen_at, round, absence IS 'told', partition FROM ledger WHERE action = ?1 AND record_id = ?2";

/// The row of a record.
pub(crate) fn entry(
    connection: &Connection,
    action: i64,
    record: &RecordId,
) -> Result<Option<Entry>> {
    let mut statement = connection.prepare_cached(KNOWN)?;
    let found = statement.query_row(params![action, record.expose()], |row| {
        Ok(Entry {
            version: row.get::<_, VersionBytes>(0)?.0,
            body: row.get(1)?,
            is_presumed: row.get(2)?,
            seen_at: row.get(3)?,
            round: row.get(4)?,
            is_told_gone: row.get(5)?,
            partition: row.get::<_, Option<String>>(6)?.map(Partition::new),
        })
    });
    Ok(found.optional()?)
}

/// What is known of these records, in order.
pub(crate) fn knowledge(
    connection: &Connection,
    action: &ActionName,
    records: &[RecordId],
) -> Result<Vec<Knowledge>> {
    let Some(action) = Names::Actions.find(connection, action.as_str())? else {
        return Ok(vec![Knowledge::Unknown; records.len()]);
    };
    records
        .iter()
        .map(|record| {
            Ok(match entry(connection, action, record)? {
                None => Knowledge::Unknown,
                Some(entry) if entry.is_presumed => Knowledge::Presumed(entry.version),
                Some(entry) => Knowledge::Known(entry.version),
            })
        })
        .collect()
}

/// The states of these records as they were seen last, in order.
pub(crate) fn states(
    connection: &Connection,
    action: &ActionName,
    records: &[RecordId],
) -> Result<Vec<Option<Document>>> {
    let Some(action) = Names::Actions.find(connection, action.as_str())? else {
        return Ok(vec![None; records.len()]);
    };
    records
        .iter()
        .map(|record| match entry(connection, action, record)? {
            Some(entry) => bodies::load(connection, entry.body).map(Some),
            None => Ok(None),
        })
        .collect()
}

/// Whether the change query has shown a record, or only a sweep that looked for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Known,
    Presumed,
}

/// Whether a record is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absence {
    /// It is.
    None,
    /// It is gone, and that was told.
    Told,
}

/// What a commit writes of one record.
pub(crate) struct NewEntry<'a> {
    pub(crate) action: i64,
    pub(crate) record_id: &'a RecordId,
    pub(crate) version: Version,
    pub(crate) body: i64,
    pub(crate) seen_at: At,
    pub(crate) round: u64,
    pub(crate) standing: Standing,
    pub(crate) taken: Taken,
    pub(crate) absence: Absence,
    pub(crate) partition: Option<&'a Partition>,
}

/// Writes a record's row.
pub(crate) fn put(connection: &Connection, entry: &NewEntry<'_>) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO ledger (action, record_id, version, body, seen_at, round, presumed, absence, partition,
                                 first_seen_at, first_silent, silent)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?5, ?10, ?10)
             ON CONFLICT DO UPDATE SET version = excluded.version, body = excluded.body, seen_at = excluded.seen_at,
                                       round = excluded.round, presumed = excluded.presumed, absence = excluded.absence,
                                       partition = excluded.partition, silent = excluded.silent,
                                       suspicion = NULL, unseen_at = NULL",
        )?
        .execute(params![
            entry.action,
            entry.record_id.expose(),
            VersionBytes(entry.version),
            entry.body,
            entry.seen_at,
            entry.round,
            entry.standing == Standing::Presumed,
            match entry.absence {
                Absence::None => None,
                Absence::Told => Some("told"),
            },
            entry.partition.map(Partition::expose),
            entry.taken == Taken::Silently,
        ])?;
    Ok(())
}

/// What is known of a record, for people.
pub(crate) fn known(
    connection: &Connection,
    action: i64,
    record: &RecordId,
) -> Result<Option<KnownState>> {
    let mut statement = connection.prepare_cached(
        "SELECT seen_at, presumed, absence, suspicion, unseen_at, partition, first_seen_at, first_silent, silent
         FROM ledger WHERE action = ?1 AND record_id = ?2",
    )?;
    let mut rows = statement.query(params![action, record.expose()])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let taken = |is_silent: Option<bool>| {
        is_silent.map(|is_silent| {
            if is_silent {
                Taken::Silently
            } else {
                Taken::ToTell
            }
        })
    };
    let first_seen_at = row.get::<_, Option<At>>("first_seen_at")?.map(|at| at.0);
    let absence: Option<String> = row.get("absence")?;
    let whereabouts = match (absence.as_deref(), suspicion(row)?) {
        (Some("told"), _) => Whereabouts::Gone,
        (Some(_), _) => Whereabouts::OutOfSight,
        (None, Suspicion::Unseen(at)) => Whereabouts::UnseenSince(at),
        (None, Suspicion::Held) => {
            Whereabouts::HeldSince(row.get::<_, Option<At>>("unseen_at")?.map(|at| at.0))
        }
        (None, Suspicion::Released) => Whereabouts::Released,
        (None, Suspicion::None) if row.get("presumed")? => Whereabouts::Presumed,
        (None, Suspicion::None) => Whereabouts::There,
    };
    Ok(Some(KnownState {
        first: first_seen_at.zip(taken(row.get("first_silent")?)),
        last: (row.get::<_, At>("seen_at")?.0, taken(row.get("silent")?)),
        whereabouts,
        partition: row
            .get::<_, Option<String>>("partition")?
            .map(Partition::new),
    }))
}

/// Some records of an action, as many as `limit`.
pub(crate) fn sample(
    connection: &Connection,
    action: &ActionName,
    limit: usize,
) -> Result<Vec<KnownRecord>> {
    let Some(action) = Names::Actions.find(connection, action.as_str())? else {
        return Ok(Vec::new());
    };
    let mut statement = connection
        .prepare("SELECT record_id, partition, body FROM ledger WHERE action = ?1 LIMIT ?2")?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![action, limit])?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(KnownRecord {
            id: RecordId::new(row.get::<_, String>(0)?),
            partition: row.get::<_, Option<String>>(1)?.map(Partition::new),
            record: bodies::load(connection, row.get(2)?)?,
        });
    }
    Ok(records)
}

/// Forgets all that is known of an action's records. Containers keep the states that they tell of.
pub(crate) fn forget(connection: &Connection, action: i64) -> Result<()> {
    connection.execute(
        "DELETE FROM bodies WHERE id IN (SELECT body FROM ledger WHERE action = ?1)
         AND id NOT IN (SELECT record_body FROM containers WHERE action = ?1)
         AND id NOT IN (SELECT previous_body FROM containers WHERE action = ?1 AND previous_body IS NOT NULL)",
        [action],
    )?;
    connection.execute("DELETE FROM ledger WHERE action = ?1", [action])?;
    connection.execute("DELETE FROM views WHERE action = ?1", [action])?;
    connection.execute(
        "UPDATE actions SET known_records = 0 WHERE id = ?1",
        [action],
    )?;
    Ok(())
}

/// Notes that a sweep's round showed these.
pub(crate) fn mark_shown(
    connection: &Connection,
    action: i64,
    round: u64,
    records: &[RecordId],
) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "UPDATE ledger SET swept = ?3, absence = NULL, suspicion = NULL, unseen_at = NULL WHERE action = ?1 AND record_id = ?2",
    )?;
    for record in records {
        statement.execute(params![action, record.expose(), round])?;
    }
    Ok(())
}

/// Notes what is thought of records that a sweep which began at `began` did not show.
pub(crate) fn mark_absent(
    connection: &Connection,
    action: i64,
    began: Timestamp,
    records: &[(RecordId, domain::Absence)],
) -> Result<()> {
    for (record, absence) in records {
        let mark = match absence {
            domain::Absence::OutOfSight => {
                "UPDATE ledger SET absence = 'out_of_sight', suspicion = NULL, unseen_at = NULL WHERE action = ?1 AND record_id = ?2 AND ?3 > 0"
            }
            domain::Absence::Unseen => {
                "UPDATE ledger SET suspicion = 'unseen', unseen_at = ?3 WHERE action = ?1 AND record_id = ?2 AND suspicion IS NULL"
            }
            domain::Absence::Held => {
                "UPDATE ledger SET suspicion = 'held', unseen_at = coalesce(unseen_at, ?3)
                 WHERE action = ?1 AND record_id = ?2 AND suspicion IS NOT 'released'"
            }
        };
        connection
            .prepare_cached(mark)?
            .execute(params![action, record.expose(), At(began)])?;
    }
    Ok(())
}

/// What the feed's round that began at `round` should have shown and has not.
pub(crate) fn missed(
    connection: &Connection,
    feed: &FeedKey,
    round: Timestamp,
    missed: Missed,
    after: Option<&RecordId>,
    limit: usize,
) -> Result<Vec<MissedRecord>> {
    let Some(action) = Names::Actions.find(connection, feed.action.as_str())? else {
        return Ok(Vec::new());
    };
    let Some(number) = feeds::round_begun_at(connection, action, feed, round)? else {
        return Ok(Vec::new());
    };
    // No sweep has the number 0, so "swept before" is "more than 0".
    let swept_at_least: u64 = match missed {
        Missed::EveryKnownRecord => 0,
        Missed::SweptBefore => 1,
    };
    let mut statement = connection.prepare_cached(
        "SELECT record_id, version, body, suspicion, unseen_at FROM ledger
         WHERE action = ?1 AND record_id > ?2 AND swept <> ?3 AND swept >= ?4 AND absence IS NULL AND seen_at < ?5
         ORDER BY record_id LIMIT ?6",
    )?;
    let mut rows = statement.query(params![
        action,
        after.map_or("", RecordId::expose),
        number,
        swept_at_least,
        At(round),
        i64::try_from(limit).unwrap_or(i64::MAX),
    ])?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(MissedRecord {
            id: RecordId::new(row.get::<_, String>(0)?),
            version: row.get::<_, VersionBytes>(1)?.0,
            record: bodies::load(connection, row.get(2)?)?,
            suspicion: suspicion(row)?,
        });
    }
    Ok(records)
}

fn suspicion(row: &Row<'_>) -> Result<Suspicion> {
    let word = row.get::<_, Option<String>>("suspicion")?;
    let unseen_at = row.get::<_, Option<At>>("unseen_at")?;
    Ok(match (word.as_deref(), unseen_at) {
        (Some("held"), _) => Suspicion::Held,
        (Some("released"), _) => Suspicion::Released,
        (_, Some(at)) => Suspicion::Unseen(at.0),
        (_, None) => Suspicion::None,
    })
}

/// Records whose deletions are held back, or were released and not told yet, by action and id.
pub(crate) fn held(
    connection: &Connection,
    filter: &DeletionFilter,
    page: PageRequest,
) -> Result<Vec<HeldDeletion>> {
    let mut statement = connection.prepare(
        "SELECT a.name, l.record_id, l.suspicion, l.unseen_at FROM ledger l JOIN actions a ON a.id = l.action
         WHERE l.suspicion IN ('held', 'released') AND (?1 IS NULL OR a.name = ?1) AND (?2 IS NULL OR l.record_id = ?2)
         ORDER BY a.name, l.record_id LIMIT ?3 OFFSET ?4",
    )?;
    let number = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![
        filter.action.as_ref().map(ActionName::as_str),
        filter.record_id.as_ref().map(RecordId::expose),
        number(page.limit),
        number(page.offset),
    ])?;
    let mut held = Vec::new();
    while let Some(row) = rows.next()? {
        held.push(HeldDeletion {
            action: ActionName::new(row.get::<_, String>(0)?),
            record_id: RecordId::new(row.get::<_, String>(1)?),
            is_released: suspicion(row)? == Suspicion::Released,
            unseen_at: row.get::<_, Option<At>>(3)?.map(|at| at.0),
        });
    }
    Ok(held)
}

/// Says of records whose deletions are held back that they are gone, or that they are not to be missed any more.
pub(crate) fn decide(
    connection: &Connection,
    filter: &DeletionFilter,
    decision: DeletionDecision,
) -> Result<u64> {
    let (set, states) = match decision {
        DeletionDecision::Release => ("suspicion = 'released'", "('held')"),
        DeletionDecision::Forget => (
            "absence = 'out_of_sight', suspicion = NULL, unseen_at = NULL",
            "('held', 'released')",
        ),
    };
    let changed = connection
        .prepare(&format!(
            "UPDATE ledger SET {set} WHERE suspicion IN {states}
             AND (?1 IS NULL OR action = (SELECT id FROM actions WHERE name = ?1)) AND (?2 IS NULL OR record_id = ?2)"
        ))?
        .execute(params![
            filter.action.as_ref().map(ActionName::as_str),
            filter.record_id.as_ref().map(RecordId::expose),
        ])?;
    Ok(u64::try_from(changed).unwrap_or(u64::MAX))
}
