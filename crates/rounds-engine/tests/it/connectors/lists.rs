//! APIs that give lists as JSON.

use super::{NOTHING, Shared, example, example_with, failure, parameter, told, with_parameter};
use crate::ehr::{json_answer, status, text_answer};
use crate::world::World;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;

#[tokio::test(start_paused = true)]
async fn drchrono_orders_by_the_scheduled_date_and_keeps_what_was_archived() {
    let world = World::with(&example("drchrono"));
    let held: Shared<Vec<Value>> = Shared::new(Vec::new());
    let asked = held.clone();
    world.ehr.on("/api/appointments", move |url| {
        assert_eq!(parameter(url, "show_archived"), "true");
        let since = parameter(url, "since");
        let at: usize = parameter(url, "cursor").parse().unwrap_or(0);
        asked.with(|held| {
            // Inclusive, by the scheduled date, one to a page.
            let mut shown: Vec<&Value> = held
                .iter()
                .filter(|record| record["updated_at"].as_str().expect("a time") >= since.as_str())
                .collect();
            shown.sort_by_key(|record| record["scheduled_time"].to_string());
            let next = (shown.len() > at + 1).then(|| with_parameter(url, "cursor", at + 1));
            json_answer(
                &json!({ "results": shown.get(at).into_iter().collect::<Vec<_>>(), "next": next }),
            )
        })
    });
    world.ehr.on("/api/patients/", |_| {
        json_answer(&json!({ "last_name": "May" }))
    });
    let appointment = |id: u32, updated: &str, scheduled: &str, archived: bool| json!({ "id": id, "updated_at": updated, "scheduled_time": scheduled, "archived": archived, "patient": 5 });
    held.set(vec![appointment(
        1,
        "2026-05-01T09:00:00",
        "2026-05-09T09:00:00",
        false,
    )]);
    world.run_for(30).await;
    assert_eq!(told(&world, &["/record/id"]), NOTHING);
    // The newest change is the first by its scheduled date.
    held.with(|held| {
        held.push(appointment(
            2,
            "2026-05-01T10:00:50",
            "2026-05-02T09:00:00",
            false,
        ));
        held.push(appointment(
            3,
            "2026-05-01T10:00:40",
            "2026-05-05T09:00:00",
            false,
        ));
        held[0] = appointment(1, "2026-05-01T10:00:45", "2026-05-09T09:00:00", true);
    });
    world.run_for(180).await;
    assert_eq!(
        told(
            &world,
            &["/record/id", "/change/kind", "/patient/last_name"]
        ),
        ["1 deleted May", "2 created May", "3 created May"]
    );
}

#[tokio::test(start_paused = true)]
async fn elation_has_a_filter_for_patients_and_dates_for_appointments() {
    let world = World::with(&example("elation"));
    let appointments: Shared<Vec<Value>> = Shared::new(vec![
        json!({ "id": 1, "patient": 9, "scheduled_date": "2026-05-04T09:00:00Z", "last_modified_date": "2026-04-01T00:00:00Z", "deleted_date": null }),
    ]);
    let patients: Shared<Vec<Value>> = Shared::new(Vec::new());
    let (asked, known) = (appointments.clone(), patients.clone());
    world.ehr.on("/api/2.0/appointments/", move |url| {
        let (from, to) = (parameter(url, "from_date"), parameter(url, "to_date"));
        let shown: Vec<Value> = asked.with(|held| {
            let day = |record: &Value| {
                record["scheduled_date"]
                    .as_str()
                    .expect("a date")
                    .to_owned()
            };
            held.iter()
                .filter(|record| from <= day(record) && day(record) <= to)
                .cloned()
                .collect()
        });
        json_answer(&json!({ "results": shown, "next": null }))
    });
    world
        .ehr
        .on("/api/2.0/patients/9/", |_| json_answer(&json!({ "id": 9 })));
    world.ehr.on("/api/2.0/patients/", move |url| {
        let since: Timestamp = parameter(url, "last_modified__gte")
            .parse()
            .expect("an instant");
        let at: usize = parameter(url, "cursor").parse().unwrap_or(0);
        known.with(|held| {
            let shown: Vec<&Value> = (held.iter())
                .filter(|record| {
                    record["last_modified_date"]
                        .as_str()
                        .expect("a time")
                        .parse::<Timestamp>()
                        .expect("an instant")
                        >= since
                })
                .collect();
            let next = (shown.len() > at + 1).then(|| with_parameter(url, "cursor", at + 1));
            json_answer(
                &json!({ "results": shown.get(at).into_iter().collect::<Vec<_>>(), "next": next }),
            )
        })
    });
    world.run_for(30).await;
    assert_eq!(told(&world, &["/record/id"]), NOTHING);
    appointments.with(|held| {
        held[0]["deleted_date"] = json!("2026-05-01T10:00:40Z");
        held[0]["last_modified_date"] = json!("2026-05-01T10:00:40Z");
    });
    patients.set(vec![
        json!({ "id": 20, "last_modified_date": "2026-05-01T10:00:41Z", "deleted_date": null }),
        json!({ "id": 21, "last_modified_date": "2026-05-01T10:00:42Z", "deleted_date": null }),
    ]);
    world.run_for(120).await;
    assert_eq!(
        told(&world, &["/record/id", "/change/kind"]),
        ["1 deleted", "20 created", "21 created"]
    );
}

