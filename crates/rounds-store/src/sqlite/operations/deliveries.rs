//! Deliveries, for people.

use super::{Conditions, Selectable, for_each, read_reason};
use crate::sqlite::codec::{At, DeliveryWord};
use crate::sqlite::deliveries::{self, Standing};
use crate::sqlite::error::Result;
use crate::sqlite::{attempts, destinations, order};
use jiff::Timestamp;
use rounds_domain::ports::{
    DeliveryCount, DeliveryDetail, DeliveryFilter, DeliverySummary, PageRequest, Selection,
};
use rounds_domain::{
    ActionName, DeliveryId, DeliveryState, DestinationName, NotificationId, OrderingKey, RecordId,
};
use rusqlite::{Connection, Row};
use std::time::Duration;

const SELECT: &str = "SELECT d.sequence, n.id AS notification_id, t.name AS destination_name, a.name AS action_name, \
     n.record_id, d.state, d.attempts_total, d.due_at, d.reason_code, d.reason, n.detected_at, d.destination, d.ordering_key \
     FROM deliveries d JOIN notifications n ON n.sequence = d.notification \
     JOIN actions a ON a.id = n.action JOIN destinations t ON t.id = d.destination";

/// Deliveries, oldest first.
pub(crate) fn list(
    connection: &Connection,
    filter: &DeliveryFilter,
    page: PageRequest,
) -> Result<Vec<DeliverySummary>> {
    let words = words(&filter.states);
    conditions(filter, &words)?.page(connection, SELECT, "d.sequence", page, summary)
}

/// The deliveries of a notification with their attempts.
pub(crate) fn of_notification(
    connection: &Connection,
    notification: i64,
) -> Result<Vec<DeliveryDetail>> {
    let mut statement = connection.prepare_cached(&format!(
        "{SELECT} WHERE d.notification = ?1 ORDER BY d.sequence"
    ))?;
    let mut rows = statement.query([notification])?;
    let mut details = Vec::new();
    while let Some(row) = rows.next()? {
        let (summary, sequence) = (summary(row)?, row.get("sequence")?);
        let behind = match summary.state {
            DeliveryState::Waiting => before(connection, row, sequence)?,
            _ => None,
        };
        details.push(DeliveryDetail {
            summary,
            attempts: attempts::of_delivery(connection, sequence)?,
            behind,
        });
    }
    Ok(details)
}

