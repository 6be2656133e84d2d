//! Each value of a message beside what gave it.
//!
//! A message is what the mapping wrote and what its shape puts around it: headers, an envelope, a bundle. The two are told apart, since only the
//! first is anything that a person can mend in the mapping.

use super::trial::TriedRow;
use rounds_domain::Notification;
use rounds_domain::plan::{Action, BodyRule, ModifierDeed, Payload, Shape, Translation};
use rounds_engine::{NUMBER_MARK, shape_headers};
use rounds_map::{Body, Json, JsonKind};
use serde::Serialize;
use std::collections::BTreeMap;

/// What stands beside the mark of a number.
const AT_ITS_DESTINATION: &str = "filled in when it leaves";

/// One value of a message.
#[derive(Debug, Clone, Serialize)]
pub struct LeafRow {
    /// Where it stands, such as `Visit.Location.Department`.
    pub path: String,
    /// The value, as JSON.
    pub value: String,
    /// What gave it: jq as it was written, `as written`, or `filled in`.
    pub from: String,
}

/// One field that the mapping writes.
#[derive(Debug, Serialize)]
pub struct MappedField {
    /// Where it stands; `[]` stands for any item.
    pub path: String,
    /// In how many messages it had a value.
    pub filled: usize,
}

/// A message's values.
#[derive(Debug, Default)]
pub(super) struct Leaves {
    /// Those that its shape puts around it, headers first.
    pub(super) envelope: Vec<LeafRow>,
    /// Those that the mapping wrote, or that are the record's.
    pub(super) message: Vec<LeafRow>,
}

/// Every value of a message that is not null, beside what gave it.
pub(super) fn of(action: &Action, notification: &Notification) -> Leaves {
    let mut leaves = Leaves::default();
    for (name, value) in shape_headers(notification) {
        let value = Json::string(value);
        leaves.envelope.push(leaf(name, &value, "a header"));
    }
    let Ok(body) = Json::parse(notification.body.bytes()) else {
        return leaves;
    };
    let notify = &action.notify;
    let shape = format!("shape: {}", notify.shape.as_str());
    match notify.shape {
        Shape::Plain | Shape::CloudEventsBinary => of_body(action, &body, "", &mut leaves),
        Shape::CloudEvents => {
            for (name, member) in body.members().filter(|(name, _)| *name != "data") {
                walk(
                    &member,
                    None,
                    &shape,
                    &mut name.to_owned(),
                    &mut leaves.envelope,
                );
            }
            if let Some(data) = body.get("data") {
                of_body(action, &data, "data", &mut leaves);
            }
        }
        Shape::FhirMessage | Shape::FhirSubscriptionR4 | Shape::FhirSubscriptionR5 => {
            let from = "the record and its lookups";
            let mut all = Vec::new();
            walk(&body, None, from, &mut String::new(), &mut all);
            for mut leaf in all {
                if is_of_record(&leaf.path) {
                    leaves.message.push(leaf);
                } else {
                    let is_number = leaf.value.contains(NUMBER_MARK);
                    let by = if is_number {
                        AT_ITS_DESTINATION
                    } else {
                        &shape
                    };
                    by.clone_into(&mut leaf.from);
                    leaves.envelope.push(leaf);
                }
            }
        }
    }
    leaves
}

/// Whether it is a value of a resource that the EHR gave: the first entry of every bundle is ours.
fn is_of_record(path: &str) -> bool {
    let entry = path.strip_prefix("entry[");
    let entry = entry.and_then(|entry| entry.split_once("].resource."));
    entry.is_some_and(|(index, _)| index != "0")
}

