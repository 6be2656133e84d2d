//! Redox data models as data: what a user's body leaves out is filled as Redox does.
//!
//! A receiver that was written for Redox reads a whole object: every key of the model is there, absent values are
//! `null`, absent lists `[]`, objects are never dropped. A user wants to write the ten leaves that they have. So a model
//! is a tree of fields, read once from a text in `models/` (one file per model; a new model is a new file and no code),
//! and [`Model::fill`] lays what the user wrote over it: in the model's key order, with what is missing filled in, and
//! with everything that is not of the model's shape reported at once, by path and never by value.
//!
//! Shapes and requirements are those of Redox's published schemas.
//!
//! A poll shows states, a receiver expects events. So a model's text also holds the rules by which an event follows from what
//! a record was and what it is ([`Model::derive`]), and what a message of that event takes over from before.

mod check;
mod derive;
mod fill;
mod formats;
mod parse;
mod path;
mod rules;
mod schema;
mod tree;
mod validate;

use crate::values_at;
use crate::written::written_at;
use crate::{Body, Json};
pub(crate) use path::{is_empty, list_step};
use rules::Rules;
use std::sync::LazyLock;

pub use derive::{Derived, FirstSeenOver, Happened, Observed, StateChange, Ways};
pub use formats::{Reader, SourceTimes};
pub(crate) use formats::{date, date_time};
pub use tree::FieldRow;
pub use validate::{Validated, validate};

/// Stands in paths for a member that no model names: an expression may have taken its name from a record.
pub(crate) const UNNAMED: &str = "*";

/// A data model: its events, and the fields of its messages.
pub struct Model {
    name: &'static str,
    about: &'static str,
    events: Vec<&'static str>,
    root: Vec<Field>,
    rules: Rules,
}

/// One field of an object.
#[derive(Debug, Clone)]
struct Field {
    name: &'static str,
    shape: Shape,
    /// The events whose messages have the field.
    present: Events,
    /// The events whose messages must have a value here.
    required: Events,
    filling: Filling,
    /// What it holds.
    about: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Events {
    None,
    All,
    Only(Vec<&'static str>),
}

/// What becomes of a field that the user leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filling {
    /// It is filled in.
    Always,
    /// It stays out: it was part of the model once.
    Legacy,
}

#[derive(Debug, Clone)]
enum Shape {
    Scalar(Scalar),
    Object(Vec<Field>),
    ListOfObjects(Vec<Field>),
    ListOfAny,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scalar {
    Text(Format),
    Number,
    Boolean,
}

/// In which form a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Any,
    /// A day.
    Date,
    /// An instant.
    DateTime,
    /// A number to call.
    Phone,
}

impl Format {
    const fn with_article(self) -> &'static str {
        match self {
            Self::Any => "a string",
            Self::Date => "a date",
            Self::DateTime => "a date and time",
            Self::Phone => "a phone number",
        }
    }
}

impl Scalar {
    const fn word(self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Number => "number",
            Self::Boolean => "boolean",
        }
    }

    const fn with_article(self) -> &'static str {
        match self {
            Self::Text(Format::Any | Format::Phone) => "a string",
            Self::Text(format) => format.with_article(),
            Self::Number => "a number",
            Self::Boolean => "a boolean",
        }
    }
}

/// Texts of all models, by file name.
const TEXTS: &[&str] = include!(concat!(env!("OUT_DIR"), "/models.rs"));

// The texts are compiled in; a test reads them all.
static MODELS: LazyLock<Vec<Model>> = LazyLock::new(|| {
    TEXTS
        .iter()
        .filter_map(|text| parse::read(text).ok())
        .collect()
});

