//! Answers with status 200 that are not the ones that were asked for, or not all of them.

use crate::ehr::{Clinic, json_answer, parameter, with_header};
use crate::world::{World, appointments_with as with};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

async fn code_of_failure(world: &World) -> Option<&'static str> {
    let failure = world.feed("appointments").await.failure;
    failure.map(|failure| failure.code.as_str())
}

/// FHIR searches: a change query, and a sweep over everything that tells what is gone.
const FHIR: &[(&str, &str)] = &[
    (
        "      records: .[]\n",
        "      records: fhir_matches\n      paging: { next_link: '.link[]? | select(.relation == \"next\") | .url' }\n",
    ),
    (
        "    lookups:\n",
        "    reconcile: { every: 1h, get: /all, deletions: told, hold_back: 100% }\n    lookups:\n",
    ),
];

fn bundle(records: &[Value], more: &[(&str, Value)]) -> Value {
    let entries: Vec<Value> = records
        .iter()
        .map(|record| json!({ "resource": record }))
        .collect();
    let mut bundle = json!({ "resourceType": "Bundle", "type": "searchset", "entry": entries });
    for (name, value) in more {
        bundle[*name] = value.clone();
    }
    bundle
}

fn outcome(severity: &str, code: &str) -> Value {
    json!({ "resourceType": "OperationOutcome", "issue": [{ "severity": severity, "code": code, "diagnostics": "Jane Doe" }] })
}

