//! Who holds a body, and when it goes.
//!
//! A notification's body is its own and goes with it.
//!
//! A record's state is written once, by the commit that found it, and may then be held by several: by the ledger as
//! the newest state of its record, by the container that tells of it, and by the next container of the same record as
//! its previous state. All of these belong to one (action, record id), so whoever lets go of a body can see with two
//! look-ups by key whether it was the last. No count is kept, so none can go wrong.

use super::error::{Result, Trouble};
use rounds_domain::Document;
use rusqlite::{Connection, OptionalExtension, params};

/// Writes a body and says its number.
pub(crate) fn insert(connection: &Connection, document: &Document) -> Result<i64> {
    connection
        .prepare_cached("INSERT INTO bodies (bytes) VALUES (?1)")?
        .execute([&document.bytes()[..]])?;
    Ok(connection.last_insert_rowid())
}

/// Reads a body that must be there.
pub(crate) fn load(connection: &Connection, body: i64) -> Result<Document> {
    let mut statement = connection.prepare_cached("SELECT bytes FROM bodies WHERE id = ?1")?;
    let bytes: Option<Vec<u8>> = statement.query_row([body], |row| row.get(0)).optional()?;
    let bytes = bytes.ok_or_else(|| Trouble::corrupt(format!("body {body} is not there")))?;
    Ok(Document::new(bytes))
}

/// Deletes a state of a record if neither the ledger nor a container holds it any more.
pub(crate) fn release(
    connection: &Connection,
    action: i64,
    record_id: &str,
    body: i64,
) -> Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM bodies WHERE id = ?1
               AND NOT EXISTS (SELECT 1 FROM ledger
                               WHERE action = ?2 AND record_id = ?3 AND body = ?1)
               AND NOT EXISTS (SELECT 1 FROM containers
                               WHERE action = ?2 AND record_id = ?3
                                 AND (record_body = ?1 OR previous_body = ?1))",
        )?
        .execute(params![body, action, record_id])?;
    Ok(())
}
