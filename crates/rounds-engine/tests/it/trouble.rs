//! EHRs that are down, slow or wrong: each ends in a clear reason, nothing is lost, and it goes on by itself.

use crate::ehr::{Answer, json_answer, status, text_answer};
use crate::world::{APPOINTMENTS, World};
use rounds_domain::Code;
use rounds_domain::ports::{EhrError, Transience};
use serde_json::Value;
use std::time::Duration;

pub(crate) fn no_answer(code: &'static str, transience: Transience) -> Answer {
    Err(EhrError {
        code: Code::new(code),
        message: "connection `ehr`: no answer from https://ehr.example".to_owned(),
        hint: None,
        transience,
    })
}

/// A broken EHR for a while, a change meanwhile, then a whole one.
async fn survives(expected: &str, broken: impl Fn() -> Answer + Send + 'static) -> String {
    let world = World::usual();
    world.run_for(1).await;
    world.ehr.on("/api/appointments", move |_| broken());
    world.clinic.put(1, "p", "booked", world.now());
    let before = world.cursor().await;
    world.run_for(120).await;
    let feed = world.feed("appointments").await;
    let failure = feed.failure.expect("a failure");
    assert_eq!(failure.code.as_str(), expected);
    assert_eq!(world.cursor().await, before);
    assert!(feed.failures_in_a_row > 0);

    let asked = world.clinic.clone();
    world.ehr.on("/api/appointments", move |url| {
        json_answer(&Value::Array(asked.changed_since(url)))
    });
    world.run_for(600).await;
    assert_eq!(world.told(), ["1:booked"], "{expected}");
    assert_eq!(world.feed("appointments").await.failures_in_a_row, 0);
    failure.message
}

#[tokio::test(start_paused = true)]
async fn an_ehr_in_trouble_is_waited_for_and_nothing_is_lost() {
    // Case 26: deeplethe/utopia#794. Case 84: CDK#987.
    survives("R0313", || Ok(status(500))).await;
    survives("R0311", || Ok(status(401))).await;
    survives("R0312", || Ok(status(429))).await;
    survives("R0313", || Ok(status(302))).await;
    survives("R0301", || no_answer("R0301", Transience::Passing)).await;
    survives("R0303", || no_answer("R0303", Transience::Lasting)).await;
    survives("R0325", || {
        text_answer("{\"error\": \"Jane Doe has no access\"}")
    })
    .await;
    let truncated = survives("R0314", || text_answer("[{\"id\": 1, \"name\": \"Jane Do")).await;
    let html = survives("R0314", || {
        text_answer("<html>Jane Doe, please log in</html>")
    })
    .await;
    for message in [truncated, html] {
        assert!(!message.contains("Jane"), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ignores_the_change_filter_is_noticed_and_nothing_is_told() {
    // Case 34: EC:416fdab82. A filter that goes by another field than the cursor's shows itself in the same way.
    let world = World::usual();
    world.run_for(1).await;
    world.ehr.on("/api/appointments", |_| {
        text_answer(
            r#"[{"id": 1, "patientID": "p", "status": "old", "lastModified": "2019-01-01T00:00:00Z", "version": 1}]"#,
        )
    });
    world.run_for(30).await;
    let failure = world.feed("appointments").await.failure.expect("a failure");
    assert_eq!(failure.code.as_str(), "R0319");
    assert_eq!(world.told(), [] as [String; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_round_under_way_is_finished_when_the_engine_stops() {
    let world = World::usual();
    world.run_for(1).await;
    world.clinic.put(1, "p", "booked", world.now());
    *world.ehr.takes.lock().expect("not poisoned") = Duration::from_secs(8);
    // The round begins within ten seconds and ends after the word to stop.
    world.run_for(11).await;
    *world.ehr.takes.lock().expect("not poisoned") = Duration::ZERO;
    world.run_for(30).await;
    assert_eq!(world.told(), ["1:booked"]);
}

#[tokio::test(start_paused = true)]
async fn an_action_of_one_ehr_does_not_wait_for_another() {
    let config = APPOINTMENTS.to_owned().replace(
        "actions:\n",
        "  slow: { base_url: \"https://slow.example/\" }\nactions:\n  other:\n    connection: slow\n    every: 10s\n    timeout: 5s\n    changes: { get: /other, start: now, records: '.[]', id: .id }\n    to: app\n",
    );
    let world = World::with(&config);
    world
        .ehr
        .on("/other", |_| no_answer("R0302", Transience::Passing));
    world.run_for(1).await;
    world.clinic.put(1, "p", "booked", world.now());
    world.run_for(20).await;
    assert_eq!(world.told(), ["1:booked"]);
}
