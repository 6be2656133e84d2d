//! Connector files: what users write over them, and that all that come along are whole.

use crate::rendered;
use rounds_config::{Outcome, Sources, Strategy, connectors, load, schema};
use rounds_domain::plan::{Authentication, PagingRule};

fn loaded(text: &str) -> (Sources, Outcome) {
    let sources = Sources::from_text("rounds.yaml", text);
    let outcome = load(&sources);
    (sources, outcome)
}

/// The diagnostics of this text, as they are shown.
fn said(text: &str) -> String {
    rendered(&Sources::from_text("rounds.yaml", text))
}

#[test]
fn every_example_is_a_whole_configuration_of_a_few_lines() {
    for connector in connectors() {
        let (sources, outcome) = loaded(&connector.example);
        assert!(
            outcome.plan.is_some() && outcome.diagnostics.is_empty(),
            "{}: {}",
            connector.name,
            rendered(&sources)
        );
        assert!(connector.example.lines().count() < 25, "{}", connector.name);
        assert!(
            !outcome.uses.is_empty(),
            "{} shows no action",
            connector.name
        );
    }
}

/// Every action that can be polled works with the connection of the example, and the others say why not.
#[test]
fn every_action_of_every_connector_can_be_used_or_says_why_not() {
    for connector in connectors() {
        let (connection, _) = connector
            .example
            .split_once("actions:")
            .expect("has actions");
        let name = connection
            .lines()
            .nth(1)
            .expect("a connection")
            .trim()
            .trim_end_matches(':');
        for action in &connector.actions {
            let text = |more: &str| {
                format!(
                    "{connection}actions:\n  one: {{ connection: {name}, uses: {}, every: 1h, {more}to: [] }}\n",
                    action.name
                )
            };
            let (mut sources, mut outcome) = loaded(&text(""));
            let mut shown = rendered(&sources);
            if shown.contains("error[R0245]: `partition` is used and there are none") {
                // Whose records are asked for is nobody's to say but the user's.
                (sources, outcome) = loaded(&text("changes: { for_each: [p-1] }, "));
                shown = rendered(&sources);
            }
            if action.strategy == Strategy::None {
                assert!(
                    shown.contains("error[R0290]"),
                    "{} {}: {shown}",
                    connector.name,
                    action.name
                );
                assert!(action.because.is_some() && action.instead.is_some());
            } else {
                assert!(
                    outcome.plan.is_some(),
                    "{} {}: {shown}",
                    connector.name,
                    action.name
                );
                let only_told_to_nobody = !shown.contains("error")
                    && shown.matches("warning[").count() == shown.matches("warning[R0229]").count();
                assert!(
                    only_told_to_nobody,
                    "{} {}: {shown}",
                    connector.name, action.name
                );
            }
        }
    }
}

/// A patient that stands in a connector's file would be polled, and told, by whoever forgets to say their own.
#[test]
fn no_connector_says_over_whom_it_is_asked() {
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../connectors"))
        .expect("a folder");
    let mut asked_by_partition = 0;
    for file in files {
        let path = file.expect("a file").path();
        let text = std::fs::read_to_string(&path).expect("can be read");
        let own = text.split("\nexample:").next().unwrap_or_default();
        asked_by_partition += own.matches("{{ partition }}").count();
        let listed = own.lines().filter(|line| {
            let line = line.trim_start();
            line.starts_with("for_each: [") || line.starts_with("- for_each")
        });
        assert_eq!(listed.count(), 0, "{}", path.display());
    }
    assert!(asked_by_partition >= 5, "{asked_by_partition}");
}

