//! The assertion of SMART Backend Services (SMART App Launch 2.2, "Client Authentication: Asymmetric").

use crate::keys::{KeyError, SigningKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use rounds_domain::plan::SmartBackend;
use secrecy::SecretString;
use serde_json::json;
use std::time::Duration;
use url::Url;

/// `client_assertion_type` (RFC 7523, 2.2).
pub(crate) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The standard allows five minutes at most. One less leaves room for a server whose clock is behind ours.
const VALID_FOR: Duration = Duration::from_mins(4);

/// A new assertion for one request: its `jti` is used once. It has neither `iat` nor `nbf`, which only a clock that is a
/// little off could break.
pub(crate) fn assertion(
    smart: &SmartBackend,
    key: &SigningKey,
    token_url: &Url,
    now: Timestamp,
) -> Result<SecretString, KeyError> {
    let mut unique = [0; 16];
    getrandom::fill(&mut unique).map_err(|_| KeyError {
        reason: "the system gave no randomness".to_owned(),
        hint: "try again".to_owned(),
    })?;
    let claims = json!({
        "iss": smart.client_id,
        "sub": smart.client_id,
        "aud": smart.audience.as_deref().unwrap_or(token_url.as_str()),
        "exp": now.saturating_add(VALID_FOR).unwrap_or(now).as_second(),
        "jti": URL_SAFE_NO_PAD.encode(unique),
    });
    key.assertion(
        smart.key_id.as_deref(),
        smart.key_set_url.as_ref().map(Url::as_str),
        &claims,
    )
}
