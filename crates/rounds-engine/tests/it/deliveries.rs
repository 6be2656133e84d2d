//! Order, retries and refusals.

use crate::world::{APPOINTMENTS, World, refused};
use rounds_domain::AttemptOutcome;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

async fn with_two_changes(world: &World) {
    world.run_for(1).await;
    world.clinic.put(1, "p1", "booked", world.now());
    world.clinic.put(2, "p2", "booked", world.now());
}

#[tokio::test(start_paused = true)]
async fn a_refused_notification_is_sent_again_with_the_same_id_and_body() {
    let world = World::usual();
    let refusals = Arc::new(AtomicUsize::new(3));
    let left = Arc::clone(&refusals);
    world.receiver.answers(move |_| {
        if left.load(Ordering::Relaxed) == 0 {
            return AttemptOutcome::Delivered { status: 204 };
        }
        left.fetch_sub(1, Ordering::Relaxed);
        refused(500)
    });
    world.run_for(1).await;
    world.clinic.put(1, "p", "booked", world.now());
    world.run_for(300).await;
    let received = world.received();
    assert_eq!(
        received.iter().map(|one| one.attempt).collect::<Vec<_>>(),
        [1, 2, 3, 4]
    );
    assert!(
        received
            .iter()
            .all(|one| one.id == received[0].id && one.text == received[0].text)
    );
    let destinations = world.overview().await.destinations;
    assert_eq!((destinations[0].owed, destinations[0].delivered), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_refused_notification_holds_up_its_own_record_and_no_other() {
    let world = World::usual();
    world.receiver.answers(|received| {
        if received.body["id"] == 1 {
            refused(400)
        } else {
            AttemptOutcome::Delivered { status: 200 }
        }
    });
    with_two_changes(&world).await;
    world.run_for(20).await;
    world.clinic.put(1, "p1", "moved", world.now());
    world.clinic.put(2, "p2", "moved", world.now());
    world.run_for(20).await;
    let told = world.told();
    assert!(
        told.contains(&"2:booked".to_owned()) && told.contains(&"2:moved".to_owned()),
        "{told:?}"
    );
    assert!(
        !told.contains(&"1:moved".to_owned()),
        "it would overtake: {told:?}"
    );

    world.receiver.takes_all();
    world.run_for(3_600).await;
    assert_eq!(world.told(), ["1:booked", "1:moved"]);
}

#[tokio::test(start_paused = true)]
async fn order_may_be_kept_over_a_patient_or_over_all() {
    for (order_by, expected) in [
        ("= .record.patientID", vec!["1:booked", "3:booked"]),
        ("action", vec!["1:booked"]),
    ] {
        let config = APPOINTMENTS.replace(
            "    notify:\n",
            &format!("    notify:\n      order_by: {order_by}\n"),
        );
        let world = World::with(&config);
        world.receiver.answers(|_| refused(503));
        world.run_for(1).await;
        for (id, patient) in [(1, "a"), (2, "a"), (3, "b")] {
            world.clinic.put(id, patient, "booked", world.now());
        }
        world.run_for(60).await;
        let mut told = world.told();
        told.sort();
        told.dedup();
        assert_eq!(told, expected, "{order_by}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_notification_that_nobody_takes_is_given_up_and_the_next_of_its_record_goes_on() {
    let config = APPOINTMENTS.replace(
        "app: { url: \"https://app.example/hooks\" }",
        "app: { url: \"https://app.example/hooks\", retry: { waits: [5s, 10s], jitter: 0% } }",
    );
    let world = World::with(&config);
    world.receiver.answers(|received| {
        if received.body["status"] == "booked" {
            refused(422)
        } else {
            AttemptOutcome::Delivered { status: 200 }
        }
    });
    world.run_for(1).await;
    world.clinic.put(1, "p", "booked", world.now());
    world.run_for(60).await;
    assert_eq!(world.told(), ["1:booked", "1:booked", "1:booked"]);
    assert_eq!(world.overview().await.destinations[0].dead, 1);
    world.clinic.put(1, "p", "moved", world.now());
    world.run_for(20).await;
    assert_eq!(world.told(), ["1:moved"]);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_asks_to_wait_is_left_alone_that_long() {
    let world = World::usual();
    let throttled = |_: &crate::world::Received| AttemptOutcome::Refused {
        status: 429,
        retry_after: Some(Duration::from_mins(10)),
        reason: "answered 429".to_owned(),
    };
    world.receiver.answers(throttled);
    world.run_for(1).await;
    world.clinic.put(1, "p", "booked", world.now());
    world.run_for(20).await;
    let first = world.received();
    assert_eq!(first.len(), 1);
    world.receiver.takes_all();
    world.run_for(540).await;
    assert_eq!(world.told(), [] as [String; 0]);
    world.run_for(200).await;
    assert_eq!(world.told(), ["1:booked"]);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_is_gone_is_paused_and_nothing_is_lost() {
    let world = World::usual();
    world.receiver.answers(|_| AttemptOutcome::Gone);
    with_two_changes(&world).await;
    world.run_for(30).await;
    world.received();
    world.clinic.put(3, "p", "booked", world.now());
    world.run_for(60).await;
    assert_eq!(world.told(), [] as [String; 0], "it is left alone");
    let destination = &world.overview().await.destinations[0];
    assert!(destination.state.paused.is_some());
    assert_eq!(destination.owed + destination.dead, 3);
}

#[tokio::test(start_paused = true)]
async fn a_slow_destination_delays_no_other() {
    let config = APPOINTMENTS.replace("to: app", "to: [app, slow]").replace(
        "destinations:\n",
        "destinations:\n  slow: { url: \"https://slow.example/\" }\n",
    );
    let world = World::with(&config);
    world.receiver.answers(|received| {
        if received.destination == "slow" {
            refused(504)
        } else {
            AttemptOutcome::Delivered { status: 200 }
        }
    });
    with_two_changes(&world).await;
    world.run_for(20).await;
    let to_app = world
        .received()
        .iter()
        .filter(|one| one.destination == "app")
        .count();
    assert_eq!(to_app, 2);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_answers_the_challenge_before_anything_is_sent_and_only_once() {
    let config = APPOINTMENTS.replace(
        "app: { url: \"https://app.example/hooks\" }",
        "app: { url: \"https://app.example/hooks\", verification_token: { env: TOKEN }, challenge: post }",
    );
    let world = World::with(&config);
    *world
        .receiver
        .challenges_to_fail
        .lock()
        .expect("not poisoned") = 2;
    world.run_for(1).await;
    world.clinic.put(1, "p", "booked", world.now());
    world.run_for(12).await;
    world.run_for(120).await;
    assert_eq!(world.told(), ["1:booked"]);
    let asked = world.receiver.challenges.load(Ordering::Relaxed);
    assert_eq!(asked, 3);
    world.run_for(60).await;
    assert_eq!(world.receiver.challenges.load(Ordering::Relaxed), asked);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_is_away_is_tried_one_at_a_time_and_then_told_everything() {
    let config = APPOINTMENTS.replace(
        "app: { url: \"https://app.example/hooks\" }",
        "app: { url: \"https://app.example/hooks\", breaker_after: 5 }",
    );
    let world = World::with(&config);
    world.receiver.answers(|_| refused(503));
    world.run_for(1).await;
    for id in 0..100 {
        world.clinic.put(id, "p", "booked", world.now());
    }
    world.run_for(3_600).await;
    let attempts = world.received();
    // The first ones were under way together; after that a trial a minute, for an hour.
    assert!(attempts.len() < 80, "{} attempts", attempts.len());
    let tried: std::collections::BTreeSet<_> = attempts.iter().map(|one| one.id.clone()).collect();
    assert!(
        tried.len() > 40,
        "each trial is another one's: {}",
        tried.len()
    );
    let state = &world.overview().await.destinations[0];
    let breaker = state.state.breaker.as_ref().expect("it is open");
    assert!(breaker.failures >= 5, "{breaker:?}");
    assert_eq!(state.dead, 0);

    // Another process finds it open and makes no storm.
    let world = world.reconfigured(&config);
    world.receiver.answers(|_| refused(503));
    world.run_for(50).await;
    assert!(world.received().len() <= 1);

    world.receiver.takes_all();
    world.run_for(120).await;
    let told = world.received();
    let ids: std::collections::BTreeSet<_> = told.iter().map(|one| one.id.clone()).collect();
    assert_eq!((told.len(), ids.len()), (100, 100));
    let state = &world.overview().await.destinations[0];
    assert_eq!(state.state.breaker, None);
}

#[tokio::test(start_paused = true)]
async fn one_notification_that_is_never_taken_does_not_slow_its_neighbours() {
    let world = World::usual();
    world.receiver.answers(|received| {
        if received.body["id"] == 1 {
            refused(500)
        } else {
            AttemptOutcome::Delivered { status: 200 }
        }
    });
    world.run_for(1).await;
    for id in 1..30 {
        world.clinic.put(id, "p", "booked", world.now());
    }
    world.run_for(20).await;
    let told = world.told();
    assert!(
        (2..30).all(|id| told.contains(&format!("{id}:booked"))),
        "{told:?}"
    );
    assert_eq!(world.overview().await.destinations[0].state.breaker, None);
}

#[tokio::test(start_paused = true)]
async fn order_may_be_kept_over_a_whole_destination() {
    let config = APPOINTMENTS.replace(
        "app: { url: \"https://app.example/hooks\" }",
        "app: { url: \"https://app.example/hooks\", order: destination }",
    );
    let world = World::with(&config);
    world.receiver.answers(|_| refused(503));
    with_two_changes(&world).await;
    world.run_for(60).await;
    let mut told = world.told();
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
    world.receiver.takes_all();
    world.run_for(120).await;
    assert_eq!(world.told().len(), 2);
}

/// A list of keys is a barrier across them: an appointment that was moved from one patient to another waits for both.
#[tokio::test(start_paused = true)]
async fn what_concerns_two_patients_waits_for_both() {
    let config = APPOINTMENTS.replace(
        "    notify:\n",
        "    notify:\n      order_by: '= .record.patientID / \"+\"'\n",
    );
    let world = World::with(&config);
    world.receiver.answers(|received| {
        if received.body["id"] == 1 {
            refused(503)
        } else {
            AttemptOutcome::Delivered { status: 200 }
        }
    });
    world.run_for(1).await;
    for (id, patient) in [(1, "a"), (2, "b")] {
        world.clinic.put(id, patient, "booked", world.now());
    }
    world.run_for(20).await;
    world.clinic.put(3, "a+b", "merged", world.now());
    world.run_for(20).await;
    for (id, patient) in [(4, "b"), (5, "c")] {
        world.clinic.put(id, patient, "booked", world.now());
    }
    world.run_for(20).await;
    let mut told = world.told();
    told.retain(|one| one != "1:booked");
    assert_eq!(
        told,
        ["2:booked", "5:booked"],
        "4 is behind 3, and 3 behind 1"
    );
    world.receiver.takes_all();
    world.run_for(300).await;
    assert_eq!(world.told(), ["1:booked", "3:merged", "4:booked"]);
}
