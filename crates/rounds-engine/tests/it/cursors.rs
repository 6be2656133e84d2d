//! Where a feed stands: laws 2 and 3.

use crate::ehr::{json_answer, text_answer};
use crate::world::{APPOINTMENTS, World};
use rounds_domain::Cursor;
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn records_of_one_second_that_show_up_over_several_rounds_are_each_told_once() {
    // airbyte#14732, estuary/connectors#5205: a strict `>` loses the later ones of a second.
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

#[tokio::test(start_paused = true)]
async fn a_record_dated_2030_is_told_and_does_not_blind_the_feed() {
    // EC:026011baa; two widely used pollers went blind here.
    let world = World::usual();
    world.run_for(1).await;
    world.clinic.put(
        1,
        "p",
        "booked",
        "2030-01-01T00:00:00Z".parse().expect("an instant"),
    );
    world.run_for(30).await;
    assert_eq!(world.told(), ["1:booked"]);
    assert_eq!(world.feed("appointments").await.future_dated, 1);
    assert!(world.cursor().await <= world.now());

    world.clinic.put(2, "p", "booked", world.now());
    world.run_for(30).await;
    assert_eq!(world.told(), ["2:booked"]);
}

#[tokio::test(start_paused = true)]
async fn an_empty_answer_does_not_move_the_cursor() {
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
async fn what_is_not_settled_is_neither_told_nor_passed() {
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
async fn a_wrong_clock_of_ours_or_theirs_loses_nothing() {
    // dynos-fit/dynos-sync#93: our own clock as the watermark.
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
async fn a_source_without_a_date_header_is_polled_by_our_clock() {
    let world = World::with(&APPOINTMENTS.replace(", field: .lastModified", ""));
    *world.ehr.clock_ahead_seconds.lock().expect("not poisoned") = None;
    world.run_for(1).await;
    world.clinic.put(1, "p", "booked", world.now());
    world.run_for(60).await;
    assert_eq!(world.told(), ["1:booked"]);
}

#[tokio::test(start_paused = true)]
async fn a_record_without_a_readable_date_is_told() {
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

const CHANGE_LOG: &str = r#"
connections:
  ehr: { base_url: "https://ehr.example/api" }
actions:
  log:
    connection: ehr
    every: 10s
    timeout: 5s
    changes:
      get: /changes
      query: { since: "{{ cursor }}" }
      cursor: CURSOR
      start: START
      records: .Changes[]
      id: .Seq
    notify: { body: { id: = .record.Seq, status: changed } }
    to: app
destinations:
  app: { url: "https://app.example/hooks" }
"#;

/// A change log of numbered entries; answers those after `since`, and the last number that there is.
fn numbered_log(world: &World, first: u64) -> Arc<Mutex<u64>> {
    let last = Arc::new(Mutex::new(first));
    let shown = Arc::clone(&last);
    world.ehr.on("/api/changes", move |url| {
        let since: u64 = url
            .query_pairs()
            .find(|(name, _)| name == "since")
            .map_or(0, |(_, since)| since.parse().expect("a number"));
        let last = *shown.lock().expect("not poisoned");
        let entries: Vec<_> = (since + 1..=last)
            .map(|number| json!({ "Seq": number }))
            .collect();
        json_answer(&json!({ "Changes": entries, "Last": last.max(since) }))
    });
    last
}

#[tokio::test(start_paused = true)]
async fn a_number_in_the_answer_is_the_cursor_and_never_goes_back() {
    let config = CHANGE_LOG
        .replace("CURSOR", "{ number: .Last }")
        .replace("START", "beginning");
    let world = World::with(&config);
    let last = numbered_log(&world, 3);
    world.run_for(1).await;
    assert_eq!(world.told().len(), 3);
    assert_eq!(
        world.feed("log").await.cursor,
        Some(Cursor::Number("3".into()))
    );

    *last.lock().expect("not poisoned") = 5;
    world.run_for(20).await;
    assert_eq!(world.told().len(), 2);

    world.ehr.on("/api/changes", |_| {
        json_answer(&json!({ "Changes": [], "Last": 2 }))
    });
    world.run_for(20).await;
    assert_eq!(
        world.feed("log").await.cursor,
        Some(Cursor::Number("5".into()))
    );
}

#[tokio::test(start_paused = true)]
async fn a_change_log_from_now_on_tells_what_comes_after_the_first_round() {
    let config = CHANGE_LOG
        .replace("CURSOR", "{ number: .Last }")
        .replace("START", "now");
    let world = World::with(&config);
    let last = numbered_log(&world, 3);
    world.run_for(1).await;
    *last.lock().expect("not poisoned") = 4;
    world.run_for(20).await;
    assert_eq!(world.told(), ["4:changed"]);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_kept_where_the_answer_has_none_and_is_not_sent_before_there_is_one() {
    let config = CHANGE_LOG
        .replace("CURSOR", "{ token: .token }")
        .replace("START", "beginning");
    let world = World::with(&config);
    world.ehr.on("/api/changes", |url| match url.query() {
        None => json_answer(&json!({ "Changes": [{ "Seq": 1 }], "token": "a b+c" })),
        Some("since=a+b%2Bc") => json_answer(&json!({ "Changes": [{ "Seq": 2 }] })),
        Some(other) => panic!("asked with {other}"),
    });
    world.run_for(45).await;
    assert_eq!(world.told(), ["1:changed", "2:changed"]);
}

#[tokio::test(start_paused = true)]
async fn without_a_cursor_every_round_compares_everything_with_what_is_known() {
    let config = CHANGE_LOG
        .replace("      cursor: CURSOR\n", "")
        .replace("      query: { since: \"{{ cursor }}\" }\n", "")
        .replace("START", "now");
    let world = World::with(&config);
    let entries = Arc::new(Mutex::new(vec![json!({ "Seq": 1 })]));
    let shown = Arc::clone(&entries);
    world.ehr.on("/api/changes", move |_| {
        json_answer(&json!({ "Changes": *shown.lock().expect("not poisoned") }))
    });
    world.run_for(1).await;
    entries
        .lock()
        .expect("not poisoned")
        .push(json!({ "Seq": 2 }));
    world.run_for(20).await;
    assert_eq!(world.told(), ["2:changed"]);
    entries.lock().expect("not poisoned")[0]["note"] = json!("edited");
    world.run_for(20).await;
    assert_eq!(world.told(), ["1:changed"]);
}

#[tokio::test(start_paused = true)]
async fn changing_the_config_keeps_the_cursor() {
    let world = World::usual();
    world.run_for(1).await;
    world.clinic.put(1, "p", "booked", world.now());
    world.run_for(20).await;
    let cursor = world.cursor().await;
    let world = world.reconfigured(&APPOINTMENTS.replace("start: now", "start: beginning"));
    world.run_for(20).await;
    assert_eq!(world.cursor().await, cursor);
    assert_eq!(world.told(), ["1:booked"]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_round_skips_ticks_and_says_how_many() {
    let world = World::usual();
    *world.ehr.takes.lock().expect("not poisoned") = Duration::from_secs(35);
    world.run_for(200).await;
    let feed = world.feed("appointments").await;
    assert!(feed.missed_ticks >= 9, "{feed:?}");
    assert!(feed.rounds >= 4, "{feed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_starts_from_an_instant_tells_what_changed_since_and_nothing_before_it() {
    // The instant carries its offset (airbyte#25646), and the overlap never reaches behind it.
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

#[tokio::test(start_paused = true)]
async fn outside_of_its_windows_a_feed_is_not_asked_and_what_changed_meanwhile_is_told_after() {
    // Stories begin at 10:00 UTC.
    let config = APPOINTMENTS.replace("every: 10s", "every: 10s\n    between: \"11:00-12:00\"");
    let world = World::with(&config);
    world.run_for(3_000).await;
    assert_eq!(world.ehr.asked("/api/appointments"), 0);
    world.run_for(700).await;
    assert!(world.ehr.asked("/api/appointments") >= 9);
    world.run_for(3_600).await;
    world.ehr.take_log();
    world.clinic.put(1, "p", "booked", world.now());
    world.run_for(3_600).await;
    assert_eq!(world.ehr.asked("/api/appointments"), 0);
    world.run_for(22 * 3_600).await;
    assert_eq!(world.told(), ["1:booked"]);
}
