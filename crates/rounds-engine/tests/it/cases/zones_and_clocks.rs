//! C. Time zones, and clocks that are wrong.

use crate::ehr::{json_answer, modified, parameter, status};
use crate::world::{APPOINTMENTS, World};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use rounds_domain::ContainerState;
use rounds_domain::ports::{ContainerFilter, Operations, PageRequest};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Which of two equal local times a server means, and where it goes in the hour that does not exist.
#[derive(Debug, Clone, Copy)]
enum Reading {
    Earlier,
    Later,
}

/// What a record's own time looks like.
#[derive(Debug, Clone, Copy)]
enum Stamps {
    WithOffset,
    Local,
}

/// A server that reads `changedsince` without an offset, as the time of its own place.
fn server_in(world: &World, zone: &TimeZone, reading: Reading, stamps: Stamps) {
    let (clinic, zone) = (world.clinic.clone(), zone.clone());
    world.ehr.on("/api/appointments", move |url| {
        let asked: DateTime = parameter(url, "changedsince")
            .parse()
            .expect("a local time");
        let asked = zone.to_ambiguous_timestamp(asked);
        let since = match reading {
            Reading::Earlier => asked.earlier(),
            Reading::Later => asked.later(),
        };
        let mut found = clinic.from(since.expect("an instant"));
        if let Stamps::Local = stamps {
            for record in &mut found {
                let local = modified(record).to_zoned(zone.clone()).datetime();
                record["lastModified"] = json!(local.to_string());
            }
        }
        json_answer(&Value::Array(found))
    });
}

fn in_zone(zone: &str, overlap: &str) -> String {
    APPOINTMENTS
        .replace("every: 10s", "every: 5m")
        .replace("overlap: 30s", &format!("overlap: {overlap}, zone: {zone}"))
}

