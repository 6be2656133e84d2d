//! How requests to an EHR prove who asks.

mod login;
pub(super) mod tokens;

use super::request::{HeaderOwner, check_header, reserved_header};
use super::unmarked;
use crate::codes;
use crate::diagnostic::Findings;
use crate::face::AuthKeys;
use crate::kinds::{
    Auth, HeaderValueSource, Pairs, UrlOrPath, header_name, header_value, is_public,
};
use crate::reading::{Given, Here};
use http::header::AUTHORIZATION;
use rounds_domain::plan::{Authentication, HeaderSource};
use url::Url;

/// The authentication of a connection. `base_url` is None where it is wrong, which has been reported.
pub(super) fn lower(
    given: &Given<Auth>,
    base_url: Option<&Url>,
    findings: &mut Findings<'_>,
) -> Option<Authentication> {
    match given {
        Given::Absent => Some(Authentication::None),
        Given::Wrong => None,
        Given::Here(here) => match &here.value {
            Auth::None => Some(Authentication::None),
            Auth::Keys(keys) => from_keys(keys, base_url, findings),
        },
    }
}

fn from_keys(
    keys: &AuthKeys,
    base_url: Option<&Url>,
    findings: &mut Findings<'_>,
) -> Option<Authentication> {
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
    if let Some(query) = keys.query.value() {
        return Some(Authentication::Query {
            name: query.name.value()?.0.text.clone(),
            value: query.value.reference()?,
        });
    }
    if let Some(oauth2) = keys.oauth2.here() {
        return tokens::oauth2(oauth2, base_url, findings)
            .map(|oauth2| Authentication::OAuth2(Box::new(oauth2)));
    }
    if let Some(smart) = keys.smart_backend.value() {
        return tokens::smart_backend(smart, base_url, findings)
            .map(|smart| Authentication::SmartBackend(Box::new(smart)));
    }
    if let Some(login) = keys.login.value() {
        return login::lower(login, base_url, findings)
            .map(|login| Authentication::Login(Box::new(login)));
    }
    keys.bearer.reference().map(Authentication::Bearer)
}

/// The whole URL of a token or login request. Secrets are sent there, so a plain one is told.
fn whole_url(
    given: &Here<UrlOrPath>,
    base_url: Option<&Url>,
    findings: &mut Findings<'_>,
) -> Option<Url> {
    let url = given.value.under(base_url?);
    let Some(url) = url else {
        findings
            .error(
                codes::BAD_URL,
                given.place,
                "a path that makes no URL with `base_url`",
            )
            .expected("expected a URL, or a path such as `/oauth2/token`");
        return None;
    };
    if matches!(given.value, UrlOrPath::Url(_)) && url.scheme() == "http" && is_public(&url) {
        findings
            .warning(
                codes::PLAIN_HTTP,
                given.place,
                "secrets go over the open network without encryption",
            )
            .expected("expected https");
    }
    Some(url)
}

/// Headers that go to an EHR, with literal values or secrets.
pub(super) fn headers(
    given: &Given<Pairs<HeaderValueSource>>,
    findings: &mut Findings<'_>,
) -> Vec<(http::HeaderName, HeaderSource)> {
    let mut lowered = Vec::new();
    for pair in given.value().into_iter().flat_map(|pairs| &pairs.pairs) {
        let Some(name) = header_name(&pair.key, findings) else {
            continue;
        };
        let source = match &pair.value {
            HeaderValueSource::Literal(scalar) => {
                unmarked::check_plain(scalar, findings);
                check_header(&name, &pair.key, scalar, HeaderOwner::Connection, findings);
                header_value(scalar, findings).map(HeaderSource::Literal)
            }
            HeaderValueSource::Secret(reference) => {
                if name == AUTHORIZATION {
                    findings
                        .error(
                            codes::BAD_HEADER,
                            pair.key.place,
                            "`authorization` among the headers",
                        )
                        .help("write it under `auth` of the connection: `auth: { bearer: { env: NAME } }`")
                        .help("or, with a prefix of its own, `auth: { header: { name: authorization, value: { env: NAME } } }`");
                }
                reserved_header(&name, &pair.key, HeaderOwner::Connection, findings);
                Some(HeaderSource::Secret(reference.clone()))
            }
        };
        lowered.extend(source.map(|source| (name, source)));
    }
    lowered
}
