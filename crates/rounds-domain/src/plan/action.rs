//! One polled API action.

use super::{AnswerRule, Feed, RequestRule, RetrySchedule, Setup};
use crate::{ActionName, ConnectionName, DestinationName, LookupName};
use rounds_map::models::Model;
use rounds_map::{Body, Filter};
use std::sync::Arc;

/// One API action that is polled, with its own interval.
#[derive(Debug, Clone)]
pub struct Action {
    /// Its name.
    pub name: ActionName,
    /// Which EHR it asks.
    pub connection: ConnectionName,
    /// What must be set up before its first round.
    pub setup: Option<Setup>,
    /// Its change query.
    pub changes: Arc<Feed>,
    /// Further change queries that tell of the same records, such as one for those that were cancelled or deleted.
    pub also: Vec<Arc<Feed>>,
    /// What finds that which the change query does not show. They tell into the same ledger as the change query.
    pub sweeps: Vec<Arc<Feed>>,
    /// Follow-up requests, each after those whose answers it uses.
    pub lookups: Vec<Lookup>,
    /// What its answers mean, before the connection's own rules.
    pub answers: Vec<AnswerRule>,
    /// What is told.
    pub notify: Notify,
    /// To whom; may be empty.
    pub to: Vec<DestinationName>,
    /// When a container whose lookup or mapping failed is tried again.
    pub retry: RetrySchedule,
}

impl Action {
    /// All its feeds, the change queries first.
    pub fn feeds(&self) -> impl Iterator<Item = &Arc<Feed>> {
        std::iter::once(&self.changes)
            .chain(&self.also)
            .chain(&self.sweeps)
    }
}

/// A follow-up request by identifier. Templates may use `record`, `previous`, `change` and the lookups before it.
#[derive(Debug, Clone)]
pub struct Lookup {
    /// Under which name the answer is placed.
    pub name: LookupName,
    /// What is asked.
    pub request: RequestRule,
    /// Whether it is asked at all, over the same as its templates: if this gives anything but true, its answer is null.
    pub when: Option<Filter>,
    /// What a 404 or 410 means.
    pub when_missing: WhenMissing,
    /// Whether many are asked in one request.
    pub batch: Option<Batch>,
}

/// How the lookups of many containers become one request. Its templates have `ids`, the keys of all, and nothing of one container.
#[derive(Debug, Clone)]
pub struct Batch {
    /// From a container to what it wants to have looked up.
    pub key: Filter,
    /// From the answer to the records in it.
    pub records: Filter,
    /// From such a record to its key.
    pub id: Filter,
    /// How many keys a request has at most.
    pub most: usize,
}

/// What it means that a lookup's record is not there (404 or 410).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenMissing {
    /// The answer is null and the notification is marked with the gap.
    #[default]
    Null,
    /// The container waits; it may still come.
    Park,
    /// The change is not told.
    Drop,
}

/// What is told of a change.
#[derive(Debug, Clone)]
pub struct Notify {
    /// How the body is made.
    pub body: BodyRule,
    /// Whose order is kept.
    pub order_by: OrderBy,
}

/// How a notification's body is made. Expressions read `{record, previous, change, <lookups>}`.
#[derive(Debug, Clone)]
pub enum BodyRule {
    /// The container as it is: `{record, previous, change, <lookups>}`.
    Whole,
    /// As the user wrote it.
    Free(Body),
    /// As the user wrote it, completed by a data model.
    Model {
        /// The model.
        model: &'static Model,
        /// Which of its events.
        event: EventRule,
        /// The user's leaves.
        body: Body,
    },
}

/// Which event of a data model a change is.
#[derive(Debug, Clone)]
pub enum EventRule {
    /// The model's event for a record seen for the first time, for a changed one, or for one that is gone.
    ByKind {
        /// For a record seen for the first time.
        created: String,
        /// For a changed one.
        updated: String,
        /// For one that a sweep found gone.
        deleted: String,
    },
    /// An expression over the container that gives the event's name.
    Expression(Filter),
}

/// Which notifications keep their order towards each other.
#[derive(Debug, Clone)]
pub enum OrderBy {
    /// Those of one record.
    Record,
    /// Those whose records give the same text or number here.
    Expression(Filter),
    /// All of the action's.
    Action,
}
