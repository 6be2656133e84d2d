//! FHIR servers, each with its own idea of it.

use super::{NOTHING, Shared, example, example_with, failure, parameter, told, with_parameter};
use crate::ehr::{Answer, json_answer, status};
use crate::jobs::Server;
use crate::world::World;
use jiff::Timestamp;
use serde_json::{Value, json};
use url::Url;

/// A search's answer, with a self link that holds what was asked.
fn bundle(url: &Url, resources: &[Value], next: Option<&str>) -> Answer {
    let entry: Vec<Value> = (resources.iter())
        .map(|resource| json!({ "resource": resource, "search": { "mode": "match" } }))
        .collect();
    let mut link = vec![json!({ "relation": "self", "url": url.as_str() })];
    link.extend(next.map(|next| json!({ "relation": "next", "url": next })));
    json_answer(
        &json!({ "resourceType": "Bundle", "type": "searchset", "link": link, "entry": entry }),
    )
}

fn resource(kind: &str, id: &str, version: u32, at: &str) -> Value {
    json!({ "resourceType": kind, "id": id, "meta": { "versionId": version.to_string(), "lastUpdated": at } })
}

/// Those that changed at or after what `_lastUpdated=ge...` says.
fn changed(url: &Url, resources: &[Value]) -> Vec<Value> {
    let bounds: Vec<String> = (url.query_pairs())
        .filter(|(name, _)| name == "_lastUpdated")
        .map(|(_, value)| value.into_owned())
        .collect();
    let of = |resource: &Value| -> Timestamp {
        resource["meta"]["lastUpdated"]
            .as_str()
            .expect("a time")
            .parse()
            .expect("an instant")
    };
    let lower = bounds
        .iter()
        .find_map(|bound| bound.strip_prefix("ge"))
        .expect("a lower bound");
    let lower: Timestamp = lower.parse().expect("an instant");
    let all = resources.iter().filter(|resource| of(resource) >= lower);
    all.cloned().collect()
}

#[tokio::test(start_paused = true)]
async fn fhir_r4_by_search_and_a_server_that_does_not_know_the_filter() {
    let world = World::with(&example("fhir-r4"));
    let held = Shared::new(vec![resource(
        "Appointment",
        "old",
        1,
        "2026-05-01T09:59:30Z",
    )]);
    let (asked, patients) = (held.clone(), Shared::new(Vec::<Value>::new()));
    world.ehr.on("/r4/Appointment", move |url| {
        asked.with(|held| bundle(url, &changed(url, held), None))
    });
    // This one ignores what it does not know, and its self link shows it.
    let ignoring = patients.clone();
    world.ehr.on("/r4/Patient", move |_| {
        let own = Url::parse("https://fhir.example.org/r4/Patient?_count=100").expect("a URL");
        ignoring.with(|held| bundle(&own, held, None))
    });
    world.run_for(30).await;
    assert_eq!(
        told(&world, &["/record/id"]),
        NOTHING,
        "what is there already is silent"
    );
    held.with(|held| {
        held.push(resource("Appointment", "new", 1, "2026-05-01T10:00:31.5Z"));
        held.push(resource("Appointment", "old", 2, "2026-05-01T10:00:31.75Z"));
        held.remove(0);
    });
    patients.set(vec![resource(
        "Patient",
        "everybody",
        1,
        "2020-01-01T00:00:00Z",
    )]);
    world.run_for(60).await;
    assert_eq!(
        told(&world, &["/record/id", "/change/kind"]),
        ["new created", "old updated"]
    );
    assert_eq!(failure(&world, "patients").await.as_deref(), Some("R0319"));
    world.run_for(120).await;
    assert_eq!(
        told(&world, &["/record/id"]),
        NOTHING,
        "nothing is told twice"
    );
}

