//! The record of attempts.

use super::codec::{At, CodeText, Length};
use super::error::{Result, Trouble};
use rounds_domain::{Attempt, AttemptOutcome, plain};
use rusqlite::{Connection, Row, params};

/// How many attempts of a delivery are kept: the last ones.
const KEPT: i64 = 100;

/// The columns of an outcome.
#[derive(Default)]
struct Columns<'a> {
    outcome: &'static str,
    status: Option<u16>,
    retry_after: Option<Length>,
    code: Option<CodeText>,
    reason: Option<&'a str>,
}

fn columns(outcome: &AttemptOutcome) -> Columns<'_> {
    match outcome {
        AttemptOutcome::Delivered { status } => Columns {
            outcome: "delivered",
            status: Some(*status),
            ..Columns::default()
        },
        AttemptOutcome::Refused {
            status,
            retry_after,
            reason,
        } => Columns {
            outcome: "refused",
            status: Some(*status),
            retry_after: retry_after.map(Length),
            reason: Some(reason),
            ..Columns::default()
        },
        AttemptOutcome::Gone => Columns {
            outcome: "gone",
            ..Columns::default()
        },
        AttemptOutcome::Unreachable { code, reason } => Columns {
            outcome: "unreachable",
            code: Some(CodeText(*code)),
            reason: Some(reason),
            ..Columns::default()
        },
        AttemptOutcome::Impossible { code, reason } => Columns {
            outcome: "impossible",
            code: Some(CodeText(*code)),
            reason: Some(reason),
            ..Columns::default()
        },
    }
}

/// Why a delivery is still open after an attempt: the code if the outcome has one, and words.
pub(crate) fn reason(outcome: &AttemptOutcome) -> (Option<CodeText>, String) {
    let words = match outcome {
        AttemptOutcome::Delivered { status } => format!("the receiver answered {status}"),
        AttemptOutcome::Refused { status, reason, .. } => {
            format!("the receiver refused it with {status}: {reason}")
        }
        AttemptOutcome::Gone => "the receiver says that this endpoint is no more (410)".to_owned(),
        AttemptOutcome::Unreachable { reason, .. } | AttemptOutcome::Impossible { reason, .. } => {
            reason.clone()
        }
    };
    (outcome.code().map(CodeText), plain(&words).into_owned())
}

/// Adds an attempt to a delivery and forgets the oldest beyond [`KEPT`].
pub(crate) fn record(connection: &Connection, delivery: i64, attempt: &Attempt) -> Result<()> {
    let number: i64 = connection
        .prepare_cached(
            "UPDATE deliveries SET attempts_total = attempts_total + 1 WHERE sequence = ?1 RETURNING attempts_total",
        )?
        .query_row([delivery], |row| row.get(0))?;
    let columns = columns(&attempt.outcome);
    connection
        .prepare_cached(
            "INSERT INTO attempts (delivery, number, started_at, took, outcome, status, retry_after, code, reason)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            delivery,
            number,
            At(attempt.started_at),
            Length(attempt.took),
            columns.outcome,
            columns.status,
            columns.retry_after,
            columns.code,
            columns.reason,
        ])?;
    if number > KEPT {
        connection
            .prepare_cached("DELETE FROM attempts WHERE delivery = ?1 AND number <= ?2")?
            .execute([delivery, number - KEPT])?;
    }
    Ok(())
}

/// The attempts at a delivery that are kept, oldest first.
pub(crate) fn of_delivery(connection: &Connection, delivery: i64) -> Result<Vec<Attempt>> {
    let mut statement = connection.prepare_cached(
        "SELECT started_at, took, outcome, status, retry_after, code, reason
         FROM attempts WHERE delivery = ?1 ORDER BY number",
    )?;
    let mut rows = statement.query([delivery])?;
    let mut attempts = Vec::new();
    while let Some(row) = rows.next()? {
        attempts.push(Attempt {
            started_at: row.get::<_, At>(0)?.0,
            took: row.get::<_, Length>(1)?.0,
            outcome: read_outcome(row)?,
        });
    }
    Ok(attempts)
}

fn read_outcome(row: &Row<'_>) -> Result<AttemptOutcome> {
    let reason = || Ok::<_, rusqlite::Error>(row.get::<_, Option<String>>(6)?.unwrap_or_default());
    let outcome: String = row.get(2)?;
    Ok(match outcome.as_str() {
        "delivered" => AttemptOutcome::Delivered {
            status: row.get(3)?,
        },
        "refused" => AttemptOutcome::Refused {
            status: row.get(3)?,
            retry_after: row.get::<_, Option<Length>>(4)?.map(|length| length.0),
            reason: reason()?,
        },
        "gone" => AttemptOutcome::Gone,
        "unreachable" => AttemptOutcome::Unreachable {
            code: row.get::<_, CodeText>(5)?.0,
            reason: reason()?,
        },
        "impossible" => AttemptOutcome::Impossible {
            code: row.get::<_, CodeText>(5)?.0,
            reason: reason()?,
        },
        _ => return Err(Trouble::corrupt("an attempt ended in an unknown way")),
    })
}
