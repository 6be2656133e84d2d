//! H. Follow-up requests.

use crate::ehr::{json_answer, status, text_answer};
use crate::world::{APPOINTMENTS, World};
use rounds_domain::ports::{ContainerFilter, Operations, PageRequest};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn a_failed_lookup_of_any_page_keeps_its_record_and_lets_all_others_go() {
    // Case 68: elastic/beats#52996, elastic/beats#33664: the page of a failed child was skipped silently.
    for failing in [0_u64, 4, 5, 7, 9, 14] {
        let config = APPOINTMENTS.replace(
            "      records: .[]\n",
            "      paging: { next_link: .next }\n      records: .items[]\n",
        );
        let world = World::with(&config);
        let clinic = world.clinic.clone();
        world.ehr.on("/api/appointments", move |url| {
            let page: usize = url
                .query_pairs()
                .find(|(name, _)| name == "p")
                .map_or(0, |(_, page)| page.parse().expect("a number"));
            let since = crate::ehr::parameter(url, "changedsince");
            let found = clinic.changed_since(url);
            let next = (found.len() > (page + 1) * 5)
                .then(|| format!("?changedsince={since}&p={}", page + 1));
            let items: Vec<_> = found.into_iter().skip(page * 5).take(5).collect();
            json_answer(&json!({ "items": items, "next": next }))
        });
        let broken = Arc::new(AtomicBool::new(true));
        let still = Arc::clone(&broken);
        world.ehr.on("/api/patient/", move |url| {
            let fails = url.path().ends_with(&format!("/p{failing}"));
            if fails && still.load(Ordering::Relaxed) {
                return Ok(status(500));
            }
            json_answer(&json!({ "name": "n" }))
        });
        world.run_for(1).await;
        for id in 0..15 {
            world
                .clinic
                .put(id, &format!("p{id}"), "booked", world.now());
        }
        world.run_for(20).await;
        assert_eq!(world.told().len(), 14);
        assert_eq!(world.overview().await.actions[0].containers_parked, 1);
        broken.store(false, Ordering::Relaxed);
        world.run_for(600).await;
        assert_eq!(world.told(), [format!("{failing}:booked")]);
    }
}

#[tokio::test(start_paused = true)]
async fn large_answers_are_looked_up_once_for_all_records_that_need_them() {
    // Case 70: EC:d799e3df4; three well-known pollers ask once per record.
    let world = World::usual();
    let name = "n".repeat(200_000);
    world.ehr.on("/api/patient/", move |_| {
        json_answer(&json!({ "name": name }))
    });
    let config = APPOINTMENTS.replace(
        "patient: = .patient.name,",
        "patient: = .patient.name | length,",
    );
    let world = world.reconfigured(&config);
    world.run_for(1).await;
    world.ehr.take_log();
    // Ten megabytes of answers, which four hundred containers share: eighty as each of them sees it.
    for id in 0..400 {
        world
            .clinic
            .put(id, &format!("p{}", id % 50), "booked", world.now());
    }
    world.run_for(60).await;
    assert_eq!(world.told().len(), 400);
    assert_eq!(world.ehr.asked("/api/patient/"), 50);
}

#[tokio::test(start_paused = true)]
async fn rounds_without_changes_look_nothing_up() {
    // Case 71: CDK#1067.
    let world = World::usual();
    world.run_for(1).await;
    for id in 0..20 {
        world
            .clinic
            .put(id, &format!("p{id}"), "booked", world.now());
    }
    world.run_for(20).await;
    assert_eq!(world.ehr.asked("/api/patient/"), 20);
    // Twenty rounds whose overlap shows all of it again, and a restart.
    for _ in 0..2 {
        world.run_for(100).await;
        assert_eq!(world.ehr.asked("/api/patient/"), 0);
    }
    world.clinic.put(3, "p3", "moved", world.now());
    world.run_for(20).await;
    assert_eq!(world.ehr.asked("/api/patient/"), 1, "only for what changed");
}

