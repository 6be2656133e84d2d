//! Who is first of an ordering key.
//!
//! The invariant of both queues: *an open row that is the first of all its keys never waits*. Rows enter by [`enter`], as waiting when
//! an open one of one of their keys is before them, and whatever takes a row out of the open ones calls [`leave`].
//!
//! Nearly every row has one key, which its column `ordering_key` holds. One with several is a barrier: each of its keys stands in
//! a table beside as long as it is open. So a key's open rows are those of the column and those of that table. The queries
//! read indexes of open rows only, whose condition stands word for word in each because `SQLite` uses a partial index for nothing
//! less.

use super::error::Result;
use rounds_domain::OrderingKey;
use rusqlite::{Connection, OptionalExtension, params};

/// One of the two queues, as the texts of its queries. `?1` is the scope within which keys meet, `?2` a key.
pub(crate) struct Queue {
    /// Whether one of the column is open before `?3`, or a barrier.
    is_open: &'static str,
    /// The first open one of the key, if any: `(number, whether it waits, its keys)`.
    first: &'static str,
    /// Makes `?1` due.
    make_due: &'static str,
    /// Notes that the open row `?3` has the key too.
    add_barrier: &'static str,
    /// Forgets the barriers of row `?1`.
    remove_barriers: &'static str,
}

/// Containers; keys meet within an action.
pub(crate) const CONTAINERS: Queue = Queue {
    is_open: "SELECT EXISTS (SELECT 1 FROM containers
                             WHERE action = ?1 AND ordering_key = ?2 AND sequence < ?3
                               AND state IN ('waiting', 'due', 'parked'))
                  OR EXISTS (SELECT 1 FROM container_barriers
                             WHERE action = ?1 AND ordering_key = ?2 AND container < ?3)",
    first: "SELECT sequence, state = 'waiting', ordering_key FROM containers
            WHERE sequence = (SELECT min(sequence) FROM (
                SELECT min(sequence) AS sequence FROM containers
                WHERE action = ?1 AND ordering_key = ?2 AND state IN ('waiting', 'due', 'parked')
                UNION ALL
                SELECT min(container) FROM container_barriers WHERE action = ?1 AND ordering_key = ?2))",
    make_due: "UPDATE containers SET state = 'due' WHERE sequence = ?1",
    add_barrier: "INSERT INTO container_barriers (action, ordering_key, container) VALUES (?1, ?2, ?3)
                  ON CONFLICT DO NOTHING",
    remove_barriers: "DELETE FROM container_barriers WHERE container = ?1",
};

/// Deliveries; keys meet within a destination.
pub(crate) const DELIVERIES: Queue = Queue {
    is_open: "SELECT EXISTS (SELECT 1 FROM deliveries
                             WHERE destination = ?1 AND ordering_key = ?2 AND sequence < ?3
                               AND state IN ('waiting', 'due'))
                  OR EXISTS (SELECT 1 FROM delivery_barriers
                             WHERE destination = ?1 AND ordering_key = ?2 AND delivery < ?3)",
    first: "SELECT sequence, state = 'waiting', ordering_key FROM deliveries
            WHERE sequence = (SELECT min(sequence) FROM (
                SELECT min(sequence) AS sequence FROM deliveries
                WHERE destination = ?1 AND ordering_key = ?2 AND state IN ('waiting', 'due')
                UNION ALL
                SELECT min(delivery) FROM delivery_barriers WHERE destination = ?1 AND ordering_key = ?2))",
    make_due: "UPDATE deliveries SET state = 'due' WHERE sequence = ?1",
    add_barrier: "INSERT INTO delivery_barriers (destination, ordering_key, delivery) VALUES (?1, ?2, ?3)
                  ON CONFLICT DO NOTHING",
    remove_barriers: "DELETE FROM delivery_barriers WHERE delivery = ?1",
};

/// Whether a row of one of these keys with a number below `before` is open.
pub(crate) fn is_open(
    connection: &Connection,
    queue: &Queue,
    scope: i64,
    ordering_key: &OrderingKey,
    before: i64,
) -> Result<bool> {
    let mut statement = connection.prepare_cached(queue.is_open)?;
    for key in ordering_key.keys() {
        if statement.query_row(params![scope, key, before], |row| row.get(0))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Notes the keys of a row that is open from now on, where it has several.
pub(crate) fn enter(
    connection: &Connection,
    queue: &Queue,
    scope: i64,
    ordering_key: &OrderingKey,
    row: i64,
) -> Result<()> {
    if is_barrier(ordering_key) {
        let mut statement = connection.prepare_cached(queue.add_barrier)?;
        for key in ordering_key.keys() {
            statement.execute(params![scope, key, row])?;
        }
    }
    Ok(())
}

/// Makes whatever comes next due, after a row of these keys stopped being open.
pub(crate) fn leave(
    connection: &Connection,
    queue: &Queue,
    scope: i64,
    ordering_key: &OrderingKey,
    row: i64,
) -> Result<()> {
    if is_barrier(ordering_key) {
        connection
            .prepare_cached(queue.remove_barriers)?
            .execute([row])?;
    }
    for key in ordering_key.keys() {
        promote(connection, queue, scope, key)?;
    }
    Ok(())
}

/// Lets the deliveries behind one wait that are due and that nobody has begun.
pub(crate) fn step_back(
    connection: &Connection,
    destination: i64,
    ordering_key: &OrderingKey,
    delivery: i64,
) -> Result<()> {
    const OF_ONE_KEY: &str = "UPDATE deliveries SET state = 'waiting'
         WHERE destination = ?1 AND ordering_key = ?2 AND sequence > ?3
           AND state IN ('waiting', 'due') AND state = 'due' AND claimed_until IS NULL";
    const BARRIERS: &str = "UPDATE deliveries SET state = 'waiting'
         WHERE sequence IN (SELECT delivery FROM delivery_barriers
                            WHERE destination = ?1 AND ordering_key = ?2 AND delivery > ?3)
           AND state = 'due' AND claimed_until IS NULL";
    for key in ordering_key.keys() {
        for text in [OF_ONE_KEY, BARRIERS] {
            connection
                .prepare_cached(text)?
                .execute(params![destination, key, delivery])?;
        }
    }
    Ok(())
}

/// The number of the first open row of a key.
pub(crate) fn first(
    connection: &Connection,
    queue: &Queue,
    scope: i64,
    key: &str,
) -> Result<Option<i64>> {
    let mut statement = connection.prepare_cached(queue.first)?;
    let first = statement.query_row(params![scope, key], |row| row.get(0));
    Ok(first.optional()?)
}

/// Makes the first open row of a key due, if it waits and is the first of its other keys too.
fn promote(connection: &Connection, queue: &Queue, scope: i64, key: &str) -> Result<()> {
    let first = connection
        .prepare_cached(queue.first)?
        .query_row(params![scope, key], |row| {
            let keys = OrderingKey::new(row.get::<_, String>(2)?);
            Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?, keys))
        })
        .optional()?;
    let Some((row, true, keys)) = first else {
        return Ok(());
    };
    if is_barrier(&keys) && is_open(connection, queue, scope, &keys, row)? {
        return Ok(());
    }
    connection.prepare_cached(queue.make_due)?.execute([row])?;
    Ok(())
}

fn is_barrier(ordering_key: &OrderingKey) -> bool {
    ordering_key.keys().nth(1).is_some()
}
