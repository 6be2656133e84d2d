//! A golden notification for every model and event, and what is no longer one when a single thing in it is changed.

use super::tests::pretty;
use super::{MODELS, Meta, Model, ModelProblem, Party, SourceTimes, Traffic, validate};
use crate::{Json, JsonKind};
use std::fs;
use std::path::PathBuf;

/// What a user's mapping may give: whole bodies, to which the model adds what is missing.
const PATIENT: &str = r#""Patient": { "Identifiers": [{ "ID": "0000000003", "IDType": "MR" }, { "ID": "e167267c", "IDType": "EHRID" }],
  "Demographics": { "FirstName": "Timothy", "LastName": "Bixby", "DOB": "2008-01-06", "Sex": "Male", "Language": "en",
    "PhoneNumber": { "Home": "+18088675301" }, "Address": { "StreetAddress": "4762 Hickory Street", "City": "Monroe", "State": "WI", "ZIP": "53566" } } }"#;
const PROVIDER: &str = r#"{ "ID": "4356789876", "IDType": "NPI", "FirstName": "Pat", "LastName": "Granite", "Credentials": ["MD"] }"#;

fn body(model: &str, event: &str) -> String {
    let visit = |extra: &str| {
        format!(
            r#""Visit": {{ "VisitNumber": "1234", "VisitDateTime": "2022-05-11T09:00:00Z", {extra} "Location": {{ "Type": "Inpatient", "Facility": "RES General Hospital", "Department": "3N" }} }}"#
        )
    };
    let members = match (model, event) {
        ("Scheduling", _) => {
            let of_event = match event {
                "Reschedule" => {
                    r#""Duration": 15, "OldDateTime": "2022-05-10T14:00:00Z", "OldVisitNumber": "1233","#
                }
                "Cancel" => r#""CancelReason": "The patient has moved","#,
                "NoShow" => r#""NoShowReason": "Nobody came","#,
                _ => r#""Duration": 15, "Reason": "Check up","#,
            };
            let extra = format!(r#"{of_event} "AttendingProvider": {PROVIDER},"#);
            format!(
                r#"{PATIENT}, "AppointmentInfo": [{{ "Code": "12345", "Codeset": "Nebula Codes", "Value": "Walking and talking" }}], {}"#,
                visit(&extra)
            )
        }
        ("PatientAdmin", "NewPatient" | "PatientUpdate") => PATIENT.to_owned(),
        ("PatientAdmin", "PatientMerge") => PATIENT.replacen(
            r#""Demographics""#,
            r#""PreviousIdentifiers": [{ "ID": "0000000001", "IDType": "MR" }], "Demographics""#,
            1,
        ),
        ("PatientAdmin", _) => {
            let of_event = match event {
                "Transfer" => r#""PreviousLocation": { "Department": "2S", "Bed": "4" },"#,
                "Discharge" => {
                    r#""DischargeDateTime": "2022-05-12T09:00:00Z", "DischargeStatus": { "Code": "01" },"#
                }
                _ => "",
            };
            let meta = match event {
                "Cancel" => r#""Meta": { "CanceledEvent": "Arrival" }, "#,
                _ => "",
            };
            let extra = format!(r#"{of_event} "AdmittingProvider": {PROVIDER},"#);
            format!("{meta}{PATIENT}, {}", visit(&extra))
        }
        ("Order", "GroupedOrders") => format!(
            r#"{PATIENT}, "Orders": [{{ "ID": "157968300", "Status": "New", "Procedure": {{ "Code": "49086-2" }} }}, {{ "ID": "157968301", "Status": "New" }}]"#
        ),
        ("Order", _) => format!(
            r#"{PATIENT}, "Order": {{ "ID": "157968300", "Status": "New", "Priority": "Stat", "Procedure": {{ "Code": "49086-2", "Codeset": "LOINC" }}, "Diagnoses": [{{ "Code": "034.0", "Codeset": "ICD-9" }}] }}"#
        ),
        ("Results", _) => format!(
            r#"{PATIENT}, "Orders": [{{ "ID": "157968300", "ApplicationOrderID": "1", "Status": "Resulted",
              "Results": [{{ "Code": "TEMP", "Value": "37.8", "ValueType": "Numeric", "Units": "C", "ReferenceRange": {{ "High": 37.5 }} }}] }}]"#
        ),
        ("Notes", _) => {
            let contents = match event {
                "Delete" => "",
                _ => r#""FileContents": "Feels better.","#,
            };
            let original = match event {
                "Replace" => r#""OriginalDocumentID": "b167267c-2","#,
                _ => "",
            };
            format!(
                r#"{PATIENT}, "Note": {{ "ContentType": "Plain Text", {contents} "DocumentType": "Consult Note", "DocumentID": "b169267c-9", {original} "Provider": {PROVIDER} }}"#
            )
        }
        ("Flowsheet", _) => format!(
            r#"{PATIENT}, "Observations": [{{ "DateTime": "2022-05-10T10:00:00Z", "Value": "110.00", "ValueType": "Numeric", "Units": "lbs", "Code": "WEIGHT" }}]"#
        ),
        ("Media", _) => format!(
            r#"{PATIENT}, "Media": {{ "FileType": "JPEG", "FileName": "photo.jpg", "FileContents": "https://files.example.org/1", "DocumentType": "Clinical photo", "DocumentID": "b169267c-10", "Availability": "Available", "Provider": {PROVIDER} }}"#
        ),
        (model, event) => panic!("no body for {model} {event}"),
    };
    format!("{{ {members} }}")
}