impl Model {
    /// The model of that name, such as `Scheduling`.
    pub fn named(name: &str) -> Option<&'static Self> {
        MODELS.iter().find(|model| model.name == name)
    }

    /// The names of all models.
    pub fn names() -> impl Iterator<Item = &'static str> {
        MODELS.iter().map(|model| model.name)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.name
    }

    /// What it is, in a few words.
    pub const fn about(&self) -> &'static str {
        self.about
    }

    /// The names of its events, such as `New`.
    pub fn events(&self) -> impl Iterator<Item = &str> {
        self.events.iter().copied()
    }

    /// Completes `body` to a whole message of `event`: keys in the model's order, absent values `null`, absent lists
    /// `[]`, objects always there, `Meta` from `meta` where `body` does not say otherwise.
    /// Dates, times and phone numbers are brought into the model's form; `times` says how the source writes them.
    pub fn fill(
        &self,
        event: &str,
        body: &Json,
        meta: &Meta,
        times: SourceTimes<'_>,
    ) -> Result<Json, ModelErrors> {
        fill::fill(self, event, body, meta, times)
    }

    /// `body` with what can be read of its dates, times and phone numbers in the model's form: the same instant, written in two ways, is no
    /// change.
    #[must_use]
    pub fn formed(&self, body: &Json, times: SourceTimes<'_>) -> Json {
        formats::formed(self, None, body, times).0
    }

    /// Which event it is that a record was so and is so now.
    pub fn derive(&'static self, observed: Observed<'_>, ways: &Ways) -> Derived {
        derive::derive(self, observed, ways)
    }

    /// The states that the rules know of a record, such as `cancelled`.
    pub fn states(&self) -> impl Iterator<Item = &'static str> {
        self.rules.states.keys().copied()
    }

    /// Where a body holds the record's status, if the model has a field for it.
    pub fn status_path(&self) -> Option<&'static str> {
        self.rules.status
    }

    /// `body` with what messages of `event` take over from the body `before`, where it has no value itself, and with
    /// `constants`, which the rule of the event gave.
    #[must_use]
    pub fn carry(
        &self,
        event: &str,
        body: &Json,
        before: Option<&Json>,
        constants: &[(&'static str, &'static str)],
    ) -> Json {
        let lacks = |body: &Json, path: &str| values_at(body, path).iter().all(is_empty);
        let mut body = body.clone();
        for (path, value) in constants {
            if lacks(&body, path) {
                body = path::with(&body, path, &Json::string(*value));
            }
        }
        let carries = self.rules.carries.iter();
        for carry in carries.filter(|carry| carry.event == event) {
            let value = before.and_then(|before| values_at(before, carry.from).pop());
            if let Some(value) = value.filter(|value| !is_empty(value) && lacks(&body, carry.path))
            {
                body = path::with(&body, carry.path, &value);
            }
        }
        body
    }

    /// What an event is called in FHIR messages, such as `Scheduling-event-appointment-booked`.
    pub fn fhir_code(&self, event: &str) -> String {
        let known = self.rules.fhir.as_ref();
        let known = known.and_then(|(group, codes)| Some((*group, *codes.get(event)?)));
        let (group, code) = known.unwrap_or((self.name, event));
        format!("{group}-event-{code}")
    }

    /// The events that the rules can find for a body, so far as what is written in it decides that.
    pub fn reachable(&self, body: &Body) -> Vec<&'static str> {
        let found = derive::reachable(self, |path| written_at(body, path));
        let events = self.events.iter().copied();
        events.filter(|event| found.contains(event)).collect()
    }

    /// Whether messages of `event` take `path` over from before.
    pub fn carries(&self, event: &str, path: &str) -> bool {
        let mut carries = self.rules.carries.iter();
        carries.any(|carry| carry.event == event && carry.path == path)
    }

    /// What is wrong with `body` whatever the record: unknown fields, literals of the wrong type, required fields that
    /// are not there. What an expression gives is only known when a record comes.
    pub fn check_shape(&self, event: &str, body: &Body) -> Vec<ModelError> {
        check::check(self, event, body, check::Stage::Written)
    }
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Model").field(&self.name).finish()
    }
}

/// What a message says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// When the notification was made: RFC 3339, UTC.
    pub event_date_time: String,
    /// Whether the data is real.
    pub traffic: Traffic,
    /// Where it comes from.
    pub source: Party,
    /// Where it goes.
    pub destinations: Vec<Party>,
    /// The notification's id: the same on every attempt.
    pub log_id: String,
    /// The attempt's id. A body that is the same on every attempt has none.
    pub attempt_id: Option<String>,
}

