//! A notification's body as the user writes it: a tree whose leaves may be jq.

use crate::{EvaluateError, Filter, Json};

/// A tree of literals and expressions.
#[derive(Debug, Clone)]
pub enum Body {
    /// A fixed value.
    Literal(Json),
    /// A leaf that is jq over the container.
    Expression(Filter),
    /// A list; an expression in it that gives nothing is left out.
    Array(Vec<Body>),
    /// An object; a member whose expression gives nothing (`empty`) is left out.
    Object(Vec<(String, Body)>),
}

/// A leaf that failed, with the path to it as the user wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}`: {source}")]
pub struct BodyError {
    /// Like `Visit.Location.Department` or `Patient.Identifiers[0].ID`.
    pub path: String,
    /// What failed there.
    pub source: EvaluateError,
}

impl Body {
    /// Evaluates every leaf over `scope`.
    pub fn render(&self, _scope: &Json) -> Result<Json, BodyError> {
        unimplemented!()
    }
}