fn meta() -> Meta {
    Meta {
        event_date_time: "2022-05-10T10:00:01Z".to_owned(),
        traffic: Traffic::Test,
        source: Party {
            id: None,
            name: Some("clinic".to_owned()),
        },
        destinations: vec![Party {
            id: None,
            name: Some("my-app".to_owned()),
        }],
        log_id: "ntf_01".to_owned(),
        attempt_id: None,
    }
}

fn golden(model: &Model, event: &str) -> Json {
    let body = body(model.name, event);
    let body = Json::parse(body.as_bytes()).unwrap_or_else(|error| panic!("{error}: {body}"));
    model
        .fill(event, &body, &meta(), SourceTimes::default())
        .unwrap_or_else(|errors| panic!("{} {event}: {errors}", model.name))
}

fn every_event() -> Vec<(&'static Model, &'static str)> {
    let models = MODELS.iter();
    models
        .flat_map(|model| model.events.iter().map(move |event| (model, *event)))
        .collect()
}

/// Renew with `ROUNDS_RENEW_DOCS=1`.
#[test]
fn every_event_of_every_model_has_a_golden_notification() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models/golden");
    let events = every_event();
    assert_eq!(events.len(), 26);
    for (model, event) in events {
        let message = golden(model, event);
        let shown = pretty(&message);
        let shown = format!("{shown}\n");
        let name = format!(
            "{}.{}.json",
            model.name.to_lowercase(),
            event.to_lowercase()
        );
        let place = folder.join(&name);
        if std::env::var_os("ROUNDS_RENEW_DOCS").is_some() {
            fs::create_dir_all(&folder).expect("a folder");
            fs::write(&place, &shown).expect("written");
        }
        let kept = fs::read_to_string(&place).unwrap_or_default();
        assert_eq!(
            shown, kept,
            "{name} is old: renew it with ROUNDS_RENEW_DOCS=1"
        );
        let read = Json::parse(kept.as_bytes()).expect("is JSON");
        let validated = validate(&read).unwrap_or_else(|errors| panic!("{name}: {errors}"));
        assert_eq!((validated.model, validated.event), (model.name, event));
    }
}

