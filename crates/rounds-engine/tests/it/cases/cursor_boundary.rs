//! A. What happens at the cursor's own value.

use crate::ehr::{json_answer, modified, parameter};
use crate::world::{APPOINTMENTS, World};
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The usual config with another interval and another overlap.
fn config(every: &str, overlap: &str) -> String {
    APPOINTMENTS
        .replace("every: 10s", &format!("every: {every}"))
        .replace("timeout: 5s", "timeout: 1s")
        .replace("overlap: 30s", &format!("overlap: {overlap}"))
}

#[tokio::test(start_paused = true)]
async fn a_record_that_shows_up_at_the_cursors_own_instant_is_told_and_its_neighbour_is_not_told_again()
 {
    // Case 1: airbytehq/airbyte#14732, airbytehq/airbyte#44402.
    for (every, overlap) in [
        ("1s", "0s"),
        ("10s", "0s"),
        ("10s", "1s"),
        ("10s", "30s"),
        ("1m", "5m"),
    ] {
        let world = World::with(&config(every, overlap));
        world.run_for(1).await;
        let instant = world.now();
        world.clinic.put(1, "p", "booked", instant);
        world.run_for(130).await;
        assert_eq!(world.cursor().await, instant, "every {every}");
        world.clinic.put(2, "p", "booked", instant);
        world.run_for(130).await;
        assert_eq!(
            world.told(),
            ["1:booked", "2:booked"],
            "every {every}, overlap {overlap}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_record_of_a_page_does_not_decide_for_the_page() {
    // Case 3: EC:5042ac3ca.
    for size in [1, 2, 3, 10] {
        let paging = format!(
            "      paging: {{ offset: {{ parameter: offset, size: {size} }} }}\n      records: .[]\n"
        );
        let world = World::with(&APPOINTMENTS.replace("      records: .[]\n", &paging));
        world.run_for(1).await;
        let clinic = world.clinic.clone();
        world.ehr.on("/api/appointments", move |url| {
            let offset = url
                .query_pairs()
                .find(|(name, _)| name == "offset")
                .map_or(0, |(_, offset)| offset.parse().expect("a number"));
            let found = clinic.changed_since(url);
            json_answer(&json!(
                found.iter().skip(offset).take(size).collect::<Vec<_>>()
            ))
        });
        let first = world.now();
        world.clinic.put(1, "p", "old", first);
        world.run_for(20).await;
        assert_eq!(world.told(), ["1:old"]);
        world.clinic.put(2, "p", "new", first + 1.second());
        world.clinic.put(3, "p", "new", first + 2.seconds());
        world.run_for(40).await;
        assert_eq!(world.told_sorted(), ["2:new", "3:new"], "pages of {size}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_does_not_matter_whether_the_ehr_means_since_or_after() {
    // Case 4: EC:fb0b43981. The other way round is estuary/connectors#5205: what is strictly later loses a second's rest.
    for strictly_after in [false, true] {
        let world = World::with(&config("10s", "1s"));
        let clinic = world.clinic.clone();
        world.ehr.on("/api/appointments", move |url| {
            let mut found = clinic.changed_since(url);
            let since = format!("{}Z", parameter(url, "changedsince"));
            let since: Timestamp = since.parse().expect("an instant");
            found.retain(|record| !strictly_after || modified(record) > since);
            json_answer(&Value::Array(found))
        });
        world.run_for(1).await;
        let instant = world.now();
        for id in 1..=3 {
            world.clinic.put(id, "p", "booked", instant);
            world.run_for(30).await;
        }
        assert_eq!(
            world.told(),
            ["1:booked", "2:booked", "3:booked"],
            "strictly after: {strictly_after}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn between_the_backfill_and_what_comes_live_there_is_no_gap() {
    // Case 7: EC:ff0262560.
    for start in ["beginning", "2026-05-01T09:00:00Z"] {
        for overlap in ["0s", "30s"] {
            let world = World::with(
                &config("10s", overlap).replace("start: now", &format!("start: {start}")),
            );
            let cutoff = world.now();
            world.clinic.put(1, "p", "history", cutoff - 30.minutes());
            world.clinic.put(2, "p", "last", cutoff);
            world.run_for(15).await;
            assert_eq!(world.told_sorted(), ["1:history", "2:last"]);
            world.clinic.put(3, "p", "at the cutoff", cutoff);
            world.clinic.put(4, "p", "live", world.now());
            world.run_for(40).await;
            assert_eq!(
                world.told_sorted(),
                ["3:at the cutoff", "4:live"],
                "from {start}, overlap {overlap}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_at_an_instant_has_that_instant_where_the_ehr_means_after() {
    // Case 7: EC:ff0262560, where the configuration says the cutoff.
    let world = World::with(&APPOINTMENTS.replace("start: now", "start: 2026-05-01T10:00:00Z"));
    let clinic = world.clinic.clone();
    world.ehr.on("/api/appointments", move |url| {
        let since: Timestamp = format!("{}Z", parameter(url, "changedsince"))
            .parse()
            .expect("an instant");
        let mut found = clinic.from(since);
        found.retain(|record| modified(record) > since);
        json_answer(&Value::Array(found))
    });
    world.clinic.put(1, "p", "before", world.now() - 1.second());
    world.clinic.put(2, "p", "at", world.now());
    world.run_for(60).await;
    assert_eq!(world.told(), ["2:at"]);
}

#[tokio::test(start_paused = true)]
async fn a_cursor_is_always_a_value_that_the_source_showed() {
    // Case 8: airbytehq/airbyte#11720, NIFI-1420: a second or a millisecond was added "to avoid duplicates".
    let world = World::with(&config("10s", "0s"));
    world.run_for(1).await;
    // Before anything was shown it is the end of what was looked at silently.
    world.ehr.take_log();
    let mut shown = BTreeSet::from([world.cursor().await]);
    let mut asked_before = Timestamp::MIN;
    for step in 0..40_i64 {
        // Fractions of every length, some before the ones of the step before.
        let fraction = SignedDuration::from_nanos(step * step * 7_919_573 % 1_000_000_007);
        let at = world.now() + fraction - SignedDuration::from_secs(step % 3);
        world
            .clinic
            .put(u64::try_from(step).expect("small"), "p", "booked", at);
        shown.insert(at);
        world.run_for(11).await;
        let cursor = world.cursor().await;
        assert!(shown.contains(&cursor), "{cursor} was never shown");
        for url in world.ehr.take_log() {
            if url.path() == "/api/appointments" {
                let asked: Timestamp = format!("{}Z", parameter(&url, "changedsince"))
                    .parse()
                    .expect("an instant");
                assert!(asked <= cursor, "{asked} is later than {cursor}");
                assert!(asked >= asked_before, "time cursors do not go back");
                asked_before = asked;
            }
        }
    }
    assert!(shown.len() > 40, "the stamps differ");
    assert_eq!(world.cursor().await, *shown.last().expect("some"));
}

#[tokio::test(start_paused = true)]
async fn the_order_of_a_page_neither_moves_the_cursor_back_nor_tells_twice() {
    // Case 9: dlt-hub/dlt#1062 replaced its boundary hashes too early on unordered data.
    for order in [
        [1, 2, 3],
        [1, 3, 2],
        [2, 1, 3],
        [2, 3, 1],
        [3, 1, 2],
        [3, 2, 1],
    ] {
        for size in [1, 2, 3] {
            let world = World::with(&config("10s", "30s").replace(
                "      records: .[]\n",
                "      paging: { next_link: .next }\n      records: .items[]\n",
            ));
            world.ehr.on("/api/appointments", |_| {
                json_answer(&json!({ "items": [] }))
            });
            world.run_for(4).await;
            let began = world.now();
            world.ehr.on("/api/appointments", move |url| {
                let offset: usize = url
                    .query_pairs()
                    .find(|(name, _)| name == "o")
                    .map_or(0, |(_, offset)| offset.parse().expect("a number"));
                let items: Vec<_> = order
                    .iter()
                    .skip(offset)
                    .take(size)
                    .map(|id| {
                        json!({ "id": id, "status": "booked", "version": 1, "patientID": "p",
                                "lastModified": (began + i64::from(*id).seconds()).to_string() })
                    })
                    .collect();
                let next = (offset + size < 3).then(|| format!("?o={}", offset + size));
                json_answer(&json!({ "items": items, "next": next }))
            });
            world.run_for(22).await;
            assert_eq!(
                world.told_sorted(),
                ["1:booked", "2:booked", "3:booked"],
                "{order:?} in pages of {size}"
            );
            assert_eq!(world.feed("appointments").await.failure, None);
            assert_eq!(world.cursor().await, began + 3.seconds());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_takes_the_place_of_another_at_the_cursor_is_told() {
    // Case 10: airbytehq/airbyte#15158 counted the records at the cursor instead of looking at them.
    for overlap in ["0s", "30s"] {
        let world = World::with(&config("10s", overlap));
        world.run_for(1).await;
        world.clinic.put(9, "p", "before", world.now());
        world.run_for(15).await;
        let instant = world.now();
        world.clinic.put(1, "p", "booked", instant);
        world.clinic.put(2, "p", "booked", instant);
        world.run_for(20).await;
        assert_eq!(world.told_sorted(), ["1:booked", "2:booked", "9:before"]);
        world.clinic.remove(1);
        world.clinic.put(3, "p", "booked", instant);
        world.run_for(20).await;
        assert_eq!(world.told(), ["3:booked"], "overlap {overlap}");

        // Where all of them are gone, what the overlap still shows does not take the cursor back.
        world.clinic.remove(2);
        world.clinic.remove(3);
        world.run_for(20).await;
        assert_eq!(world.cursor().await, instant, "overlap {overlap}");
        assert_eq!(world.told(), [] as [String; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn records_of_one_second_that_show_up_over_several_rounds_are_each_told_once() {
    // Case 2: estuary/connectors#5205.
    let world = World::usual();
    world.run_for(1).await;
    let second = world.now();
    for id in 1..=5 {
        world.clinic.put(id, "p", "booked", second);
        world.run_for(12).await;
    }
    let mut told = world.told();
    told.sort();
    assert_eq!(
        told,
        ["1:booked", "2:booked", "3:booked", "4:booked", "5:booked"]
    );
}
