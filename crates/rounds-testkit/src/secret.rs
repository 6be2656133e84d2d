//! Comparing secrets without telling, by the time it takes, how much of a guess was right.

use hmac::{Hmac, Mac};
use sha2::Sha256;

pub(crate) type HmacSha256 = Hmac<Sha256>;

/// An HMAC-SHA256 of `message` under `key`, ready to be finished or verified.
pub(crate) fn hmac_sha256<'a>(
    key: &[u8],
    message: impl IntoIterator<Item = &'a [u8]>,
) -> HmacSha256 {
    // HMAC takes keys of every length (RFC 2104), so this cannot fail.
    let mut mac = HmacSha256::new_from_slice(key).expect("HMAC takes a key of any length");
    message.into_iter().for_each(|part| mac.update(part));
    mac
}

/// Whether two secrets are equal, in a time that depends on neither's content.
pub(crate) fn same_secret(given: &str, wanted: &str) -> bool {
    // Digests have one length and no visible relation to the text, and `verify` compares them in constant time.
    let digest = |text: &str| hmac_sha256(b"rounds-testkit comparison", [text.as_bytes()]);
    digest(given)
        .verify(&digest(wanted).finalize().into_bytes())
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::same_secret;

    #[test]
    fn only_equal_secrets_are_the_same() {
        assert!(same_secret("token", "token"));
        for other in ["", "toke", "token ", "Token"] {
            assert!(!same_secret(other, "token"), "{other:?}");
        }
    }
}
