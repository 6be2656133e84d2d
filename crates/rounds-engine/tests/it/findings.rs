//! What a person should look at is kept with its feed until it is gone.

use crate::ehr::{json_answer, modified, parameter, status};
use crate::versions::shows;
use crate::world::{World, appointments_with};
use jiff::ToSpan;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rounds_domain::Finding;
use rounds_engine::{Subject, rehearse};
use serde_json::{Value, json};

/// The findings of the change query, as code and words.
async fn found(world: &World) -> Vec<String> {
    let findings = world.feed("appointments").await.findings;
    findings.iter().map(shown).collect()
}

fn shown(finding: &Finding) -> String {
    let sighting = &finding.sighting;
    format!("{} {}", sighting.code, sighting.message)
}

#[tokio::test(start_paused = true)]
async fn what_records_show_is_kept_and_gone_after_a_day_of_records_without_it() {
    let world = World::with(&appointments_with(&[
        ("      version: .version\n", ""),
        ("overlap: 30s, field: .lastModified", "overlap: 30s"),
    ]));
    let rows = shows(&world);
    world.run_for(1).await;
    assert_eq!(found(&world).await, [""; 0]);
    let row = |who: &str| json!({ "id": 1, "status": "booked", "patientID": "p", "who": who });
    *rows.lock().expect("not poisoned") = vec![row("doctor"), row("patient")];
    world.run_for(60).await;
    let words = "R0370 1 record comes twice in one answer, in states of which nothing says which is the newer; the known one stands";
    assert_eq!(found(&world).await, [words]);
    let first = world.feed("appointments").await.findings[0].clone();
    assert!(first.last_seen_at > first.first_seen_at, "{first:?}");

    // An empty answer and one without it are no evidence yet.
    rows.lock().expect("not poisoned").clear();
    world.run_for(3600).await;
    *rows.lock().expect("not poisoned") = vec![row("doctor")];
    world.run_for(3600).await;
    let later = world.feed("appointments").await.findings[0].clone();
    assert_eq!(later.first_seen_at, first.first_seen_at);
    world.run_for(23 * 3600).await;
    assert_eq!(found(&world).await, [""; 0]);
}

/// A server that writes local times without an offset and reads its filter in them.
fn server_in(world: &World, zone: &str) {
    let (clinic, zone) = (world.clinic.clone(), TimeZone::get(zone).expect("a zone"));
    world.ehr.on("/api/appointments", move |url| {
        let since: DateTime = parameter(url, "changedsince").parse().expect("a time");
        let since = since.to_zoned(zone.clone()).expect("an instant");
        let found = clinic.from(since.timestamp()).into_iter();
        let shown = found.map(|mut appointment| {
            let local = modified(&appointment).to_zoned(zone.clone()).datetime();
            let text = local.strftime("%Y-%m-%dT%H:%M:%S").to_string();
            appointment["lastModified"] = json!(text);
            appointment
        });
        json_answer(&Value::Array(shown.collect()))
    });
}

