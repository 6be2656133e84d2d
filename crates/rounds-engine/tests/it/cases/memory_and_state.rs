//! I. What grows, and what must not.

use crate::ehr::json_answer;
use crate::world::{APPOINTMENTS, World};
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[tokio::test(start_paused = true)]
async fn more_records_of_one_instant_than_any_part_or_page_are_each_told_once() {
    // Case 79: NIFI-1484, n8n-io/n8n#2817 (remembered ten ids).
    // A drain is committed in parts of 2,000 changes.
    for (count, size) in [(11_u64, 10_usize), (101, 100), (2_100, 700)] {
        let config = APPOINTMENTS
            .replace(
                "start: now",
                &format!(
                    "start: now\n      paging: {{ offset: {{ parameter: offset, size: {size} }} }}"
                ),
            )
            .replace("overlap: 30s", "overlap: 0s")
            .replace(
                "    lookups:\n      patient: { get: \"/patient/{{ record.patientID }}\" }\n",
                "",
            )
            .replace(", patient: = .patient.name", "");
        let world = World::with(&config);
        let clinic = world.clinic.clone();
        world.ehr.on("/api/appointments", move |url| {
            let offset = url
                .query_pairs()
                .find(|(name, _)| name == "offset")
                .map_or(0, |(_, offset)| offset.parse().expect("a number"));
            let found: Vec<Value> = clinic.changed_since(url);
            json_answer(&json!(
                found.iter().skip(offset).take(size).collect::<Vec<_>>()
            ))
        });
        world.run_for(1).await;
        let instant = world.now();
        for id in 0..count {
            world.clinic.put(id, "p", "booked", instant);
        }
        world.run_for(25).await;
        let told = world.told();
        let distinct: BTreeSet<_> = told.iter().collect();
        let count = usize::try_from(count).expect("small");
        assert_eq!((told.len(), distinct.len()), (count, count));
        // The cursor stands at that instant, so each round reads all of them again.
        world.run_for(60).await;
        assert_eq!(world.told().len(), 0, "{count} in pages of {size}");
        assert_eq!(world.cursor().await, instant);
        assert_eq!(world.feed("appointments").await.failure, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_day_of_changes_leaves_no_more_behind_than_its_last_hour() {
    // Case 80: airbytehq/airbyte#17919, CDK#568.
    let config = APPOINTMENTS.replace("every: 10s", "every: 1m").replacen(
        "connections:",
        "keep: 1h\nconnections:",
        1,
    );
    let world = World::with(&config);
    world.run_for(60).await;
    let mut kept = Vec::new();
    let mut told = 0;
    for hour in 0..24_u64 {
        for quarter in 0..4 {
            for id in 0..25 {
                let status = format!("{hour}:{quarter}");
                world
                    .clinic
                    .put(id, &format!("p{id}"), &status, world.now());
            }
            world.run_for(15 * 60).await;
        }
        told += world.told().len();
        world.ehr.take_log();
        let overview = world.overview().await;
        let action = &overview.actions[0];
        kept.push((
            action.known_records,
            action.notifications,
            overview.destinations[0].delivered,
            action.containers_open + action.containers_parked + action.containers_dead,
        ));
    }
    assert_eq!(told, 24 * 4 * 25, "every change was told");
    for (known_records, notifications, delivered, containers) in kept {
        assert_eq!((known_records, containers), (25, 0));
        // An hour of changes, and what waits for the next look of the housekeeping.
        assert!(notifications <= 7 * 25, "{notifications} notifications");
        assert!(delivered <= 7 * 25, "{delivered} deliveries");
    }
}
