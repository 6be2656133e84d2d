//! Requests to EHRs.

use crate::{Code, ConnectionName};
use async_trait::async_trait;
use bytes::Bytes;
use rounds_map::Escape;
use std::fmt;
use std::time::Duration;
use url::Url;

/// The way to all EHRs: through each connection's gate, with its authentication, bounded in time and bytes.
#[async_trait]
pub trait Ehr: Send + Sync + 'static {
    /// Sends one request and reads its whole answer. Any status is an answer; redirects are not followed.
    async fn send(&self, request: EhrRequest) -> Result<EhrResponse, EhrError>;

    /// Says that the answer to a request, which was handed to [`Ehr::send`] at `sent_at` of the monotonic clock, means that
    /// the connection's session has ended, though its status did not say so (401 is understood without this). The next
    /// request gets a session anew, unless that happened since `sent_at`. Means nothing where there are no sessions.
    async fn session_ended(&self, connection: &ConnectionName, sent_at: Duration) {
        let _ = (connection, sent_at);
    }

    /// Says that an answer means that the connection is asked too often, though its status did not say so (429 is understood
    /// without this), and how long to wait, if it said that. `sent_at` is as for [`Ehr::session_ended`].
    async fn throttled(
        &self,
        connection: &ConnectionName,
        sent_at: Duration,
        after: Option<Duration>,
    ) {
        let _ = (connection, sent_at, after);
    }
}

/// One request. Its URL may name a patient, so Debug shows the origin only.
#[derive(Clone)]
pub struct EhrRequest {
    /// Through which gate, with whose authentication.
    pub connection: ConnectionName,
    /// In which queue it stands at the gate.
    pub turn: Turn,
    /// The method.
    pub method: http::Method,
    /// The whole URL. Must have the connection's origin unless [`Access::Bare`] is asked for: credentials do not travel to another.
    pub url: Url,
    /// Whether it is sent as the connection's user.
    pub access: Access,
    /// Further headers.
    pub headers: http::HeaderMap,
    /// What is asked for by `Accept`, where no header says otherwise.
    pub accept: &'static str,
    /// What is sent along.
    pub body: Option<RequestBody>,
    /// How long the whole exchange may take, not counting the wait at the gate; None means the connection's.
    pub timeout: Option<Duration>,
}

/// Whether a request is sent as the connection's user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// With the connection's headers and credentials, at its own origin.
    #[default]
    AsUser,
    /// Without any of them, wherever an answer of the EHR's leads: to public addresses only, unless the EHR itself is at another one.
    Bare,
}

/// In which queue a request stands at its connection's gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Turn {
    /// What asks for changes. It never waits behind more than one follow-up, and finds a slot that those may not take.
    #[default]
    Poll,
    /// What fills a container. There may be thousands, and each may hang.
    FollowUp,
}

impl fmt::Debug for EhrRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EhrRequest")
            .field("connection", &self.connection)
            .field("method", &self.method)
            .field("origin", &self.url.origin().ascii_serialization())
            .finish_non_exhaustive()
    }
}

/// What a request sends along. It may hold patient data, so Debug shows its type only.
#[derive(Clone)]
pub struct RequestBody {
    /// What it is, where no header says otherwise.
    pub content_type: http::HeaderValue,
    /// One after the other.
    pub pieces: Vec<BodyPiece>,
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody")
            .field("content_type", &self.content_type)
            .finish_non_exhaustive()
    }
}

/// A piece of a body.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum BodyPiece {
    /// Ready to be sent.
    Ready(String),
    /// A secret that is filled in when the request leaves.
    Secret {
        /// Which.
        source: BodySecret,
        /// How it is written.
        escape: Escape,
    },
}

/// Which secret stands in a body.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum BodySecret {
    /// One of the connection's secrets.
    Named(String),
    /// The connection's session.
    Session,
}

/// One answer. Its body is patient data, so Debug shows its size only.
#[derive(Clone)]
pub struct EhrResponse {
    /// The status.
    pub status: http::StatusCode,
    /// The headers.
    pub headers: http::HeaderMap,
    /// The body, decompressed.
    pub body: Bytes,
}

impl fmt::Debug for EhrResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EhrResponse")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Why no answer came. The message names the origin, never the path or the query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EhrError {
    /// The stable code.
    pub code: Code,
    /// The operation, its operand, what went wrong.
    pub message: String,
    /// How to mend it, if known.
    pub hint: Option<String>,
    /// Whether the same request may go better a little later.
    pub transience: Transience,
}

/// Whether trying again may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transience {
    /// It may: a refused connection, a timeout, a reset.
    Passing,
    /// It will not until someone changes something: a missing secret, another host, a body over the limit.
    Lasting,
}
