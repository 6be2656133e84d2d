//! One notification owed to one destination, and the tries at it.

use crate::plan::Shape;
use crate::{ActionName, Code, DeliveryId, DestinationName, Document, Former, Gap};
use jiff::Timestamp;
use std::time::Duration;

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// Behind an earlier delivery with the same destination and ordering key.
    Waiting,
    /// To be tried as soon as it is due.
    Due,
    /// The receiver took it.
    Delivered,
    /// Given up, until a person retries or drops it.
    Dead,
    /// Dropped by a person.
    Dropped,
}

/// What a notification owes to one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// To whom.
    pub destination: DestinationName,
    /// What it waits for.
    pub order: DeliveryOrder,
}

/// What a delivery waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeliveryOrder {
    /// The earlier ones with the same ordering key.
    #[default]
    Key,
    /// All earlier ones to the destination: they go one after another, in the order in which they were made.
    Destination,
}

/// One delivery to try now.
#[derive(Debug, Clone)]
pub struct DeliveryJob {
    /// Which.
    pub id: DeliveryId,
    /// The action it came from.
    pub action: ActionName,
    /// What it is called, such as `Scheduling.New`.
    pub event: String,
    /// The body to send.
    pub body: Document,
    /// How it is wrapped.
    pub shape: Shape,
    /// Which of the action's notifications to this destination it is, from 1 and without gaps.
    pub number: u64,
    /// What is missing in it.
    pub gaps: Vec<Gap>,
    /// What is known of the record's state before.
    pub former: Former,
    /// The paths of the body that are not as they were.
    pub changed: Vec<String>,
    /// How many attempts were made since it was last made due by a person or by its creation.
    pub attempts: u32,
    /// When the change was committed, by our clock.
    pub detected_at: Timestamp,
}

/// How one attempt ended: one of a few words, whatever the destination speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The receiver took it (a 2xx).
    Delivered {
        /// The status.
        status: u16,
    },
    /// The receiver answered and did not take it.
    Refused {
        /// The status, 3xx to 5xx.
        status: u16,
        /// What it asked us to wait, already read from either form of `Retry-After`.
        retry_after: Option<Duration>,
        /// In words, without anything of the body.
        reason: String,
    },
    /// The receiver says that this endpoint is no more (410).
    Gone,
    /// No answer came: refused connection, no such host, TLS, a timeout, a reset. The receiver may or may not have taken it.
    Unreachable {
        /// The stable code of the cause.
        code: Code,
        /// In words, without the URL's path or query.
        reason: String,
    },
    /// It was not sent at all, because we may or can not: an address that is not allowed, a secret that is not there.
    Impossible {
        /// The stable code of the cause.
        code: Code,
        /// In words.
        reason: String,
    },
}

impl AttemptOutcome {
    /// The receiver says that the endpoint is no more.
    pub const GONE: Code = Code::new("R0508");

    /// The stable code of why the receiver did not take it; None if it did.
    pub const fn code(&self) -> Option<Code> {
        match self {
            Self::Delivered { .. } => None,
            Self::Refused { .. } => Some(Code::new("R0509")),
            Self::Gone => Some(Self::GONE),
            Self::Unreachable { code, .. } | Self::Impossible { code, .. } => Some(*code),
        }
    }
}

/// One try, for the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// When it began, by our clock.
    pub started_at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// How it ended.
    pub outcome: AttemptOutcome,
}

/// What follows from an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextStep {
    /// It is done; the next of its key becomes due.
    Done,
    /// It is tried again at this time; its key waits.
    RetryAt(Timestamp),
    /// It is given up with this reason; the next of its key becomes due.
    GiveUp {
        /// The stable code.
        code: Code,
        /// In words, without patient data.
        reason: String,
    },
}

/// An attempt and what follows from it: one transaction.
#[derive(Debug, Clone)]
pub struct DeliverySettlement {
    /// Which delivery.
    pub id: DeliveryId,
    /// The attempt; None where it was released untried (shutdown).
    pub attempt: Option<Attempt>,
    /// What follows.
    pub next: NextStep,
}
