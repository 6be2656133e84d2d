//! The examples over FHIR maps, word for word, against a FHIR server that does what R4 says of searches and reads: what comes of a
//! record that was there, of its change, and of a new one, with no mapping written.

use crate::ehr::{Answer, json_answer, status};
use crate::world::World;
use jiff::Timestamp;
use rounds_map::Json;
use rounds_map::models::validate;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use url::Url;

/// The resources of a server, by `Type/id`.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<BTreeMap<String, Value>>>);

impl Server {
    /// Puts a resource, as changed at this time.
    fn put(&self, mut resource: Value, at: Timestamp) {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let place = format!(
            "{}/{}",
            text(&resource["resourceType"]),
            text(&resource["id"])
        );
        let mut held = self.0.lock().expect("not poisoned");
        let version = held.get(&place).map_or(0, |known| {
            let version = known["meta"]["versionId"].as_str();
            version
                .and_then(|version| version.parse().ok())
                .unwrap_or(0)
        });
        resource["meta"] =
            json!({ "versionId": (version + 1).to_string(), "lastUpdated": at.to_string() });
        held.insert(place, resource);
    }

    fn answer(&self, url: &Url) -> Answer {
        let held = self.0.lock().expect("not poisoned");
        let place = url.path().trim_start_matches("/r4/");
        if let Some(found) = held.get(place) {
            return json_answer(found);
        }
        if place.contains('/') {
            return Ok(status(404));
        }
        let parameter = |name: &str| {
            let found = url.query_pairs().find(|(known, _)| known == name);
            found.map(|(_, value)| value.into_owned())
        };
        let since = parameter("_lastUpdated").map(|since| -> Timestamp {
            since.trim_start_matches("ge").parse().expect("an instant")
        });
        let ids = parameter("_id");
        let is_wanted = |resource: &&Value| {
            let updated = resource["meta"]["lastUpdated"].as_str().expect("a time");
            let updated: Timestamp = updated.parse().expect("an instant");
            let is_named = |ids: &String| ids.split(',').any(|id| resource["id"] == id);
            resource["resourceType"] == place
                && since.is_none_or(|since| updated >= since)
                && ids.as_ref().is_none_or(is_named)
        };
        let entry: Vec<Value> = (held.values().filter(is_wanted))
            .map(|resource| json!({ "resource": resource, "search": { "mode": "match" } }))
            .collect();
        json_answer(&json!({
            "resourceType": "Bundle", "type": "searchset",
            "link": [{ "relation": "self", "url": url.as_str() }], "entry": entry,
        }))
    }
}

fn patient() -> Value {
    json!({
        "resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1970-02-03",
        "identifier": [{ "type": { "coding": [{ "code": "MR" }] }, "value": "M1" }],
        "name": [{ "family": "Sample", "given": ["Ann"] }],
    })
}

fn practitioner() -> Value {
    json!({ "resourceType": "Practitioner", "id": "d1", "name": [{ "family": "Guide", "given": ["Gil"] }] })
}

fn appointment(id: &str, status: &str, start: &str) -> Value {
    json!({
        "resourceType": "Appointment", "id": id, "status": status, "start": start, "minutesDuration": 30,
        "participant": [
            { "actor": { "reference": "Patient/p1" }, "status": "accepted" },
            { "actor": { "reference": "Practitioner/d1" }, "status": "accepted" },
            { "actor": { "reference": "Location/l1", "display": "Ward 3" }, "status": "accepted" },
        ],
    })
}

fn encounter(status: &str) -> Value {
    json!({
        "resourceType": "Encounter", "id": "e1", "status": status, "class": { "code": "IMP" }, "subject": { "reference": "Patient/p1" },
        "period": { "start": "2026-05-01T08:00:00Z" }, "location": [{ "location": { "display": "Ward 3" }, "status": "active" }],
    })
}

fn order(status: &str) -> Value {
    json!({
        "resourceType": "ServiceRequest", "id": "o1", "status": status, "intent": "order", "subject": { "reference": "Patient/p1" },
        "requester": { "reference": "Practitioner/d1" }, "code": { "coding": [{ "system": "http://loinc.org", "code": "2339-0", "display": "Glucose" }] },
        "authoredOn": "2026-05-01T08:00:00Z",
    })
}

fn observation() -> Value {
    json!({
        "resourceType": "Observation", "id": "g1", "status": "final", "subject": { "reference": "Patient/p1" },
        "code": { "coding": [{ "system": "http://loinc.org", "code": "2339-0", "display": "Glucose" }] },
        "effectiveDateTime": "2026-05-01T08:30:00Z", "valueQuantity": { "value": 5.1, "unit": "mmol/L" },
    })
}

fn report(status: &str) -> Value {
    json!({
        "resourceType": "DiagnosticReport", "id": "r1", "status": status, "subject": { "reference": "Patient/p1" },
        "basedOn": [{ "reference": "ServiceRequest/o1" }], "issued": "2026-05-01T09:00:00Z",
        "code": { "coding": [{ "system": "http://loinc.org", "code": "2339-0", "display": "Glucose" }] },
        "result": [{ "reference": "Observation/g1" }],
    })
}

fn document(status: &str) -> Value {
    json!({
        "resourceType": "DocumentReference", "id": "n1", "status": status, "subject": { "reference": "Patient/p1" },
        "author": [{ "reference": "Practitioner/d1" }], "type": { "text": "Discharge summary" }, "date": "2026-05-01T09:00:00Z",
        "content": [{ "attachment": { "contentType": "text/plain", "data": "aGVsbG8=", "title": "summary.txt" } }],
    })
}

