//! The one shape of what went wrong: what a person reads last.

use crate::Ended;
use rounds_config::ReadError;
use rounds_domain::Code;
use rounds_domain::ports::{StoreError, StoreErrorKind};
use rounds_http::ClientBuildError;
use serde_json::{Value, json};
use std::error::Error;

/// The configuration has errors; they were shown before.
pub const CONFIGURATION: Code = Code::new("R0701");
/// The configuration has no such action.
pub const UNKNOWN_ACTION: Code = Code::new("R0702");
/// There is nothing with this id.
pub const UNKNOWN_ID: Code = Code::new("R0703");
/// A command that changes many things was not told which.
pub const NOTHING_SELECTED: Code = Code::new("R0704");
/// The data directory has no database yet.
pub const NO_DATA: Code = Code::new("R0705");
/// There is no such code.
pub const UNKNOWN_CODE: Code = Code::new("R0706");
/// The operating system did not give what is needed to start.
pub const CANNOT_START: Code = Code::new("R0707");
/// The log filter cannot be read.
pub const LOG_FILTER: Code = Code::new("R0708");
/// The demo did not come to its end.
pub const DEMO: Code = Code::new("R0709");
/// A secret cannot be read now.
pub const SECRET: Code = Code::new("R0710");
/// What is to be shown cannot be written.
pub const OUTPUT: Code = Code::new("R0711");
/// There is no such connection.
pub const UNKNOWN_CONNECTION: Code = Code::new("R0712");
/// A probe found nothing to go by.
pub const NOT_PROBED: Code = Code::new("R0713");
/// A message that is none of its data model.
pub const NOT_VALID: Code = Code::new("R0714");
/// A file that was named cannot be read, or is no JSON.
pub const FILE_UNREADABLE: Code = Code::new("R0715");
/// A fixture that does not become what is kept beside it.
pub const NOT_AS_KEPT: Code = Code::new("R0716");
/// There is no such destination.
pub const UNKNOWN_DESTINATION: Code = Code::new("R0717");
/// There is no such data model, or no such event of it.
pub const UNKNOWN_MODEL: Code = Code::new("R0722");
/// Records that a mapping cannot make messages of.
pub const NOT_MAPPED: Code = Code::new("R0723");
/// An action that has no ordering keys of its own.
pub const NOT_BY_KEY: Code = Code::new("R0725");
/// A command that changes things found nothing that it can change.
pub const NOTHING_CHANGED: Code = Code::new("R0726");
/// A feed that is not asked by time cannot be asked since one.
pub const NOT_BY_TIME: Code = Code::new("R0724");
/// An address cannot be listened on.
pub const CANNOT_LISTEN: Code = Code::new("R0718");
/// The configuration was edited under a state that it does not fit.
pub const EDITED: Code = Code::new("R0719");
/// What a reset would do was not said to be meant.
pub const NOT_CONFIRMED: Code = Code::new("R0720");
/// A feed cannot go where it was told to.
pub const NO_SUCH_PLACE: Code = Code::new("R0721");
/// A dry run that would take from a queue.
pub const TAKES_FROM_QUEUE: Code = Code::new("R0352");
/// A dry run that would start a job.
pub const STARTS_JOB: Code = Code::new("R0383");

/// A key file cannot be written, or is there already.
pub const KEY_NOT_WRITTEN: Code = Code::new("R0338");
/// A key file cannot be read.
pub const KEY_UNREADABLE: Code = Code::new("R0339");

/// What went wrong, where it is handled: the operation and its operand, the mend, and what the shell is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// The stable code.
    pub code: Code,
    /// What was being done, on what, and what went wrong.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
    /// What the shell is told.
    pub ended: Ended,
}

impl Problem {
    /// A problem with a mend.
    pub fn new(
        code: Code,
        ended: Ended,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            code,
            message: message.into(),
            hint: Some(hint.into()),
            ended,
        }
    }

    /// The operating system refused something without which nothing can start.
    pub fn cannot_start(what: &str, error: &dyn Error) -> Self {
        Self::new(
            CANNOT_START,
            Ended::Failed,
            format!("{what}: {error}"),
            "the machine may be short of memory, threads or files",
        )
    }

    /// The object that `--json` puts on stderr.
    pub fn to_json(&self) -> Value {
        json!({ "error": {
            "code": self.code.as_str(),
            "message": self.message,
            "hint": self.hint,
            "exit_code": self.ended.number(),
        }})
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let ended = match error.kind {
            StoreErrorKind::Full | StoreErrorKind::Unavailable => Ended::DataDirectory,
            StoreErrorKind::Busy => Ended::TryAgain,
            StoreErrorKind::Corrupt | StoreErrorKind::TooNew => Ended::BadData,
            StoreErrorKind::Closed => Ended::Failed,
        };
        Self::new(error.code(), ended, error.to_string(), error.hint())
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        let cause = error
            .source()
            .map_or_else(String::new, |cause| format!(": {cause}"));
        Self::new(
            error.code(),
            Ended::BadData,
            format!("{error}{cause}"),
            error.hint(),
        )
    }
}

impl From<ClientBuildError> for Problem {
    fn from(error: ClientBuildError) -> Self {
        Self {
            code: error.code,
            message: error.message,
            hint: None,
            ended: Ended::Failed,
        }
    }
}

/// Replaces the panic hook: a panic is a defect, and its message may quote what was being worked on.
pub fn say_panics_without_their_message() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        tracing::error!(panic.place = %place, "a defect of Rounds: it panicked at {place}; please report this place");
    }));
}

/// Help for a name that there is not: the nearest of those that there are, or what to do otherwise.
pub fn nearest_or<'n>(
    asked: &str,
    names: impl Iterator<Item = &'n str>,
    otherwise: &str,
) -> String {
    match rounds_map::nearest(asked, names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => otherwise.to_owned(),
    }
}
