//! The store behind the port that edits of the configuration go through.

use super::port::Answer;
use super::{SqliteStore, containers, ledger, rules};
use async_trait::async_trait;
use jiff::Timestamp;
use rounds_domain::ActionName;
use rounds_domain::plan::Rules;
use rounds_domain::ports::{ActionReset, KnownRecord, Upkeep};

#[async_trait]
impl Upkeep for SqliteStore {
    async fn kept_rules(&self, action: &ActionName) -> Answer<Option<Rules>> {
        let operation = format!("reading the rules of {action}");
        let action = action.clone();
        self.read(operation, move |connection| rules::of(connection, &action))
            .await
    }

    async fn keep_rules(&self, action: &ActionName, rules: Rules) -> Answer<()> {
        let operation = format!("keeping the rules of {action}");
        let action = action.clone();
        self.write(operation, move |connection| {
            rules::keep(connection, &action, &rules)
        })
        .await
    }

    async fn unpark_all(&self, action: &ActionName, now: Timestamp) -> Answer<u64> {
        let operation = format!("making what is parked of {action} due");
        let action = action.clone();
        self.write(operation, move |connection| {
            containers::unpark_all(connection, &action, now)
        })
        .await
    }

    async fn sample_records(&self, action: &ActionName, limit: usize) -> Answer<Vec<KnownRecord>> {
        let operation = format!("reading some records of {action}");
        let action = action.clone();
        self.read(operation, move |connection| {
            ledger::sample(connection, &action, limit)
        })
        .await
    }

    async fn rename_action(&self, from: &ActionName, to: &ActionName) -> Answer<()> {
        let operation = format!("renaming {from} to {to}");
        let (from, to) = (from.clone(), to.clone());
        self.write(operation, move |connection| {
            rules::rename(connection, &from, &to)
        })
        .await
    }

    async fn reset_action(&self, reset: ActionReset) -> Answer<()> {
        let operation = format!("resetting {}", reset.action);
        self.write(operation, move |connection| {
            rules::reset(connection, &reset)
        })
        .await
    }
}
