//! An answer from its making to its last byte.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use jiff::Timestamp;
use serde_json::Value;

use super::fault::{DateFault, LengthHeader, WireFault, http_date};
use super::server::ConnectionControl;
use super::{Gate, Stopping};
use crate::clock::pause;

/// Blanks come in pieces of this size.
const PADDING_BYTES: usize = 64 * 1024;
static PADDING: [u8; PADDING_BYTES] = [b' '; PADDING_BYTES];

const HTML_PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><h1>Please sign in</h1></body></html>\n";

/// What a client was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// An answer with this status (which a slow or cut body may keep it from reading whole).
    Status(StatusCode),
    /// Nothing: the connection was reset.
    Reset,
}

/// An answer that was not sent yet, and how it will be.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    now: Timestamp,
    first_byte: FirstByte,
    transfer: Transfer,
    connection: Connection,
}

#[derive(Debug)]
enum FirstByte {
    AtOnce,
    After(Duration),
    Held(Gate),
}

#[derive(Debug)]
enum Transfer {
    Whole,
    Cut,
    HeadOnly,
    Drip { chunk_bytes: usize, every: Duration },
    Oversized { bytes: u64, length: LengthHeader },
}

#[derive(Debug)]
enum Connection {
    Kept,
    Reset,
}

impl Answer {
    /// An answer without a body, dated `now`.
    pub(crate) fn new(now: Timestamp, status: StatusCode) -> Self {
        let mut headers = HeaderMap::new();
        set_date(&mut headers, now);
        Self {
            status,
            headers,
            body: Bytes::new(),
            now,
            first_byte: FirstByte::AtOnce,
            transfer: Transfer::Whole,
            connection: Connection::Kept,
        }
    }

