//! The rules of actions, and what happens when a person changes them: renaming and resetting.

use super::error::{Result, Trouble};
use super::feeds;
use super::ledger;
use super::names::Names;
use rounds_domain::ActionName;
use rounds_domain::plan::Rules;
use rounds_domain::ports::{ActionReset, LedgerFate, StoreErrorKind};
use rusqlite::{Connection, params};

/// The rules of an action; None where it is not known.
pub(crate) fn of(connection: &Connection, action: &ActionName) -> Result<Option<Rules>> {
    let Some(action) = Names::Actions.find(connection, action.as_str())? else {
        return Ok(None);
    };
    let mut statement = connection.prepare("SELECT name, value FROM rules WHERE action = ?1")?;
    let rules = statement.query_map([action], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Some(rules.collect::<rusqlite::Result<_>>()?))
}

/// Keeps an action's rules in the place of the former ones.
pub(crate) fn keep(connection: &Connection, action: &ActionName, rules: &Rules) -> Result<()> {
    let action = Names::Actions.number(connection, action.as_str())?;
    connection.execute("DELETE FROM rules WHERE action = ?1", [action])?;
    let mut insert =
        connection.prepare("INSERT INTO rules (action, name, value) VALUES (?1, ?2, ?3)")?;
    for (name, value) in rules {
        insert.execute(params![action, name, value])?;
    }
    Ok(())
}

/// Gives an action another name. Ordering keys hold it, and what is open under the old ones must not be overtaken under the new.
pub(crate) fn rename(connection: &Connection, from: &ActionName, to: &ActionName) -> Result<()> {
    let renamed = connection.execute(
        "UPDATE actions SET name = ?2 WHERE name = ?1
         AND NOT EXISTS (SELECT 1 FROM actions WHERE name = ?2)",
        [from.as_str(), to.as_str()],
    )?;
    if renamed == 0 {
        let reason = format!("there is no action {from}, or there is one called {to} already");
        return Err(Trouble::new(StoreErrorKind::Unavailable, reason));
    }
    for table in [
        "containers",
        "container_barriers",
        "deliveries",
        "delivery_barriers",
    ] {
        for (old, new) in [
            (format!("record:{from}:"), format!("record:{to}:")),
            (format!("action:{from}"), format!("action:{to}")),
        ] {
            // The whole of an action's key is its name, a record's goes on behind it.
            let is_it = if old.ends_with(':') {
                "substr(ordering_key, 1, length(?1)) = ?1"
            } else {
                "ordering_key = ?1"
            };
            connection.execute(
                &format!(
                    "UPDATE {table} SET ordering_key = ?2 || substr(ordering_key, length(?1) + 1) WHERE {is_it}"
                ),
                [old, new],
            )?;
        }
    }
    Ok(())
}

/// Moves feeds of an action and forgets its ledger if that is asked.
pub(crate) fn reset(connection: &Connection, reset: &ActionReset) -> Result<()> {
    let action = Names::Actions.number(connection, reset.action.as_str())?;
    for (feed, place) in &reset.feeds {
        feeds::put_at(connection, action, feed, place)?;
    }
    if reset.ledger == LedgerFate::Drop {
        ledger::forget(connection, action)?;
    }
    keep(connection, &reset.action, &reset.rules)
}
