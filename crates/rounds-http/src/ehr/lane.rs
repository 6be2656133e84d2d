//! What belongs to one connection: its gate, its client, its session.

use super::failure::Cause;
use crate::authentication::Session;
use crate::gate::{Gate, Pass};
use crate::secrets::Secrets;
use crate::trouble::Trouble;
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, StatusCode};
use jiff::Timestamp;
use rounds_domain::address::AddressPolicy;
use rounds_domain::plan::Connection;
use rounds_domain::ports::{Clock, Credentials, EhrResponse};
use rounds_domain::retry_after;
use rounds_map::Evaluator;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Where secrets are kept that EHRs give, once somebody has said so.
pub(crate) type Keeper = Arc<OnceLock<Arc<dyn Credentials>>>;

/// What belongs to one connection.
pub(crate) struct Lane {
    pub(crate) connection: Arc<Connection>,
    pub(crate) gate: Gate,
    pub(crate) client: reqwest::Client,
    /// For addresses that an answer names.
    pub(crate) elsewhere: reqwest::Client,
    /// Where it may be dialled; the client holds to it as well.
    pub(crate) policy: AddressPolicy,
    pub(crate) session: Option<Session>,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keeper: Keeper,
    /// There where a login's answer is read by an expression.
    pub(crate) evaluator: Option<Evaluator>,
}

impl Lane {
    /// Sends a request and reads its whole answer, within this time and these bytes.
    pub(crate) async fn exchange(
        &self,
        request: reqwest::Request,
        pass: &Pass,
        limit_bytes: u64,
        timeout: Duration,
    ) -> Result<EhrResponse, Cause> {
        let way = (&self.client, &self.policy);
        self.exchange_by(way, request, Some(pass), limit_bytes, timeout)
            .await
    }

    /// The same by a client of another policy. Without a pass the gate does not hear of the answer: it is not the EHR's.
    pub(crate) async fn exchange_by(
        &self,
        (client, policy): (&reqwest::Client, &AddressPolicy),
        request: reqwest::Request,
        pass: Option<&Pass>,
        limit_bytes: u64,
        timeout: Duration,
    ) -> Result<EhrResponse, Cause> {
        policy
            .check_url(request.url())
            .map_err(|refusal| Cause::Trouble(Trouble::AddressRefused(refusal)))?;
        let exchange = async {
            let mut response = client
                .execute(request)
                .await
                .map_err(|error| self.trouble(&error))?;
            if let Some(pass) = pass {
                self.heed(&response, pass);
            }
            let body = self.read_body(&mut response, limit_bytes).await?;
            Ok(EhrResponse {
                status: response.status(),
                headers: std::mem::take(response.headers_mut()),
                body,
            })
        };
        tokio::time::timeout(timeout, exchange)
            .await
            .unwrap_or_else(|_| {
                let words = format!("no whole answer within {timeout:?}");
                Err(Cause::Trouble(Trouble::TimedOut(words)))
            })
    }

    /// Lets the gate know how the EHR bears us.
    fn heed(&self, response: &reqwest::Response, pass: &Pass) {
        let status = response.status();
        let limits = &self.connection.limits;
        let now = self.clock.now();
        let asked = retry_after(response.headers(), now).or_else(|| {
            let header = limits
                .reset
                .as_ref()
                .filter(|_| status == StatusCode::TOO_MANY_REQUESTS);
            reset(response.headers().get(header?)?, now)
        });
        let is_pause = match status {
            StatusCode::TOO_MANY_REQUESTS => true,
            StatusCode::SERVICE_UNAVAILABLE => asked.is_some_and(|wait| !wait.is_zero()),
            _ => false,
        };
        if is_pause {
            self.hold(pass.granted_at(), asked, status.as_str());
        } else if status.is_success() {
            self.gate.served(pass);
        }
    }

    /// The EHR asked to wait, in answer to a request that was sent then.
    pub(super) fn hold(&self, sent_at: Duration, asked: Option<Duration>, how: &str) {
        let pause = self.gate.pause(sent_at, asked);
        tracing::warn!(
            connection.name = %self.connection.name,
            how,
            pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
            "connection {} asked to wait; no request is sent to it for {pause:?}",
            self.connection.name,
        );
    }

    /// Reads the decompressed body and stops at the limit, whatever the answer promised.
    async fn read_body(
        &self,
        response: &mut reqwest::Response,
        limit_bytes: u64,
    ) -> Result<Bytes, Cause> {
        let over = || Cause::BodyLimit(limit_bytes);
        if response
            .content_length()
            .is_some_and(|length| length > limit_bytes)
        {
            return Err(over());
        }
        let mut body = BytesMut::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    let length = body.len().saturating_add(chunk.len());
                    if u64::try_from(length).unwrap_or(u64::MAX) > limit_bytes {
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

/// How long until the moment that a header of the EHR's own names: seconds from now, or seconds since 1970 where they are that many.
fn reset(value: &HeaderValue, now: Timestamp) -> Option<Duration> {
    /// Three years: longer than any EHR asks to wait, and shorter than what has passed since 1970.
    const SINCE_1970: f64 = 1e8;
    let seconds: f64 = value.to_str().ok()?.trim().parse().ok()?;
    let wait = if seconds >= SINCE_1970 {
        let now = now.as_duration().as_secs_f64();
        seconds - now
    } else {
        seconds
    };
    Duration::try_from_secs_f64(wait.max(0.0)).ok()
}
