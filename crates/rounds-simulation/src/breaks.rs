//! Bugs on purpose: an oracle that finds nothing must be shown to find something.
//!
//! Each breaks one rule that Rounds lives by, in what stands between the engine and its ports or in the plan, so that the product
//! itself has no switch for it.

use async_trait::async_trait;
use rounds_domain::plan::{CursorRule, Plan};
use rounds_domain::ports::{ChallengeFailure, Destinations, Message};
use rounds_domain::{AttemptOutcome, DestinationName, NotificationId};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// A bug on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Break {
    /// The cursor is committed before the ledger and the containers, in a transaction of its own.
    CursorCommit,
    /// The cursor moves although the round failed or is not finished.
    CursorEarly,
    /// The cursor is taken from our clock at the end of the round.
    CursorAhead,
    /// The ledger forgets the versions that it knows.
    Ledger,
    /// Nothing before the cursor is asked for again.
    Overlap,
    /// A delivery is recorded before it is made.
    DeliveryCommit,
    /// A refused notification counts as delivered.
    Refusal,
    /// Ordering keys mean nothing.
    Order,
    /// A notification has another id in each life of the process.
    NotificationId,
    /// What a sweep sees on its first look is taken as known.
    FirstLook,
    /// A state is told although another feed told a newer one after it was asked for.
    Overtaken,
    /// A sweep forgets part of what it was shown.
    SweepShown,
}

impl Break {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::CursorCommit,
        Self::CursorEarly,
        Self::CursorAhead,
        Self::Ledger,
        Self::Overlap,
        Self::DeliveryCommit,
        Self::Refusal,
        Self::Order,
        Self::NotificationId,
        Self::FirstLook,
        Self::Overtaken,
        Self::SweepShown,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CursorCommit => "cursor-commit",
            Self::CursorEarly => "cursor-early",
            Self::CursorAhead => "cursor-ahead",
            Self::Ledger => "ledger",
            Self::Overlap => "overlap",
            Self::DeliveryCommit => "delivery-commit",
            Self::Refusal => "refusal",
            Self::Order => "order",
            Self::NotificationId => "notification-id",
            Self::FirstLook => "first-look",
            Self::Overtaken => "overtaken",
            Self::SweepShown => "sweep-shown",
        }
    }

    /// Breaks what stands in the plan.
    pub(crate) fn break_plan(self, plan: &mut Plan) {
        if self != Self::Overlap {
            return;
        }
        for action in &mut plan.actions {
            let action = Arc::make_mut(action);
            let feed = Arc::make_mut(&mut action.changes);
            if let CursorRule::Time(cursor) = &mut feed.cursor {
                cursor.overlap = Duration::ZERO;
            }
        }
    }
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Receivers that are given another id for the same notification by each life of the process.
pub(crate) struct Renaming {
    pub(crate) destinations: Arc<dyn Destinations>,
    pub(crate) life: u64,
}

#[async_trait]
impl Destinations for Renaming {
    async fn deliver(&self, destination: &DestinationName, message: Message) -> AttemptOutcome {
        let id = NotificationId::new(format!("{}{}", message.id, self.life));
        let renamed = Message { id, ..message };
        self.destinations.deliver(destination, renamed).await
    }

    async fn challenge(
        &self,
        destination: &DestinationName,
        challenge: String,
    ) -> Result<(), ChallengeFailure> {
        self.destinations.challenge(destination, challenge).await
    }
}

/// A name that no break has.
#[derive(Debug, thiserror::Error)]
#[error("there is no break `{0}`")]
pub struct UnknownBreak(String);

impl FromStr for Break {
    type Err = UnknownBreak;

    fn from_str(name: &str) -> Result<Self, UnknownBreak> {
        let found = Self::ALL.into_iter().find(|known| known.name() == name);
        found.ok_or_else(|| UnknownBreak(name.to_owned()))
    }
}