#[tokio::test(start_paused = true)]
async fn a_zone_that_was_forgotten_is_a_finding_until_a_change_is_shown_on_time() {
    let yaml = appointments_with(&[]);
    for (zone, wanted) in [
        ("America/Chicago", Some("5 h 0 min behind its clock")),
        ("Asia/Kathmandu", Some("5 h 44 min ahead of its clock")),
        ("UTC", None),
    ] {
        let world = World::with(&yaml);
        server_in(&world, zone);
        world.clinic.put(90, "p", "old", world.now() - 30.seconds());
        world.run_for(20).await;
        let words = found(&world).await;
        let wanted: Vec<String> = (wanted.iter())
            .map(|words| format!("R0372 the latest date that the EHR showed is {words}"))
            .collect();
        let words: Vec<&String> = (words.iter())
            .filter(|text| text.starts_with("R0372"))
            .collect();
        assert_eq!(words, wanted.iter().collect::<Vec<_>>(), "{zone}");

        // What was mended shows with the next change.
        let overlap = "overlap: 30s, field";
        assert!(yaml.contains(overlap));
        let world = world.reconfigured(&yaml.replace(overlap, &format!("zone: {zone}, {overlap}")));
        world.clinic.put(1, "p", "booked", world.now());
        world.run_for(60).await;
        let words = found(&world).await;
        assert!(
            !words.iter().any(|text| text.starts_with("R0372")),
            "{zone} {words:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_says_what_it_found_and_keeps_nothing() {
    let world = World::usual();
    let rows = shows(&world);
    world.run_for(1).await;
    let at = world.now().to_string();
    *rows.lock().expect("not poisoned") = vec![
        json!({ "id": 1, "status": "booked", "patientID": "p", "lastModified": at }),
        json!({ "status": "booked", "patientID": "p", "lastModified": at }),
        json!({ "id": 3, "status": "booked", "patientID": "p", "lastModified": "soon" }),
    ];
    let feed = crate::world::feed_key("appointments", "changes");
    let report = rehearse(&world.plan, &world.ports, &feed, Subject::NextRound).await;
    let found_by_poll: Vec<String> = (report.expect("a report").findings.iter())
        .map(|sighting| sighting.code.to_string())
        .collect();
    assert_eq!(found_by_poll, ["R0374", "R0375"]);
    assert_eq!(found(&world).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_has_no_identity_or_is_not_unique_is_seen_in_every_round_from_the_first() {
    for start in ["now", "beginning"] {
        let start = ("start: now", format!("start: {start}"));
        let undated = ("overlap: 30s, field: .lastModified", "overlap: 30s");
        let world = World::with(&appointments_with(&[
            (start.0, &start.1),
            undated,
            ("      version: .version\n", ""),
        ]));
        let rows = shows(&world);
        *rows.lock().expect("not poisoned") = vec![
            json!({ "id": 1, "status": "a", "patientID": "p" }),
            json!({ "id": 1, "status": "b", "patientID": "p" }),
            json!({ "status": "c", "patientID": "p" }),
        ];
        world.run_for(5).await;
        let codes = |findings: &[Finding]| -> Vec<&'static str> {
            findings
                .iter()
                .map(|finding| finding.sighting.code.as_str())
                .collect()
        };
        let first = world.feed("appointments").await.findings;
        assert_eq!(codes(&first), ["R0370", "R0375"], "{start:?}");
        world.run_for(60).await;
        let later = world.feed("appointments").await.findings;
        assert_eq!(codes(&later), ["R0370", "R0375"], "{start:?}");
        for (first, later) in first.iter().zip(&later) {
            assert!(later.last_seen_at > first.last_seen_at, "{later:?}");
        }
    }
}

/// Where only some records have it, `empty` says so; a misspelt path and another form of times are said.
#[tokio::test(start_paused = true)]
async fn records_that_should_say_when_they_were_made_and_do_not_are_counted() {
    let found_with = async |created: &str| {
        let keys = format!("      id: .id\n      created: {created}\n");
        let world = World::with(&appointments_with(&[("      id: .id\n", &keys)]));
        let rows = shows(&world);
        world.run_for(1).await;
        let at = world.now().to_string();
        *rows.lock().expect("not poisoned") = vec![
            json!({ "id": 1, "patientID": "p", "lastModified": at, "createdAt": at, "made": "2026-13-01" }),
            json!({ "id": 2, "patientID": "p", "lastModified": at, "createdAt": at, "made": at }),
        ];
        world.run_for(60).await;
        let found = found(&world).await;
        found
            .into_iter()
            .map(|words| words[..7].trim_end().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(found_with(".createdAt").await, [""; 0]);
    assert_eq!(found_with(".creatdAt").await, ["R0378 2"]);
    assert_eq!(found_with(".made").await, ["R0378 1"]);
    assert_eq!(found_with(".creatdAt // empty").await, [""; 0]);
}

/// Five appointments whose body and lookup are as said.
async fn five(body: &str, lookup: &str, is_patient_there: bool) -> World {
    let usual = "body: { id: = .record.id, status: = .record.status, was: = .previous.status, kind: = .change.kind, patient: = .patient.name, missing: = .change.missing }";
    let world = World::with(&appointments_with(&[
        (usual, body),
        ("/patient/{{ record.patientID }}", lookup),
    ]));
    let rows = shows(&world);
    world.ehr.on("/api/patient/", move |url| {
        if is_patient_there && url.path().ends_with("/p") {
            json_answer(&json!({ "name": "Ann" }))
        } else {
            Ok(status(404))
        }
    });
    world.run_for(1).await;
    let at = world.now().to_string();
    let row = |id: u8| json!({ "id": id, "version": 1, "status": "booked", "patientID": "p", "lastModified": at });
    *rows.lock().expect("not poisoned") = (1..=5).map(row).collect();
    world.run_for(60).await;
    world
}

#[tokio::test(start_paused = true)]
async fn what_is_never_there_is_said_once_there_are_enough_messages_without_it() {
    let right = "body: { id: = .record.id, note: = .record.note // null, who: = .patient.name }";
    let usual = "/patient/{{ record.patientID }}";
    let world = five(right, usual, true).await;
    assert_eq!(found(&world).await, [""; 0]);

    let misspelt =
        "body: { id: = .record.id, state: = .record.state, who: { name: = .patient.nam } }";
    let world = five(misspelt, usual, true).await;
    let words = "R0385 `state`, `who.name` are empty in every message (5 so far)";
    assert_eq!(found(&world).await, [words]);

    let world = five(right, "/patient/{{ record.id }}", true).await;
    let expected = [
        "R0384 `patient` has found nothing for any record (5 so far)",
        "R0385 `who` is empty in every message (5 so far)",
    ];
    assert_eq!(found(&world).await, expected);
    // The EHR learns of it, and the findings go.
    world
        .ehr
        .on("/api/patient/", |_| json_answer(&json!({ "name": "Ann" })));
    let at = world.now().to_string();
    let rows = shows(&world);
    *rows.lock().expect("not poisoned") =
        vec![json!({ "id": 9, "version": 1, "patientID": "p", "lastModified": at })];
    world.run_for(60).await;
    assert_eq!(found(&world).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_says_what_is_never_there_of_what_it_shows() {
    let world = World::with(&appointments_with(&[
        ("status: = .record.status", "status: = .record.state"),
        ("start: now", "start: beginning"),
    ]));
    let rows = shows(&world);
    world.ehr.on("/api/patient/", |_| Ok(status(404)));
    let at = world.now().to_string();
    *rows.lock().expect("not poisoned") =
        vec![json!({ "id": 1, "version": 1, "patientID": "p", "lastModified": at })];
    let feed = crate::world::feed_key("appointments", "changes");
    let report = rehearse(&world.plan, &world.ports, &feed, Subject::NextRound).await;
    let said: Vec<String> = (report.expect("a report").findings.iter())
        .map(|sighting| format!("{} {}", sighting.code, sighting.message))
        .collect();
    assert_eq!(
        said,
        [
            "R0384 `patient` has found nothing for any record (1 so far)",
            "R0385 `patient`, `status` are empty in every message (1 so far)",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_has_never_shown_a_record_is_a_finding_after_a_day() {
    let world = World::with(&appointments_with(&[("every: 10s", "every: 1h")]));
    let rows = shows(&world);
    world.run_for(23 * 3600).await;
    assert_eq!(found(&world).await, [""; 0]);
    world.run_for(3 * 3600).await;
    let said = found(&world).await;
    assert!(
        said.len() == 1 && said[0].starts_with("R0386 no record has been shown in "),
        "{said:?}"
    );
    let at = world.now().to_string();
    *rows.lock().expect("not poisoned") =
        vec![json!({ "id": 1, "version": 1, "patientID": "p", "lastModified": at })];
    world.run_for(3600).await;
    assert_eq!(found(&world).await, [""; 0]);
    // A feed that is quiet again for days has shown one.
    world.run_for(72 * 3600).await;
    assert_eq!(found(&world).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_query_in_another_zone_does_not_show_again_what_it_showed_and_that_is_said() {
    let story = async |zone: &str| {
        let cursor = format!("overlap: 30s, zone: {zone}, field: .lastModified");
        let config = appointments_with(&[
            ("overlap: 30s, field: .lastModified", &cursor),
            ("start: now", "start: 2026-05-01T00:00:00Z"),
        ]);
        let world = World::with(&config);
        world.clinic.put(1, "p", "booked", world.now());
        world.run_for(30).await;
        let said = found(&world).await;
        (world, said)
    };
    // The query from midnight on shows the record in both; from the record's own date on only in one.
    let (world, said) = story("UTC").await;
    assert_eq!(said, [""; 0]);
    // A record that is gone is said too, and the next one that is shown ends it.
    world.clinic.remove(1);
    world.run_for(20).await;
    let words =
        "R0387 asked from the date of the last record on, the EHR does not show that record again";
    assert_eq!(found(&world).await, [words]);
    world.clinic.put(2, "p", "booked", world.now());
    world.run_for(20).await;
    assert_eq!(found(&world).await, [""; 0]);

    let (world, said) = story("Asia/Tokyo").await;
    assert_eq!(said, [words]);
    assert_eq!(world.told(), ["1:booked"]);
}
