//! How requests to an EHR prove who asks.
//!
//! Four ways are a secret that the user has and that goes along with every request: a bearer token, user name and
//! password, a header, a query parameter. The other three are a *session*: something is asked for with what the user has,
//! goes along with requests for a while, and is asked for anew. The plan says what is asked, where and how; who asks, when
//! and how often is for `rounds-http`.

use super::{AnswerFormat, HeaderSource, SecretReference};
use rounds_map::Filter;
use std::fmt;
use std::time::Duration;
use url::Url;

/// How requests to an EHR prove who asks.
#[derive(Debug, Clone)]
pub enum Authentication {
    /// Not at all.
    None,
    /// `Authorization: Bearer ...`.
    Bearer(SecretReference),
    /// `Authorization: Basic ...`.
    Basic {
        /// The user name.
        username: String,
        /// The password.
        password: SecretReference,
    },
    /// A header of its own, such as `x-api-key`.
    Header {
        /// Its name.
        name: http::HeaderName,
        /// Its value.
        value: SecretReference,
    },
    /// A query parameter such as `api_key`. It is added when a request is sent, so no URL that is shown has it.
    Query {
        /// Its name.
        name: String,
        /// Its value.
        value: SecretReference,
    },
    /// An access token for what the user has (RFC 6749).
    OAuth2(Box<OAuth2>),
    /// An access token for a signed assertion (SMART Backend Services, SMART App Launch 2.2).
    SmartBackend(Box<SmartBackend>),
    /// A session that a login request gives.
    Login(Box<Login>),
}

impl Authentication {
    /// The query parameter that carries a secret in every request.
    pub fn secret_parameter(&self) -> Option<&str> {
        match self {
            Self::Query { name, .. } => Some(name),
            Self::Login(login) => match &login.send {
                SessionPlace::Query(name) => Some(name),
                SessionPlace::Header { .. } | SessionPlace::Cookie(_) | SessionPlace::Body => None,
            },
            _ => None,
        }
    }
}

/// Where access tokens come from.
#[derive(Clone, PartialEq, Eq)]
pub enum TokenUrl {
    /// The user said so.
    At(Url),
    /// `token_endpoint` of `.well-known/smart-configuration` under the connection's base URL.
    Discovered,
}

/// A path may be a credential.
impl fmt::Debug for TokenUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(url) => write!(f, "At({:?})", url.origin().ascii_serialization()),
            Self::Discovered => f.write_str("Discovered"),
        }
    }
}

/// An access token by OAuth 2.0.
#[derive(Debug, Clone)]
pub struct OAuth2 {
    /// What is given for a token.
    pub grant: Grant,
    /// Where it is asked for.
    pub token_url: TokenUrl,
    /// The client's name.
    pub client_id: String,
    /// How the client proves itself.
    pub client: ClientProof,
    /// The scopes that are asked for, with blanks between them.
    pub scope: Option<String>,
    /// Further form parameters, such as `audience`.
    pub parameters: Vec<(String, String)>,
}

/// What is given for an access token.
#[derive(Debug, Clone)]
pub enum Grant {
    /// Nothing beside the client's own proof (RFC 6749, 4.4).
    ClientCredentials,
    /// A user's name and password (RFC 6749, 4.3).
    Password {
        /// The user's name.
        username: String,
        /// The user's password.
        password: SecretReference,
    },
    /// A refresh token (RFC 6749, 6). The EHR may give a new one with each answer, which is kept in the store and wins
    /// over this one until the user gives another.
    RefreshToken {
        /// The first one.
        first: SecretReference,
    },
}

/// How a client proves itself to the token URL.
#[derive(Debug, Clone)]
pub enum ClientProof {
    /// `Authorization: Basic`, id and secret form-encoded first, as RFC 6749, 2.3.1 says.
    Basic(SecretReference),
    /// `Authorization: Basic`, id and secret as they are, as many servers want it.
    RawBasic(SecretReference),
    /// `client_id` and `client_secret` in the form.
    Post(SecretReference),
    /// Not at all: only `client_id` in the form (a public client).
    Public,
}

/// SMART Backend Services: `client_credentials` with a signed assertion.
#[derive(Debug, Clone)]
pub struct SmartBackend {
    /// The client's name: `iss` and `sub` of assertions.
    pub client_id: String,
    /// The private key, PEM or JWK.
    pub private_key: SecretReference,
    /// `kid` of assertions; the JWK's own or the key's RFC 7638 thumbprint where None.
    pub key_id: Option<String>,
    /// The scopes that are asked for, with blanks between them.
    pub scope: String,
    /// Where tokens are asked for.
    pub token_url: TokenUrl,
    /// `aud` of assertions; the token URL where None.
    pub audience: Option<String>,
    /// `jku` of assertions: the registered URL of the public keys.
    pub key_set_url: Option<Url>,
}

