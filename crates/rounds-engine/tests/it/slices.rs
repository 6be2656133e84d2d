//! Spans that are longer than an EHR allows in one request.

use crate::ehr::{json_answer, modified, parameter, status};
use crate::world::{World, feed_key};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use rounds_domain::Cursor;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use url::Url;

const BY_TIME: &str = r#"
connections:
  ehr: { base_url: "https://ehr.example/api" }
actions:
  appointments:
    connection: ehr
    at: "0 * * * *"
    timeout: 5s
    changes:
      get: /changes
      query: { from: "{{ cursor }}", to: "{{ until }}" }
      cursor: { time: "%Y-%m-%dT%H:%M:%S", window: { longest: 7d }FIELD }
      start: 2026-03-01T00:00:00Z
      records: .[]
      id: .id
      version: .version
    notify: { body: { id: = .record.id, status: = .record.status } }
    to: app
destinations:
  app: { url: "https://app.example/hooks" }
"#;

fn by_field() -> String {
    BY_TIME.replace("FIELD", ", field: .lastModified")
}

fn bounds(url: &Url) -> (Timestamp, Timestamp) {
    let at = |name| {
        format!("{}Z", parameter(url, name))
            .parse()
            .expect("an instant")
    };
    (at("from"), at("to"))
}

/// How the EHR takes its bounds.
#[derive(Debug, Clone, Copy)]
enum Bounds {
    In,
    Out,
}

/// Answers what changed between two moments, and refuses more than a week and what it is told to.
fn answers_weeks(world: &World, taken: Bounds, refused: &Arc<Mutex<Option<usize>>>) {
    let (clinic, refused) = (world.clinic.clone(), Arc::clone(refused));
    let number = AtomicUsize::new(0);
    world.ehr.on("/api/changes", move |url| {
        let (from, to) = bounds(url);
        let number = number.fetch_add(1, Ordering::Relaxed);
        if to.duration_since(from) > SignedDuration::from_hours(7 * 24)
            || refused
                .lock()
                .expect("not poisoned")
                .is_some_and(|at| number >= at)
        {
            return Ok(status(400));
        }
        let found: Vec<Value> = (clinic.from(from).into_iter())
            .filter(|found| match taken {
                Bounds::In => modified(found) <= to,
                Bounds::Out => modified(found) > from && modified(found) < to,
            })
            .collect();
        json_answer(&Value::Array(found))
    });
}

/// One a day, and one at each whole week: where slices may meet.
fn fill(world: &World) -> Vec<String> {
    let start: Timestamp = "2026-03-01T00:00:00Z".parse().expect("an instant");
    let mut told = Vec::new();
    for day in 0..60 {
        let at = start + SignedDuration::from_hours(24 * day + 5);
        let id = u64::try_from(day).expect("positive");
        world.clinic.put(1_000 + id, "p", "daily", at);
        told.push(format!("{}:daily", 1_000 + id));
    }
    for week in 0..8 {
        let at = start + SignedDuration::from_hours(24 * 7 * week);
        let id = u64::try_from(week).expect("positive");
        world.clinic.put(2_000 + id, "p", "edge", at);
        told.push(format!("{}:edge", 2_000 + id));
    }
    told.sort();
    told
}

