//! A scriptable EHR over real HTTP, in the API shape of Redox's page on polling.
//!
//! | request | answer |
//! |---|---|
//! | `GET /appointments?changedsince=2022-05-10T10:00:00` | the appointments changed since (inclusive, naive UTC), each as it is now |
//! | `GET /appointments/{id}` | one appointment |
//! | `GET /patient/{patientID}` | one patient |
//! | `GET /changes?since=N&limit=M` | `{"Changes": [{"Sequence", "Kind", "Appointment"}], "Last": N, "Done": true}`, every version after number N |
//!
//! [`EhrBuilder`] chooses what kind of API it is: paging, order, boundary, zone, authentication. [`Fault`]s say what goes wrong with single
//! requests while it runs. Every request is in the [log](FakeEhr::requests), with the status that it was given.
//!
//! Pages are cut from the result as it is when each page is asked for, as most real servers do; so a change between two pages shifts the rest,
//! and a poller that does not mind loses records.

mod fault;
mod feed;
mod query;
mod setup;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use futures_util::FutureExt;
use jiff::Timestamp;

pub use fault::{Fault, Scope};
pub use setup::{Boundary, EhrBuilder, Paging, RecordOrder, RecordTimes};

use crate::hospital::Hospital;
use crate::journal::{Journal, WaitTimeout};
use crate::secret::same_secret;
use crate::wire::{Answer, Answered, FakeServer, Script, StartError};
use fault::Conduct;
use feed::Feed;

/// A request as the EHR saw it.
#[derive(Clone, Debug)]
pub struct LoggedRequest {
    /// When it came, by the hospital's clock.
    pub at: Timestamp,
    /// Method.
    pub method: Method,
    /// Path, without the query.
    pub path: String,
    /// Query as it was written, without the question mark; empty if there was none.
    pub query: String,
    /// Headers.
    pub headers: HeaderMap,
    /// What was answered, or is about to be.
    pub answered: Answered,
}

/// A running EHR. Dropping it stops it; [`FakeEhr::stop`] also waits until all connections are closed.
#[derive(Debug)]
pub struct FakeEhr {
    server: FakeServer,
    front: Arc<Front>,
}

impl FakeEhr {
    /// Starts the API of Redox's page over `hospital`, without authentication or pages.
    pub async fn start(hospital: Hospital) -> Result<Self, StartError> {
        Self::builder(hospital).start().await
    }

    /// For an API of another kind.
    pub fn builder(hospital: Hospital) -> EhrBuilder {
        EhrBuilder::new(hospital)
    }

