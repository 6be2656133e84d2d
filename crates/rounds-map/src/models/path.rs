//! Paths through a message, as model texts write them: `Visit.Location`, `Orders[].ID`.

use super::{Field, Model, Scalar, Shape};
use crate::{Edit, Json, JsonKind, edited};
use std::convert::Infallible;

/// Whether there is nothing in a value: null, a list without items, an object with nothing in any member.
pub(crate) fn is_empty(value: &Json) -> bool {
    match value.kind() {
        JsonKind::Null => true,
        JsonKind::Array => value.items().next().is_none(),
        JsonKind::Object => value.members().all(|(_, member)| is_empty(&member)),
        _ => false,
    }
}

/// `body` with `value` at `path`.
pub(super) fn with(body: &Json, path: &str, value: &Json) -> Json {
    let put = edited(body, path, &mut |_| {
        Ok::<_, Infallible>(Edit::Put(value.clone()))
    });
    put.unwrap_or_else(|never| match never {})
}

impl Model {
    /// Every path that the rules name.
    pub(super) fn paths_of_rules(&self) -> impl Iterator<Item = &'static str> {
        use super::rules::Condition;
        let rules = &self.rules;
        let named = rules.in_order.iter().flat_map(|rule| {
            let conditions = rule
                .conditions
                .iter()
                .flat_map(|condition| match condition {
                    Condition::Moved(paths) => paths.clone(),
                    Condition::Has(path) | Condition::Lacks(path) | Condition::Gained(path) => {
                        vec![*path]
                    }
                    _ => Vec::new(),
                });
            conditions.chain(rule.constants.iter().map(|(path, _)| *path))
        });
        let carried = rules.carries.iter();
        let carried = carried.flat_map(|carry| [carry.path, carry.from]);
        rules.status.into_iter().chain(named).chain(carried)
    }

    /// Whether messages of any event have the field.
    pub fn has_path(&self, path: &str) -> bool {
        self.kinds_at(path).is_some()
    }

    /// What may stand at `path`, such as `Visit.Duration` or `Orders[].Status`: none of it if that may be anything, and None where no
    /// event's messages have such a field.
    pub fn kinds_at(&self, path: &str) -> Option<Vec<JsonKind>> {
        let mut fields: Vec<&[Field]> = vec![&self.root];
        let mut kinds = Vec::new();
        for step in path.split('.') {
            let (name, is_list) = list_step(step);
            // A field that events have in different places stands there once for each.
            let found = fields
                .iter()
                .flat_map(|fields| fields.iter())
                .filter(|field| field.name == name);
            let found: Vec<&Field> = found.collect();
            if found.is_empty() {
                return None;
            }
            kinds = found
                .iter()
                .filter_map(|field| field.shape.kind(is_list))
                .collect();
            let members = found.into_iter().filter_map(|field| match &field.shape {
                Shape::Object(fields) if !is_list => Some(fields.as_slice()),
                Shape::ListOfObjects(fields) if is_list => Some(fields.as_slice()),
                _ => None,
            });
            fields = members.collect();
        }
        Some(kinds)
    }
}

/// The name in a step of a path, and whether the step goes on into its items.
pub(crate) fn list_step(step: &str) -> (&str, bool) {
    match step.split_once('[') {
        Some((name, _)) => (name, true),
        None => (step, false),
    }
}

impl Shape {
    /// What its value is, or that of its items; None if that may be anything.
    const fn kind(&self, of_items: bool) -> Option<JsonKind> {
        match self {
            Self::Scalar(Scalar::Text(_)) => Some(JsonKind::String),
            Self::Scalar(Scalar::Number) => Some(JsonKind::Number),
            Self::Scalar(Scalar::Boolean) => Some(JsonKind::Boolean),
            Self::Object(_) => Some(JsonKind::Object),
            Self::ListOfObjects(_) if of_items => Some(JsonKind::Object),
            Self::ListOfAny if of_items => None,
            Self::ListOfObjects(_) | Self::ListOfAny => Some(JsonKind::Array),
        }
    }
}
