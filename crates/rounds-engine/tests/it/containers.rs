//! Lookups and the mapping.

use crate::ehr::{json_answer, status};
use crate::world::{APPOINTMENTS, World};
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn a_container_that_fails_for_ever_is_given_up_and_its_successors_go_on() {
    let config = APPOINTMENTS.replace(
        "    to: app",
        "    retry: { waits: [5s, 10s] }\n    to: app",
    );
    let world = World::with(&config);
    world.run_for(1).await;
    world.ehr.on("/api/patient/", |_| Ok(status(500)));
    world.clinic.put(1, "p", "booked", world.now());
    world.run_for(60).await;
    assert_eq!(world.overview().await.actions[0].containers_dead, 1);
    assert_eq!(world.ehr.asked("/api/patient/"), 3, "once and two retries");

    world
        .ehr
        .on("/api/patient/", |_| json_answer(&json!({ "name": "n" })));
    world.clinic.put(1, "p", "moved", world.now());
    world.run_for(30).await;
    assert_eq!(world.told(), ["1:moved"]);
}

#[tokio::test(start_paused = true)]
async fn a_lookup_may_need_the_answer_of_another() {
    let config = APPOINTMENTS
        .replace(
            "    lookups:\n",
            "    lookups:\n      clinic: { get: \"/clinic/{{ patient.clinic }}\" }\n",
        )
        .replace(
            "patient: = .patient.name",
            "patient: = .patient.name, clinic: = .clinic.name",
        );
    let world = World::with(&config);
    world.ehr.on("/api/patient/", |_| {
        json_answer(&json!({ "name": "n", "clinic": "a/b c" }))
    });
    world.ehr.on("/api/clinic/", |url| {
        assert_eq!(
            url.path(),
            "/api/clinic/a%2Fb%20c",
            "an identifier is one path segment"
        );
        json_answer(&json!({ "name": "North" }))
    });
    world.run_for(1).await;
    world.clinic.put(1, "p", "booked", world.now());
    world.run_for(20).await;
    assert_eq!(world.bodies()[0]["clinic"], "North");
}

#[tokio::test(start_paused = true)]
async fn answers_that_were_had_are_not_asked_again_when_a_parked_container_is_tried() {
    let config = APPOINTMENTS.replace(
        "    lookups:\n",
        "    lookups:\n      clinic: { get: \"/clinic/{{ patient.clinic }}\" }\n",
    );
    let world = World::with(&config);
    world.ehr.on("/api/patient/", |_| {
        json_answer(&json!({ "name": "n", "clinic": "c" }))
    });
    world.ehr.on("/api/clinic/", |_| Ok(status(503)));
    world.run_for(1).await;
    world.clinic.put(1, "p", "booked", world.now());
    world.run_for(20).await;
    world
        .ehr
        .on("/api/clinic/", |_| json_answer(&json!({ "name": "c" })));
    world.run_for(60).await;
    assert_eq!(world.told().len(), 1);
    assert_eq!(world.ehr.asked("/api/patient/"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_missing_record_that_is_waited_for_is_asked_for_at_each_try() {
    let config = APPOINTMENTS.replace("patientID }}\" }", "patientID }}\", when_missing: park }");
    let world = World::with(&config);
    let asked = std::sync::atomic::AtomicU32::new(0);
    world.ehr.on("/api/patient/", move |_| {
        match asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            0..3 => Ok(status(404)),
            _ => json_answer(&json!({ "name": "n" })),
        }
    });
    world.run_for(1).await;
    world.clinic.put(1, "p", "booked", world.now());
    world.run_for(600).await;
    assert_eq!(world.told(), ["1:booked"]);
}

#[tokio::test(start_paused = true)]
async fn a_mapping_that_fails_parks_the_container_and_says_where() {
    let config = APPOINTMENTS.replace(
        "id: = .record.id,",
        "id: = .record.id, code: = .record.status + 1,",
    );
    let world = World::with(&config);
    world.run_for(1).await;
    world.clinic.put(1, "p", "Confidential", world.now());
    world.run_for(20).await;
    assert_eq!(world.overview().await.actions[0].containers_parked, 1);
    let containers = rounds_domain::ports::Operations::containers(
        &*world.store,
        rounds_domain::ports::ContainerFilter::default(),
        rounds_domain::ports::PageRequest {
            offset: 0,
            limit: 10,
        },
    )
    .await
    .expect("a list");
    let (code, reason) = containers[0].reason.clone().expect("a reason");
    assert_eq!(code, "R0406");
    assert!(reason.contains("`code`"), "{reason}");
    assert!(!reason.contains("Confidential"), "{reason}");
}
