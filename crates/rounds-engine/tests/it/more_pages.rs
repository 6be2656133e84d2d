//! Further ways to go on, and to know where an answer ends.

use crate::ehr::{json_answer, parameter, status};
use crate::paging::{items, number, tells_all_25, world};
use crate::world::World;
use jiff::{SignedDuration, Timestamp, ToSpan};
use rounds_domain::Cursor;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use url::Url;

async fn code_of_failure(world: &World) -> String {
    world.run_for(1).await;
    let feed = world.feed("log").await;
    assert_eq!(
        feed.cursor, None,
        "an answer that was not drained moves nothing"
    );
    feed.failure.expect("a failure").code.to_string()
}

#[tokio::test(start_paused = true)]
async fn a_short_page_is_not_the_last_while_the_answer_says_that_there_is_more() {
    let world =
        world("{ page_number: { parameter: page, size: 10, rows: stay }, more: .has_next }");
    // A server that filters after it has cut its pages.
    world.ehr.on("/api/records", |url| {
        let page = number(url, "page");
        let found = match page {
            1 => items(0, 7),
            2 => Vec::new(),
            3 => items(7, 17),
            _ => items(17, 25),
        };
        json_answer(&json!({ "items": found, "has_next": page < 4 }))
    });
    tells_all_25(&world, 4).await;
}

#[tokio::test(start_paused = true)]
async fn a_full_page_is_the_last_where_the_answer_says_so() {
    let world = world("{ offset: { parameter: offset, size: 25, rows: stay }, more: .has_next }");
    world.ehr.on("/api/records", |url| {
        assert_eq!(number(url, "offset"), 0, "there is no second page");
        json_answer(&json!({ "items": items(0, 25), "has_next": false }))
    });
    tells_all_25(&world, 1).await;
}

#[tokio::test(start_paused = true)]
async fn more_pages_and_no_way_to_them_is_not_a_drain() {
    let world = world("{ token: { parameter: token, from: .next }, more: .has_next }");
    world.ehr.on("/api/records", |_| {
        json_answer(&json!({ "items": items(0, 10), "has_next": true }))
    });
    assert_eq!(code_of_failure(&world).await, "R0350");
    assert_eq!(world.told().len(), 10, "what it showed is told");
}

