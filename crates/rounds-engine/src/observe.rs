//! What can be seen of a round from outside: its exchanges and its choices.
//!
//! A round tells an [`Observer`] what it does. The running engine does not look; a round by hand
//! ([`poll()`](crate::poll())) writes everything down for the person who asked.

use bytes::Bytes;
use rounds_domain::ports::{BodyPiece, BodySecret, EhrError, EhrRequest, EhrResponse, RequestBody};
use rounds_domain::{Document, Phi, RecordId};
use std::time::Duration;

/// One request and its answer.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The method.
    pub method: String,
    /// The whole URL: may name a patient, for the terminal of the person who asked only.
    pub url: Phi<String>,
    /// What was sent along, secrets by their names: for the same eyes only.
    pub body: Option<Phi<String>>,
    /// The answer's status, or why there was none.
    pub outcome: Result<u16, String>,
    /// The answer as it came: for the same eyes only.
    pub answer: Phi<Bytes>,
    /// How long it took, the wait at the gate included.
    pub took: Duration,
}

impl Exchange {
    /// What is shown of a request and its answer.
    pub(crate) fn of(
        request: &EhrRequest,
        answer: &Result<EhrResponse, EhrError>,
        took: Duration,
    ) -> Self {
        Self {
            method: request.method.to_string(),
            url: Phi::new(request.url.to_string()),
            body: request.body.as_ref().map(shown),
            outcome: answer
                .as_ref()
                .map(|response| response.status.as_u16())
                .map_err(|error| error.message.clone()),
            answer: Phi::new(
                answer
                    .as_ref()
                    .map_or_else(|_| Bytes::new(), |response| response.body.clone()),
            ),
            took,
        }
    }
}

/// A body with the names of its secrets in their places.
fn shown(body: &RequestBody) -> Phi<String> {
    let pieces = body.pieces.iter().map(|piece| match piece {
        BodyPiece::Ready(text) => text.clone(),
        BodyPiece::Secret { source, .. } => match source {
            BodySecret::Session => "<session>".to_owned(),
            BodySecret::Named(name) => format!("<secret.{name}>"),
        },
    });
    Phi::new(pieces.collect())
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
    /// Has a date that stands for none: kept as a dead container.
    Undated,
    /// Came again in the same round: told once, with its later state.
    Superseded,
    /// Older than the state that is known.
    Older,
    /// The known state, which the ledger has under another rule's version: noted anew in silence.
    Rekeyed,
    /// Came twice in one answer, in states of which nothing says which is the newer.
    Ambiguous,
}

impl Choice {
    /// Whether the record's state is told.
    pub const fn is_told(self) -> bool {
        matches!(self, Self::Created | Self::Updated)
    }

    /// Whether the record cannot be told as it is, and is kept as a dead container.
    pub const fn is_dead(self) -> bool {
        matches!(self, Self::Unidentified | Self::Undated)
    }
}

/// Sees what happens inside a round. The running engine does not look.
pub(crate) trait Observer: Send {
    /// A request was answered, or not.
    fn exchanged(&mut self, _exchange: Exchange) {}

    /// A record was decided on.
    fn chose(&mut self, _chosen: ChosenRecord) {}

    /// Whether no further partition needs to be asked.
    fn has_enough(&self) -> bool {
        false
    }
}

/// Looks away.
pub(crate) struct NoObserver;

impl Observer for NoObserver {}