/// The first open delivery of one of a row's keys, if it comes before it.
fn before(
    connection: &Connection,
    row: &Row<'_>,
    sequence: i64,
) -> Result<Option<(NotificationId, RecordId)>> {
    let destination = row.get("destination")?;
    let key = OrderingKey::new(row.get::<_, String>("ordering_key")?);
    for key in key.keys() {
        let first = order::first(connection, &order::DELIVERIES, destination, key)?;
        if let Some(first) = first.filter(|first| *first < sequence) {
            let mut statement = connection.prepare_cached(
                "SELECT n.id, n.record_id FROM deliveries d JOIN notifications n ON n.sequence = d.notification
                 WHERE d.sequence = ?1",
            )?;
            let found = statement.query_row([first], |row| {
                let id = NotificationId::new(row.get::<_, String>(0)?);
                Ok((id, RecordId::new(row.get::<_, String>(1)?)))
            })?;
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Makes dead or due ones due now, and serves their destinations again.
pub(crate) fn retry(
    connection: &Connection,
    selection: &Selection<DeliveryId, DeliveryFilter>,
    now: Timestamp,
) -> Result<u64> {
    for_each::<Deliveries>(
        connection,
        selection,
        &[DeliveryState::Due, DeliveryState::Dead],
        |standing| {
            destinations::resume(connection, standing.destination)?;
            deliveries::retry_one(connection, standing, now)
        },
    )
}

/// Sends finished ones once more, one every `every`.
pub(crate) fn replay(
    connection: &Connection,
    selection: &Selection<DeliveryId, DeliveryFilter>,
    now: Timestamp,
    every: Duration,
) -> Result<u64> {
    let mut due_at = now;
    for_each::<Deliveries>(
        connection,
        selection,
        &[
            DeliveryState::Delivered,
            DeliveryState::Dead,
            DeliveryState::Dropped,
        ],
        |standing| {
            deliveries::replay_one(connection, standing, due_at)?;
            due_at = due_at.checked_add(every).unwrap_or(Timestamp::MAX);
            Ok(())
        },
    )
}

/// How many match, by destination and state.
pub(crate) fn count(
    connection: &Connection,
    filter: &DeliveryFilter,
) -> Result<Vec<DeliveryCount>> {
    let words = words(&filter.states);
    let select = "SELECT t.name AS destination_name, d.state, count(*) AS count FROM deliveries d
         JOIN notifications n ON n.sequence = d.notification JOIN destinations t ON t.id = d.destination";
    conditions(filter, &words)?.groups(connection, select, "t.name, d.state", |row| {
        Ok(DeliveryCount {
            destination: DestinationName::new(row.get::<_, String>("destination_name")?),
            state: row.get::<_, DeliveryWord>("state")?.0,
            count: row.get("count")?,
        })
    })
}

/// Drops what is not finished.
pub(crate) fn drop_all(
    connection: &Connection,
    selection: &Selection<DeliveryId, DeliveryFilter>,
    reason: &str,
    now: Timestamp,
) -> Result<u64> {
    for_each::<Deliveries>(
        connection,
        selection,
        &[
            DeliveryState::Waiting,
            DeliveryState::Due,
            DeliveryState::Dead,
        ],
        |standing| deliveries::drop_one(connection, standing, reason, now),
    )
}

/// Deliveries as what is selected.
enum Deliveries {}

impl Selectable for Deliveries {
    type Id = DeliveryId;
    type Filter = DeliveryFilter;
    type State = DeliveryState;
    type Standing = Standing;

    fn find(connection: &Connection, id: &DeliveryId) -> Result<Option<Standing>> {
        deliveries::find(connection, id)
    }

    fn matching(
        connection: &Connection,
        filter: &DeliveryFilter,
        states: &[DeliveryState],
    ) -> Result<Vec<i64>> {
        let wanted = words(&filter.states);
        let possible = words(states);
        let mut conditions = conditions(filter, &wanted)?;
        conditions.require_one_of("d.state", &possible)?;
        conditions.numbers(
            connection,
            "SELECT d.sequence FROM deliveries d JOIN notifications n ON n.sequence = d.notification",
            "d.sequence",
        )
    }

    fn standing(connection: &Connection, sequence: i64) -> Result<Option<Standing>> {
        deliveries::standing(connection, sequence)
    }

    fn state(standing: &Standing) -> DeliveryState {
        standing.state
    }
}

fn words(states: &[DeliveryState]) -> Vec<DeliveryWord> {
    states.iter().copied().map(DeliveryWord).collect()
}

fn conditions<'a>(
    filter: &'a DeliveryFilter,
    states: &'a [DeliveryWord],
) -> Result<Conditions<'a>> {
    let mut conditions = Conditions::default();
    if let Some(destination) = &filter.destination {
        conditions.require(
            "d.destination = (SELECT id FROM destinations WHERE name = ?)",
            [destination.as_str()],
        );
    }
    if let Some(notification) = &filter.notification {
        conditions.require(
            "d.notification = (SELECT sequence FROM notifications WHERE id = ?)",
            [notification.as_str()],
        );
    }
    if let Some(action) = &filter.action {
        conditions.require(
            "n.action = (SELECT id FROM actions WHERE name = ?)",
            [action.as_str()],
        );
    }
    if let Some(record) = &filter.record_id {
        conditions.require("n.record_id = ?", [record.expose()]);
    }
    if let Some(event) = &filter.event {
        conditions.require("n.event = ?", [event.as_str()]);
    }
    if let Some(since) = filter.since {
        conditions.require_at("n.detected_at >= ?", since);
    }
    if let Some(until) = filter.until {
        conditions.require_at("n.detected_at < ?", until);
    }
    conditions.require_one_of("d.state", states)?;
    Ok(conditions)
}

fn summary(row: &Row<'_>) -> Result<DeliverySummary> {
    let state = row.get::<_, DeliveryWord>("state")?.0;
    Ok(DeliverySummary {
        id: DeliveryId {
            notification: NotificationId::new(row.get::<_, String>("notification_id")?),
            destination: DestinationName::new(row.get::<_, String>("destination_name")?),
        },
        action: ActionName::new(row.get::<_, String>("action_name")?),
        record_id: RecordId::new(row.get::<_, String>("record_id")?),
        state,
        attempts: row.get("attempts_total")?,
        // One that waits is tried when another is done, and nobody knows when that is.
        due_at: (state == DeliveryState::Due)
            .then(|| row.get::<_, At>("due_at"))
            .transpose()?
            .map(|at| at.0),
        reason: read_reason(row, "reason_code", "reason")?,
        detected_at: row.get::<_, At>("detected_at")?.0,
    })
}
