//! The schema, in numbered steps.
//!
//! Steps only go forward. Each runs in a transaction of its own together with the note that it ran, so a crash leaves
//! the database before a step or after it. The note holds a checksum of the step's text: a step that was changed after
//! it ran somewhere would mean that two databases of one version differ, and is refused.

use super::error::{Result, Trouble};
use rounds_domain::ports::StoreErrorKind;
use rusqlite::{Connection, TransactionBehavior, params};
use sha2::{Digest, Sha256};

/// One step. Its number is its place in the list, from 1.
pub(crate) struct Migration {
    name: &'static str,
    sql: &'static str,
}

/// All steps. Append only.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "initial",
        sql: include_str!("../../migrations/0001_initial.sql"),
    },
    Migration {
        name: "sweeps",
        sql: include_str!("../../migrations/0002_sweeps.sql"),
    },
    Migration {
        name: "views",
        sql: include_str!("../../migrations/0003_views.sql"),
    },
    Migration {
        name: "partitions",
        sql: include_str!("../../migrations/0004_partitions.sql"),
    },
    Migration {
        name: "credentials",
        sql: include_str!("../../migrations/0005_credentials.sql"),
    },
    Migration {
        name: "notifications",
        sql: include_str!("../../migrations/0006_notifications.sql"),
    },
    Migration {
        name: "deliveries",
        sql: include_str!("../../migrations/0007_deliveries.sql"),
    },
    Migration {
        name: "second_look",
        sql: include_str!("../../migrations/0008_second_look.sql"),
    },
    Migration {
        name: "partition_of_record",
        sql: include_str!("../../migrations/0009_partition_of_record.sql"),
    },
    Migration {
        name: "rules",
        sql: include_str!("../../migrations/0010_rules.sql"),
    },
    Migration {
        name: "findings",
        sql: include_str!("../../migrations/0011_findings.sql"),
    },
    Migration {
        name: "origin",
        sql: include_str!("../../migrations/0012_origin.sql"),
    },
    Migration {
        name: "shown",
        sql: include_str!("../../migrations/0013_shown.sql"),
    },
    Migration {
        name: "history",
        sql: include_str!("../../migrations/0014_history.sql"),
    },
];

/// `Roun` in ASCII: what the header of our databases says that they are (`SQLite`'s `application_id`).
const APPLICATION_ID: i32 = 0x526f_756e;

/// What a file turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing was ever written.
    Empty,
    /// A database of ours with this many of the known steps.
    Steps(usize),
}

/// Looks without changing anything.
pub(crate) fn look(connection: &Connection, known: &[Migration]) -> Result<Found> {
    let pragma = |name: &str| -> rusqlite::Result<i64> {
        connection.pragma_query_value(None, name, |row| row.get(0))
    };
    let objects: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let steps = pragma("user_version")?;
    if objects == 0 && steps == 0 {
        return Ok(Found::Empty);
    }
    if pragma("application_id")? != i64::from(APPLICATION_ID) {
        return Err(Trouble::corrupt(
            "this is a database of another program, not of Rounds",
        ));
    }
    match usize::try_from(steps) {
        Ok(steps) if steps > known.len() => Err(Trouble::new(
            StoreErrorKind::TooNew,
            format!(
                "the database has schema {steps}, this version of Rounds knows {}",
                known.len()
            ),
        )),
        Ok(steps) => Ok(Found::Steps(steps)),
        Err(_) => Err(Trouble::corrupt("the schema's number is negative")),
    }
}

/// Checks the steps that ran and runs those that did not; says how many it ran.
pub(crate) fn migrate(connection: &mut Connection, known: &[Migration]) -> Result<usize> {
    let done = match look(connection, known)? {
        Found::Empty => 0,
        Found::Steps(done) => done,
    };
    for (index, migration) in known.iter().enumerate().take(done) {
        check(connection, index + 1, migration)?;
    }
    if done < known.len() {
        without_foreign_keys(connection, |connection| {
            for (index, migration) in known.iter().enumerate().skip(done) {
                run(connection, index + 1, migration)?;
            }
            Ok(())
        })?;
    }
    Ok(known.len().saturating_sub(done))
}

fn check(connection: &Connection, number: usize, migration: &Migration) -> Result<()> {
    let noted: [u8; 32] = connection
        .query_row(
            "SELECT checksum FROM migrations WHERE number = ?1",
            [number],
            |row| row.get(0),
        )
        .map_err(|_| Trouble::corrupt(format!("schema step {number} left no note")))?;
    if noted == checksum(migration) {
        Ok(())
    } else {
        Err(Trouble::corrupt(format!(
            "schema step {number} ({}) is not the one that this database was made with",
            migration.name
        )))
    }
}

