//! Events from states: what a receiver is told of a record that a poll only ever shows as it is.

use crate::ehr::text_answer;
use crate::world::{APPOINTMENTS, Received, World, refused};
use rounds_domain::ports::{ContainerFilter, Operations, PageRequest};
use rounds_domain::{AttemptOutcome, ContainerState, NotificationId};
use rounds_engine::attempt_id;
use serde_json::{Value, json};

fn config(notify: &str) -> String {
    let (before, rest) = APPOINTMENTS
        .split_once("      body: {")
        .expect("has a body");
    let (_, after) = rest.split_once("\n    to: app").expect("has a destination");
    format!("{before}{notify}\n    to: app{after}")
}

const MODEL: &str = "      model: Scheduling
      body:
        Patient: { Identifiers: [ { ID: = .record.patientID, IDType: MR } ], Demographics: { FirstName: = .patient.name } }
        Visit:
          VisitNumber: = .record.id | tostring
          VisitDateTime: = .record.start
          Duration: = .record.minutes
          Status: = .record.status
          Reason: = .record.reason
          Location: { Department: Main }";

/// Shows one appointment in one state after another, each for two rounds, and gives what was told: event, old time, and the paths
/// that differ.
async fn told(world: &World, states: &[(&str, &str, &str)]) -> Vec<String> {
    lines(&received(world, states).await)
}

