//! All that is known of one record, for people.

use super::{containers, notifications};
use crate::sqlite::error::Result;
use crate::sqlite::ledger;
use crate::sqlite::names::Names;
use rounds_domain::ports::RecordHistory;
use rounds_domain::{ActionName, OrderingKey, RecordId};
use rusqlite::{Connection, params};

/// What the ledger has of a record, and its last containers and notifications, oldest first.
pub(crate) fn of_record(
    connection: &Connection,
    action: &ActionName,
    record: &RecordId,
    limit: usize,
) -> Result<RecordHistory> {
    let Some(action) = Names::Actions.find(connection, action.as_str())? else {
        return Ok(RecordHistory::default());
    };
    let rows = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut history = RecordHistory {
        known: ledger::known(connection, action, record)?,
        containers: containers::of_record(connection, action, record, rows)?,
        notifications: notifications::of_record(connection, action, record, rows)?,
        is_cut: false,
    };
    history.is_cut = history.containers.len() > limit || history.notifications.len() > limit;
    history.containers.truncate(limit);
    history.notifications.truncate(limit);
    history.containers.reverse();
    history.notifications.reverse();
    Ok(history)
}

/// The records of an action that have something of this key, newest first. A merge, which has several keys, is found by each of them
/// while it is open, and afterwards by its first.
pub(crate) fn records_of_key(
    connection: &Connection,
    action: &ActionName,
    key: &OrderingKey,
    limit: usize,
) -> Result<Vec<RecordId>> {
    let Some(action) = Names::Actions.find(connection, action.as_str())? else {
        return Ok(Vec::new());
    };
    // What begins with the key and the separator has it first among several. The condition of the index stands word for word.
    let (from, to) = (
        key.expose().to_owned() + "\u{1f}",
        key.expose().to_owned() + "\u{20}",
    );
    let mut statement = connection.prepare(
        "SELECT record_id FROM (
             SELECT record_id, detected_at AS at FROM containers
             WHERE action = ?1 AND ordering_key = ?2 AND state IN ('waiting', 'due', 'parked')
             UNION ALL
             SELECT c.record_id, c.detected_at FROM container_barriers b JOIN containers c ON c.sequence = b.container
             WHERE b.action = ?1 AND b.ordering_key = ?2
             UNION ALL
             SELECT n.record_id, n.detected_at FROM deliveries d JOIN notifications n ON n.sequence = d.notification
             WHERE n.action = ?1 AND d.ordering_key GLOB 'key:*' AND (d.ordering_key = ?2 OR d.ordering_key >= ?3 AND d.ordering_key < ?4))
         GROUP BY record_id ORDER BY max(at) DESC, record_id LIMIT ?5",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let records = statement.query_map(params![action, key.expose(), from, to, limit], |row| {
        Ok(RecordId::new(row.get::<_, String>(0)?))
    })?;
    Ok(records.collect::<rusqlite::Result<_>>()?)
}
