//! E. Answers of several pages.

use crate::ehr::{json_answer, parameter, status};
use crate::paging::{items, number, tells_all_25, world};
use crate::world::World;
use jiff::ToSpan;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Feeds of one connection, each with pages of its own.
const SEVERAL_FEEDS: &str = r#"
connections:
  ehr: { base_url: "https://ehr.example/api", limits: { in_flight: 16 } }
actions:
  ACTIONS
destinations:
  app: { url: "https://app.example/hooks" }
"#;

#[tokio::test(start_paused = true)]
async fn feeds_that_are_paged_at_the_same_time_do_not_share_where_they_are() {
    // Case 40: dlt-hub/dlt#1921, dlt-hub/dlt#3772, dlt-hub/dlt#3685: a paginator's state was shared across parents.
    let pages_of = [3_usize, 0, 5, 1, 2];
    for paging in [
        "{ page_number: { parameter: p, first: 0, rows: stay } }",
        "{ offset: { parameter: p, size: 1, rows: stay } }",
        "{ token: { parameter: p, from: .token } }",
        "{ next_link: .next, rows: stay }",
    ] {
        // Asked once, at the start: stories begin at ten.
        let actions: Vec<String> = (0..pages_of.len())
            .map(|feed| {
                format!("feed-{feed}: {{ connection: ehr, at: '0 3 * * *', changes: {{ get: /feed-{feed}, paging: {paging}, start: beginning, records: '.items[]', id: .id }}, to: app }}\n  ")
            })
            .collect();
        let actions = actions.concat();
        let world = World::with(&SEVERAL_FEEDS.replace("ACTIONS", &actions));
        // Long enough for all of them to be under way together.
        *world.ehr.takes.lock().expect("not poisoned") = Duration::from_secs(2);
        for (feed, pages) in pages_of.into_iter().enumerate() {
            let path = format!("/api/feed-{feed}");
            let own = path.clone();
            world.ehr.on(&path, move |url| {
                let page = number(url, "p");
                let items: Vec<_> = (page < pages)
                    .then(|| json!({ "id": page }))
                    .into_iter()
                    .collect();
                let more = page + 1 < pages;
                json_answer(&json!({
                    "items": items,
                    "next": more.then(|| format!("{own}?p={}", page + 1)),
                    "token": more.then(|| (page + 1).to_string()),
                }))
            });
        }
        world.run_for(30).await;
        assert!(world.ehr.most_under_way() >= 4, "they run together");
        let log = world.ehr.take_log();
        for (feed, pages) in pages_of.into_iter().enumerate() {
            let asked: Vec<usize> = log
                .iter()
                .filter(|url| url.path() == format!("/api/feed-{feed}"))
                .map(|url| number(url, "p"))
                .collect();
            // Where only an empty or short page says that it was the last, that page is asked too.
            let ends_by_itself = paging.contains("token") || paging.contains("next");
            let requests = if ends_by_itself {
                pages.max(1)
            } else {
                pages + 1
            };
            assert_eq!(
                asked,
                (0..requests).collect::<Vec<_>>(),
                "{paging}, feed {feed}"
            );
        }
        assert_eq!(world.told().len(), 11, "{paging}");
    }
}

/// A feed by time whose answer has pages.
const BY_TIME: &str = r#"
connections:
  ehr: { base_url: "https://ehr.example/api" }
actions:
  appointments:
    connection: ehr
    every: 1m
    timeout: 5s
    changes:
      get: /appointments
      query: { changedsince: "{{ cursor }}" }
      cursor: { time: "%Y-%m-%dT%H:%M:%S", overlap: 30s, field: .lastModified }
      start: beginning
      paging: { next_link: .next, rows: stay }
      records: .items[]
      id: .id
      version: .version
    notify: { body: { id: = .record.id, status: = .record.status } }
    to: app
destinations:
  app: { url: "https://app.example/hooks" }
"#;

