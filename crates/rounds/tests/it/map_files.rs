//! Fixtures and maps as people keep them: beside each other, with mistakes, and some that are no files at all.

use crate::support::{Folder, Said};
use serde_json::Value;
use std::fs;
use std::process::Command;

/// An action with a body, codes and a lookup; NOTIFY stands for more rules.
const CONFIG: &str = "connections: { ehr: { base_url: 'https://ehr.invalid' } }
actions:
  visits:
    connection: ehr
    every: 1m
    changes: { get: /visits, cursor: { time: rfc3339 }, query: { since: '{{ cursor }}' }, start: now, records: '.[]', id: .id }
    lookups: { patient: { get: '/patients/{{ record.patient }}' } }
    notify:
      body: { resourceType: Visit, id: = .record.id | tostring, was: = .previous.state, state: = .record.state, kind: = .change.kind, who: = .patient.name, list: [{ state: = .record.state }] }
      codes: { state: { b: Booked, m: Moved }, 'list[].state': { b: Booked } }
NOTIFY
    to: []
";

const FIXTURE: &str = r#"{"kind":"updated","record":{"resourceType":"Visit","id":"7","state":"m","patient":"1"},"previous":{"id":"7","state":"b"},"lookups":{"patient":{"name":"Ann"}}}"#;

fn folder(notify: &str) -> Folder {
    let folder = Folder::with_configuration(&CONFIG.replace("NOTIFY", notify));
    fs::create_dir_all(folder.path().join("fixtures/visits")).expect("made");
    folder
}

fn pipe(folder: &Folder, name: &str) {
    let made = Command::new("mkfifo")
        .arg(folder.path().join(name))
        .status();
    assert!(made.expect("mkfifo is there").success());
}

/// What the fixture becomes.
fn tried(notify: &str) -> Value {
    let folder = folder(notify);
    folder.write("whole.json", FIXTURE);
    let said = folder.rounds(&["map", "try", "visits", "whole.json", "--json"]);
    assert_eq!(said.code, Some(0), "{}", said.whole());
    said.json()
}

fn leaf<'p>(page: &'p Value, list: &str, path: &str) -> Option<(&'p str, &'p str)> {
    let mut leaves = page["records"][0][list].as_array().expect("a list").iter();
    let leaf = leaves.find(|leaf| leaf["path"] == path)?;
    Some((leaf["value"].as_str()?, leaf["from"].as_str()?))
}

