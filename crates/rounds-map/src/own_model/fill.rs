//! Laying a body over a schema.

use super::tree::{Completion, Form, Node};
use crate::body::Path;
use crate::models::{ModelError, ModelProblem, SourceTimes, date, date_time};
use crate::{Json, JsonKind};

/// The body, completed, and what could not be read in it.
pub(super) fn filled(tree: &Node, body: &Json, times: SourceTimes<'_>) -> (Json, Vec<ModelError>) {
    let mut filler = Filler {
        times,
        missing: Missing::Filled,
        path: Path::default(),
        errors: Vec::new(),
    };
    let filled = filler.given(tree, body);
    (filled, filler.errors)
}

/// The body with its dates and times in the schema's form, and nothing added.
pub(super) fn formed(tree: &Node, body: &Json, times: SourceTimes<'_>) -> Json {
    let mut filler = Filler {
        times,
        missing: Missing::LeftOut,
        path: Path::default(),
        errors: Vec::new(),
    };
    filler.given(tree, body)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Filled,
    LeftOut,
}

struct Filler<'f> {
    times: SourceTimes<'f>,
    missing: Missing,
    path: Path,
    errors: Vec<ModelError>,
}

impl Filler<'_> {
    fn given(&mut self, node: &Node, value: &Json) -> Json {
        match value.kind() {
            JsonKind::Object => self.object(node, value),
            JsonKind::Array => {
                let Some(items) = &node.items else {
                    return value.clone();
                };
                let filled: Vec<Json> = (value.items().enumerate())
                    .map(|(index, item)| {
                        let step = self.path.enter_item(index);
                        let filled = self.given(items, &item);
                        self.path.back(step);
                        filled
                    })
                    .collect();
                Json::array(filled)
            }
            JsonKind::String => self.text(node.form, value),
            JsonKind::Null | JsonKind::Boolean | JsonKind::Number => value.clone(),
        }
    }

    /// The members in the order of the schema, then those that it does not name.
    fn object(&mut self, node: &Node, value: &Json) -> Json {
        let mut members: Vec<(String, Json)> = Vec::new();
        for (name, property) in &node.properties {
            let step = self.path.enter_member(name);
            let given = value.get(name);
            // An expression that finds nothing gives null, which the schema may not have there: then it is as if it were left out.
            // So is an object of nothing but nulls that could not be there without a value.
            let is_needed = node.required.contains(name);
            let is_given = |given: &Json| {
                let is_something = !given.is_null() || property.may_be(JsonKind::Null);
                is_something && (is_needed || !is_hollow(property, given))
            };
            let member = match (given, self.missing) {
                (Some(given), Missing::LeftOut) => Some(self.given(property, &given)),
                (Some(given), Missing::Filled) if is_given(&given) => {
                    Some(self.given(property, &given))
                }
                (_, Missing::Filled) if is_needed => self.absent(property),
                // What need not be there is left out: written in, it might be what the schema does not want beside something else.
                (None, Missing::LeftOut) | (_, Missing::Filled) => None,
            };
            self.path.back(step);
            members.extend(member.map(|member| (name.clone(), member)));
        }
        let others = value
            .members()
            .filter(|(name, _)| node.property(name).is_none());
        members.extend(others.map(|(name, member)| (name.to_owned(), member)));
        Json::object(members)
    }

    /// What is there where nothing was given and something must be.
    fn absent(&mut self, node: &Node) -> Option<Json> {
        match node.completion() {
            Completion::Value(value) => Some(value),
            Completion::Members => Some(self.object(node, &Json::object::<String>([]))),
            Completion::None => None,
        }
    }

    fn text(&mut self, form: Form, value: &Json) -> Json {
        let text = value.as_str().map_or("", str::trim);
        let (formed, needed) = match form {
            Form::Any => return value.clone(),
            Form::Date => (date(text), "a date"),
            Form::DateTime => (date_time(text, self.times), "a date and time"),
        };
        let is_local = form == Form::DateTime
            && self.times.zone.is_none()
            && formed
                .as_ref()
                .is_some_and(|formed| formed.contains('T') && !formed.ends_with('Z'));
        if is_local {
            self.errors.push(ModelError {
                path: self.path.shown(),
                problem: ModelProblem::NoOffset,
            });
        }
        formed.map_or_else(
            || {
                self.errors.push(ModelError {
                    path: self.path.shown(),
                    problem: ModelProblem::Unreadable { needed },
                });
                value.clone()
            },
            Json::string,
        )
    }
}

/// Whether nothing was found for an object that needs something.
fn is_hollow(node: &Node, value: &Json) -> bool {
    fn is_nothing(value: &Json) -> bool {
        match value.kind() {
            JsonKind::Null => true,
            JsonKind::Object => value.members().all(|(_, member)| is_nothing(&member)),
            _ => false,
        }
    }
    let needs = |name: &String| {
        let member = node.property(name).map(Node::completion);
        member.is_none_or(|member| member == Completion::None)
    };
    value.kind() == JsonKind::Object && is_nothing(value) && node.required.iter().any(needs)
}
