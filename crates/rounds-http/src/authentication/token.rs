//! The answer of a token endpoint (RFC 6749, 5).

use crate::ehr::failure::Cause;
use http::StatusCode;
use rounds_domain::ports::EhrResponse;
use secrecy::SecretString;
use serde_json::Value;
use std::time::Duration;

/// More than any server means by it; a longer one is taken as this.
const LONGEST_LIFETIME: Duration = Duration::from_hours(24 * 365);

/// The words of RFC 6749, 5.2, and those that servers send beside them. Nothing else that a server says is shown: it may repeat what
/// it was sent.
const KNOWN_WORDS: [&str; 9] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "access_denied",
    "server_error",
    "temporarily_unavailable",
];

/// A token that was given.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) access_token: SecretString,
    /// None where the server does not say.
    pub(super) lifetime: Option<Duration>,
    pub(super) scope: Option<String>,
    pub(super) refresh_token: Option<SecretString>,
}

/// Reads the answer, or says why there is no token in it.
pub(super) fn read(answer: &EhrResponse) -> Result<Given, Cause> {
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    if !answer.status.is_success() {
        return Err(refusal(answer.status, body.as_ref()));
    }
    let no_token = |words: &str| Cause::NoToken(words.to_owned());
    let body = body.ok_or_else(|| no_token("the answer is not JSON"))?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let Some(access_token) = text("access_token").filter(|token| !token.is_empty()) else {
        // Some servers say errors with 200.
        if body.get("error").is_some() {
            return Err(refusal(StatusCode::BAD_REQUEST, Some(&body)));
        }
        return Err(no_token("the answer has no `access_token`"));
    };
    // Without a type it is taken for a bearer token, as all known servers mean it.
    // Apigee calls it `BearerToken`.
    let is_bearer = |kind: &str| {
        ["bearer", "bearertoken"]
            .iter()
            .any(|known| kind.eq_ignore_ascii_case(known))
    };
    if text("token_type").is_some_and(|kind| !is_bearer(kind.trim())) {
        return Err(no_token("the token is of another type than bearer"));
    }
    Ok(Given {
        access_token: access_token.into(),
        lifetime: body.get("expires_in").and_then(lifetime),
        scope: text("scope").map(str::to_owned),
        refresh_token: text("refresh_token")
            .filter(|token| !token.is_empty())
            .map(SecretString::from),
    })
}

/// Seconds, as a number or, from some servers, as text. What is neither is as if it were not there.
fn lifetime(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    if seconds.is_nan() {
        return None;
    }
    let seconds = seconds.clamp(0.0, LONGEST_LIFETIME.as_secs_f64());
    Some(Duration::from_secs_f64(seconds))
}

/// Whether it may go better a little later follows from the status and, if there is one, the word.
pub(super) fn refusal(status: StatusCode, body: Option<&Value>) -> Cause {
    let said = body
        .and_then(|body| body.get("error"))
        .and_then(Value::as_str);
    let word = said.and_then(|said| KNOWN_WORDS.into_iter().find(|word| *word == said));
    let is_passing = status.is_server_error()
        || matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY
        )
        || matches!(word, Some("server_error" | "temporarily_unavailable"));
    if is_passing {
        Cause::TokensUnavailable { status, word }
    } else if status.is_redirection() {
        Cause::NoToken(format!(
            "{status}, and redirects are not followed with secrets"
        ))
    } else {
        Cause::TokenRefused {
            status,
            word,
            hint: None,
        }
    }
}
