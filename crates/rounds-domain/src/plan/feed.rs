//! One change query: the request, its cursor, its pages, its records.

use crate::FeedName;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rounds_map::{Filter, Template};
use std::time::Duration;

/// One change query of an action.
#[derive(Debug, Clone)]
pub struct Feed {
    /// Its name within the action.
    pub name: FeedName,
    /// What is asked.
    pub request: RequestRule,
    /// Where it stands and how that moves.
    pub cursor: CursorRule,
    /// Where its first round starts.
    pub start: Start,
    /// How an answer is continued.
    pub paging: Paging,
    /// From a page's body to its records.
    pub records: Filter,
    /// From a record to its identity: a string or a number.
    pub id: Filter,
    /// From a record to its version.
    pub version: VersionRule,
}

/// What is asked. Templates may use `cursor`, and `until` where the feed settles.
#[derive(Debug, Clone)]
pub struct RequestRule {
    /// GET, or POST for APIs that search so.
    pub method: http::Method,
    /// The path, relative to the connection's base URL; placeholders are escaped as path segments. May hold a literal query.
    pub path: Template,
    /// Query parameters in the order written; a name may come twice.
    pub query: Vec<(String, Template)>,
    /// Headers.
    pub headers: Vec<(http::HeaderName, Template)>,
    /// How long one whole exchange may take; None means the connection's.
    pub timeout: Option<Duration>,
}

/// Where a feed stands and how that moves.
#[derive(Debug, Clone)]
pub enum CursorRule {
    /// By time.
    Time(TimeCursor),
    /// By a number in the answer, such as a last sequence: evaluated over each page's body; absent keeps the former one.
    Number(Filter),
    /// By an opaque token in the answer: evaluated over each page's body; absent keeps the former one.
    Token(Filter),
    /// There is none: each round asks for everything and compares with what is known.
    None,
}

/// A time cursor.
#[derive(Debug, Clone)]
pub struct TimeCursor {
    /// How an instant is written into the request, and read from a field that has no offset.
    pub format: TimeFormat,
    /// The zone of written instants.
    pub zone: TimeZone,
    /// The smallest step that the request can express; instants are cut down to it.
    pub granularity: Duration,
    /// How far before the cursor is asked again. At least one granule, whatever the user said.
    pub overlap: Duration,
    /// How long a record must have been there before it is told: nothing younger moves the cursor.
    pub settle: Duration,
    /// The record's field that the filter goes by. None means that the cursor is the source's clock, as it said it in the
    /// `Date` header of the round's first answer.
    pub field: Option<Filter>,
}

/// How an instant is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeFormat {
    /// strftime, as jiff documents it.
    Strftime(String),
    /// RFC 3339 in the zone's offset (`Z` for UTC), with as many digits as the granularity needs.
    Rfc3339,
    /// Whole seconds since 1970.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMilliseconds,
}

/// Where a feed's first round starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// From now: what is already there enters the ledger silently.
    Now,
    /// From the beginning: everything is told.
    Beginning,
    /// From an instant. Only for time cursors.
    Instant(Timestamp),
}

/// How an answer is continued, with its guards.
#[derive(Debug, Clone)]
pub struct Paging {
    /// The rule.
    pub rule: PagingRule,
    /// How many pages a round may have before it fails.
    pub max_pages: u32,
}

impl Paging {
    /// [`Paging::max_pages`] where the user says nothing.
    pub const DEFAULT_MAX_PAGES: u32 = 1_000;
}

/// How an answer is continued. In all of them an answer without records and without a pointer to more ends the round.
#[derive(Debug, Clone)]
pub enum PagingRule {
    /// It is not: one page.
    Single,
    /// The next page's URL stands in the body (absolute or relative); nothing or null ends it.
    NextLink(Filter),
    /// The next page's URL stands in the `Link` header under this relation (RFC 8288).
    LinkHeader {
        /// `next` nearly always.
        relation: String,
    },
    /// Pages are numbered.
    PageNumber {
        /// The query parameter.
        parameter: String,
        /// The number of the first page.
        first: u64,
        /// How many records a full page has; a shorter one is the last. None: only an empty page is the last.
        size: Option<u64>,
        /// The query parameter that asks for the size, if it is to be sent.
        size_parameter: Option<String>,
    },
    /// Pages start at an offset, counted in records.
    Offset {
        /// The query parameter.
        parameter: String,
        /// How many records a full page has; a shorter one is the last.
        size: u64,
        /// The query parameter that asks for the size, if it is to be sent.
        size_parameter: Option<String>,
    },
    /// The body gives a token for the next page; nothing, null or "" ends it.
    Token {
        /// The query parameter that carries it.
        parameter: String,
        /// Where it stands in the body.
        from: Filter,
    },
}

/// What makes a state of a record different from another.
#[derive(Debug, Clone)]
pub enum VersionRule {
    /// A field says. A record without it falls back to its fingerprint.
    Field(Filter),
    /// The canonical content says, after this filter took out what does not count.
    Fingerprint {
        /// From the record to what counts of it (`del(.fetchedAt)`); None means all of it.
        counting: Option<Filter>,
    },
}
