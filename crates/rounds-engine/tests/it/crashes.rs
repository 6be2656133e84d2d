//! The process dies at any moment: law 1 from the outside. (The sweep over every crash point is the simulation's matter.)

use crate::world::{Received, World};
use rounds_engine::Engine;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// The engine is dropped in the middle of whatever it does, and the next process takes the data directory over.
async fn crash_after(world: &World, alive: Duration) {
    let engine = Engine::new(Arc::clone(&world.plan), world.ports.clone());
    let never = std::future::pending();
    tokio::select! {
        biased;
        ended = engine.run(never, Duration::ZERO) => panic!("it ended by itself: {ended:?}"),
        () = world.ports.clock.sleep(alive) => {}
    }
    drop(engine);
    world
        .store
        .release_claims()
        .await
        .expect("claims are released");
}

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_at_any_moment_loses_nothing_and_makes_no_second_notification() {
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
        crash_after(
            &world,
            Duration::from_millis(1 + step * step * 137 % 12_000),
        )
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
