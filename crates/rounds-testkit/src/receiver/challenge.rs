//! Redox's check that an endpoint is who it claims to be, before any notification.
//!
//! The sender gives a random challenge and the token that both sides know, and the endpoint answers 200 with the challenge in the body. Pages of
//! different years put the token in the body, in the query or in the header `verification-token`, so all three are read here.

use axum::extract::Query;
use axum::http::{HeaderMap, Uri};
use serde::Deserialize;

/// The header with the token that both sides know.
pub(crate) const TOKEN_HEADER: &str = "verification-token";

/// A challenge as it came, in the body or in the query.
#[derive(Debug, Deserialize)]
pub(crate) struct Challenge {
    /// What is to be sent back.
    pub(crate) challenge: String,
    #[serde(rename = "verification-token")]
    token: Option<String>,
}

impl Challenge {
    /// Reads the challenge of a POST, if it is one: it has both members, and a notification never has.
    pub(crate) fn in_body(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body)
            .ok()
            .filter(|challenge: &Self| challenge.token.is_some())
    }

    /// Reads the challenge of a GET.
    pub(crate) fn in_query(uri: &Uri) -> Option<Self> {
        Query::try_from_uri(uri)
            .ok()
            .map(|Query(challenge)| challenge)
    }

    /// The token that came with it, wherever it stood.
    pub(crate) fn token<'a>(&'a self, headers: &'a HeaderMap) -> Option<&'a str> {
        self.token.as_deref().or_else(|| token_header(headers))
    }
}

/// The token in the header, if it is there and text.
pub(crate) fn token_header(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(TOKEN_HEADER)
        .and_then(|value| value.to_str().ok())
}
