//! What is finished goes, in slices, so that no transaction is long.

use super::codec::At;
use super::containers;
use super::error::Result;
use jiff::Timestamp;
use rusqlite::{Connection, params};

/// How many freed pages a slice gives back to the file system at most.
const VACUUM_PAGES: i64 = 2_000;

/// Removes notifications, then dropped containers, that were finished before this time: `limit` rows at most.
pub(crate) fn prune(
    connection: &Connection,
    finished_before: Timestamp,
    limit: usize,
) -> Result<usize> {
    let notifications = prune_notifications(connection, finished_before, limit)?;
    let containers = prune_containers(connection, finished_before, limit - notifications)?;
    let gone = notifications + containers;
    if gone > 0 {
        // Frees a page for each row that it yields.
        let mut statement =
            connection.prepare(&format!("PRAGMA incremental_vacuum({VACUUM_PAGES})"))?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
    }
    Ok(gone)
}

fn prune_notifications(
    connection: &Connection,
    finished_before: Timestamp,
    limit: usize,
) -> Result<usize> {
    let finished: Vec<(i64, i64)> = connection
        .prepare_cached(
            "SELECT sequence, body FROM notifications
             WHERE finished_at IS NOT NULL AND finished_at < ?1 ORDER BY finished_at, sequence LIMIT ?2",
        )?
        .query_map(params![At(finished_before), rows_limit(limit)], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    for (sequence, body) in &finished {
        // Its deliveries, their attempts and its gaps go along by their foreign keys.
        connection
            .prepare_cached("DELETE FROM notifications WHERE sequence = ?1")?
            .execute([sequence])?;
        connection
            .prepare_cached("DELETE FROM bodies WHERE id = ?1")?
            .execute([body])?;
    }
    Ok(finished.len())
}

fn prune_containers(
    connection: &Connection,
    finished_before: Timestamp,
    limit: usize,
) -> Result<usize> {
    let finished: Vec<i64> = connection
        .prepare_cached(
            "SELECT sequence FROM containers
             WHERE finished_at IS NOT NULL AND finished_at < ?1 ORDER BY finished_at, sequence LIMIT ?2",
        )?
        .query_map(params![At(finished_before), rows_limit(limit)], |row| {
            row.get(0)
        })?
        .collect::<rusqlite::Result<_>>()?;
    for sequence in &finished {
        if let Some(standing) = containers::standing(connection, *sequence)? {
            containers::delete(connection, &standing)?;
        }
    }
    Ok(finished.len())
}

fn rows_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
