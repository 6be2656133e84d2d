//! What is said of answers: which statuses, what they mean, how long to wait.

use super::expression::{Compiled, Marked};
use super::text::words;
use super::{Parse, PositiveLength, Problem, parsed};
use crate::codes;
use crate::diagnostic::Findings;
use crate::reading::{Definitions, Read};
use crate::tree::{Node, Scalar};
use rounds_domain::Code;
use rounds_domain::plan::StatusRange;
use rounds_map::Filter;
use serde_json::{Value, json};
use std::time::Duration;

/// A status, or a class of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StatusText(pub(crate) StatusRange);

parsed!(StatusText);

impl Parse for StatusText {
    const EXPECTED: &'static str = "a status such as `403`, or a class such as `4xx`";
    const CODE: Code = codes::BAD_STATUS;

    fn parse(text: &str) -> Result<Self, Problem> {
        let class = text.strip_suffix("xx").or_else(|| text.strip_suffix("XX"));
        let range = match class {
            Some(class) => class.parse::<u16>().ok().map(|class| (class * 100, 99)),
            None => text.parse::<u16>().ok().map(|status| (status, 0)),
        };
        match range {
            Some((first @ 100..=599, more)) => Ok(Self(StatusRange {
                first,
                last: first + more,
            })),
            _ => Err(Problem::whole(text, "no status of HTTP")),
        }
    }

    fn pattern() -> Value {
        json!({ "anyOf": [
            { "type": "integer", "minimum": 100, "maximum": 599 },
            { "type": "string", "pattern": "^[1-5]([0-9][0-9]|[xX][xX])$" },
        ] })
    }
}

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MeaningWord {
    Ok,
    Empty,
    Throttled,
    AuthExpired,
    NeedsSetup,
    Unsupported,
    Gone,
    Retry,
    Fatal,
}

words!(MeaningWord {
    "ok" => Self::Ok,
    "empty" => Self::Empty,
    "throttled" => Self::Throttled,
    "auth_expired" => Self::AuthExpired,
    "needs_setup" => Self::NeedsSetup,
    "unsupported" => Self::Unsupported,
    "gone" => Self::Gone,
    "retry" => Self::Retry,
    "fatal" => Self::Fatal,
});

words!(rounds_domain::plan::AnswerFormat {
    "json" => Self::Json,
    "xml" => Self::Xml,
    "ndjson" => Self::Ndjson,
});

words!(rounds_domain::plan::Job {
    "fhir_bulk" => Self::FhirBulk,
});

/// Where a session stands in bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionInBody {
    Session,
}

words!(SessionInBody {
    "session" => Self::Session,
});

/// How long to wait: a length, or jq marked with `=`.
#[derive(Debug, Clone)]
pub(crate) enum Wait {
    Length(Duration),
    Expression(Filter),
}

impl Read for Wait {
    fn read(node: &Node, findings: &mut Findings<'_>) -> Option<Self> {
        let is_marked = |scalar: &Scalar| scalar.text.starts_with('=');
        match node.scalar().filter(|scalar| is_marked(scalar)) {
            Some(scalar) => match Marked::of(scalar, findings)? {
                Marked::Expression(Compiled { filter, .. }) => Some(Self::Expression(filter)),
                Marked::Literal(_) => {
                    PositiveLength::read(node, findings).map(|length| Self::Length(length.0))
                }
            },
            None => PositiveLength::read(node, findings).map(|length| Self::Length(length.0)),
        }
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": ["string", "integer"] })
    }
}
