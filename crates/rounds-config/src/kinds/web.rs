//! URLs, headers and addresses.

use super::{Parse, Problem, parsed};
use crate::codes;
use crate::diagnostic::Findings;
use crate::reading::{Definitions, Read, wrong_type};
use crate::tree::{Node, Scalar};
use rounds_domain::Code;
use rounds_domain::address::{AddressKind, AddressPolicy, AddressRefusal};
use rounds_domain::plan::AddressRange;
use serde_json::{Value, json};
use std::net::{IpAddr, SocketAddr};
use url::{Host, Url};

/// An `http` or `https` URL without user information and fragment.
#[derive(Debug, Clone)]
pub(crate) struct WebUrl(pub(crate) Url);

/// A range of addresses, or one address.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AddressRangeText(pub(crate) AddressRange);

/// The name of a header.
#[derive(Debug, Clone)]
pub(crate) struct HeaderName {
    pub(crate) name: http::HeaderName,
    pub(crate) scalar: Scalar,
}

/// Where a server listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ListenAddress(pub(crate) SocketAddr);

parsed!(AddressRangeText, ListenAddress);

impl Read for WebUrl {
    fn read(node: &Node, findings: &mut Findings<'_>) -> Option<Self> {
        let Some(scalar) = node.scalar().filter(|_| !node.is_null()) else {
            wrong_type(
                node,
                findings,
                "a URL such as `https://fhir.example.org/r4`",
            );
            return None;
        };
        if scalar.text.contains("{{") {
            findings
                .error(
                    codes::BAD_URL,
                    scalar.place,
                    "a placeholder in a URL that is always the same",
                )
                .help("placeholders stand in the paths and queries of an action's requests");
            return None;
        }
        match parse_url(&scalar.text) {
            Ok(url) => match AddressPolicy::NamedByOperator.check_url(&url) {
                Ok(()) => Some(Self(url)),
                Err(refusal) => {
                    findings
                        .error(codes::BAD_ADDRESS, scalar.place, refusal.to_string())
                        .expected("never dialled")
                        .help("use another address; none can be allowed of these");
                    None
                }
            },
            Err((problem, Shown::No)) => {
                let place = crate::tree::inside(
                    findings.sources,
                    scalar,
                    problem.at.start,
                    problem.at.len(),
                );
                let diagnostic = findings.error(codes::BAD_URL, place, problem.message);
                diagnostic.conceal(place);
                if let Some(help) = problem.help {
                    diagnostic.help(help);
                }
                None
            }
            Err((problem, Shown::Yes)) => {
                problem.report(codes::BAD_URL, scalar, "an http or https URL", findings);
                None
            }
        }
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string", "format": "uri", "pattern": "^https?://" })
    }
}

enum Shown {
    Yes,
    No,
}

fn parse_url(text: &str) -> Result<Url, (Problem, Shown)> {
    let fail = |problem| Err((problem, Shown::Yes));
    if let Some((start, end)) = user_information(text) {
        let problem = Problem::new(start..end, "a user name or password in the URL").help(
            "write it under `auth`, by reference; and change it if others could read this file",
        );
        return Err((problem, Shown::No));
    }
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(url::ParseError::RelativeUrlWithoutBase) => {
            let bare = text.split('/').next().unwrap_or_default();
            let problem = Problem::whole(text, "a URL without a scheme");
            let likely = bare.contains('.') || bare.starts_with("localhost");
            return fail(if likely {
                problem.help(format!(
                    "did you mean `https://{}`?",
                    crate::reading::shortened(text)
                ))
            } else {
                problem
            });
        }
        Err(error) => {
            return fail(Problem::whole(
                text,
                format!("a URL that cannot be read: {error}"),
            ));
        }
    };
    if !matches!(url.scheme(), "http" | "https") {
        let scheme = url.scheme();
        let problem = Problem::new(
            0..scheme.len().min(text.len()),
            format!("the scheme `{scheme}`"),
        );
        let host = text.split('/').next().unwrap_or_default().to_owned();
        // `localhost:8080` reads as a scheme.
        return fail(if text.contains("://") {
            problem
        } else {
            problem.help(format!(
                "did you mean `https://{}`?",
                crate::reading::shortened(&host)
            ))
        });
    }
    if let Some(at) = text.find('#') {
        return fail(
            Problem::new(at..text.len(), "a fragment in the URL")
                .help("take it out: it is never sent"),
        );
    }
    Ok(url)
}

