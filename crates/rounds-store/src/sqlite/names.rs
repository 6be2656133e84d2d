//! Names that the user chose, as the numbers that stand for them in rows.

use super::error::Result;
use rusqlite::{Connection, OptionalExtension};

/// A table of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    Lanes,
    Actions,
    Destinations,
}

impl Names {
    /// The number of a name, if it was ever given one.
    pub(crate) fn find(self, connection: &Connection, name: &str) -> Result<Option<i64>> {
        let sql = match self {
            Self::Lanes => "SELECT id FROM lanes WHERE name = ?1",
            Self::Actions => "SELECT id FROM actions WHERE name = ?1",
            Self::Destinations => "SELECT id FROM destinations WHERE name = ?1",
        };
        let mut statement = connection.prepare_cached(sql)?;
        Ok(statement.query_row([name], |row| row.get(0)).optional()?)
    }

    /// The number of a name, given now if need be.
    pub(crate) fn number(self, connection: &Connection, name: &str) -> Result<i64> {
        if let Some(id) = self.find(connection, name)? {
            return Ok(id);
        }
        let sql = match self {
            Self::Lanes => "INSERT INTO lanes (name) VALUES (?1)",
            Self::Actions => "INSERT INTO actions (name) VALUES (?1)",
            Self::Destinations => "INSERT INTO destinations (name) VALUES (?1)",
        };
        connection.prepare_cached(sql)?.execute([name])?;
        Ok(connection.last_insert_rowid())
    }
}
