//! Sending notifications to webhook endpoints.
//!
//! One attempt is one POST. How it ends is told in one of a few words ([`AttemptOutcome`]); when it is tried again is
//! for the engine to decide. The status decides as soon as it is there: the rest of the answer is read only so that the
//! connection can serve the next attempt, within 64 KiB and the attempt's time, and thrown away.
//!
//! What to mind: "unreachable" says that no status came. The receiver may have taken the notification all the same, so
//! it is sent again with the same `webhook-id`, and receivers drop what they know (Standard Webhooks 1.0.0).

mod challenge;
mod envelope;
mod signature;
mod tls;
mod token;

pub use envelope::check_signing_secret;
pub(crate) use envelope::is_signed;
pub use signature::{NoRandomness, generate_webhook_key, generate_webhook_secret};

use crate::authentication::Token;
use crate::codes;
use crate::dial::{ClientBuildError, Clients, Compression, Connections, DialRules, check_url};
use crate::headers::{USER_IN_URL, names_a_user};
use crate::secrets::Secrets;
use crate::trouble::Trouble;
use async_trait::async_trait;
use envelope::{Envelope, EnvelopeError};
use futures_util::future::join_all;
use http::header::LOCATION;
use http::{HeaderMap, Method, StatusCode};
use rounds_domain::address::{AddressPolicy, AddressRefusal};
use rounds_domain::plan::{Destination, HeaderSource, SecretReference};
use rounds_domain::ports::{ChallengeFailure, Clock, Destinations, Message};
use rounds_domain::{AttemptOutcome, Code, DestinationName, retry_after};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tls::Dialler;
use token::Tokens;
use tokio::time::timeout;
use url::Url;

/// How much of an answer's body is read at most.
const ANSWER_LIMIT_BYTES: usize = 64 * 1024;

/// The way to all destinations.
pub struct WebhookClient {
    endpoints: HashMap<DestinationName, Endpoint>,
    secrets: Arc<Secrets>,
    clock: Arc<dyn Clock>,
}

/// Whether a destination may be dialled, as its name is resolved here and now: the rule of every attempt, before there is one. A name that is
/// not known here passes.
///
/// # Errors
/// When an address of it may not be dialled.
pub async fn check_destination(destination: &Destination) -> Result<(), AddressRefusal> {
    check_url(&policy_of(destination), &destination.url).await
}

fn policy_of(destination: &Destination) -> AddressPolicy {
    AddressPolicy::PublicOnly {
        except: destination.allow_addresses.clone(),
    }
}

/// What belongs to one destination.
struct Endpoint {
    destination: Arc<Destination>,
    policy: AddressPolicy,
    dialler: Dialler,
    /// For a request that found its connection closed.
    fresh: Dialler,
    /// Whether a connection may be kept from an answer: then the next request may find it closed.
    keeps_connection: AtomicBool,
    tokens: Option<Tokens>,
    secrets: Arc<Secrets>,
}

/// What an endpoint answered.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    /// Its beginning, as far as it was read.
    body: Vec<u8>,
}

/// Why a request has no answer.
enum Unsent {
    /// Its connection ended before an answer began.
    Broken(Failure),
    /// Something else.
    Otherwise(Failure),
}

/// Why no status came.
enum Failure {
    /// It was not sent.
    Unsent { code: Code, reason: String },
    /// It was sent, or the way there failed.
    Unanswered { code: Code, reason: String },
}

impl fmt::Debug for WebhookClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookClient")
            .field("destinations", &self.endpoints.keys())
            .finish_non_exhaustive()
    }
}

