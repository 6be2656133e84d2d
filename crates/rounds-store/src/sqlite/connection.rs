//! How connections are set up.

use super::error::{Result, Trouble};
use super::migrate::{self, Found, MIGRATIONS};
use super::{StoreOptions, directory};
use rounds_domain::InstanceId;
use rounds_domain::ports::StoreErrorKind;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// How long a connection waits for another process's transaction before it says that it is busy.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// To what size the write-ahead log is cut after it was written back: 64 MiB.
const JOURNAL_SIZE_LIMIT_BYTES: u64 = 64 * 1024 * 1024;
/// How many prepared statements a connection keeps. More than this crate has.
const STATEMENT_CACHE: usize = 128;

/// The smallest page that `SQLite` knows, and so the shortest file that can be a database.
const SHORTEST_DATABASE_BYTES: u64 = 512;

/// Opens the database of a directory that this process has, makes it or brings it to the newest schema.
pub(crate) fn open_owned(data_directory: &Path, options: &StoreOptions) -> Result<Connection> {
    let path = directory::database_path(data_directory);
    let mut connection = open_file(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    if migrate::look(&connection, MIGRATIONS)? == Found::Empty {
        // Only an empty database can be told this, and only before it is told about the log.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    set_up_for_writing(&connection)?;
    require_write_ahead_log(&connection)?;
    complete(&mut connection, options)?;
    Ok(connection)
}

/// Opens the database of a directory that another process may have. It must be there, with our schema.
pub(crate) fn open_shared(data_directory: &Path) -> Result<Connection> {
    let path = directory::database_path(data_directory);
    let unavailable = |reason: &str| Err(Trouble::new(StoreErrorKind::Unavailable, reason));
    if !path.try_exists()? {
        return unavailable("there is no database yet; `rounds run` makes it");
    }
    let connection = open_file(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    match migrate::look(&connection, MIGRATIONS)? {
        Found::Steps(steps) if steps == MIGRATIONS.len() => {}
        Found::Steps(_) => {
            return unavailable(
                "the database is of an older version; `rounds run` of this version brings it up to date",
            );
        }
        Found::Empty => return unavailable("there is no database yet; `rounds run` makes it"),
    }
    set_up_for_writing(&connection)?;
    Ok(connection)
}

/// A database that ends with the process: for simulations.
pub(crate) fn open_memory(options: &StoreOptions) -> Result<Connection> {
    let mut connection = Connection::open_in_memory()?;
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    set_up_for_writing(&connection)?;
    complete(&mut connection, options)?;
    Ok(connection)
}

/// A further connection to a database that is open already, which cannot write.
pub(crate) fn open_reader(data_directory: &Path) -> Result<Connection> {
    let path = directory::database_path(data_directory);
    let connection = open_file(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn open_file(path: &Path, flags: OpenFlags) -> Result<Connection> {
    // Each connection stays with one thread, or behind one mutex, so SQLite needs none of its own.
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    refuse_a_stump(path)?;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    // Sorting must not leave patient data in temporary files.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

/// `SQLite` takes a file that is shorter than its header for a new database and would begin one: every cursor and all that was known would
/// be gone without a word. A stump beside its rollback journal is the one that a crash leaves while the first page is written, which
/// `SQLite` mends.
fn refuse_a_stump(path: &Path) -> Result<()> {
    let length = std::fs::metadata(path)
        .map_err(|error| Trouble::from(error).at(path))?
        .len();
    let mut journal = path.as_os_str().to_owned();
    journal.push("-journal");
    let is_stump = (1..SHORTEST_DATABASE_BYTES).contains(&length);
    if is_stump && !Path::new(&journal).try_exists()? {
        return Err(Trouble::corrupt(format!(
            "{} has only {length} bytes: its end is gone",
            path.display()
        )));
    }
    Ok(())
}

fn set_up_for_writing(connection: &Connection) -> Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    connection.pragma_update(None, "foreign_keys", true)?;
    // What was acknowledged must survive a loss of power; group commit pays for it.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update_and_check(
        None,
        "journal_size_limit",
        JOURNAL_SIZE_LIMIT_BYTES,
        |_| Ok(()),
    )?;
    Ok(())
}

fn require_write_ahead_log(connection: &Connection) -> Result<()> {
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode.eq_ignore_ascii_case("wal") {
        Ok(())
    } else {
        Err(Trouble::new(
            StoreErrorKind::Unavailable,
            "the file system of the data directory does not support SQLite's write-ahead log; use a local disk",
        ))
    }
}

/// What is done once the database may be written: the schema, its name, its bound.
fn complete(connection: &mut Connection, options: &StoreOptions) -> Result<()> {
    let ran = migrate::migrate(connection, MIGRATIONS)?;
    if ran > 0 {
        tracing::info!(store.migrations = ran, "The database has a new schema");
    }
    let given = options.instance.as_ref().map(InstanceId::as_str);
    connection.execute(
        "INSERT INTO instance (only, name) VALUES (1, coalesce(?1, lower(hex(randomblob(8)))))
         ON CONFLICT DO NOTHING",
        [given],
    )?;
    if let Some(limit_bytes) = options.size_limit_bytes {
        let page_bytes: u64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = limit_bytes.div_ceil(page_bytes.max(1));
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    }
    Ok(())
}
