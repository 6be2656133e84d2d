//! jq as the one expression language of Rounds.
//!
//! Whatever a user says about data, which members of an answer are records, what a record's id is, what a URL is filled
//! with, what a notification looks like, is said in one language that people who integrate systems already know: jq.
//! This crate is that language (by way of jaq), made safe to run on what servers send, with the two forms that users
//! write it in: [`Template`], text with `{{ placeholders }}`, and [`Body`], a tree whose leaves may be expressions. And
//! [`models`], which complete a body to what a receiver written for Redox expects.
//!
//! # How it works
//! - [`Json`] is the one value type. It reads strict JSON, keeps numbers as they were written (ids above 2^53, `1.10`),
//!   keeps the order of keys, and never shows itself in Debug.
//! - [`Filter::compile`] parses the text, rewrites the syntax tree so that whatever builds or yields in bulk is counted
//!   (`filter/rewrite.rs`), and compiles it with those of jaq's definitions that it needs. The same text is compiled
//!   once. Errors say where in the text, and how to mend it.
//! - [`Filter::all`] runs it. Each step of jaq's interpreter passes our meter (`filter/meter.rs`), which counts steps
//!   and looks at the stack; to stop, it unwinds to the boundary (`filter/run.rs`), past any `try` of the program.
//! - Errors come out without values of the record in them (`filter/redact.rs`).
//! - [`Evaluator`] gives expressions threads with large stacks, or none at all under simulation.
//!
//! # What an expression cannot do
//! It cannot reach anything outside: `env`, `$ENV`, `now`, `localtime`, `input`, `debug`, `halt` and their kin are not
//! there, and neither are modules. What it gives depends on its input alone. It cannot run for ever, overflow the
//! stack, or eat all memory: [`Limits`]. It cannot give what is not JSON (NaN, byte strings, keys that are no strings).
//! And a function that takes filters cannot call itself, because no stack could hold what that builds.
//!
//! # What to mind
//! - Fuel is not time, since this crate owns no clock. A step is as long as what it works on is large: comparing,
//!   sorting or searching a value of ten megabytes is one step, and a million steps of that are hours. Values are as
//!   large as the bodies that the HTTP limits let in. So an [`Evaluator`]'s threads are watched over: what goes on for half a minute
//!   is given up.
//! - A native function's result is accounted for when it is there. In between, one such function may hold about twenty
//!   times its input (`explode`): with the default limits a transient gigabyte, and then the expression is stopped.
//!   Multiplying and adding strings are accounted for before.
//! - An evaluation on an ordinary thread may use 1 MiB of stack, on an [`Evaluator`]'s 16 MiB.
//! - jaq differs from jq in small things. It does not make objects out of null (`null | .a = 1` is an error; write
//!   `{} | .a = 1`), and some functions of jq are missing (`@csv`, `@tsv`). Where it would
//!   show in texts, we follow jq: `60 / 2` is `30`.
//! - A defect in jaq that panics is an error here, but Rust's panic hook prints its message first; the program should
//!   install a hook that prints the place only.
//! - Stopping needs unwinding: `panic = "abort"` does not compile.

mod body;
mod difference;
mod edit;
mod error;
mod evaluator;
mod filter;
mod identify;
mod json;
pub mod models;
mod nearest;
mod own_model;
mod template;
mod written;

pub use body::{Body, BodyError};
pub use difference::{MOST_DIFFERENCES, differences, touches};
pub use edit::{Edit, edited, values_at};
pub use error::{CompileError, EvaluateError, ParseError};
pub use evaluator::{Evaluator, NotEvaluated};
pub use filter::{Filter, Limits};
pub use identify::Needs;
pub use json::{Json, JsonKind, MAX_NESTING, MAX_NUMBER_BYTES};
pub use nearest::nearest;
pub use own_model::{OwnModel, OwnModelError, SchemaWarning};
pub use template::{Escape, Piece, Template};