impl WebhookClient {
    /// Makes the clients of these destinations. Nothing is dialled yet.
    pub fn new(
        destinations: impl IntoIterator<Item = Arc<Destination>>,
        secrets: Arc<Secrets>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ClientBuildError> {
        let mut clients = Clients::default();
        let mut endpoints = HashMap::new();
        for destination in destinations {
            let failed = |message: String| ClientBuildError {
                code: codes::DESTINATION_REQUEST,
                message: format!("destination {}: {message}", destination.name),
            };
            if names_a_user(&destination.url) {
                return Err(failed(USER_IN_URL.to_owned()));
            }
            let mut names = destination.headers.iter().map(|(name, _)| name);
            if let Some(name) = names.find(|name| envelope::is_ours(name)) {
                return Err(failed(format!("the header {name} cannot be set")));
            }
            let policy = policy_of(&destination);
            let rules = DialRules {
                policy: policy.clone(),
                connect_timeout: destination.timeouts.connect,
                compression: Compression::None,
                connections: Connections::Kept,
            };
            let no_client = |error| failed(format!("no HTTP client: {error}"));
            // Tokens are asked for without the certificate of the destination's own client.
            let shared = clients.with(rules.clone()).map_err(no_client)?;
            let tokens = Tokens::of(
                &destination,
                policy.clone(),
                shared.clone(),
                Arc::clone(&secrets),
                Arc::clone(&clock),
            );
            let fresh_rules = DialRules {
                connections: Connections::Fresh,
                ..rules.clone()
            };
            let fresh = clients.with(fresh_rules.clone()).map_err(no_client)?;
            let fresh = Dialler::of(&destination, fresh_rules, fresh);
            let dialler = Dialler::of(&destination, rules, shared);
            endpoints.insert(
                destination.name.clone(),
                Endpoint {
                    destination,
                    policy,
                    dialler,
                    fresh,
                    keeps_connection: AtomicBool::new(false),
                    tokens,
                    secrets: Arc::clone(&secrets),
                },
            );
        }
        Ok(Self {
            endpoints,
            secrets,
            clock,
        })
    }
}

#[async_trait]
impl Destinations for WebhookClient {
    async fn deliver(&self, name: &DestinationName, message: Message) -> AttemptOutcome {
        let Some(endpoint) = self.endpoints.get(name) else {
            return Failure::unknown(name).into_outcome();
        };
        let destination = &endpoint.destination;
        let envelope = match Envelope::of_message(destination, &message, &self.secrets).await {
            Ok(envelope) => envelope,
            Err(error) => return Failure::from(error).into_outcome(),
        };
        let url = destination.url.clone();
        match endpoint.exchange(Method::POST, url, envelope).await {
            Ok(answer) => {
                self.forget_if_refused(destination, answer.status).await;
                self.judged(destination, &answer)
            }
            Err(failure) => failure.into_outcome(),
        }
    }

    async fn challenge(
        &self,
        name: &DestinationName,
        challenge: String,
    ) -> Result<(), ChallengeFailure> {
        let endpoint = self
            .endpoints
            .get(name)
            .ok_or_else(|| Failure::unknown(name).into_challenge_failure())?;
        self.ask(endpoint, &challenge).await
    }
}

impl WebhookClient {
    /// What the head of an answer says.
    fn judged(&self, destination: &Destination, answer: &Answer) -> AttemptOutcome {
        match answer.status {
            status if status.is_success() => AttemptOutcome::Delivered {
                status: status.as_u16(),
            },
            StatusCode::GONE => AttemptOutcome::Gone,
            status => AttemptOutcome::Refused {
                status: status.as_u16(),
                retry_after: retry_after(&answer.headers, self.clock.now()),
                reason: answer.refusal_in_words(&destination.url),
            },
        }
    }

    /// A secret that was refused is read anew for the next attempt.
    async fn forget_if_refused(&self, destination: &Destination, status: StatusCode) {
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            join_all(secret_references(destination).map(|secret| self.secrets.forget(secret)))
                .await;
        }
    }
}

