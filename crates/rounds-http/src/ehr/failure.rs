//! Why no answer came, in words.

mod session;

use crate::codes;
use crate::keys::KeyError;
use crate::secrets::SecretError;
use crate::trouble::Trouble;
use http::{HeaderName, StatusCode};
use rounds_domain::ports::{EhrError, EhrRequest, StoreError, Transience};
use rounds_domain::{Code, ConnectionName};
use url::{Origin, Url};

/// What of a request may be said: not its path and not its query.
pub(crate) struct Asked {
    connection: ConnectionName,
    method: http::Method,
    origin: String,
    purpose: Purpose,
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// What the engine asks for.
    Records,
    /// The SMART configuration.
    Discovery,
    /// An access token.
    Token,
    /// A session.
    Login,
}

impl Purpose {
    /// Stands behind the connection's name.
    const fn in_words(self) -> &'static str {
        match self {
            Self::Records => "",
            Self::Discovery => " for its SMART configuration",
            Self::Token => " for a token",
            Self::Login => " to log in",
        }
    }
}

/// Why there is no answer.
pub(crate) enum Cause {
    UnknownConnection,
    OtherHost(Origin),
    /// A link to what is not asked by HTTP, or without TLS where the EHR is asked with it.
    Scheme,
    Header(HeaderName),
    Secret(SecretError),
    BodyLimit(u64),
    Trouble(Trouble),
    /// The token endpoint says no.
    TokenRefused {
        status: StatusCode,
        /// The standard's word for it.
        word: Option<&'static str>,
        /// What else may be the reason.
        hint: Option<String>,
    },
    /// Nobody gives tokens or sessions now.
    TokensUnavailable {
        status: StatusCode,
        word: Option<&'static str>,
    },
    /// The token endpoint's answer is none.
    NoToken(String),
    /// The private key cannot be used.
    Key(KeyError),
    /// The EHR does not say where tokens are asked for.
    NotDiscovered(String),
    /// The login was refused.
    LoginRefused(StatusCode),
    /// The login's answer holds no session.
    NoSession(String),
    /// A refresh token could not be read or kept.
    NotKept(StoreError),
    /// There is no place to keep refresh tokens.
    NoKeeper,
}

impl Asked {
    pub(super) fn of(request: &EhrRequest) -> Self {
        Self::new(
            &request.connection,
            &request.method,
            &request.url,
            Purpose::Records,
        )
    }

    pub(crate) fn new(
        connection: &ConnectionName,
        method: &http::Method,
        url: &Url,
        purpose: Purpose,
    ) -> Self {
        Self {
            connection: connection.clone(),
            method: method.clone(),
            origin: url.origin().ascii_serialization(),
            purpose,
        }
    }

    /// The error that the engine gets.
    pub(crate) fn error(&self, cause: Cause) -> EhrError {
        let (code, what, hint, transience) = told(cause);
        let Self {
            connection,
            method,
            origin,
            purpose,
        } = self;
        let purpose = purpose.in_words();
        EhrError {
            code,
            message: format!("{method} to {origin} (connection {connection}){purpose}: {what}"),
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
        Cause::Scheme => (
            codes::EHR_OTHER_HOST,
            "the link is no https, as the EHR's own address is".to_owned(),
            hint("ask the EHR's operator for links that are encrypted"),
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
        Cause::TokenRefused { .. }
        | Cause::TokensUnavailable { .. }
        | Cause::NoToken(_)
        | Cause::Key(_)
        | Cause::NotDiscovered(_)
        | Cause::LoginRefused(_)
        | Cause::NoSession(_)
        | Cause::NotKept(_)
        | Cause::NoKeeper => session::told(cause),
    }
}

/// What to do about an `https` address at which nobody speaks TLS.
const NOT_TLS: &str = "this is probably the port for plain http: check base_url's port, or write http:// if nothing secret goes there";

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
        Trouble::NotTls(words) => (codes::EHR_TLS, words, hint(NOT_TLS), Passing),
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
