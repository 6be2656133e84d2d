//! What is known of destinations beside their deliveries.

use super::codec::{At, CodeText};
use super::error::Result;
use super::names::Names;
use jiff::Timestamp;
use rounds_domain::ports::{Breaker, DestinationNote, DestinationState};
use rounds_domain::{AttemptOutcome, Code, DestinationName, plain};
use rusqlite::{Connection, Row, params};

/// The columns that [`read_state`] reads.
pub(crate) const STATE_COLUMNS: &str = "paused_at, paused_code, paused_reason, verified_mark, verified_at, \
     breaker_opened_at, breaker_failures, breaker_next_try_at, breaker_code, breaker_reason";

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

/// Reads [`STATE_COLUMNS`].
pub(crate) fn read_state(row: &Row<'_>) -> rusqlite::Result<DestinationState> {
    let at = |name: &str| Ok::<_, rusqlite::Error>(row.get::<_, Option<At>>(name)?.map(|at| at.0));
    let code = |name: &str| {
        Ok::<_, rusqlite::Error>(row.get::<_, Option<CodeText>>(name)?.map(|code| code.0))
    };
    let words = |name: &str| {
        Ok::<_, rusqlite::Error>(row.get::<_, Option<String>>(name)?.unwrap_or_default())
    };
    let paused = match (at("paused_at")?, code("paused_code")?) {
        (Some(at), Some(code)) => Some((at, code, words("paused_reason")?)),
        _ => None,
    };
    let verified = match (
        row.get::<_, Option<String>>("verified_mark")?,
        at("verified_at")?,
    ) {
        (Some(mark), Some(at)) => Some((mark, at)),
        _ => None,
    };
    let breaker = match (
        at("breaker_opened_at")?,
        at("breaker_next_try_at")?,
        code("breaker_code")?,
    ) {
        (Some(opened_at), Some(next_try_at), Some(code)) => Some(Breaker {
            opened_at,
            failures: row.get("breaker_failures")?,
            next_try_at,
            code,
            reason: words("breaker_reason")?,
        }),
        _ => None,
    };
    Ok(DestinationState {
        paused,
        breaker,
        verified,
    })
}

/// Notes one thing of a destination.
pub(crate) fn note(
    connection: &Connection,
    destination: &DestinationName,
    note: &DestinationNote,
) -> Result<()> {
    let number = Names::Destinations.number(connection, destination.as_str())?;
    match note {
        DestinationNote::Paused { at, code, reason } => {
            connection
                .prepare_cached(
                    "UPDATE destinations SET paused_at = ?2, paused_code = ?3, paused_reason = ?4
                     WHERE id = ?1 AND paused_at IS NULL",
                )?
                .execute(params![number, At(*at), CodeText(*code), plain(reason)])?;
        }
        DestinationNote::Verified(mark, at) => {
            connection
                .prepare_cached(
                    "UPDATE destinations SET verified_mark = ?2, verified_at = ?3 WHERE id = ?1",
                )?
                .execute(params![number, mark, At(*at)])?;
        }
        DestinationNote::Breaker(breaker) => set_breaker(connection, number, breaker.as_ref())?,
    }
    Ok(())
}

fn set_breaker(connection: &Connection, destination: i64, breaker: Option<&Breaker>) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE destinations SET breaker_opened_at = ?2, breaker_failures = ?3, breaker_next_try_at = ?4,
                    breaker_code = ?5, breaker_reason = ?6 WHERE id = ?1",
        )?
        .execute(params![
            destination,
            breaker.map(|breaker| At(breaker.opened_at)),
            breaker.map(|breaker| breaker.failures),
            breaker.map(|breaker| At(breaker.next_try_at)),
            breaker.map(|breaker| CodeText(breaker.code)),
            breaker.map(|breaker| &breaker.reason),
        ])?;
    Ok(())
}

/// Whether nothing is to be sent to it.
pub(crate) fn is_paused(connection: &Connection, destination: i64) -> Result<bool> {
    let mut statement = connection
        .prepare_cached("SELECT paused_at IS NOT NULL FROM destinations WHERE id = ?1")?;
    Ok(statement.query_row([destination], |row| row.get(0))?)
}

/// A person's hold, whatever else paused it before.
pub(crate) fn hold(
    connection: &Connection,
    destination: &DestinationName,
    reason: &str,
    now: Timestamp,
) -> Result<()> {
    let number = Names::Destinations.number(connection, destination.as_str())?;
    connection
        .prepare_cached(
            "UPDATE destinations SET paused_at = ?2, paused_code = ?3, paused_reason = ?4 WHERE id = ?1",
        )?
        .execute(params![
            number,
            At(now),
            CodeText(DestinationState::HELD),
            reason
        ])?;
    Ok(())
}

/// Serves a destination again, whatever paused it.
pub(crate) fn release(connection: &Connection, destination: &DestinationName) -> Result<()> {
    if let Some(number) = Names::Destinations.find(connection, destination.as_str())? {
        connection
            .prepare_cached(
                "UPDATE destinations SET paused_at = NULL, paused_code = NULL, paused_reason = NULL WHERE id = ?1",
            )?
            .execute([number])?;
        set_breaker(connection, number, None)?;
    }
    Ok(())
}

/// Serves a destination again that a 410 paused.
pub(crate) fn resume(connection: &Connection, destination: i64) -> Result<()> {
    const GONE: Code = AttemptOutcome::GONE;
    connection
        .prepare_cached(
            "UPDATE destinations SET paused_at = NULL, paused_code = NULL, paused_reason = NULL
             WHERE id = ?1 AND paused_code = ?2",
        )?
        .execute(params![destination, CodeText(GONE)])?;
    Ok(())
}
