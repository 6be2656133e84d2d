//! Where a feed stands: laws 2 and 3.

use crate::ehr::{json_answer, parameter, status};
use crate::world::{APPOINTMENTS, World};
use http::HeaderValue;
use jiff::ToSpan;
use rounds_domain::Cursor;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

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
async fn one_answer_of_a_silent_round_with_a_wrong_date_makes_nothing_old_new() {
    let world = World::usual();
    let clinic = world.clinic.clone();
    // The EHR's clock is five minutes behind, so the first round asks twice. A second server answers then, and its clock is wrong.
    let dates = [
        "Fri, 01 May 2026 09:55:00 GMT",
        "Wed, 08 May 1996 09:36:32 GMT",
    ];
    *world.ehr.clock_ahead_seconds.lock().expect("not poisoned") = Some(-300);
    let mut dates = dates.into_iter();
    world.ehr.on("/api/appointments", move |url| {
        let since = parameter(url, "changedsince");
        let since = format!("{since}Z").parse().expect("an instant");
        let mut answer = json_answer(&Value::Array(clinic.from(since)));
        if let (Ok(response), Some(date)) = (&mut answer, dates.next()) {
            let date = HeaderValue::from_static(date);
            response.headers.insert(http::header::DATE, date);
        }
        answer
    });
    world
        .clinic
        .put(1, "p", "old", world.now() - 86_400.seconds());
    world.run_for(60).await;
    assert_eq!(world.told(), [] as [String; 0]);
    let now_at_the_ehr = world.ehr.now();
    world.clinic.put(2, "p", "new", now_at_the_ehr);
    world.run_for(60).await;
    assert_eq!(world.told(), ["2:new"]);
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

/// The configuration of a log with this cursor, and with whatever keys the text has after it.
fn change_log(cursor: &str, start: &str) -> String {
    CHANGE_LOG.replace("CURSOR", cursor).replace("START", start)
}

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
    let config = change_log("{ number: .Last }", "beginning");
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
    let config = change_log("{ number: .Last }", "now");
    let world = World::with(&config);
    let last = numbered_log(&world, 3);
    world.run_for(1).await;
    *last.lock().expect("not poisoned") = 4;
    world.run_for(20).await;
    assert_eq!(world.told(), ["4:changed"]);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_kept_where_the_answer_has_none_and_is_not_sent_before_there_is_one() {
    let config = change_log("{ token: .token }", "beginning");
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

/// The same without faults, with so many entries as it has at the time.
fn growing_log(world: &World, last: &Arc<Mutex<u64>>) {
    let last = Arc::clone(last);
    paged_log_of(
        world,
        move || *last.lock().expect("not poisoned"),
        Arc::default(),
    );
}

/// A log that pages by the place that a round asks from, a hundred entries at a time.
fn paged_log(world: &World, last: u64, failing_from: Arc<Mutex<Option<u64>>>) {
    paged_log_of(world, move || last, failing_from);
}

fn paged_log_of(
    world: &World,
    last: impl Fn() -> u64 + Send + 'static,
    failing_from: Arc<Mutex<Option<u64>>>,
) {
    world.ehr.on("/api/changes", move |url| {
        let last = last();
        let since: u64 = url
            .query_pairs()
            .find(|(name, _)| name == "since")
            .map_or(0, |(_, since)| since.parse().expect("a number"));
        if (failing_from.lock().expect("not poisoned")).is_some_and(|place| since >= place) {
            return Ok(status(503));
        }
        let up_to = (since + 100).min(last);
        let entries: Vec<_> = (since + 1..=up_to)
            .map(|number| json!({ "Seq": number }))
            .collect();
        json_answer(
            &json!({ "Changes": entries, "Last": up_to, "End": last, "Done": up_to == last }),
        )
    });
}

#[tokio::test(start_paused = true)]
async fn a_log_whose_pages_begin_where_a_round_would_goes_on_there_when_it_is_cut_short() {
    // The place of a page may be the answer's cursor, a value of the last record, or stand in the next link only.
    let pagings = [
        (
            "{ number: .Last }",
            "{ token: { parameter: since, from: .Last }, more: .Done | not }",
        ),
        (
            "{ number: .End }",
            "{ after: { parameter: since, from: .Seq }, more: .Done | not }",
        ),
        (
            "{ number: .End }",
            "{ next_link: 'if .Done then empty else \"/api/changes?since=\\(.Last)\" end' }",
        ),
        (
            "{ token: .Last }",
            "{ token: { parameter: since, from: .Last }, more: .Done | not }",
        ),
    ];
    for (cursor, paging) in pagings {
        let config = change_log(
            &format!("{cursor}\n      paging: {paging}\n      max_pages: 10"),
            "beginning",
        );
        let world = World::with(&config);
        let failing = Arc::new(Mutex::new(Some(500)));
        paged_log(&world, 2_450, Arc::clone(&failing));
        world.run_for(5).await;
        let at_fifth = world.feed("log").await.cursor;
        let is_place = match &at_fifth {
            Some(Cursor::Number(number)) => number == "500",
            Some(Cursor::Token(token)) => token.expose() == "500",
            _ => false,
        };
        assert!(is_place, "{cursor} {paging}: {at_fifth:?}");

        // 1,950 entries are two rounds of ten pages, of which none asks for what was read.
        *failing.lock().expect("not poisoned") = None;
        world.ehr.take_log();
        world.run_for(60).await;
        assert_eq!(world.told().len(), 2_450, "{cursor} {paging}");
        let asked = world.ehr.take_log();
        let again = asked.iter().filter(|url| url.query() == Some("since=400"));
        assert_eq!(again.count(), 0, "{cursor} {paging}");
        assert_eq!(
            world.feed("log").await.failures_in_a_row,
            0,
            "{cursor} {paging}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_number_that_is_the_end_of_the_log_on_every_page_is_no_place() {
    let config = change_log(
        "{ number: .End }\n      paging: { token: { parameter: page_token, from: .Last }, more: .Done | not }\n      max_pages: 10",
        "beginning",
    );
    let world = World::with(&config);
    world.ehr.on("/api/changes", |url| {
        let place = url.query_pairs().find(|(name, _)| name == "page_token");
        match place {
            None => json_answer(
                &json!({ "Changes": [{ "Seq": 1 }], "Last": 1, "End": 2, "Done": false }),
            ),
            Some(_) => Ok(status(503)),
        }
    });
    world.run_for(5).await;
    assert_eq!(world.feed("log").await.cursor, None);
}

#[tokio::test(start_paused = true)]
async fn what_is_there_already_is_read_silently_in_as_many_rounds_as_it_takes() {
    let config = change_log(
        "{ number: .Last }\n      paging: { token: { parameter: since, from: .Last }, more: .Done | not }\n      max_pages: 10",
        "now",
    );
    let world = World::with(&config);
    let last = Arc::new(Mutex::new(2_450));
    growing_log(&world, &last);
    world.run_for(1).await;
    // A tick of the schedule may have been in it.
    let begun = world.feed("log").await.cursor;
    let at = |number: &str| Some(Cursor::Baseline(Box::new(Cursor::Number(number.into()))));
    assert!(begun == at("1000") || begun == at("2000"), "{begun:?}");
    // It is kept: another process goes on there.
    let world = world.reconfigured(&config);
    growing_log(&world, &last);
    world.run_for(60).await;
    assert_eq!(
        world.feed("log").await.cursor,
        Some(Cursor::Number("2450".into()))
    );
    assert_eq!(world.told(), [] as [String; 0]);
    *last.lock().expect("not poisoned") = 2_451;
    world.run_for(20).await;
    assert_eq!(world.told(), ["2451:changed"]);
}

#[tokio::test(start_paused = true)]
async fn a_log_from_now_on_is_not_read_where_the_ehr_says_where_it_ends() {
    for (cursor, end) in [("number", json!(150_000)), ("token", json!("t150000"))] {
        let cursor = format!("{{ {cursor}: .Last, end: {{ query: {{ since: newest }} }} }}");
        let config = change_log(&cursor, "now");
        let world = World::with(&config);
        world.ehr.on("/api/changes", move |url| {
            match parameter(url, "since").as_str() {
                "newest" => json_answer(&json!({ "Changes": [{ "Seq": 7 }], "Last": end })),
                "150000" | "t150000" => {
                    json_answer(&json!({ "Changes": [{ "Seq": 8 }], "Last": end }))
                }
                other => panic!("asked from {other}"),
            }
        });
        world.run_for(15).await;
        assert_eq!(world.told(), ["8:changed"]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_that_the_answer_does_not_say_fails_and_nothing_is_told() {
    for cursor in ["number", "token"] {
        let cursor = format!("{{ {cursor}: .Last, end: {{ query: {{ since: newest }} }} }}");
        let config = change_log(&cursor, "now");
        let world = World::with(&config);
        world.ehr.on("/api/changes", |url| {
            assert_eq!(parameter(url, "since"), "newest", "no log is read");
            json_answer(&json!({ "Changes": [{ "Seq": 7 }] }))
        });
        world.run_for(15).await;
        let failure = world.feed("log").await.failure.expect("it failed");
        assert_eq!(failure.code.to_string(), "R0320");
        assert_eq!(world.told(), [] as [String; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn pages_by_number_of_a_log_that_is_said_to_ascend_are_read_on_where_they_ended() {
    let config = change_log(
        "{ number: .Highest, order: ascending }\n      paging: { page_number: { parameter: page, size: 100 } }\n      max_pages: 10",
        "beginning",
    );
    let world = World::with(&config);
    world.ehr.on("/api/changes", |url| {
        let since: u64 = parameter(url, "since").parse().expect("a number");
        let page: u64 = parameter(url, "page").parse().expect("a number");
        let first = since + (page - 1) * 100;
        let up_to = (first + 100).min(1_730);
        let entries: Vec<_> = (first + 1..=up_to)
            .map(|number| json!({ "Seq": number }))
            .collect();
        json_answer(&json!({ "Changes": entries, "Highest": up_to.max(first) }))
    });
    world.run_for(1).await;
    // Pages are read twice, and the last one's number may be the log's end until another page shows more.
    let begun = world.feed("log").await.cursor;
    let at = |number: &str| Some(Cursor::Number(number.into()));
    assert!(begun == at("400") || begun == at("800"), "{begun:?}");
    world.run_for(60).await;
    assert_eq!(world.told().len(), 1_730);
    assert_eq!(world.feed("log").await.failures_in_a_row, 0);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_has_expired_begins_anew_and_tells_only_what_is_new() {
    let config = change_log("{ token: .token }", "now");
    let world = World::with(&config);
    world.ehr.on("/api/changes", |url| match url.query() {
        None => json_answer(&json!({ "Changes": [{ "Seq": 1 }, { "Seq": 2 }], "token": "old" })),
        Some("since=old") => json_answer(&json!({ "Changes": [], "token": "old" })),
        Some(other) => panic!("asked with {other}"),
    });
    world.run_for(15).await;
    world.ehr.on("/api/changes", |url| match url.query() {
        Some("since=old") => Ok(status(410)),
        None => json_answer(
            &json!({ "Changes": [{ "Seq": 1 }, { "Seq": 2, "note": "edited" }, { "Seq": 3 }], "token": "new" }),
        ),
        Some("since=new") => json_answer(&json!({ "Changes": [], "token": "new" })),
        Some(other) => panic!("asked with {other}"),
    });
    world.run_for(30).await;
    assert_eq!(world.told(), ["2:changed", "3:changed"]);
    assert_eq!(world.feed("log").await.failures_in_a_row, 0);
}

#[tokio::test(start_paused = true)]
async fn what_expired_and_cannot_be_read_anew_fails_with_a_way_out() {
    let cursors = [
        ("{ number: .Last }", "beginning"),
        ("{ token: .Last, end: { query: { since: newest } } }", "now"),
    ];
    for (cursor, start) in cursors {
        let config = change_log(cursor, start);
        let world = World::with(&config);
        world.ehr.on("/api/changes", |_| {
            json_answer(&json!({ "Changes": [], "Last": 5 }))
        });
        world.run_for(15).await;
        world.ehr.on("/api/changes", |_| Ok(status(410)));
        world.run_for(15).await;
        let failure = world.feed("log").await.failure.expect("it failed");
        assert_eq!(failure.code.to_string(), "R0329");
        assert!(
            failure
                .hint
                .expect("a hint")
                .contains("rounds reset ACTION")
        );
    }
}