/// Serves what changed in pages of this size; `shuffle` says at which place a record stands in the answer.
/// A page before which `fails` says so is answered with 500.
fn serves(
    world: &World,
    size: usize,
    shuffle: impl Fn(u64) -> u64 + Send + 'static,
    fails: impl Fn(usize) -> bool + Send + 'static,
) {
    let clinic = world.clinic.clone();
    world.ehr.on("/api/appointments", move |url| {
        let page = number(url, "p");
        if fails(page) {
            return Ok(status(500));
        }
        let since = parameter(url, "changedsince");
        let mut found = clinic.changed_since(url);
        found.sort_by_key(|record| shuffle(record["id"].as_u64().expect("a number")));
        let next = (found.len() > (page + 1) * size)
            .then(|| format!("?changedsince={since}&p={}", page + 1));
        let items: Vec<_> = found.into_iter().skip(page * size).take(size).collect();
        json_answer(&json!({ "items": items, "next": next }))
    });
}

#[tokio::test(start_paused = true)]
async fn over_unordered_pages_the_cursor_moves_only_at_the_end() {
    // Case 46: EC:2bb59bf38, EC:392b8c98a.
    for (size, multiplier) in [(10, 17_u64), (7, 29), (25, 43), (10, 59)] {
        let world = World::with(BY_TIME);
        let began = world.now();
        for id in 1..=60 {
            world.clinic.put(
                id,
                "p",
                "booked",
                began - i64::try_from(61 - id).expect("small").minutes(),
            );
        }
        let broken = Arc::new(AtomicBool::new(true));
        let is_broken = Arc::clone(&broken);
        let last = 60_usize.div_ceil(size) - 1;
        serves(
            &world,
            size,
            move |id| id * multiplier % 61,
            move |page| page == last && is_broken.load(Ordering::Relaxed),
        );
        world.run_for(30).await;
        assert_eq!(
            world.feed("appointments").await.cursor,
            None,
            "it is not drained"
        );
        let mut told: Vec<_> = world.told();
        assert_eq!(told.len(), last * size, "what was drained is told");
        broken.store(false, Ordering::Relaxed);
        world.run_for(180).await;
        assert_eq!(world.cursor().await, began - 1.minute());
        told.extend(world.told());
        assert_eq!(told.len(), 60, "pages of {size}, by {multiplier}");
        assert_eq!(told.into_iter().collect::<BTreeSet<_>>().len(), 60);
    }
}

#[tokio::test(start_paused = true)]
async fn a_round_that_dies_on_any_page_tells_what_came_before_once_and_is_made_again() {
    // Case 48: any poller.
    for broken_page in 0..20_usize {
        let world = World::with(BY_TIME);
        let began = world.now();
        for id in 1..=100 {
            world.clinic.put(
                id,
                "p",
                "booked",
                began - i64::try_from(101 - id).expect("small").minutes(),
            );
        }
        let failures = Arc::new(AtomicUsize::new(usize::MAX));
        let left = Arc::clone(&failures);
        serves(
            &world,
            5,
            |id| id,
            move |page| page == broken_page && left.load(Ordering::Relaxed) > 0,
        );
        world.run_for(30).await;
        assert_eq!(world.told().len(), 5 * broken_page);
        let feed = world.feed("appointments").await;
        assert_eq!(feed.cursor, None);
        assert_eq!(
            feed.failure.map(|failure| failure.code.to_string()),
            Some("R0313".into())
        );
        failures.store(0, Ordering::Relaxed);
        world.run_for(150).await;
        assert_eq!(
            world.told().len(),
            100 - 5 * broken_page,
            "page {broken_page}"
        );
        assert_eq!(world.cursor().await, began - 1.minute());
        assert_eq!(world.feed("appointments").await.failure, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_next_link_in_the_body_is_followed_as_it_is() {
    // Case 43: EC:cb16b3d64, EC:e234fb077.
    let world = world("{ next_link: '.next', rows: stay }");
    world.ehr.on("/api/records", |url| {
        let offset = number(url, "o");
        // What the first request asked stands in the link already and is not added again.
        assert_eq!(
            url.query_pairs().filter(|(name, _)| name == "kind").count(),
            1,
            "{url}"
        );
        let next = (offset < 20).then(|| format!("/api/records?kind=all&o={}", offset + 10));
        json_answer(&json!({ "items": items(offset, (offset + 10).min(25)), "next": next }))
    });
    tells_all_25(&world, 3).await;
}

#[tokio::test(start_paused = true)]
async fn one_page_is_asked_once() {
    // Case 44: elastic/beats#30693.
    let world = world("{ next_link: .next, rows: stay }");
    world.ehr.on("/api/records", |_| {
        json_answer(&json!({ "items": items(0, 25) }))
    });
    tells_all_25(&world, 1).await;
}
