//! Deliveries: claimed, attempted by the engine, settled.

use super::attempts;
use super::codec::{At, CodeText, DeliveryWord, ShapeWord, former_of, lease_end, paths};
use super::error::Result;
use super::names::Names;
use super::{bodies, claim, destinations, notifications, order};
use jiff::Timestamp;
use rounds_domain::ports::Claimed;
use rounds_domain::{
    ActionName, Attempt, DeliveryId, DeliveryJob, DeliverySettlement, DeliveryState,
    DestinationName, Former, NextStep, NotificationId, OrderingKey,
};
use rusqlite::{Connection, OptionalExtension, params};
use std::time::Duration;

/// For [`claim::choose`].
pub(crate) const CLAIMABLE: &str = "SELECT sequence, available_at FROM deliveries
     WHERE destination = ?1 AND state = 'due'
     ORDER BY available_at, sequence LIMIT ?2";

/// Takes deliveries to a destination that are due. None while it is paused.
pub(crate) fn claim(
    connection: &Connection,
    destination: &DestinationName,
    now: Timestamp,
    lease: Duration,
    limit: usize,
) -> Result<Claimed<DeliveryJob>> {
    let nothing = Claimed {
        items: Vec::new(),
        next_due: None,
    };
    let Some(number) = Names::Destinations.find(connection, destination.as_str())? else {
        return Ok(nothing);
    };
    if destinations::is_paused(connection, number)? {
        return Ok(nothing);
    }
    let mut statement = connection.prepare_cached(CLAIMABLE)?;
    let claimable = claim::choose(&mut statement, number, now, limit)?;
    let until = At(lease_end(now, lease));
    let mut items = Vec::with_capacity(claimable.sequences.len());
    for sequence in claimable.sequences {
        connection
            .prepare_cached("UPDATE deliveries SET claimed_until = ?2 WHERE sequence = ?1")?
            .execute(params![sequence, until])?;
        items.push(load(connection, sequence, destination)?);
    }
    Ok(Claimed {
        items,
        next_due: claimable.next_due,
    })
}

fn load(
    connection: &Connection,
    sequence: i64,
    destination: &DestinationName,
) -> Result<DeliveryJob> {
    struct Row {
        notification: i64,
        id: String,
        action: String,
        body: i64,
        attempts: u32,
        detected_at: At,
        changed: String,
        event: String,
        shape: ShapeWord,
        number: u64,
        former: Former,
    }
    let mut statement = connection.prepare_cached(
        "SELECT n.sequence, n.id, a.name, n.body, d.attempts, n.detected_at, n.changed, n.event,
                n.shape, d.number, n.former, n.kind
         FROM deliveries d
         JOIN notifications n ON n.sequence = d.notification
         JOIN actions a ON a.id = n.action
         WHERE d.sequence = ?1",
    )?;
    let row = statement.query_row([sequence], |row| {
        Ok(Row {
            notification: row.get(0)?,
            id: row.get(1)?,
            action: row.get(2)?,
            body: row.get(3)?,
            attempts: row.get(4)?,
            detected_at: row.get(5)?,
            changed: row.get(6)?,
            event: row.get(7)?,
            shape: row.get(8)?,
            number: row.get(9)?,
            former: former_of(row)?,
        })
    })?;
    Ok(DeliveryJob {
        id: DeliveryId {
            notification: NotificationId::new(row.id),
            destination: destination.clone(),
        },
        action: ActionName::new(row.action),
        event: row.event,
        body: bodies::load(connection, row.body)?,
        shape: row.shape.0,
        number: row.number,
        gaps: notifications::gaps(connection, row.notification)?,
        changed: paths(&row.changed),
        former: row.former,
        attempts: row.attempts,
        detected_at: row.detected_at.0,
    })
}

/// What is needed of a delivery to change where it stands.
pub(crate) struct Standing {
    pub(crate) sequence: i64,
    pub(crate) state: DeliveryState,
    pub(crate) destination: i64,
    notification: i64,
    pub(crate) ordering_key: OrderingKey,
    is_claimed: bool,
    due_at: At,
}

/// Finds a delivery by its id.
pub(crate) fn find(connection: &Connection, id: &DeliveryId) -> Result<Option<Standing>> {
    let mut statement = connection.prepare_cached(
        "SELECT d.sequence FROM deliveries d
         WHERE d.notification = (SELECT sequence FROM notifications WHERE id = ?1)
           AND d.destination = (SELECT id FROM destinations WHERE name = ?2)",
    )?;
    let sequence = statement
        .query_row([id.notification.as_str(), id.destination.as_str()], |row| {
            row.get(0)
        })
        .optional()?;
    match sequence {
        Some(sequence) => standing(connection, sequence),
        None => Ok(None),
    }
}

/// Finds a delivery by its number.
pub(crate) fn standing(connection: &Connection, sequence: i64) -> Result<Option<Standing>> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence, state, destination, notification, ordering_key, claimed_until IS NOT NULL, due_at
         FROM deliveries WHERE sequence = ?1",
    )?;
    let found = statement.query_row([sequence], |row| {
        Ok(Standing {
            sequence: row.get(0)?,
            state: row.get::<_, DeliveryWord>(1)?.0,
            destination: row.get(2)?,
            notification: row.get(3)?,
            ordering_key: OrderingKey::new(row.get::<_, String>(4)?),
            is_claimed: row.get(5)?,
            due_at: row.get(6)?,
        })
    });
    Ok(found.optional()?)
}

