//! What is to be done, ready to run: the configuration with every name resolved, every expression compiled and every
//! default filled in.
//!
//! `rounds-config` makes a [`Plan`] out of what the user wrote and the engine carries it out. Nothing in a plan can be
//! wrong any more: whatever can be checked was checked before.

mod action;
mod answer;
mod authentication;
mod connection;
mod destination;
mod feed;
mod header;
mod inbound;
mod job;
mod log;
mod partition;
mod queue;
mod records;
mod request;
mod retry;
pub mod rules;
mod schedule;
mod secret;
mod setup;
mod shape;
mod subscription;
mod sweep;

pub use action::{
    Action, Batch, BodyRule, EventRule, Expect, Frame, Lookup, Notify, Only, OrderBy, WhenMissing,
};
pub use answer::{After, AnswerRule, Meaning, StatusRange};
pub use authentication::{
    Authentication, ClientProof, Grant, JsonSource, Login, LoginBody, OAuth2, SessionPlace,
    SmartBackend, TextSource, TokenSource, TokenUrl,
};
pub use connection::{Connection, ConnectionTest, Holds, Limits, Rate, Spans, WeekTimes};
pub use destination::{
    AddressRange, Challenge, ClientCertificate, Destination, DestinationTimeouts, HeaderSource,
};
pub use feed::{
    Baseline, CursorRule, DateField, Feed, FeedRole, Ids, Links, Paging, PagingRule, Rows, Start,
    TimeCursor, TimeFormat, TimeSource, VersionRule,
};
pub use header::is_framing_header;
pub use inbound::{Inbound, InboundProof};
pub use job::Job;
pub use log::{Log, LogOrder};
pub use partition::{PartitionQuery, Partitions};
pub use queue::{Queue, Recover};
pub use records::{BundleKind, Items, Records, Within};
pub use request::{AnswerFormat, RequestBodyRule, RequestRule};
pub use retry::RetrySchedule;
pub use rules::{Rules, rules_of};
pub use schedule::{Cadence, Schedule, WeekdayRange, Window};
pub use secret::SecretReference;
pub use setup::Setup;
pub use shape::{Payload, Shape};
pub use subscription::{
    List, ListRule, Modifier, ModifierDeed, Subscription, Translation, Untranslated,
};
pub use sweep::{DateRange, Deletions, Missed, Sweep, SweepScope};

use crate::{ConnectionName, DestinationName};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Everything that one process does.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The EHR instances.
    pub connections: BTreeMap<ConnectionName, Arc<Connection>>,
    /// The polled actions, in the order in which they were written.
    pub actions: Vec<Arc<Action>>,
    /// Where notifications go.
    pub destinations: BTreeMap<DestinationName, Arc<Destination>>,
    /// How long what is finished (delivered, dropped) is kept.
    pub keep_finished: Duration,
}

impl Plan {
    /// [`Plan::keep_finished`] where the user says nothing: 30 days.
    pub const DEFAULT_KEEP_FINISHED: Duration = Duration::from_hours(30 * 24);
}