    pub(crate) fn json(now: Timestamp, status: StatusCode, body: &Value) -> Self {
        Self::new(now, status)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.to_string())
    }

    /// A refusal in the shape `{"error": "..."}`.
    pub(crate) fn error(now: Timestamp, status: StatusCode, message: &str) -> Self {
        Self::json(now, status, &serde_json::json!({ "error": message }))
    }

    /// Sets a header. A value that cannot stand in a header is left out.
    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::try_from(value) {
            self.headers.insert(name, value);
        }
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn answered(&self) -> Answered {
        match self.connection {
            Connection::Kept => Answered::Status(self.status),
            Connection::Reset => Answered::Reset,
        }
    }

    /// Lets `fault` happen to this answer.
    pub(crate) fn spoil(&mut self, fault: &WireFault) {
        match fault {
            WireFault::Status(answer) => {
                self.status = answer.status;
                self.headers.remove(header::CONTENT_TYPE);
                self.headers.remove(header::LINK);
                for (name, value) in &answer.headers {
                    self.headers.insert(name, value.clone());
                }
                self.body = answer.body.clone();
            }
            WireFault::HtmlPage => {
                self.headers.insert(
                    header::CONTENT_TYPE,
                    HeaderValue::from_static("text/html; charset=utf-8"),
                );
                self.body = Bytes::from_static(HTML_PAGE.as_bytes());
            }
            WireFault::EmptyBody => self.body = Bytes::new(),
            WireFault::TruncatedBody => self.body.truncate(self.body.len() / 2),
            WireFault::HeadOnly => self.transfer = Transfer::HeadOnly,
            WireFault::CutTransfer => self.transfer = Transfer::Cut,
            WireFault::Oversized { bytes, length } => {
                self.transfer = Transfer::Oversized {
                    bytes: *bytes,
                    length: *length,
                }
            }
            WireFault::FirstByteAfter(delay) => self.first_byte = FirstByte::After(*delay),
            WireFault::HeldUntil(gate) => self.first_byte = FirstByte::Held(gate.clone()),
            WireFault::Drip { chunk_bytes, every } => {
                self.transfer = Transfer::Drip {
                    chunk_bytes: *chunk_bytes,
                    every: *every,
                }
            }
            WireFault::Reset => self.connection = Connection::Reset,
            WireFault::Date(DateFault::Missing) => {
                self.headers.remove(header::DATE);
            }
            WireFault::Date(DateFault::Skewed(by)) => set_date(
                &mut self.headers,
                self.now.saturating_add(*by).unwrap_or(self.now),
            ),
        }
    }

    /// Waits as long as the script says, then gives the answer to hyper. A server that stops ends all waits.
    pub(crate) async fn send(self, control: &ConnectionControl, stopping: &Stopping) -> Response {
        let wait = async {
            match &self.first_byte {
                FirstByte::AtOnce => {}
                FirstByte::After(delay) => pause(*delay).await,
                FirstByte::Held(gate) => gate.opened().await,
            }
        };
        tokio::select! {
            biased;
            () = wait => {}
            () = stopping.clone().wait() => {}
        }
        if matches!(self.connection, Connection::Reset) {
            control.reset();
        }
        let declared = match self.transfer {
            Transfer::Whole => None, // hyper knows it.
            // At least one byte is promised, so that a body is waited for.
            Transfer::HeadOnly => Some(self.body.len().max(1) as u64),
            Transfer::Cut | Transfer::Drip { .. } => Some(self.body.len() as u64),
            Transfer::Oversized { bytes, length } => {
                (length == LengthHeader::Declared).then(|| bytes.max(self.body.len() as u64))
            }
        };
        let body = match self.transfer {
            Transfer::Whole => Body::from(self.body),
            Transfer::Cut => Body::from_stream(cut(self.body)),
            Transfer::HeadOnly => Body::from_stream(nothing_until(stopping.clone())),
            Transfer::Drip { chunk_bytes, every } => Body::from_stream(
                drip(self.body, chunk_bytes.max(1), every).take_until(stopping.clone().wait()),
            ),
            Transfer::Oversized { bytes, .. } => {
                Body::from_stream(padded(self.body, bytes).take_until(stopping.clone().wait()))
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        if let Some(length) = declared {
            response
                .headers_mut()
                .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        response
    }
}

fn set_date(headers: &mut HeaderMap, instant: Timestamp) {
    if let Ok(date) = HeaderValue::try_from(http_date(instant)) {
        headers.insert(header::DATE, date);
    }
}

/// Half of the body, then an error, at which hyper closes the connection.
fn cut(mut body: Bytes) -> impl Stream<Item = io::Result<Bytes>> {
    body.truncate(body.len() / 2);
    // The error comes on a later poll, so that the first half leaves before it.
    stream::once(async move { Ok(body) }).chain(stream::once(async {
        tokio::task::yield_now().await;
        Err(io::ErrorKind::ConnectionAborted.into())
    }))
}

/// No byte, and no end either while the server runs. Then an error, because the promised bytes did not come.
fn nothing_until(stopping: Stopping) -> impl Stream<Item = io::Result<Bytes>> {
    stream::once(async move {
        stopping.wait().await;
        Err(io::ErrorKind::ConnectionAborted.into())
    })
}

fn drip(body: Bytes, chunk_bytes: usize, every: Duration) -> impl Stream<Item = io::Result<Bytes>> {
    stream::unfold(body, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        pause(every).await;
        let chunk = rest.split_to(chunk_bytes.min(rest.len()));
        Some((Ok(chunk), rest))
    })
}

fn padded(body: Bytes, bytes: u64) -> impl Stream<Item = io::Result<Bytes>> {
    let padding = bytes.saturating_sub(body.len() as u64);
    let blanks = stream::unfold(padding, |left| async move {
        let size = usize::try_from(left)
            .unwrap_or(PADDING_BYTES)
            .min(PADDING_BYTES);
        (size > 0).then(|| (Ok(Bytes::from_static(&PADDING[..size])), left - size as u64))
    });
    stream::once(async move { Ok(body) }).chain(blanks)
}
