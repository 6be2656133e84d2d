//! What is known of destinations beside their deliveries.

use super::codec::{At, CodeText};
use super::error::Result;
use super::names::Names;
use rounds_domain::DestinationName;
use rounds_domain::ports::DestinationState;
use rusqlite::{Connection, Row, params};

/// The columns that [`read_state`] reads, in its order.
pub(crate) const STATE_COLUMNS: &str =
    "paused_at, paused_code, paused_reason, verified_mark, verified_at";

/// The state of a destination; the default one for one that is not known.
pub(crate) fn state(
    connection: &Connection,
    destination: &DestinationName,
) -> Result<DestinationState> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {STATE_COLUMNS} FROM destinations WHERE name = ?1"
    ))?;
    let mut rows = statement.query([destination.as_str()])?;
    match rows.next()? {
        Some(row) => Ok(read_state(row)?),
        None => Ok(DestinationState::default()),
    }
}

/// Reads [`STATE_COLUMNS`], which come first in the row.
pub(crate) fn read_state(row: &Row<'_>) -> rusqlite::Result<DestinationState> {
    let paused = match (
        row.get::<_, Option<At>>(0)?,
        row.get::<_, Option<CodeText>>(1)?,
    ) {
        (Some(at), Some(code)) => Some((
            at.0,
            code.0,
            row.get::<_, Option<String>>(2)?.unwrap_or_default(),
        )),
        _ => None,
    };
    let verified = match (
        row.get::<_, Option<String>>(3)?,
        row.get::<_, Option<At>>(4)?,
    ) {
        (Some(mark), Some(at)) => Some((mark, at.0)),
        _ => None,
    };
    Ok(DestinationState { paused, verified })
}

/// Replaces the state of a destination.
pub(crate) fn set_state(
    connection: &Connection,
    destination: &DestinationName,
    state: &DestinationState,
) -> Result<()> {
    let number = Names::Destinations.number(connection, destination.as_str())?;
    let paused = state.paused.as_ref();
    let verified = state.verified.as_ref();
    connection
        .prepare_cached(
            "UPDATE destinations SET paused_at = ?2, paused_code = ?3, paused_reason = ?4,
                    verified_mark = ?5, verified_at = ?6 WHERE id = ?1",
        )?
        .execute(params![
            number,
            paused.map(|(at, _, _)| At(*at)),
            paused.map(|(_, code, _)| CodeText(*code)),
            paused.map(|(_, _, reason)| reason),
            verified.map(|(mark, _)| mark),
            verified.map(|(_, at)| At(*at)),
        ])?;
    Ok(())
}

/// Whether nothing is to be sent to it.
pub(crate) fn is_paused(connection: &Connection, destination: i64) -> Result<bool> {
    let mut statement = connection
        .prepare_cached("SELECT paused_at IS NOT NULL FROM destinations WHERE id = ?1")?;
    Ok(statement.query_row([destination], |row| row.get(0))?)
}

/// Serves a destination again.
pub(crate) fn resume(connection: &Connection, destination: i64) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE destinations SET paused_at = NULL, paused_code = NULL, paused_reason = NULL
             WHERE id = ?1 AND paused_at IS NOT NULL",
        )?
        .execute([destination])?;
    Ok(())
}
