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
use rounds_domain::{ActionName, Document, FeedKey, Knowledge, MissedRecord, RecordId, Version};
use rusqlite::{Connection, OptionalExtension, params};

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
}

/// The one look-up that every record of every round costs.
pub(crate) const KNOWN: &str = "SELECT version, body, presumed, seen_at, round, absence IS 'told' FROM ledger WHERE action = ?1 AND record_id = ?2";

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
    pub(crate) absence: Absence,
}

/// Writes a record's row.
pub(crate) fn put(connection: &Connection, entry: &NewEntry<'_>) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO ledger (action, record_id, version, body, seen_at, round, presumed, absence)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT DO UPDATE SET version = excluded.version, body = excluded.body, seen_at = excluded.seen_at,
                                       round = excluded.round, presumed = excluded.presumed, absence = excluded.absence",
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
        ])?;
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
        "UPDATE ledger SET swept = ?3, absence = NULL WHERE action = ?1 AND record_id = ?2",
    )?;
    for record in records {
        statement.execute(params![action, record.expose(), round])?;
    }
    Ok(())
}

/// Notes that sweeps do not look where these are now.
pub(crate) fn mark_out_of_sight(
    connection: &Connection,
    action: i64,
    records: &[RecordId],
) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "UPDATE ledger SET absence = 'out_of_sight' WHERE action = ?1 AND record_id = ?2",
    )?;
    for record in records {
        statement.execute(params![action, record.expose()])?;
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
        "SELECT record_id, version, body FROM ledger
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
        });
    }
    Ok(records)
}
