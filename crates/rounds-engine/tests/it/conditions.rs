//! Conditions that say neither true nor false, and such as fail.

use crate::versions::shows;
use crate::world::{World, appointments_with as with};
use serde_json::{Value, json};

/// What the feed says after rounds that showed `records`, as code and words; and how much was told.
async fn after(config: &str, records: Vec<Value>) -> (String, usize) {
    let world = World::with(config);
    let rows = shows(&world);
    world.run_for(15).await;
    let at = world.now().to_string();
    let dated = records.into_iter().map(|mut record| {
        record["lastModified"] = json!(at);
        record["patientID"] = json!("p");
        record
    });
    *rows.lock().expect("not poisoned") = dated.collect();
    world.run_for(25).await;
    let feed = world.feed("appointments").await;
    let failed = feed
        .failure
        .map(|failure| format!("{} {}", failure.code, failure.message));
    let found = feed
        .findings
        .first()
        .map(|found| format!("{} {}", found.sighting.code, found.sighting.message));
    (failed.or(found).unwrap_or_default(), world.bodies().len())
}

fn with_key(key: &str) -> String {
    with(&[("      id: .id\n", &format!("      id: .id\n      {key}\n"))])
}

/// What a sensible person would write, and what an XML API makes of it.
#[tokio::test(start_paused = true)]
async fn a_condition_that_says_neither_true_nor_false_stops_the_round() {
    let records = || {
        vec![
            json!({ "id": 1, "version": 1, "deleted": "false", "deletedAt": "2026-01-01", "flags": [] }),
        ]
    };
    for (key, words) in [
        (
            "gone: .deleted",
            "R0343 `gone`: the expression gave a string where true or false is needed",
        ),
        (
            "gone: .deletedAt",
            "R0343 `gone`: the expression gave a string where true or false is needed",
        ),
        (
            "skip: .flags",
            "R0343 `skip`: the expression gave an array where true or false is needed",
        ),
        (
            "skip: .id",
            "R0343 `skip`: the expression gave a number where true or false is needed",
        ),
        (
            "paging: { page_number: { parameter: page }, more: '.[0].deleted' }",
            "R0343 `paging.more`: the expression gave a string where true or false is needed",
        ),
    ] {
        let (said, told) = after(&with_key(key), records()).await;
        assert!(said.starts_with(words), "{key}: {said}");
        assert_eq!(told, 0, "{key}");
    }
    // What is not there is not so.
    for key in [
        "gone: .removed",
        "skip: .flags[]",
        "gone: .deleted == \"true\"",
    ] {
        assert_eq!(
            after(&with_key(key), records()).await,
            (String::new(), 1),
            "{key}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_condition_that_fails_on_a_record_is_counted_and_the_record_is_there() {
    let records = vec![
        json!({ "id": 1, "version": 1, "status": "x-deleted" }),
        json!({ "id": 2, "version": 1 }),
    ];
    for key in ["gone", "skip"] {
        let config = with_key(&format!("{key}: .status | startswith(\"y\")"));
        let (said, told) = after(&config, records.clone()).await;
        assert_eq!(
            said,
            "R0379 1 record is told as there because `skip` or `gone` failed"
        );
        assert_eq!(told, 2, "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rule_for_answers_that_says_neither_stops_the_round() {
    let rule = "    answers:\n      - { body: '.[0].version', means: empty }\n    lookups:\n";
    let config = with(&[("    lookups:\n", rule)]);
    let (said, told) = after(&config, vec![json!({ "id": 1, "version": 1 })]).await;
    let words = "R0343 `body` of rule 1 of the action's `answers`: the expression gave a number";
    assert!(said.starts_with(words), "{said}");
    assert_eq!(told, 0);
}

#[tokio::test(start_paused = true)]
async fn a_change_waits_where_a_condition_over_it_says_neither() {
    let of_lookup = (
        "get: \"/patient/{{ record.patientID }}\" }",
        "get: \"/patient/{{ record.patientID }}\", when: .record.patientID }",
    );
    let of_destination = ("to: app", "to: { destination: app, when: .record.status }");
    for (replacement, words) in [
        (
            of_lookup,
            "R0405 lookup `patient` cannot be asked: its `when` failed: the expression gave a string where true or false is needed",
        ),
        (
            of_destination,
            "R0406 `when` of the destination `app`: the expression gave a string where true or false is needed",
        ),
    ] {
        let world = World::with(&with(&[replacement]));
        let rows = shows(&world);
        world.run_for(15).await;
        let at = world.now().to_string();
        *rows.lock().expect("not poisoned") = vec![
            json!({ "id": 1, "version": 1, "status": "booked", "patientID": "p", "lastModified": at }),
        ];
        world.run_for(25).await;
        assert_eq!(world.reasons().await, [words]);
        assert!(world.bodies().is_empty());
    }
}
