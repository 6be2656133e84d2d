//! One query of an action: the request, its cursor, its pages, its records.

use super::{Job, Log, Partitions, Queue, Records, RequestRule, Schedule, Sweep, Within};
use crate::{FeedName, Partition, RecordId};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rounds_map::Filter;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// One query of an action.
#[derive(Debug, Clone)]
pub struct Feed {
    /// Its name within the action.
    pub name: FeedName,
    /// What it is there for.
    pub role: FeedRole,
    /// When.
    pub schedule: Schedule,
    /// What is asked.
    pub request: RequestRule,
    /// Whether its answer is made by a job; None where it is in the response.
    pub job: Option<Job>,
    /// Over what it is asked; None for one query that shows all.
    pub partitions: Option<Partitions>,
    /// Where it stands and how that moves.
    pub cursor: CursorRule,
    /// Where its first round starts.
    pub start: Start,
    /// How far back a first round that starts from now looks, silently.
    pub baseline: Baseline,
    /// When a record says that it was made; None where it does not.
    pub created: Option<DateField>,
    /// How an answer is continued.
    pub paging: Paging,
    /// From a page's body to its records.
    pub records: Records,
    /// Whether a record is none: true for a placeholder row, such as an API gives that has nothing else to give.
    pub skip: Option<Filter>,
    /// From a record to its identity: a string or a number.
    pub id: Filter,
    /// Within what that identity is one record's.
    pub ids: Ids,
    /// From a record to its version.
    pub version: VersionRule,
    /// Whether a record says that it is gone: true for a tombstone. None where this query shows no tombstones.
    pub gone: Option<Filter>,
    /// How a record says when it changed; None where it does not. For a time cursor with a field that cursor, for a sweep the
    /// change query's.
    pub dated_by: Option<DateField>,
}

/// What a feed is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedRole {
    /// A change query: what it shows first is told first.
    Changes,
    /// The change query once more, a horizon later: finds what showed up late.
    Trailing,
    /// A slow look at everything, or at a range of dates: finds what the change query never shows.
    Reconcile,
}

impl Feed {
    /// The FHIR type that it searches, if it searches one: `Appointment` of `/Appointment` and of `/Appointment/_search`.
    pub fn searched_type(&self) -> Option<&str> {
        if !matches!(self.records.within(), Within::Bundle(_))
            || !self.request.path.roots().is_empty()
        {
            return None;
        }
        let path = self.request.path.text().trim_matches('/');
        let path = path.strip_suffix("/_search").unwrap_or(path);
        let is_type = path.starts_with(|first: char| first.is_ascii_uppercase())
            && path.bytes().all(|byte| byte.is_ascii_alphabetic());
        is_type.then_some(path)
    }
}

/// Within what a record's identity is one record's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ids {
    /// Within the whole EHR: the record of two partitions is one.
    #[default]
    Shared,
    /// Within a partition: each counts its own.
    PerPartition,
}

impl Ids {
    /// The ledger's identity of a record that says `id` of itself. The partition is written so that no two pairs meet.
    pub fn identity(self, partition: Option<&Partition>, id: &str) -> RecordId {
        match (self, partition) {
            (Self::PerPartition, Some(partition)) => {
                let partition = partition.expose().replace('%', "%25").replace('/', "%2F");
                RecordId::new(format!("{partition}/{id}"))
            }
            _ => RecordId::new(id),
        }
    }
}

/// How a record says when it changed.
#[derive(Debug, Clone)]
pub struct DateField {
    /// The field.
    pub field: Filter,
    /// How it is written where it has no offset.
    pub format: TimeFormat,
    /// The zone of what has no offset.
    pub zone: TimeZone,
}

/// Where a feed stands and how that moves.
#[derive(Debug, Clone)]
pub enum CursorRule {
    /// By time.
    Time(TimeCursor),
    /// By a number in the answer, such as a last sequence.
    Number(Log),
    /// By an opaque token in the answer.
    Token(Log),
    /// The source keeps it: it gives what changed once and forgets it.
    Queue(Queue),
    /// There is none: each round is a sweep that is compared with what is known.
    Sweep(Sweep),
}

/// A time cursor.
#[derive(Debug, Clone)]
pub struct TimeCursor {
    /// How an instant is written into the request.
    pub format: TimeFormat,
    /// The zone of written instants.
    pub zone: TimeZone,
    /// The smallest step that the request can express; instants are cut down to it.
    pub granularity: Duration,
    /// How far before the cursor is asked again. At least one granule, whatever the user said.
    pub overlap: Duration,
    /// How long a record must have been there before it is told: nothing younger moves the cursor.
    pub settle: Duration,
    /// What the cursor is taken from.
    pub source: TimeSource,
    /// The longest span that one request may ask for; a longer one is asked for in slices, the oldest first. None: there is no
    /// limit.
    pub longest_window: Option<Duration>,
}

