//! One changed record on its way.

use crate::{
    ActionName, Code, ContainerId, Document, Gap, LookupName, Notification, OrderingKey, Owed,
    Partition, RecordId, Version,
};
use jiff::Timestamp;

/// What happened to the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was seen for the first time.
    Created,
    /// It was known with another version.
    Updated,
    /// It was known, and a complete sweep did not show it any more.
    Deleted,
}

impl ChangeKind {
    /// `created`, `updated` or `deleted`: what expressions read as `.change.kind`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
        }
    }
}

/// What is known of the past of a record that the ledger does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Origin {
    /// It came into being since its feed began, or everything that is there is told: it is new to the receiver.
    #[default]
    New,
    /// It was there before its feed began, and has changed since.
    Earlier,
    /// One of the two.
    Unknown,
}

/// What is known of a record's state before the one that is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Former {
    /// There was none: the record is new.
    None,
    /// It was seen.
    #[default]
    Known,
    /// It was not seen: the record was there before its feed began, or may have been.
    Unknown,
}

impl Former {
    /// `none`, `known` or `unknown`: what expressions read as `.change.former`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Known => "known",
            Self::Unknown => "unknown",
        }
    }
}

/// What a round found: a record with a version that the ledger does not have.
#[derive(Debug, Clone)]
pub struct Change {
    /// The container's id, given by the engine so that it is the same however often the commit is tried.
    pub container: ContainerId,
    /// Which record.
    pub record_id: RecordId,
    /// Which state of it.
    pub version: Version,
    /// Whose order it keeps.
    pub ordering_key: OrderingKey,
    /// The record as the EHR gave it; the last that was seen of it where it is gone.
    pub record: Document,
    /// Whether the record is there.
    pub presence: Presence,
    /// What is known of its past if the ledger does not know it.
    pub origin: Origin,
    /// When it was asked for, by our clock. If another feed of the action has told of the record since, this may be the
    /// older state, so the commit leaves it alone.
    pub read_at: Timestamp,
    /// What the commit does with it.
    pub resolution: Resolution,
}

impl Change {
    /// What happened to the record, and what is known of its state before, by whether that was seen.
    pub const fn kind(&self, was_seen: bool) -> (ChangeKind, Former) {
        match (self.presence, was_seen, self.origin) {
            (Presence::Gone, ..) => (ChangeKind::Deleted, Former::Known),
            (Presence::There, true, _) => (ChangeKind::Updated, Former::Known),
            (Presence::There, false, Origin::New) => (ChangeKind::Created, Former::None),
            (Presence::There, false, Origin::Earlier) => (ChangeKind::Updated, Former::Unknown),
            (Presence::There, false, Origin::Unknown) => (ChangeKind::Created, Former::Unknown),
        }
    }
}

/// Whether a record is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// The EHR showed it.
    There,
    /// A complete sweep did not show it any more.
    Gone,
}

/// What the commit of a round does with a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// It becomes a container, due at once.
    Tell,
    /// It enters the ledger (with its body as the known state) and no container is made: the feed starts from now.
    Baseline,
    /// The same, but if the change query comes to show it, it is told all the same: a sweep that looks for the first time
    /// cannot know whether what it sees was there before or has just come.
    Presume,
    /// It becomes a dead container at once, for an operator to see: it cannot be told as it is.
    Dead {
        /// Why.
        code: Code,
        /// In words, without patient data.
        reason: String,
    },
}

/// Where a container stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContainerState {
    /// Behind an earlier container with the same ordering key.
    Waiting,
    /// To be filled as soon as it is due.
    Due,
    /// Waiting for its own retry.
    Parked,
    /// Given up, until a person retries or drops it.
    Dead,
    /// Dropped, by a person or by a lookup's policy.
    Dropped,
}

/// The answer of one lookup, kept with a parked container so that it is not asked again.
#[derive(Debug, Clone)]
pub struct LookupAnswer {
    /// Under which name it stands.
    pub name: LookupName,
    /// The answer; None where the EHR said that there is none (404, 410).
    pub body: Option<Document>,
    /// When the EHR gave it, by our clock.
    pub fetched_at: Timestamp,
}

/// One changed record on its way: durable until its notification is.
#[derive(Debug, Clone)]
pub struct Container {
    /// Its id.
    pub id: ContainerId,
    /// The action that found it.
    pub action: ActionName,
    /// Which round of the action's feed found it: equal lookups of a round are asked once.
    pub round: u64,
    /// The partition whose query showed it, where the action's queries are asked partition by partition.
    pub partition: Option<Partition>,
    /// Which record.
    pub record_id: RecordId,
    /// Which state of it.
    pub version: Version,
    /// First seen, or changed.
    pub kind: ChangeKind,
    /// What is known of its state before.
    pub former: Former,
    /// Whose order it keeps.
    pub ordering_key: OrderingKey,
    /// The record.
    pub record: Document,
    /// The record's state that was found before this one.
    pub previous: Option<Document>,
    /// When the change was committed, by our clock.
    pub detected_at: Timestamp,
    /// How often it was tried and parked.
    pub attempts: u32,
    /// Answers that were had before it was parked.
    pub answers: Vec<LookupAnswer>,
}

/// What became of a container after one try. One transaction each: the notification, its deliveries and the end of
/// the container belong together (law 1).
#[derive(Debug, Clone)]
pub enum ContainerSettlement {
    /// It became a notification, owed to these destinations.
    Notified {
        /// What it became.
        notification: Box<Notification>,
        /// To whom it is owed; may be empty.
        destinations: Vec<Owed>,
    },
    /// It waits for its next try. Its attempt count rises.
    Parked {
        /// Which container.
        id: ContainerId,
        /// Why, as a stable code.
        code: Code,
        /// Why, in words, without patient data.
        reason: String,
        /// When to try again.
        due_at: Timestamp,
        /// What was answered so far.
        answers: Vec<LookupAnswer>,
    },
    /// Its try was cut short through no fault of its own (shutdown, the gate is closed): due again, not counted.
    Released {
        /// Which container.
        id: ContainerId,
        /// When to try again.
        due_at: Timestamp,
        /// What was answered so far.
        answers: Vec<LookupAnswer>,
    },
    /// It is given up until a person retries it. Later containers of its key go on.
    Dead {
        /// Which container.
        id: ContainerId,
        /// Why, as a stable code.
        code: Code,
        /// Why, in words, without patient data.
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// A lookup's policy or the rules of its action say that it is not told.
    Dropped {
        /// Which container.
        id: ContainerId,
        /// Why, as a stable code.
        code: Code,
        /// Why, in words, without patient data.
        reason: String,
        /// What is missing.
        gaps: Vec<Gap>,
        /// When.
        at: Timestamp,
    },
}
