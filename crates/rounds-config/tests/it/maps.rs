//! Maps: what a user writes comes over them, leaf by leaf.

use crate::rendered;
use rounds_config::{Sources, load, maps};
use rounds_domain::plan::{Action, BodyRule};
use std::sync::Arc;

const CONFIG: &str = "connections:
  clinic: { connector: fhir-r4, base_url: https://fhir.example.org/r4, auth: { bearer: { env: T } } }
actions:
  appointments:
    connection: clinic
    uses: appointment
    every: 1m
    notify: NOTIFY
    to: app
destinations:
  app: { url: https://app.example.org/x, signing_secret: { env: S } }
";

fn config(notify: &str) -> String {
    CONFIG.replace("NOTIFY", notify)
}

fn action(sources: &Sources) -> Arc<Action> {
    assert_eq!(rendered(sources), "");
    let plan = load(sources).plan.expect("a plan");
    Arc::clone(&plan.actions[0])
}

/// The paths of the body's expressions, with their texts.
fn leaves(action: &Action) -> Vec<(String, String)> {
    match &action.notify.body {
        BodyRule::Model { body, .. } => body
            .leaves()
            .map(|(path, filter)| (path, filter.text().trim().to_owned()))
            .collect(),
        _ => panic!("has a model"),
    }
}

fn leaf(action: &Action, path: &str) -> Option<String> {
    let leaves = leaves(action);
    let found = leaves.into_iter().find(|(known, _)| known == path);
    found.map(|(_, text)| text)
}

#[test]
fn every_built_in_map_can_be_read() {
    let known: Vec<String> = maps().into_iter().map(|facts| facts.name).collect();
    assert_eq!(known.len(), 21);
    assert!(known.contains(&"fhir-r4/scheduling".to_owned()));
    assert!(maps().iter().all(|map| !map.about.is_empty()));
}

#[test]
fn a_map_gives_the_model_the_body_and_the_lookups() {
    let action = action(&Sources::from_text(
        "rounds.yaml",
        config("{ map: fhir-r4/scheduling }"),
    ));
    let lookups: Vec<String> = action
        .lookups
        .iter()
        .map(|lookup| lookup.name.to_string())
        .collect();
    assert_eq!(lookups, ["patient", "role", "practitioner"]);
    // Of the map that it begins with, with the place of the patient filled in.
    assert_eq!(
        leaf(&action, "Patient.Demographics.DOB").as_deref(),
        Some("(fhir_attendee).birthDate")
    );
    assert_eq!(
        leaf(&action, "Visit.VisitNumber").as_deref(),
        Some(".record.id")
    );
}

#[test]
fn the_users_leaves_come_over_the_maps() {
    let action = action(&Sources::from_text(
        "rounds.yaml",
        config(
            "{ map: fhir-r4/scheduling, body: { Visit: { VisitNumber: '= .record.identifier[0].value', Reason: null, Location: { Room: '7' } } } }",
        ),
    ));
    assert_eq!(
        leaf(&action, "Visit.VisitNumber").as_deref(),
        Some(".record.identifier[0].value")
    );
    assert_eq!(leaf(&action, "Visit.Reason"), None);
    assert!(leaf(&action, "Visit.Location.Department").is_some());
    assert!(leaf(&action, "Visit.VisitDateTime").is_some());
}

#[test]
fn a_map_of_ones_own_may_begin_with_a_built_in_one() {
    let own = "map: mine
over: { fhir-r4/scheduling: {} }
notify: { body: { Visit: { AccountNumber: = .record.account } } }
";
    let sources =
        Sources::from_text("rounds.yaml", config("{ map: mine }")).with_text("mine.yaml", own);
    let action = action(&sources);
    assert!(leaf(&action, "Visit.AccountNumber").is_some());
    assert!(leaf(&action, "Patient.Demographics.DOB").is_some());
}

#[test]
fn maps_that_come_round_in_a_circle_are_refused() {
    let first = "map: a\nabout: A.\nover: { b: {} }\nnotify: {}\n";
    let second = "map: b\nabout: B.\nover: { a: {} }\nnotify: {}\n";
    let sources = Sources::from_text("rounds.yaml", config("{ map: a }"))
        .with_text("a.yaml", first)
        .with_text("b.yaml", second);
    insta::assert_snapshot!("maps_in_a_circle", rendered(&sources));
}

#[test]
fn an_unknown_map_is_named_with_the_nearest() {
    let sources = Sources::from_text("rounds.yaml", config("{ map: fhir-r4/sheduling }"));
    insta::assert_snapshot!("unknown_map", rendered(&sources));
}

#[test]
fn what_a_map_of_ones_own_lacks_is_said_of_its_file() {
    let sources = Sources::from_text("mine.yaml", "map: mine\n")
        .with_text("rounds.yaml", config("{ map: fhir-r4/scheduling }"));
    let said = rendered(&sources);
    assert!(
        said.contains("`notify` is missing\n --> mine.yaml:1:1"),
        "{said}"
    );
}

#[test]
fn two_maps_of_one_name_and_what_is_no_mapping_are_refused() {
    let sources = Sources::from_text("a.yaml", "map: mine\nnotify: {}\n")
        .with_text("b.yaml", "map: mine\nnotify: 7\n")
        .with_text("rounds.yaml", config("{ map: mine, event: New }"));
    let said = rendered(&sources);
    assert!(
        said.contains("the name `mine` is taken\n --> b.yaml:1:6") && said.contains("a.yaml:1:6"),
        "{said}"
    );
    assert!(said.contains("\n --> b.yaml:2:9"), "{said}");
}
