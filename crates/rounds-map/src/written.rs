//! What is known of a body before there is a record: where it has values.

use crate::Body;
use crate::models::{is_empty, list_step};

/// How sure it is that a body has a value, where it may have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Certainty {
    Perhaps,
    Always,
}

impl Body {
    /// Whether there can be a value at `path`, whatever the record.
    pub fn may_have(&self, path: &str) -> bool {
        written_at(self, path).is_some()
    }
}

/// Whether a body, as it is written, has a value at `path`.
pub(crate) fn written_at(body: &Body, path: &str) -> Option<Certainty> {
    let (step, rest) = path.split_once('.').unwrap_or((path, ""));
    let certain = |holds: bool| holds.then_some(Certainty::Always);
    match body {
        Body::Expression(_) => Some(Certainty::Perhaps),
        Body::Literal(value) => certain(!crate::values_at(value, path).iter().all(is_empty)),
        Body::Array(_) => None,
        Body::Object(members) => {
            let (name, is_list) = list_step(step);
            let (_, member) = members.iter().rev().find(|(key, _)| key == name)?;
            match (member, rest) {
                (Body::Array(items), _) if is_list && !rest.is_empty() => {
                    items.iter().filter_map(|item| written_at(item, rest)).max()
                }
                (member, "") => written_whole(member),
                (member, rest) => written_at(member, rest),
            }
        }
    }
}

fn written_whole(body: &Body) -> Option<Certainty> {
    match body {
        Body::Expression(_) => Some(Certainty::Perhaps),
        Body::Literal(value) => (!is_empty(value)).then_some(Certainty::Always),
        Body::Array(items) => items.iter().filter_map(written_whole).max(),
        Body::Object(members) => members
            .iter()
            .filter_map(|(_, member)| written_whole(member))
            .max(),
    }
}
