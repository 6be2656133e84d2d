//! The right person: a lookup that identifies nobody is not asked, and an answer of somebody else is not told.

use crate::ehr::{json_answer, text_answer};
use crate::world::{World, appointments_with};
use rounds_domain::ports::{ContainerFilter, Operations, PageRequest};
use serde_json::{Value, json};

/// The usual configuration with another lookup of the patient.
fn with_lookup(lookup: &str) -> String {
    let usual = r#"patient: { get: "/patient/{{ record.patientID }}" }"#;
    appointments_with(&[(usual, &format!("patient: {lookup}"))])
}

/// Why the world's containers wait, each as `code: reason`.
async fn parked(world: &World) -> Vec<String> {
    let page = PageRequest {
        offset: 0,
        limit: 100,
    };
    let listed = Operations::containers(&*world.store, ContainerFilter::default(), page).await;
    let reasons = listed
        .expect("a list")
        .into_iter()
        .filter_map(|one| one.reason);
    reasons
        .map(|(code, reason)| format!("{code}: {reason}"))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_lookup_that_identifies_nobody_is_not_asked() {
    let forms = [
        r#"{ get: /patients, query: { mrn: "{{ record.patientID }}" } }"#,
        r#"{ get: /patients, query: { identifier: "MRN|{{ record.patientID }}" } }"#,
        r#"{ get: /patients, query: { identifier: '{{ "MRN|" + .record.patientID }}' } }"#,
        r#"{ get: /patients, query: { ids: "{{ [.record.patientID, .record.patientID] | join(\",\") }}" } }"#,
        r#"{ get: "/patients?mrn={{ record.patientID }}" }"#,
        r#"{ get: "/patients/{{ record.patientID }}" }"#,
        r#"{ get: /patients, headers: { x-patient: "{{ record.patientID }}" } }"#,
        r#"{ post: /patients/_search, body: { form: { mrn: "{{ record.patientID }}" } } }"#,
        r"{ post: /patients/_search, body: { json: { filter: { mrn: = .record.patientID } } } }",
        r#"{ post: /graphql, body: { graphql: { query: "query($mrn: ID) { patient(mrn: $mrn) { name } }", variables: { mrn: = .record.patientID } } } }"#,
        r#"{ post: /soap, body: { xml: "<mrn>{{ record.patientID }}</mrn>" } }"#,
        r#"{ get: /patients, query: { ids: "{{ ids | join(\",\") }}" }, batch: { key: .record.patientID, records: ".[]", id: .id } }"#,
    ];
    for form in forms {
        for nobody in ["", " ", "*", "%"] {
            let world = World::with(&with_lookup(form));
            for path in ["/api/patients", "/api/graphql", "/api/soap"] {
                world.ehr.on(path, |_| {
                    json_answer(&json!([{ "id": "1", "name": "somebody else" }]))
                });
            }
            world.run_for(1).await;
            world.clinic.put(1, nobody, "booked", world.now());
            world.run_for(20).await;
            assert!(world.received().is_empty(), "{form} `{nobody}`");
            let asked = world.ehr.take_log();
            let of_patients = asked
                .iter()
                .filter(|url| !url.path().ends_with("/appointments"));
            assert_eq!(of_patients.count(), 0, "{form} `{nobody}`");
            let parked = parked(&world).await;
            assert!(
                parked.len() == 1 && parked[0].starts_with("R0405: "),
                "{form} `{nobody}`: {parked:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_optional_is_left_out_and_the_rest_identifies() {
    let lookup = r#"{ get: /patients, query: { mrn: "{{ record.patientID }}", site: "{{ record.site }}" }, optional: site }"#;
    let world = World::with(&with_lookup(lookup));
    world.ehr.on("/api/patients", |url| {
        assert_eq!(url.query(), Some("mrn=p7"));
        json_answer(&json!({ "id": "1", "mrn": "p7", "name": "n" }))
    });
    world.run_for(1).await;
    world.clinic.put(1, "p7", "booked", world.now());
    world.run_for(20).await;
    assert_eq!(world.told(), ["1:booked"], "{:?}", parked(&world).await);
}

#[tokio::test(start_paused = true)]
async fn the_answer_of_somebody_else_parks_its_own_container_until_the_right_one_comes() {
    let search = r#"{ get: /patients, query: { mrn: "{{ record.patientID }}" } }"#;
    let read = r#"{ get: "/patient/{{ record.patientID }}" }"#;
    let several = json!([{ "id": "p1", "name": "a" }, { "id": "p2", "name": "b" }]);
    let cases: [(&str, &str, Value); 5] = [
        (read, "R0415", json!({ "id": "p2", "name": "b" })),
        (read, "R0414", several.clone()),
        (search, "R0414", several.clone()),
        (search, "R0414", json!({ "total": 2, "items": several })),
        (
            search,
            "R0415",
            json!([{ "id": "x", "mrn": "p2", "name": "b" }]),
        ),
    ];
    for (lookup, code, wrong) in cases {
        let world = World::with(&with_lookup(lookup));
        for path in ["/api/patient/", "/api/patients"] {
            let wrong = wrong.clone();
            world.ehr.on(path, move |url| {
                if url.as_str().ends_with("p1") {
                    return json_answer(&wrong);
                }
                json_answer(&json!({ "id": "p9", "name": "right" }))
            });
        }
        world.run_for(1).await;
        world.clinic.put(1, "p1", "booked", world.now());
        world.clinic.put(2, "p9", "booked", world.now());
        world.run_for(20).await;
        assert_eq!(
            world.told(),
            ["2:booked"],
            "{lookup} {wrong}: {:?}",
            parked(&world).await
        );
        let reasons = parked(&world).await;
        assert!(
            reasons.len() == 1 && reasons[0].starts_with(code),
            "{lookup} {wrong}: {reasons:?}"
        );
        for path in ["/api/patient/", "/api/patients"] {
            world.ehr.on(path, |_| {
                json_answer(&json!({ "id": "p1", "name": "right" }))
            });
        }
        world.run_for(300).await;
        assert_eq!(
            world.told(),
            ["1:booked"],
            "{lookup} {wrong}: {:?}",
            parked(&world).await
        );
    }
}

#[tokio::test(start_paused = true)]
async fn two_records_under_one_key_of_a_batch_park_whoever_asked_for_it_and_nobody_else() {
    let batch = r#"{ get: /patients, query: { ids: "{{ ids | join(\",\") }}" }, batch: { key: .record.patientID, records: ".[]", id: .mrn } }"#;
    let world = World::with(&with_lookup(batch));
    world.ehr.on("/api/patients", |_| {
        json_answer(&json!([
            { "mrn": "p1", "name": "a" }, { "mrn": "p2", "name": "b" }, { "mrn": "p1", "name": "c" }, { "mrn": "p2", "name": "b" },
        ]))
    });
    world.run_for(1).await;
    world.clinic.put(1, "p1", "booked", world.now());
    world.clinic.put(2, "p2", "booked", world.now());
    world.run_for(20).await;
    assert_eq!(world.told(), ["2:booked"], "one record twice is one");
    let reasons = parked(&world).await;
    assert!(
        reasons.len() == 1 && reasons[0].starts_with("R0414"),
        "{reasons:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_empty_list_says_that_there_is_no_such_record() {
    for nothing in [
        "[]",
        r#"{"total":0,"patients":[]}"#,
        r#"{"resourceType":"Bundle","type":"searchset","total":0}"#,
    ] {
        let world = World::with(&with_lookup(
            r#"{ get: /patients, query: { mrn: "{{ record.patientID }}" } }"#,
        ));
        world.ehr.on("/api/patients", move |_| text_answer(nothing));
        world.run_for(1).await;
        world.clinic.put(1, "p1", "booked", world.now());
        world.run_for(20).await;
        assert_eq!(
            world.bodies()[0]["missing"],
            json!(["patient"]),
            "{nothing}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_reference_to_another_server_is_not_asked_for_at_ours() {
    let lookup = r#"{ get: "/Patient/{{ record.patientID }}" }"#;
    for (reference, wanted) in [
        ("https://ehr.example/api/Patient/7", "told"),
        ("https://ehr.example/api/Patient/7/_history/3", "told"),
        ("https://other.example/api/Patient/7", "parked"),
        ("https://ehr.example/api/Patient/..", "parked"),
    ] {
        let world = World::with(&with_lookup(lookup));
        world.ehr.on("/api/Patient/", |url| {
            assert_eq!(url.path(), "/api/Patient/7");
            json_answer(&json!({ "resourceType": "Patient", "id": "7", "name": "n" }))
        });
        world.run_for(1).await;
        world.clinic.put(1, reference, "booked", world.now());
        world.run_for(20).await;
        let told = if world.received().is_empty() {
            "parked"
        } else {
            "told"
        };
        assert_eq!(told, wanted, "{reference}: {:?}", parked(&world).await);
    }
}
