//! Where EHRs push what they can push by themselves.
//!
//! One server for each address that the plan names, plain HTTP/1.1: what is reached from outside stands behind a proxy that has the
//! certificates. A push is `POST /CONNECTION/ACTION`; it is judged in the order in which it costs: path, proof where a header
//! alone gives it, length, body, proof over the body, and only then is it taken. It is answered after the commit:
//!
//! | answer | meaning for the sender |
//! |---|---|
//! | 200 | it is on the disk, or was known |
//! | 400, 413, 415 | it will not be taken if it comes again |
//! | 401 | who sends it is not proven |
//! | 404, 405 | nobody takes it here |
//! | 503 with `Retry-After` | it should come again |
//!
//! What to mind: strangers reach this. Heads, bodies, time and the number of pushes under way are bounded, secrets are compared in
//! constant time, no answer says more than its status and a code, and refusals are logged at most once in ten seconds.

mod proof;

use crate::codes;
use crate::secrets::Secrets;
use bytes::{Bytes, BytesMut};
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use proof::Proven;
use rounds_domain::plan::{Inbound, Plan};
use rounds_domain::ports::{Clock, NotTaken, Reception};
use rounds_domain::{ActionName, Code, ConnectionName};
use serde_json::json;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// A head that takes longer is none.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// A body that takes longer is none.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections at once; further ones wait in the system's queue.
const MOST_CONNECTIONS: usize = 256;
/// Pushes whose body is read or taken at once; further ones are asked to come again.
const MOST_PUSHES: usize = 32;
/// What a sender is asked to wait.
const COME_AGAIN_SECONDS: HeaderValue = HeaderValue::from_static("5");
/// Refusals are logged no more often than this.
const SILENCE: Duration = Duration::from_secs(10);
/// After an `accept` that failed (no more files), so long is waited.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("listening on {address} for pushes: {source}")]
pub struct ListenError {
    /// Which.
    pub address: SocketAddr,
    /// Why.
    pub source: std::io::Error,
}

/// The servers that take pushes. Dropped, they are gone.
#[derive(Debug)]
pub struct InboundServers {
    tasks: JoinSet<()>,
    addresses: Vec<SocketAddr>,
}

impl InboundServers {
    /// Listens on every address that the plan names, and gives what comes to `reception`.
    ///
    /// # Errors
    /// When an address cannot be listened on: another program has it, or this user may not.
    pub async fn start(
        plan: &Plan,
        secrets: &Arc<Secrets>,
        clock: &Arc<dyn Clock>,
        reception: &Arc<dyn Reception>,
    ) -> Result<Self, ListenError> {
        let mut by_address: BTreeMap<SocketAddr, Vec<Door>> = BTreeMap::new();
        for (name, connection) in &plan.connections {
            let Some(inbound) = &connection.receive else {
                continue;
            };
            let door = Door {
                connection: name.clone(),
                inbound: inbound.clone(),
            };
            by_address.entry(inbound.listen).or_default().push(door);
        }
        let mut servers = Self {
            tasks: JoinSet::new(),
            addresses: Vec::new(),
        };
        for (address, doors) in by_address {
            let failed = |source| ListenError { address, source };
            let listener = TcpListener::bind(address).await.map_err(failed)?;
            servers
                .addresses
                .push(listener.local_addr().map_err(failed)?);
            let house = Arc::new(House {
                doors,
                secrets: Arc::clone(secrets),
                clock: Arc::clone(clock),
                reception: Arc::clone(reception),
                room: Semaphore::new(MOST_PUSHES),
                refusals: Refusals::default(),
            });
            servers.tasks.spawn(serve(listener, house));
        }
        Ok(servers)
    }

    /// Where they listen; a port 0 of the plan is the one that the system gave.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

/// What one connection of the plan takes.
struct Door {
    connection: ConnectionName,
    inbound: Inbound,
}

/// Everything behind one address.
struct House {
    doors: Vec<Door>,
    secrets: Arc<Secrets>,
    clock: Arc<dyn Clock>,
    reception: Arc<dyn Reception>,
    room: Semaphore,
    refusals: Refusals,
}

async fn serve(listener: TcpListener, house: Arc<House>) {
    let slots = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    // Dropping the set with this task ends all connections.
    let mut connections = JoinSet::new();
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        while connections.try_join_next().is_some() {}
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a push could not be accepted");
                house.clock.sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let house = Arc::clone(&house);
        connections.spawn(async move {
            let answer = service_fn(|request| {
                let house = Arc::clone(&house);
                async move { Ok::<_, Infallible>(house.answer(request).await) }
            });
            // A sender that hangs up early is its own trouble.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .serve_connection(TokioIo::new(stream), answer)
                .await;
            drop(slot);
        });
    }
}

/// Why a push is not taken.
struct Refusal {
    status: StatusCode,
    code: Code,
    /// For the log; nothing of the push.
    reason: String,
}

impl Refusal {
    fn new(status: StatusCode, code: Code, reason: impl Into<String>) -> Self {
        Self {
            status,
            code,
            reason: reason.into(),
        }
    }
}