#[tokio::test(start_paused = true)]
async fn fhir_r4_by_history_tells_of_deletions_and_never_of_older_states() {
    let actions = "  history: { connection: clinic, uses: history_patient, at: \"* * * * *\", to: app, notify: { body: { id: = .record.id, kind: = .change.kind, version: = .record.meta.versionId } } }\n";
    let world = World::with(&example_with("fhir-r4", actions));
    let states: Shared<Vec<Value>> = Shared::new(Vec::new());
    let put = |id: &str, version: u32, at: &str| json!({ "request": { "method": "PUT", "url": format!("Patient/{id}") }, "resource": resource("Patient", id, version, at), "response": { "lastModified": at } });
    let asked = states.clone();
    world.ehr.on("/r4/Patient/_history", move |url| {
        let since: Timestamp = parameter(url, "_since").parse().unwrap_or(Timestamp::UNIX_EPOCH);
        let page: usize = parameter(url, "page").parse().unwrap_or(0);
        asked.with(|states| {
            // Newest first, two to a page.
            let of = |entry: &Value| -> Timestamp { entry["response"]["lastModified"].as_str().expect("a time").parse().expect("an instant") };
            let mut shown: Vec<&Value> = states.iter().filter(|entry| of(entry) >= since).collect();
            shown.sort_by_key(|entry| std::cmp::Reverse(of(entry)));
            let entry: Vec<&Value> = shown.iter().skip(page * 2).take(2).copied().collect();
            let mut link = Vec::new();
            if shown.len() > page * 2 + 2 {
                let next = with_parameter(url, "page", page + 1);
                link.push(json!({ "relation": "next", "url": next }));
            }
            json_answer(&json!({ "resourceType": "Bundle", "type": "history", "link": link, "entry": entry }))
        })
    });
    world.ehr.on("/r4/", |url| bundle(url, &[], None));
    states.with(|states| states.push(put("a", 1, "2026-05-01T09:59:50Z")));
    world.run_for(30).await;
    assert_eq!(told(&world, &["/id"]), NOTHING);
    states.with(|states| {
        states.push(put("b", 1, "2026-05-01T10:00:40Z"));
        states.push(put("b", 2, "2026-05-01T10:00:41Z"));
        states.push(put("b", 3, "2026-05-01T10:00:42Z"));
        states.push(json!({ "request": { "method": "DELETE", "url": "Patient/a" }, "response": { "etag": "W/\"2\"", "lastModified": "2026-05-01T10:00:43Z" } }));
    });
    world.run_for(180).await;
    assert_eq!(
        told(&world, &["/id", "/kind", "/version"]),
        ["a deleted 2", "b created 3"]
    );
}

#[tokio::test(start_paused = true)]
async fn fhir_r4_by_bulk_export_tells_of_deletions_too() {
    let actions = "  exported: { connection: clinic, uses: bulk_patient, at: \"* * * * *\", to: app, notify: { body: { id: = .record.id, kind: = .change.kind } } }\n";
    let config = example_with("fhir-r4", actions);
    let from = config.find("  appointments:").expect("is there");
    let to = config.find("  exported:").expect("is there");
    let world = World::with(&format!("{}{}", &config[..from], &config[to..]));
    let server = Server::at(&world, "https://fhir.example.org/r4");
    server.put(&world, "old", 1);
    world.run_for(200).await;
    server.put(&world, "new", 1);
    world.run_for(300).await;
    server.put(&world, "new", 2);
    server.delete(&world, "old");
    world.run_for(600).await;
    assert_eq!(
        told(&world, &["/id", "/kind"]),
        ["new created", "new updated", "old deleted"],
        "what was there before Rounds came is told when it goes"
    );
    server.delete(&world, "new");
    world.run_for(600).await;
    assert_eq!(told(&world, &["/id", "/kind"]), ["new deleted"]);
}

