//! Requests to EHRs: through each connection's gate, with its authentication, bounded in time and bytes.
//!
//! The order of one exchange: is the URL the connection's own? Then the gate, then the secret (late, so that it is
//! fresh), then the request. The gate hears of the answer as soon as its head is there; the slot is held until the
//! body is read.

mod failure;

use crate::address::AddressPolicy;
use crate::authentication::{authenticate, reference};
use crate::codes;
use crate::dial::{ClientBuildError, Clients, Compression, DialRules};
use crate::gate::{Gate, Pass};
use crate::headers::{USER_IN_URL, names_a_user};
use crate::retry_after::retry_after;
use crate::secrets::Secrets;
use crate::trouble::Trouble;
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use failure::{Asked, Cause};
use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue, StatusCode};
use rounds_domain::ConnectionName;
use rounds_domain::plan::{Connection, is_framing_header};
use rounds_domain::ports::{Clock, Ehr, EhrError, EhrRequest, EhrResponse};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// What an EHR may be dialled at.
const POLICY: AddressPolicy = AddressPolicy::NamedByOperator;

/// The way to all EHRs.
pub struct EhrClient {
    lanes: HashMap<ConnectionName, Lane>,
    secrets: Arc<Secrets>,
    clock: Arc<dyn Clock>,
}

/// What belongs to one connection.
struct Lane {
    connection: Arc<Connection>,
    gate: Gate,
    client: reqwest::Client,
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
    pub fn new(
        connections: impl IntoIterator<Item = Arc<Connection>>,
        secrets: Arc<Secrets>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ClientBuildError> {
        let mut clients = Clients::default();
        let mut lanes = HashMap::new();
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
                })
                .map_err(|error| failed(format!("no HTTP client: {error}")))?;
            let gate = Gate::new(&connection.limits, Arc::clone(&clock));
            lanes.insert(
                connection.name.clone(),
                Lane {
                    connection,
                    gate,
                    client,
                },
            );
        }
        Ok(Self {
            lanes,
            secrets,
            clock,
        })
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
        let mut headers = lane.headers(&request).map_err(|cause| asked.error(cause))?;
        let pass = lane.gate.enter().await;
        let authentication = &lane.connection.authentication;
        authenticate(&mut headers, authentication, &self.secrets)
            .await
            .map_err(|error| asked.error(Cause::Secret(error)))?;
        let timeout = request.timeout.unwrap_or(lane.connection.request_timeout);
        let exchange = lane.exchange(request, headers, &pass, &*self.clock);
        let answer = tokio::time::timeout(timeout, exchange)
            .await
            .unwrap_or_else(|_| {
                let words = format!("no whole answer within {timeout:?}");
                Err(Cause::Trouble(Trouble::TimedOut(words)))
            })
            .map_err(|cause| asked.error(cause))?;
        if let (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, Some(secret)) =
            (answer.status, reference(authentication))
        {
            self.secrets.forget(secret).await;
        }
        Ok(answer)
    }
}

impl Lane {
    /// Judges the URL and gathers the headers but for the authentication. The request's win over the connection's.
    fn headers(&self, request: &EhrRequest) -> Result<HeaderMap, Cause> {
        if request.url.origin() != self.connection.base_url.origin() {
            return Err(Cause::OtherHost(self.connection.base_url.origin()));
        }
        POLICY
            .check_url(&request.url)
            .map_err(|refusal| Cause::Trouble(Trouble::AddressRefused(refusal)))?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        for (name, value) in &self.connection.headers {
            headers.insert(name.clone(), value.clone());
        }
        for name in request.headers.keys() {
            if is_framing_header(name) {
                return Err(Cause::Header(name.clone()));
            }
            headers.remove(name);
            for value in request.headers.get_all(name) {
                headers.append(name.clone(), value.clone());
            }
        }
        Ok(headers)
    }

    async fn exchange(
        &self,
        request: EhrRequest,
        headers: HeaderMap,
        pass: &Pass,
        clock: &dyn Clock,
    ) -> Result<EhrResponse, Cause> {
        let mut sent = reqwest::Request::new(request.method, without_user(request.url));
        *sent.headers_mut() = headers;
        let mut response = self
            .client
            .execute(sent)
            .await
            .map_err(|error| self.trouble(&error))?;
        self.heed(&response, pass, clock);
        let body = self.read_body(&mut response).await?;
        Ok(EhrResponse {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            body,
        })
    }

    /// Lets the gate know how the EHR bears us.
    fn heed(&self, response: &reqwest::Response, pass: &Pass, clock: &dyn Clock) {
        let status = response.status();
        let asked = retry_after(response.headers(), clock.now());
        let is_pause = match status {
            StatusCode::TOO_MANY_REQUESTS => true,
            StatusCode::SERVICE_UNAVAILABLE => asked.is_some_and(|wait| !wait.is_zero()),
            _ => false,
        };
        if is_pause {
            let pause = self.gate.pause(pass, asked);
            tracing::warn!(
                connection.name = %self.connection.name,
                status = status.as_u16(),
                pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
                "connection {} asked to wait; no request is sent to it for {pause:?}",
                self.connection.name,
            );
        } else if status.is_success() {
            self.gate.served(pass);
        }
    }

    /// Reads the decompressed body and stops at the limit, whatever the answer promised.
    async fn read_body(&self, response: &mut reqwest::Response) -> Result<Bytes, Cause> {
        let limit = self.connection.body_limit_bytes;
        let over = || Cause::BodyLimit(limit);
        if response
            .content_length()
            .is_some_and(|length| length > limit)
        {
            return Err(over());
        }
        let mut body = BytesMut::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    let length = body.len().saturating_add(chunk.len());
                    if u64::try_from(length).unwrap_or(u64::MAX) > limit {
                        return Err(over());
                    }
                    body.extend_from_slice(&chunk);
                }
                Ok(None) => return Ok(body.freeze()),
                Err(error) => return Err(self.trouble(&error)),
            }
        }
    }

    fn trouble(&self, error: &reqwest::Error) -> Cause {
        let connect_timeout: Duration = self.connection.connect_timeout;
        Cause::Trouble(Trouble::from_client(error, connect_timeout))
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
