//! The program: command line, wiring, output, demo.
//!
//! Everything that can be thought about without a terminal lives in the other crates. This one reads the command line, puts
//! the pieces together and shows what comes out. Each command is two things: a function that gives a *report* (plain data
//! that serializes), and the report's way of writing itself for people. So a web handler can call the function, and
//! `--json` costs nothing.
//!
//! - [`cli`] is the command line; [`exit`] what the program's end means; [`problem`] the one shape of what went wrong.
//! - [`configuration`] and [`wiring`] make a plan and what carries it out.
//! - [`commands`] has one module for each command.
//! - [`output`] writes reports: text or JSON on stdout, talk on stderr.
//! - [`explain`] has a page for each code; [`logging`] says who may log what.
//!
//! # What to mind
//!
//! - Data goes to stdout and talk to stderr, also under `--json`. The keys of JSON reports are stable: they are the field
//!   names of the report types.
//! - What a person asks for may show patient data on stdout (`poll`, `notifications show`). Nothing of it goes to a log.
//! - Only `main` ends the process.

pub mod cli;
pub mod commands;
pub mod configuration;
pub mod data;
pub mod demo;
pub mod edits;
pub mod exit;
pub mod explain;
pub mod logging;
pub mod output;
pub mod problem;
pub mod signals;
pub mod wiring;

pub use exit::Ended;
pub use problem::Problem;