async fn received(world: &World, states: &[(&str, &str, &str)]) -> Vec<Received> {
    world.run_for(1).await;
    for (version, (status, start, reason)) in states.iter().enumerate() {
        let (status, start, reason) = (*status, *start, *reason);
        let text = format!(
            r#"[{{"id": 7, "patientID": "p1", "status": "{status}", "start": "{start}", "minutes": 15, "reason": "{reason}",
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

fn lines(received: &[Received]) -> Vec<String> {
    let line = |received: &Received| {
        let event = received.body["Meta"]["EventType"].as_str().unwrap_or("?");
        let old = received.body["Visit"]["OldDateTime"].as_str();
        let old = old.map_or_else(String::new, |old| format!(" from {old}"));
        format!("{event}{old} [{}]", received.changed.join(" "))
    };
    received.iter().map(line).collect()
}

async fn dropped(world: &World) -> Vec<String> {
    let page = PageRequest {
        offset: 0,
        limit: 100,
    };
    let listed = world.store.containers(ContainerFilter::default(), page);
    let listed = listed.await.expect("containers");
    listed
        .into_iter()
        .filter(|container| container.state == ContainerState::Dropped)
        .filter_map(|container| container.reason)
        .map(|(code, reason)| format!("{code} {reason}"))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn the_life_of_an_appointment_is_told_as_its_events() {
    let world = World::with(&config(MODEL));
    let told = told(
        &world,
        &[
            ("proposed", "2026-05-11T09:00:00Z", "check"),
            ("booked", "2026-05-11T09:00:00Z", "check"),
            ("booked", "2026-05-11T10:00:00Z", "check"),
            ("booked", "2026-05-11T10:00:00Z", "pain"),
            ("arrived", "2026-05-11T10:00:00Z", "pain"),
            ("cancelled", "2026-05-11T10:00:00Z", "pain"),
            ("cancelled", "2026-05-11T10:00:00Z", "typing error"),
            ("booked", "2026-05-11T11:00:00Z", "pain"),
            ("noshow", "2026-05-11T11:00:00Z", "pain"),
        ],
    )
    .await;
    let expected = [
        "New [Visit.Status]",
        "Reschedule from 2026-05-11T09:00:00Z [Visit.VisitDateTime]",
        "Modification [Visit.Reason]",
        "Modification [Visit.Status]",
        "Cancel [Visit.Status]",
        "New [Visit.VisitDateTime Visit.Status Visit.Reason]",
        "NoShow [Visit.Status]",
    ];
    assert_eq!(told, expected);
    let silent = [
        "R0409 first seen when it was proposed already: not told",
        "R0409 it is cancelled as before: not told",
    ];
    assert_eq!(dropped(&world).await, silent);
}

#[tokio::test(start_paused = true)]
async fn changes_between_two_rounds_are_one_event_that_says_what_is_not_as_it_was() {
    let world = World::with(&config(MODEL));
    let told = told(
        &world,
        // In between it was moved to 10:00, and its reason was another: no poll can see that.
        &[
            ("booked", "2026-05-11T09:00:00Z", "check"),
            ("arrived", "2026-05-11T11:00:00Z", "pain"),
        ],
    )
    .await;
    let expected = [
        "New []",
        "Reschedule from 2026-05-11T09:00:00Z [Visit.VisitDateTime Visit.Status Visit.Reason]",
    ];
    assert_eq!(told, expected);
}

#[tokio::test(start_paused = true)]
async fn only_what_the_user_wants_is_told_and_a_change_of_state_always() {
    let only = format!("      only: [Visit.VisitDateTime]\n{MODEL}");
    let world = World::with(&config(&only));
    let told = told(
        &world,
        &[
            ("booked", "2026-05-11T09:00:00Z", "check"),
            ("booked", "2026-05-11T09:00:00Z", "pain"),
            ("booked", "2026-05-11T10:00:00Z", "pain"),
            ("cancelled", "2026-05-11T10:00:00Z", "pain"),
        ],
    )
    .await;
    let expected = [
        "New []",
        "Reschedule from 2026-05-11T09:00:00Z [Visit.VisitDateTime]",
        "Cancel [Visit.Status]",
    ];
    assert_eq!(told, expected);
    let silent = ["R0410 nothing that `notify.only` lists has changed"];
    assert_eq!(dropped(&world).await, silent);
}

#[tokio::test(start_paused = true)]
async fn a_change_in_nothing_that_the_body_uses_can_be_silent() {
    let mapped =
        format!("      only: mapped\n{MODEL}").replace("Reason: = .record.reason", "Type: Visit");
    let world = World::with(&config(&mapped));
    let told = told(
        &world,
        &[
            ("booked", "2026-05-11T09:00:00Z", "check"),
            ("booked", "2026-05-11T09:00:00Z", "pain"),
        ],
    )
    .await;
    assert_eq!(told, ["New []"]);
    let silent = ["R0410 nothing that the body uses has changed"];
    assert_eq!(dropped(&world).await, silent);
}

#[tokio::test(start_paused = true)]
async fn the_users_rule_comes_over_the_models_and_may_say_nothing() {
    let rule = r#"      event: = if .record.reason == "block" then null elif .record.reason == "x" then "Modification" else .change.event end
      first_seen_over: tell
      statuses: { cancelled: GONE }
"#;
    let world = World::with(&config(&format!("{rule}{MODEL}")));
    let told = told(
        &world,
        &[
            ("GONE", "2026-05-11T09:00:00Z", "check"),
            ("booked", "2026-05-11T09:00:00Z", "block"),
            ("booked", "2026-05-11T10:00:00Z", "x"),
            ("booked", "2026-05-11T11:00:00Z", "y"),
        ],
    )
    .await;
    let expected = [
        "Cancel []",
        "Modification [Visit.VisitDateTime Visit.Reason]",
        "Reschedule from 2026-05-11T10:00:00Z [Visit.VisitDateTime Visit.Reason]",
    ];
    assert_eq!(told, expected);
    let silent = ["R0411 `notify.event` gave null, so it is not told"];
    assert_eq!(dropped(&world).await, silent);
}

#[tokio::test(start_paused = true)]
async fn a_status_that_the_model_has_no_field_for_is_said_where_it_is() {
    let visits = "      model: PatientAdmin
      status: = .record.status
      body:
        Patient: { Identifiers: [ { ID: = .record.patientID, IDType: MR } ] }
        Visit: { VisitNumber: = .record.id | tostring, Location: { Department: = .record.start, Room: = .change.event } }";
    let world = World::with(&config(visits));
    let received = received(
        &world,
        &[
            ("planned", "A", ""),
            ("in-progress", "A", ""),
            ("in-progress", "B", ""),
            ("finished", "B", ""),
        ],
    )
    .await;
    let expected = [
        "PreAdmit []",
        "Arrival []",
        "Transfer [Visit.Location.Department]",
        "Discharge []",
    ];
    assert_eq!(lines(&received), expected);
    let transfer = &received[2].body["Visit"];
    assert_eq!(transfer["Location"]["Department"], "B");
    assert_eq!(transfer["PreviousLocation"]["Department"], "A");
    // What was derived can be used in the body as well.
    assert_eq!(transfer["Location"]["Room"], "Transfer");
}

/// The usual configuration, with records whose times are local ones.
fn in_zone(zone: &str) -> String {
    let config = config(MODEL);
    let overlap = "overlap: 30s, field";
    assert!(config.contains(overlap));
    config.replace(overlap, &format!("zone: {zone}, {overlap}"))
}

#[tokio::test(start_paused = true)]
async fn what_is_told_may_be_in_another_zone_than_the_cursor() {
    let config = in_zone("UTC");
    let keys = "model: Scheduling\n      zone: America/Chicago";
    let zoned = config.replacen("model: Scheduling", keys, 1);
    assert_ne!(zoned, config);
    for (config, wanted) in [
        (config, "2026-05-11T09:00:00Z"),
        (zoned, "2026-05-11T14:00:00Z"),
    ] {
        let world = World::with(&config);
        let received = received(&world, &[("booked", "2026-05-11T09:00:00", "check-up")]).await;
        assert_eq!(at(&received[0]), Some(wanted));
    }
}

fn at(received: &Received) -> Option<&str> {
    received.body["Visit"]["VisitDateTime"].as_str()
}

#[tokio::test(start_paused = true)]
async fn times_are_told_in_the_models_form_and_the_same_instant_is_no_change() {
    let world = World::with(&in_zone("America/Chicago"));
    let states = [
        ("booked", "2026-05-11T09:00:00", "check-up"),
        // The same instant, written in three other ways.
        ("booked", "2026-05-11T14:00:00Z", "check-up"),
        ("booked", "20260511090000-0500", "check-up"),
        ("booked", "2026-05-11 09:00", "check-up"),
        ("booked", "2026-05-11 10:30", "check-up"),
    ];
    let received = received(&world, &states).await;
    let moved: Vec<&Received> = (received.iter())
        .filter(|received| received.body["Meta"]["EventType"] == "Reschedule")
        .collect();
    assert_eq!(moved.len(), 1, "{:?}", lines(&received));
    assert_eq!(at(moved[0]), Some("2026-05-11T15:30:00Z"));
    assert_eq!(
        moved[0].body["Visit"]["OldDateTime"],
        "2026-05-11T14:00:00Z"
    );
    assert!(
        received
            .iter()
            .all(|received| at(received).is_some_and(|at| at.ends_with('Z')))
    );
    assert_eq!(at(&received[0]), Some("2026-05-11T14:00:00Z"));
}

#[tokio::test(start_paused = true)]
async fn a_time_that_cannot_be_read_parks_the_record_with_its_path_and_without_its_value() {
    let world = World::with(&config(MODEL));
    let states = [("booked", "Tuesday at Jane's", "check-up")];
    assert_eq!(told(&world, &states).await, [""; 0]);
    let page = PageRequest {
        offset: 0,
        limit: 10,
    };
    let listed = world.store.containers(ContainerFilter::default(), page);
    let reasons: Vec<(String, String)> = (listed.await.expect("containers").into_iter())
        .filter_map(|container| container.reason)
        .collect();
    assert_eq!(
        reasons,
        [(
            "R0407".to_owned(),
            "`notify.body` does not fit Scheduling New: `Visit.VisitDateTime` cannot be read as a date and time".to_owned()
        )]
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_names_its_ends_as_they_are_known_and_each_attempt_by_itself() {
    let (ehr, app) = (
        "base_url: \"https://ehr.example/api\"",
        "url: \"https://app.example/hooks\"",
    );
    let plain = config(MODEL);
    assert!(plain.contains(ehr) && plain.contains(app));
    let named = plain
        .replace(
            ehr,
            &format!("{ehr}, known_as: {{ id: ehr-1, name: Mercy }}, traffic: test"),
        )
        .replace(app, &format!("{app}, known_as: {{ id: app-1 }}"));
    for (yaml, test, source, destination) in [
        (
            plain,
            false,
            json!({ "ID": null, "Name": "ehr" }),
            json!({ "ID": null, "Name": "app" }),
        ),
        (
            named,
            true,
            json!({ "ID": "ehr-1", "Name": "Mercy" }),
            json!({ "ID": "app-1", "Name": "app" }),
        ),
    ] {
        let world = World::with(&yaml);
        world.receiver.answers(|received| match received.attempt {
            1 => refused(500),
            _ => AttemptOutcome::Delivered { status: 200 },
        });
        let states = [("booked", "2026-05-11T09:00:00Z", "check-up")];
        let mut tries = received(&world, &states).await;
        world.run_for(600).await;
        tries.extend(world.received());
        let [first, second] = tries.as_slice() else {
            panic!("{} tries", tries.len())
        };
        let meta = &first.body["Meta"];
        assert_eq!(meta["Test"], test);
        assert_eq!(meta["Source"], source);
        assert_eq!(meta["Destinations"], json!([destination]));
        let at = meta["EventDateTime"].as_str().expect("text");
        assert!(
            at.len() == "2026-05-01T10:00:00.000Z".len() && at.ends_with('Z'),
            "{at}"
        );
        let log = |received: &Received| received.body["Meta"]["Logs"][0].clone();
        assert_eq!(log(first)["ID"], log(second)["ID"]);
        assert_ne!(log(first)["AttemptID"], log(second)["AttemptID"]);
        // The same as in our record of them.
        let id = NotificationId::new(first.id.as_str());
        let kept = world
            .store
            .notification(&id)
            .await
            .expect("read")
            .expect("is there");
        let delivery = &kept.deliveries[0];
        let ids: Vec<String> = (delivery.attempts.iter())
            .map(|attempt| attempt_id(&delivery.summary.id, attempt.started_at))
            .collect();
        assert_eq!(
            json!(ids),
            json!([log(first)["AttemptID"], log(second)["AttemptID"]])
        );
    }
}

/// An expression may take it from a record, and lists and logs are read by many.
#[tokio::test(start_paused = true)]
async fn a_name_of_an_event_that_is_none_is_not_repeated() {
    let model = MODEL.replacen(
        "model: Scheduling",
        "model: Scheduling\n      event: = .record.status",
        1,
    );
    let world = World::with(&config(&model));
    let states = [("Jane SECRET Roe", "2026-05-11T09:00:00Z", "x")];
    assert!(received(&world, &states).await.is_empty());
    assert_eq!(
        world.reasons().await,
        ["R0407 `notify.body` does not fit Scheduling: `Meta.EventType` is no event of Scheduling"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_status_that_is_no_text_lets_the_change_wait() {
    let model = MODEL.replacen(
        "model: Scheduling",
        "model: Scheduling\n      status: = [.record.status]",
        1,
    );
    let world = World::with(&config(&model));
    let states = [("booked", "2026-05-11T09:00:00Z", "x")];
    assert!(received(&world, &states).await.is_empty());
    assert_eq!(
        world.reasons().await,
        ["R0406 `notify.status` gave an array where a text is needed"]
    );
}

#[tokio::test(start_paused = true)]
async fn paths_may_begin_with_a_dot() {
    let body = "      only: [.status]\n      codes: { .status: { booked: Booked } }\n      body: { id: = .record.id, status: = .record.status }";
    let world = World::with(&config(body));
    let at = "2026-05-11T09:00:00Z";
    let states = [("booked", at, "x"), ("booked", at, "y"), ("moved", at, "y")];
    let told = received(&world, &states).await;
    let told: Vec<&Value> = told.iter().map(|told| &told.body["status"]).collect();
    assert_eq!(told, ["Booked", "moved"]);
}