#[tokio::test(start_paused = true)]
async fn epic_appointments_are_compared_and_its_warnings_are_heard() {
    let world = World::with(&example("epic"));
    let issue = |severity: &str, code: &str| json!({ "resourceType": "OperationOutcome", "issue": [{ "severity": severity, "code": "processing", "details": { "coding": [{ "system": "urn:oid:1.2", "code": code }] } }] });
    let appointment = |id: &str, start: &str, patient: &str| json!({ "resourceType": "Appointment", "id": id, "status": "booked", "start": start, "participant": [{ "actor": { "reference": format!("Patient/{patient}") } }] });
    let held = Shared::new(vec![appointment("a1", "2026-05-04T09:00:00Z", "p1")]);
    let warning: Shared<Option<&str>> = Shared::new(None);
    let (asked, warns) = (held.clone(), warning.clone());
    let outcome = move |severity: &str, code: &str| json!({ "resource": issue(severity, code), "search": { "mode": "outcome" } });
    world
        .ehr
        .on("/interconnect/api/FHIR/R4/Appointment", move |url| {
            assert!(parameter(url, "location").starts_with("e4W4"), "{url}");
            let dates: Vec<String> = (url.query_pairs())
                .filter(|(name, _)| name == "date")
                .map(|(_, value)| value.into_owned())
                .collect();
            let (from, to) = (
                dates[0].strip_prefix("ge").expect("from"),
                dates[1].strip_prefix("le").expect("to"),
            );
            let mut entry: Vec<Value> = asked.with(|held| {
                let day =
                    |record: &Value| record["start"].as_str().expect("a start")[..10].to_owned();
                let shown = held
                    .iter()
                    .filter(|record| from <= day(record).as_str() && day(record).as_str() <= to);
                shown
                    .map(|resource| json!({ "resource": resource, "search": { "mode": "match" } }))
                    .collect()
            });
            if entry.is_empty() {
                entry.push(outcome("warning", "4101"));
            }
            entry.extend(warns.with(|code| code.map(|code| outcome("warning", code))));
            json_answer(&json!({ "resourceType": "Bundle", "type": "searchset", "entry": entry }))
        });
    world.ehr.on("/interconnect/api/FHIR/R4/Patient/p1", |_| {
        json_answer(&json!({ "resourceType": "Patient", "id": "p1", "name": "One" }))
    });
    world.ehr.on("/interconnect/api/FHIR/R4/Patient/p2", |_| {
        let merged = json!({ "resourceType": "OperationOutcome", "issue": [{ "severity": "fatal", "details": { "coding": [{ "code": "4107" }] } }] });
        json_answer(&merged)
    });
    world.run_for(30).await;
    assert_eq!(told(&world, &["/record/id"]), NOTHING);
    assert_eq!(
        failure(&world, "appointments").await,
        None,
        "a week without appointments is no failure"
    );
    held.set(vec![
        appointment("a1", "2026-05-20T11:00:00Z", "p1"),
        appointment("a2", "2026-05-05T10:00:00Z", "p2"),
    ]);
    world.run_for(60).await;
    assert_eq!(
        told(
            &world,
            &[
                "/record/id",
                "/change/kind",
                "/patient/name",
                "/change/missing"
            ]
        ),
        ["a1 updated One []", "a2 created - [\"patient\"]"]
    );
    // A parameter that it does not know, or a result that is cut off: everything may be wrong, so nothing is told.
    for code in ["4122", "4127"] {
        warning.set(Some(code));
        held.with(|held| held.push(appointment("a3", "2026-05-06T10:00:00Z", "p1")));
        world.run_for(60).await;
        assert_eq!(
            failure(&world, "appointments").await.as_deref(),
            Some("R0340"),
            "{code}"
        );
        assert_eq!(told(&world, &["/record/id"]), NOTHING);
    }
    warning.set(None);
    world.run_for(120).await;
    assert_eq!(told(&world, &["/record/id"]), ["a3"]);
}

