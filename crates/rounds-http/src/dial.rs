//! Clients that dial only what they may.
//!
//! One client serves every connection or destination with the same rules for dialling, because a client holds a
//! connection pool and the machine's trust store, and neither should be had a thousand times over.

use futures_util::FutureExt;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rounds_domain::Code;
use rounds_domain::address::{AddressPolicy, AddressRefusal};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use url::{Host, Url};

/// Idle connections kept per host: enough for the usual number of requests under way.
const IDLE_CONNECTIONS_PER_HOST: usize = 8;
/// Shorter than the keep-alive of the usual servers, so that we rarely write into a connection that is being closed.
const IDLE_CONNECTION_TIMEOUT: Duration = Duration::from_secs(20);
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);
/// A check does not wait longer for a name.
const LONGEST_RESOLUTION: Duration = Duration::from_secs(3);
/// More addresses than any honest name has.
const MOST_ADDRESSES: usize = 64;

/// A client that could not be made, or a plan that it cannot carry out.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct ClientBuildError {
    /// The stable code.
    pub code: Code,
    /// For whom, and what went wrong.
    pub message: String,
}

/// Whether bodies are asked for and read compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    Gzip,
    None,
}

/// What must be equal for two to share a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DialRules {
    pub(crate) policy: AddressPolicy,
    pub(crate) connect_timeout: Duration,
    pub(crate) compression: Compression,
    pub(crate) connections: Connections,
}

/// Whether a connection is used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connections {
    /// It is, if it has not been idle for long.
    Kept,
    /// Each request has its own.
    Fresh,
}

/// Makes each client once.
#[derive(Default)]
pub(crate) struct Clients {
    made: Vec<(DialRules, reqwest::Client)>,
}

impl Clients {
    /// The client with these rules.
    pub(crate) fn with(&mut self, rules: DialRules) -> reqwest::Result<reqwest::Client> {
        if let Some((_, client)) = self.made.iter().find(|(made, _)| *made == rules) {
            return Ok(client.clone());
        }
        let client = builder(&rules).build()?;
        self.made.push((rules, client.clone()));
        Ok(client)
    }
}

/// A client with these rules, to which its own certificates may be added.
pub(crate) fn builder(rules: &DialRules) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("rounds/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        // A proxy would resolve names elsewhere, where nobody judges the address.
        .no_proxy()
        // Who retries, and when, is decided where the attempt is kept.
        .retry(reqwest::retry::never())
        .gzip(rules.compression == Compression::Gzip)
        .connect_timeout(rules.connect_timeout)
        .pool_max_idle_per_host(match rules.connections {
            Connections::Kept => IDLE_CONNECTIONS_PER_HOST,
            Connections::Fresh => 0,
        })
        .pool_idle_timeout(IDLE_CONNECTION_TIMEOUT)
        .tcp_keepalive(TCP_KEEPALIVE)
        .tls_version_min(reqwest::tls::Version::TLS_1_2)
        .dns_resolver(GuardedResolver {
            policy: rules.policy.clone(),
        })
}

/// The system's resolver, with every answer judged. What it lets through is what is dialled: no second question is
/// asked whose answer could differ.
struct GuardedResolver {
    policy: AddressPolicy,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.policy.clone();
        async move {
            let addresses = resolved(&policy, name.as_str()).await?;
            Ok::<Addrs, _>(Box::new(addresses.into_iter()))
        }
        .boxed()
    }
}

/// The addresses of a name, if all of them may be dialled.
async fn resolved(
    policy: &AddressPolicy,
    name: &str,
) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
    if is_localhost(name) {
        return Ok(loopback(policy)?);
    }
    // The port is filled in by who asks.
    let found: Vec<SocketAddr> = tokio::net::lookup_host((name, 0))
        .await?
        .take(MOST_ADDRESSES)
        .collect();
    vetted(policy, found)
}

