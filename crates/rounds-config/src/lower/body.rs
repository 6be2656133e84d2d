//! A body from YAML: literals keep their text, texts that begin with `=` are jq.

use super::unmarked;
use crate::codes;
use crate::diagnostic::Findings;
use crate::kinds::Marked;
use crate::reading::duplicate_key;
use crate::source::Place;
use crate::tree::{Node, NodeKind, Scalar, ScalarType};
use rounds_map::{Body, Json};
use std::collections::BTreeMap;

/// Where a part of a body stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    pub(super) key: Place,
    pub(super) value: Place,
}

/// A body and where its parts stand, by paths as `rounds-map` writes them.
pub(super) struct Lowered {
    /// None if a part is wrong, which has been reported.
    pub(super) body: Option<Body>,
    pub(super) places: BTreeMap<String, Places>,
}

pub(super) fn lower(node: &Node, roots: &[&str], findings: &mut Findings<'_>) -> Lowered {
    let mut lowering = Lowering {
        roots,
        places: BTreeMap::new(),
        findings,
    };
    let body = lowering.node(node, "", node.place);
    Lowered {
        body,
        places: lowering.places,
    }
}

struct Lowering<'r, 'f, 's> {
    roots: &'r [&'r str],
    places: BTreeMap<String, Places>,
    findings: &'f mut Findings<'s>,
}

impl Lowering<'_, '_, '_> {
    fn node(&mut self, node: &Node, path: &str, key: Place) -> Option<Body> {
        let shown = if path.is_empty() { "." } else { path };
        self.places.insert(
            shown.to_owned(),
            Places {
                key,
                value: node.place,
            },
        );
        match &node.kind {
            NodeKind::Scalar(scalar) => self.leaf(scalar),
            NodeKind::Sequence(items) => {
                let parts: Vec<Option<Body>> = items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| self.node(item, &format!("{path}[{index}]"), item.place))
                    .collect();
                parts.into_iter().collect::<Option<_>>().map(Body::Array)
            }
            NodeKind::Mapping(entries) => {
                let mut members: Vec<(&Scalar, Option<Body>)> = Vec::new();
                let mut seen: BTreeMap<&str, &Scalar> = BTreeMap::new();
                for entry in entries {
                    let name = entry.key.text.as_str();
                    if let Some(first) = seen.get(name) {
                        duplicate_key(first, &entry.key, self.findings);
                        continue;
                    }
                    let path = if path.is_empty() {
                        name.to_owned()
                    } else {
                        format!("{path}.{name}")
                    };
                    let value = self.node(&entry.value, &path, entry.key.place);
                    seen.insert(name, &entry.key);
                    members.push((&entry.key, value));
                }
                let members = members
                    .into_iter()
                    .map(|(key, value)| value.map(|value| (key.text.clone(), value)));
                members.collect::<Option<_>>().map(Body::Object)
            }
            NodeKind::Refused => None,
        }
    }

    fn leaf(&mut self, scalar: &Scalar) -> Option<Body> {
        match scalar.scalar_type() {
            ScalarType::Null => Some(Body::Literal(Json::null())),
            ScalarType::Boolean(value) => Some(Body::Literal(Json::boolean(value))),
            ScalarType::Number => number(scalar, self.findings).map(Body::Literal),
            ScalarType::Text => match Marked::of(scalar, self.findings)? {
                Marked::Literal(literal) => {
                    unmarked::check(scalar, self.roots, self.findings);
                    Some(Body::Literal(Json::string(literal.text)))
                }
                Marked::Expression(compiled) => {
                    compiled.check_reads(self.roots, self.findings);
                    Some(Body::Expression(compiled.filter))
                }
            },
        }
    }
}

/// A number goes into the body digit by digit. One that JSON writes otherwise (`007`, `0x1F`, `.5`) may be meant as text, and
/// what a reader of the body would get is a guess, so it is not made.
pub(super) fn number(scalar: &Scalar, findings: &mut Findings<'_>) -> Option<Json> {
    if let Ok(number) = Json::parse(scalar.text.as_bytes()) {
        return Some(number);
    }
    let shown = crate::reading::shortened(&scalar.text);
    findings
        .error(
            codes::BAD_NUMBER,
            scalar.place,
            format!("`{shown}` is a number that JSON cannot write so"),
        )
        .help(format!(
            "write `\"{shown}\"` if it is meant as text, otherwise its plain digits"
        ));
    None
}
