//! Why there is no session, in words.

use super::{Cause, told_trouble};
use crate::codes;
use crate::trouble::Trouble;
use rounds_domain::Code;
use rounds_domain::ports::Transience;

/// The code, the words, the mend, and whether trying again may help. Other causes are told elsewhere.
pub(super) fn told(cause: Cause) -> (Code, String, Option<String>, Transience) {
    use Transience::{Lasting, Passing};
    let hint = |text: &str| Some(text.to_owned());
    match cause {
        Cause::TokenRefused {
            status,
            word,
            hint: other,
        } => (
            codes::TOKEN_REFUSED,
            match word {
                Some(word) => format!("refused with {status}, {word}"),
                None => format!("refused with {status}"),
            },
            other.or_else(|| hint(mend(word))),
            Lasting,
        ),
        Cause::TokensUnavailable { status, word } => (
            codes::TOKEN_UNAVAILABLE,
            match word {
                Some(word) => format!("the answer is {status}, {word}"),
                None => format!("the answer is {status}"),
            },
            None,
            Passing,
        ),
        Cause::NoToken(words) => (
            codes::NO_TOKEN,
            words,
            hint("check `token_url`: it may lead to a page for people"),
            Lasting,
        ),
        Cause::Key(error) => (
            codes::BAD_KEY,
            format!("the private key cannot be used: {}", error.reason),
            Some(error.hint),
            Lasting,
        ),
        Cause::NotDiscovered(words) => (
            codes::NOT_DISCOVERED,
            words,
            hint("write the `token_url` that the EHR's documentation names"),
            Lasting,
        ),
        Cause::LoginRefused(status) => (
            codes::LOGIN_REFUSED,
            format!("refused with {status}"),
            hint("check user name, password and the login's path"),
            Lasting,
        ),
        Cause::NoSession(words) => (
            codes::NO_SESSION,
            words,
            hint("check `token` of the login: where does the session stand in the answer?"),
            Lasting,
        ),
        Cause::NotKept(error) => (
            codes::NOT_KEPT,
            format!("the refresh token cannot be kept: {error}"),
            hint(error.hint()),
            Passing,
        ),
        Cause::NoKeeper => (
            codes::NOT_KEPT,
            "there is no data directory yet that would keep the next refresh token".to_owned(),
            hint("start `rounds run` once, which makes it"),
            Lasting,
        ),
        // Never here, and harmless if it were.
        _ => told_trouble(Trouble::Other("there is no session".to_owned())),
    }
}

/// What each word of RFC 6749, 5.2 asks for.
const fn mend(word: Option<&str>) -> &'static str {
    let Some(word) = word else {
        return "check client id, secret or key, and the token URL";
    };
    match word.as_bytes() {
        b"invalid_client" => {
            "check client id and secret, or whether the public key is registered; for a secret with special characters try the other of `client: basic` and `client: basic_raw`"
        }
        b"invalid_grant" => {
            "the password or the refresh token is not good any more: log in anew and put the new one there"
        }
        b"invalid_scope" => "ask for scopes that the client was given when it was registered",
        b"unauthorized_client" | b"unsupported_grant_type" => {
            "the client was registered for another `grant`"
        }
        b"access_denied" => "the EHR's administrator has to allow this client",
        _ => "check client id, secret or key, and the token URL",
    }
}
