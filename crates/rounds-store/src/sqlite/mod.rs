//! The store on `SQLite`.
//!
//! What a job does to the database is plain synchronous code over a connection, one module per table or two. An
//! `Executor` decides on which thread and in which transaction it runs, and the implementations of the ports in `port.rs`
//! do nothing but name the operation and hand the job over. So the same SQL runs under load, in a simulation and
//! in a command of an operator.
//!
//! # Why this survives
//!
//! The database is in write-ahead-log mode with `synchronous = FULL`: a commit is on the disk before anybody is told of
//! it. What a crash leaves in the log beyond the last commit, or a torn end of it, is ignored when it is opened next.
//! Several jobs share one commit (see `group.rs`), which is what pays for that.
//!
//! # Who may open it
//!
//! One running process has a data directory for itself ([`SqliteStore::open`], a file lock). Operators' commands
//! come beside it ([`SqliteStore::open_for_operator`]): they read, and write in short transactions; the running
//! process sees that they did by [`SqliteStore::changes_by_others`].

mod attempts;
mod bodies;
mod claim;
mod codec;
mod connection;
mod containers;
#[cfg(test)]
mod cost;
mod credentials;
mod deliveries;
mod destinations;
mod directory;
mod error;
mod executor;
mod feeds;
mod findings;
mod group;
mod ledger;
mod migrate;
mod names;
mod notifications;
mod operations;
mod order;
mod port;
mod prune;
mod rounds;
mod rules;
mod upkeep;
mod views;

use directory::DirectoryLock;
pub use directory::{Holder, Purpose};
use error::{Result, Trouble};
use executor::{Executor, Threads};
use rounds_domain::InstanceId;
use rounds_domain::ports::StoreError;
use rusqlite::Connection;
use std::path::Path;
use std::sync::Mutex;

/// How many connections read beside the one that writes.
const READERS: usize = 2;

/// What can be chosen about a store.
#[derive(Debug, Clone, Default)]
pub struct StoreOptions {
    /// The installation's name, if a database is made now; a random one where None. A simulation gives one, to run the
    /// same way twice.
    pub instance: Option<InstanceId>,
    /// How large the database's main file may become, in bytes; whatever the disk holds where None. What would go beyond
    /// is refused as on a full disk, and so may be dropping something, which writes its reason first. The write-ahead log
    /// beside it comes on top.
    pub size_limit_bytes: Option<u64>,
    /// What the directory is opened for, for whoever looks who has it.
    pub purpose: Purpose,
}

/// The store on `SQLite`. Dropping it finishes what is queued and gives the data directory free.
#[derive(Debug)]
pub struct SqliteStore {
    // Before the lock, because fields are dropped in order.
    executor: Executor,
    _lock: Option<DirectoryLock>,
}

impl SqliteStore {
    /// Opens the store of a data directory for the process that runs it, on threads of its own. Makes the directory and
    /// the database if they are not there, brings the schema up to date, and releases the claims that a former process
    /// left.
    ///
    /// # Errors
    ///
    /// `Busy` where another running process has the directory, `TooNew` where a newer version made the database, `Corrupt`
    /// where the file is no database of Rounds, `Unavailable` where it cannot be read or written, `Full` where the disk is.
    pub fn open(
        data_directory: &Path,
        options: &StoreOptions,
    ) -> std::result::Result<Self, StoreError> {
        Self::open_with(data_directory, options, |connection| {
            let readers = (0..READERS)
                .map(|_| connection::open_reader(data_directory))
                .collect::<Result<_>>()?;
            Threads::start(connection, readers).map(Executor::Threads)
        })
    }

    /// The same as [`Self::open`], but everything is done on the caller's thread within the first poll of each future.
    pub fn open_inline(
        data_directory: &Path,
        options: &StoreOptions,
    ) -> std::result::Result<Self, StoreError> {
        Self::open_with(data_directory, options, |connection| {
            Ok(Executor::Inline(Mutex::new(connection)))
        })
    }

    /// A store in memory that ends with the process, on the caller's thread: for simulations.
    pub fn in_memory(options: &StoreOptions) -> std::result::Result<Self, StoreError> {
        let connection = connection::open_memory(options)
            .map_err(|trouble| trouble.during("opening a store in memory"))?;
        Ok(Self {
            executor: Executor::Inline(Mutex::new(connection)),
            _lock: None,
        })
    }

    /// Opens the store of a data directory beside the process that runs it, if one does, for an operator's command. Works on
    /// the caller's thread and waits up to five seconds for the other's transactions.
    ///
    /// # Errors
    ///
    /// Those of [`Self::open`], and `Unavailable` where there is no database yet or one of an older version: making and
    /// changing it is the running process's part.
    pub fn open_for_operator(data_directory: &Path) -> std::result::Result<Self, StoreError> {
        let connection = connection::open_shared(data_directory)
            .map_err(|trouble| trouble.during(opening(data_directory)))?;
        Ok(Self {
            executor: Executor::Inline(Mutex::new(connection)),
            _lock: None,
        })
    }

    fn open_with(
        data_directory: &Path,
        options: &StoreOptions,
        executor: impl FnOnce(Connection) -> Result<Executor>,
    ) -> std::result::Result<Self, StoreError> {
        let open = || {
            directory::prepare_directory(data_directory)?;
            let lock = DirectoryLock::take(data_directory, options.purpose)?;
            directory::prepare_database(data_directory)?;
            let connection = connection::open_owned(data_directory, options)?;
            let released = port::release_claims(&connection)?;
            if released > 0 {
                tracing::info!(
                    store.claims = released,
                    "Released what the former process was working on"
                );
            }
            Ok(Self {
                executor: executor(connection)?,
                _lock: Some(lock),
            })
        };
        open().map_err(|trouble: Trouble| trouble.during(opening(data_directory)))
    }

    /// Makes everything that is claimed claimable again and says how much it was. Right only where nobody works on it any
    /// more: [`Self::open`] does it, and a simulation of a crash.
    pub async fn release_claims(&self) -> std::result::Result<u64, StoreError> {
        self.write("releasing all claims", port::release_claims)
            .await
    }

    /// A number that changes whenever another process has written to the database, and not by what this store writes.
    /// Compare it with what it was before.
    pub async fn changes_by_others(&self) -> std::result::Result<u64, StoreError> {
        // SQLite counts for each connection what all others committed, so it is the writing one that must be asked.
        self.write("looking for changes by others", |connection| {
            Ok(connection.pragma_query_value(None, "data_version", |row| row.get(0))?)
        })
        .await
    }

    async fn write<R, W>(
        &self,
        operation: impl Into<String>,
        work: W,
    ) -> std::result::Result<R, StoreError>
    where
        R: Send + 'static,
        W: FnOnce(&Connection) -> Result<R> + Send + 'static,
    {
        let outcome = self.executor.write(work).await;
        outcome.map_err(|trouble| trouble.during(operation))
    }

    async fn read<R, W>(
        &self,
        operation: impl Into<String>,
        work: W,
    ) -> std::result::Result<R, StoreError>
    where
        R: Send + 'static,
        W: FnOnce(&Connection) -> Result<R> + Send + 'static,
    {
        let outcome = self.executor.read(work).await;
        outcome.map_err(|trouble| trouble.during(operation))
    }
}

fn opening(data_directory: &Path) -> String {
    format!("opening the data directory {}", data_directory.display())
}
