//! What goes wrong inside, before it is known during which operation.

use rounds_domain::ports::{StoreError, StoreErrorKind};
use rusqlite::ErrorCode;
use std::io;
use std::path::Path;

/// A failure without its operation. The front adds that once, in [`Trouble::during`].
#[derive(Debug, Clone)]
pub(crate) struct Trouble {
    pub(crate) kind: StoreErrorKind,
    pub(crate) reason: String,
}

pub(crate) type Result<T> = std::result::Result<T, Trouble>;

impl Trouble {
    pub(crate) fn new(kind: StoreErrorKind, reason: impl Into<String>) -> Self {
        Self {
            kind,
            reason: reason.into(),
        }
    }

    /// The database holds something that this program never writes.
    pub(crate) fn corrupt(reason: impl Into<String>) -> Self {
        Self::new(StoreErrorKind::Corrupt, reason)
    }

    /// Names the file that it was about.
    pub(crate) fn at(self, path: &Path) -> Self {
        Self {
            reason: format!("{}: {}", path.display(), self.reason),
            ..self
        }
    }

    pub(crate) fn closed() -> Self {
        Self::new(StoreErrorKind::Closed, "the store was closed")
    }

    /// Says what was being done, and on what.
    pub(crate) fn during(self, operation: impl Into<String>) -> StoreError {
        StoreError {
            kind: self.kind,
            operation: operation.into(),
            reason: self.reason,
        }
    }
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        match &error {
            // SQLite's own words name tables and columns, never values.
            rusqlite::Error::SqliteFailure(failure, words) => {
                let words = words.clone().unwrap_or_else(|| failure.to_string());
                Self::new(
                    kind_of(failure.code),
                    format!("{words}{}", deed_of(failure.extended_code)),
                )
            }
            // Everything else is a value of another type or shape than this program writes. The error's text may hold
            // the value, so it is not passed on.
            rusqlite::Error::InvalidColumnType(_, column, _) => {
                Self::corrupt(format!("column {column} holds another type"))
            }
            rusqlite::Error::FromSqlConversionFailure(column, ..) => {
                Self::corrupt(format!("result column {column} holds an unknown value"))
            }
            rusqlite::Error::IntegralValueOutOfRange(column, _) => {
                Self::corrupt(format!("result column {column} is out of range"))
            }
            rusqlite::Error::QueryReturnedNoRows => {
                Self::corrupt("a row that must be there is not")
            }
            rusqlite::Error::SqlInputError { msg, .. } => Self::corrupt(msg.clone()),
            _ => Self::new(
                StoreErrorKind::Unavailable,
                "the database driver failed in an unexpected way",
            ),
        }
    }
}

/// The kind of an `SQLite` primary result code, <https://sqlite.org/rescode.html>.
fn kind_of(code: ErrorCode) -> StoreErrorKind {
    match code {
        ErrorCode::DiskFull => StoreErrorKind::Full,
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreErrorKind::Busy,
        // A violated constraint means that rows contradict each other: this program checks before it writes.
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::ConstraintViolation => {
            StoreErrorKind::Corrupt
        }
        _ => StoreErrorKind::Unavailable,
    }
}

/// What the disk would not do, from the extended code of an I/O error; "disk I/O error" alone does not say which way to look.
/// A quota and a limit of file size come as a write, because `SQLite` takes `ENOSPC` alone for a full disk.
fn deed_of(extended_code: i32) -> &'static str {
    use rusqlite::ffi;
    match extended_code {
        ffi::SQLITE_IOERR_READ | ffi::SQLITE_IOERR_SHORT_READ => " while reading",
        ffi::SQLITE_IOERR_WRITE => " while writing",
        ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC => " while waiting for the disk",
        ffi::SQLITE_IOERR_TRUNCATE => " while cutting a file",
        _ => "",
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreErrorKind::Full,
            _ => StoreErrorKind::Unavailable,
        };
        Self::new(kind, error.to_string())
    }
}
