//! The data directory, as commands come to it.

use crate::problem::NO_DATA;
use crate::{Ended, Problem};
use rounds_domain::ports::{StoreError, StoreErrorKind};
use rounds_store::SqliteStore;
use std::path::Path;

/// The name of the database in a data directory, as the store makes it.
const DATABASE: &str = "rounds.db";

/// Whether a data directory has a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// It has.
    There,
    /// It has not: nothing ran yet.
    NotYet,
}

/// Looks for the database.
///
/// # Errors
///
/// When the directory cannot be looked into.
pub fn look(data_directory: &Path) -> Result<Database, Problem> {
    match data_directory.join(DATABASE).try_exists() {
        Ok(true) => Ok(Database::There),
        Ok(false) => Ok(Database::NotYet),
        Err(error) => Err(Problem::from(StoreError {
            kind: StoreErrorKind::Unavailable,
            operation: format!(
                "looking into the data directory {}",
                data_directory.display()
            ),
            reason: error.to_string(),
        })),
    }
}

/// Fails where there is no database yet.
pub fn require(data_directory: &Path) -> Result<(), Problem> {
    match look(data_directory)? {
        Database::There => Ok(()),
        Database::NotYet => Err(Problem::new(
            NO_DATA,
            Ended::DataDirectory,
            format!(
                "the data directory {} has no database yet",
                data_directory.display()
            ),
            "`rounds run` makes it; name another directory with --data-dir",
        )),
    }
}

/// Opens the store beside a running process, for an operator's command.
pub fn open_for_operator(data_directory: &Path) -> Result<SqliteStore, Problem> {
    require(data_directory)?;
    Ok(SqliteStore::open_for_operator(data_directory)?)
}