#[tokio::test(start_paused = true)]
async fn two_months_are_asked_for_week_by_week_and_nothing_is_lost_where_weeks_meet() {
    for source in [", field: .lastModified", ""] {
        for taken in [Bounds::In, Bounds::Out] {
            let world = World::with(&BY_TIME.replace("FIELD", source));
            answers_weeks(&world, taken, &Arc::default());
            let expected = fill(&world);
            world.run_for(60).await;
            assert_eq!(world.feed("appointments").await.failure, None);
            assert_eq!(world.told_sorted(), expected, "{taken:?}");
            let asked: Vec<_> = world.ehr.take_log().iter().map(bounds).collect();
            assert!(asked.len() >= 9);
            for pair in asked.windows(2) {
                assert!(pair[1].0 <= pair[0].1, "a gap: {pair:?}");
                assert!(
                    pair[1].0 >= pair[0].1 - 1.seconds(),
                    "more than a granule: {pair:?}"
                );
                assert!(pair[1].1 > pair[0].1, "it stands still: {pair:?}");
            }
            let last = asked.last().expect("one").1;
            assert!(last <= world.now());
            assert!(world.cursor().await <= last);
            // The next round asks for one.
            world.run_for(3_700).await;
            assert!(world.told().is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_round_that_fails_in_a_slice_goes_on_behind_the_one_before() {
    for (source, is_clock) in [(", field: .lastModified", false), ("", true)] {
        let world = World::with(&BY_TIME.replace("FIELD", source));
        let refused = Arc::new(Mutex::new(Some(4)));
        answers_weeks(&world, Bounds::Out, &refused);
        let expected = fill(&world);
        world.run_for(60).await;
        assert!(world.feed("appointments").await.failure.is_some());
        let log = world.ehr.take_log();
        let closed = bounds(&log[3]).1;
        let cursor = world.cursor().await;
        if is_clock {
            assert_eq!(cursor, closed);
        } else {
            // A value that the source showed, in the last slice that is done.
            assert!(
                cursor <= closed && cursor > closed - 48.hours(),
                "{cursor} {closed}"
            );
        }
        let mut told = world.told_sorted();
        *refused.lock().expect("not poisoned") = None;
        world.run_for(3_700).await;
        let first = bounds(&world.ehr.take_log()[0]).0;
        assert!(
            first <= cursor && first > cursor - 300.seconds(),
            "{first} {cursor}"
        );
        told.extend(world.told());
        told.sort();
        assert_eq!(told, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_does_not_hear_the_upper_bound_moves_nothing_before_the_end() {
    let world = World::with(&by_field());
    let clinic = world.clinic.clone();
    let number = AtomicUsize::new(0);
    // The newest three only, whatever is asked for: what lies between was not shown.
    world.ehr.on("/api/changes", move |url| {
        if number.fetch_add(1, Ordering::Relaxed) >= 2 {
            return Ok(status(500));
        }
        let mut found = clinic.from(bounds(url).0);
        let from = found.len().saturating_sub(3);
        json_answer(&Value::Array(found.split_off(from)))
    });
    fill(&world);
    world.run_for(30).await;
    let feed = world.feed("appointments").await;
    assert!(feed.failure.is_some());
    assert_eq!(feed.cursor, None);
}

#[tokio::test(start_paused = true)]
async fn slices_end_where_records_have_settled() {
    let world = World::with(&by_field().replace("window:", "settle: 30m, window:"));
    answers_weeks(&world, Bounds::In, &Arc::default());
    fill(&world);
    world.run_for(1).await;
    let settled = world.now() - 30.minutes();
    let log = world.ehr.take_log();
    assert!(log.len() >= 9);
    assert!(log.iter().all(|url| bounds(url).1 <= settled));
}

const BY_DATE: &str = r#"
connections:
  ehr: { base_url: "https://ehr.example/api" }
actions:
  appointments:
    connection: ehr
    every: 1d
    timeout: 5s
    changes:
      get: /nothing
      start: beginning
      records: .[]
      id: .id
    reconcile:
      every: 1h
      get: /calendar
      query: { from: "{{ from }}", to: "{{ to }}" }
      dates: { from: -10d, to: 50d, field: .day, longest: 20d }
      hold_back: 50%
    notify: { body: { id: = .record.id, status: = .change.kind } }
    to: app
destinations:
  app: { url: "https://app.example/hooks" }
"#;

#[tokio::test(start_paused = true)]
async fn a_sweep_over_dates_is_complete_when_all_its_slices_are() {
    let world = World::with(&BY_DATE.replace("start: beginning", "start: now"));
    world.ehr.on("/api/nothing", |_| json_answer(&json!([])));
    let today: Date = "2026-05-01".parse().expect("a date");
    let gone: Arc<Mutex<Vec<i64>>> = Arc::default();
    let refuses = Arc::new(Mutex::new(false));
    let (shown_gone, refusing) = (Arc::clone(&gone), Arc::clone(&refuses));
    let spans: Arc<Mutex<Vec<(Date, Date)>>> = Arc::default();
    let noted = Arc::clone(&spans);
    world.ehr.on("/api/calendar", move |url| {
        let day = |name| parameter(url, name).parse::<Date>().expect("a date");
        let (from, to) = (day("from"), day("to"));
        let length = to.since(from).expect("a span").get_days();
        // It counts both ends, and shows nothing of the last: the worst of both.
        if length + 1 > 20 || (*refusing.lock().expect("not poisoned") && from > today) {
            return Ok(status(400));
        }
        noted.lock().expect("not poisoned").push((from, to));
        let gone = shown_gone.lock().expect("not poisoned");
        let found: Vec<Value> = (-10_i64..50)
            .filter(|offset| !gone.contains(offset))
            .map(|offset| (offset, today + offset.days()))
            .filter(|(_, day)| *day >= from && *day < to)
            .map(|(offset, day)| json!({ "id": format!("d{offset}"), "day": day.to_string() }))
            .collect();
        json_answer(&Value::Array(found))
    });
    world.run_for(60).await;
    assert_eq!(
        world.told(),
        [] as [String; 0],
        "a first look tells nothing"
    );
    let feed = feed_key("appointments", "reconcile");
    assert_eq!(world.state_of(feed.clone()).await.failure, None);
    assert_eq!(
        world.state_of(feed.clone()).await.cursor,
        Some(Cursor::Dates {
            from: today - 10.days(),
            to: today + 50.days()
        })
    );
    let asked = std::mem::take(&mut *spans.lock().expect("not poisoned"));
    assert_eq!(asked.len(), 4, "{asked:?}");
    assert!(
        asked.windows(2).all(|pair| pair[0].1 == pair[1].0),
        "{asked:?}"
    );

    // One of the first slice's is gone, and a later slice fails: nothing is told of it.
    gone.lock().expect("not poisoned").push(-5);
    *refuses.lock().expect("not poisoned") = true;
    world.run_for(3_600).await;
    assert!(world.state_of(feed.clone()).await.failure.is_some());
    assert_eq!(world.told(), [] as [String; 0]);
    *refuses.lock().expect("not poisoned") = false;
    world.run_for(2 * 3_700).await;
    assert_eq!(world.told(), ["\"d-5\":deleted"]);
}
