//! One polled API action.

use super::{
    AnswerRule, Feed, Modifier, Payload, RequestRule, RetrySchedule, Setup, Shape, Subscription,
};
use crate::{ActionName, ConnectionName, LookupName};
use jiff::tz::TimeZone;
use rounds_map::models::{Model, Party, Traffic, Ways};
use rounds_map::{Body, Filter, OwnModel};
use std::sync::Arc;

/// One API action that is polled, with its own interval.
#[derive(Debug, Clone)]
pub struct Action {
    /// Its name.
    pub name: ActionName,
    /// What it was called before, if what is kept of that is its own.
    pub renamed_from: Option<ActionName>,
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
    /// How what the EHR pushes of the same records is read; None where it pushes none. It is never asked for.
    pub receive: Option<Arc<Feed>>,
    /// Follow-up requests, each after those whose answers it uses.
    pub lookups: Vec<Lookup>,
    /// What its answers mean, before the connection's own rules.
    pub answers: Vec<AnswerRule>,
    /// What is told.
    pub notify: Notify,
    /// To whom; may be empty.
    pub to: Vec<Subscription>,
    /// When a container whose lookup or mapping failed is tried again.
    pub retry: RetrySchedule,
}

impl Action {
    /// Whether several sources tell of its records as first hand, so that each must remember what it showed last.
    pub fn has_several_tellers(&self) -> bool {
        !self.also.is_empty() || self.receive.is_some()
    }

    /// All its feeds that are asked, the change queries first.
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
    /// The parameters, pairs, headers and paths of the body that are left out where the container has nothing for them. Of all others
    /// each placeholder must identify something, or nothing is asked.
    pub optional: Vec<String>,
    /// How many records its answer may hold.
    pub expect: Expect,
    /// From its answer to the identifier in it, which must be one that was asked for. None: what is named like an identifier.
    pub id: Option<Filter>,
    /// What a 404 or 410 means, and an answer without a record where one is expected.
    pub when_missing: WhenMissing,
    /// Whether many are asked in one request.
    pub batch: Option<Batch>,
}

/// How many records a lookup's answer may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Expect {
    /// One, the one that was asked for: an answer with several, or of another's record, parks the container.
    #[default]
    One,
    /// Whatever comes: a list of what belongs to what was asked for.
    Many,
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
    /// Which changes are told; None means all. A change of the record's state always is.
    pub only: Option<Only>,
    /// What is done to the body before the model completes it, in this order.
    pub modifiers: Vec<Modifier>,
    /// How it is wrapped.
    pub shape: Shape,
    /// How much it says.
    pub payload: Payload,
    /// The canonical URL of its topic, in shapes that have one; None means one of Rounds' own.
    pub topic: Option<String>,
    /// The paths of the body whose expressions are the user's own, and should give something now and then.
    pub watched: Vec<String>,
    /// In which zone times without an offset are, of what is told; None: in that of the cursor.
    pub zone: Option<TimeZone>,
    /// What a message of a data model says of itself.
    pub frame: Frame,
}

/// What messages of data models call their ends.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    /// Whether their patients are real.
    pub traffic: Traffic,
    /// The connection.
    pub source: Party,
    /// The destinations of the action, in its order.
    pub destinations: Vec<Party>,
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
        /// Where the record's status is, if it is not where the model has it.
        status: Option<Filter>,
        /// How the user's records say what the rules ask for.
        ways: Ways,
        /// The user's leaves.
        body: Body,
    },
    /// As the user wrote it, completed and judged by a schema of their own.
    Own {
        /// The schema.
        model: Arc<OwnModel>,
        /// What a change is called; derived, it is the kind of change.
        event: EventRule,
        /// The user's leaves.
        body: Body,
    },
}

impl BodyRule {
    /// What the user wrote, if it is not the container as it is.
    pub const fn template(&self) -> Option<&Body> {
        match self {
            Self::Whole => None,
            Self::Free(body) | Self::Model { body, .. } | Self::Own { body, .. } => Some(body),
        }
    }
}

/// Which event of a data model a change is.
#[derive(Debug, Clone)]
pub enum EventRule {
    /// Always this one.
    Fixed(String),
    /// What the model's rules derive from the record's states.
    Derived,
    /// An expression over the container that gives the event's name, or null where nothing is told. It reads what the rules derive
    /// as `change.event`.
    Expression(Filter),
}

/// Which changes of a known record are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Only {
    /// Those of anything in the body.
    Mapped,
    /// Those of these paths of the body.
    Paths(Vec<String>),
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
