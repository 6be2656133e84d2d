//! Containers, for people.

use super::{Conditions, Selectable, for_each, read_reason};
use crate::sqlite::codec::{At, ContainerWord, KindWord, VersionBytes};
use crate::sqlite::containers::{self, Standing};
use crate::sqlite::error::Result;
use crate::sqlite::{bodies, order};
use jiff::Timestamp;
use rounds_domain::ports::{
    ContainerDetail, ContainerFilter, ContainerSummary, KeptContainer, PageRequest, Selection,
};
use rounds_domain::{ActionName, ContainerId, ContainerState, OrderingKey, RecordId};
use rusqlite::{Connection, Row, params};

const SELECT: &str = "SELECT c.sequence, c.id, a.name AS action_name, c.record_id, c.kind, c.state, c.attempts, c.due_at, \
     c.reason_code, c.reason, c.detected_at, c.version, c.record_body, c.previous_body, c.ordering_key \
     FROM containers c JOIN actions a ON a.id = c.action";

/// Containers, oldest first.
pub(crate) fn list(
    connection: &Connection,
    filter: &ContainerFilter,
    page: PageRequest,
) -> Result<Vec<ContainerSummary>> {
    let words = words(&filter.states);
    conditions(filter, &words)?.page(connection, SELECT, "c.sequence", page, summary)
}

/// The last containers of a record, newest first.
pub(crate) fn of_record(
    connection: &Connection,
    action: i64,
    record: &RecordId,
    limit: i64,
) -> Result<Vec<KeptContainer>> {
    let mut statement = connection.prepare_cached(&format!(
        "{SELECT} WHERE c.action = ?1 AND c.record_id = ?2 ORDER BY c.sequence DESC LIMIT ?3"
    ))?;
    let mut rows = statement.query(params![action, record.expose(), limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (summary, sequence) = (summary(row)?, row.get("sequence")?);
        let behind = match summary.state {
            ContainerState::Waiting => {
                let key = OrderingKey::new(row.get::<_, String>("ordering_key")?);
                before(connection, action, &key, sequence)?
            }
            _ => None,
        };
        found.push(KeptContainer { summary, behind });
    }
    Ok(found)
}

/// The first open container of one of these keys, if it comes before this one.
fn before(
    connection: &Connection,
    action: i64,
    key: &OrderingKey,
    sequence: i64,
) -> Result<Option<(ContainerId, RecordId)>> {
    for key in key.keys() {
        let first = order::first(connection, &order::CONTAINERS, action, key)?;
        if let Some(first) = first.filter(|first| *first < sequence) {
            let mut statement = connection
                .prepare_cached("SELECT id, record_id FROM containers WHERE sequence = ?1")?;
            let found = statement.query_row([first], |row| {
                let id = ContainerId::new(row.get::<_, String>(0)?);
                Ok((id, RecordId::new(row.get::<_, String>(1)?)))
            })?;
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// One container with its record.
pub(crate) fn detail(connection: &Connection, id: &ContainerId) -> Result<Option<ContainerDetail>> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE c.id = ?1"))?;
    let mut rows = statement.query([id.as_str()])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let previous: Option<i64> = row.get("previous_body")?;
    Ok(Some(ContainerDetail {
        summary: summary(row)?,
        version: row.get::<_, VersionBytes>("version")?.0,
        record: bodies::load(connection, row.get("record_body")?)?,
        previous: previous
            .map(|body| bodies::load(connection, body))
            .transpose()?,
    }))
}

/// Makes parked or dead ones due now.
pub(crate) fn retry(
    connection: &Connection,
    selection: &Selection<ContainerId, ContainerFilter>,
    now: Timestamp,
) -> Result<u64> {
    for_each::<Containers>(
        connection,
        selection,
        &[ContainerState::Parked, ContainerState::Dead],
        |standing| containers::retry_one(connection, standing, now),
    )
}

/// Drops what is not finished.
pub(crate) fn drop_all(
    connection: &Connection,
    selection: &Selection<ContainerId, ContainerFilter>,
    reason: &str,
    now: Timestamp,
) -> Result<u64> {
    for_each::<Containers>(
        connection,
        selection,
        &[
            ContainerState::Waiting,
            ContainerState::Due,
            ContainerState::Parked,
            ContainerState::Dead,
        ],
        |standing| containers::drop_one(connection, standing, None, reason, now),
    )
}

/// Containers as what is selected.
enum Containers {}

impl Selectable for Containers {
    type Id = ContainerId;
    type Filter = ContainerFilter;
    type State = ContainerState;
    type Standing = Standing;

    fn find(connection: &Connection, id: &ContainerId) -> Result<Option<Standing>> {
        containers::find(connection, id)
    }

    fn matching(
        connection: &Connection,
        filter: &ContainerFilter,
        states: &[ContainerState],
    ) -> Result<Vec<i64>> {
        let wanted = words(&filter.states);
        let possible = words(states);
        let mut conditions = conditions(filter, &wanted)?;
        conditions.require_one_of("c.state", &possible)?;
        conditions.numbers(
            connection,
            "SELECT c.sequence FROM containers c",
            "sequence",
        )
    }

    fn standing(connection: &Connection, sequence: i64) -> Result<Option<Standing>> {
        containers::standing(connection, sequence)
    }

    fn state(standing: &Standing) -> ContainerState {
        standing.state
    }
}

fn words(states: &[ContainerState]) -> Vec<ContainerWord> {
    states.iter().copied().map(ContainerWord).collect()
}

fn conditions<'a>(
    filter: &'a ContainerFilter,
    states: &'a [ContainerWord],
) -> Result<Conditions<'a>> {
    let mut conditions = Conditions::default();
    if let Some(action) = &filter.action {
        conditions.require(
            "c.action = (SELECT id FROM actions WHERE name = ?)",
            [action.as_str()],
        );
    }
    if let Some(record) = &filter.record_id {
        // The index begins with the action, so all of them are named.
        conditions.require(
            "c.action IN (SELECT id FROM actions) AND c.record_id = ?",
            [record.expose()],
        );
    }
    conditions.require_one_of("c.state", states)?;
    Ok(conditions)
}

fn summary(row: &Row<'_>) -> Result<ContainerSummary> {
    let state = row.get::<_, ContainerWord>("state")?.0;
    // One that waits is tried when another is done, and nobody knows when that is.
    let has_time = matches!(state, ContainerState::Due | ContainerState::Parked);
    Ok(ContainerSummary {
        id: ContainerId::new(row.get::<_, String>("id")?),
        action: ActionName::new(row.get::<_, String>("action_name")?),
        record_id: RecordId::new(row.get::<_, String>("record_id")?),
        kind: row.get::<_, KindWord>("kind")?.0,
        state,
        attempts: row.get("attempts")?,
        due_at: has_time
            .then(|| row.get::<_, At>("due_at"))
            .transpose()?
            .map(|at| at.0),
        reason: read_reason(row, "reason_code", "reason")?,
        detected_at: row.get::<_, At>("detected_at")?.0,
    })
}