#[tokio::test(start_paused = true)]
async fn pages_begin_after_the_last_record_of_the_one_before() {
    for (size, requests) in [(", size: 10, size_parameter: limit", 3), ("", 4)] {
        let world = world(&format!(
            "{{ after: {{ parameter: after, from: .id{size} }} }}"
        ));
        world.ehr.on("/api/records", |url| {
            let from = url
                .query_pairs()
                .find(|(name, _)| name == "after")
                .map_or(0, |(_, after)| {
                    after.parse::<usize>().expect("a number") + 1
                });
            json_answer(&json!({ "items": items(from, (from + 10).min(25)) }))
        });
        tells_all_25(&world, requests).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_keyset_whose_bound_is_taken_in_ends_with_its_short_page() {
    let world = world("{ after: { parameter: after, from: .id, size: 10 } }");
    world.ehr.on("/api/records", |url| {
        let from = number(url, "after");
        json_answer(&json!({ "items": items(from, (from + 10).min(25)) }))
    });
    // 0..10, 9..19, 18..25: one comes again on each, silently.
    tells_all_25(&world, 3).await;
}

#[tokio::test(start_paused = true)]
async fn a_keyset_that_does_not_get_any_further_is_noticed() {
    let world = world("{ after: { parameter: after, from: .group, size: 2 } }");
    // All of one group: the value of the last record leads to the same page for ever.
    world.ehr.on("/api/records", |_| {
        json_answer(&json!({ "items": [{ "id": 1, "group": "g" }, { "id": 2, "group": "g" }] }))
    });
    assert_eq!(code_of_failure(&world).await, "R0316");
    let world = self::world("{ after: { parameter: after, from: .none, size: 2 } }");
    world.ehr.on("/api/records", |_| {
        json_answer(&json!({ "items": items(0, 2) }))
    });
    assert_eq!(code_of_failure(&world).await, "R0350");
}

fn linked(world: &World, link: &'static str) {
    world.ehr.on("/api/records", move |url| {
        let page = number(url, "p");
        let next = (page < 2).then(|| format!("{link}?p={}", page + 1));
        json_answer(&json!({
            "items": items(page * 10, (page * 10 + 10).min(25)),
            "next": next,
        }))
    });
}

#[tokio::test(start_paused = true)]
async fn links_that_an_ehr_builds_from_an_inner_address_are_asked_for_at_its_own() {
    for link in [
        "http://localhost:8090/api/records",
        "https://ehr.example:8443/api/records",
        "https://ehr.example/api/records",
        "/api/records",
    ] {
        let world = world("{ next_link: .next, links: rebased }");
        linked(&world, link);
        world.run_for(1).await;
        assert_eq!(world.told().len(), 25, "{link}");
        let log = world.ehr.take_log();
        assert!(
            log.iter()
                .all(|url| url.origin().ascii_serialization() == "https://ehr.example")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn links_to_another_host_stay_an_error_where_nobody_asked_for_more_and_so_do_other_paths() {
    let world = world("{ next_link: .next }");
    linked(&world, "http://localhost:8090/api/records");
    assert_eq!(code_of_failure(&world).await, "R0318");
    assert_eq!(world.ehr.take_log().len(), 1);
    let world = self::world("{ next_link: .next, links: rebased }");
    linked(&world, "http://localhost:8090/admin/records");
    assert_eq!(code_of_failure(&world).await, "R0318");
    assert_eq!(world.ehr.take_log().len(), 1);
}

/// As Orthanc's change log works: `since` is left out of the answer, `Last` leads on, `Done` ends it.
const ORTHANC: &str = r#"
connections:
  pacs: { base_url: "https://ehr.example/api" }
actions:
  log:
    connection: pacs
    every: 10s
    timeout: 5s
    changes:
      get: /changes
      query: { since: "{{ cursor }}", limit: 4 }
      cursor: { number: .Last }
      paging: { token: { parameter: since, from: .Last }, more: ".Done | not" }
      start: beginning
      records: .Changes[]
      id: .Seq
    notify: { body: { id: = .record.Seq, status: told } }
    to: app
destinations:
  app: { url: "https://app.example/hooks" }
"#;

#[tokio::test(start_paused = true)]
async fn a_log_by_number_is_drained_in_one_round() {
    let world = World::with(ORTHANC);
    let last = Arc::new(Mutex::new(10_u64));
    let shown = Arc::clone(&last);
    world.ehr.on("/api/changes", move |url| {
        let since: u64 = parameter(url, "since").parse().expect("a number");
        let last = *shown.lock().expect("not poisoned");
        let end = (since + 4).min(last);
        let found: Vec<Value> = (since + 1..=end).map(|seq| json!({ "Seq": seq })).collect();
        json_answer(&json!({ "Changes": found, "Done": end == last, "Last": end.max(since) }))
    });
    world.run_for(1).await;
    assert_eq!(world.told().len(), 10);
    // A second round may have begun already; it asks once.
    assert!((3..=4).contains(&world.ehr.asked("/api/changes")));
    assert_eq!(
        world.feed("log").await.cursor,
        Some(Cursor::Number("10".into()))
    );
    *last.lock().expect("not poisoned") = 11;
    world.run_for(20).await;
    assert_eq!(world.told(), ["11:told"]);
    // The log is emptied, and goes on counting.
    *last.lock().expect("not poisoned") = 11;
    world.run_for(20).await;
    assert_eq!(world.told(), [] as [String; 0]);
}

/// As Healthie works: no filter, the newest first, page by page.
const NEWEST_FIRST: &str = r#"
connections:
  ehr: { base_url: "https://ehr.example/api" }
actions:
  appointments:
    connection: ehr
    every: 10s
    timeout: 5s
    changes:
      get: /newest
      cursor: { time: rfc3339, field: .lastModified, order: descending, overlap: 30s }
      paging: { token: { parameter: page, from: .next } }
      start: START
      records: .items[]
      id: .id
      version: .version
    notify: { body: { id: = .record.id, status: = .record.status } }
    to: app
destinations:
  app: { url: "https://app.example/hooks" }
"#;

fn newest_first(world: &World, refused: &Arc<AtomicUsize>) {
    let (clinic, refused) = (world.clinic.clone(), Arc::clone(refused));
    world.ehr.on("/api/newest", move |url| {
        let page = number(url, "page");
        if page > 0 && page == refused.load(Ordering::Relaxed) {
            return Ok(status(400));
        }
        let mut all = clinic.from(Timestamp::UNIX_EPOCH);
        all.reverse();
        let next = (all.len() > page * 5 + 5).then_some(page + 1);
        let found: Vec<Value> = all.into_iter().skip(page * 5).take(5).collect();
        json_answer(&json!({ "items": found, "next": next }))
    });
}

fn history(world: &World) {
    for id in 0..100 {
        let age = SignedDuration::from_hours(i64::try_from(id).expect("small") + 1);
        world.clinic.put(1_000 + id, "p", "old", world.now() - age);
    }
}

#[tokio::test(start_paused = true)]
async fn the_newest_come_first_and_pages_are_read_up_to_the_cursor() {
    let world = World::with(&NEWEST_FIRST.replace("START", "now"));
    newest_first(&world, &Arc::default());
    // Its `Date` has whole seconds, so a round that is a moment late finds its clock behind and looks once more: a request or not.
    *world.ehr.clock_ahead_seconds.lock().expect("not poisoned") = None;
    history(&world);
    world.run_for(1).await;
    // The first page shows nothing of the last minutes, so six pages of the last day are looked at, silently; the rest is from before. The
    // first second may hold the action's regular tick as well, whose round asks for one page.
    let later = world.feed("appointments").await.rounds - 1;
    assert_eq!(world.ehr.asked("/api/newest") as u64, 7 + later);
    for id in 0..12 {
        world.clinic.put(id, "p", "new", world.now());
    }
    world.run_for(20).await;
    let mut expected: Vec<String> = (0..12).map(|id| format!("{id}:new")).collect();
    expected.sort();
    assert_eq!(world.told_sorted(), expected);
    world.pass(3_600).await;
    world.ehr.take_log();
    world.run_for(1).await;
    let last = (world.ehr.take_log().iter())
        .map(|url| number(url, "page"))
        .max();
    assert_eq!(
        last,
        Some(2),
        "twelve within the overlap, and the one that ends it"
    );
    assert_eq!(world.told(), [] as [String; 0]);
    // An old one that was never seen changes: it is at the top now.
    world.clinic.put(1_050, "p", "moved", world.now());
    world.run_for(20).await;
    assert_eq!(world.told(), ["1050:moved"]);
}

#[tokio::test(start_paused = true)]
async fn a_round_that_fails_after_its_newest_page_moves_nothing_and_loses_nothing() {
    let world = World::with(&NEWEST_FIRST.replace("START", "now"));
    let refused = Arc::new(AtomicUsize::new(0));
    newest_first(&world, &refused);
    history(&world);
    world.run_for(1).await;
    let cursor = world.cursor().await;
    world.pass(60).await;
    for id in 0..12 {
        let at = world.now() - SignedDuration::from_secs(20 - i64::try_from(id).expect("small"));
        world.clinic.put(id, "p", "new", at);
    }
    refused.store(1, Ordering::Relaxed);
    world.run_for(15).await;
    assert!(world.feed("appointments").await.failure.is_some());
    assert_eq!(world.cursor().await, cursor);
    let mut told = world.told();
    assert_eq!(told.len(), 5);
    refused.store(0, Ordering::Relaxed);
    world.run_for(15).await;
    told.extend(world.told());
    told.sort();
    let mut expected: Vec<String> = (0..12).map(|id| format!("{id}:new")).collect();
    expected.sort();
    assert_eq!(told, expected);
}

#[tokio::test(start_paused = true)]
async fn pages_that_are_not_the_newest_first_after_all_are_read_to_their_end() {
    let world = World::with(&NEWEST_FIRST.replace("START", "now"));
    history(&world);
    let clinic = world.clinic.clone();
    // An old one at the top, as if it were pinned, and the new ones behind it.
    world.ehr.on("/api/newest", move |url| {
        let page = number(url, "page");
        let mut all = clinic.from(Timestamp::UNIX_EPOCH);
        all.reverse();
        let oldest = all.pop().expect("one");
        all.insert(0, oldest);
        let next = (all.len() > page * 5 + 5).then_some(page + 1);
        let found: Vec<Value> = all.into_iter().skip(page * 5).take(5).collect();
        json_answer(&json!({ "items": found, "next": next }))
    });
    world.run_for(1).await;
    for id in 0..12 {
        world.clinic.put(id, "p", "new", world.now());
    }
    world.run_for(20).await;
    assert_eq!(world.told().len(), 12);
}

/// As Open Dental works: every element of an answer carries the server's own time, local and without an offset.
const OWN_CLOCK: &str = r#"
connections:
  ehr: { base_url: "https://ehr.example/api" }
actions:
  appointments:
    connection: ehr
    every: 10s
    timeout: 5s
    changes:
      get: /own
      query: { since: "{{ cursor }}" }
      cursor: { time: "%Y-%m-%d %H:%M:%S", zone: America/Chicago, answer: ".[0].serverDateTime", overlap: 5s }
      start: now
      records: .[]
      id: .id
      version: .version
    notify: { body: { id: = .record.id, status: = .record.status } }
    to: app
destinations:
  app: { url: "https://app.example/hooks" }
"#;

/// The time that the database shows: it is the EHR's own zone's, and may be wrong.
fn own_clock(world: &World, ahead: SignedDuration) {
    let (clinic, clock) = (world.clinic.clone(), Arc::clone(&world.ports.clock));
    let zone = jiff::tz::TimeZone::get("America/Chicago").expect("a zone");
    world.ehr.on("/api/own", move |url: &Url| {
        let since = jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", parameter(url, "since"))
            .expect("a local time");
        let since = since
            .to_zoned(zone.clone())
            .expect("an instant")
            .timestamp();
        let shows = (clock.now() + ahead).to_zoned(zone.clone());
        let shows = shows.strftime("%Y-%m-%d %H:%M:%S").to_string();
        let mut found = clinic.from(since);
        for found in &mut found {
            found["serverDateTime"] = json!(shows);
        }
        json_answer(&Value::Array(found))
    });
}

#[tokio::test(start_paused = true)]
async fn the_clock_in_the_answer_is_the_cursor_and_an_answer_without_it_moves_nothing() {
    let world = World::with(OWN_CLOCK);
    // Half a minute behind ours; the header, from a proxy, is far off.
    own_clock(&world, SignedDuration::from_secs(-30));
    *world.ehr.clock_ahead_seconds.lock().expect("not poisoned") = Some(-86_400);
    world.run_for(1).await;
    let at = world.now() - 30.seconds();
    world.clinic.put(1, "p", "new", at);
    world.run_for(15).await;
    assert_eq!(world.told(), ["1:new"]);
    let cursor = world.cursor().await;
    let shown = world.now() - 30.seconds();
    assert!(
        cursor <= shown && cursor > shown - 20.seconds(),
        "{cursor} {shown}"
    );
    world.clinic.remove(1);
    world.run_for(60).await;
    assert_eq!(
        world.cursor().await,
        cursor,
        "an empty answer shows no clock"
    );
    world.clinic.put(2, "p", "new", world.now() - 30.seconds());
    world.run_for(15).await;
    assert_eq!(world.told(), ["2:new"]);
}

#[tokio::test(start_paused = true)]
async fn a_clock_in_the_answer_that_is_ahead_of_ours_is_not_believed() {
    let world = World::with(OWN_CLOCK);
    own_clock(&world, SignedDuration::from_hours(24 * 365));
    world.run_for(1).await;
    world.clinic.put(1, "p", "new", world.now());
    world.run_for(30).await;
    assert!(world.cursor().await <= world.now());
    world.clinic.put(2, "p", "new", world.now());
    world.run_for(30).await;
    assert_eq!(world.told(), ["1:new", "2:new"]);
}

#[tokio::test(start_paused = true)]
async fn a_clock_in_the_answer_that_cannot_be_read_fails_the_round() {
    let world = World::with(OWN_CLOCK);
    world.ehr.on("/api/own", |_| {
        json_answer(&json!([{ "id": 1, "version": 1, "status": "x", "serverDateTime": "soon" }]))
    });
    world.run_for(1).await;
    let feed = world.feed("appointments").await;
    assert_eq!(feed.failure.expect("a failure").code.to_string(), "R0320");
    assert_eq!(feed.cursor, None);
}

/// As `ModMed` and Unity work: whole days of a local calendar, and "after" the day that is asked for.
#[tokio::test(start_paused = true)]
async fn a_filter_by_days_that_means_after_is_asked_a_day_before() {
    let config = OWN_CLOCK
        .replace("\"%Y-%m-%d %H:%M:%S\"", "\"%m/%d/%Y\"")
        .replace("answer: \".[0].serverDateTime\"", "field: .lastModified");
    let world = World::beginning_at("2026-03-08T05:30:00Z".parse().expect("an instant"), &config);
    let clinic = world.clinic.clone();
    let zone = jiff::tz::TimeZone::get("America/Chicago").expect("a zone");
    world.ehr.on("/api/own", move |url| {
        let after =
            jiff::civil::Date::strptime("%m/%d/%Y", parameter(url, "since")).expect("a day");
        let found = (clinic.from(Timestamp::UNIX_EPOCH).into_iter()).filter(|found| {
            let at = crate::ehr::modified(found).to_zoned(zone.clone());
            at.date() > after
        });
        json_answer(&Value::Array(found.collect()))
    });
    world.run_for(1).await;
    // Over three days, one of which has 23 hours.
    let mut expected = Vec::new();
    for id in 0..36 {
        world.clinic.put(id, "p", "new", world.now());
        world.run_for(11).await;
        world.pass(2 * 3_600 - 11).await;
        expected.push(format!("{id}:new"));
    }
    world.run_for(11).await;
    expected.sort();
    assert_eq!(world.told_sorted(), expected);
}
