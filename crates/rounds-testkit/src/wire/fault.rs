//! The things that go wrong between two programs that speak HTTP.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use bytes::Bytes;
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};

use super::Gate;

/// One thing that goes wrong with one answer.
#[derive(Clone, Debug)]
pub enum WireFault {
    /// Another answer altogether.
    Status(StatusAnswer),
    /// Status 200 and an HTML page where JSON was due, as from a login page or a proxy.
    HtmlPage,
    /// The right headers, and no body at all.
    EmptyBody,
    /// The right headers, with the body's `Content-Length`, then nothing more on an open connection until the client leaves.
    HeadOnly,
    /// The first half of the body in an otherwise sound answer: the JSON breaks off.
    TruncatedBody,
    /// The first half of the body, then the connection ends: the transfer breaks off, below its `Content-Length`.
    CutTransfer,
    /// The body, followed by blanks up to `bytes` in all. `u64::MAX` never ends.
    Oversized {
        /// Length of the whole body in bytes.
        bytes: u64,
        /// Whether the length is said in advance.
        length: LengthHeader,
    },
    /// Nothing is sent before this time has passed.
    FirstByteAfter(Duration),
    /// Nothing is sent before the story opens the gate.
    HeldUntil(Gate),
    /// The body comes `chunk_bytes` at a time, with `every` between.
    Drip {
        /// Bytes in one chunk; at least 1 is sent.
        chunk_bytes: usize,
        /// Time before each chunk.
        every: Duration,
    },
    /// The request is read and acted on, then the connection is reset (TCP RST) without an answer.
    Reset,
    /// The `Date` header is wrong or missing.
    Date(DateFault),
}

/// Whether a body's length is said in advance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LengthHeader {
    /// `Content-Length` tells it.
    Declared,
    /// Chunked: the client learns the length at the end.
    Chunked,
}

/// What is wrong with the `Date` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateFault {
    /// It is off the fake's clock by this much (behind, if negative).
    Skewed(SignedDuration),
    /// It is not sent.
    Missing,
}

/// The two forms of `Retry-After` (RFC 9110, 10.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// So many seconds from now.
    Seconds(u64),
    /// At this instant, sent as an HTTP date.
    At(Timestamp),
}

/// An answer that a test writes itself: status, headers and body.
#[derive(Clone, Debug)]
pub struct StatusAnswer {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Bytes,
}

impl StatusAnswer {
    /// An answer of this status with an empty body.
    pub fn new(status: StatusCode) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// 302 to `location`.
    ///
    /// # Panics
    /// If `location` cannot stand in a header.
    #[must_use]
    pub fn redirect(location: &str) -> Self {
        Self::new(StatusCode::FOUND).header("location", location)
    }

    /// Adds a header.
    ///
    /// # Panics
    /// If the name or the value cannot stand in an HTTP header: a script is wrong then, and not the program under test.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::try_from(name).expect("a scripted header has a valid name");
        let value = HeaderValue::try_from(value).expect("a scripted header has a valid value");
        self.headers.push((name, value));
        self
    }

    /// Adds `Retry-After`, in either form.
    #[must_use]
    pub fn retry_after(self, when: RetryAfter) -> Self {
        match when {
            RetryAfter::Seconds(seconds) => {
                self.header(header::RETRY_AFTER.as_str(), &seconds.to_string())
            }
            RetryAfter::At(instant) => {
                self.header(header::RETRY_AFTER.as_str(), &http_date(instant))
            }
        }
    }

    /// Sets the body, and says that it is compressed with gzip. Whether it is, and how large it becomes, is the story's matter.
    #[must_use]
    pub fn gzip_body(self, body: impl Into<Bytes>) -> Self {
        self.header(header::CONTENT_ENCODING.as_str(), "gzip")
            .body(body)
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }
}

impl From<StatusAnswer> for WireFault {
    fn from(answer: StatusAnswer) -> Self {
        Self::Status(answer)
    }
}

/// An instant as HTTP writes it. Years outside 0 to 9999 have no such form; they come out as the epoch.
pub(crate) fn http_date(instant: Timestamp) -> String {
    let printer = DateTimePrinter::new();
    printer
        .timestamp_to_rfc9110_string(&instant)
        .unwrap_or_else(|_beyond| "Thu, 01 Jan 1970 00:00:00 GMT".to_owned())
}
