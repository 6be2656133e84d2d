//! What only the user knows, filled into a connector's tree.

use crate::tree::{Entry, Node, NodeKind, Scalar};
use std::collections::BTreeMap;

/// The values that may stand in a connector's texts, by what stands between the braces.
pub(crate) type Values = BTreeMap<String, String>;

/// The tree with every `{{ settings.NAME }}` and `{{ each }}` filled in. What else stands between braces is left to who reads it.
pub(crate) fn filled(node: &Node, values: &Values) -> Node {
    let kind = match &node.kind {
        NodeKind::Scalar(scalar) => NodeKind::Scalar(Scalar {
            text: filled_text(&scalar.text, values),
            ..scalar.clone()
        }),
        NodeKind::Sequence(items) => {
            NodeKind::Sequence(items.iter().map(|item| filled(item, values)).collect())
        }
        NodeKind::Mapping(entries) => NodeKind::Mapping(
            (entries.iter())
                .map(|entry| Entry {
                    key: entry.key.clone(),
                    value: filled(&entry.value, values),
                })
                .collect(),
        ),
        NodeKind::Refused => NodeKind::Refused,
    };
    Node {
        place: node.place,
        kind,
    }
}

fn filled_text(text: &str, values: &Values) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((inside, behind)) = after.split_once("}}") else {
            break;
        };
        out.push_str(before);
        if let Some(value) = values.get(inside.trim()) {
            out.push_str(value);
        } else {
            out.push_str("{{");
            out.push_str(inside);
            out.push_str("}}");
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// Whether the tree still wants one of these settings.
pub(super) fn wants(node: &Node, name: &str) -> bool {
    match &node.kind {
        NodeKind::Scalar(scalar) => {
            let mut rest = scalar.text.as_str();
            while let Some((_, after)) = rest.split_once("{{") {
                let inside = after.split("}}").next().unwrap_or_default();
                if inside.trim() == name {
                    return true;
                }
                rest = after;
            }
            false
        }
        NodeKind::Sequence(items) => items.iter().any(|item| wants(item, name)),
        NodeKind::Mapping(entries) => entries.iter().any(|entry| wants(&entry.value, name)),
        NodeKind::Refused => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_filled_in_and_other_placeholders_left_alone() {
        let values = Values::from([("settings.id".to_owned(), "7".to_owned())]);
        for (text, expected) in [
            (
                "/v1/{{ settings.id }}/x?a={{cursor}}",
                "/v1/7/x?a={{cursor}}",
            ),
            ("{{settings.id}}", "7"),
            ("{{ settings.other }} {{", "{{ settings.other }} {{"),
            ("plain", "plain"),
        ] {
            assert_eq!(filled_text(text, &values), expected);
        }
    }
}
