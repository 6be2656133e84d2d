//! A scriptable webhook receiver over real HTTP: the application to which notifications go.
//!
//! `POST /hooks/{name}` takes notifications. With a signing secret it checks Standard Webhooks signatures, with a verification token it checks
//! the header of that name; with both, both must hold. It answers Redox's endpoint challenge on the same path, by POST and by GET. Everything
//! that came to a hook is kept in order, taken or refused, with what was answered.
//!
//! A scripted [`WireFault`] decides over the answer alone. Whether the notification was *taken* follows from the status: with a status of 2xx it
//! was, even if the answer is then late, cut or reset, as in an application that stored the message and died before it could say so. A sender
//! that tries again then delivers twice under one id, which the oracle counts as redelivered and not as repeated.

mod challenge;
mod received;
mod signature;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use bytes::Bytes;
use futures_util::FutureExt;
use jiff::Timestamp;

pub use received::{Fate, Received, RefusalReason};
pub use signature::{BadSecret, SignatureError, SigningSecret};

use crate::clock::{Clock, system_clock};
use crate::journal::{Journal, WaitTimeout};
use crate::oracle::Arrival;
use crate::secret::same_secret;
use crate::wire::{Answer, FakeServer, Script, StartError, StatusAnswer, WireFault};
use challenge::{Challenge, token_header};

/// Bodies above this are answered with 413 and not kept.
const BODY_LIMIT_BYTES: usize = 64 * 1024 * 1024;

/// The choices for a [`FakeReceiver`]. By default it takes everything, by the system's clock.
pub struct ReceiverBuilder {
    secrets: Vec<SigningSecret>,
    verification_token: Option<String>,
    clock: Clock,
    capacity: usize,
}

impl ReceiverBuilder {
    /// Takes only what this secret signed; called again, or what that one signed (a rotation).
    #[must_use]
    pub fn signing_secret(mut self, secret: SigningSecret) -> Self {
        self.secrets.push(secret);
        self
    }

    /// Takes only what carries this `verification-token`.
    #[must_use]
    pub fn verification_token(mut self, token: impl Into<String>) -> Self {
        self.verification_token = Some(token.into());
        self
    }

    /// By which clock it stamps what comes and judges the age of signatures.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// How many notifications it keeps (100,000 unless told); the oldest are forgotten first.
    #[must_use]
    pub fn capacity(mut self, notifications: usize) -> Self {
        self.capacity = notifications;
        self
    }

    /// Starts it on a free port of `127.0.0.1`.
    pub async fn start(self) -> Result<FakeReceiver, StartError> {
        let desk = Arc::new(Desk {
            secrets: Mutex::new(self.secrets),
            verification_token: self.verification_token,
            clock: self.clock,
            script: Mutex::new(Script::new()),
            journal: Journal::new("notifications", self.capacity, Received::is_taken),
            challenges: Journal::new("challenges", self.capacity, |_at| true),
        });
        let shared = Arc::clone(&desk);
        let server = FakeServer::start("receiver", |_origin, stopping| {
            Arc::new(move |request, control| {
                let (desk, stopping) = (Arc::clone(&shared), stopping.clone());
                async move { desk.decide(request).await.send(&control, &stopping).await }.boxed()
            })
        })
        .await?;
        Ok(FakeReceiver { server, desk })
    }
}

/// A running receiver. Dropping it stops it; [`FakeReceiver::stop`] also waits until all connections are closed.
#[derive(Debug)]
pub struct FakeReceiver {
    server: FakeServer,
    desk: Arc<Desk>,
}

impl FakeReceiver {
    /// Starts one that takes everything.
    pub async fn start() -> Result<Self, StartError> {
        Self::builder().start().await
    }

    /// For one that is harder to please.
    pub fn builder() -> ReceiverBuilder {
        ReceiverBuilder {
            secrets: Vec::new(),
            verification_token: None,
            clock: system_clock(),
            capacity: 100_000,
        }
    }

    /// The URL of a hook: `http://127.0.0.1:PORT/hooks/{name}`. Every name exists.
    pub fn url(&self, name: &str) -> String {
        format!("{}/hooks/{name}", self.server.origin())
    }

    /// Lets `fault` befall the answer to the next notification. Several queue up.
    pub fn next(&self, fault: impl Into<WireFault>) {
        self.next_times(1, fault);
    }

    /// Lets `fault` befall the answers to the next `times` notifications.
    pub fn next_times(&self, times: usize, fault: impl Into<WireFault>) {
        self.desk
            .script(|script| script.queue(times, |_received| true, fault.into()));
    }

    /// Refuses the next `times` notifications with `status`.
    pub fn refuse_next(&self, times: usize, status: StatusCode) {
        self.next_times(times, StatusAnswer::new(status));
    }

    /// Lets `fault` befall every notification for which `condition` holds, until [`FakeReceiver::heal`].
    pub fn when(
        &self,
        condition: impl Fn(&Received) -> bool + Send + Sync + 'static,
        fault: impl Into<WireFault>,
    ) {
        self.desk
            .script(|script| script.always(condition, fault.into()));
    }

    /// Forgets all faults.
    pub fn heal(&self) {
        self.desk.script(Script::clear);
    }

