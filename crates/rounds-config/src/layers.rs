//! One tree over another: what a user wrote over what a connector or a map says.
//!
//! Mappings are merged key by key; anything else that the user writes takes the other's place, and `null` takes it
//! out. Keys of which only one can hold (`get` and `post`, the kinds of paging, of authentication) are one: whichever the user
//! writes puts the other's away.

use crate::tree::{Entry, Node, NodeKind};

/// Keys of which only one can hold, wherever they stand.
const ALTERNATIVES: &[&[&str]] = &[
    &["get", "post"],
    &["version", "ignore"],
    &["cursor", "dates"],
    &[
        "next_link",
        "link_header",
        "page_number",
        "offset",
        "token",
        "after",
    ],
    &[
        "bearer",
        "basic",
        "header",
        "query",
        "oauth2",
        "smart_backend",
        "login",
    ],
    &["json", "form", "graphql", "xml", "text"],
];

/// The member of a mapping.
pub(crate) fn member<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    match &node.kind {
        NodeKind::Mapping(entries) => (entries.iter())
            .find(|entry| entry.key.text == name)
            .map(|entry| &entry.value),
        _ => None,
    }
}

/// The entries of a section of a configuration.
pub(crate) fn entries_of<'n>(
    tree: &'n mut Node,
    section: &str,
) -> impl Iterator<Item = &'n mut Entry> {
    let entries: &mut [Entry] = match &mut tree.kind {
        NodeKind::Mapping(entries) => entries,
        _ => &mut [],
    };
    let section = entries.iter_mut().find(|entry| entry.key.text == section);
    let inner: &mut [Entry] = match section.map(|entry| &mut entry.value.kind) {
        Some(NodeKind::Mapping(entries)) => entries,
        _ => &mut [],
    };
    inner.iter_mut()
}

/// What a user wrote over what a connector or a map says.
pub(crate) fn over(user: &Node, base: &Node) -> Node {
    let (NodeKind::Mapping(users), NodeKind::Mapping(bases)) = (&user.kind, &base.kind) else {
        return user.clone();
    };
    let says = |name: &str| users.iter().any(|entry| entry.key.text == name);
    let mut entries = Vec::new();
    for based in bases {
        let name = based.key.text.as_str();
        let has_other = ALTERNATIVES.iter().any(|group| {
            group.contains(&name) && group.iter().any(|other| *other != name && says(other))
        });
        if !says(name) && !has_other {
            entries.push(based.clone());
        }
    }
    for own in users {
        if is_taken_out(own, bases) {
            continue;
        }
        let based = bases.iter().find(|based| based.key.text == own.key.text);
        entries.push(Entry {
            key: own.key.clone(),
            value: based.map_or_else(|| own.value.clone(), |based| over(&own.value, &based.value)),
        });
    }
    Node {
        place: user.place,
        kind: NodeKind::Mapping(entries),
    }
}

/// `null` over something of the base's means that it is not wanted.
fn is_taken_out(own: &Entry, bases: &[Entry]) -> bool {
    own.value.is_null() && bases.iter().any(|based| based.key.text == own.key.text)
}

#[cfg(test)]
mod tests;
