//! Answers whose status does not say what they mean.

use crate::ehr::{json_answer, status, text_answer};
use crate::world::World;
use rounds_domain::RoundFailure;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// As APIs are that put their errors into answers with 200.
const CONFIG: &str = r#"
connections:
  ehr:
    base_url: "https://ehr.example/api"
    answers:
      - { text: "Invalid session", means: auth_expired }
      - { status: 200, body: .error == "busy", means: throttled, after: = .wait }
      - { status: [200, 4xx], body: .error == "nothing", means: empty }
      - { status: 403, body: '.error | test("requires setup")', means: needs_setup }
      - { headers: { x-problem: "not SUPPORTED" }, means: unsupported }
      - { body: .error == "later", means: retry }
      - { body: .error == "merged", means: gone }
      - { body: has("error"), means: fatal }
      - { status: 206, means: fatal }
actions:
  records:
    connection: ehr
    at: "* * * * *"
    timeout: 5s
    changes:
      get: /records
      query: { since: "{{ cursor }}" }
      cursor: { time: rfc3339 }
      start: 2026-05-01T09:00:00Z
      records: .records[]
      id: .id
    lookups:
      patient: { get: "/patient/{{ record.id }}" }
    answers:
      - { status: 206, means: ok }
    notify: { body: { id: = .record.id, status: '= .patient.name // "nobody"' } }
    to: app
destinations:
  app: { url: "https://app.example/hooks" }
"#;

/// The answers that are left; the last one stays.
fn answering(world: &World, path: &str, answers: Vec<Value>) {
    let left = Arc::new(Mutex::new(answers));
    world.ehr.on(path, move |_| {
        let mut left = left.lock().expect("not poisoned");
        let answer = if left.len() > 1 {
            left.remove(0)
        } else {
            left[0].clone()
        };
        let code = answer["status"].as_u64().unwrap_or(200);
        let mut response = match answer.get("text") {
            Some(text) => text_answer(text.as_str().expect("is text")),
            None => json_answer(&answer["body"]),
        }?;
        response.status =
            http::StatusCode::from_u16(u16::try_from(code).expect("small")).expect("a status");
        if let Some(problem) = answer["problem"].as_str() {
            let value = problem.parse().expect("a header's value");
            response.headers.insert("x-problem", value);
        }
        Ok(response)
    });
}

fn good() -> Value {
    json!({ "body": { "records": [{ "id": 7 }] } })
}

/// The world after one round with this answer to the change query.
async fn after_one_round(answers: Vec<Value>) -> (World, Option<RoundFailure>, usize) {
    let world = World::with(CONFIG);
    answering(&world, "/api/records", answers);
    answering(
        &world,
        "/api/patient/",
        vec![json!({ "body": { "name": "P" } })],
    );
    world.run_for(30).await;
    let failure = world.feed("records").await.failure;
    let requests = world.ehr.asked("/api/records");
    (world, failure, requests)
}

#[tokio::test(start_paused = true)]
async fn an_ended_session_is_renewed_once_within_the_round() {
    let ended = json!({ "text": "<p>Invalid session: ABC-SECRET</p>" });
    let (world, failure, requests) = after_one_round(vec![ended.clone(), good()]).await;
    assert_eq!((failure, requests), (None, 2));
    assert_eq!(world.ehr.take_heard(), ["ehr: session ended"]);
    assert_eq!(world.told(), ["7:P"]);

    let (world, failure, requests) = after_one_round(vec![ended]).await;
    let failure = failure.expect("it stays so");
    assert_eq!((failure.code.to_string().as_str(), requests), ("R0311", 2));
    assert_eq!(world.ehr.take_heard().len(), 2);
    assert_eq!(
        failure.message,
        "asking for changes: the EHR answered 200 OK, which means `auth_expired` by rule 1 of the connection's `answers`"
    );
}

#[tokio::test(start_paused = true)]
async fn a_busy_ehr_is_left_alone_for_as_long_as_it_says() {
    let busy = json!({ "body": { "error": "busy", "wait": 30 } });
    let (world, failure, requests) = after_one_round(vec![busy.clone(), good()]).await;
    assert_eq!((failure, requests), (None, 2));
    assert_eq!(world.ehr.take_heard(), ["ehr: wait Some(30s)"]);
    let until = json!({ "body": { "error": "busy", "wait": "2026-05-01T10:02:00Z" } });
    let (world, _, _) = after_one_round(vec![until, good()]).await;
    assert_eq!(world.ehr.take_heard(), ["ehr: wait Some(120s)"]);
    let (_, failure, _) = after_one_round(vec![busy]).await;
    assert_eq!(failure.expect("it stays so").code.to_string(), "R0312");
}

