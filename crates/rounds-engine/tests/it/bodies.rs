//! What requests send along and how answers are written: GraphQL, forms, SOAP, text with a session, ndjson.

use crate::ehr::{Answer, body_of, json_answer, text_answer};
use crate::world::World;
use rounds_domain::ports::EhrRequest;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// What was sent, and when it is looked at.
#[derive(Clone, Default)]
struct Sent(Arc<Mutex<Vec<String>>>);

impl Sent {
    fn note(&self, request: &EhrRequest) -> String {
        let body = body_of(request);
        let content_type = request.body.as_ref().map_or("nothing", |body| {
            body.content_type.to_str().expect("is text")
        });
        let accept = request.accept;
        let note = format!("{content_type} for {accept}: {body}");
        self.0.lock().expect("not poisoned").push(note);
        body
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("not poisoned"))
    }
}

fn configured(connection: &str, changes: &str) -> String {
    let indented = |text: &str, by: &str| {
        let lines = text.trim_matches('\n').lines();
        lines.flat_map(|line| [by, line, "\n"]).collect::<String>()
    };
    format!(
        "connections:\n  ehr:\n    base_url: \"https://ehr.example/api\"\n{}actions:\n  records:\n    connection: ehr\n    at: \"* * * * *\"\n    timeout: 5s\n    changes:\n{}    notify: {{ body: {{ id: = .record.id, status: = .record.status }} }}\n    to: app\ndestinations:\n  app: {{ url: \"https://app.example/hooks\" }}\n",
        indented(connection, "    "),
        indented(changes, "      "),
    )
}