#[test]
fn connectors_are_in_order_and_say_where_they_come_from() {
    let all = connectors();
    let names: Vec<&str> = all
        .iter()
        .map(|connector| connector.name.as_str())
        .collect();
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../connectors"))
        .expect("a folder");
    let mut expected: Vec<String> = files
        .map(|file| {
            file.expect("a file")
                .path()
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    expected.sort();
    assert_eq!(
        names, expected,
        "every file of connectors/ is in the list of connector.rs, under its own name"
    );
    for connector in &all {
        assert!(
            !connector.sources.is_empty() && !connector.about.is_empty(),
            "{}",
            connector.name
        );
        assert!(!connector.actions.is_empty(), "{}", connector.name);
    }
    assert!(schema()["$defs"]["ActionOverConnector"].is_object());
}

const USER: &str = "connections:
  clinic:
    connector: fhir-r4
    base_url: https://fhir.example.org/r4
    headers: { x-tenant: abc }
    auth: { bearer: { env: TOKEN } }
actions:
  appointments:
    connection: clinic
    uses: appointment
    every: 1m
    changes:
      query: { _count: 20 }
      paging: { token: { parameter: _page, from: .next } }
      version: null
    to: []
";

#[test]
fn what_the_user_writes_comes_over_the_connector() {
    let (sources, outcome) = loaded(USER);
    let plan = outcome
        .plan
        .unwrap_or_else(|| panic!("{}", rendered(&sources)));
    let connection = plan.connections.values().next().expect("one");
    assert!(matches!(
        connection.authentication,
        Authentication::Bearer(_)
    ));
    let names: Vec<&str> = connection
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["accept", "prefer", "x-tenant"]);
    let feed = &plan.actions[0].changes;
    assert_eq!(feed.request.path.text(), "/Appointment");
    let query: Vec<(&str, &str)> = (feed.request.query.iter())
        .map(|(name, value)| (name.as_str(), value.text()))
        .collect();
    assert_eq!(
        query,
        [
            ("_lastUpdated", "ge{{ cursor }}"),
            ("_sort", "_lastUpdated"),
            ("_count", "20")
        ]
    );
    assert!(matches!(feed.paging.rule, PagingRule::Token { .. }));
    let used = &outcome.uses[0];
    assert_eq!(
        (
            used.action.as_str(),
            used.connector.as_str(),
            used.uses.as_str()
        ),
        ("appointments", "fhir-r4", "appointment")
    );
}

const OWN: &str = "connector: ours
about: Our own EHR.
certainty: documented
sources: [\"a letter\"]
settings: { site: { about: The site's number., example: 7 }, unit: { about: The unit., default: all } }
connection: { timeout: 5s }
actions:
  visits:
    strategy: changes
    action:
      changes: { get: \"/{{ settings.site }}/{{ settings.unit }}/visits\", query: { since: \"{{ cursor }}\" }, cursor: { time: rfc3339 }, start: now, records: \".[]\", id: .id }
  letters: { strategy: none, because: There is no list of them., instead: Poll visits. }
example: \"connections: {}\"
";

fn with_own(user: &str) -> (String, Option<String>) {
    let sources = Sources::from_text("ours.yaml", OWN).with_text("rounds.yaml", user);
    let outcome = load(&sources);
    let path = outcome.plan.as_ref().and_then(|plan| {
        let action = plan.actions.first()?;
        Some(action.changes.request.path.text().to_owned())
    });
    (rendered(&sources), path)
}

#[test]
fn a_file_of_the_users_own_is_a_connector_too() {
    let user = "connections: { c: { connector: ours, base_url: https://a.example, settings: { site: 12 } } }\nactions: { visits: { connection: c, uses: visits, every: 1m, to: [] } }";
    let (shown, path) = with_own(user);
    assert_eq!(path.as_deref(), Some("/12/all/visits"), "{shown}");
}

#[test]
fn mistakes_around_connectors_are_told_where_they_are() {
    let own = |user: &str| with_own(user).0;
    let short = |connection: &str, action: &str| {
        format!(
            "connections:\n  c: {{ {connection}, base_url: https://a.example }}\nactions:\n  a: {{ connection: c, {action}, to: [] }}\n"
        )
    };
    let all = [
        said(&short("connector: fhir4", "uses: patient, every: 1m")),
        said(&short("connector: fhir-r4", "uses: patients, every: 1m")),
        said(&short("connector: fhir-r4", "uses: patient")),
        said(&short("timeout: 5s", "uses: patient, every: 1m")),
        said(&short(
            "settings: { a: 1 }",
            "every: 1m, changes: { get: /a, start: now, records: \".[]\", id: .id }",
        )),
        said(&short(
            "connector: fhir-r4, settings: { tenant: 1 }",
            "uses: patient, every: 1m",
        )),
        said(&short(
            "connector: fhir-r4",
            "uses: patient, every: 1m, changes: { start: yesterday, nothing: 1 }",
        )),
        own(&short("connector: ours", "uses: visits, every: 1m")),
        own(&short(
            "connector: ours, settings: { sight: 1, site: 2 }",
            "uses: letters, every: 1m",
        )),
    ];
    insta::assert_snapshot!(all.join("\n----\n"));
}

#[test]
fn a_connector_that_says_too_much_or_too_little_is_refused_where_it_is() {
    let sources = Sources::from_text(
        "ours.yaml",
        OWN.replace(
            "    strategy: changes\n    action:\n",
            "    strategy: changes\n    action:\n      every: 1m\n",
        )
        .replace("because: There is no list of them., ", "")
        .replace("about: Our own EHR.\n", ""),
    );
    insta::assert_snapshot!(rendered(&sources));
}