#[tokio::test(start_paused = true)]
async fn oracle_health_is_asked_patient_by_patient_and_its_pages_descend() {
    let actions = "  observations: { connection: hospital, uses: observations, at: \"* * * * *\", to: app, changes: { for_each: [p1, p2] } }\n";
    let world = World::with(&example_with("oracle-health", actions));
    let held: Shared<Vec<Value>> = Shared::new(Vec::new());
    let down = Shared::new(true);
    let (asked, breaks) = (held.clone(), down.clone());
    world.ehr.on(
        "/r4/ec2458f2-1e24-41c8-b71b-0e701af7583d/Observation",
        move |url| {
            let patient = parameter(url, "patient");
            let page: usize = parameter(url, "page").parse().unwrap_or(0);
            let mut found: Vec<Value> = asked.with(|held| {
                held.iter()
                    .filter(|record| record["subject"] == patient.as_str())
                    .cloned()
                    .collect()
            });
            found = changed(url, &found);
            // Descending, two to a page; the second page is not there for a while.
            found.sort_by_key(|record| {
                std::cmp::Reverse(
                    record["meta"]["lastUpdated"]
                        .as_str()
                        .expect("a time")
                        .to_owned(),
                )
            });
            if page > 0 && breaks.with(|down| *down) {
                return Ok(status(500));
            }
            let rows: Vec<Value> = found.iter().skip(page * 2).take(2).cloned().collect();
            let next = with_parameter(url, "page", 1);
            let has_more = found.len() > page * 2 + 2;
            bundle(url, &rows, has_more.then_some(next.as_str()))
        },
    );
    world.ehr.on(
        "/r4/ec2458f2-1e24-41c8-b71b-0e701af7583d/Appointment",
        |url| bundle(url, &[], None),
    );
    world.run_for(30).await;
    let observation = |id: &str, patient: &str, second: u32| {
        let mut record = resource("Observation", id, 1, &format!("2026-05-01T10:00:{second}Z"));
        record["subject"] = json!(patient);
        record
    };
    held.set(vec![
        observation("o1", "p1", 41),
        observation("o2", "p1", 42),
        observation("o3", "p1", 43),
        observation("o4", "p2", 44),
    ]);
    world.run_for(60).await;
    assert_eq!(
        told(&world, &["/record/id"]),
        ["o2", "o3", "o4"],
        "the first page is told, the cursor stays"
    );
    down.set(false);
    world.run_for(60).await;
    assert_eq!(told(&world, &["/record/id"]), ["o1"]);
}

#[tokio::test(start_paused = true)]
async fn eclinicalworks_is_asked_patient_by_patient_and_compared() {
    let world = World::with(&example("eclinicalworks"));
    let status = Shared::new("planned");
    let shown = status.clone();
    world.ehr.on("/fhir/r4/FFBJCD/Encounter", move |url| {
        let patient = parameter(url, "patient");
        let mut encounter = resource(
            "Encounter",
            &format!("e-{patient}"),
            1,
            "2026-04-30T08:00:00Z",
        );
        encounter["period"] = json!({ "start": "2026-04-30T08:00:00Z" });
        if patient == "p-2" {
            encounter["status"] = json!(shown.with(|status| *status));
        }
        bundle(url, &[encounter], None)
    });
    world.run_for(30).await;
    assert_eq!(told(&world, &["/record/id"]), NOTHING);
    status.set("finished");
    world.run_for(60).await;
    assert_eq!(
        told(&world, &["/record/id", "/record/status"]),
        ["e-p-2 finished"]
    );
}

#[tokio::test(start_paused = true)]
async fn canvas_gives_no_links_on_an_empty_answer() {
    let world = World::with(&example("canvas"));
    let held: Shared<Vec<Value>> = Shared::new(Vec::new());
    let asked = held.clone();
    world.ehr.on("/Appointment", move |url| {
        asked.with(|held| {
            if held.is_empty() {
                json_answer(&json!({ "resourceType": "Bundle", "type": "searchset", "total": 0 }))
            } else {
                let from = &parameter(url, "date")[2..];
                let shown: Vec<Value> = held
                    .iter()
                    .filter(|record| record["start"].as_str().expect("a start") >= from)
                    .cloned()
                    .collect();
                bundle(url, &shown, None)
            }
        })
    });
    world
        .ehr
        .on("/Patient/", |_| json_answer(&json!({ "id": "p" })));
    world.run_for(30).await;
    held.set(vec![json!({ "resourceType": "Appointment", "id": "a", "status": "booked", "start": "2026-05-02T08:00:00Z", "participant": [{ "actor": { "reference": "Patient/p" } }] })]);
    world.run_for(60).await;
    assert_eq!(told(&world, &["/record/id", "/patient/id"]), ["a p"]);
    held.with(|held| held[0]["status"] = json!("cancelled"));
    world.run_for(60).await;
    assert_eq!(
        told(&world, &["/record/id", "/record/status"]),
        ["a cancelled"]
    );
}

