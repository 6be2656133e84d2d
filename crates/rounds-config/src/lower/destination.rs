//! A webhook endpoint.

use super::authentication::tokens;
use super::request::{HeaderOwner, check_header, reserved_header};
use super::{retry, unmarked};
use crate::codes;
use crate::diagnostic::Findings;
use crate::face::DestinationKeys;
use crate::kinds::{GrantWord, HeaderValueSource, header_name, header_value, is_public};
use crate::reading::{Given, Here};
use http::header::AUTHORIZATION;
use rounds_domain::DestinationName;
use rounds_domain::address::{AddressPolicy, AddressRefusal};
use rounds_domain::plan::{
    AddressRange, Challenge, ClientCertificate, Destination, DestinationTimeouts, HeaderSource,
    OAuth2, RetrySchedule, SecretReference,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use url::{Host, Url};

pub(super) fn lower(
    name: &str,
    keys: &DestinationKeys,
    findings: &mut Findings<'_>,
) -> Option<Destination> {
    let allow_addresses: Vec<AddressRange> = keys
        .allow_addresses
        .value()
        .into_iter()
        .flat_map(|ranges| &ranges.0)
        .map(|range| range.value.0)
        .collect();
    let url = keys.url.here();
    if let (Some(url), false) = (url, matches!(keys.allow_addresses, Given::Wrong)) {
        check_address(url, &allow_addresses, findings);
    }
    let headers = headers(keys, findings);
    let challenge = challenge(keys, findings);
    let retry = retry(&keys.retry, RetrySchedule::deliveries(), findings);
    Some(Destination {
        name: DestinationName::new(name),
        url: url?.value.0.clone(),
        signing_secrets: signing_secrets(keys),
        verification_token: keys.verification_token.reference(),
        bearer: keys.bearer.reference(),
        oauth2: oauth2(keys, url.map(|url| &url.value.0), findings),
        client_certificate: keys.client_certificate.value().and_then(|own| {
            Some(ClientCertificate {
                certificate: own.certificate.reference()?,
                private_key: own.private_key.reference()?,
            })
        }),
        certificate_authority: keys.certificate_authority.reference(),
        headers,
        challenge,
        timeouts: timeouts(keys),
        retry,
        in_flight: keys
            .in_flight
            .value()
            .map_or(Destination::DEFAULT_IN_FLIGHT, |count| count.0),
        order: keys.order.value().copied().unwrap_or_default(),
        breaker_after: keys
            .breaker_after
            .value()
            .map_or(Destination::DEFAULT_BREAKER_AFTER, |count| count.0),
        allow_addresses,
    })
}

fn signing_secrets(keys: &DestinationKeys) -> Vec<SecretReference> {
    let secrets = keys
        .signing_secret
        .value()
        .into_iter()
        .flat_map(|secrets| &secrets.0);
    secrets.map(|secret| secret.value.0.clone()).collect()
}

fn oauth2(
    keys: &DestinationKeys,
    url: Option<&Url>,
    findings: &mut Findings<'_>,
) -> Option<Box<OAuth2>> {
    let given = keys.oauth2.here()?;
    if !keys.bearer.is_absent() {
        findings
            .error(
                codes::BAD_HEADER,
                given.key,
                "`oauth2` together with `bearer`",
            )
            .help("keep one of them");
    }
    if let Some(grant) = given.value.grant.here()
        && grant.value == GrantWord::RefreshToken
    {
        findings
            .error(
                codes::TOKEN_URL,
                grant.place,
                "a destination's token cannot be had by a refresh token",
            )
            .expected("expected `client_credentials` or `password`");
    }
    tokens::oauth2(given, url, findings).map(Box::new)
}

fn timeouts(keys: &DestinationKeys) -> DestinationTimeouts {
    let default = DestinationTimeouts::default();
    let total = keys.timeout.value().map_or(default.total, |given| given.0);
    DestinationTimeouts {
        connect: keys
            .connect_timeout
            .value()
            .map_or(default.connect, |given| given.0),
        read: keys.read_timeout.value().map_or(total, |given| given.0),
        total,
    }
}

fn challenge(keys: &DestinationKeys, findings: &mut Findings<'_>) -> Challenge {
    let Some(challenge) = keys.challenge.here() else {
        return Challenge::None;
    };
    if challenge.value != Challenge::None && keys.verification_token.is_absent() {
        findings
            .error(
                codes::CHALLENGE_WITHOUT_TOKEN,
                challenge.place,
                "a challenge without a verification token",
            )
            .expected("the endpoint would have nothing to check")
            .help("write `verification_token: { env: MY_APP_TOKEN }` beside it");
    }
    challenge.value
}

/// What can be said of the address before anything is resolved.
fn check_address(
    url: &Here<crate::kinds::WebUrl>,
    allowed: &[AddressRange],
    findings: &mut Findings<'_>,
) {
    let addresses = literal_addresses(&url.value.0);
    let within = |address: &IpAddr| allowed.iter().any(|range| range.contains(*address));
    let policy = AddressPolicy::PublicOnly {
        except: allowed.to_vec(),
    };
    // A name that stands for several is dialled at the one that may be.
    let refusals = addresses.iter().map(|address| policy.check(*address).err());
    let refused: Option<Vec<AddressRefusal>> = refusals.collect();
    if let Some(refusal) = refused.and_then(|refused| refused.into_iter().next()) {
        let address = refusal.address.to_canonical();
        findings
            .error(
                codes::BAD_ADDRESS,
                url.place,
                format!("{refusal}, which is not dialled unless it is allowed"),
            )
            .help(format!(
                "write `allow_addresses: [\"{address}\"]` beside it if it is meant"
            ));
        return;
    }
    let public = addresses.iter().any(|address| !within(address));
    if url.value.0.scheme() == "http" && (allowed.is_empty() || public && is_public(&url.value.0)) {
        findings
            .warning(
                codes::PLAIN_HTTP,
                url.place,
                "patient data would be sent without encryption",
            )
            .expected("expected https");
    }
}

/// The addresses that stand in the URL itself.
fn literal_addresses(url: &Url) -> Vec<IpAddr> {
    match url.host() {
        Some(Host::Ipv4(address)) => vec![address.into()],
        Some(Host::Ipv6(address)) => vec![address.into()],
        Some(Host::Domain("localhost")) => {
            vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
        }
        Some(Host::Domain(_)) | None => Vec::new(),
    }
}

fn headers(
    keys: &DestinationKeys,
    findings: &mut Findings<'_>,
) -> Vec<(http::HeaderName, HeaderSource)> {
    let mut lowered = Vec::new();
    for pair in keys
        .headers
        .value()
        .into_iter()
        .flat_map(|pairs| &pairs.pairs)
    {
        let Some(name) = header_name(&pair.key, findings) else {
            continue;
        };
        let source = match &pair.value {
            HeaderValueSource::Literal(scalar) => {
                check_header(&name, &pair.key, scalar, HeaderOwner::Destination, findings);
                unmarked::check_plain(scalar, findings);
                header_value(scalar, findings).map(HeaderSource::Literal)
            }
            HeaderValueSource::Secret(reference) => {
                if name == AUTHORIZATION && !keys.bearer.is_absent() {
                    findings
                        .error(
                            codes::BAD_HEADER,
                            pair.key.place,
                            "`authorization` together with `bearer`",
                        )
                        .help("keep one of them");
                }
                reserved_header(&name, &pair.key, HeaderOwner::Destination, findings);
                Some(HeaderSource::Secret(reference.clone()))
            }
        };
        lowered.extend(source.map(|source| (name, source)));
    }
    lowered
}
