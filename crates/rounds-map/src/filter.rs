//! One compiled jq expression.
//!
//! The language is jq as jaq has it, less what reaches outside (`now`, `env`, `input`, `debug`, `halt` and their kin:
//! an evaluation depends on its input alone and can do nothing but give values), and bounded in every way that we know:
//! steps, stack, memory built in passing, nesting, size of the outputs. See [`Limits`], [`rewrite`] for how, and the
//! crate's essay for what remains.

mod meter;
mod natives;
mod prelude;
mod program;
mod reads;
mod redact;
mod rewrite;
mod run;
mod trouble;

use crate::{CompileError, EvaluateError, Json, JsonKind};
pub use meter::Limits;
pub(crate) use meter::grant_stack;
use program::Program;
use std::sync::Arc;

/// A jq expression, compiled once; cheap to clone; `Send + Sync`. The same text is compiled once per process as long
/// as it is in use.
#[derive(Clone)]
pub struct Filter {
    program: Arc<Program>,
    limits: Limits,
}

impl Filter {
    /// Compiles `text`. Expressions of more than 256 bytes are compiled on a thread of their own, for its stack.
    pub fn compile(text: &str) -> Result<Self, CompileError> {
        let program = program::shared(text)?;
        Ok(Self {
            program,
            limits: Limits::default(),
        })
    }

    /// The same expression with other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The text it was compiled from.
    pub fn text(&self) -> &str {
        &self.program.text
    }

    /// All outputs for one input.
    pub fn all(&self, input: &Json) -> Result<Vec<Json>, EvaluateError> {
        run::run(&self.program, &self.limits, input, usize::MAX)
    }

    /// Exactly one output for one input.
    pub fn one(&self, input: &Json) -> Result<Json, EvaluateError> {
        self.optional(input)?
            .ok_or(EvaluateError::Count { count: 0 })
    }

    /// One output, or none (`empty`); two are an error.
    pub fn optional(&self, input: &Json) -> Result<Option<Json>, EvaluateError> {
        let mut outputs = run::run(&self.program, &self.limits, input, 2)?;
        match outputs.len() {
            0 | 1 => Ok(outputs.pop()),
            count => Err(EvaluateError::Count { count }),
        }
    }

    /// Whether a condition holds. What is not there (null, or no value at all) does not; what is neither true nor false is no answer, and neither are two
    /// of them.
    pub fn holds(&self, input: &Json) -> Result<bool, EvaluateError> {
        let given = match self.optional(input) {
            Ok(given) => given.unwrap_or_else(Json::null),
            Err(EvaluateError::Count { .. }) => {
                return Err(EvaluateError::NoCondition {
                    found: "several values",
                });
            }
            Err(error) => return Err(error),
        };
        match given.kind() {
            JsonKind::Null => Ok(false),
            JsonKind::Boolean => Ok(given.as_bool() == Some(true)),
            kind => Err(EvaluateError::NoCondition {
                found: kind.with_article(),
            }),
        }
    }

    /// The members of its input that the expression plainly reads (`.record.id` reads `record`), each with its
    /// byte offset (of the name, after its dot). Best effort: what is not plain is left out.
    pub fn reads(&self) -> &[(String, usize)] {
        &self.program.reads
    }
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Filter").field(&self.text()).finish()
    }
}

#[cfg(test)]
mod tests;
