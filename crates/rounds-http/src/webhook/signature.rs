//! Standard Webhooks 1.0.0 over `{id}.{timestamp}.{body}`: `v1` is HMAC-SHA256 with a secret that both ends know, `v1a` is ed25519 with a
//! private key that only we know.
//!
//! Which one it is follows from the secret's prefix, `whsec_` or `whsk_`. Both may sign at once, as may old and new secrets.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, Mac};
use secrecy::SecretString;
use sha2::Sha256;
use std::ops::RangeInclusive;

/// How many bytes a symmetric secret has, by the specification.
const SECRET_BYTES: RangeInclusive<usize> = 24..=64;
/// How many bytes of it we make.
const MADE_SECRET_BYTES: usize = 32;
/// How many bytes an ed25519 seed has; what the specification writes as a private key is the seed and, mostly, the public key after it.
const SEED_BYTES: usize = 32;
const SYMMETRIC: &str = "whsec_";
const PRIVATE: &str = "whsk_";
const PUBLIC: &str = "whpk_";

/// People lose the padding when they copy.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A key that signs. Has no Debug: it is the secret.
pub(super) enum SigningKey {
    Symmetric(Hmac<Sha256>),
    Asymmetric(Box<Ed25519KeyPair>),
}

impl SigningKey {
    /// Reads `whsec_` (or nothing) and the base64 of 24 to 64 bytes, or `whsk_` and the base64 of an ed25519 key. An error is words to be read after
    /// the secret's name.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if let Some(encoded) = text.strip_prefix(PRIVATE) {
            return Self::private(encoded);
        }
        let encoded = text.strip_prefix(SYMMETRIC).unwrap_or(text);
        let bytes = LENIENT
            .decode(encoded)
            .map_err(|_| "is not base64 after whsec_")?;
        if !SECRET_BYTES.contains(&bytes.len()) {
            return Err("has not 24 to 64 bytes");
        }
        Hmac::new_from_slice(&bytes)
            .map(Self::Symmetric)
            .map_err(|_| "is not a key for HMAC-SHA256")
    }

    fn private(encoded: &str) -> Result<Self, &'static str> {
        let bytes = LENIENT
            .decode(encoded)
            .map_err(|_| "is not base64 after whsk_")?;
        let pair = match bytes.split_at_checked(SEED_BYTES) {
            Some((seed, [])) => Ed25519KeyPair::from_seed_unchecked(seed),
            Some((seed, public)) => Ed25519KeyPair::from_seed_and_public_key(seed, public),
            None => return Err("has not the 32 or 64 bytes of an ed25519 key after whsk_"),
        };
        pair.map(|pair| Self::Asymmetric(Box::new(pair)))
            .map_err(|_| "is not an ed25519 key, or its public half is another key's")
    }

    /// One entry of the header `webhook-signature`.
    pub(super) fn sign(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
        match self {
            Self::Symmetric(key) => {
                let mut mac = key.clone();
                for part in parts {
                    mac.update(part);
                }
                format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
            }
            Self::Asymmetric(pair) => {
                let signature = pair.sign(&parts.concat());
                format!("v1a,{}", STANDARD.encode(signature.as_ref()))
            }
        }
    }
}

impl SigningKey {
    /// Whether one of these signatures, as the header holds them, is this key's. Only a symmetric one is compared.
    pub(super) fn is_among(
        &self,
        (id, timestamp, body): (&str, &str, &[u8]),
        signatures: &str,
    ) -> bool {
        let Self::Symmetric(key) = self else {
            return false;
        };
        let given = signatures
            .split(' ')
            .filter_map(|one| one.strip_prefix("v1,"))
            .filter_map(|one| STANDARD.decode(one).ok());
        given.into_iter().any(|given| {
            let mut mac = key.clone();
            for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
                mac.update(part);
            }
            mac.verify_slice(&given).is_ok()
        })
    }
}

/// A new symmetric secret, `whsec_...`, for both ends.
///
/// # Errors
/// When the system has no randomness to give.
pub fn generate_webhook_secret() -> Result<SecretString, NoRandomness> {
    let mut bytes = [0; MADE_SECRET_BYTES];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(format!("{SYMMETRIC}{}", STANDARD.encode(bytes)).into())
}

/// A new private key, `whsk_...`, and its public half, `whpk_...`, for the receiver.
///
/// # Errors
/// When the system has no randomness to give.
pub fn generate_webhook_key() -> Result<(SecretString, String), NoRandomness> {
    let mut seed = [0; SEED_BYTES];
    aws_lc_rs::rand::fill(&mut seed).map_err(|_| NoRandomness)?;
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| NoRandomness)?;
    let public = pair.public_key().as_ref();
    let private = [seed.as_slice(), public].concat();
    Ok((
        format!("{PRIVATE}{}", STANDARD.encode(private)).into(),
        format!("{PUBLIC}{}", STANDARD.encode(public)),
    ))
}

/// The system gave no randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gave no randomness")]
pub struct NoRandomness;

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    /// The example of the specification's reference libraries.
    #[test]
    fn the_reference_example_comes_out() {
        let key =
            SigningKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").map_err(str::to_owned);
        let signature = key.map(|key| {
            key.sign(
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                "1614265330",
                br#"{"test": 2432232314}"#,
            )
        });
        assert_eq!(
            signature.as_deref(),
            Ok("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
        );
    }

    #[test]
    fn secrets_have_24_to_64_bytes_with_or_without_prefix_and_padding() {
        for length in [24, 25, 26, 64] {
            let encoded = STANDARD.encode(vec![7; length]);
            for text in [
                format!("whsec_{encoded}"),
                encoded.clone(),
                encoded.trim_end_matches('=').to_owned(),
            ] {
                assert!(SigningKey::parse(&text).is_ok(), "{text}");
            }
        }
        for text in [
            String::new(),
            "whsec_".to_owned(),
            "whsec_not base64!".to_owned(),
            STANDARD.encode([7; 23]),
            STANDARD.encode([7; 65]),
        ] {
            assert!(SigningKey::parse(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_an_asymmetric_key_signs_its_public_half_verifies() {
        use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
        let (private, public) = generate_webhook_key().expect("a key");
        let public = STANDARD
            .decode(public.strip_prefix(PUBLIC).expect("whpk_"))
            .expect("base64");
        let private = private.expose_secret();
        let whole = STANDARD
            .decode(private.strip_prefix(PRIVATE).expect("whsk_"))
            .expect("base64");
        let seed_only = format!("{PRIVATE}{}", STANDARD.encode(&whole[..SEED_BYTES]));
        for text in [private, &seed_only] {
            let key = SigningKey::parse(text)
                .map_err(str::to_owned)
                .expect("a key");
            let signature = key.sign("msg_1", "1614265330", b"{}");
            let signature = signature.strip_prefix("v1a,").expect("v1a");
            let signature = STANDARD.decode(signature).expect("base64");
            UnparsedPublicKey::new(&ED25519, &public)
                .verify(b"msg_1.1614265330.{}", &signature)
                .expect("verified");
        }
        let mut other = whole;
        other[SEED_BYTES] ^= 1;
        for text in [
            format!("{PRIVATE}{}", STANDARD.encode(other)),
            format!("{PRIVATE}{}", STANDARD.encode([1; 31])),
            format!("{PRIVATE}no base64!"),
        ] {
            assert!(SigningKey::parse(&text).is_err());
        }
    }

    #[test]
    fn what_is_made_can_be_read() {
        let secret = generate_webhook_secret().expect("a secret");
        assert!(SigningKey::parse(secret.expose_secret()).is_ok());
    }
}
