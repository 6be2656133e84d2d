//! What came to a receiver, and what became of it.

use axum::http::HeaderMap;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;
use thiserror::Error;

use super::signature::SignatureError;
use crate::oracle::Arrival;
use crate::wire::Answered;

/// A POST to a hook, kept whether or not it was taken. A script's conditions see it before it is answered, and then `fate` and `answered` are
/// what an unscripted receiver would do.
#[derive(Clone, Debug)]
pub struct Received {
    /// The `{name}` of `/hooks/{name}`.
    pub hook: String,
    /// When it was read whole, by the receiver's clock.
    pub at: Timestamp,
    /// Headers.
    pub headers: HeaderMap,
    /// Raw body.
    pub body: Bytes,
    /// Whether the receiver took it.
    pub fate: Fate,
    /// What the sender was told, or is about to be.
    pub answered: Answered,
}

/// Whether a receiver took a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It did. (The sender may not know: the answer can be reset, cut or late.)
    Taken,
    /// It did not.
    Refused(RefusalReason),
}

/// Why a notification was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RefusalReason {
    /// The signature.
    #[error("the signature does not hold")]
    Signature(#[source] SignatureError),
    /// The header `verification-token` is missing or wrong.
    #[error("verification-token is missing or wrong")]
    VerificationToken,
    /// The story wanted it so.
    #[error("the script refused it")]
    Scripted,
}

impl Received {
    /// Whether the receiver took it.
    pub fn is_taken(&self) -> bool {
        self.fate == Fate::Taken
    }

    /// `webhook-id`: the same for every attempt at one notification.
    pub fn notification_id(&self) -> Option<&str> {
        self.headers
            .get("webhook-id")
            .and_then(|value| value.to_str().ok())
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<Value, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }

    /// What the oracle needs of it.
    pub fn arrival(&self) -> Arrival {
        Arrival {
            notification_id: self.notification_id().map(str::to_owned),
            at: self.at,
            body: self.body.clone(),
        }
    }
}