    /// Takes from now on only what one of these secrets signed; with none, signatures are not checked.
    pub fn set_signing_secrets(&self, secrets: Vec<SigningSecret>) {
        *self
            .desk
            .secrets
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = secrets;
    }

    /// Every attempt that is kept, taken or refused, oldest first.
    pub fn attempts(&self) -> Vec<Arc<Received>> {
        self.desk.journal.entries()
    }

    /// Those that were taken, oldest first.
    pub fn taken(&self) -> Vec<Arc<Received>> {
        self.attempts()
            .into_iter()
            .filter(|received| received.is_taken())
            .collect()
    }

    /// What was taken, as the oracle reads it.
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.taken()
            .iter()
            .map(|received| received.arrival())
            .collect()
    }

    /// How many endpoint challenges were answered well.
    pub fn challenges_met(&self) -> u64 {
        self.desk.challenges.total()
    }

    /// Waits until `wanted` notifications were taken since the start, and gives those that are kept.
    pub async fn wait_for(
        &self,
        wanted: u64,
        timeout: Duration,
    ) -> Result<Vec<Arc<Received>>, WaitTimeout> {
        self.desk.journal.wait_for(wanted, timeout).await?;
        Ok(self.taken())
    }

    /// Waits until `wanted` attempts came since the start, taken or refused, and gives those that are kept.
    pub async fn wait_for_attempts(
        &self,
        wanted: u64,
        timeout: Duration,
    ) -> Result<Vec<Arc<Received>>, WaitTimeout> {
        self.desk.journal.wait_for_any(wanted, timeout).await?;
        Ok(self.attempts())
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

/// Where notifications are looked at, answered and filed.
struct Desk {
    secrets: Mutex<Vec<SigningSecret>>,
    verification_token: Option<String>,
    clock: Clock,
    script: Mutex<Script<Received, WireFault>>,
    journal: Journal<Received>,
    challenges: Journal<Timestamp>,
}

impl Desk {
    fn script<R>(&self, act: impl FnOnce(&mut Script<Received, WireFault>) -> R) -> R {
        act(&mut self.script.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn decide(&self, request: Request) -> Answer {
        let (parts, body) = request.into_parts();
        let refuse = |status, message| Answer::error((self.clock)(), status, message);
        let Some(hook) = parts
            .uri
            .path()
            .strip_prefix("/hooks/")
            .filter(|hook| !hook.is_empty())
        else {
            return refuse(StatusCode::NOT_FOUND, "notifications go to /hooks/{name}");
        };
        match parts.method {
            Method::GET => match Challenge::in_query(&parts.uri) {
                Some(challenge) => self.meet(&challenge, &parts.headers),
                None => refuse(StatusCode::BAD_REQUEST, "a GET must carry a challenge"),
            },
            Method::POST => match to_bytes(body, BODY_LIMIT_BYTES).await {
                Ok(body) => match Challenge::in_body(&body) {
                    Some(challenge) => self.meet(&challenge, &parts.headers),
                    None => self.receive(hook.to_owned(), parts.headers, body),
                },
                Err(_too_long_or_cut) => refuse(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "the body is too long or broke off",
                ),
            },
            _ => refuse(StatusCode::METHOD_NOT_ALLOWED, "a hook takes POST and GET")
                .header(header::ALLOW, "GET, POST"),
        }
    }

    fn meet(&self, challenge: &Challenge, headers: &HeaderMap) -> Answer {
        let now = (self.clock)();
        if self.is_token_right(challenge.token(headers)) {
            self.challenges.push(now);
            Answer::new(now, StatusCode::OK)
                .header(header::CONTENT_TYPE, "text/plain")
                .body(challenge.challenge.clone())
        } else {
            Answer::error(
                now,
                StatusCode::FORBIDDEN,
                "the verification token is wrong",
            )
        }
    }

    fn receive(&self, hook: String, headers: HeaderMap, body: Bytes) -> Answer {
        let now = (self.clock)();
        let verdict = self.verify(&headers, &body, now);
        let mut answer = match &verdict {
            Ok(()) => Answer::new(now, StatusCode::NO_CONTENT),
            Err(reason) => Answer::error(now, StatusCode::UNAUTHORIZED, &reason.to_string()),
        };
        let fate = verdict.map_or_else(Fate::Refused, |()| Fate::Taken);
        let mut received = Received {
            hook,
            at: now,
            headers,
            body,
            fate,
            answered: answer.answered(),
        };
        for fault in self.script(|script| script.take(&received)) {
            answer.spoil(&fault);
        }
        if received.is_taken() && !answer.status().is_success() {
            received.fate = Fate::Refused(RefusalReason::Scripted);
        }
        received.answered = answer.answered();
        self.journal.push(received);
        answer
    }

    fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), RefusalReason> {
        if !self.is_token_right(token_header(headers)) {
            return Err(RefusalReason::VerificationToken);
        }
        let secrets = self
            .secrets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if secrets.is_empty() {
            return Ok(());
        }
        signature::verify(&secrets, headers, body, now).map_err(RefusalReason::Signature)
    }

    fn is_token_right(&self, given: Option<&str>) -> bool {
        let wanted = self.verification_token.as_deref();
        wanted.is_none_or(|wanted| given.is_some_and(|given| same_secret(given, wanted)))
    }
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{} notifications, {} of them taken",
            self.journal.total(),
            self.journal.counted()
        )
    }
}