/// What a time cursor is taken from.
#[derive(Debug, Clone)]
pub enum TimeSource {
    /// The field that the filter goes by ([`Feed::dated_by`]), whose values come in any order.
    Field,
    /// The same, and the pages come in ascending order of it: a round that is cut short goes on from the last page that kept
    /// the order.
    AscendingField,
    /// The same, and the pages come in descending order of it: they are read up to the first record from before what was asked
    /// for, which a source without a change filter would go on with for ever.
    DescendingField,
    /// The source's clock, as a page's body said it in the round's first answer. An answer without it moves nothing.
    Answer(Filter),
    /// The source's clock, as it said it in the `Date` header of the round's first answer.
    SourceClock,
}

impl TimeSource {
    /// Whether it is a field of the records.
    pub const fn is_field(&self) -> bool {
        matches!(
            self,
            Self::Field | Self::AscendingField | Self::DescendingField
        )
    }
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
    /// As HTTP headers write it (RFC 9110, 5.6.7), always in GMT.
    HttpDate,
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

/// How far back a first round by time looks that starts from now. What it finds is not told, but it is known from then on: its next
/// change is told as one, with what it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Baseline {
    /// It looks no further than any round.
    #[default]
    None,
    /// At what has changed in this time.
    Back(Duration),
    /// At everything.
    Everything,
}

/// As the configuration writes it, and the store keeps it.
impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now => f.write_str("now"),
            Self::Beginning => f.write_str("beginning"),
            Self::Instant(at) => at.fmt(f),
        }
    }
}

impl FromStr for Start {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "now" => Ok(Self::Now),
            "beginning" => Ok(Self::Beginning),
            instant => instant.parse().map(Self::Instant),
        }
    }
}

/// How an answer is continued, with its guards.
#[derive(Debug, Clone)]
pub struct Paging {
    /// The rule.
    pub rule: PagingRule,
    /// From a page's body to whether there are more pages: false ends the answer whatever the rule says, true keeps a short page
    /// from ending it, and nothing leaves it to the rule.
    pub more: Option<Filter>,
    /// Whether next links are followed as they are.
    pub links: Links,
    /// Whether records may move between pages whose links hold a place, meanwhile.
    pub rows: Rows,
    /// The query parameter, an offset, by which the server goes on where it gives no next link though its total says that there are
    /// more. None where it knows none.
    pub offset_parameter: Option<String>,
    /// How many pages a round may have before it fails.
    pub max_pages: u32,
}

impl Paging {
    /// [`Paging::max_pages`] where the user says nothing.
    pub const DEFAULT_MAX_PAGES: u32 = 1_000;
}

/// Whether next links are followed as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Links {
    /// They are. One that leads to another scheme, host or port is an error.
    #[default]
    AsGiven,
    /// Their path and query are asked for at the connection's own address: the EHR builds them from an inner one.
    Rebased,
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
        /// The query parameter. None: the request has a placeholder `page` for it.
        parameter: Option<String>,
        /// The number of the first page.
        first: u64,
        /// How many records a full page has; a shorter one is the last. None: only an empty page is the last.
        size: Option<u64>,
        /// The query parameter that asks for the size, if it is to be sent.
        size_parameter: Option<String>,
        /// Whether records may move between pages meanwhile.
        rows: Rows,
    },
    /// Pages start at an offset, counted in records.
    Offset {
        /// The query parameter. None: the request has a placeholder `page` for it.
        parameter: Option<String>,
        /// How many records a full page has; a shorter one is the last.
        size: u64,
        /// The query parameter that asks for the size, if it is to be sent.
        size_parameter: Option<String>,
        /// Whether records may move between pages meanwhile.
        rows: Rows,
    },
    /// The body gives a token for the next page; nothing, null or "" ends it.
    Token {
        /// The query parameter that carries it. None: the request has a placeholder `page` for it.
        parameter: Option<String>,
        /// Where it stands in the body.
        from: Filter,
    },
    /// The next page begins after the last record of this one (a keyset). A page without records is the last.
    After {
        /// The query parameter that carries the last record's value. None: the request has a placeholder `page` for it.
        parameter: Option<String>,
        /// From the last record of a page to that value.
        from: Filter,
        /// How many records a full page has; a shorter one is the last. None: only an empty page is the last.
        size: Option<u64>,
        /// The query parameter that asks for the size, if it is to be sent.
        size_parameter: Option<String>,
    },
    /// The same request again, until it gives nothing: only for a queue, which forgets what it gave.
    UntilEmpty,
}

/// Whether records may move between pages while they are read: an edit of one that was read moves all behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rows {
    /// They may, so pages are asked with an overlap (by offset) or once more (by number) until nothing is between them.
    #[default]
    Move,
    /// The server holds the answer still from its first page on.
    Stay,
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
