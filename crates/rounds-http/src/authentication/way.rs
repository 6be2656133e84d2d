//! The way of a request for a session: through the gate, bounded, and with no more than it needs.

use super::write_headers;
use crate::ehr::failure::{Asked, Cause, Purpose};
use crate::ehr::lane::Lane;
use crate::gate::Pass;
use crate::secrets::{SecretError, Secrets};
use http::{HeaderMap, Method};
use jiff::Timestamp;
use rounds_domain::ConnectionName;
use rounds_domain::plan::{AnswerFormat, SecretReference};
use rounds_domain::ports::{Credential, EhrResponse};
use rounds_map::Filter;
use secrecy::SecretString;
use std::time::Duration;
use url::Url;

/// More bytes than any answer with a token has.
const BODY_LIMIT_BYTES: u64 = 256 * 1024;

/// What asking for a session may do, with the leave of the request that needs it.
pub(super) struct Way<'l> {
    lane: &'l Lane,
    pass: &'l mut Pass,
    leave: Leave,
}

/// What became of the leave.
#[derive(PartialEq, Eq, Clone, Copy)]
enum Leave {
    Unused,
    Used,
}

impl<'l> Way<'l> {
    pub(super) const fn new(lane: &'l Lane, pass: &'l mut Pass) -> Self {
        Self {
            lane,
            pass,
            leave: Leave::Unused,
        }
    }

    /// Whether anything was asked.
    pub(super) fn has_asked(&self) -> bool {
        self.leave == Leave::Used
    }

    pub(super) fn name(&self) -> &ConnectionName {
        &self.lane.connection.name
    }

    pub(super) fn base_url(&self) -> &Url {
        &self.lane.connection.base_url
    }

    pub(super) fn now(&self) -> Duration {
        self.lane.clock.monotonic()
    }

    pub(super) fn wall_clock(&self) -> Timestamp {
        self.lane.clock.now()
    }

    pub(super) fn asked(&self, method: &Method, url: &Url, purpose: Purpose) -> Asked {
        Asked::new(self.name(), method, url, purpose)
    }

    pub(super) async fn secret(
        &self,
        reference: &SecretReference,
    ) -> Result<SecretString, SecretError> {
        self.lane.secrets.read(reference).await
    }

    pub(super) fn secrets(&self) -> &Secrets {
        &self.lane.secrets
    }

    pub(super) async fn forget(&self, reference: &SecretReference) {
        self.lane.secrets.forget(reference).await;
    }

    /// The headers of a request: the connection's own where it goes to the connection's own origin, then these.
    pub(super) async fn headers(
        &self,
        url: &Url,
        own: HeaderMap,
    ) -> Result<HeaderMap, SecretError> {
        let connection = &self.lane.connection;
        let mut headers = HeaderMap::new();
        if url.origin() == connection.base_url.origin() {
            write_headers(&mut headers, &connection.headers, &self.lane.secrets).await?;
        }
        // `extend` would append a header that comes twice.
        for (name, value) in &own {
            headers.insert(name.clone(), value.clone());
        }
        Ok(headers)
    }

    /// Sends a request and reads its answer. Each one has a leave of its own.
    pub(super) async fn ask(
        &mut self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Option<Vec<u8>>,
    ) -> Result<EhrResponse, Cause> {
        let headers = self.headers(&url, headers).await.map_err(Cause::Secret)?;
        if self.has_asked() {
            self.lane.gate.again(self.pass).await;
        }
        self.leave = Leave::Used;
        let mut request = reqwest::Request::new(method, url);
        *request.headers_mut() = headers;
        *request.body_mut() = body.map(reqwest::Body::from);
        let limit = self.lane.connection.body_limit_bytes.min(BODY_LIMIT_BYTES);
        let timeout = self.lane.connection.request_timeout;
        self.lane.exchange(request, self.pass, limit, timeout).await
    }

    /// What the expression gives of the answer, if it is one scalar.
    pub(super) async fn evaluate(
        &self,
        filter: &Filter,
        format: AnswerFormat,
        body: &EhrResponse,
    ) -> Result<String, Cause> {
        let none = |words: &str| Cause::NoSession(words.to_owned());
        let evaluator = self
            .lane
            .evaluator
            .as_ref()
            .ok_or_else(|| none("there is nothing that evaluates the expression"))?;
        let (filter, body) = (filter.clone(), body.body.clone());
        let found = evaluator.run(move || {
            let json =
                (format.read(&body)).map_err(|_| "the answer cannot be read in its `format`")?;
            let found = filter
                .one(&json)
                .map_err(|_| "the expression fails on the answer")?;
            found
                .scalar_text()
                .filter(|text| !found.is_null() && !text.is_empty())
                .ok_or("the expression finds no text in the answer")
        });
        match found.await {
            Ok(Ok(text)) => Ok(text),
            Ok(Err(words)) => Err(none(words)),
            Err(panicked) => Err(none(&panicked.to_string())),
        }
    }

    /// The secret that the EHR gave last.
    pub(super) async fn kept(&self) -> Result<Option<Credential>, Cause> {
        match self.lane.keeper.get() {
            Some(keeper) => keeper.credential(self.name()).await.map_err(Cause::NotKept),
            None => Err(Cause::NoKeeper),
        }
    }

    /// Keeps the secret that the EHR gave.
    pub(super) async fn keep(&self, credential: Credential) -> Result<(), Cause> {
        match self.lane.keeper.get() {
            Some(keeper) => keeper
                .keep_credential(self.name(), credential)
                .await
                .map_err(Cause::NotKept),
            None => Err(Cause::NoKeeper),
        }
    }
}
