//! What is set up before the first round.

use crate::ehr::{json_answer, status, text_answer};
use crate::world::{World, feed_key};
use rounds_domain::Cursor;
use serde_json::json;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const CONFIG: &str = r#"
connections:
  ehr: { base_url: "https://ehr.example/api" }
actions:
  records:
    connection: ehr
    at: "* * * * *"
    timeout: 5s
    setup: { post: /subscribe, body: { form: { event: all } }, settle: 2m }
    changes: { get: /records, start: beginning, records: ".[]", id: .id }
    also:
      other: { get: /others, gone: true }
    notify: { body: { id: = .record.id, kind: = .change.kind } }
    to: app
destinations:
  app: { url: "https://app.example/hooks" }
"#;

/// Counts what is asked; setting up fails as long as this says so.
fn world() -> (World, Arc<AtomicU64>, Arc<Mutex<u16>>) {
    let world = World::with(CONFIG);
    let asked = Arc::new(AtomicU64::new(0));
    let answer = Arc::new(Mutex::new(200));
    let (counted, given) = (Arc::clone(&asked), Arc::clone(&answer));
    world.ehr.on("/api/subscribe", move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        match *given.lock().expect("not poisoned") {
            200 => json_answer(&json!({})),
            other => Ok(status(other)),
        }
    });
    world
        .ehr
        .on("/api/records", |_| json_answer(&json!([{ "id": 1 }])));
    world.ehr.on("/api/others", |_| json_answer(&json!([])));
    (world, asked, answer)
}

#[tokio::test(start_paused = true)]
async fn a_setup_is_made_once_and_nothing_is_asked_before_it_has_settled() {
    let (world, asked, _) = world();
    world.run_for(90).await;
    assert_eq!(asked.load(Ordering::Relaxed), 1, "by one feed of two");
    assert_eq!(world.ehr.asked("/api/records"), 0);
    // A restart, and many rounds: it was made.
    world.run_for(300).await;
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert_eq!(world.told(), ["1:?"]);
    let state = world.state_of(feed_key("records", "setup")).await;
    assert!(matches!(state.cursor, Some(Cursor::Token(_))), "{state:?}");
}

#[tokio::test(start_paused = true)]
async fn another_setup_is_made_again() {
    let (world, asked, _) = world();
    world.run_for(300).await;
    let world = world.reconfigured(&CONFIG.replace("event: all", "event: some"));
    world.run_for(60).await;
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn a_setup_that_fails_is_the_feeds_failure_and_is_tried_again() {
    let (world, asked, answer) = world();
    *answer.lock().expect("not poisoned") = 403;
    world.run_for(90).await;
    let state = world.state_of(feed_key("records", "setup")).await;
    assert_eq!(state.failure.expect("it failed").code.to_string(), "R0360");
    assert_eq!(world.ehr.asked("/api/records"), 0);
    *answer.lock().expect("not poisoned") = 200;
    world.run_for(600).await;
    assert_eq!(world.told(), ["1:?"]);
    assert!(asked.load(Ordering::Relaxed) >= 2);
    let state = world.state_of(feed_key("records", "setup")).await;
    assert!(state.failure.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_setup_that_is_answered_with_another_document_was_not_made() {
    let outcome = |severity: &str| json!({ "resourceType": "OperationOutcome", "issue": [{ "severity": severity, "code": "processing" }] });
    let page = "<!DOCTYPE html><title>Sign in</title>";
    let not_made = [
        json_answer(&outcome("error")),
        json_answer(&json!({ "success": false })),
        json_answer(&json!({ "status": "error", "message": "not subscribed" })),
        json_answer(&json!({ "error": "not subscribed" })),
        text_answer(page),
    ];
    let made = [
        Ok(status(201)),
        Ok(status(202)),
        text_answer("OK"),
        text_answer("<subscribed/>"),
        json_answer(&outcome("information")),
        json_answer(&json!({ "success": true, "error": "" })),
        json_answer(&json!({ "resourceType": "Subscription", "error": "" })),
    ];
    let not_made = not_made.into_iter().map(|answer| (answer, Some("R0360")));
    let made = made.into_iter().map(|answer| (answer, None));
    for (answer, code) in not_made.chain(made) {
        let (world, ..) = world();
        let answer = answer.expect("an answer");
        let shown = String::from_utf8_lossy(&answer.body).into_owned();
        (world.ehr).on("/api/subscribe", move |_| Ok(answer.clone()));
        world.run_for(300).await;
        let failure = world.state_of(feed_key("records", "setup")).await.failure;
        let failed = failure.map(|failure| failure.code.to_string());
        assert_eq!(failed.as_deref(), code, "{shown}");
        let told = if code.is_some() { vec![] } else { vec!["1:?"] };
        assert_eq!(world.told(), told, "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ended_before_the_setup_is_renewed() {
    const BASE: &str = "base_url: \"https://ehr.example/api\"";
    let rule = r#"answers: [ { text: "Invalid session", means: auth_expired } ]"#;
    assert!(CONFIG.contains(BASE));
    let world = World::with(&CONFIG.replace(BASE, &format!("{BASE}, {rule}")));
    let mut asked = 0;
    world.ehr.on("/api/subscribe", move |_| {
        asked += 1;
        json_answer(&json!(if asked == 1 {
            "Invalid session"
        } else {
            "made"
        }))
    });
    (world.ehr).on("/api/records", |_| json_answer(&json!([{ "id": 1 }])));
    world.ehr.on("/api/others", |_| json_answer(&json!([])));
    world.run_for(240).await;
    assert_eq!(world.ehr.take_heard(), ["ehr: session ended"]);
    assert_eq!(world.told(), ["1:?"]);
}

#[tokio::test(start_paused = true)]
async fn a_crash_right_after_a_setup_makes_it_once_more_at_most() {
    let (world, asked, _) = world();
    world.crash_after(Duration::from_secs(61)).await;
    world.run_for(300).await;
    assert!(asked.load(Ordering::Relaxed) <= 2);
    assert_eq!(world.told(), ["1:?"]);
}
