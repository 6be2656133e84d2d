//! Webhook signatures as a receiver checks them: Standard Webhooks 1.0.0, symmetric (`v1`).
//!
//! Written from the specification and apart from the code that signs in Rounds, so that a mistake in one does not hide in the other. The signed
//! content is `{webhook-id}.{webhook-timestamp}.{raw body}`; the signature header is a list, divided by spaces, of `v1,` + base64.

use std::fmt;

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac;
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

use crate::secret::hmac_sha256;

/// How old, or how far ahead, a signed timestamp may be.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// A signing secret. Its Debug shows nothing of it.
#[derive(Clone)]
pub struct SigningSecret {
    key: Vec<u8>,
}

/// Why a text is not a signing secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a signing secret is `whsec_` followed by base64, and this text is not")]
pub struct BadSecret;

/// Why a notification's signature was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// A header is not there or not text.
    #[error("the header {0} is missing")]
    MissingHeader(&'static str),
    /// `webhook-timestamp` is not a count of seconds.
    #[error("webhook-timestamp is not a number of Unix seconds")]
    BadTimestamp,
    /// The timestamp is too far from now.
    #[error("webhook-timestamp is {} s off, and 300 s are allowed", .0.as_secs())]
    Stale(SignedDuration),
    /// No signature of the list fits any secret.
    #[error("no signature in webhook-signature fits a secret of this receiver")]
    Mismatch,
}

impl SigningSecret {
    /// Reads `whsec_<base64>`; the prefix may be left out.
    pub fn parse(text: &str) -> Result<Self, BadSecret> {
        let key = STANDARD
            .decode(text.strip_prefix("whsec_").unwrap_or(text))
            .map_err(|_error| BadSecret)?;
        if key.is_empty() {
            Err(BadSecret)
        } else {
            Ok(Self { key })
        }
    }

    /// The signature of these contents, as `v1,<base64>`. For stories that play the sender.
    pub fn sign(&self, id: &str, timestamp: Timestamp, body: &[u8]) -> String {
        let digest = self
            .mac(id, &timestamp.as_second().to_string(), body)
            .finalize()
            .into_bytes();
        format!("v1,{}", STANDARD.encode(digest))
    }

    fn mac(&self, id: &str, timestamp: &str, body: &[u8]) -> crate::secret::HmacSha256 {
        hmac_sha256(
            &self.key,
            [id.as_bytes(), b".", timestamp.as_bytes(), b".", body],
        )
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SigningSecret(redacted)")
    }
}

/// Checks that one of `secrets` signed this, and not long from `now`.
pub(crate) fn verify(
    secrets: &[SigningSecret],
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<(), SignatureError> {
    let header = |name: &'static str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.ok_or(SignatureError::MissingHeader(name))
    };
    let (id, timestamp, signatures) = (
        header("webhook-id")?,
        header("webhook-timestamp")?,
        header("webhook-signature")?,
    );

    let seconds = timestamp
        .parse()
        .map_err(|_error| SignatureError::BadTimestamp)?;
    let signed_at =
        Timestamp::from_second(seconds).map_err(|_error| SignatureError::BadTimestamp)?;
    let off = now.duration_since(signed_at).abs();
    if off > TOLERANCE {
        return Err(SignatureError::Stale(off));
    }
    // Tags other than v1 (v1a is ed25519) belong to receivers that hold another kind of key.
    let given: Vec<Vec<u8>> = signatures
        .split(' ')
        .filter_map(|one| one.strip_prefix("v1,"))
        .filter_map(|text| STANDARD.decode(text).ok())
        .collect();
    // `verify_slice` compares in constant time.
    let fits = |secret: &SigningSecret| {
        given.iter().any(|signature| {
            secret
                .mac(id, timestamp, body)
                .verify_slice(signature)
                .is_ok()
        })
    };
    if secrets.iter().any(fits) {
        Ok(())
    } else {
        Err(SignatureError::Mismatch)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const OLD: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const NEW: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;

    fn now() -> Timestamp {
        Timestamp::from_second(1_614_265_330).expect("a valid instant")
    }

    fn secret(text: &str) -> SigningSecret {
        SigningSecret::parse(text).expect("a valid secret")
    }

    fn headers(id: &str, timestamp: &str, signature: &str) -> HeaderMap {
        let value = |text: &str| HeaderValue::try_from(text).expect("a valid header");
        let pairs = [
            ("webhook-id", id),
            ("webhook-timestamp", timestamp),
            ("webhook-signature", signature),
        ];
        pairs
            .into_iter()
            .map(|(name, text)| (axum::http::HeaderName::from_static(name), value(text)))
            .collect()
    }

    #[test]
    fn our_signature_is_the_one_of_the_reference_library() {
        let reference =
            standardwebhooks::Webhook::new(NEW).expect("the reference takes the secret");
        let theirs = reference
            .sign("msg_1", now().as_second(), BODY)
            .expect("the reference signs");
        assert_eq!(secret(NEW).sign("msg_1", now(), BODY), theirs);
    }

    #[test]
    fn any_secret_may_fit_any_signature_of_the_list() {
        let list = format!(
            "v1a,AAAA v1,{} {}",
            "AAAA",
            secret(NEW).sign("msg_1", now(), BODY)
        );
        let headers = headers("msg_1", "1614265330", &list);
        assert_eq!(
            verify(&[secret(OLD), secret(NEW)], &headers, BODY, now()),
            Ok(())
        );
        assert_eq!(
            verify(&[secret(OLD)], &headers, BODY, now()),
            Err(SignatureError::Mismatch)
        );
        assert_eq!(
            verify(&[secret(NEW)], &headers, b"{}", now()),
            Err(SignatureError::Mismatch)
        );
    }

    #[test]
    fn another_id_or_time_breaks_the_signature() {
        let signature = secret(NEW).sign("msg_1", now(), BODY);
        for (id, timestamp) in [("msg_2", "1614265330"), ("msg_1", "1614265331")] {
            let headers = headers(id, timestamp, &signature);
            assert_eq!(
                verify(&[secret(NEW)], &headers, BODY, now()),
                Err(SignatureError::Mismatch),
                "{id} {timestamp}"
            );
        }
    }

    #[test]
    fn five_minutes_either_way_are_allowed_and_no_second_more() {
        let headers = headers(
            "msg_1",
            "1614265330",
            &secret(NEW).sign("msg_1", now(), BODY),
        );
        for (seconds, allowed) in [(300, true), (-300, true), (301, false), (-301, false)] {
            let later = now() + SignedDuration::from_secs(seconds);
            assert_eq!(
                verify(&[secret(NEW)], &headers, BODY, later).is_ok(),
                allowed,
                "{seconds}"
            );
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let mut headers = headers("msg_1", "soon", "v1,AAAA");
        assert_eq!(
            verify(&[secret(NEW)], &headers, BODY, now()),
            Err(SignatureError::BadTimestamp)
        );
        headers.remove("webhook-id");
        assert_eq!(
            verify(&[secret(NEW)], &headers, BODY, now()),
            Err(SignatureError::MissingHeader("webhook-id"))
        );
        assert_eq!(
            SigningSecret::parse("whsec_").expect_err("it is empty"),
            BadSecret
        );
        assert_eq!(
            SigningSecret::parse("whsec_*").expect_err("it is not base64"),
            BadSecret
        );
    }
}
