//! One EHR instance.

use super::{AnswerFormat, AnswerRule, Authentication, HeaderSource, SecretReference};
use crate::ConnectionName;
use std::fmt;
use std::time::Duration;
use url::Url;

/// One EHR instance. Every request to it goes through one gate. Debug shows origins and names of headers only: a path may
/// be a credential.
#[derive(Clone)]
pub struct Connection {
    /// Its name.
    pub name: ConnectionName,
    /// What paths are relative to. Ends with a slash, has no query and no fragment.
    pub base_url: Url,
    /// How requests prove who asks.
    pub authentication: Authentication,
    /// Further headers of every request; values are literal or secrets.
    pub headers: Vec<(http::HeaderName, HeaderSource)>,
    /// Secrets that bodies of requests may hold, by name.
    pub secrets: Vec<(String, SecretReference)>,
    /// How its answers are written, if a request does not say otherwise.
    pub format: AnswerFormat,
    /// What its answers mean, where the status does not say it.
    pub answers: Vec<AnswerRule>,
    /// What the EHR allows.
    pub limits: Limits,
    /// How long a connection attempt may take.
    pub connect_timeout: Duration,
    /// How long one whole exchange may take, if the action does not say otherwise.
    pub request_timeout: Duration,
    /// How many bytes an answer's body may have, after decompression.
    pub body_limit_bytes: u64,
}

impl Connection {
    /// [`Connection::connect_timeout`] where the user says nothing.
    pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
    /// [`Connection::request_timeout`] where the user says nothing.
    pub const DEFAULT_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
    /// [`Connection::body_limit_bytes`] where the user says nothing: 64 MiB.
    pub const DEFAULT_BODY_LIMIT_BYTES: u64 = 64 * 1024 * 1024;
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        let secrets: Vec<_> = self.secrets.iter().map(|(name, _)| name).collect();
        f.debug_struct("Connection")
            .field("name", &self.name)
            .field("base_url", &self.base_url.origin().ascii_serialization())
            .field("authentication", &self.authentication)
            .field("headers", &headers)
            .field("secrets", &secrets)
            .field("format", &self.format)
            .field("answers", &self.answers)
            .field("limits", &self.limits)
            .field("connect_timeout", &self.connect_timeout)
            .field("request_timeout", &self.request_timeout)
            .field("body_limit_bytes", &self.body_limit_bytes)
            .finish()
    }
}

/// What an EHR allows one credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// All of these hold at once; may be empty.
    pub rates: Vec<Rate>,
    /// How many requests may be under way at once.
    pub in_flight: u32,
    /// The longest `Retry-After` that is believed; a longer one is taken as this.
    pub longest_retry_after: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rates: Vec::new(),
            in_flight: Self::DEFAULT_IN_FLIGHT,
            longest_retry_after: Self::DEFAULT_LONGEST_RETRY_AFTER,
        }
    }
}

impl Limits {
    /// [`Limits::in_flight`] where the user says nothing.
    pub const DEFAULT_IN_FLIGHT: u32 = 4;
    /// [`Limits::longest_retry_after`] where the user says nothing.
    pub const DEFAULT_LONGEST_RETRY_AFTER: Duration = Duration::from_hours(1);
}

/// At most this many requests in any such span of time (a rolling window).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub requests: u32,
    /// In which span.
    pub per: Duration,
}
