//! One EHR instance.

use super::{
    AnswerFormat, AnswerRule, Authentication, HeaderSource, Inbound, RequestRule, SecretReference,
    Window,
};
use crate::ConnectionName;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rounds_map::Filter;
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
    /// Requests that show what the EHR can be polled by, for a probe.
    pub tests: Vec<ConnectionTest>,
    /// Where it may push events; None where it does not.
    pub receive: Option<Inbound>,
    /// What the EHR allows.
    pub limits: Limits,
    /// How long a connection attempt may take.
    pub connect_timeout: Duration,
    /// How long one whole exchange may take, if the action does not say otherwise.
    pub request_timeout: Duration,
    /// How many bytes an answer's body may have, after decompression.
    pub body_limit_bytes: u64,
}

/// A request that shows whether something can be polled.
#[derive(Debug, Clone)]
pub struct ConnectionTest {
    /// What it is about.
    pub name: String,
    /// The connector whose action that is; None where the user wrote it.
    pub connector: Option<String>,
    /// What is asked.
    pub request: RequestRule,
    /// From the answer to whether it can.
    pub works: Filter,
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
        let tests: Vec<_> = self.tests.iter().map(|test| &test.name).collect();
        f.debug_struct("Connection")
            .field("name", &self.name)
            .field("base_url", &self.base_url.origin().ascii_serialization())
            .field("authentication", &self.authentication)
            .field("headers", &headers)
            .field("secrets", &secrets)
            .field("format", &self.format)
            .field("answers", &self.answers)
            .field("tests", &tests)
            .field("receive", &self.receive)
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
    /// A header that says when there is room again where an answer is 429 and has no `Retry-After`: seconds, or seconds since 1970.
    pub reset: Option<http::HeaderName>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rates: Vec::new(),
            in_flight: Self::DEFAULT_IN_FLIGHT,
            longest_retry_after: Self::DEFAULT_LONGEST_RETRY_AFTER,
            reset: None,
        }
    }
}

impl Limits {
    /// [`Limits::in_flight`] where the user says nothing.
    pub const DEFAULT_IN_FLIGHT: u32 = 4;
    /// [`Limits::longest_retry_after`] where the user says nothing.
    pub const DEFAULT_LONGEST_RETRY_AFTER: Duration = Duration::from_hours(1);
}

/// At most this many requests in a span of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub requests: u32,
    /// In which span.
    pub per: Duration,
    /// Which spans are meant.
    pub spans: Spans,
    /// When it holds.
    pub holds: Holds,
}

impl Rate {
    /// In any such span, always.
    pub const fn rolling(requests: u32, per: Duration) -> Self {
        Self {
            requests,
            per,
            spans: Spans::Any,
            holds: Holds::Always,
        }
    }
}

/// Which spans of time a rate is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spans {
    /// Any span of that length: a rolling window.
    Any,
    /// The minutes, hours or days of the clock in this zone; the length is one of these.
    OfTheClock(TimeZone),
}

/// When a rate holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holds {
    /// Always.
    Always,
    /// Within these parts of the week.
    Within(WeekTimes),
    /// Outside of them.
    Outside(WeekTimes),
}

impl Holds {
    /// Whether it holds at this moment.
    pub fn at(&self, moment: Timestamp) -> bool {
        match self {
            Self::Always => true,
            Self::Within(times) => times.contain(moment),
            Self::Outside(times) => !times.contain(moment),
        }
    }
}

/// Parts of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeekTimes {
    /// Which.
    pub windows: Vec<Window>,
    /// In which zone they are read.
    pub zone: TimeZone,
}

impl WeekTimes {
    /// Whether one of them contains this moment.
    pub fn contain(&self, moment: Timestamp) -> bool {
        let local = moment.to_zoned(self.zone.clone()).datetime();
        self.windows.iter().any(|window| window.contains(local))
    }
}