#[tokio::test(start_paused = true)]
async fn modmed_knows_whole_days_and_says_after() {
    let world = World::with(&example("modmed"));
    let held: Shared<Vec<Value>> = Shared::new(Vec::new());
    let asked = held.clone();
    world.ehr.on(
        "/ema-dev/firm/dermpmsandbox1/ema/fhir/v2/Appointment",
        move |url| {
            let after = parameter(url, "_lastUpdated");
            let after = after.strip_prefix("gt").expect("after a day");
            assert_eq!(after.len(), 10, "a day and nothing more: {after}");
            let shown: Vec<Value> = asked.with(|held| {
                let day = |record: &Value| {
                    record["meta"]["lastUpdated"].as_str().expect("a time")[..10].to_owned()
                };
                held.iter()
                    .filter(|record| day(record).as_str() > after)
                    .cloned()
                    .collect()
            });
            bundle(url, &shown, None)
        },
    );
    held.set(vec![resource(
        "Appointment",
        "old",
        1,
        "2026-05-01T08:00:00Z",
    )]);
    world.run_for(30).await;
    held.with(|held| held.push(resource("Appointment", "a", 1, "2026-05-01T10:00:40Z")));
    world.run_for(60).await;
    held.with(|held| held.push(resource("Appointment", "b", 1, "2026-05-01T10:01:40Z")));
    world.run_for(120).await;
    assert_eq!(
        told(&world, &["/record/id"]),
        ["a", "b"],
        "each once, on the day of the cursor too"
    );
}

