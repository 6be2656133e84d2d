//! How everything stands.

use super::read_reason;
use crate::sqlite::codec::{At, ContainerWord, DeliveryWord};
use crate::sqlite::destinations::{STATE_COLUMNS, read_state};
use crate::sqlite::error::Result;
use crate::sqlite::feeds;
use rounds_domain::ports::{ActionOverview, DestinationOverview, Oldest, Overview};
use rounds_domain::{ActionName, ContainerState, DeliveryState, DestinationName};
use rusqlite::{Connection, Row};

/// Each action and each destination, by name.
pub(crate) fn overview(connection: &Connection) -> Result<Overview> {
    Ok(Overview {
        actions: actions(connection)?,
        destinations: destinations(connection)?,
    })
}

fn actions(connection: &Connection) -> Result<Vec<ActionOverview>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, name, known_records, (SELECT count(*) FROM notifications n WHERE n.action = a.id)
         FROM actions a ORDER BY name",
    )?;
    let mut rows = statement.query([])?;
    let mut actions = Vec::new();
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        let action = ActionName::new(row.get::<_, String>(1)?);
        let mut overview = ActionOverview {
            feeds: feeds::of_action(connection, id, &action)?,
            action,
            known_records: row.get(2)?,
            containers_open: 0,
            containers_parked: 0,
            oldest_parked: None,
            containers_dead: 0,
            oldest_dead: None,
            notifications: row.get(3)?,
        };
        count_containers(connection, id, &mut overview)?;
        actions.push(overview);
    }
    Ok(actions)
}

fn count_containers(
    connection: &Connection,
    action: i64,
    overview: &mut ActionOverview,
) -> Result<()> {
    let mut statement = connection.prepare_cached(
        // Beside a minimum, SQLite takes the other columns from the row that has it.
        "SELECT state, count(*), min(detected_at) AS found_at, reason_code, reason FROM containers WHERE action = ?1 GROUP BY state",
    )?;
    let mut rows = statement.query([action])?;
    while let Some(row) = rows.next()? {
        let count: u64 = row.get(1)?;
        match row.get::<_, ContainerWord>(0)?.0 {
            ContainerState::Waiting | ContainerState::Due => overview.containers_open += count,
            ContainerState::Parked => {
                overview.containers_parked += count;
                overview.oldest_parked = Some(oldest(row)?);
            }
            ContainerState::Dead => {
                overview.containers_dead += count;
                overview.oldest_dead = Some(oldest(row)?);
            }
            ContainerState::Dropped => {}
        }
    }
    Ok(())
}

fn destinations(connection: &Connection) -> Result<Vec<DestinationOverview>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {STATE_COLUMNS}, id, name FROM destinations ORDER BY name"
    ))?;
    let mut rows = statement.query([])?;
    let mut destinations = Vec::new();
    while let Some(row) = rows.next()? {
        let id = row.get("id")?;
        let mut overview = DestinationOverview {
            destination: DestinationName::new(row.get::<_, String>("name")?),
            state: read_state(row)?,
            owed: 0,
            oldest_owed_at: oldest_owed_at(connection, id)?.map(|at| at.0),
            failing: 0,
            oldest_failing: None,
            delivered: 0,
            dead: 0,
            oldest_dead: None,
        };
        count_failures(connection, id, &mut overview)?;
        count_deliveries(connection, id, &mut overview)?;
        destinations.push(overview);
    }
    Ok(destinations)
}

fn count_deliveries(
    connection: &Connection,
    destination: i64,
    overview: &mut DestinationOverview,
) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "SELECT state, count(*) FROM deliveries WHERE destination = ?1 GROUP BY state",
    )?;
    let mut rows = statement.query([destination])?;
    while let Some(row) = rows.next()? {
        let count: u64 = row.get(1)?;
        match row.get::<_, DeliveryWord>(0)?.0 {
            DeliveryState::Waiting | DeliveryState::Due => overview.owed += count,
            DeliveryState::Delivered => overview.delivered += count,
            DeliveryState::Dead => overview.dead += count,
            DeliveryState::Dropped => {}
        }
    }
    Ok(())
}

/// Of those that are owed, the ones that an attempt has failed of; and of those that were given up, the oldest.
fn count_failures(
    connection: &Connection,
    destination: i64,
    overview: &mut DestinationOverview,
) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "SELECT d.state, count(*), min(n.detected_at) AS found_at, d.reason_code, d.reason
         FROM deliveries d JOIN notifications n ON n.sequence = d.notification
         WHERE d.destination = ?1 AND (d.state = 'due' AND d.attempts > 0 OR d.state = 'dead') GROUP BY d.state",
    )?;
    let mut rows = statement.query([destination])?;
    while let Some(row) = rows.next()? {
        if row.get::<_, DeliveryWord>(0)?.0 == DeliveryState::Dead {
            overview.oldest_dead = Some(oldest(row)?);
        } else {
            overview.failing = row.get(1)?;
            overview.oldest_failing = Some(oldest(row)?);
        }
    }
    Ok(())
}

fn oldest(row: &Row<'_>) -> Result<Oldest> {
    Ok(Oldest {
        found_at: row.get::<_, At>("found_at")?.0,
        reason: read_reason(row, "reason_code", "reason")?,
    })
}

fn oldest_owed_at(connection: &Connection, destination: i64) -> Result<Option<At>> {
    let mut statement = connection.prepare_cached(
        "SELECT min(n.detected_at) FROM deliveries d JOIN notifications n ON n.sequence = d.notification
         WHERE d.destination = ?1 AND d.state IN ('waiting', 'due')",
    )?;
    Ok(statement.query_row([destination], |row| row.get(0))?)
}
