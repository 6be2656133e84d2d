//! Requests to EHRs: through each connection's gate, with its authentication, bounded in time and bytes.
//!
//! The order of one exchange: is the URL the connection's own? Then the gate, then the secret or the session (late, so that
//! it is fresh), then the request. The gate hears of the answer as soon as its head is there; the slot is held until the
//! body is read.

mod bare;
mod body;
pub(crate) mod failure;
pub(crate) mod lane;

use crate::authentication::{AfterRefusal, Proof, Session, proof, reference, write_headers};
use crate::codes;
use crate::dial::{ClientBuildError, Clients, Compression, Connections, DialRules};
use crate::gate::{Gate, Pass};
use crate::headers::{USER_IN_URL, names_a_user};
use crate::secrets::Secrets;
use crate::trouble::Trouble;
use async_trait::async_trait;
use failure::{Asked, Cause};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use lane::{Keeper, Lane};
use rounds_domain::ConnectionName;
use rounds_domain::address::AddressPolicy;
use rounds_domain::plan::{
    Authentication, Connection, HeaderSource, TokenSource, is_framing_header,
};
use rounds_domain::ports::{Access, Clock, Credentials, Ehr, EhrError, EhrRequest, EhrResponse};
use rounds_map::Evaluator;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// What an EHR may be dialled at.
const POLICY: AddressPolicy = AddressPolicy::NamedByOperator;

/// The way to all EHRs.
pub struct EhrClient {
    lanes: HashMap<ConnectionName, Arc<Lane>>,
    keeper: Keeper,
}

impl fmt::Debug for EhrClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EhrClient")
            .field("connections", &self.lanes.keys())
            .finish_non_exhaustive()
    }
}

impl EhrClient {
    /// Makes the gates and clients of these connections. Nothing is dialled yet.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "each connection shares them: what is kept is given"
    )]
    pub fn new(
        connections: impl IntoIterator<Item = Arc<Connection>>,
        secrets: Arc<Secrets>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ClientBuildError> {
        let mut clients = Clients::default();
        let mut lanes = HashMap::new();
        let keeper = Keeper::default();
        for connection in connections {
            let failed = |message: String| ClientBuildError {
                code: codes::EHR_OTHER,
                message: format!("connection {}: {message}", connection.name),
            };
            if names_a_user(&connection.base_url) {
                return Err(failed(USER_IN_URL.to_owned()));
            }
            if let Some((name, _)) = connection
                .headers
                .iter()
                .find(|(name, _)| is_framing_header(name))
            {
                return Err(failed(format!("the header {name} cannot be set")));
            }
            let client = clients
                .with(DialRules {
                    policy: POLICY,
                    connect_timeout: connection.connect_timeout,
                    compression: Compression::Gzip,
                    connections: Connections::Kept,
                })
                .map_err(|error| failed(format!("no HTTP client: {error}")))?;
            let elsewhere = clients
                .with(DialRules {
                    policy: bare::PUBLIC,
                    connect_timeout: connection.connect_timeout,
                    compression: Compression::Gzip,
                    connections: Connections::Kept,
                })
                .map_err(|error| failed(format!("no HTTP client: {error}")))?;
            let evaluator = needs_evaluator(&connection)
                .then(Evaluator::start)
                .transpose()
                .map_err(|error| failed(format!("no threads for expressions: {error}")))?;
            let lane = Lane {
                gate: Gate::new(&connection.limits, Arc::clone(&clock)),
                client,
                elsewhere,
                policy: POLICY,
                session: Session::of(&connection.authentication),
                secrets: Arc::clone(&secrets),
                clock: Arc::clone(&clock),
                keeper: Arc::clone(&keeper),
                evaluator,
                connection,
            };
            lanes.insert(lane.connection.name.clone(), Arc::new(lane));
        }
        Ok(Self { lanes, keeper })
    }

    /// Says where secrets are kept that EHRs give. Without it, connections whose refresh tokens rotate are refused: what they
    /// give would be lost. The first one that is said counts.
    #[must_use]
    pub fn keeping(self, credentials: Arc<dyn Credentials>) -> Self {
        // An error means that there is one.
        let _ = self.keeper.set(credentials);
        self
    }
}

fn needs_evaluator(connection: &Connection) -> bool {
    match &connection.authentication {
        Authentication::Login(login) => matches!(login.token, TokenSource::Expression(_)),
        _ => false,
    }
}

#[async_trait]
impl Ehr for EhrClient {
    async fn send(&self, request: EhrRequest) -> Result<EhrResponse, EhrError> {
        let asked = Asked::of(&request);
        let lane = self
            .lanes
            .get(&request.connection)
            .ok_or_else(|| asked.error(Cause::UnknownConnection))?;
        if request.access == Access::Bare {
            let _pass = lane.gate.enter(request.turn).await;
            return lane.send_bare(&request, &asked).await;
        }
        lane.judge(&request).map_err(|cause| asked.error(cause))?;
        let pass = lane.gate.enter(request.turn).await;
        match &lane.session {
            None => lane.send_with_secret(&request, &asked, &pass).await,
            Some(session) => {
                lane.send_with_session(&request, &asked, pass, session)
                    .await
            }
        }
    }