#[tokio::test(start_paused = true)]
async fn a_start_with_an_offset_is_asked_as_that_instant_in_every_zone() {
    // Case 20: airbytehq/airbyte#25646. One second before it, for an EHR that means "after".
    for (zone, expected) in [
        ("UTC", "2026-04-26T23:29:49"),
        ("Asia/Bangkok", "2026-04-27T06:29:49"),
        ("America/New_York", "2026-04-26T19:29:49"),
    ] {
        let config = in_zone(zone, "30s").replace("start: now", "start: 2026-04-27T06:29:50+07:00");
        let world = World::with(&config);
        server_in(
            &world,
            &TimeZone::get(zone).expect("a zone"),
            Reading::Earlier,
            Stamps::WithOffset,
        );
        world.run_for(301).await;
        let first = &world.ehr.take_log()[0];
        assert_eq!(parameter(first, "changedsince"), expected, "{zone}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_ehr_that_reads_local_times_misses_nothing_east_or_west_of_utc() {
    // Case 21: airbytehq/airbyte#48492, airbytehq/airbyte#48838, airbytehq/airbyte#43953.
    for zone in [
        "Etc/GMT+5",
        "Etc/GMT-7",
        "America/New_York",
        "Asia/Bangkok",
        "Asia/Kathmandu",
        "Pacific/Kiritimati",
        "UTC",
    ] {
        for stamps in [Stamps::WithOffset, Stamps::Local] {
            let world = World::with(&in_zone(zone, "0s").replace("every: 5m", "every: 10s"));
            let here = TimeZone::get(zone).expect("a zone");
            server_in(&world, &here, Reading::Earlier, stamps);
            world.run_for(1).await;
            let mut expected = Vec::new();
            for id in 1..=5 {
                world.clinic.put(id, "p", "booked", world.now());
                expected.push(format!("{id}:booked"));
                world.run_for(12).await;
                if id == 1 {
                    // Up to here nothing was shown, so it was looked further back.
                    world.ehr.take_log();
                }
            }
            assert_eq!(world.told(), expected, "{zone}, {stamps:?}");
            let now = world.now();
            for url in world.ehr.take_log() {
                if url.path() == "/api/appointments" {
                    let local: DateTime = parameter(&url, "changedsince")
                        .parse()
                        .expect("a local time");
                    let asked = local
                        .to_zoned(here.clone())
                        .expect("an instant")
                        .timestamp();
                    assert!(
                        asked <= now && asked >= now - 2.minutes(),
                        "{zone}: asked from {asked} at {now}"
                    );
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn on_the_days_when_clocks_change_every_edit_is_told_once() {
    // Case 23: airbytehq/airbyte#48838, in the hour that does not exist; and the one that comes twice.
    for (zone, from) in [
        ("America/New_York", "2026-03-08T05:00:00Z"),
        ("America/New_York", "2026-11-01T03:30:00Z"),
        ("Europe/Berlin", "2026-03-28T23:30:00Z"),
        ("Europe/Berlin", "2026-10-24T22:30:00Z"),
        // Half an hour, in the other half of the world.
        ("Australia/Lord_Howe", "2026-04-04T13:30:00Z"),
        ("Australia/Lord_Howe", "2026-10-03T13:30:00Z"),
    ] {
        for reading in [Reading::Earlier, Reading::Later] {
            for stamps in [Stamps::WithOffset, Stamps::Local] {
                let start: Timestamp = from.parse().expect("an instant");
                let world = World::beginning_at(start, &in_zone(zone, "2m"));
                let here = TimeZone::get(zone).expect("a zone");
                server_in(&world, &here, reading, stamps);
                world.run_for(301).await;
                let mut told = BTreeMap::new();
                let mut step = 0_u64;
                // Four hours and more, an edit every seven minutes, of records old and new.
                while world.now() < start + 5.hours() {
                    world
                        .clinic
                        .put(step % 9, "p", &format!("state {step}"), world.now());
                    world.run_for(7 * 60 - 1).await;
                    for state in world.told() {
                        *told.entry(state).or_insert(0) += 1;
                    }
                    step += 1;
                }
                world.run_for(600).await;
                for state in world.told() {
                    *told.entry(state).or_insert(0) += 1;
                }
                let words = format!("{zone} from {from}, {reading:?}, {stamps:?}");
                for step in 0..step {
                    let state = format!("{}:state {step}", step % 9);
                    assert_eq!(told.get(&state), Some(&1), "{words}: {state}");
                }
                assert_eq!(world.feed("appointments").await.failure, None, "{words}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn records_dated_in_the_future_are_told_once_and_counted_and_pass_nothing() {
    // Case 25: EC:026011baa; two widely used pollers went blind here, for ever and silently.
    for overlap in ["0s", "30s", "10m"] {
        let world =
            World::with(&APPOINTMENTS.replace("overlap: 30s", &format!("overlap: {overlap}")));
        world.run_for(1).await;
        for (id, date) in [
            (1, "2026-05-01T10:02:30Z"),
            (2, "2026-05-02T10:00:00Z"),
            (3, "2030-01-01T00:00:00Z"),
            (4, "9999-12-30T00:00:00Z"),
        ] {
            world
                .clinic
                .put(id, "p", "future", date.parse().expect("an instant"));
        }
        world.run_for(15).await;
        assert_eq!(
            world.told_sorted(),
            ["1:future", "2:future", "3:future", "4:future"]
        );
        assert_eq!(world.feed("appointments").await.future_dated, 4);
        for id in 11..20 {
            world.clinic.put(id, "p", "booked", world.now());
            world.run_for(25).await;
            assert_eq!(world.told(), [format!("{id}:booked")], "overlap {overlap}");
            assert!(world.cursor().await <= world.now());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_round_that_failed_leaves_the_lower_bound_where_the_last_success_put_it() {
    // Case 26: deeplethe/utopia#794.
    for field in [", field: .lastModified", ""] {
        let world = World::with(&APPOINTMENTS.replace(", field: .lastModified", field));
        let broken = Arc::new(AtomicBool::new(false));
        let (is_broken, clinic) = (Arc::clone(&broken), world.clinic.clone());
        world.ehr.on("/api/appointments", move |url| {
            if is_broken.load(Ordering::Relaxed) {
                return Ok(status(503));
            }
            json_answer(&Value::Array(clinic.changed_since(url)))
        });
        world.run_for(1).await;
        world.clinic.put(1, "p", "booked", world.now());
        world.run_for(15).await;
        let cursor = world.cursor().await;
        broken.store(true, Ordering::Relaxed);
        world.clinic.put(2, "p", "booked", world.now());
        world.run_for(3_600).await;
        assert!(
            world.ehr.asked("/api/appointments") > 5,
            "it went on trying"
        );
        assert_eq!(world.cursor().await, cursor);
        broken.store(false, Ordering::Relaxed);
        world.run_for(400).await;
        let log = world.ehr.take_log();
        let first = log
            .iter()
            .find(|url| url.path() == "/api/appointments")
            .expect("it is asked");
        let asked: Timestamp = format!("{}Z", parameter(first, "changedsince"))
            .parse()
            .expect("an instant");
        assert!(asked <= cursor);
        assert_eq!(world.told(), ["1:booked", "2:booked"], "field: {field}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_changes_while_an_answer_is_on_its_way_is_found_by_the_next_round() {
    // Case 26: the bound is the start of the last success and not its end.
    let world = World::with(
        &APPOINTMENTS
            .replace(", field: .lastModified", "")
            .replace("overlap: 30s", "overlap: 0s"),
    );
    let clinic = world.clinic.clone();
    let clock = Arc::clone(&world.ports.clock);
    world.run_for(1).await;
    let mut id = 0;
    world.ehr.on("/api/appointments", move |url| {
        let found = clinic.changed_since(url);
        // The answer is made; the record is saved a moment later, and the answer arrives later still.
        id += 1;
        clinic.put(id, "p", "booked", clock.now());
        json_answer(&Value::Array(found))
    });
    *world.ehr.takes.lock().expect("not poisoned") = Duration::from_secs(4);
    world.run_for(60).await;
    *world.ehr.takes.lock().expect("not poisoned") = Duration::ZERO;
    world.run_for(30).await;
    let told = world.told_sorted();
    assert!(told.len() > 5, "{told:?}");
    let mut distinct = told.clone();
    distinct.dedup();
    assert_eq!(distinct, told);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_clock_of_ours_or_theirs_loses_nothing() {
    // Case 24: dynos-fit/dynos-sync#93.
    for (ahead, field) in [(-600, true), (600, true), (-600, false), (600, false)] {
        let config = if field {
            APPOINTMENTS.to_owned()
        } else {
            APPOINTMENTS.replace(", field: .lastModified", "")
        };
        let world = World::with(&config);
        *world.ehr.clock_ahead_seconds.lock().expect("not poisoned") = Some(ahead);
        world.clinic.put(1, "p", "before", world.ehr.now());
        world.run_for(1).await;
        for id in 2..6 {
            world.clinic.put(id, "p", "booked", world.ehr.now());
            world.run_for(13).await;
        }
        let mut told = world.told();
        told.sort();
        assert_eq!(
            told,
            ["2:booked", "3:booked", "4:booked", "5:booked"],
            "{ahead} s ahead, by field: {field}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_starts_from_an_instant_tells_what_changed_since_and_nothing_before_it() {
    // Case 20: airbytehq/airbyte#25646. The overlap never reaches behind the start.
    let config = APPOINTMENTS.replace("start: now", "start: 2026-05-01T16:59:00+07:00");
    let world = World::with(&config);
    world.clinic.put(
        1,
        "p",
        "before",
        "2026-05-01T09:58:59Z".parse().expect("an instant"),
    );
    world.clinic.put(
        2,
        "p",
        "at",
        "2026-05-01T09:59:00Z".parse().expect("an instant"),
    );
    world.clinic.put(
        3,
        "p",
        "after",
        "2026-05-01T09:59:30Z".parse().expect("an instant"),
    );
    world.run_for(60).await;
    let mut told = world.told();
    told.sort();
    assert_eq!(told, ["2:at", "3:after"]);
}

/// A server that writes local times without an offset, reads its filter in them too, and says nothing of its clock.
fn silent_server_in(world: &World, zone: &TimeZone, minutes_behind: i64) {
    let (clinic, zone) = (world.clinic.clone(), zone.clone());
    *world.ehr.clock_ahead_seconds.lock().expect("not poisoned") = None;
    world.ehr.on("/api/appointments", move |url| {
        let since: DateTime = parameter(url, "changedsince")
            .parse()
            .expect("a local time");
        let behind = minutes_behind.minutes();
        let since = since
            .to_zoned(zone.clone())
            .expect("an instant")
            .timestamp()
            + behind;
        let shown = clinic.from(since).into_iter().map(|mut appointment| {
            let at = modified(&appointment) - behind;
            let local = at.to_zoned(zone.clone()).datetime();
            appointment["lastModified"] = json!(local.strftime("%Y-%m-%dT%H:%M:%S").to_string());
            appointment
        });
        json_answer(&Value::Array(shown.collect()))
    });
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_zone_or_a_clock_that_is_behind_loses_nothing_from_the_start_on() {
    for (zone, minutes_behind) in [
        ("America/Chicago", 0),
        ("Asia/Kathmandu", 0),
        ("UTC", 10),
        ("America/Los_Angeles", 25),
    ] {
        for is_quiet in [false, true] {
            let world = World::usual();
            let here = TimeZone::get(zone).expect("a zone");
            silent_server_in(&world, &here, minutes_behind);
            if !is_quiet {
                world.clinic.put(90, "p", "old", world.now() - 40.minutes());
                world.clinic.put(91, "p", "old", world.now() - 30.seconds());
            }
            world.run_for(20).await;
            let mut expected = Vec::new();
            for id in 1..=5 {
                world.clinic.put(id, "p", "booked", world.now());
                expected.push(format!("{id}:booked"));
                world.run_for(90).await;
            }
            assert_eq!(world.told(), expected, "{zone} {minutes_behind} {is_quiet}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_row_whose_date_stands_for_none_is_put_aside_with_its_place_and_stops_nobody() {
    for (start, date) in [
        ("beginning", "1900-01-01T00:00:00Z"),
        ("beginning", "0001-01-01T00:00:00Z"),
        ("now", "1899-12-30T00:00:00Z"),
        ("now", "1970-01-01T00:00:00Z"),
    ] {
        let world = World::with(&APPOINTMENTS.replace("start: now", &format!("start: {start}")));
        let clinic = world.clinic.clone();
        world.ehr.on("/api/appointments", move |url| {
            let mut found = clinic.changed_since(url);
            if !found.is_empty() {
                let odd =
                    json!({ "id": 99, "patientId": "p", "status": "odd", "lastModified": date });
                found.insert(0, odd);
            }
            json_answer(&Value::Array(found))
        });
        world.run_for(20).await;
        for id in 1..=3 {
            world.clinic.put(id, "p", "booked", world.now());
            world.run_for(30).await;
        }
        assert_eq!(
            world.told_sorted(),
            ["1:booked", "2:booked", "3:booked"],
            "{start} {date}"
        );
        assert_eq!(world.feed("appointments").await.failures_in_a_row, 0);
        let filter = ContainerFilter {
            states: vec![ContainerState::Dead],
            ..ContainerFilter::default()
        };
        let page = PageRequest {
            offset: 0,
            limit: 10,
        };
        let dead = world
            .store
            .containers(filter, page)
            .await
            .expect("containers");
        let dead: Vec<String> = dead
            .into_iter()
            .filter_map(|dead| dead.reason)
            .map(|(code, reason)| format!("{code} {reason}"))
            .collect();
        let day = &date[..10];
        assert_eq!(
            dead,
            [format!(
                "R0416 the date at `.lastModified` is {day}, which stands for none"
            )]
        );
    }
}
