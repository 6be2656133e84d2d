//! What becomes of a stored state when the configuration is edited.
//!
//! These are asked when nobody makes rounds: before the start of a process, and by an operator while none runs.

use super::StoreError;
use crate::plan::{Rules, Start};
use crate::{ActionName, Cursor, Document, FeedName, Partition, RecordId};
use async_trait::async_trait;
use jiff::Timestamp;

/// What becomes of a stored state when the configuration is edited.
#[async_trait]
pub trait Upkeep: Send + Sync + 'static {
    /// The rules by which an action's state was made; None where nothing is known of the action, and no rules where they were not kept yet.
    async fn kept_rules(&self, action: &ActionName) -> Result<Option<Rules>, StoreError>;

    /// Keeps an action's rules in the place of the former ones.
    async fn keep_rules(&self, action: &ActionName, rules: Rules) -> Result<(), StoreError>;

    /// Makes all parked containers of an action due at `now`, with fresh attempts and without the answers that they kept; says how many.
    async fn unpark_all(&self, action: &ActionName, now: Timestamp) -> Result<u64, StoreError>;

    /// The last states of some records of an action, at most `limit`.
    async fn sample_records(
        &self,
        action: &ActionName,
        limit: usize,
    ) -> Result<Vec<KnownRecord>, StoreError>;

    /// Gives an action another name, with all that is kept of it. `to` must not be known yet.
    async fn rename_action(&self, from: &ActionName, to: &ActionName) -> Result<(), StoreError>;

    /// Moves feeds of an action, and forgets its ledger if that is asked. One transaction, with the rules.
    async fn reset_action(&self, reset: ActionReset) -> Result<(), StoreError>;
}

/// A record as the ledger keeps it.
#[derive(Debug, Clone)]
pub struct KnownRecord {
    /// Its identity there.
    pub id: RecordId,
    /// The partition that told of it last, where it has partitions.
    pub partition: Option<Partition>,
    /// Its last state.
    pub record: Document,
}

/// How an action begins anew.
#[derive(Debug, Clone)]
pub struct ActionReset {
    /// Which.
    pub action: ActionName,
    /// Where each of its feeds goes, with all of its partitions. Those that are not named stay.
    pub feeds: Vec<(FeedName, FeedPlace)>,
    /// What becomes of what is known of its records.
    pub ledger: LedgerFate,
    /// The rules from now on.
    pub rules: Rules,
}

/// Where a feed goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedPlace {
    /// It begins anew, there, whatever `start` of the configuration says.
    Start(Start),
    /// It goes on from there.
    At(Cursor),
}

/// What becomes of what is known of an action's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerFate {
    /// It is kept: what was told stays told.
    Keep,
    /// It is forgotten: what is shown is new.
    Drop,
}
