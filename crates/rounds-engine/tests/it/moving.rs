//! Pages by place over records that move while they are read.

use crate::ehr::json_answer;
use crate::world::World;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use url::Url;

const ROWS: u64 = 25;
const PAGE: usize = 10;

/// Rows in the order of their last change, as a database gives them out.
type Table = Arc<Mutex<Vec<(u64, Timestamp)>>>;

#[derive(Debug, Clone, Copy)]
enum Move {
    /// The first rows are edited: they go to the end.
    Edit,
    /// The first rows are deleted.
    Delete,
}

fn world(paging: &str) -> World {
    World::with(&text(paging))
}

fn text(paging: &str) -> String {
    format!(
        r#"
connections:
  ehr: {{ base_url: "https://ehr.example/api" }}
actions:
  log:
    connection: ehr
    every: 10s
    timeout: 5s
    changes:
      get: /records
      query: {{ since: "{{{{ cursor }}}}" }}
      cursor: {{ time: rfc3339, overlap: 30s, field: .changed }}
      start: beginning
      paging: {paging}
      records: .[]
      id: .id
    notify: {{ body: {{ id: = .record.id, status: = .record.changed }} }}
    to: app
destinations:
  app: {{ url: "https://app.example/hooks" }}
"#
    )
}

fn number(url: &Url, parameter: &str) -> Option<usize> {
    url.query_pairs()
        .find(|(name, _)| name == parameter)
        .map(|(_, number)| number.parse().expect("a number"))
}

/// Serves the table; after the answer to request `after`, its first `count` rows move.
fn serve(world: &World, table: &Table, what: Move, count: usize, after: u32) {
    let table = Arc::clone(table);
    let clock = Arc::clone(&world.ports.clock);
    let mut requests = 0;
    world.ehr.on("/api/records", move |url| {
        let since: Timestamp = url
            .query_pairs()
            .find(|(name, _)| name == "since")
            .map(|(_, since)| since.parse().expect("an instant"))
            .expect("since is asked");
        let mut rows = table.lock().expect("not poisoned");
        let offset = number(url, "offset")
            .or_else(|| number(url, "page").map(|page| (page - 1) * PAGE))
            .expect("a place is asked");
        let page: Vec<Value> = rows
            .iter()
            .filter(|(_, changed)| *changed >= since)
            .skip(offset)
            .take(PAGE)
            .map(|(id, changed)| json!({ "id": id, "changed": changed.to_string() }))
            .collect();
        requests += 1;
        if requests == after {
            let moved: Vec<u64> = rows.drain(..count).map(|(id, _)| id).collect();
            if matches!(what, Move::Edit) {
                rows.extend(moved.into_iter().map(|id| (id, clock.now())));
            }
        }
        json_answer(&Value::Array(page))
    });
}

async fn loses_nothing(paging: &str) {
    for what in [Move::Edit, Move::Delete] {
        for after in 1..=4 {
            // Up to nearly a page's worth at once.
            for count in [1, 2, 5, 9] {
                let world = world(paging);
                let long_ago = world.now() - SignedDuration::from_hours(5);
                let table: Table = Arc::default();
                for id in 0..ROWS {
                    let changed =
                        long_ago + SignedDuration::from_mins(i64::try_from(id).expect("small"));
                    table.lock().expect("not poisoned").push((id, changed));
                }
                serve(&world, &table, what, count, after);
                world.run_for(60).await;
                let told: Vec<Value> = world.bodies();
                let ids: BTreeSet<u64> = told
                    .iter()
                    .map(|body| body["id"].as_u64().expect("a number"))
                    .collect();
                let case = format!("{what:?} of {count} rows after request {after} with {paging}");
                assert_eq!(ids, (0..ROWS).collect(), "{case}");
                let states: BTreeSet<String> = told.iter().map(ToString::to_string).collect();
                assert_eq!(states.len(), told.len(), "nothing twice: {case}");
                for (id, changed) in table.lock().expect("not poisoned").iter() {
                    let last = json!({ "id": id, "status": changed.to_string() });
                    assert!(told.contains(&last), "its last state: {case}");
                }
                assert_eq!(world.feed("log").await.failure, None, "{case}");
            }
        }
    }
}

// Case 38: airbytehq/airbyte#21500, taskcluster#3278; two known pollers lose a row here and never find it again.
#[tokio::test(start_paused = true)]
async fn rows_that_move_between_pages_by_offset_are_all_told() {
    loses_nothing("{ offset: { parameter: offset, size: 10 } }").await;
}

#[tokio::test(start_paused = true)]
async fn rows_that_move_between_pages_by_number_are_all_told() {
    loses_nothing("{ page_number: { parameter: page, size: 10 } }").await;
}

#[tokio::test(start_paused = true)]
async fn rows_that_move_between_pages_whose_size_nobody_told_are_all_told() {
    loses_nothing("{ page_number: { parameter: page } }").await;
}

#[tokio::test(start_paused = true)]
async fn an_overlap_of_one_row_is_all_that_quiet_pages_cost() {
    // One round, at the start: the clock of a story begins at ten.
    let text = text("{ offset: { parameter: offset, size: 10 } }");
    let world = World::with(&text.replace("every: 10s", "at: '0 12 * * *'"));
    let table: Table = Arc::default();
    for id in 0..100 {
        let changed = world.now() - SignedDuration::from_hours(1);
        table.lock().expect("not poisoned").push((id, changed));
    }
    serve(&world, &table, Move::Delete, 0, 0);
    world.run_for(1).await;
    assert_eq!(world.bodies().len(), 100);
    // 0, 9, 18, ... 99: one page more than without it.
    assert_eq!(world.ehr.asked("/api/records"), 12);
}
