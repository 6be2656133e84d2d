//! Several jobs in one transaction, none of which can spoil it for the others.
//!
//! Each job runs in a savepoint. One that fails is rolled back to there and answered with its error; the others go on.
//! When the transaction as a whole cannot be committed, all of its jobs are answered with that error, because nothing of
//! them is there.

use super::error::{Result, Trouble};
use rusqlite::Connection;
use std::collections::VecDeque;
use tokio::sync::oneshot;

/// A piece of work that waits for its transaction.
pub(crate) trait Job: Send {
    /// Does the work, once, inside a savepoint.
    fn run(&mut self, connection: &Connection) -> Result<()>;

    /// Tells the caller how it ended, after the commit.
    fn answer(self: Box<Self>, committed: Result<()>);
}

/// Work of some type with the way back to its caller.
pub(crate) struct Task<R, W> {
    work: Option<W>,
    outcome: Option<R>,
    caller: oneshot::Sender<Result<R>>,
}

impl<R, W> Task<R, W>
where
    R: Send + 'static,
    W: FnOnce(&Connection) -> Result<R> + Send + 'static,
{
    /// Wraps work. What the caller waits for comes second.
    pub(crate) fn boxed(work: W) -> (Box<dyn Job>, oneshot::Receiver<Result<R>>) {
        let (caller, answer) = oneshot::channel();
        let task = Self {
            work: Some(work),
            outcome: None,
            caller,
        };
        (Box::new(task), answer)
    }
}

impl<R, W> Job for Task<R, W>
where
    R: Send,
    W: FnOnce(&Connection) -> Result<R> + Send,
{
    fn run(&mut self, connection: &Connection) -> Result<()> {
        let work = self.work.take().ok_or_else(Trouble::closed)?;
        self.outcome = Some(work(connection)?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<()>) {
        let Self {
            outcome, caller, ..
        } = *self;
        let outcome = committed.and_then(|()| outcome.ok_or_else(Trouble::closed));
        // Nobody to answer is fine: the caller went away, its work is done all the same.
        let _ = caller.send(outcome);
    }
}

/// Runs jobs in as few transactions as possible: one, unless a failing job took the transaction with it.
pub(crate) fn run(connection: &Connection, jobs: Vec<Box<dyn Job>>) {
    let mut waiting = VecDeque::from(jobs);
    while !waiting.is_empty() {
        run_transaction(connection, &mut waiting);
    }
}

fn run_transaction(connection: &Connection, waiting: &mut VecDeque<Box<dyn Job>>) {
    if let Err(trouble) = statement(connection, "BEGIN IMMEDIATE") {
        for job in waiting.drain(..) {
            job.answer(Err(trouble.clone()));
        }
        return;
    }
    let mut done = Vec::with_capacity(waiting.len());
    let mut lost = None;
    while let Some(mut job) = waiting.pop_front() {
        match in_savepoint(connection, job.as_mut()) {
            Ok(()) => done.push(job),
            Err(trouble) => {
                job.answer(Err(trouble.clone()));
                // Some failures (a full disk, an I/O error) make SQLite roll the whole transaction back by itself.
                if connection.is_autocommit() {
                    lost = Some(trouble);
                    break;
                }
            }
        }
    }
    let committed = lost.map_or_else(|| commit(connection), Err);
    for job in done {
        job.answer(committed.clone());
    }
}

fn in_savepoint(connection: &Connection, job: &mut dyn Job) -> Result<()> {
    statement(connection, "SAVEPOINT job")?;
    let ran = job.run(connection);
    if ran.is_err() && !connection.is_autocommit() {
        statement(connection, "ROLLBACK TO job")?;
    }
    if !connection.is_autocommit() {
        statement(connection, "RELEASE job")?;
    }
    ran
}

fn commit(connection: &Connection) -> Result<()> {
    let committed = statement(connection, "COMMIT");
    if committed.is_err() && !connection.is_autocommit() {
        // If this fails too, the next BEGIN does, and its callers are told.
        let _ = statement(connection, "ROLLBACK");
    }
    committed
}

fn statement(connection: &Connection, sql: &str) -> Result<()> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rounds_domain::ports::StoreErrorKind;

    fn database() -> Connection {
        let database = Connection::open_in_memory().expect("memory");
        database
            .execute_batch(
                "PRAGMA foreign_keys = ON;
                 CREATE TABLE parent (id INTEGER PRIMARY KEY);
                 CREATE TABLE t (x INTEGER UNIQUE,
                                 parent INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)",
            )
            .expect("tables");
        database
    }

    fn insert(value: i64, then: Result<()>) -> (Box<dyn Job>, oneshot::Receiver<Result<()>>) {
        Task::boxed(move |connection| {
            connection.execute("INSERT INTO t (x) VALUES (?1)", [value])?;
            then
        })
    }

    fn values(database: &Connection) -> Vec<i64> {
        let mut statement = database.prepare("SELECT x FROM t ORDER BY x").expect("sql");
        let rows = statement.query_map([], |row| row.get(0)).expect("rows");
        rows.collect::<rusqlite::Result<_>>().expect("values")
    }

    #[test]
    fn a_failing_job_leaves_its_neighbours_alone() {
        let database = database();
        let (first, mut first_answer) = insert(1, Ok(()));
        let (failing, mut failing_answer) = insert(2, Err(Trouble::corrupt("on purpose")));
        let (last, mut last_answer) = insert(3, Ok(()));
        run(&database, vec![first, failing, last]);
        assert_eq!(values(&database), [1, 3]);
        assert!(first_answer.try_recv().expect("answered").is_ok());
        assert!(failing_answer.try_recv().expect("answered").is_err());
        assert!(last_answer.try_recv().expect("answered").is_ok());
    }

    #[test]
    fn a_failing_commit_fails_every_job_of_the_group() {
        let database = database();
        let (first, mut first_answer) = insert(1, Ok(()));
        let (orphan, mut orphan_answer) = Task::boxed(|connection: &Connection| {
            // A deferred foreign key is checked by COMMIT.
            connection.execute("INSERT INTO t (x, parent) VALUES (2, 99)", [])?;
            Ok(())
        });
        run(&database, vec![first, orphan]);
        assert!(database.is_autocommit());
        assert_eq!(values(&database), [] as [i64; 0]);
        for answer in [&mut first_answer, &mut orphan_answer] {
            let failed = answer.try_recv().expect("answered").expect_err("failed");
            assert_eq!(failed.kind, StoreErrorKind::Corrupt);
        }
    }

    #[test]
    fn a_job_that_takes_the_transaction_with_it_fails_those_before_it_and_not_those_after() {
        let database = database();
        let (before, mut before_answer) = insert(1, Ok(()));
        let (wrecker, mut wrecker_answer) = Task::boxed(|connection: &Connection| {
            connection.execute_batch("ROLLBACK")?;
            Err::<(), _>(Trouble::new(StoreErrorKind::Full, "on purpose"))
        });
        let (after, mut after_answer) = insert(3, Ok(()));
        run(&database, vec![before, wrecker, after]);
        assert_eq!(values(&database), [3]);
        let failed = before_answer
            .try_recv()
            .expect("answered")
            .expect_err("lost");
        assert_eq!(failed.kind, StoreErrorKind::Full);
        assert!(wrecker_answer.try_recv().expect("answered").is_err());
        assert!(after_answer.try_recv().expect("answered").is_ok());
    }
}