    pub(crate) async fn start_with(setup: EhrBuilder) -> Result<Self, StartError> {
        let mut shared = None;
        let server = FakeServer::start("EHR", |origin, stopping| {
            let front = Arc::new(Front::new(setup, origin));
            shared = Some(Arc::clone(&front));
            Arc::new(move |request, control| {
                let (front, stopping) = (Arc::clone(&front), stopping.clone());
                async move { front.decide(&request).send(&control, &stopping).await }.boxed()
            })
        })
        .await?;
        Ok(Self {
            server,
            front: shared.expect("the handler was made when the server started"),
        })
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn base_url(&self) -> String {
        self.server.origin()
    }

    /// The hospital behind it.
    pub fn hospital(&self) -> &Hospital {
        self.front.feed.hospital()
    }

    /// Lets `fault` befall the next request in `scope`. Several queue up; a request takes one at most.
    pub fn next(&self, scope: Scope, fault: impl Into<Fault>) {
        self.next_times(1, scope, fault);
    }

    /// Lets `fault` befall each of the next `times` requests in `scope`.
    pub fn next_times(&self, times: usize, scope: Scope, fault: impl Into<Fault>) {
        self.front
            .script(|script| script.queue(times, move |path| scope.covers(path), fault.into()));
    }

    /// Lets `fault` befall every request in `scope`, until [`FakeEhr::heal`]. Standing faults act before a queued one.
    pub fn always(&self, scope: Scope, fault: impl Into<Fault>) {
        self.front
            .script(|script| script.always(move |path| scope.covers(path), fault.into()));
    }

    /// Forgets all faults, queued and standing.
    pub fn heal(&self) {
        self.front.script(Script::clear);
    }

    /// Asks for this token from now on, or for none.
    pub fn set_bearer_token(&self, token: Option<String>) {
        *self
            .front
            .bearer_token
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = token;
    }

    /// The requests that the log holds, oldest first.
    pub fn requests(&self) -> Vec<Arc<LoggedRequest>> {
        self.front.log.entries()
    }

    /// How many of the held requests are in `scope`.
    pub fn count(&self, scope: &Scope) -> usize {
        self.requests()
            .iter()
            .filter(|request| scope.covers(&request.path))
            .count()
    }

    /// How many requests came since the start, held or forgotten.
    pub fn total_requests(&self) -> u64 {
        self.front.log.total()
    }

    /// Waits until `wanted` requests have come since the start. A request counts as soon as its answer is decided, even if that is held back.
    pub async fn wait_for_requests(
        &self,
        wanted: u64,
        timeout: Duration,
    ) -> Result<(), WaitTimeout> {
        self.front.log.wait_for_any(wanted, timeout).await
    }

    /// How many bytes were taken from it since the start, by clients or by the system's socket buffers, heads included. What an endless answer
    /// could push is seen here.
    pub fn bytes_sent(&self) -> u64 {
        self.server.bytes_sent()
    }

    /// Stops it, and returns when all connections are closed.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

/// What is between the wire and the feed: authentication, script and log.
struct Front {
    feed: Feed,
    bearer_token: Mutex<Option<String>>,
    script: Mutex<Script<str, Fault>>,
    log: Journal<LoggedRequest>,
}

impl Front {
    fn new(mut setup: EhrBuilder, origin: String) -> Self {
        Self {
            bearer_token: Mutex::new(setup.bearer_token.take()),
            script: Mutex::new(Script::new()),
            log: Journal::new("requests", setup.log_capacity, |_request| true),
            feed: Feed::new(setup, origin),
        }
    }

    fn script<R>(&self, act: impl FnOnce(&mut Script<str, Fault>) -> R) -> R {
        act(&mut self.script.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn decide(&self, request: &Request) -> Answer {
        let (uri, now) = (request.uri(), self.feed.hospital().now());
        let faults = self.script(|script| script.take(uri.path()));
        let mut answer = if request.method() != Method::GET {
            Answer::error(
                now,
                StatusCode::METHOD_NOT_ALLOWED,
                "only GET is served here",
            )
            .header(header::ALLOW, "GET")
        } else if self.is_allowed(request.headers()) {
            self.feed.answer(uri, &Conduct::under(&faults))
        } else {
            Answer::error(
                now,
                StatusCode::UNAUTHORIZED,
                "a valid bearer token is needed",
            )
            .header(header::WWW_AUTHENTICATE, "Bearer")
        };
        for fault in &faults {
            if let Fault::Wire(fault) = fault {
                answer.spoil(fault);
            }
        }
        self.log.push(LoggedRequest {
            at: now,
            method: request.method().clone(),
            path: uri.path().to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
            headers: request.headers().clone(),
            answered: answer.answered(),
        });
        answer
    }

    fn is_allowed(&self, headers: &HeaderMap) -> bool {
        let wanted = self
            .bearer_token
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        wanted.is_none_or(|wanted| {
            let given = headers
                .get(header::AUTHORIZATION)
                .and_then(|value| value.to_str().ok());
            given
                .and_then(|value| value.strip_prefix("Bearer "))
                .is_some_and(|given| same_secret(given, &wanted))
        })
    }
}

impl std::fmt::Debug for Front {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{:?}, {} requests",
            self.feed.hospital(),
            self.log.total()
        )
    }
}
