//! What rounds found that a person should look at.

use super::codec::{At, CodeText};
use super::error::Result;
use jiff::Timestamp;
use rounds_domain::{Code, FeedName, Finding, FindingUpdate, Notification, Sighting, plain};
use rusqlite::{Connection, params};

/// Values that no translation knows.
const UNKNOWN_CODES: Code = Code::new("R0377");

/// Notes what a round saw, and forgets what is gone.
pub(crate) fn note(
    connection: &Connection,
    action: i64,
    feed: &FeedName,
    update: &FindingUpdate,
    at: Timestamp,
) -> Result<()> {
    for sighting in &update.seen {
        connection
            .prepare_cached(
                "INSERT INTO findings (action, feed, code, records, message, hint, first_seen_at, last_seen_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)
                 ON CONFLICT DO UPDATE SET records = excluded.records, message = excluded.message,
                     hint = excluded.hint, last_seen_at = excluded.last_seen_at",
            )?
            .execute(params![
                action,
                feed.as_str(),
                CodeText(sighting.code),
                sighting.records,
                plain(&sighting.message),
                plain(&sighting.hint),
                At(at),
            ])?;
    }
    for code in &update.gone {
        connection
            .prepare_cached("DELETE FROM findings WHERE action = ?1 AND feed = ?2 AND code = ?3")?
            .execute(params![action, feed.as_str(), CodeText(*code)])?;
    }
    Ok(())
}

/// Counts a notification whose body has values that no translation knows. A day without one, and the next round finds it gone.
pub(crate) fn count_unknown(
    connection: &Connection,
    action: i64,
    notification: &Notification,
) -> Result<()> {
    if notification.unknown.is_empty() {
        return Ok(());
    }
    let words = format!(
        "codes that the mapping does not know, the last at {}",
        plain(&notification.unknown.join(", "))
    );
    connection
        .prepare_cached(
            "INSERT INTO findings (action, feed, code, records, message, hint, first_seen_at, last_seen_at)
                 VALUES (?1, 'changes', ?2, 1, '1 notification has ' || ?3, ?4, ?5, ?5)
             ON CONFLICT DO UPDATE SET records = records + 1,
                 message = (records + 1) || ' notifications have ' || ?3,
                 last_seen_at = excluded.last_seen_at",
        )?
        .execute(params![
            action,
            CodeText(UNKNOWN_CODES),
            words,
            "add them to `notify.codes` or to the translation; `unknown` says what becomes of them",
            At(notification.created_at),
        ])?;
    Ok(())
}

/// Forgets all of a feed: a person has put it elsewhere, and what was seen there may not be here.
pub(crate) fn forget(connection: &Connection, action: i64, feed: &FeedName) -> Result<()> {
    connection.execute(
        "DELETE FROM findings WHERE action = ?1 AND feed = ?2",
        params![action, feed.as_str()],
    )?;
    Ok(())
}

/// Those of a feed, by code.
pub(crate) fn of_feed(
    connection: &Connection,
    action: i64,
    feed: &FeedName,
) -> Result<Vec<Finding>> {
    let mut statement = connection.prepare_cached(
        "SELECT code, records, message, hint, first_seen_at, last_seen_at FROM findings
             WHERE action = ?1 AND feed = ?2 ORDER BY code",
    )?;
    let rows = statement.query_map(params![action, feed.as_str()], |row| {
        Ok(Finding {
            sighting: Sighting {
                code: row.get::<_, CodeText>(0)?.0,
                records: row.get(1)?,
                message: row.get(2)?,
                hint: row.get(3)?,
            },
            first_seen_at: row.get::<_, At>(4)?.0,
            last_seen_at: row.get::<_, At>(5)?.0,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
