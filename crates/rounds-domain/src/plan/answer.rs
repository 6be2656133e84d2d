//! What an answer means, where its status does not say it.
//!
//! Many EHRs put errors into answers with status 200, name an empty result an error, or say with 403 what another says with
//! 401. Rules say so, in order; the first one that fits counts, and where none fits the status does.

use http::StatusCode;
use http::header::HeaderName;
use rounds_map::Filter;
use std::fmt;
use std::time::Duration;

/// One rule.
#[derive(Clone)]
pub struct AnswerRule {
    /// The statuses that it is about; all of them if empty.
    pub statuses: Vec<StatusRange>,
    /// Headers that must be there, each with this text in its value, in capitals or not; an empty text is in every value.
    pub headers: Vec<(HeaderName, String)>,
    /// A text that the body must hold, whatever its format.
    pub text: Option<String>,
    /// What must give true of the body. A body that cannot be read does not fit.
    pub body: Option<Filter>,
    /// What such an answer means.
    pub means: Meaning,
}

/// A header's text or a body's may be anything.
impl fmt::Debug for AnswerRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerRule")
            .field("statuses", &self.statuses)
            .field("body", &self.body)
            .field("means", &self.means)
            .finish_non_exhaustive()
    }
}

/// Some statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusRange {
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
}

impl StatusRange {
    /// Whether it holds this one.
    pub const fn contains(self, status: StatusCode) -> bool {
        let status = status.as_u16();
        self.first <= status && status <= self.last
    }
}

/// What an answer means.
#[derive(Debug, Clone)]
pub enum Meaning {
    /// It is a good one, and its body is read.
    Ok,
    /// There is nothing: no records, or no such record.
    Empty,
    /// Too many requests: as a 429.
    Throttled {
        /// How long to wait. None: as `Retry-After` says, otherwise as the gate decides.
        after: Option<After>,
    },
    /// The session has ended: as a 401.
    AuthExpired,
    /// Something must be set up at the EHR before.
    NeedsSetup,
    /// The EHR cannot do what is asked.
    Unsupported,
    /// There is no such record any more: as a 410.
    Gone,
    /// It may go better a little later: as a 503.
    Retry,
    /// It will not go better.
    Fatal,
}

/// How long to wait.
#[derive(Debug, Clone)]
pub enum After {
    /// As long as this.
    Span(Duration),
    /// What this gives of the body: seconds, or an instant.
    Body(Filter),
}

impl Meaning {
    /// Its word in the configuration.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Empty => "empty",
            Self::Throttled { .. } => "throttled",
            Self::AuthExpired => "auth_expired",
            Self::NeedsSetup => "needs_setup",
            Self::Unsupported => "unsupported",
            Self::Gone => "gone",
            Self::Retry => "retry",
            Self::Fatal => "fatal",
        }
    }
}
