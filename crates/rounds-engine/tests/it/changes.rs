//! What is told, and what is not.

use crate::ehr::text_answer;
use crate::world::{APPOINTMENTS, World};
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn a_change_is_told_once_with_its_patient_and_its_former_state() {
    let world = World::usual();
    world.run_for(15).await;
    world.clinic.put(1, "p1", "booked", world.now());
    world.run_for(25).await;
    assert_eq!(
        world.bodies(),
        [
            json!({ "id": 1, "status": "booked", "was": null, "kind": "created", "patient": "Patient p1", "missing": [] })
        ]
    );

    world.run_for(60).await;
    assert_eq!(world.told(), [] as [String; 0], "the overlap is silent");

    world.clinic.put(1, "p1", "cancelled", world.now());
    world.run_for(25).await;
    assert_eq!(
        world.bodies(),
        [
            json!({ "id": 1, "status": "cancelled", "was": "booked", "kind": "updated", "patient": "Patient p1", "missing": [] })
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_starts_from_the_beginning_tells_everything() {
    let world = World::with(&APPOINTMENTS.replace("start: now", "start: beginning"));
    world.clinic.put(
        1,
        "p1",
        "booked",
        "2020-01-01T00:00:00Z".parse().expect("an instant"),
    );
    world.run_for(30).await;
    assert_eq!(world.told(), ["1:booked"]);
}

#[tokio::test(start_paused = true)]
async fn a_record_changed_twice_between_two_rounds_is_told_once_with_its_latest_state() {
    let world = World::usual();
    world.run_for(1).await;
    world.clinic.put(1, "p1", "booked", world.now());
    world.clinic.put(1, "p1", "moved", world.now());
    world.run_for(20).await;
    assert_eq!(world.told(), ["1:moved"]);
}

#[tokio::test(start_paused = true)]
async fn numbers_arrive_as_the_ehr_wrote_them() {
    let config = APPOINTMENTS.replace(
        "body: {",
        "body: { price: = .record.price, exponent: = .record.exponent,",
    );
    let world = World::with(&config);
    world.run_for(1).await;
    world.ehr.on("/api/appointments", |_| {
        text_answer(
            r#"[{"id": 9007199254740993, "price": 1.10, "exponent": 1e400, "status": "booked", "patientID": "p",
                 "lastModified": "2026-05-01T10:00:05Z", "version": 1}]"#,
        )
    });
    world.run_for(20).await;
    let received = world.received();
    assert_eq!(received.len(), 1);
    for literal in [
        r#""id":9007199254740993"#,
        r#""price":1.10"#,
        r#""exponent":1e400"#,
    ] {
        assert!(received[0].text.contains(literal), "{}", received[0].text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_without_an_id_is_shown_and_stops_nothing() {
    let world = World::usual();
    world.run_for(1).await;
    world.ehr.on("/api/appointments", |_| {
        text_answer(
            r#"[{"status": "lost", "lastModified": "2026-05-01T10:00:05Z"},
                {"id": 2, "patientID": "p", "status": "booked", "lastModified": "2026-05-01T10:00:05Z", "version": 1}]"#,
        )
    });
    world.run_for(40).await;
    assert_eq!(world.told(), ["2:booked"]);
    let overview = world.overview().await;
    assert_eq!(overview.actions[0].containers_dead, 1);
}

#[tokio::test(start_paused = true)]
async fn with_a_data_model_the_body_is_whole() {
    let config = APPOINTMENTS.replace(
        "      body: { id: = .record.id, status: = .record.status, was: = .previous.status, kind: = .change.kind, patient: = .patient.name, missing: = .change.missing }",
        "      model: Scheduling
      event: = if .record.status == \"cancelled\" then \"Cancel\" else \"New\" end
      body:
        Patient: { Identifiers: [ { ID: = .record.patientID, IDType: MR } ] }
        Visit: { VisitNumber: = .record.id | tostring, VisitDateTime: = .record.lastModified, Duration: 15, Location: { Department: Main } }",
    );
    let world = World::with(&config);
    world.run_for(1).await;
    world.clinic.put(5, "p1", "booked", world.now());
    world.run_for(20).await;
    world.clinic.put(5, "p1", "cancelled", world.now());
    world.run_for(20).await;
    let bodies = world.bodies();
    let events: Vec<&str> = bodies
        .iter()
        .map(|body| body["Meta"]["EventType"].as_str().expect("an event"))
        .collect();
    assert_eq!(events, ["New", "Cancel"]);
    assert_eq!(bodies[0]["Visit"]["VisitNumber"], "5");
    assert_eq!(
        bodies[0]["Patient"]["Demographics"]["FirstName"],
        json!(null)
    );
    assert_eq!(bodies[0]["AppointmentInfo"], json!([]));
    assert_eq!(bodies[0]["Meta"]["DataModel"], "Scheduling");
}
