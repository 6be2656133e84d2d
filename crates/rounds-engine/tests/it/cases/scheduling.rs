//! G. When rounds are made.

use crate::ehr::{json_answer, parameter};
use crate::trouble::no_answer;
use crate::world::{APPOINTMENTS, World, feed_key, plan};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use rounds_domain::InstanceId;
use rounds_domain::ports::Transience;
use rounds_engine::next_tick_at;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn after_a_new_configuration_only_the_new_one_is_at_work() {
    // Case 59: n8n-io/n8n#35251, n8n-io/n8n#32006: an old version went on polling.
    let world = World::usual();
    world.run_for(60).await;
    world.clinic.put(1, "p", "booked", world.now());
    world.run_for(20).await;
    let cursor = world.cursor().await;
    world.ehr.take_log();
    let world = world.reconfigured(
        &APPOINTMENTS
            .replace("every: 10s", "every: 5s")
            .replace("get: /appointments", "get: /v2/appointments"),
    );
    let clinic = world.clinic.clone();
    world.ehr.on("/api/v2/appointments", move |url| {
        json_answer(&Value::Array(clinic.changed_since(url)))
    });
    world.run_for(600).await;
    let log = world.ehr.take_log();
    assert!(log.iter().all(|url| url.path() == "/api/v2/appointments"));
    assert!((119..=121).contains(&log.len()), "{} rounds", log.len());
    let first: Timestamp = format!("{}Z", parameter(&log[0], "changedsince"))
        .parse()
        .expect("an instant");
    assert_eq!(
        first,
        cursor - 30.seconds(),
        "it goes on where the old one was"
    );
    assert_eq!(world.told(), ["1:booked"]);
}

#[tokio::test(start_paused = true)]
async fn a_feed_has_one_round_under_way_and_not_two() {
    // Case 60: EC:29ada2bb3.
    for takes_seconds in [9, 10, 11, 35, 100] {
        let world = World::usual();
        *world.ehr.takes.lock().expect("not poisoned") = Duration::from_secs(takes_seconds);
        world.run_for(600).await;
        assert_eq!(world.ehr.most_under_way(), 1, "{takes_seconds} s each");
        let rounds = world.feed("appointments").await.rounds;
        assert!(rounds >= 600 / (takes_seconds + 10) - 1, "{rounds} rounds");
    }
}

/// A thousand feeds of one EHR; when each was asked.
struct Thousand {
    world: World,
    asked: Arc<Mutex<Vec<(String, Timestamp)>>>,
}

impl Thousand {
    fn new() -> Self {
        let actions: Vec<String> = (0..1_000)
            .map(|number| {
                format!("  feed-{number}: {{ connection: ehr, every: 60s, changes: {{ get: /feed-{number}, start: now, records: '.[]', id: .id }}, to: [] }}\n")
            })
            .collect();
        let actions = actions.concat();
        let world = World::with(&format!(
            "connections:\n  ehr: {{ base_url: \"https://ehr.example/api\", limits: {{ in_flight: 64 }} }}\nactions:\n{actions}"
        ));
        let asked: Arc<Mutex<Vec<(String, Timestamp)>>> = Arc::default();
        let (log, clock) = (Arc::clone(&asked), Arc::clone(&world.ports.clock));
        world.ehr.on("/api/feed-", move |url| {
            let at = clock.now();
            log.lock()
                .expect("not poisoned")
                .push((url.path().to_owned(), at));
            json_answer(&json!([]))
        });
        Self { world, asked }
    }

    /// When each feed was asked since the last call.
    fn take(&self) -> Vec<(String, Timestamp)> {
        std::mem::take(&mut self.asked.lock().expect("not poisoned"))
    }

    /// In which millisecond of its minute each feed is asked, once a start has caught up.
    async fn slots(&self) -> BTreeMap<String, i64> {
        self.world.run_for(125).await;
        let mut slots = BTreeMap::new();
        for (feed, at) in self.take() {
            slots.insert(feed, at.as_millisecond().rem_euclid(60_000));
        }
        slots
    }
}

