//! D. Records that show up late, and times that say nothing.

use crate::ehr::{json_answer, parameter, text_answer};
use crate::world::{APPOINTMENTS, World};
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[tokio::test(start_paused = true)]
async fn nothing_younger_than_settle_is_asked_for_where_the_request_can_say_so() {
    // Case 29: EC:3c0a528d3, EC:de08e0417, EC:eaf827dc0.
    for settle_seconds in [30_i64, 300] {
        let config = APPOINTMENTS
            .replace(
                "query: { changedsince: \"{{ cursor }}\" }",
                "query: { changedsince: \"{{ cursor }}\", until: \"{{ until }}\" }",
            )
            .replace(
                "overlap: 30s",
                &format!("overlap: 30s, settle: {settle_seconds}s"),
            );
        let world = World::with(&config);
        let clinic = world.clinic.clone();
        let clock = std::sync::Arc::clone(&world.ports.clock);
        world.ehr.on("/api/appointments", move |url| {
            let until: Timestamp = format!("{}Z", parameter(url, "until"))
                .parse()
                .expect("an instant");
            assert!(until <= clock.now() - settle_seconds.seconds());
            let mut found = clinic.changed_since(url);
            found.retain(|record| crate::ehr::modified(record) <= until);
            json_answer(&Value::Array(found))
        });
        world.run_for(1).await;
        let changed = world.now();
        world.clinic.put(1, "p", "booked", changed);
        let settle = u64::try_from(settle_seconds).expect("positive");
        world.run_for(settle - 10).await;
        assert_eq!(world.told(), [] as [String; 0]);
        assert!(world.cursor().await < changed);
        world.run_for(30).await;
        assert_eq!(world.told(), ["1:booked"], "settle {settle_seconds} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_row_committed_under_a_page_that_was_just_served_is_told_once() {
    // Case 30: airbytehq/airbyte#80152, airbytehq/airbyte#85918.
    for behind_seconds in [0_i64, 1, 10, 25] {
        let world = World::usual();
        world.run_for(1).await;
        let began = world.now();
        let clinic = world.clinic.clone();
        let mut served = 0_u64;
        world.ehr.on("/api/appointments", move |url| {
            let found = clinic.changed_since(url);
            // Stamped before the latest that was just shown, and saved right after.
            served += 1;
            let latest = began + i64::try_from(served * 12).expect("small").seconds();
            clinic.put(100 + served, "p", "in time", latest);
            clinic.put(served, "p", "late", latest - behind_seconds.seconds());
            json_answer(&Value::Array(found))
        });
        world.run_for(120).await;
        let clinic = world.clinic.clone();
        world.ehr.on("/api/appointments", move |url| {
            json_answer(&Value::Array(clinic.changed_since(url)))
        });
        world.run_for(20).await;
        let told = world.told_sorted();
        let distinct: BTreeSet<_> = told.iter().cloned().collect();
        let all: BTreeSet<_> = world
            .clinic
            .from(Timestamp::UNIX_EPOCH)
            .iter()
            .map(|record| {
                format!(
                    "{}:{}",
                    record["id"],
                    record["status"].as_str().expect("text")
                )
            })
            .collect();
        assert_eq!(distinct, all, "{behind_seconds} s behind");
        assert_eq!(told.len(), distinct.len(), "once each");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_read_again_is_told_if_its_content_changed_and_only_then() {
    // Case 31: EC:a39502261, EC:2c97976d5: what lookback had read again was dropped by a comparison with the cursor.
    let world = World::with(
        &APPOINTMENTS
            .replace("overlap: 30s", "overlap: 10m")
            .replace("      version: .version\n", ""),
    );
    world.run_for(1).await;
    let stamped = world.now();
    let shows = move |world: &World, statuses: [&str; 3]| {
        let records: Vec<_> = (0_i64..)
            .zip(statuses)
            .map(|(id, status)| {
                json!({ "id": id, "status": status, "patientID": "p",
                        "lastModified": (stamped + (id * 5).seconds()).to_string() })
            })
            .collect();
        world
            .ehr
            .on("/api/appointments", move |_| json_answer(&json!(records)));
    };
    shows(&world, ["a", "b", "c"]);
    world.run_for(30).await;
    assert_eq!(world.told_sorted(), ["0:a", "1:b", "2:c"]);
    let cursor = world.cursor().await;
    // Behind the cursor, with the stamp that it always had.
    shows(&world, ["a changed", "b", "c"]);
    world.run_for(60).await;
    assert_eq!(world.told(), ["0:a changed"]);
    shows(&world, ["a changed", "b changed", "c"]);
    world.run_for(60).await;
    assert_eq!(world.told(), ["1:b changed"]);
    assert_eq!(world.cursor().await, cursor);
}

#[tokio::test(start_paused = true)]
async fn an_empty_answer_moves_a_clock_cursor_no_further_than_the_source_has_settled() {
    // Case 32: EC:92c1a43e5, where the cursor is the source's clock.
    for (settle_seconds, ahead_seconds) in
        [(0_i64, 0_i64), (60, 0), (60, -300), (0, 300), (60, 300)]
    {
        let config = APPOINTMENTS.replace(", field: .lastModified", "").replace(
            "overlap: 30s",
            &format!("overlap: 0s, settle: {settle_seconds}s"),
        );
        let config = if settle_seconds > 0 {
            config.replace(
                "query: { changedsince: \"{{ cursor }}\" }",
                "query: { changedsince: \"{{ cursor }}\", until: \"{{ until }}\" }",
            )
        } else {
            config
        };
        let world = World::with(&config);
        *world.ehr.clock_ahead_seconds.lock().expect("not poisoned") = Some(ahead_seconds);
        world
            .ehr
            .on("/api/appointments", |_| json_answer(&json!([])));
        for _ in 0..6 {
            world.run_for(20).await;
            let bound = world.ehr.now() - settle_seconds.seconds();
            assert!(
                world.cursor().await <= bound,
                "settle {settle_seconds} s, {ahead_seconds} s ahead"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn resources_of_one_instant_are_each_told_once_over_all_pages() {
    // Case 37: hapifhir/hapi-fhir#5720.
    let world = World::with(FHIR);
    let search = world.clinic.clone();
    world.ehr.on("/api/Appointment", move |url| {
        bundle(url, &search.from(since(url)))
    });
    world.run_for(1).await;
    let instant = world.now();
    let mut expected = BTreeSet::new();
    for step in 0..5_u64 {
        for id in step * 60..(step + 1) * 60 {
            world.clinic.put(id, "p", "booked", instant);
            expected.insert(format!("{id}:booked"));
        }
        world.run_for(15).await;
    }
    let told = world.told();
    assert_eq!(told.len(), 300);
    assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_kept_its_predecessors_date_is_told() {
    // Case 37: LinuxForHealth/FHIR#3696: version 4 with the lastUpdated of version 3.
    let world = World::with(FHIR);
    let search = world.clinic.clone();
    world.ehr.on("/api/Appointment", move |url| {
        bundle(url, &search.from(since(url)))
    });
    world.run_for(1).await;
    let instant = world.now();
    for version in 1..=4 {
        world.clinic.put(7, "p", &format!("v{version}"), instant);
        world.run_for(15).await;
        assert_eq!(world.told(), [format!("7:v{version}")]);
    }
}

/// A FHIR search for what was updated since.
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
      cursor: { time: rfc3339, overlap: 0s, field: .meta.lastUpdated }
      start: now
      paging: { next_link: '.link[]? | select(.relation == "next") | .url' }
      records: .entry[]?.resource
      id: .id
      version: .meta.versionId
    notify: { body: { id: = .record.id, status: = .record.status } }
    to: app
destinations:
  app: { url: "https://app.example/hooks" }
"#;

fn since(url: &url::Url) -> Timestamp {
    parameter(url, "_lastUpdated")
        .trim_start_matches("ge")
        .parse()
        .expect("an instant")
}

/// A page of a searchset, fifty resources long.
fn bundle(url: &url::Url, found: &[Value]) -> crate::ehr::Answer {
    let offset: usize = url
        .query_pairs()
        .find(|(name, _)| name == "_offset")
        .map_or(0, |(_, offset)| offset.parse().expect("a number"));
    let entries: Vec<_> = found
        .iter()
        .skip(offset)
        .take(50)
        .map(|record| {
            json!({ "resource": {
                "resourceType": "Appointment", "id": record["id"], "status": record["status"],
                "meta": { "versionId": record["version"].to_string(), "lastUpdated": record["lastModified"] },
            } })
        })
        .collect();
    let mut bundle = json!({ "resourceType": "Bundle", "type": "searchset", "entry": entries });
    if found.len() > offset + 50 {
        let since = parameter(url, "_lastUpdated");
        let next = format!(
            "/api/Appointment?_lastUpdated={since}&_count=50&_offset={}",
            offset + 50
        );
        bundle["link"] = json!([{ "relation": "next", "url": next }]);
    }
    json_answer(&bundle)
}

#[tokio::test(start_paused = true)]
async fn what_is_not_settled_is_neither_told_nor_passed() {
    // Case 29: EC:3c0a528d3.
    let world = World::with(&APPOINTMENTS.replace("overlap: 30s", "overlap: 30s, settle: 1m"));
    world.run_for(1).await;
    let changed = world.now();
    world.clinic.put(1, "p", "booked", changed);
    world.run_for(40).await;
    assert_eq!(world.told(), [] as [String; 0]);
    assert!(world.cursor().await < changed);
    world.run_for(40).await;
    assert_eq!(world.told(), ["1:booked"]);
}

#[tokio::test(start_paused = true)]
async fn an_empty_answer_does_not_move_the_cursor() {
    // Case 32: EC:92c1a43e5; case 56: CDK#889.
    let world = World::usual();
    world.run_for(1).await;
    let first = world.cursor().await;
    world.run_for(120).await;
    assert_eq!(world.cursor().await, first);

    let changed = world.now();
    world.clinic.put(1, "p", "booked", changed);
    world.run_for(20).await;
    assert_eq!(
        world.cursor().await,
        changed,
        "the value that the source showed"
    );
}

#[tokio::test(start_paused = true)]
async fn a_record_that_shows_up_late_within_the_overlap_is_told_once() {
    // Case 36: PipedreamHQ/pipedream#21908.
    let world = World::usual();
    world.run_for(1).await;
    let stamped = world.now();
    world.run_for(20).await;
    world.clinic.put(2, "p", "booked", world.now());
    world.run_for(20).await;
    assert_eq!(world.told(), ["2:booked"]);
    // Stamped before the other one, and visible only now (airbyte#80152).
    world.clinic.put(1, "p", "booked", stamped);
    world.run_for(30).await;
    assert_eq!(world.told(), ["1:booked"]);
}

#[tokio::test(start_paused = true)]
async fn a_record_without_a_readable_date_is_told() {
    // Case 33: EC:717cb624a, meltano/sdk#2438, CDK#605.
    let world = World::usual();
    world.run_for(1).await;
    world.ehr.on("/api/appointments", |_| {
        text_answer(
            r#"[{"id": 1, "status": "null", "patientID": "p", "lastModified": null, "version": 1},
                {"id": 2, "status": "odd", "patientID": "p", "lastModified": "yesterday", "version": 1}]"#,
        )
    });
    let before = world.cursor().await;
    world.run_for(40).await;
    let mut told = world.told();
    told.sort();
    assert_eq!(told, ["1:null", "2:odd"]);
    assert_eq!(world.cursor().await, before);
}
