//! From nodes to typed values, reporting and going on.
//!
//! Every type that can stand in a configuration says two things: how it is read, and what its JSON Schema is. Both come
//! from one description, so an editor and `rounds check` never disagree. For the mappings with fixed keys that
//! description is the declaration of a struct in [`crate::face`], read by the macro `keys!`: the doc comment of a field is
//! the key's documentation, its type says what belongs there.
//!
//! A wrong value does not end the reading. Its field becomes [`Given::Wrong`], which everything after this treats as
//! "there was something, and it has been talked about".

mod keys;
mod members;

pub(crate) use keys::keys;
pub(crate) use members::Members;

use crate::codes;
use crate::diagnostic::Findings;
use crate::source::Place;
use crate::tree::{Entry, Node, NodeKind};
use rounds_domain::Code;
use serde_json::{Map, Value, json};

/// Something that can stand in a configuration.
pub(crate) trait Read: Sized {
    /// Reads it, or reports why it cannot be read.
    fn read(node: &Node, findings: &mut Findings<'_>) -> Option<Self>;

    /// Its JSON Schema. Larger ones put themselves among the definitions and give a reference.
    fn schema(definitions: &mut Definitions) -> Value;
}

/// The `$defs` of the schema.
pub(crate) type Definitions = Map<String, Value>;

/// What a key has.
#[derive(Debug, Clone)]
pub(crate) enum Given<T> {
    /// The key is not there.
    Absent,
    /// What is there is wrong, and that was reported.
    Wrong,
    /// What is there.
    Here(Here<T>),
}

/// A value with its key's place and its own.
#[derive(Debug, Clone)]
pub(crate) struct Here<T> {
    pub(crate) key: Place,
    pub(crate) place: Place,
    pub(crate) value: T,
}

/// An item of a list.
#[derive(Debug, Clone)]
pub(crate) struct At<T> {
    pub(crate) place: Place,
    pub(crate) value: T,
}

impl<T> Given<T> {
    pub(crate) fn here(&self) -> Option<&Here<T>> {
        match self {
            Self::Here(here) => Some(here),
            Self::Absent | Self::Wrong => None,
        }
    }

    pub(crate) fn value(&self) -> Option<&T> {
        self.here().map(|here| &here.value)
    }

    pub(crate) const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

impl<T: Copy> Given<T> {
    pub(crate) fn or(&self, default: T) -> T {
        self.value().copied().unwrap_or(default)
    }
}

/// Whether a key must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Required,
    Optional,
}

/// Exactly one of these keys must be there.
#[derive(Debug)]
pub(crate) struct ExactlyOne {
    pub(crate) keys: &'static [&'static str],
    /// What it means that none is there.
    pub(crate) none: Code,
    /// In words.
    pub(crate) message: &'static str,
    /// How to mend it.
    pub(crate) help: &'static str,
}

/// One key of a mapping, described.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) need: Need,
    pub(crate) doc: &'static [&'static str],
    pub(crate) example: Option<&'static str>,
    pub(crate) schema: fn(&mut Definitions) -> Value,
    #[cfg(test)]
    pub(crate) accepts: fn(&Node, &mut Findings<'_>) -> bool,
}

/// A mapping with fixed keys, described.
pub(crate) struct Keys {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static [&'static str],
    pub(crate) all: &'static [Key],
    pub(crate) exactly_one: &'static [ExactlyOne],
}

impl Keys {
    fn names(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.all.iter().map(|key| key.name)
    }

    /// A reference to this mapping's definition, which is put among the definitions.
    pub(crate) fn reference(&self, definitions: &mut Definitions) -> Value {
        if !definitions.contains_key(self.name) {
            // First a place holder, so that a mapping within itself would end.
            definitions.insert(self.name.to_owned(), Value::Null);
            let schema = self.schema(definitions);
            definitions.insert(self.name.to_owned(), schema);
        }
        json!({ "$ref": format!("#/$defs/{}", self.name) })
    }

    /// The mapping's own schema.
    pub(crate) fn schema(&self, definitions: &mut Definitions) -> Value {
        let mut properties = Map::new();
        for key in self.all {
            let mut schema = (key.schema)(definitions);
            if let Value::Object(schema) = &mut schema {
                schema.insert("description".to_owned(), prose(key.doc).into());
                if let Some(example) = key.example {
                    let example: Value =
                        serde_json::from_str(example).unwrap_or_else(|_| example.into());
                    schema.insert("examples".to_owned(), json!([example]));
                }
            }
            properties.insert(key.name.to_owned(), schema);
        }
        let required = self.all.iter().filter(|key| key.need == Need::Required);
        let required: Vec<&str> = required.map(|key| key.name).collect();
        let mut schema = json!({
            "type": "object",
            "description": prose(self.doc),
            "properties": properties,
            "additionalProperties": false,
        });
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        for group in self.exactly_one {
            let branches = group.keys.iter().map(|key| json!({ "required": [key] }));
            schema["oneOf"] = branches.collect();
        }
        schema
    }
}

/// The lines of a doc comment as one text.
fn prose(lines: &[&str]) -> String {
    let lines: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
    lines.join(" ")
}

/// Where an entry's value is; where nothing is given, its key.
pub(crate) fn value_place(entry: &Entry) -> Place {
    if entry.value.place.start >= entry.value.place.end || entry.value.is_null() {
        entry.key.place
    } else {
        entry.value.place
    }
}

/// The entries of a node that must be a mapping. Nothing at all is an empty one.
pub(crate) fn entries<'n>(
    node: &'n Node,
    findings: &mut Findings<'_>,
    expected: impl FnOnce() -> String,
) -> Option<&'n [Entry]> {
    match &node.kind {
        NodeKind::Mapping(entries) => Some(entries),
        _ if node.is_null() => Some(&[]),
        _ => {
            wrong_type(node, findings, &expected());
            None
        }
    }
}

pub(crate) fn wrong_type(node: &Node, findings: &mut Findings<'_>, expected: &str) {
    if matches!(node.kind, NodeKind::Refused) {
        return;
    }
    if node.is_null() {
        let owner = findings.owner;
        let name = shortened(findings.sources.excerpt(owner));
        findings
            .error(codes::WRONG_TYPE, owner, format!("`{name}` has no value"))
            .expected(format!("expected {expected}"));
        return;
    }
    let place = node.place;
    findings
        .error(
            codes::WRONG_TYPE,
            place,
            format!("{} where something else is needed", node.found()),
        )
        .expected(format!("expected {expected}"));
}

pub(crate) fn duplicate_key(
    first: &crate::tree::Scalar,
    second: &crate::tree::Scalar,
    findings: &mut Findings<'_>,
) {
    findings
        .error(
            codes::DUPLICATE_KEY,
            second.place,
            format!("the key `{}` comes twice", shortened(&second.text)),
        )
        .expected("again here")
        .also(first.place, "first here")
        .help("keep one of them");
}

/// A text of the user in a message: not longer than a line.
pub(crate) fn shortened(text: &str) -> String {
    let mut shown: String = text.chars().take(60).filter(|c| !c.is_control()).collect();
    if shown.len() < text.len() {
        shown.push_str("...");
    }
    shown
}
