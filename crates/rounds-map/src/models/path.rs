//! Paths through a message, as model texts write them: `Visit.Location`, `Orders[].ID`.

use super::{Field, Model, Shape};
use crate::{Edit, Json, JsonKind, edited};
use std::convert::Infallible;

/// Whether there is nothing in a value: null, a list without items, an object with nothing in any member.
pub(super) fn is_empty(value: &Json) -> bool {
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
        let mut fields: Vec<&[Field]> = vec![&self.root];
        for step in path.split('.') {
            let (name, is_list) = match step.strip_suffix("[]") {
                Some(name) => (name, true),
                None => (step, false),
            };
            // A field that events have in different places stands there once for each.
            let found = fields
                .iter()
                .flat_map(|fields| fields.iter())
                .filter(|field| field.name == name);
            let found: Vec<&Field> = found.collect();
            if found.is_empty() {
                return false;
            }
            let members = found.into_iter().filter_map(|field| match &field.shape {
                Shape::Object(fields) if !is_list => Some(fields.as_slice()),
                Shape::ListOfObjects(fields) if is_list => Some(fields.as_slice()),
                _ => None,
            });
            fields = members.collect();
        }
        true
    }
}
