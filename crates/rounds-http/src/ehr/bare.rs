//! Requests without credentials, to wherever an answer leads.
//!
//! An EHR may keep the parts of an export elsewhere, behind links that carry their own permission (Bulk Data Access 2.0, `requiresAccessToken`:
//! false) or behind a redirect. Nothing of the connection's goes there: no credentials, no headers, no cookies, no body. And since the
//! address comes from an answer and not from the operator, only public ones are dialled, unless the EHR itself is at another: then its neighbours
//! are asked as it is asked itself. A metadata or link-local address is never dialled.

use super::failure::{Asked, Cause};
use super::lane::Lane;
use super::without_user;
use crate::dial::check_url;
use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue};
use rounds_domain::address::AddressPolicy;
use rounds_domain::ports::{EhrError, EhrRequest, EhrResponse};

/// Where links of an answer may lead.
pub(super) const PUBLIC: AddressPolicy = AddressPolicy::PublicOnly { except: Vec::new() };

impl Lane {
    /// Sends a request without credentials.
    pub(super) async fn send_bare(
        &self,
        request: &EhrRequest,
        asked: &Asked,
    ) -> Result<EhrResponse, EhrError> {
        let scheme = request.url.scheme();
        let is_safe = scheme == "https" || scheme == self.connection.base_url.scheme();
        if !is_safe || !matches!(scheme, "https" | "http") {
            return Err(asked.error(Cause::Scheme));
        }
        // The EHR's own address says what its neighbourhood is.
        let is_public = check_url(&PUBLIC, &self.connection.base_url).await.is_ok();
        let way = if is_public {
            (&self.elsewhere, &PUBLIC)
        } else {
            (&self.client, &self.policy)
        };
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(request.accept));
        let mut sent =
            reqwest::Request::new(request.method.clone(), without_user(request.url.clone()));
        *sent.headers_mut() = headers;
        let limit = self.connection.body_limit_bytes;
        let timeout = request.timeout.unwrap_or(self.connection.request_timeout);
        self.exchange_by(way, sent, None, limit, timeout)
            .await
            .map_err(|cause| asked.error(cause))
    }
}