/// Whether data is real.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Traffic {
    /// Real patients: `Test` is false.
    #[default]
    Production,
    /// Invented ones: `Test` is true.
    Test,
}

/// One end of a message's way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Party {
    /// Its id.
    pub id: Option<String>,
    /// Its name.
    pub name: Option<String>,
}

/// One thing that is wrong with a body; names the path, never the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` {problem}")]
pub struct ModelError {
    /// Like `Visit.Location.Department`; `.` for the whole.
    pub path: String,
    /// What is wrong there.
    pub problem: ModelProblem,
}

/// What can be wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelProblem {
    /// There is no such model.
    #[error("is no data model{}", did_you_mean(nearest.as_deref()))]
    UnknownModel {
        /// The nearest model that there is.
        nearest: Option<String>,
    },
    /// The model has no such event.
    #[error("is no event of {model}{}", did_you_mean(nearest.as_deref()))]
    UnknownEvent {
        /// The model.
        model: &'static str,
        /// The nearest event that there is.
        nearest: Option<String>,
    },
    /// The model has no such field in this event.
    #[error("is no field of {model} {event}{}", did_you_mean(nearest.as_deref()))]
    UnknownField {
        /// The model.
        model: &'static str,
        /// The event.
        event: String,
        /// The nearest field that there is.
        nearest: Option<String>,
    },
    /// A schema of the user's has no such member there.
    #[error("is not in the schema{}", did_you_mean(nearest.as_deref()))]
    NotInSchema {
        /// The nearest member that there is.
        nearest: Option<String>,
    },
    /// A schema of the user's says otherwise.
    #[error("does not fit the schema's `{rule}`")]
    Against {
        /// The keyword, and what the schema says there.
        rule: String,
    },
    /// What a schema of the user's completes a body with does not fit the schema.
    #[error("is completed with its default, which does not fit the schema's `{rule}`")]
    BadDefault {
        /// The keyword, and what the schema says there.
        rule: String,
    },
    /// None of the alternatives of a schema of the user's fits; this is what the nearest has against it.
    #[error("{problem} (in the nearest alternative of the schema's `{keyword}`)")]
    InAlternative {
        /// `anyOf` or `oneOf`.
        keyword: &'static str,
        /// What the alternative says.
        problem: Box<ModelProblem>,
    },
    /// The value is of another type.
    #[error("is {found} where {needed} is needed{}", hint(needed, found))]
    WrongType {
        /// With its article: "a string".
        needed: &'static str,
        /// With its article: "a number".
        found: &'static str,
    },
    /// The text cannot be read as what the field holds.
    #[error("cannot be read as {needed}")]
    Unreadable {
        /// With its article: "a date".
        needed: &'static str,
    },
    /// The time is a local one, and nobody says of which zone.
    #[error("has no offset; `notify.zone` says in which zone it is")]
    NoOffset,
    /// A field without which the message means nothing.
    #[error("is required and has no value")]
    Missing,
    /// A key that a whole message has.
    #[error("is left out; what has no value is null, [] or an object of nulls")]
    LeftOut,
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| {
        format!("; did you mean `{nearest}`?")
    })
}

fn hint(needed: &str, found: &str) -> &'static str {
    match (needed, found) {
        ("a string", "a number" | "a boolean") => "; add `| tostring`",
        ("a number", "a string") => "; add `| tonumber`",
        ("a date and time", "a number") => "; seconds since 1970 become one with `| todateiso8601`",
        ("a date", "a number") => "; seconds since 1970 become one with `| strftime(\"%Y-%m-%d\")`",
        _ => "",
    }
}

/// All that is wrong with a body: at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelErrors(pub Vec<ModelError>);

impl std::fmt::Display for ModelErrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if index > 0 { "; " } else { "" })?;
        }
        Ok(())
    }
}

impl std::error::Error for ModelErrors {}

#[cfg(test)]
mod events;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
