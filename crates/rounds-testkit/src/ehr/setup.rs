//! What kind of API the EHR has, before it starts.

use std::time::Duration;

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::FakeEhr;
use crate::hospital::{Change, Hospital};
use crate::wire::StartError;

/// How the answers of `GET /appointments` are cut into pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paging {
    /// `Link: <...>; rel="next"` beside a bare array.
    LinkHeader,
    /// `{"items": [...], "next": "<url>" or null}`.
    Envelope,
    /// `?page=N`, from 1; a bare array; the pages end with a short or empty one.
    PageNumber,
    /// `?offset=N&limit=M`; a bare array; the pages end with a short or empty one.
    Offset,
    /// `{"items": [...], "nextToken": "<opaque>" or absent}`, asked for by `?pageToken=`.
    Token,
}

/// In which order the records come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordOrder {
    /// The longest unchanged first; equals by id.
    OldestChangeFirst,
    /// The latest change first; equals by id.
    LatestChangeFirst,
    /// By id.
    ById,
    /// In an order of chance, the same for the same seed.
    Shuffled {
        /// Where chance starts.
        seed: u64,
    },
}

/// What `changedsince` means for a record changed at just that instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boundary {
    /// It is given.
    Inclusive,
    /// It is not given.
    Exclusive,
}

/// How `lastModified` is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordTimes {
    /// RFC 3339 in UTC with milliseconds where they are not zero: `2022-05-10T10:00:00.25Z`.
    Milliseconds,
    /// Rounded down, without a zone, in the EHR's own: `2022-05-10T10:00:00`.
    NaiveSeconds,
}

/// After which time a change can be seen by queries.
pub(crate) type Visibility = Box<dyn Fn(&Change) -> SignedDuration + Send + Sync>;

/// The choices for a [`FakeEhr`]. The defaults are the API of Redox's page on polling: everything in one array, `changedsince` inclusive and
/// naive UTC, no authentication.
pub struct EhrBuilder {
    pub(crate) hospital: Hospital,
    pub(crate) bearer_token: Option<String>,
    pub(crate) paging: Paging,
    pub(crate) page_size: Option<usize>,
    pub(crate) order: RecordOrder,
    pub(crate) boundary: Boundary,
    pub(crate) zone: TimeZone,
    pub(crate) record_times: RecordTimes,
    pub(crate) log_capacity: usize,
    pub(crate) visibility: Visibility,
}

impl EhrBuilder {
    pub(crate) fn new(hospital: Hospital) -> Self {
        Self {
            hospital,
            bearer_token: None,
            paging: Paging::LinkHeader,
            page_size: None,
            order: RecordOrder::OldestChangeFirst,
            boundary: Boundary::Inclusive,
            zone: TimeZone::UTC,
            record_times: RecordTimes::Milliseconds,
            log_capacity: 100_000,
            visibility: Box::new(|_change| SignedDuration::ZERO),
        }
    }

    /// Asks for `Authorization: Bearer <token>` and answers 401 otherwise.
    #[must_use]
    pub fn bearer_token(mut self, token: impl Into<String>) -> Self {
        self.bearer_token = Some(token.into());
        self
    }

    /// Cuts answers into pages of at most `page_size` records (at least 1).
    #[must_use]
    pub fn paging(mut self, paging: Paging, page_size: usize) -> Self {
        self.paging = paging;
        self.page_size = Some(page_size.max(1));
        self
    }

    /// In which order the records come.
    #[must_use]
    pub fn order(mut self, order: RecordOrder) -> Self {
        self.order = order;
        self
    }

    /// What `changedsince` means at its very instant.
    #[must_use]
    pub fn boundary(mut self, boundary: Boundary) -> Self {
        self.boundary = boundary;
        self
    }

    /// The zone in which naive times are meant.
    #[must_use]
    pub fn zone(mut self, zone: TimeZone) -> Self {
        self.zone = zone;
        self
    }

    /// How `lastModified` is written.
    #[must_use]
    pub fn record_times(mut self, times: RecordTimes) -> Self {
        self.record_times = times;
        self
    }

    /// Lets every change become visible to queries only after `lag`.
    #[must_use]
    pub fn visible_after(self, lag: Duration) -> Self {
        let lag = SignedDuration::try_from(lag).unwrap_or(SignedDuration::MAX);
        self.visibility(move |_change| lag)
    }

    /// Says for each change after which time queries see it. Until then they see the version before it, if that is visible.
    #[must_use]
    pub fn visibility(
        mut self,
        lag: impl Fn(&Change) -> SignedDuration + Send + Sync + 'static,
    ) -> Self {
        self.visibility = Box::new(lag);
        self
    }

    /// How many requests the log holds (100,000 unless told); the oldest are forgotten first.
    #[must_use]
    pub fn log_capacity(mut self, requests: usize) -> Self {
        self.log_capacity = requests;
        self
    }

    /// Starts it on a free port of `127.0.0.1`.
    pub async fn start(self) -> Result<FakeEhr, StartError> {
        FakeEhr::start_with(self).await
    }
}