/// Every message with a single thing changed, and what.
fn mutations(message: &Json) -> Vec<(String, Json)> {
    let mut out = Vec::new();
    let other = |value: &Json| match value.kind() {
        JsonKind::String => Json::integer(1),
        JsonKind::Array | JsonKind::Number | JsonKind::Boolean => Json::string("x"),
        JsonKind::Object | JsonKind::Null => Json::array([Json::integer(1)]),
    };
    let members: Vec<(String, Json)> = (message.members())
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
    for (index, (key, value)) in members.iter().enumerate() {
        let with = |new: Option<Json>| {
            let mut changed = members.clone();
            match new {
                Some(new) => changed[index].1 = new,
                None => _ = changed.remove(index),
            }
            Json::object(changed)
        };
        out.push((format!("{key} has another type"), with(Some(other(value)))));
        out.push((format!("{key} is not there"), with(None)));
        let mut renamed = members.clone();
        renamed[index].0.push('s');
        out.push((format!("{key} is misspelt"), Json::object(renamed)));
        let inner: Vec<(String, Json)> = match value.kind() {
            JsonKind::Object => mutations(value),
            JsonKind::Array => value
                .items()
                .next()
                .filter(|item| item.kind() == JsonKind::Object)
                .map(|item| {
                    let rest: Vec<Json> = value.items().skip(1).collect();
                    let changed = mutations(&item).into_iter();
                    changed
                        .map(|(what, item)| {
                            let items = [item].into_iter().chain(rest.clone());
                            (what, Json::array(items))
                        })
                        .collect()
                })
                .unwrap_or_default(),
            _ => Vec::new(),
        };
        out.extend(
            inner
                .into_iter()
                .map(|(what, new)| (format!("{key}.{what}"), with(Some(new)))),
        );
    }
    out
}

#[test]
fn a_golden_notification_with_one_thing_changed_is_none() {
    for (model, event) in every_event() {
        let message = golden(model, event);
        let mutations = mutations(&message);
        assert!(mutations.len() > 40, "{}", mutations.len());
        for (what, mutation) in mutations {
            let Err(errors) = validate(&mutation) else {
                panic!("{} {event}: {what}, and it is accepted", model.name);
            };
            assert!(!errors.0.is_empty());
        }
    }
}

/// `message` with `value` at `path`, which goes into the first item of each list.
fn with_value_at(message: &Json, path: &str, value: &Json) -> Json {
    let (step, rest) = path.split_once('.').unwrap_or((path, ""));
    let (name, is_list) = match step.strip_suffix("[]") {
        Some(name) => (name, true),
        None => (step, false),
    };
    Json::object(message.members().map(|(key, member)| {
        let changed = match (key == name, rest) {
            (false, _) => member,
            (true, "") => value.clone(),
            (true, rest) if is_list => {
                let first = member.items().next().expect("a golden list has an item");
                let first = with_value_at(&first, rest, value);
                Json::array(std::iter::once(first).chain(member.items().skip(1)))
            }
            (true, rest) => with_value_at(&member, rest, value),
        };
        (key.to_owned(), changed)
    }))
}

/// Of all that the tables say must have a value: inside lists, too.
#[test]
fn what_must_have_a_value_is_refused_without_one() {
    let mut tried = 0;
    for (model, event) in every_event() {
        let message = golden(model, event);
        for field in model.fields(Some(event)) {
            if !field.required.contains(&event) {
                continue;
            }
            let nothing: &[Json] = match field.kind {
                "object" => continue,
                "object[]" | "any[]" => &[Json::null(), Json::array([])],
                _ => &[Json::null()],
            };
            for nothing in nothing {
                let without = with_value_at(&message, &field.path, nothing);
                let Err(errors) = validate(&without) else {
                    panic!("{} {event}: {} has none", model.name, field.path);
                };
                let place = field.path.trim_end_matches("[]").replace("[]", "[0]");
                assert!(
                    errors.0.iter().any(|error| error.path == place),
                    "{place}: {errors}"
                );
                tried += 1;
            }
        }
    }
    assert!(tried > 200, "{tried}");
}

