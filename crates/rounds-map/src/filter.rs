//! One compiled jq expression.

use crate::{CompileError, EvaluateError, Json};

/// A jq expression, compiled once; cheap to clone; `Send + Sync`.
#[derive(Clone)]
pub struct Filter {
    text: std::sync::Arc<str>,
}

impl Filter {
    /// Compiles `text`.
    pub fn compile(_text: &str) -> Result<Self, CompileError> {
        unimplemented!()
    }
    /// The text it was compiled from.
    pub fn text(&self) -> &str {
        &self.text
    }
    /// All outputs for one input.
    pub fn all(&self, _input: &Json) -> Result<Vec<Json>, EvaluateError> {
        unimplemented!()
    }
    /// Exactly one output for one input.
    pub fn one(&self, _input: &Json) -> Result<Json, EvaluateError> {
        unimplemented!()
    }
    /// One output, or none (`empty`); two are an error.
    pub fn optional(&self, _input: &Json) -> Result<Option<Json>, EvaluateError> {
        unimplemented!()
    }
    /// The members of its input that the expression plainly reads (`.record.id` reads `record`), each with its
    /// byte offset. Best effort: what is not plain is left out.
    pub fn reads(&self) -> &[(String, usize)] {
        unimplemented!()
    }
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Filter").field(&self.text).finish()
    }
}
