//! All that a store knows of one record, for whoever asks why it was told or was not.

use super::{ContainerSummary, NotificationDetail};
use crate::{ContainerId, Partition, RecordId};
use jiff::Timestamp;

/// What a store knows of a record of an action.
#[derive(Debug, Clone, Default)]
pub struct RecordHistory {
    /// The state that is known; None if no round has taken one.
    pub known: Option<KnownState>,
    /// Changes that are no notifications, oldest first: on their way, given up, or dropped and still kept.
    pub containers: Vec<KeptContainer>,
    /// Notifications that are still kept, oldest first.
    pub notifications: Vec<NotificationDetail>,
    /// Whether there are more containers or notifications, older than these.
    pub is_cut: bool,
}

/// What the ledger knows of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownState {
    /// When the record was seen first, and how that was taken; None where it was before this was noted.
    pub first: Option<(Timestamp, Taken)>,
    /// When its last known state was committed, and how that was taken, where it is known.
    pub last: (Timestamp, Option<Taken>),
    /// Where sweeps see it.
    pub whereabouts: Whereabouts,
    /// The partition that told of it last, where the action has partitions.
    pub partition: Option<Partition>,
}

/// How a state was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// To be told.
    ToTell,
    /// In silence.
    Silently,
}

/// Where a record is, as sweeps see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whereabouts {
    /// Nothing is known against its being there.
    There,
    /// So far only a sweep's first look has shown it.
    Presumed,
    /// It was told that it is gone.
    Gone,
    /// Sweeps do not look where it is now.
    OutOfSight,
    /// A sweep that began then did not show it; the next one decides.
    UnseenSince(Timestamp),
    /// Its deletion is held back with many others, since then.
    HeldSince(Option<Timestamp>),
    /// A person said that it is gone; the next sweep that misses it tells it.
    Released,
}

/// A container with what it waits for.
#[derive(Debug, Clone)]
pub struct KeptContainer {
    /// The container.
    pub summary: ContainerSummary,
    /// The one before it of the same ordering key, if it waits for that.
    pub behind: Option<(ContainerId, RecordId)>,
}
