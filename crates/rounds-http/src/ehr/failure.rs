//! Why no answer came, in words.

use crate::codes;
use crate::secrets::SecretError;
use crate::trouble::Trouble;
use http::HeaderName;
use rounds_domain::ports::{EhrError, EhrRequest, Transience};
use rounds_domain::{Code, ConnectionName};
use url::Origin;

/// What of a request may be said: not its path and not its query.
pub(super) struct Asked {
    connection: ConnectionName,
    method: http::Method,
    origin: String,
}

/// Why there is no answer.
pub(super) enum Cause {
    UnknownConnection,
    OtherHost(Origin),
    Header(HeaderName),
    Secret(SecretError),
    BodyLimit(u64),
    Trouble(Trouble),
}

impl Asked {
    pub(super) fn of(request: &EhrRequest) -> Self {
        Self {
            connection: request.connection.clone(),
            method: request.method.clone(),
            origin: request.url.origin().ascii_serialization(),
        }
    }

    /// The error that the engine gets.
    pub(super) fn error(&self, cause: Cause) -> EhrError {
        let (code, what, hint, transience) = told(cause);
        let Self {
            connection,
            method,
            origin,
        } = self;
        EhrError {
            code,
            message: format!("{method} to {origin} (connection {connection}): {what}"),
            hint,
            transience,
        }
    }
}

fn told(cause: Cause) -> (Code, String, Option<String>, Transience) {
    use Transience::Lasting;
    let hint = |text: &str| Some(text.to_owned());
    match cause {
        Cause::UnknownConnection => (
            codes::EHR_OTHER,
            "there is no such connection".to_owned(),
            None,
            Lasting,
        ),
        Cause::OtherHost(origin) => (
            codes::EHR_OTHER_HOST,
            format!(
                "the URL leads away from {}, and credentials do not travel to another host",
                origin.ascii_serialization()
            ),
            hint(
                "set base_url to what the EHR calls itself in its links, or page by number or offset",
            ),
            Lasting,
        ),
        Cause::Header(name) => (
            codes::EHR_OTHER,
            format!("the header {name} cannot be set"),
            hint("leave the header out"),
            Lasting,
        ),
        Cause::Secret(error) => (
            codes::EHR_SECRET,
            error.to_string(),
            Some(error.hint),
            Lasting,
        ),
        Cause::BodyLimit(limit) => (
            codes::EHR_BODY_LIMIT,
            format!("the answer's body has more than {limit} bytes"),
            hint("ask for smaller pages, or raise the connection's body limit"),
            Lasting,
        ),
        Cause::Trouble(trouble) => told_trouble(trouble),
    }
}

fn told_trouble(trouble: Trouble) -> (Code, String, Option<String>, Transience) {
    use Transience::{Lasting, Passing};
    let hint = |text: &str| Some(text.to_owned());
    match trouble {
        Trouble::Connect(words) => (
            codes::EHR_CONNECT,
            words,
            hint("check base_url, and that this machine reaches the EHR"),
            Passing,
        ),
        Trouble::TimedOut(words) => (
            codes::EHR_TIMEOUT,
            words,
            hint("ask for smaller pages, or raise the timeout"),
            Passing,
        ),
        Trouble::Tls { words, transience } => (
            codes::EHR_TLS,
            words,
            hint(
                "the EHR must offer TLS 1.2 or later with ECDHE, and a certificate of an authority that this machine trusts",
            ),
            transience,
        ),
        Trouble::Broken(words) => (codes::EHR_BROKEN, words, None, Passing),
        Trouble::Other(words) => (
            codes::EHR_OTHER,
            words,
            hint("check base_url, its scheme and its port"),
            Passing,
        ),
        Trouble::AddressRefused(refusal) => (
            codes::EHR_ADDRESS,
            format!("{refusal}, which is not dialled"),
            hint(refusal.hint()),
            Lasting,
        ),
    }
}