impl Endpoint {
    /// Sends one request, with an access token where the endpoint wants one. A token that is refused is had anew, once.
    async fn exchange(
        &self,
        method: Method,
        url: Url,
        envelope: Envelope,
    ) -> Result<Answer, Failure> {
        let Some(tokens) = &self.tokens else {
            return self.exchange_once(method, url, envelope).await;
        };
        let with = |token: &Token| {
            let (mut url, mut envelope) = (url.clone(), envelope.clone());
            token.proof().write(&mut envelope.headers, &mut url);
            self.exchange_once(method.clone(), url, envelope)
        };
        let token = tokens.token().await?;
        let answer = with(&token).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            token.accepted();
            return Ok(answer);
        }
        let Some(token) = tokens.after_refusal(&token).await? else {
            return Ok(answer);
        };
        let answer = with(&token).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            tokens.refused_again(&token).await;
        } else {
            token.accepted();
        }
        Ok(answer)
    }

    /// Sends one request and gives the answer with as much of its body as came in time. An answer whose head came is
    /// an answer, whatever its body does: it may break, drip too slowly or get too long. What is not read then is dropped
    /// together with its connection.
    async fn exchange_once(
        &self,
        method: Method,
        url: Url,
        envelope: Envelope,
    ) -> Result<Answer, Failure> {
        let timeouts = self.destination.timeouts;
        let mut answer = None;
        let whole = async {
            let mut response = self.send(method, url, envelope).await?;
            let answer = answer.insert(Answer {
                status: response.status(),
                headers: std::mem::take(response.headers_mut()),
                body: Vec::new(),
            });
            while answer.body.len() < ANSWER_LIMIT_BYTES {
                let Ok(Ok(Some(chunk))) = timeout(timeouts.read, response.chunk()).await else {
                    break;
                };
                answer.body.extend_from_slice(&chunk);
            }
            Ok(())
        };
        let end = timeout(timeouts.total, whole).await;
        match (answer, end) {
            (Some(answer), _) => Ok(answer),
            (None, Ok(Err(failure))) => Err(failure),
            (None, _) => {
                let words = format!("no answer within {:?}", timeouts.total);
                Err(self.failure(Trouble::TimedOut(words)))
            }
        }
    }

    /// Sends one request and gives its answer's head. A receiver closes connections that were idle for too long, and may do so just as
    /// the next request is on its way: that says nothing of the request, so it is sent once more on a connection of its own.
    async fn send(
        &self,
        method: Method,
        url: Url,
        envelope: Envelope,
    ) -> Result<reqwest::Response, Failure> {
        self.policy
            .check_url(&url)
            .map_err(|refusal| self.failure(Trouble::AddressRefused(refusal)))?;
        let was_kept = self.keeps_connection.load(Ordering::Relaxed);
        let again = was_kept.then(|| (method.clone(), url.clone(), envelope.clone()));
        let mut answered = self.send_by(&self.dialler, method, url, envelope).await;
        if let (Err(Unsent::Broken(_)), Some((method, url, envelope))) = (&answered, again) {
            tracing::debug!(destination = %self.destination.name, "a kept connection was closed; the request is sent on a new one");
            answered = self.send_by(&self.fresh, method, url, envelope).await;
        }
        // Where a new connection ends without an answer too, the next request is not sent twice.
        let keeps = match &answered {
            Ok(_) => true,
            Err(Unsent::Broken(_)) => false,
            Err(Unsent::Otherwise(_)) => was_kept,
        };
        self.keeps_connection.store(keeps, Ordering::Relaxed);
        answered.map_err(|unsent| match unsent {
            Unsent::Broken(failure) | Unsent::Otherwise(failure) => failure,
        })
    }

    async fn send_by(
        &self,
        dialler: &Dialler,
        method: Method,
        url: Url,
        envelope: Envelope,
    ) -> Result<reqwest::Response, Unsent> {
        let client = dialler
            .client(&self.secrets)
            .await
            .map_err(|error| Unsent::Otherwise(Failure::from(EnvelopeError::Secret(error))))?;
        let mut request = reqwest::Request::new(method, url);
        *request.headers_mut() = envelope.headers;
        *request.body_mut() = envelope.body.map(reqwest::Body::from);
        let timeouts = self.destination.timeouts;
        // The client does not say when it is connected, so this wait allows for the connection's.
        let longest_wait = timeouts.connect + timeouts.read;
        match timeout(longest_wait, client.execute(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => {
                let trouble = Trouble::from_client(&error, timeouts.connect);
                let is_broken = matches!(trouble, Trouble::Broken(_));
                let failure = self.failure(trouble);
                Err(if is_broken {
                    Unsent::Broken(failure)
                } else {
                    Unsent::Otherwise(failure)
                })
            }
            Err(_) => {
                let words = format!("no answer within {:?} of being connected", timeouts.read);
                Err(Unsent::Otherwise(self.failure(Trouble::TimedOut(words))))
            }
        }
    }

    fn failure(&self, trouble: Trouble) -> Failure {
        let origin = self.destination.url.origin().ascii_serialization();
        let unanswered = |code, words: String| Failure::Unanswered {
            code,
            reason: format!("{origin}: {words}"),
        };
        match trouble {
            Trouble::Connect(words) => unanswered(codes::DESTINATION_CONNECT, words),
            Trouble::TimedOut(words) => unanswered(codes::DESTINATION_TIMEOUT, words),
            Trouble::Tls { words, .. } => unanswered(codes::DESTINATION_TLS, words),
            Trouble::NotTls(words) => unanswered(
                codes::DESTINATION_TLS,
                format!("{words}; check the port of its `url`, which is probably for plain http"),
            ),
            Trouble::Broken(words) | Trouble::Other(words) => {
                unanswered(codes::DESTINATION_BROKEN, words)
            }
            Trouble::AddressRefused(refusal) => Failure::Unsent {
                code: codes::DESTINATION_ADDRESS,
                reason: format!("{origin}: {refusal}; {}", refusal.hint()),
            },
        }
    }
}