/// What the mapping wrote, or what little is told of it. `at` is where that stands.
fn of_body(action: &Action, body: &Json, at: &str, leaves: &mut Leaves) {
    let notify = &action.notify;
    let thin = match notify.payload {
        Payload::Full => None,
        Payload::IdOnly => Some("payload: id_only"),
        Payload::Empty => Some("payload: empty"),
    };
    if let Some(from) = thin {
        walk(body, None, from, &mut at.to_owned(), &mut leaves.envelope);
        return;
    }
    let otherwise = match notify.body {
        BodyRule::Whole => "the record and its lookups",
        _ => "filled in",
    };
    let template = notify.body.template();
    walk(
        body,
        template,
        otherwise,
        &mut String::new(),
        &mut leaves.message,
    );
    for modifier in &notify.modifiers {
        let gave = |leaf: &LeafRow| match &modifier.deed {
            ModifierDeed::Put(_) => Some("notify.put"),
            ModifierDeed::Translate(set) => says(set, leaf).then_some("notify.translate"),
            ModifierDeed::Codes(set) => says(set, leaf).then_some("notify.codes"),
            ModifierDeed::Delete => None,
        };
        for leaf in &mut leaves.message {
            if leaf.path != modifier.path && without_indexes(&leaf.path) != modifier.path {
                continue;
            }
            if let Some(by) = gave(leaf) {
                by.clone_into(&mut leaf.from);
            }
        }
    }
}

/// Whether a set has this word for something: a value that it does not know stays as it was.
fn says(set: &Translation, leaf: &LeafRow) -> bool {
    let mut words = set.values.values();
    words.any(|word| word.to_bytes() == leaf.value.as_bytes())
}

fn leaf(path: &str, value: &Json, from: &str) -> LeafRow {
    LeafRow {
        path: path.to_owned(),
        value: String::from_utf8_lossy(&value.to_bytes()).into_owned(),
        from: from.to_owned(),
    }
}

fn walk(
    value: &Json,
    template: Option<&Body>,
    from: &str,
    path: &mut String,
    found: &mut Vec<LeafRow>,
) {
    let from = match template {
        Some(Body::Expression(filter)) => &one_line(&format!("= {}", filter.text())),
        Some(Body::Literal(_)) => "as written",
        Some(Body::Object(_) | Body::Array(_)) => "filled in",
        None => from,
    };
    let length = path.len();
    match value.kind() {
        JsonKind::Object => {
            for (name, member) in value.members() {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
                let below = match template {
                    Some(Body::Object(members)) => {
                        members.iter().rev().find(|(known, _)| known == name)
                    }
                    _ => None,
                };
                walk(&member, below.map(|(_, below)| below), from, path, found);
                path.truncate(length);
            }
        }
        JsonKind::Array => {
            for (index, item) in value.items().enumerate() {
                path.extend(["[", &index.to_string(), "]"]);
                let below = match template {
                    Some(Body::Array(items)) => items.get(index),
                    _ => None,
                };
                walk(&item, below, from, path, found);
                path.truncate(length);
            }
        }
        JsonKind::Null => {}
        JsonKind::Boolean | JsonKind::Number | JsonKind::String => {
            found.push(leaf(path, value, from));
        }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// In how many messages each field had a value that the mapping writes, where it is what is sent.
pub(super) fn fields(action: &Action, records: &[TriedRow]) -> Vec<MappedField> {
    let notify = &action.notify;
    let is_sent = !notify.shape.is_fhir() && notify.payload == Payload::Full;
    let Some(template) = notify.body.template().filter(|_| is_sent) else {
        return Vec::new();
    };
    let told = records.iter().filter(|row| row.outcome == "told");
    let mut filled: BTreeMap<String, usize> = BTreeMap::new();
    for row in told {
        let mut here: Vec<String> = row
            .leaves
            .iter()
            .map(|leaf| without_indexes(&leaf.path))
            .collect();
        here.sort();
        here.dedup();
        for path in here {
            *filled.entry(path).or_default() += 1;
        }
    }
    let mut fields: Vec<MappedField> = Vec::new();
    for (path, _) in template.leaves() {
        let path = without_indexes(&path);
        if fields.iter().any(|known| known.path == path) {
            continue;
        }
        // An expression may give a whole object: it has a value if anything in it has.
        let below = |known: &str| {
            let rest = known.strip_prefix(path.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let most = filled
            .iter()
            .filter(|(known, _)| below(known))
            .map(|(_, count)| *count);
        fields.push(MappedField {
            filled: most.max().unwrap_or_default(),
            path,
        });
    }
    fields
}

fn without_indexes(path: &str) -> String {
    let mut shown = String::new();
    for step in path.split('[') {
        match step.split_once(']') {
            Some((_, rest)) => shown.extend(["[]", rest]),
            None => shown.push_str(step),
        }
    }
    shown
}
