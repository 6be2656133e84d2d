//! Notifications of a schema of the user's own, from the example that shows it.

use crate::ehr::json_answer;
use crate::versions::shows;
use crate::world::World;
use rounds_domain::ContainerState;
use rounds_domain::ports::{ContainerFilter, Operations, PageRequest};
use serde_json::json;

const EXAMPLE: &str = include_str!("../../../../examples/own-schema.yaml");
const SCHEMA: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../examples/visit.schema.json"
);

fn world() -> World {
    let config = EXAMPLE.replace("./visit.schema.json", SCHEMA);
    let world = World::with(&config.replace("https://fakedata.com", "https://ehr.example/api"));
    world.ehr.on("/api/patient/", |_| {
        json_answer(&json!({ "mrn": "M1", "dob": "1970-02-03T00:00:00" }))
    });
    world
}

#[tokio::test(start_paused = true)]
async fn a_body_is_completed_and_judged_by_the_schema() {
    let world = world();
    let rows = shows(&world);
    world.run_for(70).await;
    *rows.lock().expect("not poisoned") = vec![
        json!({ "id": 1, "patientID": "p", "start": "2026-05-11T09:00:00", "duration": 15, "status": "booked" }),
        json!({ "id": 2, "patientID": "p", "start": "2026-05-11T09:00:00", "duration": 0, "status": "CONFIDENTIAL" }),
    ];
    world.run_for(70).await;
    let whole = json!({
        "source": "fakedata", "what": "created",
        "visit": { "id": "1", "starts_at": "2026-05-11T09:00:00Z", "minutes": 15, "state": "booked", "reason": null, "tags": [] },
        "patient": { "mrn": "M1", "born_on": "1970-02-03" },
    });
    assert_eq!(world.bodies(), [whole]);
    let page = PageRequest {
        offset: 0,
        limit: 10,
    };
    let listed = world.store.containers(ContainerFilter::default(), page);
    let listed = listed.await.expect("containers");
    let reasons: Vec<String> = (listed.iter())
        .filter(|container| container.state != ContainerState::Dropped)
        .filter_map(|container| container.reason.clone())
        .map(|(code, reason)| format!("{code} {reason}"))
        .collect();
    let refused = "R0407 `notify.body` does not fit the schema `visit`: `visit.minutes` does not fit the schema's `minimum: 1`";
    assert_eq!(reasons, [refused]);
}

#[tokio::test(start_paused = true)]
async fn an_event_is_what_the_user_calls_it_and_null_is_not_told() {
    let event = "event: '= if .record.status == \"hold\" then null else .record.status end'";
    let config = EXAMPLE
        .replace("event: = .change.kind  ", event)
        .replace("./visit.schema.json", SCHEMA);
    assert!(config.contains(event), "the example has an event");
    let world = World::with(&config.replace("https://fakedata.com", "https://ehr.example/api"));
    let rows = shows(&world);
    world
        .ehr
        .on("/api/patient/", |_| json_answer(&json!({ "mrn": "M1" })));
    world.run_for(70).await;
    *rows.lock().expect("not poisoned") = ["booked", "hold"]
        .iter()
        .enumerate()
        .map(|(id, status)| json!({ "id": id, "patientID": "p", "start": "2026-05-11T09:00:00", "duration": 15, "status": status }))
        .collect();
    world.run_for(70).await;
    let page = PageRequest {
        offset: 0,
        limit: 10,
    };
    let listed = world
        .store
        .notifications(rounds_domain::ports::NotificationFilter::default(), page);
    let events: Vec<String> = (listed.await.expect("notifications").into_iter())
        .map(|notification| notification.event)
        .collect();
    assert_eq!(events, ["visit.booked"]);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_a_record_names_is_a_name() {
    let config = EXAMPLE.replace("./visit.schema.json", SCHEMA);
    let config = config.replace("https://fakedata.com", "https://ehr.example/api");
    let event = config.replacen("event: = .change.kind                     # visit.created, visit.updated; null is not told", "event: = .record.word", 1);
    assert_ne!(event, config);
    let world = World::with(&event);
    world.ehr.on("/api/patient/", |_| {
        json_answer(&json!({ "mrn": "M1", "dob": "1970-02-03T00:00:00" }))
    });
    let rows = shows(&world);
    world.run_for(70).await;
    let row = |id, word| json!({ "id": id, "patientID": "p", "start": "2026-05-11T09:00:00", "duration": 15, "status": "booked", "word": word });
    *rows.lock().expect("not poisoned") = vec![row(1, "visit.moved"), row(2, "Jane SECRET")];
    world.run_for(70).await;
    assert_eq!(world.bodies().len(), 1);
    assert_eq!(
        world.reasons().await,
        [
            "R0406 `notify.event` gave something that is no name of an event: at most 64 letters, digits and `._:-`"
        ]
    );
}