impl House {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        match self.take(request).await {
            Ok(body) => json_answer(StatusCode::OK, body),
            Err(refusal) => {
                let Refusal {
                    status,
                    code,
                    reason,
                } = refusal;
                if let Some(others) = self.refusals.may_be_said(self.clock.monotonic()) {
                    tracing::warn!(%code, status = status.as_u16(), others, "a push was not taken: {reason}");
                }
                let body = json!({ "error": { "code": code.as_str() } }).to_string();
                let mut response = json_answer(status, body);
                let headers = response.headers_mut();
                match status {
                    StatusCode::SERVICE_UNAVAILABLE => {
                        headers.insert(RETRY_AFTER, COME_AGAIN_SECONDS);
                    }
                    StatusCode::METHOD_NOT_ALLOWED => {
                        headers.insert(ALLOW, HeaderValue::from_static("POST"));
                    }
                    _ => {}
                }
                response
            }
        }
    }

    async fn take(&self, request: Request<Incoming>) -> Result<String, Refusal> {
        let (door, action) = self.find(request.uri().path()).ok_or_else(|| {
            Refusal::new(
                StatusCode::NOT_FOUND,
                codes::PUSH_TO_NOBODY,
                "nobody takes pushes at its path",
            )
        })?;
        if request.method() != Method::POST {
            return Err(Refusal::new(
                StatusCode::METHOD_NOT_ALLOWED,
                codes::PUSH_TO_NOBODY,
                "its method is not POST",
            ));
        }
        let not_proven = |reason: String| {
            let words = format!("connection {}: {reason}", door.connection);
            Refusal::new(StatusCode::UNAUTHORIZED, codes::PUSH_NOT_PROVEN, words)
        };
        let secrets = &self.secrets;
        let proven = proof::by_head(&door.inbound.proof, request.headers(), secrets)
            .await
            .map_err(|trouble| trouble.into_refusal(not_proven))?;
        let _room = self.room.try_acquire().map_err(|_| {
            Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                codes::PUSH_NOT_KEPT,
                "too many pushes at once",
            )
        })?;
        let (head, body) = request.into_parts();
        let body = read(body, door.inbound.body_limit_bytes).await?;
        if proven == Proven::NotYet {
            proof::by_body(
                &door.inbound.proof,
                &head.headers,
                &body,
                self.clock.now(),
                secrets,
            )
            .await
            .map_err(|trouble| trouble.into_refusal(not_proven))?;
        }
        let taken = self.reception.receive(&door.connection, &action, body);
        match taken.await {
            Ok(receipt) => {
                tracing::debug!(
                    connection.name = %door.connection, %action, told = receipt.told, known = receipt.known,
                    "a push was taken"
                );
                Ok(json!({ "told": receipt.told, "known": receipt.known }).to_string())
            }
            Err(NotTaken::Unknown) => Err(Refusal::new(
                StatusCode::NOT_FOUND,
                codes::PUSH_TO_NOBODY,
                format!("connection {} has no action that takes it", door.connection),
            )),
            Err(NotTaken::Unreadable { code, reason }) => Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                code,
                format!("action {action}: {reason}"),
            )),
            Err(NotTaken::Unavailable { code, reason }) => Err(Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                code,
                format!("action {action}: {reason}"),
            )),
        }
    }

    /// `/CONNECTION/ACTION`.
    fn find(&self, path: &str) -> Option<(&Door, ActionName)> {
        let (connection, action) = path.strip_prefix('/')?.split_once('/')?;
        let door = (self.doors.iter()).find(|door| door.connection.as_str() == connection)?;
        Some((door, ActionName::new(action)))
    }
}

async fn read(mut body: Incoming, limit_bytes: u64) -> Result<Bytes, Refusal> {
    let unread = |status, reason: &str| Refusal::new(status, codes::PUSH_UNREAD, reason);
    let limit = usize::try_from(limit_bytes).unwrap_or(usize::MAX);
    let whole = async {
        let mut read = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| unread(StatusCode::BAD_REQUEST, "its body broke off"))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if read.len().saturating_add(data.len()) > limit {
                let words = format!("its body is longer than {limit} bytes");
                return Err(unread(StatusCode::PAYLOAD_TOO_LARGE, &words));
            }
            read.extend_from_slice(&data);
        }
        Ok(read.freeze())
    };
    tokio::time::timeout(BODY_TIMEOUT, whole)
        .await
        .unwrap_or_else(|_| {
            Err(unread(
                StatusCode::REQUEST_TIMEOUT,
                "its body took too long",
            ))
        })
}

fn json_answer(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// Keeps strangers from filling the log.
#[derive(Default)]
struct Refusals {
    last_said_at: Mutex<Option<Duration>>,
    unsaid: AtomicU64,
}

impl Refusals {
    /// Whether this one may be logged, and how many were not since the last.
    fn may_be_said(&self, now: Duration) -> Option<u64> {
        let mut last = self
            .last_said_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| now.saturating_sub(last) < SILENCE) {
            self.unsaid.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        *last = Some(now);
        Some(self.unsaid.swap(0, Ordering::Relaxed))
    }
}
