//! Notifications and what is owed of them.

use super::codec::{At, DeliveryWord, FormerWord, KindWord, PathList, VersionBytes};
use super::error::Result;
use super::names::Names;
use super::{bodies, order};
use jiff::Timestamp;
use rounds_domain::{
    DeliveryOrder, DeliveryState, Gap, LookupName, Notification, OrderingKey, Owed,
};
use rusqlite::{Connection, params};

/// Writes a notification and a delivery for each destination.
pub(crate) fn insert(
    connection: &Connection,
    action: i64,
    notification: &Notification,
    destinations: &[Owed],
) -> Result<()> {
    let body = bodies::insert(connection, &notification.body)?;
    let filtered = notification.filtered.iter().map(ToString::to_string);
    let filtered: Vec<String> = filtered.collect();
    // Owed to nobody, it is finished when it is made.
    let finished_at = destinations
        .is_empty()
        .then_some(At(notification.created_at));
    connection
        .prepare_cached(
            "INSERT INTO notifications
                 (id, container, action, record_id, version, kind, event, body, detected_at, created_at, finished_at,
                  changed, filtered, shape, former)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        )?
        .execute(params![
            notification.id.as_str(),
            notification.container.as_str(),
            action,
            notification.record_id.expose(),
            VersionBytes(notification.version),
            KindWord(notification.kind),
            notification.event,
            body,
            At(notification.detected_at),
            At(notification.created_at),
            finished_at,
            PathList(&notification.changed),
            PathList(&filtered),
            notification.shape.as_str(),
            FormerWord(notification.former),
        ])?;
    let sequence = connection.last_insert_rowid();
    insert_gaps(connection, sequence, &notification.gaps)?;
    for destination in destinations {
        owe(connection, action, sequence, notification, destination)?;
    }
    Ok(())
}

fn owe(
    connection: &Connection,
    action: i64,
    sequence: i64,
    notification: &Notification,
    owed: &Owed,
) -> Result<()> {
    // No ordering key is this word: each begins with what it is made of.
    let whole = OrderingKey::new("destination");
    let ordering_key = match owed.order {
        DeliveryOrder::Key => &notification.ordering_key,
        DeliveryOrder::Destination => &whole,
    };
    let destination = Names::Destinations.number(connection, owed.destination.as_str())?;
    let queue = &order::DELIVERIES;
    let state = if order::is_open(connection, queue, destination, ordering_key, i64::MAX)? {
        DeliveryState::Waiting
    } else {
        DeliveryState::Due
    };
    // A destination that is named twice is owed it once, and counts it once.
    let is_owed = connection
        .prepare_cached("SELECT 1 FROM deliveries WHERE notification = ?1 AND destination = ?2")?
        .exists(params![sequence, destination])?;
    if is_owed {
        return Ok(());
    }
    let number: i64 = connection
        .prepare_cached(
            "INSERT INTO subscriptions (action, destination, told) VALUES (?1, ?2, 1)
             ON CONFLICT DO UPDATE SET told = told + 1 RETURNING told",
        )?
        .query_row(params![action, destination], |row| row.get(0))?;
    connection
        .prepare_cached(
            "INSERT INTO deliveries (notification, destination, ordering_key, state, due_at, number)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            sequence,
            destination,
            ordering_key.expose(),
            DeliveryWord(state),
            At(notification.created_at),
            number,
        ])?;
    let row = connection.last_insert_rowid();
    order::enter(connection, queue, destination, ordering_key, row)
}

fn insert_gaps(connection: &Connection, sequence: i64, gaps: &[Gap]) -> Result<()> {
    for (position, gap) in gaps.iter().enumerate() {
        connection
            .prepare_cached(
                "INSERT INTO notification_gaps (notification, position, lookup, status) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![sequence, position, gap.lookup.as_str(), gap.status])?;
    }
    Ok(())
}

/// What is missing in a notification.
pub(crate) fn gaps(connection: &Connection, sequence: i64) -> Result<Vec<Gap>> {
    let mut statement = connection.prepare_cached(
        "SELECT lookup, status FROM notification_gaps WHERE notification = ?1 ORDER BY position",
    )?;
    let gaps = statement.query_map([sequence], |row| {
        Ok(Gap {
            lookup: LookupName::new(row.get::<_, String>(0)?),
            status: row.get(1)?,
        })
    })?;
    Ok(gaps.collect::<rusqlite::Result<_>>()?)
}

/// Notes that something of a notification is owed again.
pub(crate) fn unfinish(connection: &Connection, sequence: i64) -> Result<()> {
    connection
        .prepare_cached("UPDATE notifications SET finished_at = NULL WHERE sequence = ?1")?
        .execute([sequence])?;
    Ok(())
}

/// Notes that a notification is finished, if nothing of it is owed or dead any more.
pub(crate) fn finish(connection: &Connection, sequence: i64, at: Timestamp) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE notifications SET finished_at = ?2
             WHERE sequence = ?1
               AND NOT EXISTS (SELECT 1 FROM deliveries
                               WHERE notification = ?1 AND state IN ('waiting', 'due', 'dead'))",
        )?
        .execute(params![sequence, At(at)])?;
    Ok(())
}
