//! Lookups of many containers in one request.

use crate::ehr::{body_of, json_answer, parameter, status};
use crate::trouble::no_answer;
use crate::world::{World, feed_key};
use rounds_domain::ports::Transience;
use rounds_engine::{Subject, rehearse};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const CONFIG: &str = r#"
connections:
  ehr: { base_url: "https://ehr.example/api", limits: { in_flight: 2 } }
actions:
  visits:
    connection: ehr
    at: "* * * * *"
    timeout: 5s
    changes: { get: /visits, start: beginning, records: ".[]", id: .id }
    lookups:
      patient:
        get: /patients
        query: { id: '{{ ids | join(",") }}' }
        batch: { key: .record.patient, records: ".[]", id: .id, most: 20 }
    notify: { body: { id: = .record.id, patient: = .patient.name, missing: = .change.missing } }
    to: app
destinations:
  app: { url: "https://app.example/hooks" }
"#;

/// A hundred visits of fifty patients.
fn visits() -> Value {
    (0..100)
        .map(|id| json!({ "id": id, "patient": id % 50 }))
        .collect()
}

/// The EHR has all patients but those. It cannot bear a request that has one of `poison`, and shows at most `page` in one answer.
fn ehr(world: &World, absent: &'static [u64], poison: &'static [u64], page: usize) -> Asked {
    let asked = Asked::default();
    let log = asked.clone();
    world.ehr.on("/api/visits", |_| json_answer(&visits()));
    world.ehr.on("/api/patients", move |url| {
        let ids: Vec<u64> = parameter(url, "id")
            .split(',')
            .map(|id| id.parse().expect("a number"))
            .collect();
        log.0.lock().expect("not poisoned").push(ids.len());
        if ids.iter().any(|id| poison.contains(id)) {
            return Ok(status(400));
        }
        let there = ids.iter().filter(|id| !absent.contains(id)).take(page);
        let answer: Value = there
            .map(|id| json!({ "id": id, "name": format!("p{id}") }))
            .collect();
        json_answer(&answer)
    });
    asked
}

/// How many keys each request had.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Vec<usize>>>);

impl Asked {
    fn counts(&self) -> Vec<usize> {
        self.0.lock().expect("not poisoned").clone()
    }
}

/// Every visit has its own patient; gives those that have none.
fn without_patient(world: &World) -> Vec<u64> {
    let mut bodies = world.bodies();
    bodies.sort_by_key(|body| body["id"].as_u64());
    let mut without = Vec::new();
    for body in bodies {
        let id = body["id"].as_u64().expect("a number");
        if body["patient"].is_null() {
            assert_eq!(body["missing"], json!(["patient"]));
            without.push(id);
        } else {
            assert_eq!(body["patient"], format!("p{}", id % 50));
        }
    }
    without
}