/// Where user name and password stand.
fn user_information(text: &str) -> Option<(usize, usize)> {
    let start = text.find("://")? + 3;
    let authority = text[start..]
        .find(['/', '?', '#'])
        .map_or(text.len(), |length| start + length);
    let at = text[start..authority].rfind('@')?;
    Some((start, start + at))
}

/// Whether what is sent there leaves this machine and its own network: a guess from the URL alone.
pub(crate) fn is_public(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => {
            !(address.is_private() || address.is_loopback() || address.is_link_local())
        }
        Some(Host::Ipv6(address)) => !(address.is_loopback() || address.is_unique_local()),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            let inner = ["localhost", "local", "internal", "lan", "home.arpa", "test"];
            let inner = inner
                .iter()
                .any(|suffix| name == *suffix || name.ends_with(&format!(".{suffix}")));
            // A name without a dot is one of the local network.
            !inner && name.contains('.')
        }
        None => true,
    }
}

/// How many bits link-local addresses of IPv6 have in common, which are the widest that are never dialled.
const LINK_LOCAL_BITS: u8 = 10;

impl Parse for AddressRangeText {
    const EXPECTED: &'static str = "an address range such as `10.0.0.0/8`, or an address";
    const CODE: Code = codes::BAD_ADDRESS;

    fn parse(text: &str) -> Result<Self, Problem> {
        let (address_text, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let Ok(address) = address_text.trim().parse::<IpAddr>() else {
            let problem = Problem::new(0..address_text.len(), "no IP address");
            return Err(
                problem.help("names are not resolved here: write the addresses that they have")
            );
        };
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match bits.map(str::parse::<u8>) {
            None => most,
            Some(Ok(bits)) if bits <= most => bits,
            Some(_) => {
                let at = address_text.len() + 1..text.len();
                return Err(Problem::new(at, format!("a prefix has 0 to {most} bits")));
            }
        };
        let kind = AddressKind::of(address);
        // A wider range may hold others besides.
        if kind.is_never_dialled() && prefix_bits >= LINK_LOCAL_BITS {
            let refusal = AddressRefusal { address, kind };
            return Err(Problem::whole(text, refusal.to_string())
                .help("these are never dialled, so it allows nothing"));
        }
        Ok(Self(AddressRange {
            address,
            prefix_bits,
        }))
    }

    fn pattern() -> Value {
        json!({ "type": "string" })
    }
}

impl Parse for ListenAddress {
    const EXPECTED: &'static str = "an address and a port such as `127.0.0.1:8750`";
    const CODE: Code = codes::BAD_ADDRESS;

    fn parse(text: &str) -> Result<Self, Problem> {
        text.trim().parse().map(Self).map_err(|_| {
            Problem::new(0..text.len(), "no address with a port")
                .help("`127.0.0.1:8750` is this machine alone, `0.0.0.0:8750` all its networks")
        })
    }

    fn pattern() -> Value {
        json!({ "type": "string" })
    }
}

impl Read for HeaderName {
    fn read(node: &Node, findings: &mut Findings<'_>) -> Option<Self> {
        let scalar = super::Text::read(node, findings)?.0;
        let name = header_name(&scalar, findings)?;
        Some(Self { name, scalar })
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string", "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$" })
    }
}

/// The header of that name, or a report.
pub(crate) fn header_name(
    scalar: &Scalar,
    findings: &mut Findings<'_>,
) -> Option<http::HeaderName> {
    let name = http::HeaderName::from_bytes(scalar.text.as_bytes()).ok();
    if name.is_none() {
        findings
            .error(codes::BAD_HEADER, scalar.place, "no name of a header")
            .expected("expected letters, digits and `-`, such as `x-tenant`");
    }
    name
}

/// The literal value of a header, or a report.
pub(crate) fn header_value(
    scalar: &Scalar,
    findings: &mut Findings<'_>,
) -> Option<http::HeaderValue> {
    let value = http::HeaderValue::from_str(&scalar.text).ok();
    if value.is_none() {
        findings
            .error(
                codes::BAD_HEADER,
                scalar.place,
                "a value that no header can carry",
            )
            .expected("expected printable characters, no line breaks");
    }
    value
}
