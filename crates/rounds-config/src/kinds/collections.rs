//! Lists, and mappings whose keys the user chooses.

use crate::codes;
use crate::diagnostic::Findings;
use crate::reading::{At, Definitions, Read, duplicate_key, entries, shortened, wrong_type};
use crate::source::Place;
use crate::tree::{Node, NodeKind, Scalar};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry as MapEntry;

/// A list of values.
#[derive(Debug, Clone)]
pub(crate) struct Many<T>(pub(crate) Vec<At<T>>);

/// One value or a list of them.
#[derive(Debug, Clone)]
pub(crate) struct OneOrMany<T>(pub(crate) Vec<At<T>>);

/// A mapping from names that the user chooses to values.
#[derive(Debug, Clone)]
pub(crate) struct Names<T>(pub(crate) Vec<Named<T>>);

/// One of them. The name stays known where the value is wrong, so that nobody is told that it does not exist.
#[derive(Debug, Clone)]
pub(crate) struct Named<T> {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) value: Option<T>,
}

/// A mapping from texts to values, in the order written.
#[derive(Debug, Clone)]
pub(crate) struct Pairs<T> {
    pub(crate) pairs: Vec<Pair<T>>,
    /// How many were left out because they are wrong.
    pub(crate) left_out: usize,
}

/// One of them.
#[derive(Debug, Clone)]
pub(crate) struct Pair<T> {
    pub(crate) key: Scalar,
    pub(crate) value: T,
}

fn items<T: Read>(nodes: &[Node], findings: &mut Findings<'_>) -> Vec<At<T>> {
    let owner = findings.owner;
    let mut read = Vec::new();
    for node in nodes {
        if node.place.start < node.place.end {
            findings.owner = node.place;
        }
        if let Some(value) = T::read(node, findings) {
            read.push(At {
                place: node.place,
                value,
            });
        }
    }
    findings.owner = owner;
    read
}

impl<T: Read> Read for Many<T> {
    fn read(node: &Node, findings: &mut Findings<'_>) -> Option<Self> {
        if let NodeKind::Sequence(nodes) = &node.kind {
            Some(Self(items(nodes, findings)))
        } else {
            wrong_type(node, findings, "a list: `[...]`");
            None
        }
    }

    fn schema(definitions: &mut Definitions) -> Value {
        json!({ "type": "array", "items": T::schema(definitions) })
    }
}

impl<T: Read> Read for OneOrMany<T> {
    fn read(node: &Node, findings: &mut Findings<'_>) -> Option<Self> {
        if let NodeKind::Sequence(nodes) = &node.kind {
            Some(Self(items(nodes, findings)))
        } else {
            let value = T::read(node, findings)?;
            Some(Self(vec![At {
                place: node.place,
                value,
            }]))
        }
    }

    fn schema(definitions: &mut Definitions) -> Value {
        let one = T::schema(definitions);
        json!({ "anyOf": [one, { "type": "array", "items": one }] })
    }
}

/// The longest name.
const MAX_NAME_BYTES: usize = 64;

/// What names look like. Those of lookups are also names in jq, which is said where they are lowered.
pub(crate) const NAME_PATTERN: &str = "^[a-z][a-z0-9_-]*$";

fn check_name(key: &Scalar, findings: &mut Findings<'_>) {
    let text = key.text.as_str();
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    if text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(fits)
        && text.len() <= MAX_NAME_BYTES
    {
        return;
    }
    let mend: String = text
        .to_lowercase()
        .chars()
        .map(|c| if fits(c) { c } else { '-' })
        .skip_while(|c| !c.is_ascii_lowercase())
        .take(MAX_NAME_BYTES)
        .collect();
    let diagnostic = findings.error(
        codes::BAD_NAME,
        key.place,
        format!("`{}` cannot be a name", shortened(text)),
    );
    diagnostic.expected("a lower-case letter, then letters, digits, `_` and `-`; at most 64");
    if !mend.is_empty() {
        diagnostic.help(format!("for example `{mend}`"));
    }
}

impl<T: Read> Read for Names<T> {
    fn read(node: &Node, findings: &mut Findings<'_>) -> Option<Self> {
        let entries = entries(node, findings, || "a mapping from names".to_owned())?;
        let mut names: Vec<Named<T>> = Vec::new();
        let mut seen: BTreeMap<&str, Place> = BTreeMap::new();
        let owner = findings.owner;
        for entry in entries {
            check_name(&entry.key, findings);
            let place = entry.key.place;
            let first = seen.get(entry.key.text.as_str()).copied();
            if let Some(first) = first {
                same_name(&entry.key.text, first, place, findings);
            }
            findings.owner = place;
            let value = T::read(&entry.value, findings);
            if first.is_none() {
                seen.insert(&entry.key.text, place);
                names.push(Named {
                    name: entry.key.text.clone(),
                    place,
                    value,
                });
            }
        }
        findings.owner = owner;
        Some(Self(names))
    }

    fn schema(definitions: &mut Definitions) -> Value {
        json!({
            "type": "object",
            "propertyNames": { "pattern": NAME_PATTERN, "maxLength": MAX_NAME_BYTES },
            "additionalProperties": T::schema(definitions),
        })
    }
}

pub(crate) fn same_name(name: &str, first: Place, second: Place, findings: &mut Findings<'_>) {
    findings
        .error(
            codes::SAME_NAME,
            second,
            format!("the name `{}` is taken", shortened(name)),
        )
        .expected("again here")
        .also(first, "first here")
        .help("give one of them another name");
}

impl<T: Read> Read for Pairs<T> {
    fn read(node: &Node, findings: &mut Findings<'_>) -> Option<Self> {
        let entries = entries(node, findings, || "a mapping".to_owned())?;
        let mut pairs: Vec<Pair<T>> = Vec::new();
        let mut seen: BTreeMap<&str, &Scalar> = BTreeMap::new();
        let owner = findings.owner;
        for entry in entries {
            match seen.entry(entry.key.text.as_str()) {
                MapEntry::Occupied(first) => {
                    duplicate_key(first.get(), &entry.key, findings);
                    continue;
                }
                MapEntry::Vacant(vacant) => _ = vacant.insert(&entry.key),
            }
            findings.owner = entry.key.place;
            if let Some(value) = T::read(&entry.value, findings) {
                pairs.push(Pair {
                    key: entry.key.clone(),
                    value,
                });
            }
        }
        findings.owner = owner;
        let left_out = entries.len() - pairs.len();
        Some(Self { pairs, left_out })
    }

    fn schema(definitions: &mut Definitions) -> Value {
        json!({ "type": "object", "additionalProperties": T::schema(definitions) })
    }
}