#[tokio::test(start_paused = true)]
async fn an_error_that_means_nothing_is_an_empty_answer() {
    for code in [200, 404] {
        let nothing = json!({ "status": code, "body": { "error": "nothing" } });
        let (world, failure, requests) = after_one_round(vec![nothing]).await;
        assert_eq!((failure, requests), (None, 1));
        assert!(world.feed("records").await.cursor.is_some());
        assert_eq!(world.told(), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_will_not_pass_is_asked_once_and_says_what_it_is() {
    let cases = [
        (
            json!({ "status": 403, "body": { "error": "this requires setup" } }),
            "R0341",
            1,
        ),
        (
            json!({ "status": 200, "body": {}, "problem": "is Not Supported here" }),
            "R0342",
            1,
        ),
        (json!({ "body": { "error": "Doe" } }), "R0340", 1),
        (json!({ "body": { "error": "merged" } }), "R0313", 1),
        (json!({ "body": { "error": "later" } }), "R0313", 3),
        // No rule fits: the status speaks.
        (
            json!({ "status": 403, "body": { "problem": 1 } }),
            "R0311",
            1,
        ),
        (
            json!({ "status": 503, "body": { "problem": 1 } }),
            "R0313",
            3,
        ),
    ];
    for (answer, code, requests) in cases {
        let (world, failure, asked) = after_one_round(vec![answer.clone()]).await;
        let failure = failure.expect("it failed");
        assert_eq!(
            (failure.code.to_string().as_str(), asked),
            (code, requests),
            "{answer}"
        );
        assert!(!failure.message.contains("Doe"), "{}", failure.message);
        assert_eq!(world.feed("records").await.cursor, None);
        assert_eq!(world.ehr.take_heard(), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_actions_rules_come_before_the_connections() {
    let mut partial = good();
    partial["status"] = json!(206);
    let (world, failure, _) = after_one_round(vec![partial]).await;
    assert_eq!(failure, None);
    assert_eq!(world.told(), ["7:P"]);
}

#[tokio::test(start_paused = true)]
async fn lookups_are_judged_by_the_same_rules() {
    let world = World::with(CONFIG);
    answering(&world, "/api/records", vec![good()]);
    let merged = json!({ "body": { "error": "merged", "name": "not to be told" } });
    answering(&world, "/api/patient/", vec![merged]);
    world.run_for(30).await;
    let received = world.received();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].body["status"], "nobody");
    assert_eq!(received[0].missing, ["patient"]);

    let world = World::with(CONFIG);
    answering(&world, "/api/records", vec![good()]);
    let ended = json!({ "text": "Invalid session" });
    let fatal = json!({ "body": { "error": "Doe" } });
    answering(
        &world,
        "/api/patient/",
        vec![ended, fatal, json!({ "body": { "name": "Q" } })],
    );
    world.run_for(5).await;
    assert_eq!(world.ehr.take_heard(), ["ehr: session ended"]);
    assert_eq!(world.ehr.asked("/api/patient/"), 2);
    assert_eq!(world.told(), [""; 0], "parked");
    world.run_for(60).await;
    assert_eq!(world.told(), ["7:Q"]);
}

#[tokio::test(start_paused = true)]
async fn without_rules_a_404_of_a_lookup_is_what_it_was() {
    let world = World::with(CONFIG);
    answering(&world, "/api/records", vec![good()]);
    world.ehr.on("/api/patient/", |_| Ok(status(404)));
    world.run_for(30).await;
    assert_eq!(world.told(), ["7:nobody"]);
}

#[tokio::test(start_paused = true)]
async fn a_lookup_that_is_not_to_be_asked_is_null_and_no_gap() {
    let config = CONFIG.replace(
        "get: \"/patient/{{ record.id }}\"",
        "get: \"/patient/{{ record.id }}\", when: .record.id != 7",
    );
    let world = World::with(&config);
    let both = json!({ "body": { "records": [{ "id": 7 }, { "id": 8 }] } });
    answering(&world, "/api/records", vec![both]);
    answering(
        &world,
        "/api/patient/",
        vec![json!({ "body": { "name": "P" } })],
    );
    world.run_for(30).await;
    let received = world.received();
    let mut told: Vec<(Value, usize)> = (received.iter())
        .map(|received| (received.body["status"].clone(), received.missing.len()))
        .collect();
    told.sort_by_key(|(status, _)| status.to_string());
    assert_eq!(told, [(json!("P"), 0), (json!("nobody"), 0)]);
    assert_eq!(world.ehr.asked("/api/patient/"), 1);
}