#[tokio::test(start_paused = true)]
async fn fifty_patients_of_a_hundred_visits_cost_a_few_requests() {
    let world = World::with(CONFIG);
    let asked = ehr(&world, &[], &[], 100);
    world.run_for(30).await;
    assert_eq!(without_patient(&world), [0; 0]);
    let counts = asked.counts();
    assert_eq!(counts.iter().sum::<usize>(), 50, "each patient once");
    assert!(
        counts.len() <= 4 && counts.iter().all(|count| *count <= 20),
        "{counts:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn who_is_not_in_the_answer_is_asked_for_alone_before_it_counts_as_missing() {
    let world = World::with(CONFIG);
    let asked = ehr(&world, &[7, 31], &[], 15);
    world.run_for(30).await;
    assert_eq!(without_patient(&world), [7, 31, 57, 81]);
    let alone = asked.counts().iter().filter(|count| **count == 1).count();
    // Answers of 15 lack five of 20, twice; two of those are not there at all.
    assert!(alone >= 10, "{:?}", asked.counts());
}

#[tokio::test(start_paused = true)]
async fn one_that_the_ehr_cannot_bear_keeps_no_other_from_its_answer() {
    let world = World::with(CONFIG);
    let asked = ehr(&world, &[], &[13], 100);
    world.run_for(30).await;
    let told = world.bodies();
    assert_eq!(told.len(), 98, "all but the two visits of the one");
    assert!(told.iter().all(|body| body["patient"].is_string()));
    assert!(asked.counts().len() < 30, "{:?}", asked.counts());
    let overview = world.overview().await;
    assert_eq!(overview.actions[0].containers_parked, 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_too_long_is_asked_for_in_halves_and_no_answer_is_not() {
    for (code, wanted) in [("R0303", 100), ("R0307", 0)] {
        let world = World::with(CONFIG);
        let asked = ehr(&world, &[], &[], 100);
        let counted = asked.clone();
        world.ehr.on("/api/patients", move |url| {
            let ids: Vec<String> = parameter(url, "id").split(',').map(str::to_owned).collect();
            counted.0.lock().expect("not poisoned").push(ids.len());
            if ids.len() > 5 {
                return no_answer(code, Transience::Lasting);
            }
            let answer = ids
                .iter()
                .map(|id| json!({ "id": id, "name": format!("p{id}") }));
            json_answer(&answer.collect())
        });
        world.run_for(3).await;
        assert_eq!(world.bodies().len(), wanted, "{code}");
        let counts = asked.counts();
        assert_eq!(
            counts.iter().any(|count| *count <= 5),
            wanted > 0,
            "{counts:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_may_go_better_later_is_not_taken_apart() {
    let world = World::with(CONFIG);
    let asked = ehr(&world, &[], &[], 100);
    let (counted, down) = (asked.clone(), Arc::new(Mutex::new(true)));
    let is_down = Arc::clone(&down);
    world.ehr.on("/api/patients", move |url| {
        let ids: Vec<String> = parameter(url, "id").split(',').map(str::to_owned).collect();
        counted.0.lock().expect("not poisoned").push(ids.len());
        if *is_down.lock().expect("not poisoned") {
            return Ok(status(503));
        }
        let answer: Value = ids
            .iter()
            .map(|id| json!({ "id": id, "name": format!("p{id}") }))
            .collect();
        json_answer(&answer)
    });
    world.run_for(3).await;
    assert!(
        asked.counts().iter().all(|count| *count > 1),
        "{:?}",
        asked.counts()
    );
    *down.lock().expect("not poisoned") = false;
    world.run_for(600).await;
    assert_eq!(world.bodies().len(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_shows_the_batches_as_they_would_be_asked() {
    let world = World::with(CONFIG);
    ehr(&world, &[], &[], 100);
    let feed = feed_key("visits", "changes");
    let report = rehearse(&world.plan, &world.ports, &feed, Subject::NextRound)
        .await
        .expect("a report");
    assert_eq!(report.notifications().count(), 100);
    assert!(report.exchanges.len() < 10, "{}", report.exchanges.len());
}

#[tokio::test(start_paused = true)]
async fn a_fhir_batch_is_a_lookup_of_many_as_well() {
    let config = CONFIG.replace(
        "get: /patients\n        query: { id: '{{ ids | join(\",\") }}' }\n        batch: { key: .record.patient, records: \".[]\", id: .id, most: 20 }",
        "post: /\n        body: { json: { resourceType: Bundle, type: batch, entry: '= [.ids[] | {request: {method: \"GET\", url: \"Patient/\\(.)\"}}]' } }\n        batch: { key: .record.patient, records: '.entry[].resource', id: .id }",
    );
    let world = World::with(&config);
    world.ehr.on("/api/visits", |_| json_answer(&visits()));
    world.ehr.on_request("/api/", |request| {
        let bundle: Value = serde_json::from_str(&body_of(request)).expect("JSON");
        let entries: Vec<Value> = (bundle["entry"].as_array().expect("entries").iter())
            .map(|entry| {
                let url = entry["request"]["url"].as_str().expect("a URL");
                let id = url.strip_prefix("Patient/").expect("a patient");
                json!({ "resource": { "resourceType": "Patient", "id": id, "name": format!("p{id}") }, "response": { "status": "200" } })
            })
            .collect();
        json_answer(&json!({ "resourceType": "Bundle", "type": "batch-response", "entry": entries }))
    });
    world.run_for(30).await;
    assert_eq!(without_patient(&world), [0; 0]);
    assert!(world.ehr.asked("/api/") <= 4);
}
