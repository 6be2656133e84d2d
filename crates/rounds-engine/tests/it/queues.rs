//! A queue that is consumed by reading it: nothing is lost that the EHR can give again, and nothing is told twice.

use crate::ehr::{Answer, json_answer, status};
use crate::faulty_store::{Fault, FaultyStore};
use crate::world::{World, feed_key};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rounds_domain::ports::{EhrError, Transience};
use rounds_domain::{Code, Cursor, QueueState};
use rounds_engine::{PollError, Subject, rehearse};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use url::Url;

/// As athenahealth's changed-data subscriptions work: what was read can be asked for again, by Eastern local times.
const RECOVERABLE: &str = r#"
connections:
  ehr: { base_url: "https://ehr.example/api" }
actions:
  queue:
    connection: ehr
    at: "* * * * *"
    timeout: 5s
    changes:
      get: /changed
      query: { limit: 2 }
      cursor:
        queue:
          recover:
            query: { limit: 1000, processedstart: "{{ from }}", processedend: "{{ to }}" }
            last: 12h
            time: "%m/%d/%Y %H:%M:%S"
            zone: America/New_York
      start: beginning
      records: .items[]
      id: .id
    notify: { body: { id: = .record.id, status: = .record.status } }
    to: app
destinations:
  app: { url: "https://app.example/hooks" }
"#;

fn without_recovery() -> String {
    let (before, after) = RECOVERABLE.split_once("        queue:\n").expect("a queue");
    let (_, after) = after.split_once("      start:").expect("a start");
    format!("{before}        queue: {{}}\n      start:{after}")
}

#[derive(Default)]
struct Held {
    waiting: VecDeque<Value>,
    processed: Vec<(Timestamp, Value)>,
    /// How many of the next answers get lost on the way.
    to_lose: usize,
}

/// The EHR's queue.
#[derive(Clone, Default)]
struct Queue(Arc<Mutex<Held>>);

impl Queue {
    fn of(world: &World) -> Self {
        let queue = Self::default();
        let (asked, clock) = (queue.clone(), Arc::clone(&world.ports.clock));
        world
            .ehr
            .on("/api/changed", move |url| asked.answer(url, clock.now()));
        queue
    }

    fn add(&self, ids: std::ops::Range<u64>) {
        let mut held = self.0.lock().expect("not poisoned");
        held.waiting
            .extend(ids.map(|id| json!({ "id": id, "status": "changed" })));
    }

    fn lose(&self, answers: usize) {
        self.0.lock().expect("not poisoned").to_lose = answers;
    }

    fn answer(&self, url: &Url, now: Timestamp) -> Answer {
        let mut held = self.0.lock().expect("not poisoned");
        let parameter = |name: &str| {
            url.query_pairs()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.into_owned())
        };
        if let (Some(from), Some(to)) = (parameter("processedstart"), parameter("processedend")) {
            // It compares what it reads, without knowing of two hours of one name.
            let eastern = TimeZone::get("America/New_York").expect("a zone");
            let local = |text: &str| {
                jiff::civil::DateTime::strptime("%m/%d/%Y %H:%M:%S", text).expect("a local time")
            };
            let (from, to) = (local(&from), local(&to));
            let found: Vec<&Value> = (held.processed.iter())
                .filter(|(at, _)| {
                    let at = at.to_zoned(eastern.clone()).datetime();
                    from <= at && at <= to
                })
                .map(|(_, record)| record)
                .collect();
            return json_answer(&json!({ "items": found }));
        }
        let given: Vec<Value> = (0..2).filter_map(|_| held.waiting.pop_front()).collect();
        held.processed
            .extend(given.iter().map(|record| (now, record.clone())));
        if held.to_lose > 0 {
            held.to_lose -= 1;
            return Err(EhrError {
                code: Code::new("R0303"),
                message: "the connection was reset".to_owned(),
                hint: None,
                transience: Transience::Passing,
            });
        }
        json_answer(&json!({ "items": given }))
    }
}

