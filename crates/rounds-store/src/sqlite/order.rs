//! Who is first of an ordering key.
//!
//! The invariant of both queues: *the first open row of a key never waits*. Rows enter as waiting when an open one of
//! their key is before them ([`container_is_open`], [`delivery_is_open`]), and whatever takes a row out of the open ones
//! calls [`promote_container`] or [`promote_delivery`]. Both read the index of open rows only, whose condition stands
//! word for word in each query because `SQLite` uses a partial index for nothing less.

use super::error::Result;
use rusqlite::{Connection, params};

/// Whether a container of this key with a number below `before` is waiting, due or parked.
pub(crate) fn container_is_open(
    connection: &Connection,
    action: i64,
    ordering_key: &str,
    before: i64,
) -> Result<bool> {
    let mut statement = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM containers
                        WHERE action = ?1 AND ordering_key = ?2 AND sequence < ?3
                          AND state IN ('waiting', 'due', 'parked'))",
    )?;
    Ok(statement.query_row(params![action, ordering_key, before], |row| row.get(0))?)
}

/// Makes the first open container of a key due, if it waits.
pub(crate) fn promote_container(
    connection: &Connection,
    action: i64,
    ordering_key: &str,
) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE containers SET state = 'due'
             WHERE sequence = (SELECT min(sequence) FROM containers
                               WHERE action = ?1 AND ordering_key = ?2
                                 AND state IN ('waiting', 'due', 'parked'))
               AND state = 'waiting'",
        )?
        .execute(params![action, ordering_key])?;
    Ok(())
}

/// Whether a delivery of this key with a number below `before` is waiting or due.
pub(crate) fn delivery_is_open(
    connection: &Connection,
    destination: i64,
    ordering_key: &str,
    before: i64,
) -> Result<bool> {
    let mut statement = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM deliveries
                        WHERE destination = ?1 AND ordering_key = ?2 AND sequence < ?3
                          AND state IN ('waiting', 'due'))",
    )?;
    Ok(statement.query_row(params![destination, ordering_key, before], |row| row.get(0))?)
}

/// Makes the first open delivery of a key due, if it waits.
pub(crate) fn promote_delivery(
    connection: &Connection,
    destination: i64,
    ordering_key: &str,
) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE deliveries SET state = 'due'
             WHERE sequence = (SELECT min(sequence) FROM deliveries
                               WHERE destination = ?1 AND ordering_key = ?2
                                 AND state IN ('waiting', 'due'))
               AND state = 'waiting'",
        )?
        .execute(params![destination, ordering_key])?;
    Ok(())
}
