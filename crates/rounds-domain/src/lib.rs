//! The words of Rounds as types, and the contract between its rooms.
//!
//! Every other crate speaks in these types and none of them needs to know another: the configuration is
//! *lowered* into a [`plan`], the engine carries the plan out against the [`ports`], and the store, the HTTP
//! crate and the test kit implement those ports. This crate does nothing by itself and depends on nothing that
//! touches the outside.
//!
//! What to mind:
//!
//! - **Patient data is a type.** [`Phi`] and everything built on it ([`RecordId`], [`Document`], [`OrderingKey`])
//!   show themselves in Debug as `<redacted>`, and have no Display. What must not leak cannot be formatted.
//! - **Two kinds of time.** [`jiff::Timestamp`] says when something happened; [`std::time::Duration`] says how
//!   long. Only [`ports::Clock`] knows what time it is now.
//! - **Codes are for people.** Every error that a user can see carries a [`Code`], and `rounds explain CODE`
//!   has a page for each.

pub mod address;
mod code;
mod container;
mod cursor;
mod delivery;
mod finding;
mod ids;
mod notification;
mod phi;
mod plain;
pub mod plan;
pub mod ports;
mod retry_after;
mod round;

pub use code::Code;
pub use container::{
    Change, ChangeKind, Container, ContainerSettlement, ContainerState, Former, LookupAnswer,
    Origin, Presence, Resolution,
};
pub use cursor::{Cursor, QueueState};
pub use delivery::{
    Attempt, AttemptOutcome, DeliveryJob, DeliveryOrder, DeliverySettlement, DeliveryState,
    NextStep, Owed,
};
pub use finding::{Finding, FindingUpdate, Sighting};
pub use ids::{
    ActionName, ConnectionName, ContainerId, DeliveryId, DestinationName, FeedKey, FeedName,
    InstanceId, LookupName, NotificationId, OrderingKey, Partition, RecordId, Version,
};
pub use notification::{Gap, Notification};
pub use phi::{Document, Phi};
pub use plain::{PlainLines, plain};
pub use retry_after::retry_after;
pub use round::{
    Absence, CommitReceipt, FeedState, Knowledge, MissedRecord, RoundCommit, RoundCounts, RoundEnd,
    RoundFailure, Suspicion,
};
