//! Whether a push comes from the EHR.

use super::Refusal;
use crate::codes;
use crate::secrets::{SecretError, Secrets};
use crate::webhook::is_signed;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use http::StatusCode;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName};
use jiff::Timestamp;
use rounds_domain::plan::{InboundProof, SecretReference};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// How far the time of a signature may lie from ours (Standard Webhooks recommends some minutes).
const TOLERANCE: Duration = Duration::from_mins(5);

/// What the head of a push shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proven {
    Yes,
    /// Only the body can show it.
    NotYet,
}

/// Why it is not proven.
pub(super) enum Unproven {
    /// The sender's fault.
    Refused(&'static str),
    /// Ours: the secret cannot be read.
    Secret(SecretError),
}

impl From<SecretError> for Unproven {
    fn from(error: SecretError) -> Self {
        Self::Secret(error)
    }
}

impl Unproven {
    pub(super) fn into_refusal(self, not_proven: impl Fn(String) -> Refusal) -> Refusal {
        match self {
            Self::Refused(words) => not_proven(words.to_owned()),
            // It may be there the next time.
            Self::Secret(error) => Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                codes::PUSH_NOT_KEPT,
                format!("{error}; {}", error.hint),
            ),
        }
    }
}

/// What can be judged before the body is read.
pub(super) async fn by_head(
    proof: &InboundProof,
    headers: &HeaderMap,
    secrets: &Secrets,
) -> Result<Proven, Unproven> {
    let (name, expected, reference) = match proof {
        InboundProof::Signature(_) | InboundProof::BodyHmac { .. } => return Ok(Proven::NotYet),
        InboundProof::Bearer(reference) => {
            let secret = secrets.read(reference).await?;
            let expected = format!("Bearer {}", secret.expose_secret());
            (AUTHORIZATION, SecretString::from(expected), reference)
        }
        InboundProof::Basic { username, password } => {
            let secret = secrets.read(password).await?;
            let pair = STANDARD.encode(format!("{username}:{}", secret.expose_secret()));
            let expected = format!("Basic {pair}");
            (AUTHORIZATION, SecretString::from(expected), password)
        }
        InboundProof::Header { name, value } => (name.clone(), secrets.read(value).await?, value),
    };
    let given = headers.get(&name).map(http::HeaderValue::as_bytes);
    match given {
        Some(given) if is_same(given, expected.expose_secret().as_bytes()) => Ok(Proven::Yes),
        Some(_) => {
            // It may have been changed at both ends.
            secrets.forget(reference).await;
            Err(Unproven::Refused("its secret is another"))
        }
        None => Err(Unproven::Refused("it has no secret")),
    }
}

/// What is judged over the body.
pub(super) async fn by_body(
    proof: &InboundProof,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
    secrets: &Secrets,
) -> Result<(), Unproven> {
    match proof {
        InboundProof::Signature(references) => {
            by_signature(references, headers, body, now, secrets).await
        }
        InboundProof::BodyHmac { header, secret } => {
            let key = secrets.read(secret).await?;
            by_hmac(header, key.expose_secret(), headers, body)
        }
        InboundProof::Bearer(_) | InboundProof::Basic { .. } | InboundProof::Header { .. } => {
            Ok(())
        }
    }
}

async fn by_signature(
    references: &[SecretReference],
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
    secrets: &Secrets,
) -> Result<(), Unproven> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(id), Some(timestamp), Some(signatures)) = (
        text("webhook-id"),
        text("webhook-timestamp"),
        text("webhook-signature"),
    ) else {
        return Err(Unproven::Refused("it is not signed"));
    };
    let sent_at = timestamp
        .parse()
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok());
    let is_recent =
        sent_at.is_some_and(|sent_at| now.duration_since(sent_at).unsigned_abs() <= TOLERANCE);
    if !is_recent {
        return Err(Unproven::Refused(
            "its signature's time is not within five minutes of ours",
        ));
    }
    for reference in references {
        let secret = secrets.read(reference).await?;
        if is_signed(reference, &secret, (id, timestamp, body), signatures)? {
            return Ok(());
        }
    }
    Err(Unproven::Refused("its signature does not hold"))
}

fn by_hmac(
    header: &HeaderName,
    key: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), Unproven> {
    let given = headers
        .get(header)
        .and_then(|value| value.to_str().ok())
        .ok_or(Unproven::Refused("it is not signed"))?;
    let given = given.trim();
    let given = given.strip_prefix("sha256=").unwrap_or(given);
    let mac = match from_hex(given) {
        Some(mac) => Some(mac),
        None => STANDARD.decode(given).ok(),
    };
    let wrong = || Unproven::Refused("its signature does not hold");
    let mac = mac.ok_or_else(wrong)?;
    let mut expected = Hmac::<Sha256>::new_from_slice(key.as_bytes()).map_err(|_| wrong())?;
    expected.update(body);
    expected.verify_slice(&mac).map_err(|_| wrong())
}

/// The 32 bytes of 64 hexadecimal digits.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16);
    digits
        .chunks_exact(2)
        .map(|pair| u8::try_from(value(pair[0])? * 16 + value(pair[1])?).ok())
        .collect()
}

/// Compares in a time that tells nothing of where two differ.
fn is_same(given: &[u8], expected: &[u8]) -> bool {
    let (given, expected) = (Sha256::digest(given), Sha256::digest(expected));
    let difference = given
        .iter()
        .zip(&expected)
        .fold(0, |difference, (a, b)| difference | (a ^ b));
    difference == 0
}
