//! F. What is remembered, and what was told: they must never part.

use crate::ehr::json_answer;
use crate::faulty_store::{Fault, FaultyStore};
use crate::world::{APPOINTMENTS, Received, World, feed_key, refused};
use rounds_domain::{Cursor, RoundEnd};
use rounds_engine::{Ports, poll};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// The usual world, its store with a fault at one write.
fn with_fault(world: &World, fault: Fault, at: usize) -> (World, Arc<FaultyStore>) {
    let store = Arc::new(FaultyStore::new(Arc::clone(&world.store) as _, fault, at));
    let faulty = World {
        plan: Arc::clone(&world.plan),
        ports: Ports {
            watch: rounds_engine::Watch::default(),
            store: Arc::clone(&store) as _,
            ..world.ports.clone()
        },
        ehr: Arc::clone(&world.ehr),
        receiver: Arc::clone(&world.receiver),
        clinic: world.clinic.clone(),
        store: Arc::clone(&world.store),
    };
    (faulty, store)
}

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_between_any_two_writes_makes_one_notification_of_each_change() {
    // Case 49: n8n-io/n8n-docs#5225, n8n-io/n8n#35295.
    let mut died_at = Vec::new();
    for fault in [Fault::DiesBefore, Fault::DiesAfter] {
        for at in 0.. {
            let world = World::usual();
            world.run_for(1).await;
            for id in 1..=3 {
                world
                    .clinic
                    .put(id, &format!("p{}", id % 2), "booked", world.now());
            }
            let (faulty, store) = with_fault(&world, fault, at);
            faulty.crash_after(Duration::from_secs(25)).await;
            world.run_for(120).await;
            let words = format!("{fault:?} write {at}");
            let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            let received = world.received();
            for one in &received {
                let record = one.body["id"].to_string();
                ids.entry(record).or_default().insert(one.id.clone());
            }
            assert_eq!(ids.len(), 3, "{words}: each is told");
            assert!(
                ids.values().all(|ids| ids.len() == 1),
                "{words}: under one id each"
            );
            // Only what was sent and could not be recorded may come again.
            assert!(received.len() <= 6, "{words}: {}", received.len());
            assert_eq!(
                world.overview().await.actions[0].notifications,
                3,
                "{words}"
            );
            if store.writes() <= at {
                died_at.push(at);
                break;
            }
        }
    }
    assert!(
        died_at.iter().all(|writes| *writes >= 8),
        "a life has rounds, claims and settlements: {died_at:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_fails_leaves_everything_as_it_was_and_is_made_up_for() {
    // Case 55: NIFI-8136, NIFI-12731.
    let world = World::usual();
    world.run_for(1).await;
    world.clinic.put(1, "p", "booked", world.now());
    world.run_for(15).await;
    assert_eq!(world.told(), ["1:booked"]);
    let (cursor, before) = (world.cursor().await, world.overview().await);

    let (faulty, store) = with_fault(&world, Fault::Full, 0);
    for id in 2..5 {
        world.clinic.put(id, "p", "booked", world.now());
    }
    faulty.run_for(300).await;
    assert!(store.writes() > 3, "it was tried");
    assert_eq!(world.told(), [] as [String; 0]);
    assert_eq!(world.cursor().await, cursor);
    let after = world.overview().await;
    assert_eq!(
        after.actions[0].known_records,
        before.actions[0].known_records
    );
    assert_eq!(after.actions[0].containers_open, 0);

    world.run_for(30).await;
    assert_eq!(world.told_sorted(), ["2:booked", "3:booked", "4:booked"]);
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_fills_up_at_any_write_loses_nothing_after_space_returns() {
    // Case 55: the same for every write there is.
    for at in 0.. {
        let world = World::usual();
        world.run_for(1).await;
        for id in 1..=2 {
            world.clinic.put(id, "p", "booked", world.now());
        }
        let (faulty, store) = with_fault(&world, Fault::Full, at);
        // What was sent and could not be recorded is still held when the engine is cut off.
        faulty.crash_after(Duration::from_secs(40)).await;
        world.run_for(60).await;
        let received = world.received();
        let told: BTreeSet<_> = received
            .iter()
            .map(|one| (one.id.as_str(), one.body["id"].as_u64()))
            .collect();
        assert_eq!(told.len(), 2, "full from write {at} on: {told:?}");
        if store.writes() <= at {
            assert!(at >= 8, "a life has rounds, claims and settlements: {at}");
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_receiver_is_not_sent_again_what_it_is_still_reading() {
    // Case 51: castorm/kafka-connect-http#263, castorm/kafka-connect-http#127.
    for (every, takes_seconds) in [("1s", 60), ("1s", 600), ("5s", 20)] {
        let config = APPOINTMENTS
            .replace("every: 10s", &format!("every: {every}"))
            .replace("timeout: 5s", "timeout: 1s");
        let world = World::with(&config);
        world.run_for(1).await;
        *world.receiver.takes.lock().expect("not poisoned") = Duration::from_secs(takes_seconds);
        for id in 1..=3 {
            world.clinic.put(id, "p", "booked", world.now());
        }
        world.run_for(takes_seconds - 5).await;
        *world.receiver.takes.lock().expect("not poisoned") = Duration::ZERO;
        world.run_for(60).await;
        assert_eq!(
            world.told_sorted(),
            ["1:booked", "2:booked", "3:booked"],
            "every {every}, {takes_seconds} s each"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_was_seen_and_not_delivered_is_still_delivered_after_a_restart() {
    // Case 52: Redpanda Connect's `dedupe` documentation, apache/pulsar#5218.
    let world = World::usual();
    world.run_for(1).await;
    world.receiver.answers(|_| refused(500));
    world.clinic.put(1, "p", "booked", world.now());
    world.crash_after(Duration::from_secs(15)).await;
    world.crash_after(Duration::from_secs(15)).await;
    let refused: BTreeSet<_> = world.received().into_iter().map(|one| one.id).collect();
    assert_eq!(
        refused.len(),
        1,
        "tried, and always as the same notification"
    );
    world.receiver.takes_all();
    world.run_for(600).await;
    let received = world.received();
    assert_eq!(received.len(), 1);
    assert!(refused.contains(&received[0].id));
}

#[tokio::test(start_paused = true)]
async fn a_feed_of_which_nothing_was_read_does_not_move() {
    // Case 56: CDK#889, CDK#177: an empty partition's cursor moved with another's.
    let feed = |name: &str, cursor: &str| {
        format!(
            "  {name}: {{ connection: ehr, every: 10s, timeout: 5s, changes: {{ get: /{name}, query: {{ since: '{{{{ cursor }}}}' }}, cursor: {{ {cursor} }}, start: now, records: '.items[]', id: .id }}, to: app }}\n"
        )
    };
    let mut actions = String::new();
    for cursor in [
        ("time", "time: rfc3339, field: .at"),
        ("number", "number: .last"),
        ("token", "token: .next"),
    ] {
        for side in ["busy", "empty"] {
            actions += &feed(&format!("{side}-{}", cursor.0), cursor.1);
        }
    }
    let world = World::with(&format!(
        "connections:\n  ehr: {{ base_url: \"https://ehr.example/api\" }}\nactions:\n{actions}destinations:\n  app: {{ url: \"https://app.example/hooks\" }}\n"
    ));
    let clock = Arc::clone(&world.ports.clock);
    let mut count = 0;
    world.ehr.on("/api/busy-", move |url| {
        count += 1;
        // Only where it is the cursor; elsewhere it would be a next page.
        let next = url
            .path()
            .ends_with("token")
            .then(|| format!("token {count}"));
        json_answer(
            &json!({ "items": [{ "id": count, "at": clock.now().to_string() }],
                             "last": count, "next": next }),
        )
    });
    world
        .ehr
        .on("/api/empty-", |_| json_answer(&json!({ "items": [] })));
    world.run_for(15).await;
    let mut before: BTreeMap<String, Option<Cursor>> = BTreeMap::new();
    for kind in ["time", "number", "token"] {
        for side in ["busy", "empty"] {
            let name = format!("{side}-{kind}");
            before.insert(name.clone(), world.feed(&name).await.cursor);
        }
    }
    world.run_for(60).await;
    for (name, before) in before {
        let now = world.feed(&name).await.cursor;
        assert!(now.is_some());
        assert_eq!(now != before, name.starts_with("busy"), "{name}");
    }
}

/// A world whose changes stand on the first of two pages.
fn with_two_pages() -> World {
    let world = World::with(&APPOINTMENTS.replace(
        "      records: .[]\n",
        "      paging: { next_link: .next }\n      records: .items[]\n",
    ));
    let clinic = world.clinic.clone();
    world.ehr.on("/api/appointments", move |url| {
        if url.path().ends_with("/rest") {
            return json_answer(&json!({ "items": [] }));
        }
        json_answer(
            &json!({ "items": clinic.changed_since(url), "next": "/api/appointments/rest" }),
        )
    });
    world
}

#[tokio::test(start_paused = true)]
async fn a_record_that_two_rounds_read_at_once_is_told_once() {
    // Case 57: Camel's idempotent consumer adds a key early and takes it away on failure.
    for apart_milliseconds in [0_u64, 1, 1_999, 2_000, 2_001, 3_999] {
        // Each has found the record before the other commits it, unless they are further apart than a page takes.
        let world = with_two_pages();
        world.run_for(1).await;
        world.clinic.put(1, "p", "booked", world.now());
        *world.ehr.takes.lock().expect("not poisoned") = Duration::from_secs(2);
        let feed = feed_key("appointments", "changes");
        let one = poll(&world.plan, &world.ports, &feed);
        let other = async {
            let wait = Duration::from_millis(apart_milliseconds);
            world.ports.clock.sleep(wait).await;
            poll(&world.plan, &world.ports, &feed).await
        };
        let (one, other) = tokio::join!(one, other);
        for report in [one, other] {
            assert_eq!(report.expect("a report").end, RoundEnd::Succeeded);
        }
        assert_eq!(world.overview().await.actions[0].containers_open, 1);
        world.run_for(30).await;
        assert_eq!(world.told(), ["1:booked"], "{apart_milliseconds} ms apart");
    }
}

#[tokio::test(start_paused = true)]
async fn a_round_that_read_an_older_state_does_not_tell_it_after_a_newer_one() {
    // Case 57: one round reads the first page and takes its time with the second; another reads and commits meanwhile.
    let world = with_two_pages();
    world.run_for(1).await;
    world.clinic.put(1, "p", "older", world.now());
    *world.ehr.takes.lock().expect("not poisoned") = Duration::from_secs(2);
    let feed = feed_key("appointments", "changes");
    let slow = poll(&world.plan, &world.ports, &feed);
    let meanwhile = async {
        // The slow one has its first page and waits for its second.
        world.pass(3).await;
        *world.ehr.takes.lock().expect("not poisoned") = Duration::ZERO;
        world.clinic.put(1, "p", "newer", world.now());
        poll(&world.plan, &world.ports, &feed).await
    };
    let (slow, meanwhile) = tokio::join!(slow, meanwhile);
    for report in [slow, meanwhile] {
        assert_eq!(report.expect("a report").end, RoundEnd::Succeeded);
    }
    world.run_for(60).await;
    assert_eq!(world.told(), ["1:newer"]);
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_starts_from_now_tells_nothing_that_was_there_and_remembers_it_over_a_restart()
{
    // Case 54: n8n-io/n8n#37948. The first round was before the restart, the change comes after it.
    let world = World::usual();
    world.clinic.put(1, "p1", "booked", world.now());
    world.run_for(1).await;
    assert_eq!(world.told(), [] as [String; 0]);

    world.clinic.put(2, "p1", "booked", world.now());
    world.clinic.put(1, "p1", "moved", world.now());
    world.run_for(30).await;
    let mut told = world.told();
    told.sort();
    assert_eq!(told, ["1:moved", "2:booked"]);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_at_any_moment_loses_nothing_and_makes_no_second_notification() {
    // Case 49: n8n-io/n8n-docs#5225, n8n-io/n8n#35295, at moments of a fixed pattern.
    let world = World::usual();
    world.run_for(1).await;
    // Every exchange takes long enough to be cut in the middle.
    *world.ehr.takes.lock().expect("not poisoned") = Duration::from_millis(700);
    *world.receiver.takes.lock().expect("not poisoned") = Duration::from_millis(700);
    let mut versions: BTreeMap<u64, u64> = BTreeMap::new();
    for step in 0..120_u64 {
        let id = step * 7 % 11;
        world.clinic.put(
            id,
            &format!("p{}", id % 3),
            &format!("state-{step}"),
            world.now(),
        );
        versions.insert(id, step);
        // Lives of 1 ms to 12 s, by a fixed pattern: some end before the first request, some after many rounds.
        world
            .crash_after(Duration::from_millis(1 + step * step * 137 % 12_000))
            .await;
    }
    world.run_for(60).await;

    let received = world.received();
    let mut ids_of_state: BTreeMap<(u64, String), BTreeSet<&str>> = BTreeMap::new();
    let mut last_seen: BTreeMap<u64, u64> = BTreeMap::new();
    for Received { id, body, .. } in &received {
        let record = body["id"].as_u64().expect("a number");
        let state = body["status"].as_str().expect("text").to_owned();
        let step: u64 = state
            .trim_start_matches("state-")
            .parse()
            .expect("a number");
        let is_first = !ids_of_state.contains_key(&(record, state.clone()));
        ids_of_state.entry((record, state)).or_default().insert(id);
        if is_first {
            let before = last_seen.insert(record, step);
            assert!(
                before.is_none_or(|before| before < step),
                "record {record} went back"
            );
        }
    }
    for ((record, state), ids) in &ids_of_state {
        assert_eq!(
            ids.len(),
            1,
            "record {record} {state} was told under several ids"
        );
    }
    for (record, step) in versions {
        assert_eq!(
            last_seen.get(&record),
            Some(&step),
            "the last state of record {record}"
        );
    }
    assert!(
        received.len() > ids_of_state.len(),
        "some deaths came between a delivery and its record"
    );
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_be_read_at_the_start_is_waited_for() {
    let world = World::usual();
    world.run_for(1).await;
    world.clinic.put(1, "p", "booked", world.now());
    let (faulty, _) = with_fault(&world, Fault::Unreadable, 4);
    faulty.run_for(60).await;
    assert_eq!(world.told(), ["1:booked"]);
}
