//! Whatever the text, it ends, and what is said of it can be shown.

use crate::{FULL, SMALL};
use proptest::prelude::*;
use rounds_config::{
    Colour, MAX_DIAGNOSTICS, MAX_FILE_BYTES, Sources, codes, load, render, to_json,
};

/// Loads and shows; gives the codes.
fn survive(text: &str) -> Vec<&'static str> {
    let sources = Sources::from_text("rounds.yaml", text);
    let outcome = load(&sources);
    let shown = render(&sources, &outcome.diagnostics, Colour::Never);
    assert_eq!(shown.is_empty(), outcome.diagnostics.is_empty());
    let length = text.len();
    for diagnostic in &outcome.diagnostics {
        for place in diagnostic
            .also
            .iter()
            .map(|(place, _)| place)
            .chain([&diagnostic.place])
        {
            assert!(
                place.start <= place.end && place.end <= length,
                "{diagnostic:?}"
            );
            assert!(
                text.is_char_boundary(place.start) && text.is_char_boundary(place.end),
                "{diagnostic:?}"
            );
        }
    }
    to_json(&sources, &outcome.diagnostics);
    assert!(outcome.diagnostics.len() <= MAX_DIAGNOSTICS);
    outcome
        .diagnostics
        .iter()
        .map(|diagnostic| diagnostic.code.as_str())
        .collect()
}

/// A real configuration with a few pieces cut out, put in or moved.
fn mutated() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\n".to_owned()),
        Just(": ".to_owned()),
        Just("- ".to_owned()),
        Just("[".to_owned()),
        Just("}".to_owned()),
        Just("\"".to_owned()),
        Just("'".to_owned()),
        Just("&a ".to_owned()),
        Just("*a".to_owned()),
        Just("!!str ".to_owned()),
        Just("{{".to_owned()),
        Just("= ".to_owned()),
        Just("|\n".to_owned()),
        Just(">2-\n ".to_owned()),
        Just("é\u{1F600}".to_owned()),
        Just("\t".to_owned()),
        Just("\r\n".to_owned()),
        Just("null".to_owned()),
        Just("\u{feff}".to_owned()),
        Just("\\".to_owned()),
        "[ -~]{0,6}",
        "\\PC{0,4}",
    ];
    let edit = (any::<prop::sample::Index>(), 0_usize..12, piece);
    (
        prop_oneof![Just(SMALL), Just(FULL)],
        prop::collection::vec(edit, 1..6),
    )
        .prop_map(|(text, edits)| {
            let mut characters: Vec<char> = text.chars().collect();
            for (at, cut, piece) in edits {
                let at = at.index(characters.len());
                let end = (at + cut).min(characters.len());
                characters.splice(at..end, piece.chars());
            }
            characters.into_iter().collect()
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_is_survived(text in "\\PC{0,200}") {
        survive(&text);
    }

    #[test]
    fn arbitrary_yaml_is_survived(text in "([a-z]{1,3}|[:\\-\\[\\]{},|>&*!'\"#%@=]| |\n|\t|\r){0,120}") {
        survive(&text);
    }

    #[test]
    fn a_mutated_configuration_is_survived(text in mutated()) {
        survive(&text);
    }
}

#[test]
fn hostile_texts_end() {
    let deep = "[".repeat(50_000);
    let deep_blocks: Vec<String> = (0..2_000)
        .map(|depth| format!("{}a:", " ".repeat(depth)))
        .collect();
    let wide = format!("connections:\n{}", "  a: 1\n".repeat(MAX_FILE_BYTES / 8));
    let long_key = "a".repeat(MAX_FILE_BYTES - 1);
    let keys: Vec<String> = (0..20_000)
        .map(|number| format!("key{number}: 1"))
        .collect();
    assert_eq!(survive(&deep), ["R0107"]);
    survive(&deep_blocks.join("\n"));
    assert_eq!(survive(&wide), ["R0107"]);
    survive(&long_key);
    assert_eq!(survive(&keys.join("\n")).len(), MAX_DIAGNOSTICS);
    assert_eq!(
        survive(&"#".repeat(MAX_FILE_BYTES + 1)),
        [codes::TOO_LARGE.as_str()]
    );
    let lists = format!("actions: [{}]", "1,".repeat(90_000));
    survive(&lists);
    // Many of everything, each named and used wrongly.
    let names: Vec<String> = (0..5_000).map(|number| format!("  n{number}: 1")).collect();
    let names = names.join("\n");
    survive(&format!(
        "connections:\n{names}\ndestinations:\n{names}\nactions:\n{names}"
    ));
    let lookups: Vec<String> = (0..5_000)
        .map(|number| format!("      l{number}: {{ get: \"/{{{{ l{} }}}}\" }}", number + 1))
        .collect();
    let to: Vec<String> = (0..5_000).map(|number| format!("x{number}")).collect();
    let crowded = format!(
        "destinations:\n{names}\nactions:\n  a:\n    to: [{}]\n    lookups:\n{}",
        to.join(","),
        lookups.join("\n")
    );
    assert_eq!(survive(&crowded).len(), MAX_DIAGNOSTICS);
}