#[tokio::test(start_paused = true)]
async fn nextech_gives_records_in_the_order_in_which_they_were_entered() {
    let world = World::with(&example("nextech"));
    let held: Shared<Vec<Value>> = Shared::new(Vec::new());
    let asked = held.clone();
    world.ehr.on_request("/api/Appointment", move |request| {
        assert_eq!(
            request.url.query().map(|query| query.contains('+')),
            Some(false)
        );
        assert_eq!(request.headers["cache-control"], "no-cache");
        asked.with(|held| bundle(&request.url, &changed(&request.url, held), None))
    });
    world.run_for(30).await;
    held.set(vec![
        resource("Appointment", "b", 1, "2026-05-01T10:00:50Z"),
        resource("Appointment", "a", 1, "2026-05-01T10:00:40Z"),
    ]);
    world.run_for(120).await;
    assert_eq!(told(&world, &["/record/id"]), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn medplum_is_paged_by_links_with_cursors() {
    let world = World::with(&example("medplum"));
    let held: Shared<Vec<Value>> = Shared::new(Vec::new());
    let asked = held.clone();
    world.ehr.on("/fhir/R4/Appointment", move |url| {
        asked.with(|held| {
            let shown = changed(url, held);
            let at: usize = parameter(url, "_cursor").parse().unwrap_or(0);
            let next = with_parameter(url, "_cursor", at + 1);
            let rows: Vec<Value> = shown.iter().skip(at).take(1).cloned().collect();
            bundle(url, &rows, (shown.len() > at + 1).then_some(next.as_str()))
        })
    });
    world.run_for(30).await;
    held.set(
        (0..3)
            .map(|n| {
                resource(
                    "Appointment",
                    &format!("a{n}"),
                    1,
                    &format!("2026-05-01T10:00:4{n}Z"),
                )
            })
            .collect(),
    );
    world.run_for(60).await;
    assert_eq!(told(&world, &["/record/id"]), ["a0", "a1", "a2"]);
}

#[tokio::test(start_paused = true)]
async fn openmrs_by_fhir_and_by_its_feed_with_archives() {
    let world = World::with(&example("openmrs"));
    let patients: Shared<Vec<Value>> = Shared::new(Vec::new());
    let asked = patients.clone();
    world.ehr.on("/openmrs/ws/fhir2/R4/Patient", move |url| {
        // Its links show an inner address.
        let inner =
            Url::parse("http://localhost:8080/openmrs/ws/fhir2/R4/Patient?page=2").expect("a URL");
        asked.with(|held| {
            if parameter(url, "page") == "2" {
                return bundle(url, &held[1..], None);
            }
            let shown = changed(url, held.get(..1).unwrap_or_default());
            let has_more = held.len() > 1 && !shown.is_empty();
            bundle(url, &shown, has_more.then_some(inner.as_str()))
        })
    });
    // Three entries to a page, oldest first; older pages are archives.
    let entries = Shared::new(0_u32);
    let fed = entries.clone();
    world.ehr.on("/openmrs/ws/atomfeed/encounter/", move |url| {
        let count = fed.with(|count| *count);
        let last_page = count.saturating_sub(1) / 3;
        let page = match url.path().rsplit('/').next() {
            Some("recent") | None => last_page,
            Some(number) => number.parse().expect("a page"),
        };
        let shown = (page * 3..count.min(page * 3 + 3)).map(|n| format!(
            "<entry><title>Encounter</title><id>tag:{n}</id><updated>2026-05-01T10:00:{:02}Z</updated><content type=\"application/vnd.atomfeed+xml\"><![CDATA[/openmrs/ws/rest/v1/encounter/{n}?v=full]]></content></entry>",
            30 + n
        )).collect::<Vec<_>>().concat();
        let archive = if page == 0 { String::new() } else { format!("<link rel=\"prev-archive\" href=\"http://localhost:8080/openmrs/ws/atomfeed/encounter/{}\"/>", page - 1) };
        crate::ehr::text_answer(&format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><feed xmlns=\"http://www.w3.org/2005/Atom\"><title>feed</title><link rel=\"self\" href=\"x\"/>{archive}{shown}</feed>"))
    });
    world.run_for(30).await;
    assert_eq!(told(&world, &["/record/id"]), NOTHING);
    entries.set(8);
    patients.set(vec![
        resource("Patient", "p1", 1, "2026-05-01T10:00:40Z"),
        resource("Patient", "p2", 1, "2026-05-01T10:00:41Z"),
    ]);
    world.run_for(60).await;
    let bodies = told(&world, &["/record/id", "/patient/id"]);
    let expected: Vec<String> = ["- p1".to_owned(), "- p2".to_owned()]
        .into_iter()
        .chain((0..8).map(|n| format!("tag:{n} -")))
        .collect();
    assert_eq!(bodies, expected);
    entries.set(9);
    world.run_for(60).await;
    assert_eq!(told(&world, &["/record/id"]), ["tag:8"]);
}

#[tokio::test(start_paused = true)]
async fn openemr_finds_a_cancellation_that_moved_no_date_and_believes_no_last_update() {
    let world = World::with(&example("openemr"));
    let appointments: Shared<Vec<Value>> = Shared::new(vec![
        json!({ "resourceType": "Appointment", "id": "a1", "status": "booked" }),
        json!({ "resourceType": "Appointment", "id": "a2", "status": "booked" }),
    ]);
    let name = Shared::new("One");
    let (asked, called, clock) = (
        appointments.clone(),
        name.clone(),
        std::sync::Arc::clone(&world.ports.clock),
    );
    let now = move || clock.now().to_string();
    let in_patients = now.clone();
    let stamped = move |mut record: Value, at: &str| {
        record["meta"] = json!({ "lastUpdated": at });
        record
    };
    world.ehr.on("/apis/default/fhir/Appointment", move |url| {
        let at = now();
        let shown: Vec<Value> = asked.with(|held| {
            held.iter()
                .map(|record| stamped(record.clone(), &at))
                .collect()
        });
        bundle(url, &shown, None)
    });
    // Everything was updated right now, each time anew.
    world.ehr.on("/apis/default/fhir/Patient", move |url| {
        let mut patient = resource("Patient", "p1", 1, &in_patients());
        patient["name"] = json!(called.with(|name| *name));
        bundle(url, &[patient], None)
    });
    world.run_for(150).await;
    assert_eq!(told(&world, &["/record/id"]), NOTHING);
    appointments.with(|held| {
        held[0]["status"] = json!("cancelled");
    });
    name.set("Another");
    world.run_for(60).await;
    assert_eq!(
        told(&world, &["/kind", "/appointment/id", "/record/name"]),
        ["- - Another", "updated a1 -"]
    );
}
