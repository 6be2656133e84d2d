//! How notifications are wrapped.

use crate::ehr::text_answer;
use crate::world::{APPOINTMENTS, Received, World, refused};
use rounds_domain::AttemptOutcome;
use serde_json::{Value, json};
use std::fmt::Write as _;

fn world(notify: &str) -> World {
    let (before, rest) = APPOINTMENTS
        .split_once("    notify:\n")
        .expect("has a body");
    let (_, after) = rest.split_once("    to: app").expect("has a destination");
    World::with(&format!("{before}    notify: {notify}\n    to: app{after}"))
}

/// A FHIR appointment that is booked, then cancelled; and what was told of it.
async fn told(world: &World) -> Vec<Received> {
    world.run_for(1).await;
    world.ehr.on("/api/patient/", |_| {
        text_answer(r#"{"resourceType":"Patient","id":"p1","active":true}"#)
    });
    for (version, status) in ["booked", "cancelled"].into_iter().enumerate() {
        let text = format!(
            r#"[{{"resourceType": "Appointment", "id": "a7", "patientID": "p1", "status": "{status}", "start": "2026-05-11T09:00:00Z",
                "lastModified": "{}", "version": {version}}}]"#,
            world.now()
        );
        world
            .ehr
            .on("/api/appointments", move |_| text_answer(&text));
        world.run_for(20).await;
    }
    world.received()
}

/// The bodies with what differs from run to run said in words.
fn shown(received: &[Received]) -> String {
    let mut all = String::new();
    for received in received {
        let text = serde_json::to_string_pretty(&received.body).expect("is JSON");
        let _ = writeln!(all, "{}", received.content_type);
        for (name, value) in &received.headers {
            let _ = writeln!(all, "{name}: {value}");
        }
        let _ = writeln!(all, "{text}");
        all = all
            .replace(&received.id, "ntf_ID")
            .replace(&received.id.replace('_', "-"), "ntf-ID");
    }
    let all = covered(&all, "urn:uuid:", "UUID");
    covered(&all, "2026-05-01T", "TIME")
}

/// What stands behind each `mark`, until a quote or the line ends, as a word.
fn covered(text: &str, mark: &str, word: &str) -> String {
    let mut parts = text.split(mark);
    let mut covered = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(['"', '\n']).unwrap_or(part.len());
        covered.extend([mark, word, &part[end..]]);
    }
    covered
}

#[tokio::test(start_paused = true)]
async fn a_cloud_event_has_its_attributes_beside_the_data() {
    let world = world("{ shape: cloudevents, body: { id: = .record.id } }");
    insta::assert_snapshot!(shown(&told(&world).await));
}

#[tokio::test(start_paused = true)]
async fn a_cloud_event_in_binary_mode_has_them_in_headers() {
    let world = world("{ shape: cloudevents_binary, body: { id: = .record.id } }");
    insta::assert_snapshot!(shown(&told(&world).await[..1]));
}

#[tokio::test(start_paused = true)]
async fn a_fhir_message_begins_with_its_header_and_holds_what_was_looked_up() {
    let body = "Visit: { VisitNumber: = .record.id, VisitDateTime: = .record.start, Duration: 15, Status: = .record.status, Location: { Department: A } }";
    let notify = format!("{{ shape: fhir_message, model: Scheduling, body: {{ {body} }} }}");
    insta::assert_snapshot!(shown(&told(&world(&notify)).await));
}

#[tokio::test(start_paused = true)]
async fn a_fhir_subscription_numbers_its_events() {
    let world =
        world("{ shape: fhir_subscription_r4, topic: \"https://clinic.example.org/topic\" }");
    insta::assert_snapshot!(shown(&told(&world).await));
}

#[tokio::test(start_paused = true)]
async fn a_fhir_subscription_of_r5_has_a_status_of_its_own() {
    let world = world("{ shape: fhir_subscription_r5, payload: id_only }");
    insta::assert_snapshot!(shown(&told(&world).await[1..]));
}

#[tokio::test(start_paused = true)]
async fn an_empty_notification_says_neither_what_nor_on_which_topic() {
    for shape in ["fhir_subscription_r4", "fhir_subscription_r5"] {
        let world = world(&format!("{{ shape: {shape}, payload: empty }}"));
        let received = told(&world).await;
        assert_eq!(received[0].body["entry"].as_array().map(Vec::len), Some(1));
        assert!(
            !received[0].text.contains("Appointment/a7"),
            "{}",
            received[0].text
        );
        assert!(!received[0].text.contains("topic"), "{}", received[0].text);
    }
}

#[tokio::test(start_paused = true)]
async fn every_entry_of_a_subscription_s_bundle_has_request_and_response() {
    for payload in ["full", "id_only", "empty"] {
        let world = world(&format!(
            "{{ shape: fhir_subscription_r4, payload: {payload} }}"
        ));
        for received in told(&world).await {
            let entries = received.body["entry"].as_array().expect("entries");
            let whole =
                |entry: &Value| entry["request"].is_object() && entry["response"].is_object();
            assert!(entries.iter().all(whole), "{}", received.text);
            let status = entries[0]["request"]["url"].as_str().expect("a URL");
            assert!(status.ends_with("/$status"), "{status}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_thin_notification_says_which_record_and_what_changed() {
    let world = world("{ payload: id_only, body: { status: = .record.status } }");
    let received = told(&world).await;
    assert_eq!(
        received[1].body,
        json!({
            "type": "appointments",
            "timestamp": received[1].body["timestamp"],
            "data": { "id": "a7", "action": "appointments", "kind": "updated", "changed": ["status"] }
        })
    );
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_no_resource_cannot_be_a_fhir_message() {
    let keys = "shape: fhir_message\n      only: mapped\n      body: { id:";
    let world = World::with(&APPOINTMENTS.replace("body: { id:", keys));
    world.run_for(1).await;
    world.clinic.put(1, "p1", "booked", world.now());
    world.run_for(20).await;
    assert!(world.received().is_empty());
    let overview = world.overview().await;
    assert_eq!(overview.actions[0].containers_parked, 1);
}

#[tokio::test(start_paused = true)]
async fn the_log_s_id_stays_over_attempts_and_the_attempt_s_id_is_new() {
    let body = "Visit: { VisitNumber: = .record.id, VisitDateTime: = .record.start, Duration: 15, Location: { Department: A } }";
    let world = world(&format!("{{ model: Scheduling, body: {{ {body} }} }}"));
    let mut attempts = 0;
    world.receiver.answers(move |_| {
        attempts += 1;
        match attempts {
            1 | 2 => refused(500),
            _ => AttemptOutcome::Delivered { status: 200 },
        }
    });
    let received = told(&world).await;
    world.run_for(600).await;
    let received = [received, world.received()].concat();
    let first: Vec<&Received> = received
        .iter()
        .filter(|one| one.id == received[0].id)
        .collect();
    assert_eq!(first.len(), 3);
    let log = |received: &Received| received.body["Meta"]["Logs"][0].clone();
    let ids: Vec<String> = first.iter().map(|one| log(one)["ID"].to_string()).collect();
    assert!(
        ids.iter()
            .all(|id| *id == format!("\"{}\"", received[0].id)),
        "{ids:?}"
    );
    let mut attempts: Vec<String> = first
        .iter()
        .map(|one| log(one)["AttemptID"].as_str().expect("a text").to_owned())
        .collect();
    attempts.sort();
    attempts.dedup();
    assert_eq!(attempts.len(), 3, "{attempts:?}");
}
