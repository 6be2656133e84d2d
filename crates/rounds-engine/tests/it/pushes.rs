//! What an EHR pushes, beside what it is asked for.

use crate::ehr::json_answer;
use crate::world::{APPOINTMENTS, World};
use rounds_domain::ports::{NotTaken, Receipt, Reception};
use rounds_domain::{ActionName, ConnectionName};
use rounds_engine::Engine;
use serde_json::{Value, json};
use std::sync::Arc;

fn config() -> String {
    APPOINTMENTS
        .replace(
            "base_url: \"https://ehr.example/api\"",
            "base_url: \"https://ehr.example/api\", receive: { listen: \"127.0.0.1:8750\", bearer: { env: PUSH } }",
        )
        .replace(
            "    lookups:\n",
            "    receive: { records: \".appointment // .\", skip: .test, gone: .deleted }\n    lookups:\n",
        )
}

async fn push(world: &World, body: &Value) -> Result<Receipt, NotTaken> {
    push_text(world, &body.to_string()).await
}

async fn push_text(world: &World, body: &str) -> Result<Receipt, NotTaken> {
    let engine = Engine::new(Arc::clone(&world.plan), world.ports.clone());
    let (connection, action) = (ConnectionName::new("ehr"), ActionName::new("appointments"));
    engine
        .receive(&connection, &action, body.to_owned().into())
        .await
}

/// What the clinic has of an appointment.
fn appointment(world: &World, id: u64) -> Value {
    let all = world.clinic.from(jiff::Timestamp::MIN);
    let mut found = all.into_iter().filter(|record| record["id"] == id);
    found.next().expect("it is there")
}

const NEWS: Receipt = Receipt { told: 1, known: 0 };
const KNOWN: Receipt = Receipt { told: 0, known: 1 };

#[tokio::test(start_paused = true)]
async fn what_is_pushed_and_polled_is_told_once_whichever_comes_first() {
    let world = World::with(&config());
    world.run_for(1).await;
    world.clinic.put(1, "p", "booked", world.now());
    let first = appointment(&world, 1);
    assert_eq!(push(&world, &first).await, Ok(NEWS));
    // A sender that heard no answer sends it again.
    assert_eq!(push(&world, &first).await, Ok(KNOWN));
    world.run_for(60).await;
    assert_eq!(world.told(), ["1:booked"]);

    world.clinic.put(1, "p", "moved", world.now());
    world.run_for(60).await;
    assert_eq!(world.told(), ["1:moved"]);
    assert_eq!(push(&world, &appointment(&world, 1)).await, Ok(KNOWN));
    world.run_for(60).await;
    assert_eq!(world.told(), [] as [String; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_push_is_mapped_like_a_poll_and_survives_the_process() {
    let world = World::with(&config());
    world.run_for(1).await;
    world.clinic.put(7, "p", "booked", world.now());
    world.run_for(20).await;
    world.received();
    world.clinic.put(7, "p", "cancelled", world.now());
    let envelope = json!({ "event": "APPT.CANCEL", "appointment": appointment(&world, 7) });
    assert_eq!(push(&world, &envelope).await, Ok(NEWS));
    // Nobody ran since it was answered: it is on the disk.
    world.store.release_claims().await.expect("a new process");
    world.run_for(5).await;
    let told = world.bodies();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["status"], "cancelled");
    assert_eq!(told[0]["was"], "booked", "it has its former state");
    assert_eq!(told[0]["patient"], "Patient p", "and its lookups");
}

/// An index that lags, and pushes that overtake each other.
#[tokio::test(start_paused = true)]
async fn what_is_older_than_what_is_known_is_not_told() {
    let world = World::with(&config());
    world.run_for(1).await;
    world.clinic.put(1, "p", "booked", world.now());
    let old = appointment(&world, 1);
    world.run_for(20).await;
    assert_eq!(world.told(), ["1:booked"]);
    world.pass(10).await;
    world.clinic.put(1, "p", "moved", world.now());
    let moved = appointment(&world, 1);
    world.pass(10).await;
    world.clinic.put(1, "p", "cancelled", world.now());
    let cancelled = appointment(&world, 1);
    // The search shows what was there before, for a while.
    let lagging = old.clone();
    world
        .ehr
        .on("/api/appointments", move |_| json_answer(&json!([lagging])));
    assert_eq!(push(&world, &cancelled).await, Ok(NEWS));
    assert_eq!(push(&world, &moved).await, Ok(KNOWN), "it was overtaken");
    assert_eq!(push(&world, &old).await, Ok(KNOWN));
    world.run_for(60).await;
    assert_eq!(world.told(), ["1:cancelled"]);
}

#[tokio::test(start_paused = true)]
async fn a_pushed_tombstone_is_told_with_the_last_known_state() {
    let world = World::with(&config());
    world.run_for(1).await;
    world.clinic.put(1, "p", "booked", world.now());
    world.run_for(20).await;
    world.received();
    let version = "gone-1";
    let gone = json!({ "id": 1, "deleted": true, "version": version });
    assert_eq!(push(&world, &gone).await, Ok(NEWS));
    assert_eq!(push(&world, &gone).await, Ok(KNOWN));
    world.run_for(5).await;
    let told = world.bodies();
    assert_eq!(told.len(), 1);
    assert_eq!(
        (&told[0]["kind"], &told[0]["status"]),
        (&json!("deleted"), &json!("booked"))
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_taken_says_why_and_takes_nothing() {
    let world = World::with(&config());
    world.run_for(1).await;
    for (text, words) in [
        ("{", "cannot be read"),
        ("[1]", "`receive.records`"),
        ("{\"appointment\": 5}", "an object"),
        ("{\"status\": \"booked\"}", "no identity"),
        ("\"a text\"", "`receive.records`"),
    ] {
        let Err(NotTaken::Unreadable { code, reason }) = push_text(&world, text).await else {
            panic!("{text} was taken");
        };
        assert_eq!(code.as_str(), "R0390");
        assert!(reason.contains(words), "{text}: {reason}");
        assert!(!reason.contains("booked"), "{reason}");
    }
    let test = json!({ "id": 1, "test": true });
    let nothing = Receipt { told: 0, known: 0 };
    assert_eq!(push(&world, &test).await, Ok(nothing));

    let engine = Engine::new(Arc::clone(&world.plan), world.ports.clone());
    for (connection, action) in [("ehr", "patients"), ("other", "appointments")] {
        let (connection, action) = (ConnectionName::new(connection), ActionName::new(action));
        let taken = engine.receive(&connection, &action, "{}".into()).await;
        assert_eq!(taken, Err(NotTaken::Unknown));
    }
    world.run_for(30).await;
    assert_eq!(world.told(), [] as [String; 0]);
}

#[tokio::test(start_paused = true)]
async fn pushes_show_in_the_status_as_a_feed_of_their_own() {
    let world = World::with(&config());
    world.run_for(1).await;
    world.clinic.put(1, "p", "booked", world.now());
    push(&world, &appointment(&world, 1)).await.expect("taken");
    let state = world
        .state_of(crate::world::feed_key("appointments", "receive"))
        .await;
    assert_eq!(state.rounds, 1);
    assert_eq!(state.last_succeeded_at, Some(world.now()));
    assert_eq!(state.cursor, None);
}
