//! How requests to an EHR prove who asks.
//!
//! A secret that the user has is read late and written into each request; a *session* (an access token, a login) is asked
//! for with such secrets, kept in memory and used by all requests of its connection until it is about to end.
//!
//! How a session is had:
//!
//! - **Once at a time.** A request that finds no session asks for one in its own slot of the gate; all others wait for it and
//!   share what comes of it, a failure too.
//! - **Before it ends.** A session counts as over some time before it is (see [`session::kept_for`]), and is then asked for anew by the
//!   next request. Nothing runs in the background.
//! - **Once more after a refusal.** A 401 means that the session has ended early: it is asked for anew, and the request is sent
//!   once more. A second 401 is the answer. If sessions are refused again and again, it is asked for one now and then only.
//! - **To its end.** A request for a session is not given up with the request that needed it: its answer may hold the only
//!   copy of a rotated refresh token. That token is in the store before the access token beside it is used.
//!
//! What to mind: a session goes to the connection's own origin only. Where tokens are asked for is said by the user, or by the
//! EHR at its own origin; what is sent there is what the grant needs, and the connection's own headers only if the
//! origin is the same.

mod assertion;
mod discovery;
mod form;
mod login;
mod oauth2;
mod scope;
mod session;
mod token;
mod way;

pub(crate) use session::{AfterRefusal, Session, Token};

use crate::headers::secret_value;
use crate::secrets::{SecretError, Secrets};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue};
use rounds_domain::plan::{Authentication, HeaderSource, SecretReference};
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use url::Url;

/// What is written into a request to prove who asks.
pub(crate) enum Proof {
    Header(HeaderName, HeaderValue),
    Query {
        name: String,
        value: SecretString,
    },
    Cookie(HeaderValue),
    /// For bodies that ask for it.
    Body(SecretString),
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

impl Proof {
    /// The session, where it goes into bodies.
    pub(crate) const fn in_body(&self) -> Option<&SecretString> {
        match self {
            Self::Body(session) => Some(session),
            Self::Header(..) | Self::Query { .. } | Self::Cookie(_) => None,
        }
    }

    /// Writes it over whatever the request's head holds in its place.
    pub(crate) fn write(&self, headers: &mut HeaderMap, url: &mut Url) {
        match self {
            Self::Header(name, value) => {
                headers.insert(name.clone(), value.clone());
            }
            Self::Query { name, value } => form::set_parameter(url, name, value),
            Self::Cookie(value) => {
                headers.append(COOKIE, value.clone());
            }
            Self::Body(_) => {}
        }
    }
}

/// What a secret of the user makes. None where there is nothing to prove, or by a session.
pub(crate) async fn proof(
    authentication: &Authentication,
    secrets: &Secrets,
) -> Result<Option<Proof>, SecretError> {
    let Some(reference) = reference(authentication) else {
        return Ok(None);
    };
    let secret = secrets.read(reference).await?;
    let text = secret.expose_secret();
    let (name, value) = match authentication {
        Authentication::Bearer(_) => (AUTHORIZATION, format!("Bearer {text}")),
        Authentication::Basic { username, .. } => (AUTHORIZATION, basic(username, text)),
        Authentication::Header { name, .. } => (name.clone(), text.to_owned()),
        Authentication::Query { name, .. } => {
            return Ok(Some(Proof::Query {
                name: name.clone(),
                value: secret,
            }));
        }
        _ => return Ok(None),
    };
    let value = secret_value(reference, &value)?;
    Ok(Some(Proof::Header(name, value)))
}

/// The value of `Authorization: Basic`.
fn basic(username: &str, password: &str) -> String {
    let pair = STANDARD.encode(format!("{username}:{password}"));
    format!("Basic {pair}")
}

/// The secret that goes along with every request.
pub(crate) const fn reference(authentication: &Authentication) -> Option<&SecretReference> {
    match authentication {
        Authentication::Bearer(value)
        | Authentication::Basic {
            password: value, ..
        }
        | Authentication::Header { value, .. }
        | Authentication::Query { value, .. } => Some(value),
        _ => None,
    }
}

/// Writes configured headers over whatever the headers hold in their place.
pub(crate) async fn write_headers(
    headers: &mut HeaderMap,
    sources: &[(HeaderName, HeaderSource)],
    secrets: &Secrets,
) -> Result<(), SecretError> {
    for (name, source) in sources {
        let value = match source {
            HeaderSource::Literal(value) => value.clone(),
            HeaderSource::Secret(reference) => {
                let secret = secrets.read(reference).await?;
                secret_value(reference, secret.expose_secret())?
            }
        };
        headers.insert(name.clone(), value);
    }
    Ok(())
}