impl Failure {
    fn unknown(name: &DestinationName) -> Self {
        Self::Unsent {
            code: codes::DESTINATION_REQUEST,
            reason: format!("there is no destination {name}"),
        }
    }

    fn into_outcome(self) -> AttemptOutcome {
        match self {
            Self::Unsent { code, reason } => AttemptOutcome::Impossible { code, reason },
            Self::Unanswered { code, reason } => AttemptOutcome::Unreachable { code, reason },
        }
    }

    fn into_challenge_failure(self) -> ChallengeFailure {
        let (Self::Unsent { code, reason } | Self::Unanswered { code, reason }) = self;
        ChallengeFailure {
            code,
            message: reason,
        }
    }
}

impl From<EnvelopeError> for Failure {
    fn from(error: EnvelopeError) -> Self {
        match error {
            EnvelopeError::Secret(error) => Self::Unsent {
                code: codes::DESTINATION_SECRET,
                reason: format!("{error}; {}", error.hint),
            },
            EnvelopeError::Header(name) => Self::Unsent {
                code: codes::DESTINATION_REQUEST,
                reason: format!("the header {name} cannot carry what belongs into it"),
            },
        }
    }
}

impl Answer {
    /// Why a status is not a success, without anything of the body or of a redirect's path.
    fn refusal_in_words(&self, url: &Url) -> String {
        let status = self.status;
        if !status.is_redirection() {
            return format!("answered {status}");
        }
        let target = self
            .headers
            .get(LOCATION)
            .and_then(|location| location.to_str().ok())
            .and_then(|location| url.join(location).ok())
            .map(|target| target.origin())
            .filter(url::Origin::is_tuple)
            .map_or_else(String::new, |origin| {
                format!(" to {}", origin.ascii_serialization())
            });
        format!("answered {status}{target}; redirects are not followed; set the final URL")
    }
}

fn secret_references(destination: &Destination) -> impl Iterator<Item = &SecretReference> {
    let in_headers = destination
        .headers
        .iter()
        .filter_map(|(_, source)| match source {
            HeaderSource::Secret(reference) => Some(reference),
            HeaderSource::Literal(_) => None,
        });
    (destination.signing_secrets.iter())
        .chain(&destination.verification_token)
        .chain(&destination.bearer)
        .chain(in_headers)
}