/// No second has more than three times the requests of the average one.
#[track_caller]
fn assert_spread(log: &[(String, Timestamp)], seconds: usize) {
    let mut per_second: BTreeMap<i64, usize> = BTreeMap::new();
    for (_, at) in log {
        *per_second.entry(at.as_second()).or_default() += 1;
    }
    assert!(log.len() >= 1_000 * seconds / 61, "{} requests", log.len());
    let most = 3 * log.len() / seconds;
    assert!(
        per_second.values().all(|count| *count <= most),
        "more than {most}: {per_second:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_rounds_of_a_thousand_feeds_are_spread_and_keep_their_places_over_a_restart() {
    // Case 61: prometheus/prometheus#1393, #4926, #5181, #18314; vectordotdev/vector#26110; home-assistant/core#82233.
    let here = Thousand::new();
    here.world.run_for(61).await;
    assert_spread(&here.take(), 61);
    here.world.run_for(180).await;
    assert_spread(&here.take(), 180);
    // A restart after minutes of silence does not strike the EHR all at once either.
    here.world.pass(301).await;
    here.world.run_for(61).await;
    assert_spread(&here.take(), 61);
    let (before, after) = (here.slots().await, here.slots().await);
    assert_eq!(before.len(), 1_000);
    assert_eq!(before, after, "the places are the same after a restart");
    let there = Thousand::new().slots().await;
    let same = there
        .iter()
        .filter(|(feed, slot)| before.get(*feed) == Some(slot))
        .count();
    assert!(same < 10, "{same} feeds of two installations at one place");
}

#[tokio::test(start_paused = true)]
async fn an_hour_has_as_many_rounds_as_intervals_however_long_a_round_takes() {
    // Case 62: home-assistant/core#32974.
    for (every_seconds, takes_milliseconds) in [
        (10_u64, 400_u64),
        (10, 0),
        (10, 4_900),
        (60, 400),
        (7, 3_000),
    ] {
        let config = APPOINTMENTS.replace("every: 10s", &format!("every: {every_seconds}s"));
        let world = World::with(&config);
        *world.ehr.takes.lock().expect("not poisoned") = Duration::from_millis(takes_milliseconds);
        world.run_for(3_600).await;
        let rounds = world.feed("appointments").await.rounds;
        let expected = 3_600 / every_seconds;
        assert!(
            (expected - 1..=expected + 1).contains(&rounds),
            "{rounds} rounds, every {every_seconds} s, {takes_milliseconds} ms each"
        );
        // The first round is made at the start, and may still be under way at its first tick.
        assert!(world.feed("appointments").await.missed_ticks <= 1);
    }
}

/// All ticks of a schedule after `from` and not after `to`, as the running engine would take them.
fn ticks(schedule: &str, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    let plan = plan(
        &APPOINTMENTS
            .replace("    every: 10s\n", schedule)
            .replace("timeout: 5s", "timeout: 1s"),
    );
    let (feed, instance) = (feed_key("appointments", "changes"), InstanceId::new("here"));
    let mut found = Vec::new();
    let mut moment = from;
    while let Some(next) = next_tick_at(&plan.actions[0].changes.schedule, &feed, &instance, moment)
        .filter(|next| *next <= to)
    {
        found.push(next);
        moment = next;
    }
    found
}

#[test]
fn a_fixed_time_comes_once_on_every_day_of_the_year() {
    // Case 63: rundeck/rundeck#6879.
    for zone in [
        "America/New_York",
        "Europe/Berlin",
        "Australia/Lord_Howe",
        "UTC",
        "Asia/Bangkok",
    ] {
        let here = TimeZone::get(zone).expect("a zone");
        for time in ["30 0", "30 1", "0 2", "15 2", "30 2", "45 2", "0 3"] {
            let (from, to) = ("2026-01-01T00:00:00", "2026-12-31T23:59:59");
            let bound = |text: &str| {
                let local: jiff::civil::DateTime = text.parse().expect("a local time");
                local
                    .to_zoned(here.clone())
                    .expect("an instant")
                    .timestamp()
            };
            let found = ticks(
                &format!("    at: \"{time} * * *\"\n    zone: {zone}\n"),
                bound(from) - 1.second(),
                bound(to),
            );
            let mut days: BTreeMap<_, u32> = BTreeMap::new();
            for tick in &found {
                *days.entry(tick.to_zoned(here.clone()).date()).or_default() += 1;
            }
            assert_eq!(days.len(), 365, "{zone}, {time}");
            assert!(
                days.values().all(|count| *count == 1),
                "{zone}, {time}: {:?}",
                days.iter()
                    .filter(|(_, count)| **count != 1)
                    .collect::<Vec<_>>()
            );
        }
    }
}

#[test]
fn an_interval_has_no_gap_when_clocks_change() {
    // Case 63: temporalio/temporal#8205, node-red-contrib-cron-plus#108: an hour without a round.
    for zone in ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe"] {
        for every in [15_i64, 45, 420] {
            for day in [
                "2026-03-08",
                "2026-11-01",
                "2026-03-29",
                "2026-10-25",
                "2026-04-04",
                "2026-10-03",
            ] {
                let from: Timestamp = format!("{day}T00:00:00Z").parse().expect("an instant");
                let found = ticks(
                    &format!("    every: {every}s\n    zone: {zone}\n"),
                    from,
                    from + 24.hours(),
                );
                assert!(
                    found
                        .windows(2)
                        .all(|two| two[1].as_second() - two[0].as_second() == every),
                    "{zone}, every {every} s, {day}"
                );
                assert!(i64::try_from(found.len()).expect("small") >= 86_400 / every);
            }
        }
    }
}

