//! What stands under `auth`: words, URLs or paths, and where a session is found.

use super::expression::Expression;
use super::text::{Text, words};
use super::web::WebUrl;
use crate::codes;
use crate::diagnostic::Findings;
use crate::face::SessionTokenKeys;
use crate::reading::{Definitions, Read, wrong_type};
use crate::tree::{Node, NodeKind, Scalar, ScalarType};
use serde_json::{Value, json};
use url::Url;

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flag {
    Yes,
    No,
}

impl Read for Flag {
    fn read(node: &Node, findings: &mut Findings<'_>) -> Option<Self> {
        match node.scalar().map(Scalar::scalar_type) {
            Some(ScalarType::Boolean(true)) => Some(Self::Yes),
            Some(ScalarType::Boolean(false)) => Some(Self::No),
            _ => {
                wrong_type(node, findings, "`true` or `false`");
                None
            }
        }
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "boolean" })
    }
}

/// What is given for an access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GrantWord {
    ClientCredentials,
    Password,
    RefreshToken,
}

words!(GrantWord {
    "client_credentials" => Self::ClientCredentials,
    "password" => Self::Password,
    "refresh_token" => Self::RefreshToken,
});

/// How a client secret is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientWord {
    Basic,
    RawBasic,
    Post,
}

words!(ClientWord {
    "basic" => Self::Basic,
    "basic_raw" => Self::RawBasic,
    "post" => Self::Post,
});

/// The whole of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WholeBody {
    Text,
}

words!(WholeBody {
    "text" => Self::Text,
});

/// A URL, or a path under the connection's base URL.
#[derive(Debug, Clone)]
pub(crate) enum UrlOrPath {
    Url(Url),
    Path(Scalar),
}

impl UrlOrPath {
    /// The whole URL.
    pub(crate) fn under(&self, base: &Url) -> Option<Url> {
        match self {
            Self::Url(url) => Some(url.clone()),
            // As paths of actions are: under the base URL's own path, whether they begin with a slash or not. The dot
            // keeps a colon in the first piece from being read as a scheme.
            Self::Path(scalar) => base
                .join(&format!("./{}", scalar.text.trim_start_matches('/')))
                .ok(),
        }
    }
}

impl Read for UrlOrPath {
    fn read(node: &Node, findings: &mut Findings<'_>) -> Option<Self> {
        if node
            .scalar()
            .is_some_and(|scalar| scalar.text.contains("://"))
        {
            return WebUrl::read(node, findings).map(|url| Self::Url(url.0));
        }
        let scalar = Text::read(node, findings)?.0;
        let problem = if scalar.text.trim_start_matches('/').is_empty() {
            Some("an empty path")
        } else if scalar.text.contains('#') {
            Some("a fragment in the path")
        } else if scalar.text.split(['/', '?']).any(|part| part == "..") {
            Some("a path that leaves `base_url`")
        } else {
            None
        };
        let Some(problem) = problem else {
            return Some(Self::Path(scalar));
        };
        findings
            .error(codes::BAD_URL, scalar.place, problem)
            .expected("expected a URL, or a path under `base_url` such as `/oauth2/token`");
        None
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string" })
    }
}

/// Where the session stands in the answer to a login.
#[derive(Debug, Clone)]
pub(crate) enum SessionToken {
    Expression(Expression),
    Keys(Box<SessionTokenKeys>),
}

impl Read for SessionToken {
    fn read(node: &Node, findings: &mut Findings<'_>) -> Option<Self> {
        match &node.kind {
            NodeKind::Mapping(_) => {
                SessionTokenKeys::read(node, findings).map(|keys| Self::Keys(Box::new(keys)))
            }
            _ => Expression::read(node, findings).map(Self::Expression),
        }
    }

    fn schema(definitions: &mut Definitions) -> Value {
        json!({ "anyOf": [Expression::schema(definitions), SessionTokenKeys::schema(definitions)] })
    }
}
