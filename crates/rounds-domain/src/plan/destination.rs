//! Where notifications go.

use super::{OAuth2, RetrySchedule, SecretReference};
use crate::{DeliveryOrder, DestinationName};
use std::fmt;
use std::time::Duration;
use url::Url;

/// A webhook endpoint. Debug shows its origin and names of headers only: a path may be a credential.
#[derive(Clone)]
pub struct Destination {
    /// Its name.
    pub name: DestinationName,
    /// Where notifications are posted.
    pub url: Url,
    /// Standard Webhooks secrets (`whsec_...` for v1, `whsk_...` for v1a), all signing at once, for rotation; may be empty.
    pub signing_secrets: Vec<SecretReference>,
    /// Redox's `verification-token` header.
    pub verification_token: Option<SecretReference>,
    /// `Authorization: Bearer ...`.
    pub bearer: Option<SecretReference>,
    /// An access token that is asked for.
    pub oauth2: Option<Box<OAuth2>>,
    /// What proves us in TLS (mTLS).
    pub client_certificate: Option<ClientCertificate>,
    /// Certificates in PEM that are trusted beside those of the machine.
    pub certificate_authority: Option<SecretReference>,
    /// Further headers; values are literal or secrets.
    pub headers: Vec<(http::HeaderName, HeaderSource)>,
    /// Whether the endpoint must answer Redox's challenge before the first notification is sent.
    pub challenge: Challenge,
    /// Bounds on one attempt.
    pub timeouts: DestinationTimeouts,
    /// When a refused or unanswered one is tried again.
    pub retry: RetrySchedule,
    /// How many attempts may be under way at once.
    pub in_flight: u32,
    /// What its deliveries wait for.
    pub order: DeliveryOrder,
    /// How many different notifications in a row must fail before it is only tried now and then.
    pub breaker_after: u32,
    /// Private and loopback address ranges that may be dialled all the same, as CIDR. Metadata addresses are never dialled.
    pub allow_addresses: Vec<AddressRange>,
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Destination")
            .field("name", &self.name)
            .field("url", &self.url.origin().ascii_serialization())
            .field("signing_secrets", &self.signing_secrets)
            .field("verification_token", &self.verification_token)
            .field("bearer", &self.bearer)
            .field("oauth2", &self.oauth2)
            .field("client_certificate", &self.client_certificate)
            .field("certificate_authority", &self.certificate_authority)
            .field("headers", &headers)
            .field("challenge", &self.challenge)
            .field("timeouts", &self.timeouts)
            .field("retry", &self.retry)
            .field("in_flight", &self.in_flight)
            .field("order", &self.order)
            .field("breaker_after", &self.breaker_after)
            .field("allow_addresses", &self.allow_addresses)
            .finish()
    }
}

impl Destination {
    /// [`Destination::in_flight`] where the user says nothing.
    pub const DEFAULT_IN_FLIGHT: u32 = 8;
    /// [`Destination::breaker_after`] where the user says nothing.
    pub const DEFAULT_BREAKER_AFTER: u32 = 10;
}

pub use self::range::AddressRange;
pub use self::source::HeaderSource;

mod source {
    use super::SecretReference;

    /// Where a header's value comes from.
    #[derive(Debug, Clone)]
    pub enum HeaderSource {
        /// As written.
        Literal(http::HeaderValue),
        /// A secret.
        Secret(SecretReference),
    }
}

mod range {
    use std::net::IpAddr;

    /// A CIDR range such as `10.0.0.0/8`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct AddressRange {
        /// Any address within it.
        pub address: IpAddr,
        /// How many leading bits are fixed: at most 32 or 128.
        pub prefix_bits: u8,
    }

    impl AddressRange {
        /// Whether the range holds this address. An IPv4 range also holds the IPv4-mapped IPv6 form.
        pub fn contains(&self, address: IpAddr) -> bool {
            match (self.address, address.to_canonical()) {
                (IpAddr::V4(range), IpAddr::V4(address)) => {
                    let shift = 32_u32.saturating_sub(u32::from(self.prefix_bits));
                    range.to_bits().checked_shr(shift) == address.to_bits().checked_shr(shift)
                }
                (IpAddr::V6(range), IpAddr::V6(address)) => {
                    let shift = 128_u32.saturating_sub(u32::from(self.prefix_bits));
                    range.to_bits().checked_shr(shift) == address.to_bits().checked_shr(shift)
                }
                _ => false,
            }
        }
    }
}

/// Whether and how an endpoint proves itself before the first notification (Redox: "create and verify an endpoint").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Challenge {
    /// It need not.
    #[default]
    None,
    /// A POST with `{"verification-token", "challenge"}`; the answer's body holds the challenge.
    Post,
    /// A GET with the two as query parameters.
    Get,
}

/// A certificate for TLS, with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// PEM, with its chain.
    pub certificate: SecretReference,
    /// PEM.
    pub private_key: SecretReference,
}

/// Bounds on one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DestinationTimeouts {
    /// For the connection.
    pub connect: Duration,
    /// For each wait for more of the answer.
    pub read: Duration,
    /// For the whole attempt, the answer's body included.
    pub total: Duration,
}

impl Default for DestinationTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            read: Duration::from_secs(30),
            total: Duration::from_secs(30),
        }
    }
}