/// A queue of athenahealth's.
struct Feed {
    waiting: VecDeque<Value>,
    given: Vec<(Timestamp, Value)>,
    subscribed: bool,
    loses: bool,
}

#[tokio::test(start_paused = true)]
async fn athenahealth_forgets_what_it_gave_and_is_asked_for_it_after_a_crash() {
    let world = World::with(&example("athenahealth"));
    let feed = Shared::new(Feed {
        waiting: VecDeque::new(),
        given: Vec::new(),
        subscribed: false,
        loses: false,
    });
    let subscribing = feed.clone();
    world.ehr.on_request(
        "/v1/195900/appointments/changed/subscription",
        move |request| {
            assert_eq!(request.method, http::Method::POST);
            subscribing.with(|feed| feed.subscribed = true);
            json_answer(&json!({ "success": true }))
        },
    );
    let (asked, clock) = (feed.clone(), Arc::clone(&world.ports.clock));
    world.ehr.on("/v1/195900/appointments/changed", move |url| {
        let now = clock.now();
        asked.with(|feed| {
            if !feed.subscribed {
                let mut refusal = text_answer("{\"error\": \"Changed messages require setup (subscription) that has not been done.\"}");
                if let Ok(refusal) = &mut refusal {
                    refusal.status = http::StatusCode::FORBIDDEN;
                }
                return refusal;
            }
            let from = parameter(url, "showprocessedstartdatetime");
            if !from.is_empty() {
                let eastern = TimeZone::get("America/New_York").expect("a zone");
                let local = |text: &str| jiff::civil::DateTime::strptime("%m/%d/%Y %H:%M:%S", text).expect("a local time");
                let (from, to) = (local(&from), local(&parameter(url, "showprocessedenddatetime")));
                let again: Vec<&Value> = (feed.given.iter())
                    .filter(|(at, _)| (from..=to).contains(&at.to_zoned(eastern.clone()).datetime()))
                    .map(|(_, record)| record)
                    .collect();
                return json_answer(&json!({ "appointments": again, "totalcount": again.len() }));
            }
            let given: Vec<Value> = feed.waiting.drain(..).collect();
            feed.given.extend(given.iter().map(|record| (now, record.clone())));
            if std::mem::take(&mut feed.loses) {
                return Ok(status(502));
            }
            json_answer(&json!({ "appointments": given, "totalcount": given.len() }))
        })
    });
    world.ehr.on("/v1/195900/patients/", |_| {
        json_answer(&json!([{ "patientid": "1" }]))
    });
    let appointment = |id: u32| json!({ "appointmentid": id.to_string(), "patientid": "1", "appointmentstatus": "f" });
    // It subscribes, and asks for nothing until that holds.
    world.run_for(270).await;
    assert_eq!(world.ehr.asked("/v1/195900/appointments/changed"), 1);
    world.run_for(60).await;
    assert_eq!(failure(&world, "appointments").await, None);
    feed.with(|feed| {
        feed.waiting.extend([appointment(1), appointment(2)]);
        // It takes them out, and its answer never arrives.
        feed.loses = true;
    });
    world.run_for(60).await;
    assert_eq!(told(&world, &["/record/appointmentid"]), NOTHING);
    feed.with(|feed| feed.waiting.push_back(appointment(3)));
    world.run_for(60).await;
    assert_eq!(told(&world, &["/record/appointmentid"]), ["1", "2", "3"]);
    // A subscription that is gone is made again, and what waits is told.
    feed.with(|feed| {
        feed.subscribed = false;
        feed.waiting.push_back(appointment(4));
    });
    world.run_for(60).await;
    assert_eq!(
        failure(&world, "appointments").await.as_deref(),
        Some("R0341")
    );
    world.run_for(420).await;
    assert_eq!(told(&world, &["/record/appointmentid"]), ["4"]);
    assert_eq!(failure(&world, "appointments").await, None);
}

#[tokio::test(start_paused = true)]
async fn open_dental_says_its_own_time_and_an_empty_list_says_none() {
    let world = World::with(&example("open-dental"));
    let held: Shared<Vec<(u32, &str)>> = Shared::new(Vec::new());
    let (asked, clock) = (held.clone(), Arc::clone(&world.ports.clock));
    *world.ehr.clock_ahead_seconds.lock().expect("not poisoned") = Some(-600);
    // The office's clock is ten minutes behind ours, and it altered *after* what is asked.
    world.ehr.on("/api/v1/appointments", move |url| {
        let chicago = TimeZone::get("America/Chicago").expect("a zone");
        let behind = clock.now() - jiff::SignedDuration::from_mins(10);
        let now = behind.to_zoned(chicago).strftime("%Y-%m-%d %H:%M:%S").to_string();
        let after = parameter(url, "DateTStamp");
        let offset: usize = parameter(url, "Offset").parse().expect("an offset");
        let rows: Vec<Value> = asked.with(|held| {
            let shown = held.iter().filter(|(_, at)| *at > after.as_str());
            shown.skip(offset).take(100).map(|(id, at)| json!({ "AptNum": id, "PatNum": 4, "DateTStamp": at, "serverDateTime": now })).collect()
        });
        json_answer(&Value::Array(rows))
    });
    world.ehr.on("/api/v1/patients/4", |_| {
        json_answer(&json!({ "LName": "May" }))
    });
    world.run_for(30).await;
    // 10:01 in London's winter is 05:01 in Chicago's summer; their clock shows 04:51.
    held.set(vec![(1, "2026-05-01 04:50:50")]);
    world.run_for(60).await;
    assert_eq!(
        told(&world, &["/record/AptNum", "/patient/LName"]),
        ["1 May"]
    );
    held.with(|held| held.push((2, "2026-05-01 04:52:10")));
    world.run_for(180).await;
    assert_eq!(told(&world, &["/record/AptNum"]), ["2"]);
}