/// An example with the records that it is told of: of the first state nothing is told, because it was there; the others one after
/// another, with the event that each is.
struct Example {
    name: &'static str,
    text: &'static str,
    was_there: Value,
    states: Vec<(Value, &'static str)>,
}

macro_rules! example {
    ($name:literal, $was_there:expr, [$($state:expr => $event:literal),+ $(,)?]) => {
        Example {
            name: $name,
            text: include_str!(concat!("../../../../examples/", $name, ".yaml")),
            was_there: $was_there,
            states: vec![$(($state, $event)),+],
        }
    };
}

const NINE: &str = "2026-05-11T09:00:00Z";
const TEN: &str = "2026-05-11T10:00:00Z";

fn examples() -> Vec<Example> {
    let mut renamed = patient();
    renamed["name"][0]["family"] = json!("Other");
    let mut another = patient();
    another["id"] = json!("p2");
    let mut glucose = observation();
    glucose["id"] = json!("g2");
    vec![
        example!("fhir-scheduling", appointment("a1", "booked", NINE), [
            appointment("a1", "booked", TEN) => "Scheduling.Reschedule",
            appointment("a1", "arrived", TEN) => "Scheduling.Modification",
            appointment("a2", "booked", NINE) => "Scheduling.New",
            appointment("a2", "noshow", NINE) => "Scheduling.NoShow",
            appointment("a1", "cancelled", TEN) => "Scheduling.Cancel",
        ]),
        example!("fhir-patient", patient(), [renamed => "PatientAdmin.PatientUpdate", another => "PatientAdmin.NewPatient"]),
        example!("fhir-visit", encounter("planned"), [
            encounter("in-progress") => "PatientAdmin.Arrival",
            encounter("finished") => "PatientAdmin.Discharge",
        ]),
        example!("fhir-order", order("draft"), [
            order("active") => "Order.New",
            order("completed") => "Order.Update",
            order("revoked") => "Order.Cancel",
        ]),
        example!("fhir-results", report("registered"), [report("final") => "Results.New"]),
        example!("fhir-flowsheet", observation(), [glucose => "Flowsheet.New"]),
        example!("fhir-notes", document("current"), [document("entered-in-error") => "Notes.Delete"]),
    ]
}

/// A world with an example's configuration and a server that holds these resources, after the first rounds.
async fn beginning<const N: usize>(config: &str, there: [Value; N]) -> (World, Server) {
    // Where in its interval an action is asked differs from installation to installation.
    let mut config = config.to_owned();
    for every in ["every: 1m\n", "every: 5m\n"] {
        config = config.replace(every, "at: \"* * * * *\"\n");
    }
    let world = World::with(&config);
    let server = Server::default();
    let asked = server.clone();
    world.ehr.on("/r4/", move |url| asked.answer(url));
    for resource in there {
        server.put(resource, world.now());
    }
    world.run_for(90).await;
    (world, server)
}

/// What was told since the last call: the events, and whether each message is one of its model.
fn events(world: &World) -> Vec<String> {
    let told = world.received().into_iter().map(|received| {
        let meta = &received.body["Meta"];
        let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
        let json = Json::parse(received.text.as_bytes()).expect("is JSON");
        validate(&json).expect("is a message of its model");
        assert_eq!(received.body["Patient"]["Identifiers"][0]["ID"], "M1");
        format!("{}.{}", text(&meta["DataModel"]), text(&meta["EventType"]))
    });
    told.collect()
}

#[tokio::test(start_paused = true)]
async fn each_example_of_a_fhir_map_tells_what_redox_would() {
    for Example {
        name,
        text,
        was_there,
        states,
    } in examples()
    {
        let there = [patient(), practitioner(), observation(), was_there];
        let (world, server) = beginning(text, there).await;
        assert_eq!(events(&world), [""; 0], "{name}: nothing of what was there");
        for (state, event) in states {
            server.put(state, world.now());
            world.run_for(90).await;
            assert_eq!(events(&world), [event], "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_example_of_cloud_events_sends_one() {
    let config = include_str!("../../../../examples/cloudevents.yaml");
    let (world, server) = beginning(config, [patient(), practitioner()]).await;
    server.put(appointment("a1", "booked", NINE), world.now());
    world.run_for(90).await;
    let received = world.received();
    let [event] = received.as_slice() else {
        panic!("{} were told", received.len());
    };
    assert_eq!(event.content_type, "application/cloudevents+json");
    assert_eq!(event.body["specversion"], "1.0");
    assert_eq!(event.body["type"], "Scheduling.New");
    assert_eq!(event.body["data"]["Visit"]["VisitNumber"], "a1");
}

#[tokio::test(start_paused = true)]
async fn what_refers_to_its_own_server_by_a_whole_url_is_at_home_and_another_server_s_is_nobody_here()
 {
    let config = include_str!("../../../../examples/fhir-scheduling.yaml");
    let (world, server) = beginning(config, [patient(), practitioner()]).await;
    let mut booked = appointment("a1", "booked", NINE);
    booked["participant"] = json!([
        { "actor": { "reference": "https://fhir.example.org/r4/Patient/p1" } },
        { "actor": { "reference": "Patient/p1/_history/1" } },
        // Another server's d1 is somebody else.
        { "actor": { "reference": "https://other.example/r4/Practitioner/d1" } },
    ]);
    server.put(booked, world.now());
    world.run_for(90).await;
    let bodies = world.bodies();
    let [body] = bodies.as_slice() else {
        panic!("{} were told", bodies.len());
    };
    assert_eq!(body["Patient"]["Demographics"]["LastName"], "Sample");
    assert_eq!(body["Visit"]["VisitProvider"]["ID"], Value::Null);
    let whole = body.to_string();
    assert!(
        !whole.contains("fhir.example.org"),
        "where the EHR is, is not told"
    );
}
