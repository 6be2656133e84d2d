//! Secrets that EHRs gave: one for each connection.
//!
//! What a new secret replaces is overwritten with zeros (`secure_delete`), so a spent refresh token does not stay behind in the
//! main file. It does stay in the write-ahead log until that is written over.

use super::error::Result;
use rounds_domain::ConnectionName;
use rounds_domain::ports::Credential;
use rusqlite::{Connection, OptionalExtension, params};
use secrecy::{ExposeSecret, SecretString};

/// What is kept for a connection.
pub(crate) fn credential(
    connection: &Connection,
    name: &ConnectionName,
) -> Result<Option<Credential>> {
    let mut statement = connection
        .prepare_cached("SELECT secret, origin FROM credentials WHERE connection = ?1")?;
    Ok(statement
        .query_row([name.as_str()], |row| {
            Ok(Credential {
                secret: SecretString::from(row.get::<_, String>(0)?),
                origin: row.get(1)?,
            })
        })
        .optional()?)
}

/// Replaces what is kept for a connection.
pub(crate) fn keep(
    connection: &Connection,
    name: &ConnectionName,
    credential: &Credential,
) -> Result<()> {
    secure_delete(connection, true)?;
    let kept = connection
        .prepare_cached(
            "INSERT INTO credentials (connection, secret, origin) VALUES (?1, ?2, ?3)
             ON CONFLICT (connection) DO UPDATE SET secret = excluded.secret, origin = excluded.origin",
        )?
        .execute(params![
            name.as_str(),
            credential.secret.expose_secret(),
            credential.origin
        ]);
    // Everything else that is deleted is the disk's to forget: zeros would cost every prune a second write.
    secure_delete(connection, false)?;
    kept?;
    Ok(())
}

fn secure_delete(connection: &Connection, on: bool) -> Result<()> {
    connection.pragma_update_and_check(None, "secure_delete", on, |_| Ok(()))?;
    Ok(())
}