/// By our validator and by a receiver's own.
#[test]
fn dates_and_times_in_another_form_are_refused() {
    let read = |json: &Json| -> serde_json::Value {
        serde_json::from_slice(&json.to_bytes()).expect("is JSON")
    };
    for (model, event) in every_event() {
        let message = golden(model, event);
        let schema = read(&model.schema(event).expect("it has the event"));
        let validator = jsonschema::draft202012::new(&schema).expect("a schema");
        for field in model.fields(Some(event)) {
            let (wrong, right): (&[&str], &[&str]) = match field.kind {
                "date" => (
                    &[
                        "05/01/1980",
                        "19800501",
                        "1980-5-1",
                        "soon",
                        "1980-05-01T00:00:00Z",
                        "",
                    ],
                    &["1980-05-01", "1980-05", "1980"],
                ),
                "date-time" => (
                    &[
                        "05/01/1980 10:00",
                        "20260501093000",
                        "tomorrow",
                        "2026-05-01 10:00:00",
                    ],
                    &[
                        "2026-05-01T10:00:00Z",
                        "2026-05-01T10:00:00.250Z",
                        "2026-05-01T05:00:00-05:00",
                        "2026-05",
                    ],
                ),
                _ => continue,
            };
            let is_in_list = field.path.contains("[]");
            if is_in_list {
                // Not every golden message has an item in every list.
                continue;
            }
            for text in wrong {
                let changed = with_value_at(&message, &field.path, &Json::string(*text));
                let errors = validate(&changed).expect_err(text);
                assert!(
                    errors.0.iter().any(|error| error.path == field.path),
                    "{text}: {errors}"
                );
                assert!(
                    !validator.is_valid(&read(&changed)),
                    "{} {text}",
                    field.path
                );
            }
            for text in right {
                let changed = with_value_at(&message, &field.path, &Json::string(*text));
                if let Err(errors) = validate(&changed) {
                    panic!("{text}: {errors}");
                }
                assert!(validator.is_valid(&read(&changed)), "{} {text}", field.path);
            }
        }
    }
}

/// A receiver's own validator comes to the same as ours.
#[test]
fn the_json_schema_of_an_event_accepts_its_messages_and_no_other() {
    let read = |json: &Json| -> serde_json::Value {
        serde_json::from_slice(&json.to_bytes()).expect("is JSON")
    };
    for (model, event) in every_event() {
        let schema = read(&model.schema(event).expect("it has the event"));
        let meta = jsonschema::draft202012::meta::validate(&schema);
        meta.unwrap_or_else(|error| panic!("{} {event}: {error}", model.name));
        let validator = jsonschema::draft202012::new(&schema).expect("a schema");
        let message = golden(model, event);
        if let Err(error) = validator.validate(&read(&message)) {
            panic!("{} {event}: {error}", model.name);
        }
        for (what, mutation) in mutations(&message) {
            let is_one = validator.is_valid(&read(&mutation));
            assert!(
                !is_one,
                "{} {event}: {what}, and it is accepted",
                model.name
            );
        }
    }
    assert!(every_event()[0].0.schema("Newer").is_none());
}

#[test]
fn what_a_message_is_not_is_said() {
    let problem = |text: &str| {
        let message = Json::parse(text.as_bytes()).expect("is JSON");
        validate(&message).expect_err("it is none").0.remove(0)
    };
    let unknown = problem(r#"{ "Meta": { "DataModel": "Schedulling", "EventType": "New" } }"#);
    assert_eq!(unknown.path, "Meta.DataModel");
    assert_eq!(
        unknown.problem,
        ModelProblem::UnknownModel {
            nearest: Some("Scheduling".to_owned())
        }
    );
    let event = problem(r#"{ "Meta": { "DataModel": "Scheduling", "EventType": "Canceled" } }"#);
    assert_eq!(
        event.to_string(),
        "`Meta.EventType` is no event of Scheduling; did you mean `Cancel`?"
    );
    assert_eq!(problem("[]").path, "Meta.DataModel");
}
