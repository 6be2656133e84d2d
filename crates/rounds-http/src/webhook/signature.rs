//! Standard Webhooks 1.0.0, symmetric: HMAC-SHA256 over `{id}.{timestamp}.{body}`.

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::ops::RangeInclusive;

/// How many bytes a secret has, by the specification.
const SECRET_BYTES: RangeInclusive<usize> = 24..=64;
const PREFIX: &str = "whsec_";

/// People lose the padding when they copy.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A key that signs. Has no Debug: it is the secret.
pub(super) struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    /// Reads `whsec_` and base64, or base64 alone, of 24 to 64 bytes. An error is words to be read after the secret's name.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let encoded = text.strip_prefix(PREFIX).unwrap_or(text);
        let bytes = LENIENT
            .decode(encoded)
            .map_err(|_| "is not base64 after whsec_")?;
        if !SECRET_BYTES.contains(&bytes.len()) {
            return Err("has not 24 to 64 bytes");
        }
        Hmac::new_from_slice(&bytes)
            .map(Self)
            .map_err(|_| "is not a key for HMAC-SHA256")
    }

    /// One entry of the header `webhook-signature`.
    pub(super) fn sign(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        let mut mac = self.0.clone();
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