/// Whether a URL leads to where it may not, as names are resolved here and now. A name that nobody knows here leads nowhere, which says
/// nothing about where Rounds will run.
pub(crate) async fn check_url(policy: &AddressPolicy, url: &Url) -> Result<(), AddressRefusal> {
    policy.check_url(url)?;
    let Some(Host::Domain(name)) = url.host() else {
        return Ok(());
    };
    match tokio::time::timeout(LONGEST_RESOLUTION, resolved(policy, name)).await {
        Ok(Err(error)) => error
            .downcast::<AddressRefusal>()
            .map_or(Ok(()), |refusal| Err(*refusal)),
        Ok(Ok(_)) | Err(_) => Ok(()),
    }
}

/// RFC 6761: `localhost`, and every name that ends in it, with or without the dot of the root, is this machine, and no
/// resolver is asked.
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let zone = "localhost";
    let Some(start) = name.len().checked_sub(zone.len()) else {
        return false;
    };
    name.get(start..)
        .is_some_and(|end| end.eq_ignore_ascii_case(zone))
        && (start == 0 || name.as_bytes().get(start - 1) == Some(&b'.'))
}

/// Those addresses of this machine that may be dialled. Unlike a resolver's answer, this one is our own, so a part of
/// it may be used.
fn loopback(policy: &AddressPolicy) -> Result<Vec<SocketAddr>, AddressRefusal> {
    let v4 = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let refusal = policy.check(v4).err();
    let allowed: Vec<SocketAddr> = [v4, v6]
        .into_iter()
        .filter(|address| policy.check(*address).is_ok())
        .map(|address| SocketAddr::new(address, 0))
        .collect();
    match refusal {
        Some(refusal) if allowed.is_empty() => Err(refusal),
        _ => Ok(allowed),
    }
}

/// All of them or none: a name that has both a public and a private address is not to be trusted with either.
fn vetted(
    policy: &AddressPolicy,
    found: Vec<SocketAddr>,
) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into());
    }
    for address in &found {
        policy.check(address.ip())?;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rounds_domain::plan::AddressRange;

    fn public_only() -> AddressPolicy {
        AddressPolicy::PublicOnly { except: Vec::new() }
    }

    #[test]
    fn localhost_is_known_in_every_spelling() {
        for name in [
            "localhost",
            "localhost.",
            "LOCALHOST",
            "app.localhost",
            "app.Localhost.",
        ] {
            assert!(is_localhost(name), "{name}");
        }
        for name in [
            "localhosts",
            "notlocalhost",
            "localhost.example.org",
            "localhost..",
            "",
            "ölocalhost",
            "host",
        ] {
            assert!(!is_localhost(name), "{name}");
        }
    }

    #[test]
    fn one_bad_address_rejects_the_whole_answer() {
        let good = SocketAddr::from(([8, 8, 8, 8], 0));
        let bad = SocketAddr::from(([10, 0, 0, 1], 0));
        assert!(vetted(&public_only(), vec![good]).is_ok());
        assert!(vetted(&public_only(), vec![]).is_err());
        for answer in [vec![good, bad], vec![bad, good], vec![bad]] {
            let error = vetted(&public_only(), answer).expect_err("it holds a private address");
            assert_eq!(error.to_string(), "10.0.0.1 is a private address");
        }
    }

    #[tokio::test]
    async fn localhost_is_resolved_to_what_may_be_dialled() -> Result<(), Box<dyn std::error::Error>>
    {
        let only_v4 = AddressPolicy::PublicOnly {
            except: vec![AddressRange {
                address: IpAddr::V4(Ipv4Addr::LOCALHOST),
                prefix_bits: 8,
            }],
        };
        for (policy, expected) in [
            (public_only(), None),
            (only_v4, Some(1)),
            (AddressPolicy::NamedByOperator, Some(2)),
        ] {
            let answer = GuardedResolver { policy }
                .resolve("localhost.".parse()?)
                .await;
            assert_eq!(answer.ok().map(Iterator::count), expected);
        }
        Ok(())
    }

    #[test]
    fn equal_rules_share_a_client() -> reqwest::Result<()> {
        let rules = |seconds| DialRules {
            policy: public_only(),
            connect_timeout: Duration::from_secs(seconds),
            compression: Compression::None,
            connections: Connections::Kept,
        };
        let mut clients = Clients::default();
        clients.with(rules(1))?;
        clients.with(rules(2))?;
        clients.with(rules(1))?;
        assert_eq!(clients.made.len(), 2);
        Ok(())
    }
}
