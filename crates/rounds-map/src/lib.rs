//! jq as the one expression language of Rounds.
//!
//! (Essay to be written with the implementation.)

mod body;
mod error;
mod evaluator;
mod filter;
mod json;
pub mod models;
mod nearest;
mod template;

pub use body::{Body, BodyError};
pub use error::{CompileError, EvaluateError, ParseError};
pub use evaluator::{Evaluator, Panicked};
pub use filter::{Filter, Limits};
pub use json::{Json, JsonKind, MAX_NESTING, MAX_NUMBER_BYTES};
pub use template::{Escape, Template};