    async fn session_ended(&self, connection: &ConnectionName, sent_at: Duration) {
        if let Some(lane) = self.lanes.get(connection)
            && let Some(session) = &lane.session
        {
            session.ended(lane, sent_at).await;
        }
    }

    async fn throttled(
        &self,
        connection: &ConnectionName,
        sent_at: Duration,
        after: Option<Duration>,
    ) {
        if let Some(lane) = self.lanes.get(connection) {
            lane.hold(sent_at, after, "an answer");
        }
    }
}

impl Lane {
    /// Whether the request may be sent at all.
    fn judge(&self, request: &EhrRequest) -> Result<(), Cause> {
        if request.url.origin() != self.connection.base_url.origin() {
            return Err(Cause::OtherHost(self.connection.base_url.origin()));
        }
        match request.headers.keys().find(|name| is_framing_header(name)) {
            Some(name) => Err(Cause::Header(name.clone())),
            None => self
                .policy
                .check_url(&request.url)
                .map_err(|refusal| Cause::Trouble(Trouble::AddressRefused(refusal))),
        }
    }

    /// Proves who asks by what the user has. A refused secret is read anew by the next request.
    async fn send_with_secret(
        &self,
        request: &EhrRequest,
        asked: &Asked,
        pass: &Pass,
    ) -> Result<EhrResponse, EhrError> {
        let authentication = &self.connection.authentication;
        let proof = proof(authentication, &self.secrets)
            .await
            .map_err(|error| asked.error(Cause::Secret(error)))?;
        let answer = self.attempt(request, asked, pass, proof.as_ref()).await?;
        if let StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN = answer.status {
            let headers = self.connection.headers.iter();
            let secrets = headers.filter_map(|(_, source)| match source {
                HeaderSource::Secret(reference) => Some(reference),
                HeaderSource::Literal(_) => None,
            });
            let in_bodies = self.connection.secrets.iter().map(|(_, secret)| secret);
            for secret in secrets.chain(reference(authentication)).chain(in_bodies) {
                self.secrets.forget(secret).await;
            }
        }
        Ok(answer)
    }

    /// Proves who asks by a session. After a 401, once more by another one.
    async fn send_with_session(
        self: &Arc<Self>,
        request: &EhrRequest,
        asked: &Asked,
        pass: Pass,
        session: &Session,
    ) -> Result<EhrResponse, EhrError> {
        let (token, pass) = session.token(self, pass).await?;
        let proof = Some(token.proof());
        let answer = self.attempt(request, asked, &pass, proof).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            token.accepted();
            return Ok(answer);
        }
        let AfterRefusal::Again(token, pass) = session.after_refusal(self, pass, &token).await?
        else {
            return Ok(answer);
        };
        let proof = Some(token.proof());
        let answer = self.attempt(request, asked, &pass, proof).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            session.refused_again(self, &token).await;
        } else {
            token.accepted();
        }
        Ok(answer)
    }

    /// Sends it once. The request's headers win over the connection's, and the proof wins over both.
    async fn attempt(
        &self,
        request: &EhrRequest,
        asked: &Asked,
        pass: &Pass,
        proof: Option<&Proof>,
    ) -> Result<EhrResponse, EhrError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(request.accept));
        if let Some(body) = &request.body {
            headers.insert(CONTENT_TYPE, body.content_type.clone());
        }
        write_headers(&mut headers, &self.connection.headers, &self.secrets)
            .await
            .map_err(|error| asked.error(Cause::Secret(error)))?;
        for name in request.headers.keys() {
            headers.remove(name);
            for value in request.headers.get_all(name) {
                headers.append(name.clone(), value.clone());
            }
        }
        let mut url = without_user(request.url.clone());
        if let Some(proof) = proof {
            proof.write(&mut headers, &mut url);
        }
        let body = match &request.body {
            Some(body) => Some(self.fill(body, proof, asked).await?),
            None => None,
        };
        let mut sent = reqwest::Request::new(request.method.clone(), url);
        *sent.headers_mut() = headers;
        *sent.body_mut() = body.map(reqwest::Body::from);
        let limit = self.connection.body_limit_bytes;
        let timeout = request.timeout.unwrap_or(self.connection.request_timeout);
        self.exchange(sent, pass, limit, timeout)
            .await
            .map_err(|cause| asked.error(cause))
    }
}

/// The URL without a user and password: they are part of no origin, so an answer could smuggle them in.
fn without_user(mut url: Url) -> Url {
    // These fail only for URLs without a host, which have no origin either and were refused.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_taken_out_of_a_url_and_nothing_else() -> Result<(), url::ParseError> {
        let url = Url::parse("https://mallory:x@ehr.example.org:8443/a?b=c")?;
        let expected = "https://ehr.example.org:8443/a?b=c";
        assert_eq!(without_user(url).as_str(), expected);
        Ok(())
    }
}
