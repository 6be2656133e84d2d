//! `rounds map`.

use crate::support::{Folder, Said};
use std::fs;
use std::path::Path;

fn said(words: &[&str]) -> Said {
    let folder = Folder::new();
    Said::from(folder.command(words).output().expect("the program starts"))
}

#[test]
fn golden_notifications_are_valid_and_say_what_they_are() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rounds-map/models/golden");
    let mut files: Vec<String> = (fs::read_dir(golden).expect("a folder"))
        .map(|entry| entry.expect("an entry").path().display().to_string())
        .collect();
    files.sort();
    assert_eq!(files.len(), 26);
    let mut words = vec!["map", "validate", "--json"];
    words.extend(files.iter().map(String::as_str));
    let said = said(&words);
    assert_eq!(said.code, Some(0), "{}", said.whole());
    let page = said.json();
    let rows = page["files"].as_array().expect("a list");
    assert!(
        rows.iter()
            .all(|row| row["problems"] == serde_json::json!([]))
    );
    assert_eq!(rows[0]["model"], "Flowsheet");
}

#[test]
fn what_is_wrong_with_a_message_is_said_by_path_and_never_by_value() {
    let folder = Folder::new();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../rounds-map/models/golden/scheduling.new.json");
    let text = fs::read_to_string(golden).expect("is there");
    let text = text
        .replace(r#""Duration":15"#, r#""Duration":"Jane Doe""#)
        .replace(r#""VisitNumber":"1234","#, "")
        .replace(r#""DOB":"#, r#""DateOfBirth":"#);
    fs::write(folder.path().join("message.json"), text).expect("written");
    fs::write(folder.path().join("page.json"), "<html>").expect("written");
    let mut command = folder.command(&["map", "validate", "message.json"]);
    let said = Said::from(command.output().expect("the program starts"));
    assert_eq!(said.code, Some(65), "{}", said.whole());
    insta::assert_snapshot!(said.stdout);
    assert!(
        said.stderr.contains("R0714") && !said.whole().contains("Jane"),
        "{}",
        said.whole()
    );
    let mut command = folder.command(&["map", "validate", "page.json"]);
    let said = Said::from(command.output().expect("the program starts"));
    assert_eq!(said.code, Some(65));
    assert!(said.stderr.contains("R0715"), "{}", said.whole());
}

/// The folders of maps, and how many fixtures each has at least.
const FOLDERS: [(&str, usize); 5] = [
    ("athenahealth", 16),
    ("cliniko", 15),
    ("drchrono", 18),
    ("fhir-r4", 39),
    ("open-dental", 17),
];

/// Maps that others begin with.
const PARTS: [&str; 2] = ["demographics", "visit-time"];

fn maps(folder: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../maps")
        .join(folder)
}

#[test]
fn every_fixture_of_the_maps_becomes_what_is_kept_and_a_whole_message() {
    for (maps_of, at_least) in FOLDERS {
        let folder = Folder::new();
        let config = maps(maps_of).join("rounds.yaml").display().to_string();
        let fixtures = maps(maps_of).join("fixtures").display().to_string();
        let words = [
            "map",
            "test",
            "--json",
            "--config",
            &config,
            "--fixtures",
            &fixtures,
        ];
        let said = Said::from(folder.command(&words).output().expect("the program starts"));
        assert_eq!(said.code, Some(0), "{maps_of}: {}", said.whole());
        let page = said.json();
        let rows = page["fixtures"].as_array().expect("a list");
        assert!(rows.len() >= at_least, "{maps_of}: {}", rows.len());
        let mut files = Vec::new();
        for row in rows {
            assert_eq!(row["result"], "same", "{row}");
            let golden = row["fixture"]
                .as_str()
                .expect("a name")
                .replace(".json", ".golden.json");
            let kept: serde_json::Value =
                serde_json::from_str(&fs::read_to_string(&golden).expect("is there"))
                    .expect("is JSON");
            if let Some(body) = kept.get("body") {
                let file = folder.path().join(format!("{}.json", files.len()));
                fs::write(&file, body.to_string()).expect("written");
                files.push(file.display().to_string());
            }
        }
        let mut words = vec!["map", "validate"];
        words.extend(files.iter().map(String::as_str));
        let said = Said::from(folder.command(&words).output().expect("the program starts"));
        assert_eq!(said.code, Some(0), "{maps_of}: {}", said.whole());
    }
}

#[test]
fn every_map_has_an_action_and_fixtures() {
    let said = said(&["map", "list", "--json"]);
    let page = said.json();
    for row in page["maps"].as_array().expect("a list") {
        let name = row["map"].as_str().expect("a name");
        let (folder, short) = name.split_once('/').expect("in a folder");
        assert!(
            PARTS.contains(&short) || maps(folder).join("fixtures").join(short).is_dir(),
            "{name}"
        );
        // Of a folder that is not in the table nothing would be tested.
        assert!(
            PARTS.contains(&short) || FOLDERS.iter().any(|(known, _)| *known == folder),
            "{name}"
        );
    }
}

#[test]
fn a_difference_is_shown_by_path_and_kept_when_it_is_renewed() {
    let folder = Folder::new();
    let config = "connections:
  ehr: { base_url: https://ehr.example.org }
actions:
  appointments:
    connection: ehr
    every: 1m
    changes: { get: /a, cursor: { time: rfc3339 }, query: { since: '{{ cursor }}' }, start: now, records: '.[]', id: .id }
    notify: { body: { id: = .record.id, was: = .previous.status, status: = .record.status, who: = .patient.name } }
    lookups: { patient: { get: '/p/{{ record.patient }}' } }
    to: []
";
    fs::write(folder.path().join("rounds.yaml"), config).expect("written");
    let fixtures = folder.path().join("fixtures/appointments");
    fs::create_dir_all(&fixtures).expect("made");
    let fixture = r#"{"record":{"id":1,"status":"moved"},"previous":{"id":1,"status":"booked"},"lookups":{"patient":{"name":"Ann"}}}"#;
    fs::write(fixtures.join("moved.json"), fixture).expect("written");

    let run =
        |words: &[&str]| Said::from(folder.command(words).output().expect("the program starts"));
    let said = run(&["map", "test"]);
    assert_eq!(said.code, Some(65), "{}", said.whole());
    assert!(said.stdout.contains("new "), "{}", said.whole());
    assert_eq!(run(&["map", "test", "--renew"]).code, Some(0));
    assert_eq!(run(&["map", "test", "appointments"]).code, Some(0));

    let golden = fixtures.join("moved.golden.json");
    let kept = fs::read_to_string(&golden).expect("is there");
    insta::assert_snapshot!("kept_outcome", kept);
    fs::write(&golden, kept.replace("Ann", "Eve")).expect("written");
    let said = run(&["map", "test"]);
    assert_eq!(said.code, Some(65));
    assert!(said.stderr.contains("R0716"), "{}", said.whole());
    insta::assert_snapshot!("difference", said.stdout);

    assert_eq!(run(&["map", "test", "appointmens"]).code, Some(64));
    assert_eq!(run(&["map", "show", "fhir-r4/sheduling"]).code, Some(64));
    assert!(
        run(&["map", "show", "fhir-r4/scheduling"])
            .stdout
            .starts_with("map: fhir-r4/scheduling")
    );
}

/// An action over an API that speaks XML, with a lookup.
const OF_XML: &str = r#"
connections: { ehr: { base_url: "https://ehr.example", format: xml } }
actions:
  visits:
    connection: ehr
    every: 1m
    changes: { get: /visits, start: now, records: ".visits.visit | many | .[]", id: .id }
    lookups: { patient: { get: "/patients/{{ record.patient }}" } }
    notify: { body: { id: = .record.id, was: = .previous.state, state: = .record.state, name: = .patient.patient.name } }
    to: app
destinations: { app: { url: "https://app.example" } }
"#;

#[test]
fn fixtures_may_be_as_the_ehr_gave_them_with_what_was_looked_up_beside() {
    let folder = Folder::with_configuration(OF_XML);
    let fixtures = folder.path().join("fixtures/visits");
    fs::create_dir_all(&fixtures).expect("made");
    for (name, text) in [
        ("moved.xml", "<visit><id>7</id><state>moved</state></visit>"),
        (
            "moved.previous.xml",
            "<visit><id>7</id><state>booked</state></visit>",
        ),
        ("moved.patient.xml", "<patient><name>Ann</name></patient>"),
        // A whole answer, of which the first record is taken.
        (
            "listed.xml",
            "<visits><visit><id>8</id><state>new</state></visit><visit><id>9</id></visit></visits>",
        ),
        (
            "plain.json",
            r#"{"id": "10", "state": "new", "inner": {"id": "no"}}"#,
        ),
    ] {
        fs::write(fixtures.join(name), text).expect("written");
    }
    let run =
        |words: &[&str]| Said::from(folder.command(words).output().expect("the program starts"));
    let first = run(&["map", "test"]);
    assert_eq!(first.code, Some(65), "{}", first.whole());
    assert_eq!(first.stdout.matches("new ").count(), 3, "{}", first.whole());
    assert_eq!(run(&["map", "test", "--update"]).code, Some(0));
    let kept = |name: &str| -> serde_json::Value {
        let text = fs::read_to_string(fixtures.join(name)).expect("is kept");
        serde_json::from_str::<serde_json::Value>(&text).expect("is JSON")["body"].clone()
    };
    let json = serde_json::json!({ "id": "7", "was": "booked", "state": "moved", "name": "Ann" });
    assert_eq!(kept("moved.golden.json"), json);
    assert_eq!(kept("listed.golden.json")["id"], "8");
    assert_eq!(kept("plain.golden.json")["id"], "10");

    // Through a map, without any configuration.
    let elsewhere = Folder::new();
    let of_map = |map: &str| {
        let scheduling = maps("fhir-r4")
            .join("fixtures/scheduling")
            .display()
            .to_string();
        let words = ["map", "test", "--map", map, "--fixtures", &scheduling];
        Said::from(
            elsewhere
                .command(&words)
                .output()
                .expect("the program starts"),
        )
    };
    let same = of_map("fhir-r4/scheduling");
    // The connection's name is in the messages, and another one here.
    assert!(
        same.stdout.contains("booked.json: Scheduling.New"),
        "{}",
        same.whole()
    );
    let unknown = of_map("fhir-r4/schedulin");
    assert_eq!(unknown.code, Some(64), "{}", unknown.whole());
    assert!(
        unknown
            .stderr
            .contains("did you mean `fhir-r4/scheduling`?"),
        "{}",
        unknown.whole()
    );
    fs::write(
        fixtures.join("moved.patient.xml"),
        "<patient><name>Eve</name></patient>",
    )
    .expect("written");
    let changed = run(&["map", "test"]);
    assert_eq!(changed.code, Some(65));
    assert!(
        changed
            .stdout
            .contains("body.name\n    - \"Ann\"\n    + \"Eve\""),
        "{}",
        changed.whole()
    );
}
