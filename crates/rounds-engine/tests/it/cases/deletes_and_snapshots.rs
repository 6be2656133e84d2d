//! K. Deletions, whole comparisons, and what is no change.

use crate::ehr::text_answer;
use crate::world::{APPOINTMENTS, World};
use serde_json::json;

const WEEK_SECONDS: u64 = 7 * 24 * 3_600;

#[tokio::test(start_paused = true)]
async fn after_a_week_of_pause_the_changes_are_told_and_not_the_history() {
    // Case 94: docs.zapier.com: a list of what was seen was cleared when the feed was switched off.
    let without = APPOINTMENTS
        .replace("  appointments:\n", "  other:\n")
        .replace("get: /appointments", "get: /other");
    // The process is down for a week, or goes on without the action.
    for gone in ["the process", "the action"] {
        for with_field in [true, false] {
            let config = if with_field {
                APPOINTMENTS.to_owned()
            } else {
                APPOINTMENTS.replace(", field: .lastModified", "")
            };
            let world = World::with(&config);
            world
                .ehr
                .on("/api/other", |_| crate::ehr::json_answer(&json!([])));
            for id in 0..20 {
                world.clinic.put(id, "p", "history", world.now());
            }
            world.run_for(30).await;
            world.clinic.put(1, "p", "known", world.now());
            world.run_for(30).await;
            assert_eq!(world.told(), ["1:known"]);

            let world = if gone == "the process" {
                world.pass(WEEK_SECONDS / 2).await;
                world.clinic.put(2, "p", "meanwhile", world.now());
                world.pass(WEEK_SECONDS / 2).await;
                world
            } else {
                let world = world.reconfigured(&without);
                world.run_for(1_800).await;
                world.clinic.put(2, "p", "meanwhile", world.now());
                world.run_for(1_800).await;
                world.pass(WEEK_SECONDS).await;
                world.reconfigured(&config)
            };
            world.clinic.put(21, "p", "new", world.now());
            world.run_for(60).await;
            assert_eq!(
                world.told_sorted(),
                ["21:new", "2:meanwhile"],
                "{gone} was gone, by field: {with_field}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_version_the_content_says_whether_a_record_changed() {
    // Case 91: Nango's documentation, NangoHQ/nango#5700.
    let config = APPOINTMENTS.replace("version: .version", "ignore: [.fetchedAt]");
    let world = World::with(&config);
    world.run_for(1).await;
    let answer = |fetched: &str, status: &str| {
        format!(
            r#"[{{"id": 7, "status": "{status}", "fetchedAt": "{fetched}", "patientID": "p", "lastModified": "2026-05-01T10:00:05Z"}}]"#
        )
    };
    let first = answer("one", "booked");
    world
        .ehr
        .on("/api/appointments", move |_| text_answer(&first));
    world.run_for(20).await;
    assert_eq!(world.told(), ["7:booked"]);

    // Another order of keys and another time of fetching are no change (Nango#5700).
    world.ehr.on("/api/appointments", |_| {
        text_answer(
            r#"[{"lastModified": "2026-05-01T10:00:05Z", "status": "booked", "id": 7, "patientID": "p", "fetchedAt": "two"}]"#,
        )
    });
    world.run_for(20).await;
    assert_eq!(world.told(), [] as [String; 0]);

    let changed = answer("three", "moved");
    world
        .ehr
        .on("/api/appointments", move |_| text_answer(&changed));
    world.run_for(20).await;
    assert_eq!(world.told(), ["7:moved"]);
}