#[test]
fn a_whole_fixture_is_tried_as_it_is_tested() {
    let page = tried("");
    assert_eq!(page["requests"], 0, "its lookups are given");
    let body = &page["records"][0]["body"];
    let expected = serde_json::json!({ "resourceType": "Visit", "id": "7", "was": "b", "state": "Moved", "kind": "updated", "who": "Ann", "list": [{ "state": "m" }] });
    assert_eq!(body, &expected);
    assert_eq!(
        leaf(&page, "leaves", "state"),
        Some((r#""Moved""#, "notify.codes"))
    );
    // The codes do not know it, so it is as the expression gave it.
    assert_eq!(
        leaf(&page, "leaves", "list[0].state"),
        Some((r#""m""#, "= .record.state"))
    );

    // As a test has it, what is not there was not found; and files of several parts are a fixture too.
    let folder = folder("");
    folder.write(
        "whole.json",
        &FIXTURE.replace("\"patient\":{\"name\":\"Ann\"}", ""),
    );
    folder.write("parts.xml", "<visit><id>8</id><state>b</state></visit>");
    folder.write("parts.patient.json", "\u{feff}{\"name\":\"Eve\"}");
    let try_it = |file: &str| {
        folder
            .rounds(&["map", "try", "visits", file, "--json"])
            .json()
    };
    assert_eq!(try_it("whole.json")["requests"], 0);
    assert_eq!(
        try_it("whole.json")["records"][0]["body"]["who"],
        Value::Null
    );
    let parts = try_it("parts.xml");
    assert_eq!(parts["records"][0]["body"]["who"], "Eve");
    assert_eq!(
        leaf(&parts, "leaves", "list[0].state"),
        Some((r#""Booked""#, "notify.codes"))
    );
}

#[test]
fn what_is_silent_is_counted_with_its_reason_and_no_field_of_it_is() {
    let folder = folder("      only: [who]");
    folder.write("whole.json", FIXTURE);
    let said = folder.rounds(&["map", "try", "visits", "whole.json"]);
    assert_eq!(said.code, Some(0), "{}", said.whole());
    assert!(
        said.stdout
            .contains("1 record: 0 would be told, 1 silent, 0 failed")
            && said.stdout.contains("\nsilent: 1 R0"),
        "{}",
        said.whole()
    );
    assert!(!said.stdout.contains("null"), "{}", said.whole());
}

#[test]
fn what_a_shape_puts_around_a_message_is_shown() {
    let binary = tried("      shape: cloudevents_binary");
    assert_eq!(
        leaf(&binary, "envelope", "ce-type"),
        Some((r#""visits""#, "a header"))
    );
    assert!(leaf(&binary, "leaves", "state").is_some());

    let structured = tried("      shape: cloudevents");
    assert_eq!(structured["content_type"], "application/cloudevents+json");
    assert_eq!(
        leaf(&structured, "envelope", "specversion"),
        Some((r#""1.0""#, "shape: cloudevents"))
    );
    assert!(leaf(&structured, "leaves", "state").is_some());

    let thin = tried("      shape: cloudevents\n      payload: id_only");
    assert_eq!(
        leaf(&thin, "envelope", "data.kind"),
        Some((r#""updated""#, "payload: id_only"))
    );
    assert_eq!(thin["records"][0]["leaves"], serde_json::json!([]));
    assert_eq!(thin["fields"], serde_json::json!([]));

    let bundle = tried("      shape: fhir_message\n      only: mapped");
    assert_eq!(
        leaf(&bundle, "envelope", "entry[0].resource.resourceType"),
        Some((r#""MessageHeader""#, "shape: fhir_message"))
    );
    assert_eq!(
        leaf(&bundle, "leaves", "entry[1].resource.state"),
        Some((r#""m""#, "the record and its lookups"))
    );

    let bundle = tried("      shape: fhir_subscription_r5\n      only: mapped");
    let number = "entry[0].resource.eventsSinceSubscriptionStart";
    let number = leaf(&bundle, "envelope", number).expect("is there");
    assert_eq!(number.1, "filled in when it leaves");

    let folder = folder("      shape: cloudevents_binary");
    folder.write("whole.json", FIXTURE);
    let said = folder.rounds(&["map", "try", "visits", "whole.json"]);
    assert!(
        said.stdout
            .contains("leaves as cloudevents_binary (application/json)")
            && said.stdout.contains("ce-type"),
        "{}",
        said.whole()
    );
}

#[test]
fn what_is_no_file_is_refused_and_not_waited_for() {
    let folder = folder("");
    pipe(&folder, "pipe.json");
    for file in ["pipe.json", "/dev/zero", "fixtures"] {
        let said = folder.rounds(&["map", "try", "visits", file]);
        assert_eq!(said.code, Some(65), "{}", said.whole());
        let words = format!("reading {file}: it is no regular file");
        assert!(
            said.stderr.contains("R0715") && said.stderr.contains(&words),
            "{}",
            said.whole()
        );
    }
    pipe(&folder, "mine.yaml");
    let said = folder.rounds(&["map", "test", "--map", "mine.yaml"]);
    assert!(
        said.stderr.contains("`mine.yaml` is no file"),
        "{}",
        said.whole()
    );
}

#[test]
fn a_fixture_that_cannot_be_used_hides_no_other() {
    let folder = folder("");
    folder.write("fixtures/visits/good.json", FIXTURE);
    let first = folder.rounds(&["map", "test"]);
    assert_eq!(first.code, Some(65), "{}", first.whole());
    let words = "of 1 fixture, 1 became something of which no golden file is kept yet";
    assert!(
        first.stderr.contains("R0716")
            && first.stderr.contains(words)
            && first.stderr.contains("`--update`"),
        "{}",
        first.whole()
    );
    assert_eq!(folder.rounds(&["map", "test", "--update"]).code, Some(0));

    folder.write("fixtures/visits/bad.json", "{ \"CONFIDENTIAL\": ");
    folder.write(
        "fixtures/visits/kind.json",
        r#"{"record":{"id":1},"kind":"new"}"#,
    );
    pipe(&folder, "fixtures/visits/a.json");
    let said = folder.rounds(&["map", "test"]);
    assert_eq!(said.code, Some(65), "{}", said.whole());
    for words in [
        "unusable  fixtures/visits/a.json: R0715\n",
        "unusable  fixtures/visits/bad.json: R0715\n  reading fixtures/visits/bad.json: ",
        "same      fixtures/visits/good.json: visits\n",
        "its `kind` is none of created, updated and deleted",
        "4 fixtures: 1 same, 3 unusable\n",
    ] {
        assert!(said.stdout.contains(words), "{words}: {}", said.whole());
    }
    assert!(
        said.stderr.contains("R0715") && said.stderr.contains("of 4 fixtures, 3 cannot be used"),
        "{}",
        said.whole()
    );
    assert!(!said.whole().contains("CONFIDENTIAL"), "{}", said.whole());

    // A damaged golden file is that fixture's matter too, and renewed where that is asked for.
    folder.write("fixtures/visits/good.golden.json", "{");
    let said = folder.rounds(&["map", "test"]);
    assert!(said.stdout.contains("4 unusable"), "{}", said.whole());
    let said = folder.rounds(&["map", "test", "--update"]);
    assert!(
        said.stdout.contains("1 renewed, 3 unusable"),
        "{}",
        said.whole()
    );
    assert_eq!(said.code, Some(65));
}

#[test]
fn a_failure_that_is_kept_is_said_to_be_one() {
    let folder = folder("");
    let config = CONFIG
        .replace("NOTIFY", "")
        .replace("= .record.id | tostring", "= .record.id | error(\"no\")");
    folder.write("rounds.yaml", &config);
    folder.write("fixtures/visits/one.json", FIXTURE);
    let said = folder.rounds(&["map", "test", "--update"]);
    assert_eq!(said.code, Some(0), "{}", said.whole());
    assert!(
        said.stdout.contains("renewed   fixtures/visits/one.json: failed R0406\n  kept as a failure, which is right only if it is meant to fail: `notify.body`")
            && said.stdout.contains("1 fixture: 1 renewed; of 1 the mapping failed\n"),
        "{}",
        said.whole()
    );
    let again = folder.rounds(&["map", "test"]);
    assert_eq!(again.code, Some(0), "{}", again.whole());
    assert!(
        again.stdout.contains("1 same; of 1 the mapping failed"),
        "{}",
        again.whole()
    );
}

/// A map as a person begins one.
const MINE: &str = "map: mine
notify: { body: { id: = .record.id, name: = .patient.name } }
lookups: { patient: { get: '/p/{{ record.patient }}' } }
";

#[test]
fn a_map_of_ones_own_is_tested_by_its_file_or_by_its_name() {
    let folder = Folder::new();
    fs::create_dir(folder.path().join("one")).expect("made");
    folder.write("mine.yaml", MINE);
    folder.write("one/a.json", FIXTURE);
    let test = |words: &[&str]| -> Said {
        let always = ["map", "test", "--fixtures", "one", "--map"];
        folder.rounds(&[&always[..], words].concat())
    };
    let of_file = test(&["./mine.yaml", "--update"]);
    assert_eq!(of_file.code, Some(0), "{}", of_file.whole());
    let kept = fs::read_to_string(folder.path().join("one/a.golden.json")).expect("is kept");
    assert!(kept.contains("Ann"), "{kept}");

    // Beside a configuration of one file, and in one that is a folder.
    folder.write("rounds.yaml", &CONFIG.replace("NOTIFY", ""));
    assert_eq!(test(&["mine.yaml"]).code, Some(0));
    for words in [
        &["mine", "--config", "."][..],
        &["./mine.yaml", "--config", "."],
    ] {
        let said = test(words);
        assert_eq!(said.code, Some(0), "{}", said.whole());
    }

    // What is wrong is told where it is.
    folder.write("mine.yaml", &MINE.replace(".patient.name", ".patiet.name"));
    let wrong = test(&["./mine.yaml"]);
    assert_eq!(wrong.code, Some(64), "{}", wrong.whole());
    assert!(
        wrong.stderr.contains(" --> ./mine.yaml:2:"),
        "{}",
        wrong.whole()
    );
    folder.write("mine.yaml", "map: mine\n");
    let lacks = test(&["./mine.yaml"]);
    assert!(
        lacks
            .stderr
            .contains("`notify` is missing\n --> ./mine.yaml:1:1"),
        "{}",
        lacks.whole()
    );
    folder.write("mine.yaml", "map: [\n");
    let no_yaml = test(&["./mine.yaml"]);
    assert!(
        no_yaml.stderr.contains(" --> ./mine.yaml:") && no_yaml.stderr.contains("is no map"),
        "{}",
        no_yaml.whole()
    );
    let unknown = test(&["min"]);
    assert_eq!(unknown.code, Some(64), "{}", unknown.whole());
    assert!(
        unknown.stderr.contains("R0295") && unknown.stderr.contains("--map ./my-map.yaml"),
        "{}",
        unknown.whole()
    );
    for said in [&wrong, &lacks, &no_yaml, &unknown] {
        assert!(!said.stderr.contains("rounds-map-test"), "{}", said.whole());
    }
}

#[test]
fn what_comes_in_is_read_as_a_file_is() {
    let folder = folder("");
    folder.write("message.json", "{}");
    let input = fs::File::open(folder.path().join("message.json")).expect("is there");
    let mut command = folder.command(&["map", "validate", "-"]);
    let said = Said::from(command.stdin(input).output().expect("the program starts"));
    assert_eq!(said.code, Some(65), "{}", said.whole());
    assert!(
        said.stdout.contains("`Meta.DataModel` is no data model"),
        "{}",
        said.whole()
    );
}
