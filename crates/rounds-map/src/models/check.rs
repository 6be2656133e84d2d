//! Whether a body is of a model's shape: as far as it is known before there is a record, and whole when there is one.

use super::{Events, Field, Model, ModelError, ModelProblem, Scalar, Shape, UNNAMED};
use crate::body::{Body, Path};
use crate::nearest::nearest;
use crate::{Json, JsonKind};

/// The field that Rounds fills itself.
pub(super) const META: &str = "Meta";

/// What is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// What the user wrote: expressions may give anything, and `Meta` is still to be added.
    Written,
    /// What it became for a record. What only other events have is left out of the message, so it may be there.
    Rendered,
    /// A message.
    Message,
}

pub(super) fn check(model: &Model, event: &str, body: &Body, stage: Stage) -> Vec<ModelError> {
    if let Some(error) = unknown_event(model, event) {
        return vec![error];
    }
    let mut checker = Checker {
        model,
        event,
        stage,
        path: Path::default(),
        errors: Vec::new(),
    };
    checker.object(&model.root, &Value::of(body), Demand::Enforced);
    checker.errors
}

fn unknown_event(model: &Model, event: &str) -> Option<ModelError> {
    if model.events.contains(&event) {
        return None;
    }
    let nearest = nearest(event, model.events.iter().copied()).map(str::to_owned);
    // The event's name may come from the record, so it is not repeated; `Meta.EventType` is where it would stand.
    let problem = ModelProblem::UnknownEvent {
        model: model.name,
        nearest,
    };
    Some(ModelError {
        path: "Meta.EventType".to_owned(),
        problem,
    })
}

/// Whether required fields must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Demand {
    Enforced,
    Suspended,
}

/// One level of what is checked.
enum Value<'b> {
    /// An expression: anything.
    Open,
    Absent,
    Scalar(JsonKind),
    Array(Vec<Value<'b>>),
    Object(Vec<(std::borrow::Cow<'b, str>, Value<'b>)>),
}

impl<'b> Value<'b> {
    fn of(body: &'b Body) -> Self {
        match body {
            Body::Literal(value) => Self::of_json(value),
            Body::Expression(_) => Self::Open,
            Body::Array(items) => Self::Array(items.iter().map(Self::of).collect()),
            Body::Object(members) => Self::Object(
                members
                    .iter()
                    .map(|(key, member)| (key.as_str().into(), Self::of(member)))
                    .collect(),
            ),
        }
    }

    fn of_json(value: &Json) -> Self {
        match value.kind() {
            JsonKind::Null => Self::Absent,
            JsonKind::Array => {
                Self::Array(value.items().map(|item| Self::of_json(&item)).collect())
            }
            JsonKind::Object => {
                let members = value.members();
                Self::Object(
                    members
                        .map(|(key, member)| (key.to_owned().into(), Self::of_json(&member)))
                        .collect(),
                )
            }
            kind => Self::Scalar(kind),
        }
    }

    fn kind(&self) -> Option<JsonKind> {
        match self {
            Self::Open => None,
            Self::Absent => Some(JsonKind::Null),
            Self::Scalar(kind) => Some(*kind),
            Self::Array(_) => Some(JsonKind::Array),
            Self::Object(_) => Some(JsonKind::Object),
        }
    }
}

fn is_empty(value: &Value<'_>) -> bool {
    match value {
        Value::Absent => true,
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

struct Checker<'m> {
    model: &'m Model,
    event: &'m str,
    stage: Stage,
    path: Path,
    errors: Vec<ModelError>,
}

impl Checker<'_> {
    fn error(&mut self, problem: ModelProblem) {
        self.errors.push(ModelError {
            path: self.path.shown(),
            problem,
        });
    }

    fn wrong_type(&mut self, needed: &'static str, found: JsonKind) {
        self.error(ModelProblem::WrongType {
            needed,
            found: found.with_article(),
        });
    }

    fn object(&mut self, fields: &[Field], value: &Value<'_>, demand: Demand) {
        let members = match value {
            Value::Open => return,
            Value::Absent => [].as_slice(),
            Value::Object(members) => members.as_slice(),
            Value::Scalar(_) | Value::Array(_) => {
                return value
                    .kind()
                    .into_iter()
                    .for_each(|kind| self.wrong_type("an object", kind));
            }
        };
        let present: Vec<&Field> = fields
            .iter()
            .filter(|field| field.present.hold(self.event))
            .collect();
        for (key, _) in members {
            let left_out =
                self.stage == Stage::Rendered && fields.iter().any(|field| field.name == key);
            if !left_out && !present.iter().any(|field| field.name == key) {
                // What a user wrote was checked when it was read; this may be a name that a record gave.
                let shown = match self.stage {
                    Stage::Written | Stage::Message => key,
                    Stage::Rendered => UNNAMED,
                };
                let step = self.path.enter_member(shown);
                let nearest =
                    nearest(key, present.iter().map(|field| field.name)).map(str::to_owned);
                let event = self.event.to_owned();
                self.error(ModelProblem::UnknownField {
                    model: self.model.name,
                    event,
                    nearest,
                });
                self.path.back(step);
            }
        }
        let at_root = self.path.shown() == ".";
        for field in present {
            // As in objects, the last of several members of one name counts.
            let given = members
                .iter()
                .rev()
                .find(|(key, _)| key == field.name)
                .map(|(_, member)| member);
            let filled_later = at_root && field.name == META && self.stage == Stage::Written;
            let demand = if filled_later {
                Demand::Suspended
            } else {
                demand
            };
            let step = self.path.enter_member(field.name);
            self.field(field, given.unwrap_or(&Value::Absent), demand);
            self.path.back(step);
        }
    }

    fn field(&mut self, field: &Field, value: &Value<'_>, demand: Demand) {
        match &field.shape {
            Shape::Scalar(scalar) => match (value.kind(), scalar) {
                (None, _)
                | (Some(JsonKind::String), Scalar::Text(_))
                | (Some(JsonKind::Number), Scalar::Number)
                | (Some(JsonKind::Boolean), Scalar::Boolean) => {}
                (Some(JsonKind::Null), _) => {
                    if demand == Demand::Enforced && field.required.hold(self.event) {
                        self.error(ModelProblem::Missing);
                    }
                }
                (Some(kind), scalar) => self.wrong_type(scalar.with_article(), kind),
            },
            Shape::Object(fields) => self.object(fields, value, demand),
            Shape::ListOfAny | Shape::ListOfObjects(_) => match value {
                Value::Open => {}
                empty if is_empty(empty) => {
                    if demand == Demand::Enforced && field.required.hold(self.event) {
                        self.error(ModelProblem::Missing);
                    }
                }
                Value::Absent => {}
                Value::Array(items) => self.items(&field.shape, items, demand),
                Value::Scalar(_) | Value::Object(_) => {
                    value
                        .kind()
                        .into_iter()
                        .for_each(|kind| self.wrong_type("an array", kind));
                }
            },
        }
    }

    fn items(&mut self, shape: &Shape, items: &[Value<'_>], demand: Demand) {
        if let Shape::ListOfObjects(fields) = shape {
            for (index, item) in items.iter().enumerate() {
                let step = self.path.enter_item(index);
                self.object(fields, item, demand);
                self.path.back(step);
            }
        }
    }
}

impl Events {
    pub(super) fn hold(&self, event: &str) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Only(events) => events.contains(&event),
        }
    }
}
