//! Sending to destinations.

use crate::{AttemptOutcome, Code, DestinationName, Document, Former, Gap, NotificationId};
use async_trait::async_trait;
use jiff::Timestamp;

/// The way to all destinations.
#[async_trait]
pub trait Destinations: Send + Sync + 'static {
    /// Makes one attempt and says how it ended, in one of a few words. Never fails otherwise.
    async fn deliver(&self, destination: &DestinationName, message: Message) -> AttemptOutcome;

    /// Asks the endpoint to prove itself (Redox's challenge).
    async fn challenge(
        &self,
        destination: &DestinationName,
        challenge: String,
    ) -> Result<(), ChallengeFailure>;
}

/// What is sent in one attempt.
#[derive(Debug, Clone)]
pub struct Message {
    /// The notification's id, the same on every attempt.
    pub id: NotificationId,
    /// The body of this attempt, byte for byte: what is signed.
    pub body: Document,
    /// Its media type.
    pub content_type: &'static str,
    /// What its shape says in headers: names in lower case, with their values.
    pub headers: Vec<(&'static str, String)>,
    /// What is missing in it.
    pub gaps: Vec<Gap>,
    /// What is known of the record's state before.
    pub former: Former,
    /// The paths of the body that are not as they were.
    pub changed: Vec<String>,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// When this attempt is made: what is signed.
    pub sent_at: Timestamp,
}

/// Why an endpoint did not prove itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ChallengeFailure {
    /// The stable code.
    pub code: Code,
    /// What was asked and what came.
    pub message: String,
}