/// What servers and gateways give instead of an answer, or within one.
fn wrong_answers() -> Vec<Value> {
    let within = |resource: Value| json!({ "resourceType": "Bundle", "type": "searchset", "entry": [{ "resource": resource, "search": { "mode": "outcome" } }] });
    vec![
        json!({}),
        json!([]),
        json!({ "message": "Service Unavailable" }),
        outcome("error", "exception"),
        outcome("warning", "processing"),
        within(outcome("fatal", "exception")),
        within(outcome("warning", "incomplete")),
        json!({ "resourceType": "Bundle", "type": "transaction-response" }),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_wrong_document_with_200_moves_no_cursor_and_loses_nothing() {
    for by in ["field: .lastModified", "source: clock"] {
        for wrong in wrong_answers() {
            let mut replacements = FHIR[..1].to_vec();
            if by != "field: .lastModified" {
                replacements.push((", field: .lastModified", ""));
            }
            let world = World::with(&with(&replacements));
            let (broken, clinic) = (Arc::new(AtomicBool::new(false)), world.clinic.clone());
            let is_broken = Arc::clone(&broken);
            let shown = wrong.clone();
            world.ehr.on("/api/appointments", move |url| {
                if is_broken.load(Ordering::Relaxed) {
                    return json_answer(&shown);
                }
                json_answer(&bundle(&clinic.changed_since(url), &[]))
            });
            let clinic = world.clinic.clone();
            world.ehr.on("/api/all", move |_| {
                json_answer(&bundle(&clinic.from(jiff::Timestamp::UNIX_EPOCH), &[]))
            });
            world.run_for(30).await;
            broken.store(true, Ordering::Relaxed);
            world.clinic.put(1, "p", "booked", world.now());
            let cursor = world.cursor().await;
            // Longer than any overlap.
            world.run_for(600).await;
            assert!(world.received().is_empty());
            assert_eq!(world.cursor().await, cursor, "{wrong}");
            let code = code_of_failure(&world).await;
            assert!(matches!(code, Some("R0325" | "R0326")), "{wrong}: {code:?}");
            let message = world
                .feed("appointments")
                .await
                .failure
                .map(|failure| failure.message);
            assert!(!message.unwrap_or_default().contains("Jane"));
            broken.store(false, Ordering::Relaxed);
            world.run_for(300).await;
            assert_eq!(world.told(), ["1:booked"], "{by} {wrong}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_sweep_whose_second_page_is_another_document_deletes_nobody() {
    for wrong in wrong_answers() {
        let world = World::with(&with(FHIR));
        let clinic = world.clinic.clone();
        world.ehr.on("/api/appointments", move |url| {
            json_answer(&bundle(&clinic.changed_since(url), &[]))
        });
        let (clinic, broken) = (world.clinic.clone(), Arc::new(AtomicBool::new(false)));
        let (is_broken, shown) = (Arc::clone(&broken), wrong.clone());
        world.ehr.on("/api/all", move |url| {
            let all = clinic.from(jiff::Timestamp::UNIX_EPOCH);
            let (first, second) = all.split_at(all.len().min(5));
            if url.query().is_none() {
                let next = json!([{ "relation": "next", "url": "?page=2" }]);
                return json_answer(&bundle(first, &[("link", next)]));
            }
            if is_broken.load(Ordering::Relaxed) {
                return json_answer(&shown);
            }
            json_answer(&bundle(second, &[]))
        });
        for id in 0..10 {
            world.clinic.put(id, "p", "booked", world.now());
        }
        world.run_for(60).await;
        world.received();
        broken.store(true, Ordering::Relaxed);
        world.run_for(4 * 3_600).await;
        assert_eq!(world.told(), Vec::<String>::new(), "{wrong}");
        let sweep = crate::world::feed_key("appointments", "reconcile");
        assert!(world.state_of(sweep).await.failure.is_some(), "{wrong}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rule_may_say_that_a_certain_answer_is_fine_and_no_other() {
    let rule = "    answers:\n      - { body: '.message == \"No records\"', means: empty }\n    lookups:\n";
    let config = with(&[
        ("      records: .[]\n", "      records: .data[]?\n"),
        ("    lookups:\n", rule),
    ]);
    let world = World::with(&config);
    let clinic = world.clinic.clone();
    world.ehr.on("/api/appointments", move |url| {
        let found = clinic.changed_since(url);
        json_answer(&if found.is_empty() {
            json!({ "message": "No records" })
        } else {
            json!({ "data": found })
        })
    });
    world.run_for(30).await;
    assert_eq!(code_of_failure(&world).await, None);
    world.clinic.put(1, "p", "booked", world.now());
    world.run_for(20).await;
    assert_eq!(world.told(), ["1:booked"]);
    world.ehr.on("/api/appointments", |_| {
        json_answer(&json!({ "message": "Try later" }))
    });
    world.run_for(20).await;
    assert_eq!(code_of_failure(&world).await, Some("R0325"));
}

#[tokio::test(start_paused = true)]
async fn a_lookup_that_is_answered_with_an_error_is_not_told() {
    for wrong in [
        outcome("error", "exception"),
        json!({ "errors": [{ "message": "x" }] }),
        json!({ "success": false }),
    ] {
        let world = World::usual();
        let broken = wrong.clone();
        world.ehr.on("/api/patient/", move |_| json_answer(&broken));
        world.run_for(1).await;
        world.clinic.put(1, "p", "booked", world.now());
        world.run_for(20).await;
        assert!(world.received().is_empty(), "{wrong}");
        world
            .ehr
            .on("/api/patient/", |_| json_answer(&json!({ "name": "n" })));
        world.run_for(300).await;
        assert_eq!(world.told(), ["1:booked"], "{wrong}");
    }
}

/// A clinic that shows at most this many rows a page, from `offset` on, with or without saying how many there are.
fn capped(world: &World, cap: usize, total: Option<&'static str>) {
    let clinic: Clinic = world.clinic.clone();
    world.ehr.on("/api/appointments", move |url| {
        let found = clinic.changed_since(url);
        let offset: usize = parameter(url, "offset").parse().unwrap_or(0);
        let rows: Vec<&Value> = found.iter().skip(offset).take(cap).collect();
        let mut answer = json!({ "rows": rows });
        let answered = |answer: &Value| json_answer(answer);
        match total {
            Some("x-total-count") => {
                with_header(answered(&answer), "x-total-count", &found.len().to_string())
            }
            Some(name) => {
                answer[name] = json!(found.len());
                answered(&answer)
            }
            None => answered(&answer),
        }
    });
}

#[tokio::test(start_paused = true)]
async fn a_server_that_caps_its_pages_is_asked_on_by_its_own_total() {
    for total in ["total", "totalCount", "x-total-count"] {
        for rows in ["move", "stay"] {
            let paging = format!(
                "      records: .rows[]\n      paging: {{ offset: {{ parameter: offset, size: 50, rows: {rows} }} }}\n"
            );
            let world = World::with(&with(&[("      records: .[]\n", &paging)]));
            capped(&world, 3, Some(total));
            world.run_for(1).await;
            for id in 0..8 {
                world.clinic.put(id, "p", "booked", world.now());
            }
            world.run_for(20).await;
            assert_eq!(world.told().len(), 8, "{total} {rows}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_names_more_than_it_shows_fails_and_says_what_to_write() {
    // What it says, the paging that there is, and the code.
    let cases: &[(Value, &str, &str)] = &[
        (json!({ "total": 9 }), "", "R0327"),
        (json!({ "meta": { "total_count": "9" } }), "", "R0327"),
        (json!({ "next": "/api/appointments?page=2" }), "", "R0350"),
        (json!({ "has_more": true }), "", "R0350"),
        (
            json!({ "links": { "next": "https://ehr.example/2" } }),
            "",
            "R0350",
        ),
        (
            json!({ "pageInfo": { "hasNextPage": true } }),
            "      paging: { next_link: .wrong }\n",
            "R0350",
        ),
        (
            json!({ "total": 9 }),
            "      paging: { next_link: .wrong }\n",
            "R0327",
        ),
    ];
    for (says, paging, code) in cases {
        let records = format!("      records: .rows[]\n{paging}");
        let world = World::with(&with(&[("      records: .[]\n", &records)]));
        let (clinic, says_so) = (world.clinic.clone(), says.clone());
        world.ehr.on("/api/appointments", move |url| {
            let found = clinic.changed_since(url);
            let mut answer = if found.is_empty() {
                json!({})
            } else {
                says_so.clone()
            };
            answer["rows"] = Value::Array(found);
            json_answer(&answer)
        });
        world.run_for(30).await;
        let cursor = world.cursor().await;
        world.clinic.put(1, "p", "booked", world.now());
        world.run_for(30).await;
        assert_eq!(code_of_failure(&world).await, Some(*code), "{says}");
        assert_eq!(world.cursor().await, cursor, "{says}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_filter_in_records_or_skip_does_not_end_paging() {
    // Of 250 rows one on the first page is no record.
    let by = [
        ".rows[] | select(.status != \"placeholder\")",
        ".rows[]\n      skip: .status == \"placeholder\"",
    ];
    let pagings = [
        "{ offset: { parameter: offset, size: 50 } }",
        "{ page_number: { parameter: page, first: 1, size: 50 } }",
        "{ after: { parameter: after, from: .id, size: 50 } }",
    ];
    for records in by {
        for paging in pagings {
            let text = format!("      records: {records}\n      paging: {paging}\n");
            let world = World::with(&with(&[
                ("      records: .[]\n", &text),
                ("start: now", "start: beginning"),
            ]));
            let clinic = world.clinic.clone();
            let order: Arc<Mutex<Vec<Value>>> = Arc::default();
            world.ehr.on("/api/appointments", move |url| {
                let mut rows = order.lock().expect("not poisoned");
                if rows.is_empty() {
                    *rows = clinic.from(jiff::Timestamp::UNIX_EPOCH);
                    rows.sort_by_key(|row| row["id"].as_u64());
                }
                let number = |name: &str| {
                    url.query_pairs()
                        .find(|(known, _)| known == name)
                        .and_then(|(_, text)| text.parse::<u64>().ok())
                };
                let from = match (number("offset"), number("page"), number("after")) {
                    (Some(offset), ..) => offset,
                    (_, Some(page), _) => (page - 1) * 50,
                    (.., after) => after.map_or(0, |after| after + 1),
                };
                let page: Vec<&Value> = rows
                    .iter()
                    .skip(usize::try_from(from).expect("small"))
                    .take(50)
                    .collect();
                json_answer(&json!({ "rows": page }))
            });
            for id in 0..250 {
                // First, last and in the middle of a page.
                let status = if [7, 99, 100, 149].contains(&id) {
                    "placeholder"
                } else {
                    "booked"
                };
                world.clinic.put(id, "p", status, world.now());
            }
            world.run_for(9).await;
            assert_eq!(world.told().len(), 246, "{records} {paging}");
            let asked = world.ehr.asked("/api/appointments");
            assert!(asked < 25, "{records} {paging}: {asked}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_of_a_batch_that_failed_parks_whoever_asked_for_it() {
    let lookup = r#"patient: { post: /, body: { json: { resourceType: Bundle, type: batch, entry: '= [.ids[] | { request: { method: "GET", url: "Patient/\(.)" } }]' } }, batch: { key: .record.patientID, records: '.entry[]?.resource | select(. != null)', id: .id } }"#;
    let world = World::with(&with(&[(
        r#"patient: { get: "/patient/{{ record.patientID }}" }"#,
        lookup,
    )]));
    let broken = Arc::new(AtomicBool::new(true));
    let is_broken = Arc::clone(&broken);
    world.ehr.on_request("/api/", move |request| {
        if request.method == http::Method::GET {
            return json_answer(&json!([]));
        }
        let asked: Value = serde_json::from_str(&crate::ehr::body_of(request)).expect("JSON");
        let entries = asked["entry"].as_array().expect("entries").iter().map(|entry| {
            let id = entry["request"]["url"].as_str().expect("a URL").trim_start_matches("Patient/").to_owned();
            match id.as_str() {
                "p1" if is_broken.load(Ordering::Relaxed) => json!({ "response": { "status": "503 Service Unavailable" } }),
                "p2" => json!({ "response": { "status": "404" } }),
                _ => json!({ "response": { "status": "200" }, "resource": { "resourceType": "Patient", "id": id, "name": "n" } }),
            }
        });
        json_answer(&json!({ "resourceType": "Bundle", "type": "batch-response", "entry": entries.collect::<Vec<_>>() }))
    });
    world.run_for(1).await;
    for id in 1..=3 {
        world
            .clinic
            .put(id, &format!("p{id}"), "booked", world.now());
    }
    world.run_for(20).await;
    let mut told = world.bodies();
    told.sort_by_key(|body| body["id"].as_u64());
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(
        (&told[0]["id"], &told[0]["missing"]),
        (&json!(2), &json!(["patient"]))
    );
    assert_eq!(told[1]["patient"], "n");
    broken.store(false, Ordering::Relaxed);
    world.run_for(300).await;
    assert_eq!(world.told(), ["1:booked"]);
}

/// A clinic whose pages of three name the next by a link that holds a place, and whose rows move between them: whenever a page was shown, the
/// first row of it is edited and goes to the end.
fn linked_by_place(world: &World, parameter: &'static str, first: u64, is_offset: bool) {
    let rows: Arc<Mutex<Vec<Value>>> = Arc::default();
    let (clinic, clock) = (world.clinic.clone(), Arc::clone(&world.ports.clock));
    let moves = Arc::new(Mutex::new(3));
    world.ehr.on("/api/appointments", move |url| {
        let mut rows = rows.lock().expect("not poisoned");
        if rows.is_empty() {
            *rows = clinic.from(jiff::Timestamp::UNIX_EPOCH);
        }
        let place = url
            .query_pairs()
            .find(|(name, _)| name == parameter)
            .map_or(first, |(_, place)| place.parse().expect("a number"));
        let skipped = if is_offset {
            place
        } else {
            (place - first) * 3
        };
        let skipped = usize::try_from(skipped).expect("small");
        let page: Vec<Value> = rows.iter().skip(skipped).take(3).cloned().collect();
        let next = if is_offset { place + 3 } else { place + 1 };
        let since = parameter_of(url, "changedsince");
        let next = (skipped + 3 < rows.len())
            .then(|| format!("/api/appointments?changedsince={since}&{parameter}={next}"));
        let mut left = moves.lock().expect("not poisoned");
        if *left > 0 && skipped == 0 && page.len() == 3 {
            *left -= 1;
            let mut moved = rows.remove(0);
            moved["version"] = json!(100 + *left);
            moved["lastModified"] = json!(clock.now().to_string());
            rows.push(moved);
        }
        json_answer(&json!({ "rows": page, "next": next }))
    });
}

fn parameter_of(url: &url::Url, name: &str) -> String {
    let found = url.query_pairs().find(|(known, _)| known == name);
    found.map_or_else(String::new, |(_, value)| value.into_owned())
}

#[tokio::test(start_paused = true)]
async fn pages_whose_links_hold_a_place_are_joined() {
    for (parameter, first, is_offset) in [
        ("page", 1, false),
        ("page", 0, false),
        ("_offset", 0, true),
        ("skip", 0, true),
    ] {
        let text = "      records: .rows[]\n      paging: { next_link: .next }\n";
        let world = World::with(&with(&[
            ("      records: .[]\n", text),
            ("start: now", "start: beginning"),
            ("every: 10s", "every: 1h"),
        ]));
        linked_by_place(&world, parameter, first, is_offset);
        for id in 0..11 {
            world.clinic.put(id, "p", "booked", world.now());
        }
        world.run_for(30).await;
        let mut ids: Vec<u64> = (world.bodies().iter())
            .map(|body| body["id"].as_u64().expect("an id"))
            .collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(
            ids,
            (0..11).collect::<Vec<u64>>(),
            "{parameter} from {first}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_without_next_links_is_asked_on_by_the_offset_that_it_is_known_to_take() {
    let text = "      records: fhir_matches\n      paging: { next_link: '.link[]? | select(.relation == \"next\") | .url', offset_parameter: _offset }\n";
    let world = World::with(&with(&[("      records: .[]\n", text)]));
    let clinic = world.clinic.clone();
    world.ehr.on("/api/appointments", move |url| {
        let found = clinic.changed_since(url);
        let offset: usize = parameter_of(url, "_offset").parse().unwrap_or(0);
        let page: Vec<Value> = found.iter().skip(offset).take(100).cloned().collect();
        json_answer(&bundle(&page, &[("total", json!(found.len()))]))
    });
    world.run_for(1).await;
    for id in 0..255 {
        world.clinic.put(id, "p", "booked", world.now());
    }
    world.run_for(30).await;
    assert_eq!(world.told().len(), 255);
    assert_eq!(code_of_failure(&world).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_ends_before_the_cursor_fails_the_feed() {
    let config = with(&[
        (
            "query: { changedsince: \"{{ cursor }}\" }",
            "query: { after: \"{{ cursor }}\" }",
        ),
        (
            "cursor: { time: \"%Y-%m-%dT%H:%M:%S\", overlap: 30s, field: .lastModified }",
            "cursor: { number: .last }",
        ),
        ("      records: .[]\n", "      records: .rows[]\n"),
    ]);
    let world = World::with(&config);
    let last = Arc::new(Mutex::new(201));
    let shown = Arc::clone(&last);
    world.ehr.on("/api/appointments", move |_| {
        json_answer(&json!({ "rows": [], "last": *shown.lock().expect("not poisoned") }))
    });
    world.run_for(20).await;
    assert_eq!(code_of_failure(&world).await, None);
    // An empty answer may well say nothing, or nought.
    *last.lock().expect("not poisoned") = 0;
    world.run_for(20).await;
    assert_eq!(code_of_failure(&world).await, None);
    *last.lock().expect("not poisoned") = 8;
    world.run_for(20).await;
    assert_eq!(code_of_failure(&world).await, Some("R0328"));
}

/// A JSON API whose answers are objects where a list should be, or rows that are messages.
#[tokio::test(start_paused = true)]
async fn what_an_object_holds_is_no_list_of_records_and_a_message_is_no_row() {
    for (records, wrong) in [
        (
            ".[]?",
            json!({ "message": { "id": "E17", "text": "try later" } }),
        ),
        (".data[]?", json!({ "data": { "message": { "id": "E1" } } })),
        (".data | .[]", json!({ "data": { "7": { "id": 7 } } })),
        (".[]", json!([{ "message": "try later" }])),
        (
            ".data[]",
            json!({ "data": [{ "status": "error", "msg": "no" }, { "error": { "code": 5 } }] }),
        ),
    ] {
        let world = World::with(&with(&[(
            "      records: .[]\n",
            &format!("      records: '{records}'\n"),
        )]));
        world
            .ehr
            .on("/api/appointments", move |_| json_answer(&wrong));
        world.run_for(60).await;
        assert_eq!(code_of_failure(&world).await, Some("R0325"), "{records}");
        assert_eq!(world.told(), [""; 0], "{records}");
    }
    // What says that it holds records by their ids is read so.
    let by_ids = (
        "      records: .[]\n",
        "      records: '.data | to_entries[].value'\n",
    );
    let world = World::with(&with(&[by_ids, ("start: now", "start: beginning")]));
    let row = json!({ "id": 7, "patientID": "p", "status": "booked", "lastModified": "2026-05-01T09:00:00Z" });
    world.ehr.on("/api/appointments", move |_| {
        json_answer(&json!({ "data": { "7": row } }))
    });
    world.run_for(60).await;
    assert_eq!(code_of_failure(&world).await, None);
    assert_eq!(world.told(), ["7:booked"]);
    // One row without an identity among others stops nobody, whatever it looks like.
    let world = World::with(&with(&[("start: now", "start: beginning")]));
    let rows = json!([
        { "message": "a remark" },
        { "id": 7, "patientID": "p", "status": "booked", "lastModified": "2026-05-01T09:00:00Z" },
    ]);
    world
        .ehr
        .on("/api/appointments", move |_| json_answer(&rows));
    world.run_for(60).await;
    assert_eq!(code_of_failure(&world).await, None);
    assert_eq!(world.told(), ["7:booked"]);
}

#[tokio::test(start_paused = true)]
async fn a_search_that_shows_resources_of_another_type_only_is_not_believed() {
    let search = [
        FHIR[0],
        ("get: /appointments", "get: /Appointment"),
        ("start: now", "start: beginning"),
    ];
    let resource = |kind: &str, id: &str| json!({ "resourceType": kind, "id": id, "patientID": "p", "status": "booked", "lastModified": "2026-05-01T09:00:00Z" });
    for (records, code) in [
        (vec![resource("Practitioner", "1")], Some("R0325")),
        (vec![resource("Appointment", "1")], None),
        // A server that marks no included resource: they are the mapping's to leave out.
        (
            vec![resource("Appointment", "1"), resource("Appointment", "2")],
            None,
        ),
    ] {
        let count = records.len();
        let world = World::with(&with(&search));
        let answer = bundle(&records, &[]);
        world
            .ehr
            .on("/api/Appointment", move |_| json_answer(&answer));
        world.run_for(60).await;
        assert_eq!(code_of_failure(&world).await, code);
        assert_eq!(world.told().len(), if code.is_some() { 0 } else { count });
    }
}

#[tokio::test(start_paused = true)]
async fn a_lookup_answered_with_a_message_or_nothing_is_nobody() {
    for (answer, is_told) in [
        (json!({ "message": "try later" }), false),
        (json!({ "status": "error", "message": "no" }), false),
        (json!({ "data": null }), false),
        (json!({}), false),
        (json!("busy"), false),
        (json!(7), false),
        (json!({ "name": "P" }), true),
        (json!({ "status": "active", "code": "A" }), true),
        (
            json!({ "message": "a record that has a message", "name": "P" }),
            true,
        ),
    ] {
        let world = World::usual();
        world.run_for(1).await;
        let shown = answer.clone();
        (world.ehr).on("/api/patient/", move |_| json_answer(&shown));
        world.clinic.put(1, "p", "booked", world.now());
        world.run_for(20).await;
        assert_eq!(world.told().len(), usize::from(is_told), "{answer}");
        let parked = world.overview().await.actions[0].containers_parked;
        assert_eq!(parked, u64::from(!is_told), "{answer}");
    }
}
