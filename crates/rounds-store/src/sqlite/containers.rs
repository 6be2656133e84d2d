//! Containers: claimed, filled by the engine, settled.

use super::codec::{At, CodeText, ContainerWord, KindWord, VersionBytes, former_of, lease_end};
use super::error::Result;
use super::names::Names;
use super::{bodies, claim, findings, notifications, order};
use jiff::Timestamp;
use rounds_domain::ports::Claimed;
use rounds_domain::{
    ActionName, Code, ConnectionName, Container, ContainerId, ContainerSettlement, ContainerState,
    Document, Gap, LookupAnswer, LookupName, OrderingKey, Partition, RecordId, plain,
};
use rusqlite::{Connection, OptionalExtension, params};
use std::time::Duration;

/// For [`claim::choose`].
pub(crate) const CLAIMABLE: &str = "SELECT sequence, available_at FROM containers
     WHERE lane = ?1 AND state IN ('due', 'parked')
     ORDER BY available_at, sequence LIMIT ?2";

/// Takes containers of a lane that are due.
pub(crate) fn claim(
    connection: &Connection,
    lane: &ConnectionName,
    now: Timestamp,
    lease: Duration,
    limit: usize,
) -> Result<Claimed<Container>> {
    let Some(lane) = Names::Lanes.find(connection, lane.as_str())? else {
        return Ok(Claimed {
            items: Vec::new(),
            next_due: None,
        });
    };
    let mut statement = connection.prepare_cached(CLAIMABLE)?;
    let claimable = claim::choose(&mut statement, lane, now, limit)?;
    let until = At(lease_end(now, lease));
    let mut items = Vec::with_capacity(claimable.sequences.len());
    for sequence in claimable.sequences {
        connection
            .prepare_cached("UPDATE containers SET claimed_until = ?2 WHERE sequence = ?1")?
            .execute(params![sequence, until])?;
        items.push(load(connection, sequence)?);
    }
    Ok(Claimed {
        items,
        next_due: claimable.next_due,
    })
}

fn load(connection: &Connection, sequence: i64) -> Result<Container> {
    let mut statement = connection.prepare_cached(
        "SELECT c.id, a.name, c.round, c.record_id, c.version, c.kind, c.ordering_key, c.record_body,
                c.previous_body, c.detected_at, c.attempts, c.partition, c.former
         FROM containers c JOIN actions a ON a.id = c.action WHERE c.sequence = ?1",
    )?;
    let (container, record, previous) = statement.query_row([sequence], |row| {
        let container = Container {
            id: ContainerId::new(row.get::<_, String>(0)?),
            action: ActionName::new(row.get::<_, String>(1)?),
            round: row.get(2)?,
            partition: row.get::<_, Option<String>>(11)?.map(Partition::new),
            record_id: RecordId::new(row.get::<_, String>(3)?),
            version: row.get::<_, VersionBytes>(4)?.0,
            kind: row.get::<_, KindWord>(5)?.0,
            former: former_of(row)?,
            ordering_key: OrderingKey::new(row.get::<_, String>(6)?),
            record: Document::new(Vec::new()),
            previous: None,
            detected_at: row.get::<_, At>(9)?.0,
            attempts: row.get(10)?,
            answers: Vec::new(),
        };
        Ok((
            container,
            row.get::<_, i64>(7)?,
            row.get::<_, Option<i64>>(8)?,
        ))
    })?;
    Ok(Container {
        record: bodies::load(connection, record)?,
        previous: previous
            .map(|body| bodies::load(connection, body))
            .transpose()?,
        answers: load_answers(connection, sequence)?,
        ..container
    })
}

fn load_answers(connection: &Connection, sequence: i64) -> Result<Vec<LookupAnswer>> {
    let mut statement = connection.prepare_cached(
        "SELECT lookup, bytes, fetched_at FROM container_answers WHERE container = ?1 ORDER BY position",
    )?;
    let answers = statement.query_map([sequence], |row| {
        Ok(LookupAnswer {
            name: LookupName::new(row.get::<_, String>(0)?),
            body: row.get::<_, Option<Vec<u8>>>(1)?.map(Document::new),
            fetched_at: row.get::<_, At>(2)?.0,
        })
    })?;
    Ok(answers.collect::<rusqlite::Result<_>>()?)
}