#[tokio::test(start_paused = true)]
async fn twenty_thousand_parents_one_at_a_time_come_to_their_end() {
    // Case 73: CDK#148, CDK#977, CDK#1015; constructorfabric/insight#1308 stood still at 10,000 with concurrency 1.
    const PARENTS: u64 = 20_000;
    let config = APPOINTMENTS
        .replace(
            "base_url: \"https://ehr.example/api\"",
            "base_url: \"https://ehr.example/api\", limits: { in_flight: 1 }",
        )
        .replace(
            "url: \"https://app.example/hooks\"",
            "url: \"https://app.example/hooks\", in_flight: 500",
        )
        .replace("every: 10s", "every: 1h");
    let world = World::with(&config.replace("start: now", "start: beginning"));
    let now = world.now();
    for id in 0..PARENTS {
        world.clinic.put(id, &format!("p{id}"), "booked", now);
    }
    world.run_for(120).await;
    let told: BTreeSet<_> = world.told().into_iter().collect();
    assert_eq!(told.len(), usize::try_from(PARENTS).expect("small"));
    assert_eq!(
        world.ehr.asked("/api/patient/"),
        usize::try_from(PARENTS).expect("small"),
        "each once: nothing was forgotten that was still needed"
    );
    let overview = world.overview().await;
    assert_eq!(overview.actions[0].containers_open, 0);
    // One at the gate and a dozen beyond it, however many wait.
    assert!(world.ehr.most_under_way() <= 13);
}

