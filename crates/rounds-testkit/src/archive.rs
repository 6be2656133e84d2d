//! An EHR with as many records as one likes, made when they are asked for.
//!
//! `GET /records?since=T` gives the records that changed at `T` or later, in ascending order, a page at a time, with a link
//! to the next page in the body. Record `n` changed `n` milliseconds after the archive's first moment, so that a page costs the same
//! wherever it lies and nothing is kept in memory: what is measured beside it is the other side.

use crate::wire::{FakeServer, StartError};
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// A running archive. Dropped, it stops.
#[derive(Debug)]
pub struct Archive {
    server: FakeServer,
    asked_since: Arc<Mutex<Vec<Timestamp>>>,
}

/// What an archive holds.
#[derive(Debug, Clone, Copy)]
struct Holding {
    first_moment: Timestamp,
    records: u64,
    page: u64,
}

impl Archive {
    /// Starts an archive of so many records, `page` on each page, the first of which changed at `first_moment`.
    ///
    /// # Errors
    ///
    /// Where it cannot listen on loopback.
    pub async fn start(
        first_moment: Timestamp,
        records: u64,
        page: u64,
    ) -> Result<Self, StartError> {
        let holding = Holding {
            first_moment,
            records,
            page,
        };
        let asked_since: Arc<Mutex<Vec<Timestamp>>> = Arc::default();
        let asked = Arc::clone(&asked_since);
        let server = FakeServer::start("archive", |_origin, _stopping| {
            Arc::new(move |request, _control| {
                let query = request.uri().query().unwrap_or_default().to_owned();
                let answer = holding.answer(&query, &asked);
                Box::pin(async move { answer })
            })
        })
        .await?;
        Ok(Self {
            server,
            asked_since,
        })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn base_url(&self) -> String {
        self.server.origin()
    }

    /// The `since` of each first page that was asked for, in their order.
    pub fn asked_since(&self) -> Vec<Timestamp> {
        self.asked_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Stops it and waits for its end.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

impl Holding {
    fn answer(self, query: &str, asked: &Mutex<Vec<Timestamp>>) -> Response {
        let value = |name: &str| {
            query
                .split('&')
                .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
                .map(|value| value.replace("%3A", ":"))
        };
        let from = value("from").and_then(|from| from.parse::<u64>().ok());
        let since = value("since").and_then(|since| since.parse::<Timestamp>().ok());
        let from = match (from, since) {
            (Some(from), _) => from,
            (None, Some(since)) => {
                asked
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(since);
                self.first_at_or_after(since)
            }
            (None, None) => return answered(StatusCode::BAD_REQUEST, String::new()),
        };
        answered(StatusCode::OK, self.page_from(from))
    }

    fn first_at_or_after(self, since: Timestamp) -> u64 {
        let nanoseconds = since.duration_since(self.first_moment).as_nanos();
        let index = nanoseconds.max(0).unsigned_abs().div_ceil(1_000_000);
        u64::try_from(index).unwrap_or(u64::MAX)
    }

    fn page_from(self, from: u64) -> String {
        let to = from.saturating_add(self.page).min(self.records);
        let mut body = String::from(r#"{"items":["#);
        for number in from..to {
            let after = SignedDuration::from_millis(i64::try_from(number).unwrap_or(i64::MAX));
            let changed = self
                .first_moment
                .checked_add(after)
                .unwrap_or(Timestamp::MAX);
            let comma = if number == from { "" } else { "," };
            // Writing to a String does not fail.
            let _written = write!(
                body,
                r#"{comma}{{"id":{number},"changed":"{changed:.3}","note":"record {number} of an archive"}}"#
            );
        }
        let next = if to < self.records {
            format!(r#""/records?from={to}""#)
        } else {
            "null".to_owned()
        };
        let _written = write!(body, r#"],"next":{next}}}"#);
        body
    }
}

fn answered(status: StatusCode, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
}
