//! APIs that are asked with bodies: GraphQL, SOAP, XML messages.

use super::{NOTHING, Shared, example, failure, told};
use crate::ehr::{body_of, json_answer, text_answer};
use crate::world::World;
use serde_json::{Value, json};

#[tokio::test(start_paused = true)]
async fn healthie_is_read_down_to_what_is_known_and_its_errors_are_heard() {
    let world = World::with(&example("healthie"));
    let held: Shared<Vec<(u32, &str)>> = Shared::new(vec![(1, "2026-05-01T09:00:00Z")]);
    let trouble: Shared<Option<&str>> = Shared::new(None);
    let (asked, troubled) = (held.clone(), trouble.clone());
    world.ehr.on_request("/graphql", move |request| {
        if let Some(code) = troubled.with(|trouble| *trouble) {
            return json_answer(&json!({ "data": null, "errors": [{ "message": "no", "extensions": { "code": code } }] }));
        }
        let body: Value = serde_json::from_str(&body_of(request)).expect("is JSON");
        assert!(body["query"].as_str().expect("a query").contains("UPDATED_AT_DESC"));
        let at: usize = body["variables"]["after"].as_str().map_or(0, |after| after.parse().expect("a cursor"));
        asked.with(|held| {
            let mut sorted = held.clone();
            sorted.sort_by_key(|(_, at)| std::cmp::Reverse(*at));
            let nodes: Vec<Value> = (sorted.iter().skip(at).take(2))
                .map(|(id, at)| json!({ "id": id, "updated_at": at }))
                .collect();
            json_answer(&json!({ "data": { "appointments": { "nodes": nodes, "page_info": { "has_next_page": sorted.len() > at + 2, "end_cursor": (at + 2).to_string() } } } }))
        })
    });
    world.run_for(30).await;
    assert_eq!(told(&world, &["/record/id"]), NOTHING);
    held.with(|held| {
        held.extend([
            (2, "2026-05-01T10:00:40Z"),
            (3, "2026-05-01T10:00:41Z"),
            (4, "2026-05-01T10:00:42Z"),
        ]);
    });
    world.run_for(60).await;
    assert_eq!(told(&world, &["/record/id"]), ["2", "3", "4"]);
    for (code, expected) in [("TOO_MANY_REQUESTS", "R0312"), ("INTERNAL", "R0340")] {
        trouble.set(Some(code));
        world.run_for(60).await;
        assert_eq!(
            failure(&world, "appointments").await.as_deref(),
            Some(expected)
        );
    }
    assert!(
        world
            .ehr
            .take_heard()
            .iter()
            .all(|heard| heard == "practice: wait None")
    );
    trouble.set(None);
    // It is from before the start, and was seen silently.
    held.with(|held| held[0].1 = "2026-05-01T10:02:50Z");
    world.run_for(240).await;
    assert_eq!(told(&world, &["/record/id", "/change/kind"]), ["1 updated"]);
}

/// As Tebra answers: with an empty row where there is none, and one element where a list would be.
fn patients(rows: &[(&str, &str)], error: &str) -> String {
    let row = |id: &str, at: &str| {
        format!("<PatientData><ID>{id}</ID><LastModifiedDate>{at}</LastModifiedDate></PatientData>")
    };
    let rows: String = if rows.is_empty() {
        row("", "")
    } else {
        rows.iter().flat_map(|(id, at)| [row(id, at)]).collect()
    };
    format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><GetPatientsResponse xmlns=\"http://www.kareo.com/api/schemas/\"><GetPatientsResult xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\"><ErrorResponse><ErrorMessage i:nil=\"true\"/><IsError>{error}</IsError></ErrorResponse><SecurityResponse><Authorized>true</Authorized></SecurityResponse><Patients>{rows}</Patients></GetPatientsResult></GetPatientsResponse></s:Body></s:Envelope>"
    )
}

#[tokio::test(start_paused = true)]
async fn tebra_gives_one_or_many_or_an_empty_row_and_errors_with_200() {
    let world = World::with(&example("tebra"));
    let answer = Shared::new(patients(&[], "false"));
    let given = answer.clone();
    world
        .ehr
        .on_request("/services/soap/2.1/KareoServices.svc", move |request| {
            assert_eq!(
                request.headers["soapaction"],
                "http://www.kareo.com/api/schemas/KareoServices/GetPatients"
            );
            let body = body_of(request);
            assert!(
                body.contains("<k:PracticeName>Mercy Clinic</k:PracticeName>")
                    && body.contains("[Named(\"customer_key\")]"),
                "{body}"
            );
            given.with(|answer| text_answer(answer))
        });
    world.run_for(30).await;
    assert_eq!(told(&world, &["/record/ID"]), NOTHING);
    assert_eq!(failure(&world, "patients").await, None);
    answer.set(patients(&[("1", "5/1/2026 10:00:40 AM")], "false"));
    world.run_for(60).await;
    assert_eq!(told(&world, &["/record/ID"]), ["1"]);
    answer.set(patients(
        &[("1", "5/1/2026 10:00:40 AM"), ("2", "5/1/2026 10:01:40 AM")],
        "false",
    ));
    world.run_for(60).await;
    assert_eq!(told(&world, &["/record/ID"]), ["2"]);
    answer.set(patients(&[("3", "5/1/2026 10:02:40 AM")], "true"));
    world.run_for(60).await;
    assert_eq!(failure(&world, "patients").await.as_deref(), Some("R0340"));
    assert_eq!(told(&world, &["/record/ID"]), NOTHING);
}

#[tokio::test(start_paused = true)]
async fn advancedmd_ends_sessions_with_a_fault_in_a_200() {
    let world = World::with(&example("advancedmd"));
    let ended = Shared::new(0);
    let visits = Shared::new(String::new());
    let (asked, shown) = (ended.clone(), visits.clone());
    world.ehr.on_request("/processrequest/", move |request| {
        let body = body_of(request);
        assert!(body.contains("<usercontext>[Session]</usercontext>"), "{body}");
        let is_ended = asked.with(|left| {
            let is_ended = *left > 0;
            *left -= i32::from(is_ended);
            is_ended
        });
        if is_ended {
            return text_answer("<PPMDResults><Error><Fault><faultcode>1025</faultcode><faultstring>session</faultstring></Fault></Error></PPMDResults>");
        }
        shown.with(|visits| text_answer(&format!("<PPMDResults><Results success=\"1\"><visitlist>{visits}</visitlist></Results><Error/></PPMDResults>")))
    });
    world.run_for(30).await;
    assert_eq!(failure(&world, "visits").await, None);
    visits.set("<visit id=\"v1\" date=\"05/04/2026\"/>".to_owned());
    ended.set(1);
    world.run_for(60).await;
    assert_eq!(
        told(&world, &["/record/@id", "/record/@date"]),
        ["v1 05/04/2026"]
    );
    assert_eq!(world.ehr.take_heard(), ["office: session ended"]);
    visits.set(
        "<visit id=\"v1\" date=\"05/05/2026\"/><visit id=\"v2\" date=\"05/06/2026\"/>".to_owned(),
    );
    world.run_for(60).await;
    assert_eq!(
        told(&world, &["/record/@id", "/change/kind"]),
        ["v1 updated", "v2 created"]
    );
}