#[tokio::test(start_paused = true)]
async fn sixteen_lookups_at_once_share_one_store_without_trouble() {
    // Case 74: CDK#1150, CDK#725: a cache in SQLite that many wrote was damaged.
    let config = APPOINTMENTS
        .replace(
            "base_url: \"https://ehr.example/api\"",
            "base_url: \"https://ehr.example/api\", limits: { in_flight: 16 }",
        )
        .replace(
            "    lookups:\n",
            "    lookups:\n      clinic: { get: \"/clinic/{{ record.id }}\" }\n",
        );
    let world = World::with(&config);
    world
        .ehr
        .on("/api/clinic/", |_| json_answer(&json!({ "name": "North" })));
    world.run_for(1).await;
    *world.ehr.takes.lock().expect("not poisoned") = Duration::from_millis(300);
    for id in 0..500 {
        world
            .clinic
            .put(id, &format!("p{}", id % 100), "booked", world.now());
    }
    world.run_for(120).await;
    assert!(world.ehr.most_under_way() >= 16);
    let received = world.received();
    assert_eq!(received.len(), 500);
    // Every container has its own answers.
    assert!(received.iter().all(|one| {
        let id = one.body["id"].as_u64().expect("a number");
        one.body["patient"] == format!("Patient p{}", id % 100)
    }));
    let overview = world.overview().await;
    assert_eq!(
        (
            overview.actions[0].containers_parked,
            overview.actions[0].containers_dead
        ),
        (0, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_change_shows_its_patient_as_it_is_now_and_not_as_it_was_looked_up_before() {
    // Case 75: gitify-app/gitify#3102: the appointment changed because the patient did, and a cache had the old one.
    for age_seconds in [0_u64, 1, 10, 300, 3_600] {
        let world = World::usual();
        let name = Arc::new(Mutex::new("before".to_owned()));
        let shown = Arc::clone(&name);
        world.ehr.on("/api/patient/", move |_| {
            json_answer(&json!({ "name": *shown.lock().expect("not poisoned") }))
        });
        world.run_for(1).await;
        world.clinic.put(1, "p", "booked", world.now());
        // One process all the while, so that what it remembers is at stake.
        let story = async {
            world.pass(15 + age_seconds).await;
            "after".clone_into(&mut name.lock().expect("not poisoned"));
            world.clinic.put(1, "p", "patient renamed", world.now());
        };
        tokio::join!(world.run_for(40 + age_seconds), story);
        let bodies = world.bodies();
        assert_eq!(bodies[0]["patient"], "before");
        assert_eq!(
            bodies[1]["patient"], "after",
            "looked up {age_seconds} s before"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_parked_is_shown_with_its_reason_and_nothing_of_the_patient() {
    // Case 68: nothing is skipped silently.
    let world = World::usual();
    world.run_for(1).await;
    world.ehr.on("/api/patient/", |_| {
        text_answer("<html>Jane Doe, your session has ended</html>")
    });
    world.clinic.put(1, "Jane-Doe", "booked", world.now());
    world.run_for(20).await;
    let page = PageRequest {
        offset: 0,
        limit: 10,
    };
    let containers = Operations::containers(&*world.store, ContainerFilter::default(), page)
        .await
        .expect("a list");
    assert_eq!(containers.len(), 1);
    assert!(containers[0].attempts >= 1 && containers[0].due_at.is_some());
    let (code, reason) = containers[0].reason.clone().expect("a reason");
    assert_eq!(code, "R0314");
    assert!(
        reason.contains("lookup `patient`") && !reason.contains("Jane"),
        "{reason}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_thousand_changes_of_fifty_patients_cost_fifty_lookups() {
    // Case 70: EC:d799e3df4. Case 71: CDK#1067.
    let world = World::usual();
    world.run_for(1).await;
    world.ehr.take_log();
    let now = world.now();
    for id in 0..1_000 {
        world
            .clinic
            .put(id, &format!("p{}", id % 50), "booked", now);
    }
    world.run_for(30).await;
    assert_eq!(world.told().len(), 1_000);
    assert_eq!(world.ehr.asked("/api/patient/"), 50);

    world.run_for(60).await;
    assert_eq!(
        world.ehr.asked("/api/patient/"),
        0,
        "nothing changed, nothing is looked up"
    );
}

#[tokio::test(start_paused = true)]
async fn a_patient_that_is_not_there_is_marked_and_the_change_is_told() {
    // Case 69: airbytehq/airbyte#24369, meltano/sdk#1601.
    let world = World::usual();
    world.run_for(1).await;
    world.ehr.on("/api/patient/", |_| Ok(status(404)));
    world.clinic.put(1, "p", "booked", world.now());
    world.run_for(20).await;
    let received = world.received();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].missing, ["patient"]);
    assert_eq!(received[0].body["missing"], json!(["patient"]));
    assert_eq!(received[0].body["patient"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn a_patient_that_is_not_there_may_be_waited_for_or_drop_the_change() {
    // Case 69: airbytehq/airbyte#24369, meltano/sdk#1601.
    for (policy, parked) in [("park", 1), ("drop", 0)] {
        let config = APPOINTMENTS.replace(
            "{{ record.patientID }}\" }",
            &format!("{{{{ record.patientID }}}}\", when_missing: {policy} }}"),
        );
        let world = World::with(&config);
        world.run_for(1).await;
        world.ehr.on("/api/patient/", |_| Ok(status(410)));
        world.clinic.put(1, "p", "booked", world.now());
        world.run_for(12).await;
        assert_eq!(world.told(), [] as [String; 0], "{policy}");
        assert_eq!(
            world.overview().await.actions[0].containers_parked,
            parked,
            "{policy}"
        );

        world
            .ehr
            .on("/api/patient/", |_| json_answer(&json!({ "name": "came" })));
        world.run_for(60).await;
        assert_eq!(
            world.told().len(),
            usize::from(policy == "park"),
            "{policy}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_lookup_parks_its_own_container_and_no_other() {
    // Case 68: elastic/beats#52996.
    let world = World::usual();
    world.run_for(1).await;
    let broken = Arc::new(AtomicBool::new(true));
    let still = Arc::clone(&broken);
    world.ehr.on("/api/patient/", move |url| {
        if url.path().ends_with("/bad") && still.load(Ordering::Relaxed) {
            return Ok(status(500));
        }
        json_answer(&json!({ "name": "n" }))
    });
    world.clinic.put(1, "bad", "booked", world.now());
    world.clinic.put(2, "good", "booked", world.now());
    world.run_for(20).await;
    assert_eq!(world.told(), ["2:booked"]);

    // A later state of the same record does not overtake the parked one.
    world.clinic.put(1, "bad", "moved", world.now());
    world.run_for(20).await;
    assert_eq!(world.told(), [] as [String; 0]);

    broken.store(false, Ordering::Relaxed);
    world.run_for(3_600).await;
    assert_eq!(world.told(), ["1:booked", "1:moved"]);
}