/// A table that is made anew is dropped in between, which would take along what refers to it. Whether all references hold
/// is looked at afterwards, step by step, before the step is committed.
fn without_foreign_keys(
    connection: &mut Connection,
    work: impl FnOnce(&mut Connection) -> Result<()>,
) -> Result<()> {
    let were_on: bool = connection.pragma_query_value(None, "foreign_keys", |row| row.get(0))?;
    connection.pragma_update(None, "foreign_keys", false)?;
    let outcome = work(connection);
    connection.pragma_update(None, "foreign_keys", were_on)?;
    outcome
}

fn run(connection: &mut Connection, number: usize, migration: &Migration) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS migrations (
             number   INTEGER PRIMARY KEY,
             name     TEXT NOT NULL,
             checksum BLOB NOT NULL,
             -- The version of Rounds that ran it.
             ran_by   TEXT NOT NULL
         ) STRICT",
    )?;
    transaction.execute_batch(migration.sql)?;
    if transaction
        .prepare("PRAGMA foreign_key_check")?
        .exists([])?
    {
        return Err(Trouble::corrupt(format!(
            "schema step {number} ({}) left references to what is not there",
            migration.name
        )));
    }
    transaction.execute(
        "INSERT INTO migrations (number, name, checksum, ran_by) VALUES (?1, ?2, ?3, ?4)",
        params![
            number,
            migration.name,
            checksum(migration),
            env!("CARGO_PKG_VERSION")
        ],
    )?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", number)?;
    transaction.commit()?;
    Ok(())
}

