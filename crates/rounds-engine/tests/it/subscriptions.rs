//! Who is told of what, and in which words.

use crate::world::{APPOINTMENTS, World};
use rounds_domain::ContainerState;
use rounds_domain::ports::{ContainerFilter, NotificationFilter, Operations, PageRequest};

const BODY: &str = "body: { id: = .record.id, status: = .record.status, was: = .previous.status, kind: = .change.kind, patient: = .patient.name, missing: = .change.missing }";

const ALL: PageRequest = PageRequest {
    offset: 0,
    limit: 100,
};

fn world(to: &str, notify: &str) -> World {
    let config = APPOINTMENTS
        .replace("    to: app\n", &format!("    to: {to}\n"))
        .replace(BODY, &format!("{BODY}\n{notify}"))
        .replace(
            "destinations:\n",
            "destinations:\n  archive: { url: \"https://archive.example/hooks\" }\n",
        );
    World::with(&config)
}

/// To whom each notification went, in the order of arrival.
async fn told(world: &World) -> Vec<String> {
    world.run_for(1).await;
    world.clinic.put(1, "p1", "booked", world.now());
    world.run_for(20).await;
    world.clinic.put(1, "p1", "cancelled", world.now());
    world.clinic.put(2, "p2", "booked", world.now());
    world.run_for(20).await;
    let received = world.received();
    let mut told: Vec<String> = received
        .iter()
        .map(|received| {
            let body = &received.body;
            format!(
                "{} {} {}",
                received.destination,
                body["id"],
                body["status"].as_str().unwrap_or("-")
            )
        })
        .collect();
    told.sort();
    told
}

#[tokio::test(start_paused = true)]
async fn a_filter_decides_for_its_own_destination_and_says_that_it_did() {
    let world = world(
        "[app, { destination: archive, when: '.change.kind == \"created\" and .body.patient != null' }]",
        "",
    );
    let expected = [
        "app 1 booked",
        "app 1 cancelled",
        "app 2 booked",
        "archive 1 booked",
        "archive 2 booked",
    ];
    assert_eq!(told(&world).await, expected);
    let listed = world
        .store
        .notifications(NotificationFilter::default(), ALL);
    let mut filtered = Vec::new();
    for summary in listed.await.expect("notifications") {
        let detail = world
            .store
            .notification(&summary.id)
            .await
            .expect("is read");
        let detail = detail.expect("is there");
        filtered.extend(
            detail
                .filtered
                .iter()
                .map(|name| format!("{name} {:?}", summary.kind)),
        );
    }
    assert_eq!(filtered, ["archive Updated"]);
}

#[tokio::test(start_paused = true)]
async fn allow_and_deny_lists_go_by_the_body_and_all_must_hold() {
    let world = world(
        "[{ destination: app, allow: { status: [booked, arrived] }, deny: { id: 2 } }, { destination: archive, deny: { status: booked } }]",
        "",
    );
    assert_eq!(told(&world).await, ["app 1 booked", "archive 1 cancelled"]);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_wants_is_a_notification_without_deliveries() {
    let world = world("{ destination: app, when: .body.id == 99 }", "");
    assert_eq!(told(&world).await, [""; 0]);
    let listed = world
        .store
        .notifications(NotificationFilter::default(), ALL);
    let listed = listed.await.expect("notifications");
    assert_eq!(listed.len(), 3);
    assert!(listed.iter().all(|summary| summary.deliveries.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn a_filter_that_cannot_decide_lets_the_change_wait() {
    let world = world(
        "{ destination: app, when: '.body.id | ascii_upcase == \"A\"' }",
        "",
    );
    assert_eq!(told(&world).await, [""; 0]);
    let containers = world.store.containers(ContainerFilter::default(), ALL);
    let containers = containers.await.expect("containers");
    let (code, reason) = containers[0].reason.clone().expect("a reason");
    assert_eq!(code, "R0406");
    assert!(
        reason.starts_with("`when` of the destination `app`"),
        "{reason}"
    );
}

#[tokio::test(start_paused = true)]
async fn modifiers_put_translate_and_delete() {
    let notify =
        "      put: { note: '= \"\\(.event) \\(.body.id)\"', patient: '= empty', nested.deep: 7 }
      translate: { status: words, missing: words }
      delete: [was, kind]";
    let sets = "translations:\n  words: { values: { booked: SCHEDULED }, otherwise: \"null\" }\nconnections:";
    let config = APPOINTMENTS
        .replace(BODY, &format!("{BODY}\n{notify}"))
        .replace("connections:", sets);
    let world = World::with(&config);
    world.run_for(1).await;
    world.clinic.put(1, "p1", "booked", world.now());
    world.run_for(20).await;
    world.clinic.put(1, "p1", "cancelled", world.now());
    world.run_for(20).await;
    let texts: Vec<String> = world
        .received()
        .into_iter()
        .map(|received| received.text)
        .collect();
    let expected = [
        r#"{"id":1,"status":"SCHEDULED","patient":"Patient p1","missing":[],"note":"appointments 1","nested":{"deep":7}}"#,
        r#"{"id":1,"status":null,"patient":"Patient p1","missing":[],"note":"appointments 1","nested":{"deep":7}}"#,
    ];
    assert_eq!(texts, expected);
}

#[tokio::test(start_paused = true)]
async fn a_value_without_a_translation_can_wait_for_one() {
    let sets =
        "translations:\n  words: { values: { booked: SCHEDULED }, otherwise: park }\nconnections:";
    let config = APPOINTMENTS
        .replace(
            BODY,
            &format!("{BODY}\n      translate: {{ status: words }}"),
        )
        .replace("connections:", sets);
    let world = World::with(&config);
    world.run_for(1).await;
    world.clinic.put(1, "p1", "moved", world.now());
    world.run_for(20).await;
    let containers = world.store.containers(ContainerFilter::default(), ALL);
    let containers = containers.await.expect("containers");
    assert_eq!(containers[0].state, ContainerState::Parked);
    let (code, reason) = containers[0].reason.clone().expect("a reason");
    assert_eq!(code, "R0412");
    assert!(!reason.contains("moved"), "{reason}");
}
