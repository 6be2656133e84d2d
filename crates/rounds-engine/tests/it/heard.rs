//! A server that does not hear the change filter, and says so in its own way.

use crate::ehr::json_answer;
use crate::world::World;
use serde_json::{Value, json};

const FHIR: &str = r#"
connections:
  ehr: { base_url: "https://ehr.example/api" }
actions:
  appointments:
    connection: ehr
    every: 10s
    timeout: 5s
    changes:
      get: /Appointment
      query: { _lastUpdated: "ge{{ cursor }}", _count: "50" }
      cursor: { time: rfc3339, overlap: 30s, field: .meta.lastUpdated }
      start: beginning
      paging: { next_link: '.link[]? | select(.relation == "next") | .url' }
      records: '.entry[]? | select(.search.mode == "match") | .resource'
      id: .id
      version: .meta.versionId
    notify: { body: { id: = .record.id } }
    to: app
destinations:
  app: { url: "https://app.example/hooks" }
"#;

fn appointment(id: u64) -> Value {
    json!({
        "search": { "mode": "match" },
        "resource": {
            "resourceType": "Appointment", "id": id.to_string(),
            "meta": { "versionId": "1", "lastUpdated": "2026-05-01T09:59:00Z" },
        },
    })
}

fn complaint(severity: &str) -> Value {
    json!({
        "search": { "mode": "outcome" },
        "resource": { "resourceType": "OperationOutcome", "issue": [
            { "severity": severity, "code": "not-supported", "diagnostics": "parameter _lastUpdated is unknown and was ignored" },
        ] },
    })
}

/// What a round over this answer ends with: the code and the message of its failure, and how much was told.
async fn outcome(
    self_link: Option<&str>,
    entries: Vec<Value>,
) -> (Option<(String, String)>, usize) {
    let world = World::with(FHIR);
    let link: Vec<Value> = self_link
        .map(|url| json!({ "relation": "self", "url": url }))
        .into_iter()
        .collect();
    world.ehr.on("/api/Appointment", move |_| {
        json_answer(&json!({ "resourceType": "Bundle", "type": "searchset", "link": link, "entry": entries }))
    });
    world.run_for(1).await;
    let failure = world.feed("appointments").await.failure;
    let failure = failure.map(|failure| (failure.code.to_string(), failure.message));
    (failure, world.bodies().len())
}

#[tokio::test(start_paused = true)]
async fn a_self_link_without_the_filter_fails_the_round_and_tells_nothing() {
    let link = "https://ehr.example/api/Appointment?_count=50";
    let (failure, told) = outcome(Some(link), vec![appointment(1), appointment(2)]).await;
    let (code, message) = failure.expect("a failure");
    assert_eq!(code, "R0319");
    assert_eq!(
        message,
        "the EHR did not use the parameter `_lastUpdated`: the answer's self link, which names what was used, does not have it"
    );
    assert_eq!(told, 0);
}

#[tokio::test(start_paused = true)]
async fn an_outcome_about_the_filter_fails_the_round_and_tells_nothing() {
    let link = "https://ehr.example/api/Appointment?_count=50&_lastUpdated=ge1970-01-01";
    let entries = vec![appointment(1), complaint("warning")];
    let (failure, told) = outcome(Some(link), entries).await;
    let (code, message) = failure.expect("a failure");
    assert_eq!(code, "R0319");
    assert_eq!(
        message,
        "the EHR did not use the parameter `_lastUpdated`: an OperationOutcome in the answer complains of it"
    );
    assert_eq!(told, 0);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_heard_the_filter_or_does_not_say_is_believed() {
    let heard = "https://ehr.example/api/Appointment?_count=50&_lastUpdated=ge1970-01-01";
    for (link, entry) in [
        (Some(heard), appointment(2)),
        (None, appointment(2)),
        (Some("https://ehr.example/api?_getpages=17"), appointment(2)),
        (Some(heard), complaint("information")),
    ] {
        let matches = 1 + usize::from(entry == appointment(2));
        assert_eq!(
            outcome(link, vec![appointment(1), entry]).await,
            (None, matches),
            "{link:?}"
        );
    }
}
