//! Help, `check`, `schema`, `explain`.

use crate::support::{Folder, snapshots};

const EXAMPLE: &str = include_str!("../../../../examples/appointments.yaml");

#[test]
fn help() {
    let folder = Folder::new();
    for (name, words) in [
        ("help", &["--help"][..]),
        ("help_run", &["help", "run"]),
        ("help_demo", &["demo", "-h"]),
        ("help_deliveries_retry", &["deliveries", "retry", "-h"]),
        ("help_containers_list", &["containers", "list", "-h"]),
    ] {
        snapshots(|| insta::assert_snapshot!(name, folder.rounds(words).whole()));
    }
}

#[test]
fn the_example_can_be_used() {
    let folder = Folder::with_configuration(EXAMPLE);
    snapshots(|| insta::assert_snapshot!(folder.rounds(&["check"]).whole()));
}

/// A rule that calls an answer good turns the judgement off for it, so it is said in words.
#[test]
fn check_repeats_which_answers_are_believed() {
    let with_rules = EXAMPLE.replace(
        "    every: 1m",
        "    every: 1m\n    answers: [ { status: 206, means: ok }, { body: '.message == \"none\"', means: empty }, { status: 403, means: auth_expired } ]",
    );
    assert_ne!(with_rules, EXAMPLE);
    let said = Folder::with_configuration(&with_rules).rounds(&["check"]);
    let believes: Vec<&str> = (said.stdout.lines())
        .filter_map(|line| line.trim().strip_prefix("believes"))
        .map(str::trim)
        .collect();
    assert_eq!(
        believes,
        [
            "an answer with status 206 as whole, whatever it holds, by the action's `answers`",
            "an answer with `.message == \"none\"` as one that says that there is nothing, by the action's `answers`",
        ],
        "{}",
        said.whole()
    );
}

/// What the README prints is what passes: its first YAML block, saved as it tells the reader to; and every example, where it lies.
#[test]
fn the_readme_and_the_examples_can_be_used_as_printed() {
    let readme = include_str!("../../../../README.md");
    let (_, from_yaml) = readme.split_once("```yaml\n").expect("a YAML block");
    let (printed, _) = from_yaml.split_once("```").expect("its end");
    let folder = Folder::with_configuration(printed);
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let examples = std::fs::read_dir(examples).expect("a folder");
    let mut files: Vec<String> = examples
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .map(|path| path.display().to_string())
        .collect();
    assert!(files.len() > 10, "{files:?}");
    files.push("rounds.yaml".to_owned());
    for file in files {
        let said = folder.rounds(&["check", "--config", &file]);
        assert_eq!(said.code, Some(0), "{file}: {}", said.stderr);
        assert!(
            said.stderr.contains("0 errors, 0 warnings"),
            "{file}: {}",
            said.stderr
        );
    }
}

#[test]
fn check_as_json_has_stable_keys() {
    let folder = Folder::with_configuration(EXAMPLE);
    let said = folder.rounds(&["check", "--json"]);
    let keys = |value: &serde_json::Value| -> Vec<String> {
        let object = value.as_object().expect("an object");
        object.keys().cloned().collect()
    };
    let page = said.json();
    assert_eq!(
        keys(&page),
        [
            "actions",
            "addresses",
            "costs",
            "diagnostics",
            "secrets",
            "usable"
        ]
    );
    assert_eq!(
        page["actions"][0]["cursor"]["effective_overlap_seconds"],
        120.0
    );
    assert_eq!(said.code, Some(0));
}

#[test]
fn a_secret_that_is_there_is_said_to_be_and_not_shown() {
    let folder = Folder::with_configuration(EXAMPLE);
    let mut command = folder.command(&["check"]);
    command.env("FAKEDATA_TOKEN", "hush-hush");
    let said = crate::support::Said::from(command.output().expect("it starts"));
    assert!(
        said.stdout.contains("auth.bearer: can be read"),
        "{}",
        said.whole()
    );
    assert!(!said.whole().contains("hush-hush"), "{}", said.whole());
}

#[test]
fn all_errors_come_at_once_with_their_places() {
    let bad = EXAMPLE
        .replace("    every: 1m ", "    evry: 1m ")
        .replace("    to: [my-app]", "    to: [my-ap]");
    let folder = Folder::with_configuration(&bad);
    snapshots(|| insta::assert_snapshot!(folder.rounds(&["check"]).whole()));
    let said = folder.rounds(&["check", "--json"]);
    assert_eq!((said.code, said.stderr.as_str()), (Some(65), ""));
    assert_eq!(said.json()["usable"], false);
}

#[test]
fn nothing_starts_with_a_bad_configuration() {
    let folder = Folder::with_configuration(&EXAMPLE.replace("    every: 1m ", "    every: 1 "));
    for command in [&["run"][..], &["poll", "appointments"]] {
        let said = folder.rounds(command);
        assert_eq!((said.code, said.stdout.as_str()), (Some(65), ""));
        assert!(said.stderr.contains("error[R0701]"), "{}", said.stderr);
        assert!(!folder.path().join("rounds-data").exists());
    }
}

#[test]
fn explain() {
    let folder = Folder::new();
    let page = include_str!("../../../../docs/codes/R0311.md");
    assert_eq!(folder.rounds(&["explain", "r311"]).stdout, page);
    snapshots(|| {
        insta::assert_snapshot!(
            "explain_unknown",
            folder.rounds(&["explain", "R0100"]).whole()
        );
    });
    let all = folder.rounds(&["explain", "--json"]).json();
    let codes = all["codes"].as_array().expect("a list");
    assert_eq!(codes.len(), rounds::explain::PAGES.len());
}

#[test]
fn the_schema_is_json() {
    let schema = Folder::new().rounds(&["schema"]).json();
    assert_eq!(schema["title"], "Rounds configuration");
}
