use super::*;
use crate::diagnostic::Findings;
use crate::source::Sources;
use crate::tree::{Parsed, parse};

fn merged(user: &str, base: &str) -> String {
    let sources = Sources::from_text("user", user).with_text("base", base);
    let mut findings = Findings::new(&sources);
    let mut tree = |file| match parse(file, &mut findings) {
        Parsed::Tree(tree) => tree,
        other => panic!("{other:?}"),
    };
    let (user, base) = (tree(0), tree(1));
    shown(&over(&user, &base))
}

fn shown(node: &Node) -> String {
    match &node.kind {
        NodeKind::Scalar(scalar) => scalar.text.clone(),
        NodeKind::Sequence(items) => {
            format!(
                "[{}]",
                items.iter().map(shown).collect::<Vec<_>>().join(", ")
            )
        }
        NodeKind::Mapping(entries) => {
            let mut members: Vec<String> = (entries.iter())
                .map(|entry| format!("{}: {}", entry.key.text, shown(&entry.value)))
                .collect();
            members.sort();
            format!("{{{}}}", members.join(", "))
        }
        NodeKind::Refused => "refused".to_owned(),
    }
}

#[test]
fn the_users_word_comes_over_the_connectors() {
    for (user, base, expected) in [
        ("a: 1", "b: 2", "{a: 1, b: 2}"),
        ("a: {x: 1}", "a: {x: 2, y: 3}", "{a: {x: 1, y: 3}}"),
        ("a: [1]", "a: [2, 3]", "{a: [1]}"),
        ("a: {x: 1}", "a: 5", "{a: {x: 1}}"),
        ("a: null\nb: ~", "a: {x: 1}", "{b: ~}"),
        // Of these only one can hold.
        ("post: /a", "get: /b\nquery: 1", "{post: /a, query: 1}"),
        (
            "auth: {bearer: 1}",
            "auth: {basic: 2}",
            "{auth: {bearer: 1}}",
        ),
        (
            "paging: {token: {from: 1}}",
            "paging: {offset: {size: 2}, more: 3}",
            "{paging: {more: 3, token: {from: 1}}}",
        ),
        ("version: 1", "ignore: [2]", "{version: 1}"),
    ] {
        assert_eq!(merged(user, base), expected, "{user:?} over {base:?}");
    }
}
