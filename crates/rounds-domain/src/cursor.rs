//! Where a feed stands.

use jiff::Timestamp;

/// Where a feed stands: always a value that the source showed or gave, never one that was made from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cursor {
    /// An instant by the source's clock, as exact as the source showed it.
    Time(Timestamp),
    /// A sequence number, as decimal digits, because it may exceed what an integer type holds.
    Number(String),
    /// An opaque token of the source. It may carry anything, so it is not shown in logs.
    Token(crate::Phi<String>),
    /// A log whose entries enter the ledger silently, because the feed starts from now, and that was read up to this place of
    /// it and not to its end: a number or a token.
    Baseline(Box<Self>),
    /// The dates that the last complete sweep looked at, the first and the last.
    Dates {
        /// The first.
        from: jiff::civil::Date,
        /// The last.
        to: jiff::civil::Date,
    },
    /// The source keeps the place; ours is whether all that it gave is committed.
    Queue(QueueState),
    /// The feed has no cursor: every round asks for everything, and the ledger tells what is new. Kept so that a feed
    /// that has had its baseline can be told from one that was never run.
    Sweep,
}

impl Cursor {
    /// The place that is asked from: in a log that is read silently, up to where that came.
    pub fn place(&self) -> &Self {
        match self {
            Self::Baseline(place) => place.place(),
            other => other,
        }
    }
}

/// Whether all that was taken from a queue is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueState {
    /// It is.
    Settled,
    /// Something may have been taken and lost: a round began at this moment, by our clock, and has not succeeded.
    Taking {
        /// When.
        since: Timestamp,
    },
}