fn all(ids: std::ops::Range<u64>) -> Vec<String> {
    ids.map(|id| format!("{id}:changed")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_queue_is_drained_and_told_once_before_and_after_a_restart() {
    let world = World::with(RECOVERABLE);
    let queue = Queue::of(&world);
    queue.add(10..15);
    world.run_for(30).await;
    assert_eq!(world.told_sorted(), all(10..15));
    // Three with records, and the one that says that there is nothing more.
    assert_eq!(world.ehr.asked("/api/changed"), 4);
    assert_eq!(
        world.feed("queue").await.cursor,
        Some(Cursor::Queue(QueueState::Settled))
    );
    queue.add(15..16);
    world.run_for(90).await;
    assert_eq!(world.told(), all(15..16));
    let log = world.ehr.take_log();
    assert!(
        log.iter()
            .all(|url| !url.query().unwrap_or_default().contains("processed")),
        "after a round that ended well there is nothing to recover"
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_process_took_and_had_not_committed_when_it_died_is_asked_for_again() {
    for at in 0..12 {
        for fault in [Fault::DiesBefore, Fault::DiesAfter] {
            let world = World::with(RECOVERABLE);
            let queue = Queue::of(&world);
            queue.add(10..15);
            let store = Arc::new(FaultyStore::new(Arc::clone(&world.store) as _, fault, at));
            let real = Arc::clone(&world.ports.store);
            let mut world = world;
            world.ports.store = store;
            world.crash_after(Duration::from_secs(40)).await;
            world.ports.store = real;
            // Claims of what died are free again after their lease.
            world.run_for(3_600).await;
            let mut told = world.told_sorted();
            told.dedup();
            assert_eq!(told, all(10..15), "{fault:?} at {at}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_answer_is_lost_is_not_sent_again_and_what_it_took_is_recovered() {
    let world = World::with(RECOVERABLE);
    let queue = Queue::of(&world);
    queue.add(10..15);
    queue.lose(1);
    world.run_for(30).await;
    assert_eq!(world.ehr.asked("/api/changed"), 1);
    let feed = world.feed("queue").await;
    assert!(feed.failure.is_some());
    assert!(matches!(
        feed.cursor,
        Some(Cursor::Queue(QueueState::Taking { .. }))
    ));
    assert_eq!(world.told(), [] as [String; 0]);
    world.run_for(90).await;
    assert_eq!(world.told_sorted(), all(10..15));
}

#[tokio::test(start_paused = true)]
async fn a_recovery_that_fails_is_made_again_from_the_same_moment() {
    let world = World::with(RECOVERABLE);
    let queue = Queue::of(&world);
    queue.add(10..15);
    queue.lose(1);
    world.run_for(30).await;
    let before = world.feed("queue").await.cursor;
    let held = queue.clone();
    let clock = Arc::clone(&world.ports.clock);
    let mut refusals = 6;
    world.ehr.on("/api/changed", move |url| {
        if refusals > 0 {
            refusals -= 1;
            return Ok(status(500));
        }
        held.answer(url, clock.now())
    });
    world.run_for(100).await;
    assert_eq!(world.feed("queue").await.cursor, before);
    world.run_for(600).await;
    assert_eq!(world.told_sorted(), all(10..15));
}

#[tokio::test(start_paused = true)]
async fn in_the_hour_that_comes_twice_a_recovery_asks_for_all_of_it() {
    // 01:30 in New York, for the first and for the second time.
    for start in ["2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"] {
        let world = World::beginning_at(start.parse().expect("an instant"), RECOVERABLE);
        let queue = Queue::of(&world);
        queue.add(10..15);
        queue.lose(2);
        world.run_for(30).await;
        world.run_for(180).await;
        assert_eq!(world.told_sorted(), all(10..15), "{start}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_recovery_only_the_answer_that_was_lost_is() {
    let world = World::with(&without_recovery());
    let queue = Queue::of(&world);
    queue.add(10..15);
    queue.lose(1);
    world.run_for(90).await;
    assert_eq!(world.told_sorted(), all(12..15));
    assert_eq!(
        world.feed("queue").await.cursor,
        Some(Cursor::Queue(QueueState::Settled))
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_before_an_answer_that_failed_is_told() {
    let world = World::with(&without_recovery());
    let queue = Queue::of(&world);
    queue.add(10..16);
    let (held, clock) = (queue.clone(), Arc::clone(&world.ports.clock));
    let mut answers = 0;
    world.ehr.on("/api/changed", move |url| {
        answers += 1;
        if answers == 3 {
            return Ok(status(503));
        }
        held.answer(url, clock.now())
    });
    world.run_for(30).await;
    assert_eq!(world.told_sorted(), all(10..14));
    world.run_for(90).await;
    assert_eq!(world.told_sorted(), all(14..16));
}

#[tokio::test(start_paused = true)]
async fn a_queue_from_now_on_is_emptied_silently_first() {
    let world = World::with(&RECOVERABLE.replace("start: beginning", "start: now"));
    let queue = Queue::of(&world);
    queue.add(10..15);
    world.run_for(30).await;
    queue.add(20..22);
    world.run_for(90).await;
    assert_eq!(world.told_sorted(), all(20..22));
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_forgets_nothing_is_noticed() {
    let world = World::with(&without_recovery());
    world.ehr.on("/api/changed", |_| {
        json_answer(&json!({ "items": [{ "id": 1, "status": "changed" }, { "id": 2, "status": "changed" }] }))
    });
    world.run_for(30).await;
    assert_eq!(world.ehr.asked("/api/changed"), 2);
    let failure = world.feed("queue").await.failure.expect("a failure");
    assert_eq!(failure.code.to_string(), "R0316");
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_takes_nothing_from_a_queue() {
    let world = World::with(RECOVERABLE);
    Queue::of(&world).add(10..15);
    let feed = feed_key("queue", "changes");
    let refused = rehearse(&world.plan, &world.ports, &feed, Subject::NextRound).await;
    assert!(matches!(refused, Err(PollError::TakesFromQueue(key)) if key == feed));
    assert_eq!(world.ehr.asked("/api/changed"), 0);
}