fn replace_answers(connection: &Connection, sequence: i64, answers: &[LookupAnswer]) -> Result<()> {
    connection
        .prepare_cached("DELETE FROM container_answers WHERE container = ?1")?
        .execute([sequence])?;
    let mut statement = connection.prepare_cached(
        "INSERT INTO container_answers (container, position, lookup, bytes, fetched_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for (position, answer) in answers.iter().enumerate() {
        statement.execute(params![
            sequence,
            position,
            answer.name.as_str(),
            answer.body.as_ref().map(|body| &body.bytes()[..]),
            At(answer.fetched_at),
        ])?;
    }
    Ok(())
}

/// What is needed of a container to change where it stands.
pub(crate) struct Standing {
    pub(crate) sequence: i64,
    pub(crate) state: ContainerState,
    action: i64,
    ordering_key: OrderingKey,
    record_id: String,
    record_body: i64,
    previous_body: Option<i64>,
    is_claimed: bool,
}

/// Finds a container by its id.
pub(crate) fn find(connection: &Connection, id: &ContainerId) -> Result<Option<Standing>> {
    let mut statement =
        connection.prepare_cached("SELECT sequence FROM containers WHERE id = ?1")?;
    let sequence = statement
        .query_row([id.as_str()], |row| row.get(0))
        .optional()?;
    match sequence {
        Some(sequence) => standing(connection, sequence),
        None => Ok(None),
    }
}

/// Finds a container by its number.
pub(crate) fn standing(connection: &Connection, sequence: i64) -> Result<Option<Standing>> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence, state, action, ordering_key, record_id, record_body, previous_body,
                claimed_until IS NOT NULL
         FROM containers WHERE sequence = ?1",
    )?;
    let found = statement.query_row([sequence], |row| {
        Ok(Standing {
            sequence: row.get(0)?,
            state: row.get::<_, ContainerWord>(1)?.0,
            action: row.get(2)?,
            ordering_key: OrderingKey::new(row.get::<_, String>(3)?),
            record_id: row.get(4)?,
            record_body: row.get(5)?,
            previous_body: row.get(6)?,
            is_claimed: row.get(7)?,
        })
    });
    Ok(found.optional()?)
}

/// Ends claims, each in its own way.
pub(crate) fn settle(connection: &Connection, settlements: &[ContainerSettlement]) -> Result<()> {
    settlements
        .iter()
        .try_for_each(|settlement| settle_one(connection, settlement))
}

fn settle_one(connection: &Connection, settlement: &ContainerSettlement) -> Result<()> {
    let Some(standing) = find(connection, id_of(settlement))? else {
        return Ok(());
    };
    // What is dead or dropped by now stays so, whatever a late worker says.
    let is_tried = matches!(standing.state, ContainerState::Due | ContainerState::Parked);
    if !is_tried {
        return Ok(());
    }
    match settlement {
        ContainerSettlement::Notified {
            notification,
            destinations,
        } => {
            notifications::insert(connection, standing.action, notification, destinations)?;
            findings::count_unknown(connection, standing.action, notification)?;
            delete(connection, &standing)?;
            leave(connection, &standing)
        }
        // The others give a claim back, and somebody whose claim is over has none to give.
        _ if !standing.is_claimed => Ok(()),
        ContainerSettlement::Parked {
            code,
            reason,
            due_at,
            answers,
            ..
        } => {
            connection
                .prepare_cached(
                    "UPDATE containers SET state = 'parked', claimed_until = NULL, attempts = attempts + 1,
                            due_at = ?2, reason_code = ?3, reason = ?4 WHERE sequence = ?1",
                )?
                .execute(params![standing.sequence, At(*due_at), CodeText(*code), plain(reason)])?;
            replace_answers(connection, standing.sequence, answers)
        }
        ContainerSettlement::Released {
            due_at, answers, ..
        } => {
            connection
                .prepare_cached(
                    "UPDATE containers SET claimed_until = NULL, due_at = ?2 WHERE sequence = ?1",
                )?
                .execute(params![standing.sequence, At(*due_at)])?;
            replace_answers(connection, standing.sequence, answers)
        }
        ContainerSettlement::Dead { code, reason, .. } => {
            connection
                .prepare_cached(
                    "UPDATE containers SET state = 'dead', claimed_until = NULL, attempts = attempts + 1,
                            reason_code = ?2, reason = ?3 WHERE sequence = ?1",
                )?
                .execute(params![standing.sequence, CodeText(*code), plain(reason)])?;
            leave(connection, &standing)
        }
        ContainerSettlement::Dropped {
            code,
            reason,
            gaps,
            at,
            ..
        } => {
            let reason = with_gaps(reason, gaps);
            drop_one(connection, &standing, Some(*code), &reason, *at)
        }
    }
}

