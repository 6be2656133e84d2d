//! Several change queries that tell of the same records, and tombstones.

use crate::ehr::{json_answer, parameter};
use crate::world::World;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// As Cliniko has it: one list of what is there, one of what was deleted, each by its own date.
const BOOK: &str = r#"
connections:
  ehr: { base_url: "https://ehr.example/api" }
actions:
  bookings:
    connection: ehr
    every: 10s
    timeout: 5s
    changes:
      get: /bookings
      query: { since: "{{ cursor }}" }
      cursor: { time: rfc3339, overlap: 30s, field: .updated_at }
      start: START
      records: .[]
      id: .id
      version: .updated_at
    also:
      deleted:
        get: /deleted
        query: { since: "{{ cursor }}" }
        cursor: { time: rfc3339, overlap: 30s, field: .deleted_at }
        gone: true
      cancelled:
        every: 30s
        get: /cancelled
        query: { since: "{{ cursor }}" }
        cursor: { time: rfc3339, overlap: 30s, field: .updated_at }
    SWEEP
    notify:
      body: { id: = .record.id, kind: = .change.kind, who: = .record.who, at: = .record.deleted_at, was: = .previous.who }
    to: app
destinations:
  app: { url: "https://app.example/hooks" }
"#;

#[derive(Clone, Default)]
struct List(Arc<Mutex<Vec<Value>>>);

impl List {
    fn put(&self, record: Value) {
        let mut records = self.0.lock().expect("not poisoned");
        records.retain(|known| known["id"] != record["id"]);
        records.push(record);
    }

    fn remove(&self, id: u64) {
        let mut records = self.0.lock().expect("not poisoned");
        records.retain(|known| known["id"] != id);
    }

    fn serve(&self, world: &World, path: &str, date: &'static str) {
        let list = self.clone();
        world.ehr.on(path, move |url| {
            let since = url
                .query_pairs()
                .any(|(name, _)| name == "since")
                .then(|| parameter(url, "since"));
            let records = list.0.lock().expect("not poisoned");
            let found = records.iter().filter(|record| {
                let at = record[date].as_str().expect("text");
                since.as_ref().is_none_or(|since| at >= since.as_str())
            });
            json_answer(&Value::Array(found.cloned().collect()))
        });
    }
}

struct Book {
    world: World,
    bookings: List,
    deleted: List,
    cancelled: List,
}

impl Book {
    fn new(start: &str, sweep: &str) -> Self {
        let world = World::with(&BOOK.replace("START", start).replace("SWEEP", sweep));
        let (bookings, deleted, cancelled) = <(List, List, List)>::default();
        bookings.serve(&world, "/api/bookings", "updated_at");
        deleted.serve(&world, "/api/deleted", "deleted_at");
        cancelled.serve(&world, "/api/cancelled", "updated_at");
        Self {
            world,
            bookings,
            deleted,
            cancelled,
        }
    }

    fn now(&self) -> String {
        self.world.now().to_string()
    }

    fn book(&self, id: u64, who: &str) {
        (self.bookings).put(json!({ "id": id, "who": who, "updated_at": self.now() }));
    }

    fn delete(&self, id: u64) {
        self.bookings.remove(id);
        (self.deleted).put(json!({ "id": id, "deleted_at": self.now() }));
    }

    fn told(&self) -> Vec<String> {
        (self.world.bodies().iter())
            .map(|body| {
                let text = |key: &str| body[key].as_str().unwrap_or("-").to_owned();
                format!("{}:{}:{}", body["id"], text("kind"), text("who"))
            })
            .collect()
    }
}

#[tokio::test(start_paused = true)]
async fn every_list_tells_of_the_same_records_once() {
    let book = Book::new("now", "");
    book.world.run_for(40).await;
    book.book(1, "Ada");
    book.book(2, "Bo");
    book.world.run_for(15).await;
    let mut told = book.told();
    told.sort();
    assert_eq!(told, ["1:created:Ada", "2:created:Bo"]);

    book.delete(1);
    book.bookings.remove(2);
    (book.cancelled).put(json!({ "id": 2, "who": "Bo, cancelled", "updated_at": book.now() }));
    book.world.run_for(120).await;
    let mut told = book.told();
    told.sort();
    // A thin tombstone is told with what was known of its record.
    assert_eq!(told, ["1:deleted:Ada", "2:updated:Bo, cancelled"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_deleted_before_the_start_is_silent_and_what_nobody_knew_is_told() {
    let book = Book::new("now", "");
    book.book(1, "Ada");
    book.delete(2);
    book.world.run_for(40).await;
    assert_eq!(book.told(), [] as [&str; 0]);
    // Record 3 was there before the overlap of the first round, so the ledger does not know it. The receiver may.
    book.delete(3);
    book.delete(1);
    book.world.run_for(60).await;
    let mut told = book.told();
    told.sort();
    assert_eq!(told, ["1:deleted:Ada", "3:deleted:-"]);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_record_that_comes_back_is_told_and_may_go_again() {
    let book = Book::new("now", "");
    book.world.run_for(40).await;
    for round in 0..3 {
        book.book(1, &format!("Ada {round}"));
        book.world.run_for(60).await;
        book.delete(1);
        book.world.run_for(60).await;
        let told = book.told();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].ends_with(&format!("Ada {round}")), "{told:?}");
        assert_eq!(told[1], format!("1:deleted:Ada {round}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_sweep_and_a_tombstone_tell_of_one_deletion_once() {
    // The sweep is the faster here: the deleted list shows the record a minute later.
    let book = Book::new("beginning", "reconcile: { every: 20s, get: /bookings }");
    for id in 1..=20 {
        book.book(id, "Ada");
    }
    book.world.run_for(60).await;
    assert_eq!(book.told().len(), 20);
    book.bookings.remove(7);
    book.world.run_for(60).await;
    assert_eq!(book.told(), ["7:deleted:Ada"]);
    (book.deleted).put(json!({ "id": 7, "deleted_at": book.now() }));
    book.world.run_for(120).await;
    assert_eq!(book.told(), [] as [&str; 0]);
    // And the other way round.
    book.delete(8);
    book.world.run_for(120).await;
    assert_eq!(book.told(), ["8:deleted:Ada"]);
}
