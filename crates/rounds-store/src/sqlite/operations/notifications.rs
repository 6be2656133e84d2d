//! Notifications, for people.

use super::{Conditions, deliveries};
use crate::sqlite::codec::{At, DeliveryWord, KindWord, VersionBytes, former_of, paths};
use crate::sqlite::error::Result;
use crate::sqlite::{bodies, notifications};
use rounds_domain::ports::{
    NotificationDetail, NotificationFilter, NotificationSummary, PageRequest,
};
use rounds_domain::{
    ActionName, ContainerId, DeliveryState, DestinationName, NotificationId, RecordId,
};
use rusqlite::{Connection, Row, params};

const SELECT: &str = "SELECT n.sequence, n.id, a.name AS action_name, n.record_id, n.kind, n.event, n.detected_at, \
     n.created_at, n.container, n.version, n.body, n.changed, n.filtered, n.former \
     FROM notifications n JOIN actions a ON a.id = n.action";

/// Notifications, newest first.
pub(crate) fn list(
    connection: &Connection,
    filter: &NotificationFilter,
    page: PageRequest,
) -> Result<Vec<NotificationSummary>> {
    let mut conditions = Conditions::default();
    if let Some(action) = &filter.action {
        // Without a record the plus keeps SQLite from taking the index of records and sorting all of the action's
        // notifications, where reading backwards from the newest soon fills a page.
        let term = match filter.record_id {
            Some(_) => "n.action = (SELECT id FROM actions WHERE name = ?)",
            None => "+n.action = (SELECT id FROM actions WHERE name = ?)",
        };
        conditions.require(term, [action.as_str()]);
    }
    if let Some(record) = &filter.record_id {
        // The index begins with the action, so all of them are named.
        conditions.require(
            "n.action IN (SELECT id FROM actions) AND n.record_id = ?",
            [record.expose()],
        );
    }
    conditions.page(connection, SELECT, "n.sequence DESC", page, |row| {
        summary(connection, row)
    })
}

/// One notification with everything.
pub(crate) fn detail(
    connection: &Connection,
    id: &NotificationId,
) -> Result<Option<NotificationDetail>> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE n.id = ?1"))?;
    let mut rows = statement.query([id.as_str()])?;
    rows.next()?.map(|row| read(connection, row)).transpose()
}

/// The last notifications of a record, newest first.
pub(crate) fn of_record(
    connection: &Connection,
    action: i64,
    record: &RecordId,
    limit: i64,
) -> Result<Vec<NotificationDetail>> {
    let mut statement = connection.prepare_cached(&format!(
        "{SELECT} WHERE n.action = ?1 AND n.record_id = ?2 ORDER BY n.sequence DESC LIMIT ?3"
    ))?;
    let mut rows = statement.query(params![action, record.expose(), limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(connection, row)?);
    }
    Ok(found)
}

fn read(connection: &Connection, row: &Row<'_>) -> Result<NotificationDetail> {
    let sequence = row.get("sequence")?;
    Ok(NotificationDetail {
        summary: summary(connection, row)?,
        container: ContainerId::new(row.get::<_, String>("container")?),
        version: row.get::<_, VersionBytes>("version")?.0,
        gaps: notifications::gaps(connection, sequence)?,
        former: former_of(row)?,
        changed: paths(&row.get::<_, String>("changed")?),
        filtered: paths(&row.get::<_, String>("filtered")?)
            .into_iter()
            .map(DestinationName::new)
            .collect(),
        body: bodies::load(connection, row.get("body")?)?,
        deliveries: deliveries::of_notification(connection, sequence)?,
    })
}

fn summary(connection: &Connection, row: &Row<'_>) -> Result<NotificationSummary> {
    Ok(NotificationSummary {
        id: NotificationId::new(row.get::<_, String>("id")?),
        action: ActionName::new(row.get::<_, String>("action_name")?),
        record_id: RecordId::new(row.get::<_, String>("record_id")?),
        kind: row.get::<_, KindWord>("kind")?.0,
        event: row.get("event")?,
        detected_at: row.get::<_, At>("detected_at")?.0,
        created_at: row.get::<_, At>("created_at")?.0,
        deliveries: states(connection, row.get("sequence")?)?,
    })
}

fn states(
    connection: &Connection,
    notification: i64,
) -> Result<Vec<(DestinationName, DeliveryState)>> {
    let mut statement = connection.prepare_cached(
        "SELECT t.name, d.state FROM deliveries d JOIN destinations t ON t.id = d.destination
         WHERE d.notification = ?1 ORDER BY d.sequence",
    )?;
    let states = statement.query_map([notification], |row| {
        Ok((
            DestinationName::new(row.get::<_, String>(0)?),
            row.get::<_, DeliveryWord>(1)?.0,
        ))
    })?;
    Ok(states.collect::<rusqlite::Result<_>>()?)
}