fn id_of(settlement: &ContainerSettlement) -> &ContainerId {
    match settlement {
        ContainerSettlement::Notified { notification, .. } => &notification.container,
        ContainerSettlement::Parked { id, .. }
        | ContainerSettlement::Released { id, .. }
        | ContainerSettlement::Dead { id, .. }
        | ContainerSettlement::Dropped { id, .. } => id,
    }
}

/// The reason of a drop with what was missing, which is all that is left of the gaps then.
fn with_gaps(reason: &str, gaps: &[Gap]) -> String {
    if gaps.is_empty() {
        return reason.to_owned();
    }
    let missing: Vec<String> = gaps
        .iter()
        .map(|gap| format!("{} ({})", gap.lookup, gap.status))
        .collect();
    format!("{reason}; missing: {}", missing.join(", "))
}

/// Drops an open or dead container. It is kept, with its record, until it is pruned.
pub(crate) fn drop_one(
    connection: &Connection,
    standing: &Standing,
    code: Option<Code>,
    reason: &str,
    at: Timestamp,
) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE containers SET state = 'dropped', claimed_until = NULL, reason_code = ?4, reason = ?2,
                    finished_at = ?3 WHERE sequence = ?1",
        )?
        .execute(params![standing.sequence, reason, At(at), code.map(CodeText)])?;
    leave(connection, standing)
}

fn leave(connection: &Connection, standing: &Standing) -> Result<()> {
    order::leave(
        connection,
        &order::CONTAINERS,
        standing.action,
        &standing.ordering_key,
        standing.sequence,
    )
}

/// Makes a parked or dead container due now, with fresh attempts. The answers that it has stay. A claim that is on it stays
/// too: it is being tried already.
pub(crate) fn retry_one(
    connection: &Connection,
    standing: &Standing,
    now: Timestamp,
) -> Result<()> {
    let (scope, keys) = (standing.action, &standing.ordering_key);
    let row = standing.sequence;
    let is_behind = order::is_open(connection, &order::CONTAINERS, scope, keys, row)?;
    if standing.state == ContainerState::Dead {
        order::enter(connection, &order::CONTAINERS, scope, keys, row)?;
    }
    // A parked one has its place already, perhaps beside others.
    let state = if standing.state == ContainerState::Dead && is_behind {
        ContainerState::Waiting
    } else {
        ContainerState::Due
    };
    connection
        .prepare_cached(
            "UPDATE containers SET state = ?2, due_at = ?3, attempts = 0, reason_code = NULL, reason = NULL
             WHERE sequence = ?1",
        )?
        .execute(params![standing.sequence, ContainerWord(state), At(now)])?;
    Ok(())
}

/// Makes what is parked of an action due, as if it had never been tried: what it was told by lookups may be asked otherwise now.
pub(crate) fn unpark_all(
    connection: &Connection,
    action: &ActionName,
    now: Timestamp,
) -> Result<u64> {
    let Some(action) = Names::Actions.find(connection, action.as_str())? else {
        return Ok(0);
    };
    // The first condition is that of the index, word for word.
    connection.execute(
        "DELETE FROM container_answers WHERE container IN (
             SELECT sequence FROM containers
             WHERE action = ?1 AND state IN ('waiting', 'due', 'parked') AND state = 'parked')",
        [action],
    )?;
    let due = connection.execute(
        "UPDATE containers SET state = 'due', due_at = ?2, attempts = 0, reason_code = NULL, reason = NULL
         WHERE action = ?1 AND state IN ('waiting', 'due', 'parked') AND state = 'parked'",
        params![action, At(now)],
    )?;
    Ok(u64::try_from(due).unwrap_or(u64::MAX))
}

/// Removes a container and the bodies that only it held.
pub(crate) fn delete(connection: &Connection, standing: &Standing) -> Result<()> {
    connection
        .prepare_cached("DELETE FROM containers WHERE sequence = ?1")?
        .execute([standing.sequence])?;
    for body in [Some(standing.record_body), standing.previous_body]
        .into_iter()
        .flatten()
    {
        bodies::release(connection, standing.action, &standing.record_id, body)?;
    }
    Ok(())
}
