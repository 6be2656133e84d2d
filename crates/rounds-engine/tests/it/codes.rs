//! Codes that a mapping knows, and those that it does not.

use crate::versions::shows;
use crate::world::{World, appointments_with as with};
use rounds_domain::ContainerState;
use rounds_domain::ports::{ContainerFilter, Operations, PageRequest};
use serde_json::{Value, json};

const BODY: &str = "      body: { id: = .record.id, status: = .record.status, was: = .previous.status, kind: = .change.kind, patient: = .patient.name, missing: = .change.missing }";

fn world(unknown: &str) -> World {
    let body = format!(
        "      codes: {{ who.sex: {{ F: Female, M: Male }} }}\n{unknown}      body: {{ id: = .record.id, who: {{ sex: = .record.sex }} }}"
    );
    World::with(&with(&[(BODY, &body)]))
}

/// What is told of records with these codes, and what the feed says of it.
async fn told(world: &World, codes: &[Value]) -> (Vec<Value>, Vec<String>) {
    let rows = shows(world);
    world.run_for(15).await;
    let now = world.now().to_string();
    *rows.lock().expect("not poisoned") = (codes.iter().enumerate())
        .map(|(id, sex)| json!({ "id": id, "sex": sex, "patientID": "p", "lastModified": now, "version": 1 }))
        .collect();
    world.run_for(25).await;
    let mut bodies = world.bodies();
    bodies.sort_by_key(|body| body["id"].as_u64());
    let told = bodies.into_iter().map(|body| body["who"]["sex"].clone());
    let findings = world.feed("appointments").await.findings;
    let findings = findings.iter().map(|finding| {
        let seen = &finding.sighting;
        format!("{} {} {}", seen.code, seen.records, seen.message)
    });
    (told.collect(), findings.collect())
}

#[tokio::test(start_paused = true)]
async fn what_is_known_is_said_in_other_words_and_what_is_not_is_counted() {
    let codes = [
        json!("F"),
        json!("M"),
        json!("X"),
        json!("CONFIDENTIAL"),
        Value::Null,
    ];
    let counted =
        "R0377 2 2 notifications have codes that the mapping does not know, the last at who.sex";
    let (kept, findings) = told(&world(""), &codes).await;
    assert_eq!(
        kept,
        [
            json!("Female"),
            json!("Male"),
            json!("X"),
            json!("CONFIDENTIAL"),
            Value::Null
        ]
    );
    assert_eq!(findings, [counted]);
    let (nothing, findings) = told(&world("      unknown: \"null\"\n"), &codes).await;
    assert_eq!(
        nothing,
        [
            json!("Female"),
            json!("Male"),
            Value::Null,
            Value::Null,
            Value::Null
        ]
    );
    assert_eq!(findings, [counted]);
}

#[tokio::test(start_paused = true)]
async fn what_is_parked_waits_with_its_path_and_without_its_value() {
    let world = world("      unknown: park\n");
    let (told, _) = told(&world, &[json!("F"), json!("CONFIDENTIAL")]).await;
    assert_eq!(told, [json!("Female")]);
    let page = PageRequest {
        offset: 0,
        limit: 10,
    };
    let listed = world.store.containers(ContainerFilter::default(), page);
    let listed = listed.await.expect("containers");
    let waiting: Vec<String> = (listed.into_iter())
        .filter(|container| container.state == ContainerState::Parked)
        .filter_map(|container| container.reason)
        .map(|(code, reason)| format!("{code} {reason}"))
        .collect();
    assert_eq!(
        waiting,
        ["R0412 `who.sex`: the translation `codes` does not have the value"]
    );
}