fn checksum(migration: &Migration) -> [u8; 32] {
    Sha256::digest(migration.sql).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Migration = Migration {
        name: "first",
        sql: "CREATE TABLE a (x INTEGER) STRICT;",
    };
    const SECOND: Migration = Migration {
        name: "second",
        sql: "CREATE TABLE b (x INTEGER) STRICT; INSERT INTO b VALUES (7);",
    };

    fn memory() -> Connection {
        Connection::open_in_memory().expect("memory")
    }

    #[test]
    fn steps_run_once_and_later_ones_follow() -> Result<()> {
        let mut database = memory();
        assert_eq!(look(&database, &[FIRST])?, Found::Empty);
        assert_eq!(migrate(&mut database, &[FIRST])?, 1);
        assert_eq!(migrate(&mut database, &[FIRST])?, 0);
        assert_eq!(look(&database, &[FIRST, SECOND])?, Found::Steps(1));
        assert_eq!(migrate(&mut database, &[FIRST, SECOND])?, 1);
        let value: i64 = database.query_row("SELECT x FROM b", [], |row| row.get(0))?;
        assert_eq!(value, 7);
        Ok(())
    }

    #[test]
    fn a_step_that_was_changed_after_it_ran_is_refused() -> Result<()> {
        let mut database = memory();
        migrate(&mut database, &[FIRST])?;
        let changed = Migration {
            name: "first",
            sql: "CREATE TABLE a (y INTEGER) STRICT;",
        };
        let refused = migrate(&mut database, &[changed]).expect_err("changed");
        assert_eq!(refused.kind, StoreErrorKind::Corrupt);
        assert!(refused.reason.contains("step 1 (first)"), "{refused:?}");
        Ok(())
    }

    #[test]
    fn a_step_that_fails_leaves_nothing() -> Result<()> {
        let mut database = memory();
        let broken = Migration {
            name: "broken",
            sql: "CREATE TABLE c (x INTEGER) STRICT; INSERT INTO nowhere VALUES (1);",
        };
        migrate(&mut database, &[FIRST])?;
        assert!(migrate(&mut database, &[FIRST, broken]).is_err());
        assert_eq!(look(&database, &[FIRST, SECOND])?, Found::Steps(1));
        let tables: i64 = database.query_row(
            "SELECT count(*) FROM sqlite_schema WHERE name = 'c'",
            [],
            |row| row.get(0),
        )?;
        assert_eq!(tables, 0);
        Ok(())
    }

    #[test]
    fn newer_ones_and_strangers_are_refused() -> Result<()> {
        let mut newer = memory();
        migrate(&mut newer, &[FIRST, SECOND])?;
        let refused = migrate(&mut newer, &[FIRST]).expect_err("newer");
        assert_eq!(refused.kind, StoreErrorKind::TooNew);

        let mut stranger = memory();
        stranger.execute_batch("CREATE TABLE songs (title TEXT)")?;
        let refused = migrate(&mut stranger, &[FIRST]).expect_err("a stranger");
        assert_eq!(refused.kind, StoreErrorKind::Corrupt);
        Ok(())
    }

    #[test]
    fn what_an_older_version_kept_is_there_after_the_step_to_sweeps() -> Result<()> {
        let mut database = memory();
        database.pragma_update(None, "foreign_keys", true)?;
        migrate(&mut database, &MIGRATIONS[..1])?;
        database.execute_batch(
            "INSERT INTO lanes VALUES (1, 'ehr');
             INSERT INTO actions (id, name, lane) VALUES (1, 'appointments', 1);
             INSERT INTO feeds (action, name, cursor_kind, cursor_value, round, rounds)
                 VALUES (1, 'changes', 'time', '2026-05-01T10:00:00Z', 7, 6);
             INSERT INTO bodies VALUES (1, x'7b7d');
             INSERT INTO ledger VALUES (1, 'a', zeroblob(16), 1, 42);
             INSERT INTO containers (sequence, id, action, lane, round, record_id, version, kind, ordering_key,
                                     record_body, state, due_at, detected_at)
                 VALUES (3, 'ctr_a', 1, 1, 7, 'a', zeroblob(16), 'created', 'a', 1, 'parked', 5, 5);
             INSERT INTO container_answers VALUES (3, 0, 'patient', x'7b7d', 5);
             INSERT INTO notifications (sequence, id, container, action, record_id, version, kind, event, body,
                                        detected_at, created_at)
                 VALUES (4, 'ntf_b', 'ctr_b', 1, 'b', zeroblob(16), 'updated', 'event', 1, 5, 6);
             INSERT INTO notification_gaps VALUES (4, 0, 'patient', 404);
             INSERT INTO destinations (id, name) VALUES (1, 'app');
             INSERT INTO deliveries (sequence, notification, destination, ordering_key, state, due_at)
                 VALUES (9, 4, 1, 'b', 'due', 6);
             INSERT INTO attempts (delivery, number, started_at, took, outcome) VALUES (9, 1, 6, 1, 'gone');",
        )?;
        migrate(&mut database, MIGRATIONS)?;
        let count = |table: &str| -> Result<i64> {
            let count = format!("SELECT count(*) FROM {table}");
            Ok(database.query_row(&count, [], |row| row.get(0))?)
        };
        for table in [
            "feeds",
            "ledger",
            "containers",
            "container_answers",
            "notifications",
            "notification_gaps",
            "deliveries",
            "attempts",
        ] {
            assert_eq!(count(table)?, 1, "{table}");
        }
        let cursor: String =
            database.query_row("SELECT cursor_value FROM feeds", [], |row| row.get(0))?;
        assert_eq!(cursor, "2026-05-01T10:00:00Z");
        let kept: (bool, i64) =
            database.query_row("SELECT presumed, swept FROM ledger", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        assert_eq!(kept, (false, 0));
        // References hold as before: what belongs to a row goes with it, and nothing may point nowhere.
        database.execute("DELETE FROM notifications", [])?;
        database.execute("DELETE FROM containers", [])?;
        for table in [
            "container_answers",
            "notification_gaps",
            "deliveries",
            "attempts",
        ] {
            assert_eq!(count(table)?, 0, "{table}");
        }
        assert!(
            database
                .execute(
                    "INSERT INTO container_answers VALUES (3, 0, 'p', x'', 5)",
                    []
                )
                .is_err()
        );
        Ok(())
    }

    #[test]
    fn a_step_from_scratch_and_a_step_from_before_give_the_same_schema() -> Result<()> {
        let schema = |database: &Connection| -> Result<Vec<String>> {
            let mut statement = database.prepare(
                "SELECT name || ': ' || coalesce(sql, '') FROM sqlite_schema ORDER BY name",
            )?;
            let rows = statement.query_map([], |row| row.get(0))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        };
        let (mut old, mut new) = (memory(), memory());
        migrate(&mut old, &MIGRATIONS[..1])?;
        let indexes = |schema: &[String]| -> Vec<String> {
            let names = schema.iter().filter_map(|line| line.split_once(": "));
            names.map(|(name, _)| name.to_owned()).collect()
        };
        let before = indexes(&schema(&old)?);
        migrate(&mut old, MIGRATIONS)?;
        migrate(&mut new, MIGRATIONS)?;
        assert_eq!(schema(&old)?, schema(&new)?);
        let after = indexes(&schema(&new)?);
        let lost: Vec<_> = before.iter().filter(|name| !after.contains(name)).collect();
        assert!(
            lost.is_empty(),
            "tables or indexes got lost on the way: {lost:?}"
        );
        Ok(())
    }
}
