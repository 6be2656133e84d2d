//! jq as the one expression language of Rounds.
//!
//! (Essay to be written with the implementation.)

mod body;
mod error;
mod filter;
mod json;
pub mod models;
mod template;

pub use body::{Body, BodyError};
pub use error::{CompileError, EvaluateError, ParseError};
pub use filter::Filter;
pub use json::Json;
pub use template::{Escape, Template};
