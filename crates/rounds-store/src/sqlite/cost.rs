//! What does not grow: the cost of a claim and of a look-up in the ledger, counted in steps of `SQLite`'s machine, which are
//! the same on every computer.

use super::{StoreOptions, claim, connection, containers, deliveries, ledger};
use jiff::Timestamp;
use rusqlite::{Connection, StatementStatus, params};

/// A database in which this many rows wait, are claimed, dead, dropped, delivered or known, of each sort, around ten that
/// are due.
fn crowded(crowd: u32) -> Connection {
    let database = connection::open_memory(&StoreOptions::default()).expect("memory");
    database
        .execute_batch(
            "INSERT INTO lanes VALUES (1, 'lane');
             INSERT INTO actions (id, name) VALUES (1, 'action');
             INSERT INTO destinations (id, name) VALUES (1, 'destination');",
        )
        .expect("names");
    let mut rows = vec![("due", None); 10];
    for _ in 0..crowd {
        // A claim that ends long after the time of the claims below.
        rows.extend([("waiting", None), ("dead", None), ("due", Some(1_000))]);
        rows.extend([("finished", None)]);
    }
    for (number, (state, claimed_until)) in rows.into_iter().enumerate() {
        insert(&database, number, state, claimed_until).expect("a row");
    }
    database
}

fn insert(
    database: &Connection,
    number: usize,
    state: &str,
    claimed_until: Option<i64>,
) -> rusqlite::Result<()> {
    let word = |finished| if state == "finished" { finished } else { state };
    database
        .prepare_cached("INSERT INTO ledger (action, record_id, version, body, seen_at) VALUES (1, ?1, zeroblob(16), 1, 0)")?
        .execute([number.to_string()])?;
    database
        .prepare_cached(
            "INSERT INTO containers (sequence, id, action, lane, round, record_id, version, kind, ordering_key,
                                     record_body, state, due_at, claimed_until, detected_at)
             VALUES (?1, ?1, 1, 1, 1, ?1, zeroblob(16), 'created', 'key', 1, ?2, 0, ?3, 0)",
        )?
        .execute(params![number, word("dropped"), claimed_until])?;
    database
        .prepare_cached(
            "INSERT INTO notifications (sequence, id, container, action, record_id, version, kind, event, body,
                                        detected_at, created_at)
             VALUES (?1, ?1, ?1, 1, ?1, zeroblob(16), 'created', 'event', 1, 0, 0)",
        )?
        .execute([number])?;
    database
        .prepare_cached(
            "INSERT INTO deliveries (sequence, notification, destination, ordering_key, state, due_at, claimed_until)
             VALUES (?1, ?1, 1, 'key', ?2, 0, ?3)",
        )?
        .execute(params![number, word("delivered"), claimed_until])?;
    Ok(())
}

fn steps_of_a_claim(database: &Connection, sql: &str, limit: usize) -> i32 {
    let mut statement = database.prepare(sql).expect("sql");
    let now = Timestamp::UNIX_EPOCH;
    let chosen = claim::choose(&mut statement, 1, now, limit).expect("a choice");
    assert_eq!(chosen.sequences.len(), limit.min(10));
    statement.get_status(StatementStatus::VmStep)
}

#[test]
fn a_claim_costs_the_same_however_much_waits_or_is_finished() {
    let (few, many) = (crowded(20), crowded(2_000));
    for sql in [containers::CLAIMABLE, deliveries::CLAIMABLE] {
        for limit in [1, 5, 10, 100] {
            let steps = steps_of_a_claim(&few, sql, limit);
            assert_eq!(steps_of_a_claim(&many, sql, limit), steps, "{sql}");
            assert!(steps < 300, "{steps} steps for {limit}: {sql}");
        }
    }
}

#[test]
fn a_look_up_in_the_ledger_costs_the_same_however_much_is_known() {
    let steps = |database: &Connection| {
        let mut statement = database.prepare(ledger::KNOWN).expect("sql");
        let known = statement.exists(params![1, "7"]).expect("a look-up");
        assert!(known);
        statement.get_status(StatementStatus::VmStep)
    };
    assert_eq!(steps(&crowded(20)), steps(&crowded(2_000)));
}