/// A session by a login request.
#[derive(Clone)]
pub struct Login {
    /// GET or POST.
    pub method: http::Method,
    /// Where.
    pub url: Url,
    /// Its headers; values are literal or secrets.
    pub headers: Vec<(http::HeaderName, HeaderSource)>,
    /// Its body.
    pub body: LoginBody,
    /// How its answer is written.
    pub format: AnswerFormat,
    /// Where the session stands in the answer.
    pub token: TokenSource,
    /// Where the session stands in requests.
    pub send: SessionPlace,
    /// How long it is believed; until the EHR answers 401 where None.
    pub lasts: Option<Duration>,
}

/// A path or a body may be a credential.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Login")
            .field("method", &self.method)
            .field("url", &self.url.origin().ascii_serialization())
            .field("headers", &headers)
            .field("body", &self.body.kind())
            .field("format", &self.format)
            .field("token", &self.token)
            .field("send", &self.send)
            .field("lasts", &self.lasts)
            .finish()
    }
}

/// The body of a login request.
#[derive(Clone)]
pub enum LoginBody {
    /// No body.
    None,
    /// `application/x-www-form-urlencoded`, in this order.
    Form(Vec<(String, TextSource)>),
    /// `application/json`.
    Json(JsonSource),
    /// These pieces one after the other, as they are; `text/plain` unless a header says otherwise.
    Text(Vec<TextSource>),
}

impl LoginBody {
    /// Its name, which tells nothing of its content.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Form(_) => "form",
            Self::Json(_) => "json",
            Self::Text(_) => "text",
        }
    }

    /// The secrets in it.
    pub fn secrets(&self) -> Vec<&SecretReference> {
        let mut found = Vec::new();
        let texts: Vec<&TextSource> = match self {
            Self::None => Vec::new(),
            Self::Form(pairs) => pairs.iter().map(|(_, value)| value).collect(),
            Self::Text(pieces) => pieces.iter().collect(),
            Self::Json(json) => {
                json.add_secrets(&mut found);
                Vec::new()
            }
        };
        found.extend(texts.into_iter().filter_map(|text| match text {
            TextSource::Secret(reference) => Some(reference),
            TextSource::Literal(_) => None,
        }));
        found
    }
}

/// Text that is written or read from somewhere.
#[derive(Clone)]
pub enum TextSource {
    /// As written.
    Literal(String),
    /// A secret.
    Secret(SecretReference),
}

/// JSON with secrets in it.
#[derive(Clone)]
pub enum JsonSource {
    /// As written.
    Literal(rounds_map::Json),
    /// A secret, as a text.
    Secret(SecretReference),
    /// An array.
    Array(Vec<JsonSource>),
    /// An object.
    Object(Vec<(String, JsonSource)>),
}

impl JsonSource {
    fn add_secrets<'s>(&'s self, found: &mut Vec<&'s SecretReference>) {
        match self {
            Self::Literal(_) => {}
            Self::Secret(reference) => found.push(reference),
            Self::Array(items) => items.iter().for_each(|item| item.add_secrets(found)),
            Self::Object(members) => {
                for (_, member) in members {
                    member.add_secrets(found);
                }
            }
        }
    }
}

/// Where the session stands in the answer to a login.
#[derive(Clone)]
pub enum TokenSource {
    /// What a jq expression gives of its body.
    Expression(Filter),
    /// Its whole body, without blanks around it.
    Body,
    /// A header.
    Header(http::HeaderName),
    /// A cookie that it sets.
    Cookie(String),
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expression(filter) => write!(f, "Expression({:?})", filter.text()),
            Self::Body => f.write_str("Body"),
            Self::Header(name) => write!(f, "Header({:?})", name.as_str()),
            Self::Cookie(name) => write!(f, "Cookie({name:?})"),
        }
    }
}

/// Where the session stands in requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionPlace {
    /// In a header, after a prefix such as `Bearer `.
    Header {
        /// Its name.
        name: http::HeaderName,
        /// What stands before the session; may be empty.
        prefix: String,
    },
    /// In a query parameter, which no URL shows.
    Query(String),
    /// In a cookie.
    Cookie(String),
    /// In bodies, where they say `{{ session }}`.
    Body,
}
