//! One EHR instance.

use super::request::{HeaderOwner, literal_headers, reserved_header};
use crate::codes;
use crate::diagnostic::Findings;
use crate::face::{AuthKeys, ConnectionKeys};
use crate::kinds::{Auth, is_public};
use crate::reading::Given;
use rounds_domain::ConnectionName;
use rounds_domain::plan::{Authentication, Connection, Limits};
use url::Url;

pub(super) fn lower(
    name: &str,
    keys: &ConnectionKeys,
    findings: &mut Findings<'_>,
) -> Option<Connection> {
    let base_url = base_url(keys, findings);
    let authentication = authentication(&keys.auth, findings);
    let headers = keys
        .headers
        .value()
        .map(|headers| literal_headers(headers, HeaderOwner::Connection, findings));
    Some(Connection {
        name: ConnectionName::new(name),
        base_url: base_url?,
        authentication: authentication?,
        headers: headers.unwrap_or_default(),
        limits: limits(keys),
        connect_timeout: keys
            .connect_timeout
            .value()
            .map_or(Connection::DEFAULT_CONNECT_TIMEOUT, |given| given.0),
        request_timeout: keys
            .timeout
            .value()
            .map_or(Connection::DEFAULT_REQUEST_TIMEOUT, |given| given.0),
        body_limit_bytes: keys
            .body_limit
            .value()
            .map_or(Connection::DEFAULT_BODY_LIMIT_BYTES, |given| given.0),
    })
}

fn base_url(keys: &ConnectionKeys, findings: &mut Findings<'_>) -> Option<Url> {
    let given = keys.base_url.here()?;
    let mut url = given.value.0.clone();
    if url.query().is_some() {
        findings
            .error(codes::BAD_URL, given.place, "a query in the base URL")
            .expected("expected scheme, host and path")
            .help("write what every request carries under `query` of the action");
        return None;
    }
    if url.scheme() == "http" && is_public(&url) {
        findings
            .warning(
                codes::PLAIN_HTTP,
                given.place,
                "records come over the open network without encryption",
            )
            .expected("expected https");
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Some(url)
}

fn authentication(given: &Given<Auth>, findings: &mut Findings<'_>) -> Option<Authentication> {
    match given {
        Given::Absent => Some(Authentication::None),
        Given::Wrong => None,
        Given::Here(here) => match &here.value {
            Auth::None => Some(Authentication::None),
            Auth::Keys(keys) => from_keys(keys, findings),
        },
    }
}

fn from_keys(keys: &AuthKeys, findings: &mut Findings<'_>) -> Option<Authentication> {
    if let Some(basic) = keys.basic.value() {
        return Some(Authentication::Basic {
            username: basic.username.value()?.0.text.clone(),
            password: basic.password.reference()?,
        });
    }
    if let Some(header) = keys.header.value() {
        if let Some(name) = header.name.value() {
            reserved_header(&name.name, &name.scalar, HeaderOwner::Connection, findings);
        }
        return Some(Authentication::Header {
            name: header.name.value()?.name.clone(),
            value: header.value.reference()?,
        });
    }
    keys.bearer.reference().map(Authentication::Bearer)
}

fn limits(keys: &ConnectionKeys) -> Limits {
    let mut limits = Limits::default();
    let Some(given) = keys.limits.value() else {
        return limits;
    };
    if let Some(rates) = given.rate.value() {
        limits.rates = rates.0.iter().map(|rate| rate.value.0).collect();
    }
    if let Some(in_flight) = given.in_flight.value() {
        limits.in_flight = in_flight.0;
    }
    if let Some(longest) = given.longest_retry_after.value() {
        limits.longest_retry_after = longest.0;
    }
    limits
}
