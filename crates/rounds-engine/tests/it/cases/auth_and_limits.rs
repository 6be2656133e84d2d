//! J. Credentials and limits, as the engine meets them. How a secret is read and the gate kept stands in rounds-http.

use crate::ehr::{json_answer, status};
use crate::world::World;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[tokio::test(start_paused = true)]
async fn a_credential_that_is_refused_for_a_while_costs_time_and_no_change() {
    // Case 84: CDK's changelog of 5.14.1, CDK#987: a 401 while a retry was waited for.
    // The EHR fails, refuses for a while as an expired token makes it, and takes the fresh one.
    for (fails, refuses) in [(0, 1), (1, 1), (2, 3), (1, 10)] {
        let world = World::usual();
        world.run_for(1).await;
        let clinic = world.clinic.clone();
        let count = Arc::new(AtomicUsize::new(0));
        let asked = Arc::clone(&count);
        world.ehr.on("/api/appointments", move |url| {
            match asked.fetch_add(1, Ordering::Relaxed) {
                number if number < fails => Ok(status(503)),
                number if number < fails + refuses => Ok(status(401)),
                _ => json_answer(&Value::Array(clinic.changed_since(url))),
            }
        });
        let before = world.cursor().await;
        world.clinic.put(1, "p", "booked", world.now());
        // A second at a time, until the first round failed: each is a process of its own, so each asks at most once more.
        while count.load(Ordering::Relaxed) == 0 {
            world.run_for(1).await;
        }
        assert_eq!(world.cursor().await, before);
        let failure = world.feed("appointments").await.failure.expect("a failure");
        assert_eq!(failure.code.as_str(), "R0311", "{fails}, {refuses}");
        world.run_for(3_600).await;
        assert_eq!(world.told(), ["1:booked"], "{fails}, {refuses}");
        assert_eq!(world.feed("appointments").await.failures_in_a_row, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_credential_that_is_refused_for_a_lookup_parks_the_container_only() {
    // Case 84: the same for follow-up requests.
    let world = World::usual();
    world.run_for(1).await;
    let mut refuses = 3;
    world.ehr.on("/api/patient/", move |_| {
        if refuses > 0 {
            refuses -= 1;
            return Ok(status(401));
        }
        json_answer(&json!({ "name": "n" }))
    });
    world.clinic.put(1, "p", "booked", world.now());
    world.run_for(12).await;
    assert_eq!(world.overview().await.actions[0].containers_parked, 1);
    assert_eq!(world.feed("appointments").await.failure, None);
    world.run_for(3_600).await;
    assert_eq!(world.told(), ["1:booked"]);
}