#[tokio::test(start_paused = true)]
async fn graphql_is_paged_by_its_cursors_and_read_up_to_the_watermark() {
    // Healthie: no filter by change, newest first, a cursor of its own for pages.
    let world = World::with(&configured(
        "",
        r#"
post: /graphql
body:
  graphql:
    query: "query ($after: Cursor) { appointments(order_by: UPDATED_AT_DESC, after: $after) { id } }"
    variables: { after: = .page }
cursor: { time: rfc3339, field: .updated_at, order: descending, overlap: 1s }
start: beginning
paging:
  token: { from: .data.appointments.page_info.end_cursor }
  more: .data.appointments.page_info.has_next_page
records: .data.appointments.nodes[]
id: .id
version: .updated_at
"#,
    ));
    let sent = Sent::default();
    let noted = sent.clone();
    world.ehr.on_request("/api/graphql", move |request| {
        let body: Value = serde_json::from_str(&noted.note(request)).expect("is JSON");
        let first = body["variables"]["after"].is_null();
        let page: &[(u32, &str)] = if first {
            &[(3, "2026-05-01T09:59:30Z"), (2, "2026-05-01T09:59:20Z")]
        } else {
            assert_eq!(body["variables"]["after"], "after-2");
            &[(1, "2026-05-01T09:59:10Z")]
        };
        let nodes: Vec<Value> = (page.iter())
            .map(|(id, at)| json!({ "id": id, "status": "booked", "updated_at": at }))
            .collect();
        json_answer(&json!({ "data": { "appointments": {
            "nodes": nodes,
            "page_info": { "has_next_page": first, "end_cursor": if first { "after-2" } else { "after-1" } },
        } } }))
    });
    world.run_for(30).await;
    assert_eq!(world.told_sorted(), ["1:booked", "2:booked", "3:booked"]);
    assert_eq!(
        sent.take(),
        [
            r#"application/json for application/json: {"query":"query ($after: Cursor) { appointments(order_by: UPDATED_AT_DESC, after: $after) { id } }","variables":{"after":null}}"#,
            r#"application/json for application/json: {"query":"query ($after: Cursor) { appointments(order_by: UPDATED_AT_DESC, after: $after) { id } }","variables":{"after":"after-2"}}"#,
        ]
    );
    // The watermark stands on the first page: the second one is not asked for any more.
    world.run_for(60).await;
    assert_eq!(sent.take().len(), 1);
    assert_eq!(world.told_sorted(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn graphql_errors_in_a_200_fail_the_round_and_move_nothing() {
    let world = World::with(&configured(
        "",
        r#"
post: /graphql
body: { graphql: { query: "query ($since: String) { a(since: $since) { id } }", variables: { since: = .cursor } } }
cursor: { time: rfc3339 }
start: beginning
records: .data.a[]?
id: .id
"#,
    ));
    let fails = Arc::new(Mutex::new(true));
    let failing = Arc::clone(&fails);
    world.ehr.on_request("/api/graphql", move |_| {
        if *failing.lock().expect("not poisoned") {
            json_answer(
                &json!({ "errors": [{ "message": "Patient Doe is secret" }], "data": null }),
            )
        } else {
            json_answer(&json!({ "data": { "a": [{ "id": 1, "status": "new" }] } }))
        }
    });
    world.run_for(30).await;
    let feed = world.feed("records").await;
    let failure = feed.failure.expect("the round failed");
    assert_eq!(failure.code.to_string(), "R0340");
    assert!(
        failure.message.contains("GraphQL `errors`"),
        "{}",
        failure.message
    );
    assert!(!failure.message.contains("Doe"), "{}", failure.message);
    assert_eq!(feed.cursor, None);
    *fails.lock().expect("not poisoned") = false;
    world.run_for(60).await;
    assert_eq!(world.told(), ["1:new"]);
}

#[tokio::test(start_paused = true)]
async fn a_form_search_carries_cursor_and_offset_in_its_body() {
    let world = World::with(&configured(
        "",
        r#"
post: /Appointment/_search
body: { form: { _lastUpdated: "ge{{ cursor }}", _count: 2, _offset: "{{ page }}" } }
cursor: { time: rfc3339, overlap: 1m }
start: 2026-05-01T09:00:00Z
paging: { offset: { size: 2, rows: stay } }
records: fhir_matches
id: .id
"#,
    ));
    let sent = Sent::default();
    let noted = sent.clone();
    world.ehr.on_request("/api/Appointment/_search", move |request| {
        let body = noted.note(request);
        let offset: u64 = body.rsplit('=').next().and_then(|text| text.parse().ok()).expect("an offset");
        let entry: Vec<Value> = (offset..3.min(offset + 2))
            .map(|id| json!({ "resource": { "id": id, "status": "booked" }, "search": { "mode": "match" } }))
            .chain([json!({ "resource": { "resourceType": "OperationOutcome" }, "search": { "mode": "outcome" } })])
            .collect();
        json_answer(&json!({ "resourceType": "Bundle", "type": "searchset", "entry": entry }))
    });
    world.run_for(30).await;
    assert_eq!(world.told_sorted(), ["0:booked", "1:booked", "2:booked"]);
    let expected = |offset: u32| {
        format!(
            "application/x-www-form-urlencoded for application/json: _lastUpdated=ge2026-05-01T08%3A59%3A59.999Z&_count=2&_offset={offset}"
        )
    };
    assert_eq!(sent.take(), [expected(0), expected(2)]);
}

/// As Tebra answers: one child is no list, and no rows are one empty record.
fn soap(patients: &[(&str, &str)]) -> Answer {
    let rows: String = match patients {
        [] => "<PatientData><ID/><Status/></PatientData>".to_owned(),
        some => (some.iter())
            .flat_map(|(id, status)| {
                [
                    "<PatientData><ID>",
                    id,
                    "</ID><Status>",
                    status,
                    "</Status></PatientData>",
                ]
            })
            .collect(),
    };
    text_answer(&format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><GetPatientsResponse xmlns=\"http://www.kareo.com/api/schemas/\"><GetPatientsResult><ErrorResponse><IsError>false</IsError></ErrorResponse><Patients>{rows}</Patients></GetPatientsResult></GetPatientsResponse></s:Body></s:Envelope>"
    ))
}

const TEBRA: &str = r#"
post: /services/soap
headers: { soapaction: "http://www.kareo.com/api/schemas/KareoServices/GetPatients" }
body:
  xml: |
    <GetPatients><CustomerKey>{{ secret.customer_key }}</CustomerKey><From>{{ cursor }}</From></GetPatients>
cursor: { time: "%m/%d/%Y %H:%M", overlap: 1m }
start: 2026-05-01T09:00:00Z
records: '.Envelope.Body.GetPatientsResponse.GetPatientsResult.Patients.PatientData | many | .[] | {id: .ID, status: .Status}'
skip: .id == null
id: .id
"#;

#[tokio::test(start_paused = true)]
async fn soap_is_asked_with_a_secret_and_read_whether_it_gives_none_one_or_many() {
    let connection = "format: xml\nsecrets: { customer_key: { env: TEBRA_KEY } }";
    let world = World::with(&configured(connection, TEBRA));
    let sent = Sent::default();
    let noted = sent.clone();
    let rows: Arc<Mutex<Vec<(&str, &str)>>> = Arc::default();
    let held = Arc::clone(&rows);
    world.ehr.on_request("/api/services/soap", move |request| {
        noted.note(request);
        soap(&held.lock().expect("not poisoned"))
    });
    world.run_for(30).await;
    assert_eq!(world.told(), [""; 0], "a placeholder is no patient");
    assert_eq!(
        sent.take(),
        [
            "text/xml; charset=utf-8 for application/xml, text/xml: <GetPatients><CustomerKey>[Named(\"customer_key\")]</CustomerKey><From>05/01/2026 08:59</From></GetPatients>\n"
        ]
    );
    *rows.lock().expect("not poisoned") = vec![("7", "new")];
    world.run_for(60).await;
    assert_eq!(world.told(), ["\"7\":new"]);
    *rows.lock().expect("not poisoned") = vec![("7", "new"), ("8", "new")];
    world.run_for(60).await;
    assert_eq!(world.told(), ["\"8\":new"]);
    let feed = world.feed("records").await;
    assert!(feed.failure.is_none());
}

#[tokio::test(start_paused = true)]
async fn ndjson_is_a_list_of_records() {
    let changes = r#"
get: /changes.ndjson
format: ndjson
cursor: { number: ".[-1].seq // empty" }
query: { since: "{{ cursor }}" }
start: beginning
records: .[]
id: .id
"#;
    let world = World::with(&configured("", changes));
    world.ehr.on("/api/changes.ndjson", |url| {
        text_answer(match url.query() {
            Some("since=0") => {
                "{\"id\":1,\"seq\":4,\"status\":\"a\"}\n{\"id\":2,\"seq\":9,\"status\":\"b\"}\n"
            }
            Some("since=9") => "",
            other => panic!("{other:?}"),
        })
    });
    world.run_for(90).await;
    assert_eq!(world.told_sorted(), ["1:a", "2:b"]);
}

#[tokio::test(start_paused = true)]
async fn lookups_with_other_bodies_are_other_questions() {
    let config = configured(
        "",
        "get: /records\nrecords: .[]\nid: .id\nstart: beginning\n",
    )
    .replace(
        "    notify:",
        "    lookups:\n      patient: { post: /find, body: { json: { patient: = .record.patient, kind: full } } }\n    notify:",
    )
    .replace("status: = .record.status", "status: = .patient.name");
    let world = World::with(&config);
    world.ehr.on("/api/records", |_| {
        json_answer(&json!([{ "id": 1, "patient": "a" }, { "id": 2, "patient": "b" }, { "id": 3, "patient": "a" }]))
    });
    let sent = Sent::default();
    let noted = sent.clone();
    world.ehr.on_request("/api/find", move |request| {
        let body: Value = serde_json::from_str(&noted.note(request)).expect("is JSON");
        json_answer(
            &json!({ "name": format!("name of {}", body["patient"].as_str().expect("a patient")) }),
        )
    });
    world.run_for(30).await;
    assert_eq!(
        world.told_sorted(),
        ["1:name of a", "2:name of b", "3:name of a"]
    );
    let mut sent = sent.take();
    sent.sort();
    assert_eq!(
        sent,
        [
            r#"application/json for application/json: {"patient":"a","kind":"full"}"#,
            r#"application/json for application/json: {"patient":"b","kind":"full"}"#,
        ]
    );
}
