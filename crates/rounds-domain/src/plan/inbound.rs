//! What an EHR pushes by itself.

use super::SecretReference;
use std::net::SocketAddr;

/// Where and how an EHR may push events. An action of the connection that takes them has the path `/CONNECTION/ACTION` there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inbound {
    /// Where Rounds listens, without TLS: what is reached from outside stands behind a proxy that has it.
    pub listen: SocketAddr,
    /// How the EHR proves itself.
    pub proof: InboundProof,
    /// How many bytes a push may have.
    pub body_limit_bytes: u64,
}

impl Inbound {
    /// [`Inbound::body_limit_bytes`] where the user says nothing: 10 MiB.
    pub const DEFAULT_BODY_LIMIT_BYTES: u64 = 10 * 1024 * 1024;
}

/// How an EHR proves itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InboundProof {
    /// Standard Webhooks, symmetric: any of these secrets.
    Signature(Vec<SecretReference>),
    /// `Authorization: Bearer`.
    Bearer(SecretReference),
    /// `Authorization: Basic`.
    Basic {
        /// The user name.
        username: String,
        /// The password.
        password: SecretReference,
    },
    /// A header that holds a secret.
    Header {
        /// Its name.
        name: http::HeaderName,
        /// Its value.
        value: SecretReference,
    },
    /// A header that holds the HMAC-SHA256 of the body, in hex or base64, perhaps after `sha256=`.
    BodyHmac {
        /// Its name.
        header: http::HeaderName,
        /// The key, as text.
        secret: SecretReference,
    },
}

impl InboundProof {
    /// The secrets that it needs, each with its key in the configuration.
    pub fn secrets(&self) -> Vec<(&'static str, &SecretReference)> {
        match self {
            Self::Signature(secrets) => secrets
                .iter()
                .map(|secret| ("signing_secret", secret))
                .collect(),
            Self::Bearer(token) => vec![("bearer", token)],
            Self::Basic { password, .. } => vec![("basic.password", password)],
            Self::Header { value, .. } => vec![("header.value", value)],
            Self::BodyHmac { secret, .. } => vec![("body_hmac.secret", secret)],
        }
    }
}
