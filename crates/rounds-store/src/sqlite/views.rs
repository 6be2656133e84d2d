//! What each of several change queries of an action showed last of a record.
//!
//! The ledger has one state of a record, whichever feed told it. Where an EHR's list of deleted records and its list of
//! present ones both show a record, within their overlaps and for as long as nothing newer comes, each would find that the
//! ledger has the other's state and tell its own again, for ever. So a change query tells only what differs from
//! what it showed last itself.

use super::codec::VersionBytes;
use super::error::Result;
use super::names::Names;
use rounds_domain::{FeedKey, FeedName, RecordId, Version};
use rusqlite::{Connection, OptionalExtension, params};

/// What this feed showed last of these records, in order.
pub(crate) fn of_feed(
    connection: &Connection,
    feed: &FeedKey,
    records: &[RecordId],
) -> Result<Vec<Option<Version>>> {
    let Some(action) = Names::Actions.find(connection, feed.action.as_str())? else {
        return Ok(vec![None; records.len()]);
    };
    (records.iter())
        .map(|record| find(connection, action, &feed.feed, record))
        .collect()
}

/// What this feed showed last of a record.
pub(crate) fn find(
    connection: &Connection,
    action: i64,
    feed: &FeedName,
    record: &RecordId,
) -> Result<Option<Version>> {
    let mut statement = connection.prepare_cached(
        "SELECT version FROM views WHERE action = ?1 AND feed = ?2 AND record_id = ?3",
    )?;
    let found = statement.query_row(params![action, feed.as_str(), record.expose()], |row| {
        row.get::<_, VersionBytes>(0)
    });
    Ok(found.optional()?.map(|version| version.0))
}

/// Notes what this feed shows now.
pub(crate) fn note(
    connection: &Connection,
    action: i64,
    feed: &FeedName,
    record: &RecordId,
    version: Version,
) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO views (action, feed, record_id, version) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET version = excluded.version",
        )?
        .execute(params![
            action,
            feed.as_str(),
            record.expose(),
            VersionBytes(version),
        ])?;
    Ok(())
}