/// Records attempts and what follows from them.
pub(crate) fn settle(connection: &Connection, settlements: &[DeliverySettlement]) -> Result<()> {
    settlements
        .iter()
        .try_for_each(|settlement| settle_one(connection, settlement))
}

fn settle_one(connection: &Connection, settlement: &DeliverySettlement) -> Result<()> {
    let Some(standing) = find(connection, &settlement.id)? else {
        return Ok(());
    };
    if let Some(attempt) = &settlement.attempt {
        attempts::record(connection, standing.sequence, attempt)?;
    }
    // What is delivered, dead or dropped by now stays so; the attempt is remembered.
    if standing.state != DeliveryState::Due {
        return Ok(());
    }
    let attempt = settlement.attempt.as_ref();
    match &settlement.next {
        NextStep::Done => {
            connection
                .prepare_cached(
                    "UPDATE deliveries SET state = 'delivered', claimed_until = NULL, attempts = attempts + ?2,
                            reason_code = NULL, reason = NULL WHERE sequence = ?1",
                )?
                .execute(params![standing.sequence, attempt.is_some()])?;
            leave(connection, &standing)?;
            let at = ended_at(attempt, &standing);
            notifications::finish(connection, standing.notification, at)
        }
        // The others give a claim back, and somebody whose claim is over has none to give.
        _ if !standing.is_claimed => Ok(()),
        NextStep::RetryAt(due_at) => retry_at(connection, &standing, attempt, *due_at),
        NextStep::GiveUp { code, reason } => {
            connection
                .prepare_cached(
                    "UPDATE deliveries SET state = 'dead', claimed_until = NULL, attempts = attempts + ?2,
                            reason_code = ?3, reason = ?4 WHERE sequence = ?1",
                )?
                .execute(params![
                    standing.sequence,
                    attempt.is_some(),
                    CodeText(*code),
                    reason
                ])?;
            leave(connection, &standing)
        }
    }
}

/// When an attempt ended: where the caller says nothing of one, when it was due.
fn ended_at(attempt: Option<&Attempt>, standing: &Standing) -> Timestamp {
    attempt.map_or(standing.due_at.0, |attempt| {
        lease_end(attempt.started_at, attempt.took)
    })
}

fn retry_at(
    connection: &Connection,
    standing: &Standing,
    attempt: Option<&Attempt>,
    due_at: Timestamp,
) -> Result<()> {
    match attempt {
        Some(attempt) => {
            let (code, reason) = attempts::reason(&attempt.outcome);
            connection
                .prepare_cached(
                    "UPDATE deliveries SET claimed_until = NULL, due_at = ?2, attempts = attempts + 1,
                            reason_code = ?3, reason = ?4 WHERE sequence = ?1",
                )?
                .execute(params![standing.sequence, At(due_at), code, reason])?;
        }
        None => {
            connection
                .prepare_cached(
                    "UPDATE deliveries SET claimed_until = NULL, due_at = ?2 WHERE sequence = ?1",
                )?
                .execute(params![standing.sequence, At(due_at)])?;
        }
    }
    Ok(())
}

/// Makes a dead or due delivery due now, with fresh attempts. A claim that is on it stays: it is being tried already.
pub(crate) fn retry_one(
    connection: &Connection,
    standing: &Standing,
    now: Timestamp,
) -> Result<()> {
    // A due one has its place already, perhaps beside others.
    let state = match standing.state {
        DeliveryState::Dead => reenter(connection, standing)?,
        _ => DeliveryState::Due,
    };
    make_open(connection, standing, state, now)
}

/// Sends a finished one once more, before whatever of its keys is not under way.
pub(crate) fn replay_one(
    connection: &Connection,
    standing: &Standing,
    due_at: Timestamp,
) -> Result<()> {
    order::step_back(
        connection,
        standing.destination,
        &standing.ordering_key,
        standing.sequence,
    )?;
    let state = reenter(connection, standing)?;
    make_open(connection, standing, state, due_at)?;
    notifications::unfinish(connection, standing.notification)
}

fn make_open(
    connection: &Connection,
    standing: &Standing,
    state: DeliveryState,
    due_at: Timestamp,
) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE deliveries SET state = ?2, due_at = ?3, attempts = 0, reason_code = NULL, reason = NULL
             WHERE sequence = ?1",
        )?
        .execute(params![standing.sequence, DeliveryWord(state), At(due_at)])?;
    Ok(())
}

/// The state of one that is open again.
fn reenter(connection: &Connection, standing: &Standing) -> Result<DeliveryState> {
    let (scope, keys) = (standing.destination, &standing.ordering_key);
    let row = standing.sequence;
    let is_behind = order::is_open(connection, &order::DELIVERIES, scope, keys, row)?;
    order::enter(connection, &order::DELIVERIES, scope, keys, row)?;
    Ok(if is_behind {
        DeliveryState::Waiting
    } else {
        DeliveryState::Due
    })
}

fn leave(connection: &Connection, standing: &Standing) -> Result<()> {
    order::leave(
        connection,
        &order::DELIVERIES,
        standing.destination,
        &standing.ordering_key,
        standing.sequence,
    )
}

/// Drops an open or dead delivery.
pub(crate) fn drop_one(
    connection: &Connection,
    standing: &Standing,
    reason: &str,
    at: Timestamp,
) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE deliveries SET state = 'dropped', claimed_until = NULL, reason_code = NULL, reason = ?2
             WHERE sequence = ?1",
        )?
        .execute(params![standing.sequence, reason])?;
    leave(connection, standing)?;
    notifications::finish(connection, standing.notification, at)
}