#[test]
fn windows_have_no_hole_at_midnight_and_no_twin_twelve_hours_later() {
    // Case 64: nextgenhealthcare/connect#4757 (no polls from 23:59 to midnight), nextgenhealthcare/connect#666 (08:00 and 20:00).
    for zone in ["UTC", "America/New_York", "Asia/Kathmandu"] {
        let here = TimeZone::get(zone).expect("a zone");
        let local = |text: &str| {
            let local: jiff::civil::DateTime = text.parse().expect("a local time");
            local
                .to_zoned(here.clone())
                .expect("an instant")
                .timestamp()
        };
        for window in ["00:00-24:00", "22:00-06:00", "12:00-12:00"] {
            let found = ticks(
                &format!("    every: 10s\n    zone: {zone}\n    between: \"{window}\"\n"),
                local("2026-05-01T23:58:00"),
                local("2026-05-02T00:02:00"),
            );
            assert_eq!(found.len(), 24, "{zone}, {window}");
        }
        let found = ticks(
            &format!("    at: \"0 20 * * *\"\n    zone: {zone}\n"),
            local("2026-05-01T00:00:00"),
            local("2026-05-07T23:59:59"),
        );
        assert_eq!(found.len(), 7, "{zone}");
        assert!(
            found
                .iter()
                .all(|tick| tick.to_zoned(here.clone()).hour() == 20)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn hours_of_downtime_are_made_up_for_by_one_round() {
    // Case 67: n8n's documentation.
    for hours in [1_u64, 6, 48] {
        let world = World::with(&APPOINTMENTS.replace("every: 10s", "every: 1m"));
        world.run_for(90).await;
        world.ehr.take_log();
        for step in 0..6 {
            world.pass(hours * 600).await;
            world.clinic.put(step, "p", "booked", world.now());
        }
        world.run_for(30).await;
        let rounds = world.ehr.asked("/api/appointments");
        assert!((1..=2).contains(&rounds), "{rounds} rounds after {hours} h");
        assert_eq!(world.told().len(), 6);
        let missed = world.feed("appointments").await.missed_ticks;
        assert!(
            missed.abs_diff(hours * 60) <= 2,
            "{missed} missed in {hours} h"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_round_skips_ticks_and_says_how_many() {
    // Case 60: EC:29ada2bb3.
    let world = World::usual();
    *world.ehr.takes.lock().expect("not poisoned") = Duration::from_secs(35);
    world.run_for(200).await;
    let feed = world.feed("appointments").await;
    assert!(feed.missed_ticks >= 9, "{feed:?}");
    assert!(feed.rounds >= 4, "{feed:?}");
}

#[tokio::test(start_paused = true)]
async fn an_ehr_that_is_down_is_asked_less_often() {
    // Case 66: n8n-io/n8n#35707, nearai/ironclaw#4415, EC:1fc4edc1f.
    let world = World::with(
        &APPOINTMENTS
            .replace("every: 10s", "every: 1s")
            .replace("timeout: 5s", "timeout: 1s"),
    );
    world.ehr.on("/api/appointments", |_| {
        no_answer("R0307", Transience::Lasting)
    });
    world.run_for(3_600).await;
    let asked = world.ehr.asked("/api/appointments");
    assert!((15..60).contains(&asked), "{asked} requests in an hour");
}
