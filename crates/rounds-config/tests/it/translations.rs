//! Translation sets, in the configuration and in CSV files beside it.

use crate::SMALL;
use rounds_config::{Colour, Sources, load, render};
use rounds_domain::plan::{ModifierDeed, Translation};
use rounds_map::Json;
use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;

fn said(csv: Option<&str>, sets: &str) -> (String, Option<Arc<Translation>>) {
    let folder = tempfile::tempdir().expect("a folder");
    if let Some(csv) = csv {
        fs::write(folder.path().join("departments.csv"), csv).expect("is written");
    }
    said_in(&folder, sets)
}

fn said_in(folder: &TempDir, sets: &str) -> (String, Option<Arc<Translation>>) {
    let text = SMALL.replace(
        "model: Scheduling",
        "model: Scheduling\n      translate: { Visit.Location.Department: departments }",
    );
    let place = folder.path().join("rounds.yaml");
    fs::write(&place, format!("{sets}\n{text}")).expect("is written");
    let sources = Sources::read(&place).expect("is read");
    let outcome = load(&sources);
    let said = render(&sources, &outcome.diagnostics, Colour::Never);
    let said = said.replace(&folder.path().display().to_string(), "FOLDER");
    let set = outcome.plan.and_then(|plan| {
        let modifiers = &plan.actions[0].notify.modifiers;
        modifiers.iter().find_map(|modifier| match &modifier.deed {
            ModifierDeed::Translate(set) => Some(Arc::clone(set)),
            _ => None,
        })
    });
    (said, set)
}

#[test]
fn a_set_comes_from_a_file_and_what_is_written_comes_over_it() {
    let csv = "ours, theirs\n3N,\"North, 3\"\r\n4S,South 4\n\n";
    let sets =
        "translations:\n  departments: { file: departments.csv, values: { 4S: S-4, 7: seven } }";
    let (said, set) = said(Some(csv), sets);
    assert_eq!(said, "");
    let set = set.expect("a set");
    let pairs: Vec<(&str, &str)> = (set.values.iter())
        .filter_map(|(from, to)| Some((from.as_str(), to.as_str()?)))
        .collect();
    assert_eq!(pairs, [("3N", "North, 3"), ("4S", "S-4"), ("7", "seven")]);
}

#[test]
fn the_mark_that_a_spreadsheet_puts_first_is_no_part_of_a_file() {
    let csv = "\u{feff}\"ours\",theirs\n3N,North\n";
    let sets = "translations:\n  departments: { file: departments.csv }";
    let (said, set) = said(Some(csv), sets);
    assert_eq!(said, "");
    assert_eq!(set.expect("a set").values["3N"], Json::string("North"));
}

#[test]
fn a_pipe_is_refused_and_not_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = Command::new("mkfifo")
        .arg(folder.path().join("departments.csv"))
        .status();
    assert!(made.expect("mkfifo is there").success());
    let sets = "translations:\n  departments: { file: departments.csv }";
    let (said, set) = said_in(&folder, sets);
    assert!(set.is_none() && said.contains("R0297"), "{said}");
    assert!(
        said.contains("`FOLDER/departments.csv` is no file"),
        "{said}"
    );
}

#[test]
fn what_is_wrong_with_a_file_is_said_by_its_line_and_never_by_its_value() {
    let sets = "translations:\n  departments: { file: departments.csv }";
    for (csv, words) in [
        (None, "cannot be read"),
        (
            Some("a,b\nJane,1\nJane,2\n"),
            "line 3 begins with a value that an earlier line has",
        ),
        (Some("a,b\nJane\n"), "line 2 has 1 values and not two"),
        (Some("a,b\nJane,1,2\n"), "line 2 has 3 values and not two"),
    ] {
        let (said, set) = said(csv, sets);
        assert!(
            set.is_none() && said.contains("R0297") && said.contains(words),
            "{said}"
        );
        assert!(!said.contains("Jane"), "{said}");
    }
}

#[test]
fn an_unknown_set_is_named_with_the_nearest() {
    let (said, _) = said(None, "translations:\n  department: { values: { a: b } }");
    insta::assert_snapshot!("unknown_translation", said);
}

/// What codes become with the small configuration's body, or the first words that are said.
fn codes(codes: &str) -> Result<Vec<Value>, String> {
    let keys = format!("model: Scheduling\n      codes: {codes}");
    let text = SMALL.replacen("model: Scheduling", &keys, 1);
    assert_ne!(text, SMALL);
    let sources = Sources::from_text("rounds.yaml", text);
    let outcome = load(&sources);
    if let Some(first) = outcome.diagnostics.first() {
        return Err(first.message.clone());
    }
    let plan = outcome.plan.expect("a plan");
    let modifiers = plan.actions[0].notify.modifiers.iter();
    let values = modifiers.filter_map(|modifier| match &modifier.deed {
        ModifierDeed::Translate(set) | ModifierDeed::Codes(set) => Some(set.values.values()),
        _ => None,
    });
    let read = |json: &Json| serde_json::from_slice(&json.to_bytes()).expect("is JSON");
    Ok(values.flatten().map(read).collect())
}

#[test]
fn codes_become_what_the_message_has_there() {
    let table = [
        (
            "{ Visit.Duration: { \"20\": 25, \"30\": \"45\" } }",
            Ok(vec![json!(25), json!(45)]),
        ),
        (
            "{ Visit.VisitNumber: { a: 7, b: 007, c: true } }",
            Ok(vec![json!("7"), json!("007"), json!("true")]),
        ),
        (
            "{ Visit.Duration: { \"20\": long } }",
            Err("`Visit.Duration` cannot be `long`"),
        ),
        (
            "{ Visit.Location: { a: b } }",
            Err("`Visit.Location` cannot be `b`"),
        ),
        (
            "{ Patient.Demographics.Sex: { F: Female } }",
            Err("`codes` at `Patient.Demographics.Sex`, where the body has nothing"),
        ),
    ];
    for (written, wanted) in table {
        assert_eq!(codes(written), wanted.map_err(str::to_owned), "{written}");
    }
}