#[tokio::test(start_paused = true)]
async fn dhis2_shows_deleted_events_and_times_without_a_zone() {
    let world = World::with(&example("dhis2"));
    let held: Shared<Vec<Value>> = Shared::new(Vec::new());
    let asked = held.clone();
    world.ehr.on("/api/tracker/events", move |url| {
        assert_eq!(
            (
                parameter(url, "includeDeleted").as_str(),
                parameter(url, "updatedWithin").as_str()
            ),
            ("true", "")
        );
        let after = parameter(url, "updatedAfter");
        assert!(!after.ends_with('Z'), "{after}");
        let page: usize = parameter(url, "page").parse().expect("a page");
        let shown: Vec<Value> = asked.with(|held| {
            let later = held
                .iter()
                .filter(|event| event["updatedAt"].as_str().expect("a time") >= after.as_str());
            later.skip((page - 1) * 50).take(50).cloned().collect()
        });
        json_answer(&json!({ "page": page, "pageSize": 50, "events": shown }))
    });
    let event = |id: &str, at: &str, deleted: bool| json!({ "event": id, "updatedAt": at, "deleted": deleted });
    held.set(vec![event("e1", "2026-05-01T09:59:50.000", false)]);
    world.run_for(30).await;
    held.set(vec![
        event("e1", "2026-05-01T10:00:40.123", true),
        event("e2", "2026-05-01T10:00:41.000", false),
    ]);
    world.run_for(180).await;
    assert_eq!(
        told(&world, &["/event/event", "/kind"]),
        ["e1 deleted", "e2 created"]
    );
}

#[tokio::test(start_paused = true)]
async fn cliniko_has_a_list_for_each_end_of_an_appointment() {
    let actions = "  patients: { connection: clinic, uses: patients, at: \"* * * * *\", to: app, notify: { body: { kind: = .change.kind, patient: = .record } } }\n";
    let world = World::with(&example_with("cliniko", actions));
    let lists: Shared<[Vec<Value>; 3]> = Shared::new([Vec::new(), Vec::new(), Vec::new()]);
    let asked = lists.clone();
    world
        .ehr
        .on_request("/v1/individual_appointments", move |request| {
            let url = &request.url;
            let since = parameter(url, "q[]");
            let since: Timestamp = since
                .strip_prefix("updated_at:>=")
                .expect("a filter")
                .parse()
                .expect("an instant");
            let list = match url.path().rsplit('/').next() {
                Some("cancelled") => 1,
                Some("deleted") => 2,
                _ => 0,
            };
            let shown: Vec<Value> = asked.with(|lists| {
                let of = |record: &Value| -> Timestamp {
                    record["updated_at"]
                        .as_str()
                        .expect("a time")
                        .parse()
                        .expect("an instant")
                };
                lists[list]
                    .iter()
                    .filter(|record| of(record) >= since)
                    .cloned()
                    .collect()
            });
            json_answer(
                &json!({ "individual_appointments": shown, "links": { "self": url.as_str() } }),
            )
        });
    world.ehr.on("/v1/patients", |_| {
        json_answer(&json!({ "patients": [], "links": {} }))
    });
    // Identifiers have more digits than a double can hold.
    let appointment = |id: &str, at: &str| json!({ "id": id, "updated_at": at });
    let (kept, cancelled, deleted) = (
        "1234567890123456781",
        "1234567890123456782",
        "1234567890123456783",
    );
    lists.with(|lists| {
        lists[0] = [kept, cancelled, deleted]
            .map(|id| appointment(id, "2026-05-01T09:59:50Z"))
            .to_vec();
    });
    world.run_for(30).await;
    assert_eq!(told(&world, &["/kind"]), NOTHING);
    lists.set([
        vec![appointment(kept, "2026-05-01T10:00:40Z")],
        vec![appointment(cancelled, "2026-05-01T10:00:41Z")],
        vec![appointment(deleted, "2026-05-01T10:00:42Z")],
    ]);
    world.run_for(180).await;
    assert_eq!(
        told(&world, &["/appointment/id", "/kind"]),
        [
            format!("{kept} updated"),
            format!("{cancelled} updated"),
            format!("{deleted} deleted")
        ]
    );
}
