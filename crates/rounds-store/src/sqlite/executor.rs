//! Where the database's work is done: on threads of its own, or on the caller's.
//!
//! With threads, one owns the connection that writes. Callers queue jobs in a bounded channel; the thread takes
//! whatever is queued, up to [`GROUP_LIMIT`], into one transaction, so that the wait for the disk at its commit is shared
//! by all of them (group commit). Nobody is answered before that commit. Readers have connections of their own and,
//! by the write-ahead log, see the last commit without waiting for a writer.
//!
//! Inline, the same jobs run one by one on the caller's thread, within the future's first poll. A simulation that is
//! to run the same way twice needs that, and a short-lived command needs no more.

use super::error::{Result, Trouble};
use super::group::{self, Job, Task};
use rounds_domain::ports::StoreErrorKind;
use rusqlite::Connection;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot};

/// How many jobs share a transaction at most.
const GROUP_LIMIT: usize = 128;
/// How many jobs may be queued before callers wait.
const QUEUE_LIMIT: usize = 256;

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// Where the database's work is done.
#[derive(Debug)]
pub(crate) enum Executor {
    /// On the caller's thread.
    Inline(Mutex<Connection>),
    /// On threads of its own.
    Threads(Threads),
}

impl Executor {
    /// Runs work in a transaction that may write. The answer comes after the commit.
    pub(crate) async fn write<R, W>(&self, work: W) -> Result<R>
    where
        R: Send + 'static,
        W: FnOnce(&Connection) -> Result<R> + Send + 'static,
    {
        let (task, answer) = Task::boxed(work);
        match self {
            Self::Inline(connection) => {
                let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
                group::run(&connection, vec![task]);
            }
            Self::Threads(threads) => threads.queue_write(task).await?,
        }
        answer.await.unwrap_or_else(|_| Err(Trouble::closed()))
    }

    /// Runs work that only reads, all of it on one state of the database.
    pub(crate) async fn read<R, W>(&self, work: W) -> Result<R>
    where
        R: Send + 'static,
        W: FnOnce(&Connection) -> Result<R> + Send + 'static,
    {
        match self {
            Self::Inline(connection) => {
                let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
                read_once(&connection, work)
            }
            Self::Threads(threads) => {
                let (sender, answer) = oneshot::channel();
                let read: Read = Box::new(move |connection| {
                    // Nobody to answer is fine: the caller went away.
                    let _ = sender.send(read_once(connection, work));
                });
                threads.queue_read(read).await?;
                answer.await.unwrap_or_else(|_| Err(Trouble::closed()))
            }
        }
    }
}

fn read_once<R>(connection: &Connection, work: impl FnOnce(&Connection) -> Result<R>) -> Result<R> {
    let transaction = connection.unchecked_transaction()?;
    let outcome = work(&transaction)?;
    transaction.finish()?;
    Ok(outcome)
}

/// One writing thread and some reading ones. Dropping it does what is queued and waits for the threads to end.
#[derive(Debug)]
pub(crate) struct Threads {
    /// None only while it is dropped.
    queues: Option<Queues>,
    handles: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Queues {
    writes: mpsc::Sender<Box<dyn Job>>,
    reads: mpsc::Sender<Read>,
}

impl Threads {
    /// Starts the threads.
    pub(crate) fn start(writer: Connection, readers: Vec<Connection>) -> Result<Self> {
        let (writes, queued_writes) = mpsc::channel(QUEUE_LIMIT);
        let (reads, queued_reads) = mpsc::channel(QUEUE_LIMIT);
        let queued_reads = Arc::new(Mutex::new(queued_reads));
        // Made first, so that the threads end if a later one cannot be started.
        let mut threads = Self {
            queues: Some(Queues { writes, reads }),
            handles: Vec::new(),
        };
        threads.spawn("store-writer".to_owned(), move || {
            serve_writes(&writer, queued_writes);
        })?;
        for (number, reader) in readers.into_iter().enumerate() {
            let queued_reads = Arc::clone(&queued_reads);
            threads.spawn(format!("store-reader-{number}"), move || {
                serve_reads(&reader, &queued_reads);
            })?;
        }
        Ok(threads)
    }

    fn spawn(&mut self, name: String, body: impl FnOnce() + Send + 'static) -> Result<()> {
        let handle = std::thread::Builder::new()
            .name(name)
            .spawn(body)
            .map_err(|error| {
                Trouble::new(
                    StoreErrorKind::Unavailable,
                    format!("no thread for the database: {error}"),
                )
            })?;
        self.handles.push(handle);
        Ok(())
    }

    fn queues(&self) -> Result<&Queues> {
        self.queues.as_ref().ok_or_else(Trouble::closed)
    }

    async fn queue_write(&self, job: Box<dyn Job>) -> Result<()> {
        let queued = self.queues()?.writes.send(job).await;
        queued.map_err(|_| Trouble::closed())
    }

    async fn queue_read(&self, read: Read) -> Result<()> {
        let queued = self.queues()?.reads.send(read).await;
        queued.map_err(|_| Trouble::closed())
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.queues = None;
        for handle in self.handles.drain(..) {
            if handle.join().is_err() {
                tracing::error!("A thread of the store ended by a panic");
            }
        }
    }
}

fn serve_writes(connection: &Connection, mut queued: mpsc::Receiver<Box<dyn Job>>) {
    let mut jobs = Vec::with_capacity(GROUP_LIMIT);
    while queued.blocking_recv_many(&mut jobs, GROUP_LIMIT) > 0 {
        group::run(connection, std::mem::take(&mut jobs));
    }
}

fn serve_reads(connection: &Connection, queued: &Mutex<mpsc::Receiver<Read>>) {
    loop {
        // One idle reader waits in the channel, the others wait for its place.
        let next = queued
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .blocking_recv();
        match next {
            Some(read) => read(connection),
            None => return,
        }
    }
}
