//! Placeholder of the engine's public face; the implementation is being written.
use rounds_domain::ports::{Clock, Destinations, Ehr, Randomness, Store, StoreError};
use rounds_domain::{ActionName, Cursor, Notification, RecordId, Document, RoundCounts, RoundEnd};
use rounds_domain::plan::Plan;
use rounds_map::Evaluator;
use std::sync::Arc;
use std::time::Duration;

/// What the engine is given.
#[derive(Clone)]
pub struct Ports {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub randomness: Arc<dyn Randomness>,
    /// The way to the EHRs.
    pub ehr: Arc<dyn Ehr>,
    /// The way to the destinations.
    pub destinations: Arc<dyn Destinations>,
    /// What is kept.
    pub store: Arc<dyn Store>,
    /// Where expressions are evaluated.
    pub evaluator: Evaluator,
}

/// The engine: carries a plan out until it is told to stop.
pub struct Engine { _private: () }

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Everything under way was finished.
    Clean,
    /// Time ran out; this many pieces of work (rounds, containers, attempts) were cut short. They are taken up again at the next start.
    CutShort(usize),
}

impl Engine {
    /// Prepares to carry out `plan`.
    pub fn new(_plan: Arc<Plan>, _ports: Ports) -> Self { unimplemented!() }
    /// Says that the store was changed by another process (an operator's command): look again now. Cheap, callable from anywhere.
    pub fn nudge(&self) { unimplemented!() }
    /// Runs until `stop` ends, then drains for at most `drain_for`.
    pub async fn run(&self, _stop: impl Future<Output = ()> + Send, _drain_for: Duration) -> Result<Drained, StoreError> { unimplemented!() }
}

/// Whether a single round is for real.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PollMode {
    /// Nothing is written.
    DryRun,
    /// Cursor, ledger and containers are committed; the containers wait for `rounds run`.
    Commit,
}

/// Everything that one round did or would have done, to be shown to the person who asked.
#[derive(Debug, Clone)]
pub struct PollReport {
    /// The cursor before the round.
    pub cursor_before: Option<Cursor>,
    /// The cursor after it.
    pub cursor_after: Option<Cursor>,
    /// The requests for pages, then (dry run only) the lookups.
    pub exchanges: Vec<Exchange>,
    /// The records, with what was decided for each and why.
    pub records: Vec<ChosenRecord>,
    /// The notifications that would be sent (dry run only).
    pub notifications: Vec<Notification>,
    /// Containers that could not be made into notifications: code and reason (dry run only).
    pub failures: Vec<(RecordId, String, String)>,
    /// What was counted.
    pub counts: RoundCounts,
    /// How the round ended.
    pub end: RoundEnd,
}

/// One request and its answer.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The method.
    pub method: String,
    /// The whole URL: may name a patient, for the terminal of the person who asked only.
    pub url: rounds_domain::Phi<String>,
    /// The answer's status, or why there was none.
    pub outcome: Result<u16, String>,
    /// The size of the answer.
    pub body_bytes: usize,
    /// How long it took.
    pub took: Duration,
}

/// One record and what was decided for it.
#[derive(Debug, Clone)]
pub struct ChosenRecord {
    /// Which; None if it has no identity.
    pub id: Option<RecordId>,
    /// The record.
    pub record: Document,
    /// What was decided.
    pub choice: Choice,
}

/// What was decided for a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// First seen: told.
    Created,
    /// Known with another version: told.
    Updated,
    /// This version is known.
    Unchanged,
    /// Enters the ledger silently: the feed starts from now.
    Baselined,
    /// Younger than `settle`: left for later.
    Unsettled,
    /// Has no identity: kept as a dead container.
    Unidentified,
    /// Came again later in the same round with another version: the later one counts.
    Superseded,
}

/// One round of one action, now.
pub async fn poll(_plan: &Plan, _ports: &Ports, _action: &ActionName, _mode: PollMode) -> Result<PollReport, PollError> { unimplemented!() }

/// Why no round could be made at all. (A round that failed is a report.)
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// No such action.
    #[error("there is no action `{0}`")]
    UnknownAction(ActionName),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}
