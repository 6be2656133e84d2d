//! Logs: to stderr, readable in a terminal or as JSON lines.
//!
//! # Levels
//!
//! | level | what it says |
//! |---|---|
//! | error | something was given up or cannot go on: a person has to act |
//! | warn | something went wrong and is tried again, or looks wrong |
//! | info | what an operator likes to see pass by: starts, ends, rounds that found changes |
//! | debug | every round, every notification, every delivery |
//! | trace | for those who work on Rounds |
//!
//! `run` begins at info, all other commands at warn. `--log` takes a level for Rounds, or a filter such as
//! `info,rounds_http=debug`.
//!
//! # What never stands in a log
//!
//! Patient data and secrets: no body, no record id, no path or query of a URL. Our own crates keep to that by type. Crates
//! that are not ours log requests as they see them, with their whole URL, at their lower levels; so nothing below `warn`
//! is taken from any crate but ours, whatever the filter says.

use crate::cli::{Arguments, Command, LogFormat};
use crate::problem::LOG_FILTER;
use crate::{Ended, Problem};
use rounds_domain::plain;
use std::fmt;
use tracing::field::{Field, Visit};
use tracing::{Level, Metadata};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::layer::{Filter, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

/// The levels by name.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Begins to log as the command line says.
pub fn start(arguments: &Arguments) -> Result<(), Problem> {
    let common = &arguments.common;
    let usual = match arguments.command {
        Command::Run(_) => "info",
        _ => "warn",
    };
    let filter = bounded(filter(common.log.as_deref().unwrap_or(usual))?);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(common.color.for_stderr());
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match common.log_format {
        LogFormat::Terminal => lines.with_target(false).fmt_fields(PlainFields).boxed(),
        // JSON escapes what would be obeyed.
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .try_init()
        .map_err(|error| {
            Problem::new(
                LOG_FILTER,
                Ended::Failed,
                format!("starting the log: {error}"),
                "only one log can be started in a process",
            )
        })
}

/// Writes an event's fields, none of which can break the line or speak to the terminal.
struct PlainFields;

impl<'w> FormatFields<'w> for PlainFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut visitor = PlainVisitor {
            writer,
            written: 0,
            outcome: Ok(()),
        };
        fields.record(&mut visitor);
        visitor.outcome
    }
}

struct PlainVisitor<'w> {
    writer: Writer<'w>,
    written: usize,
    outcome: fmt::Result,
}

impl Visit for PlainVisitor<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if self.outcome.is_err() {
            return;
        }
        let text = format!("{value:?}");
        let text = plain(&text);
        let gap = if self.written == 0 { "" } else { " " };
        self.written += 1;
        self.outcome = match (field.name(), self.writer.has_ansi_escapes()) {
            ("message", _) => write!(self.writer, "{gap}{text}"),
            (name, false) => write!(self.writer, "{gap}{name}={text}"),
            (name, true) => write!(
                self.writer,
                "{gap}\x1b[3m{name}\x1b[0m\x1b[2m=\x1b[0m{text}"
            ),
        };
    }
}

/// A level for our crates, or a whole filter.
fn filter(text: &str) -> Result<EnvFilter, Problem> {
    let directives = if LEVELS.contains(&text) {
        format!("warn,rounds={text}")
    } else {
        text.to_owned()
    };
    EnvFilter::builder().parse(&directives).map_err(|error| {
        Problem::new(
            LOG_FILTER,
            Ended::Usage,
            format!("the log filter `{text}` cannot be read: {error}"),
            "write a level (off, error, warn, info, debug, trace) or a filter such as `info,rounds_http=debug`",
        )
    })
}

/// The filter, and whatever it says no crate but ours below `warn`.
fn bounded(filter: EnvFilter) -> impl Filter<Registry> + Send + Sync + 'static {
    filter.and(filter_fn(is_allowed))
}

/// Ours at any level, others from `warn` up.
fn is_allowed(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("rounds") || *metadata.level() <= Level::WARN
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex, PoisonError};

    #[test]
    fn a_level_is_meant_for_our_crates_only() {
        let filter = filter("debug").expect("a level is a filter");
        let shown = filter.to_string();
        assert!(
            shown.contains("rounds=debug") && shown.contains("warn"),
            "{shown}"
        );
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_a_usage_error() {
        let problem = filter("rounds=loud").expect_err("`loud` is no level");
        assert_eq!((problem.code, problem.ended), (LOG_FILTER, Ended::Usage));
    }

    #[test]
    fn no_filter_lets_other_crates_tell_of_requests() {
        let lines = Lines::default();
        let writer = lines.clone();
        let filter = bounded(filter("trace,hyper=trace").expect("a filter"));
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(move || writer.clone())
            .with_filter(filter);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::info!(target: "hyper::client", "GET /patient/4711");
            tracing::warn!(target: "hyper::client", "out of sockets");
            tracing::trace!(target: "rounds_http::gate", "a pass was given");
        });
        let text = lines.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&text);
        assert!(!text.contains("4711"), "{text}");
        assert!(
            text.contains("out of sockets") && text.contains("a pass"),
            "{text}"
        );
    }

    #[test]
    fn no_text_from_outside_forges_a_line_or_reaches_the_terminal() {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .with_target(false)
            .fmt_fields(PlainFields);
        let code = "x\n2026-01-01T00:00:00Z ERROR forged\u{1b}]0;owned\u{7}";
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::warn!(action = "a", code = %code, hint = code, "round failed: {code}");
        });
        let text = lines.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&text);
        assert_eq!(text.matches('\n').count(), 1, "{text:?}");
        assert!(
            !text.contains('\u{1b}') && !text.contains('\u{7}'),
            "{text:?}"
        );
        assert!(
            text.contains("round failed: x\u{fffd}2026") && text.contains("action=\"a\""),
            "{text}"
        );
    }

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
