use super::{History, Telling, Verdict};
use serde_json::{Value, json};

/// An appointment's version that was made so many seconds after the hour.
fn version(id: &str, version: u32, second: u32) -> Value {
    json!({
        "resourceType": "Appointment",
        "id": id,
        "meta": { "versionId": version.to_string(), "lastUpdated": format!("2026-11-23T02:00:{second:02}.000Z") },
        "participant": [{ "actor": { "reference": "Location/1" } }, { "actor": { "reference": "Patient/p" } }],
    })
}

/// Newest first, as `_history` has it.
fn history(versions: &[Value]) -> History {
    let entries: Vec<Value> = versions
        .iter()
        .rev()
        .map(|resource| json!({ "resource": resource }))
        .collect();
    History::read(&json!({ "entry": entries })).expect("a history as the server gives it")
}

fn telling(change: &str, resource: &Value) -> Telling {
    let body = json!({ "change": change, "appointment": resource, "patient": { "id": "p" } });
    Telling::read(&body).expect("a body as the example makes it")
}

fn judged(versions: &[Value], tellings: &[Telling]) -> (String, Vec<String>) {
    let verdict = Verdict::of(&history(versions), tellings);
    (verdict.to_string(), verdict.complaints().collect())
}

#[test]
fn every_version_told_once_in_order_is_clean() {
    let versions = [version("a", 1, 0), version("b", 1, 1), version("a", 2, 20)];
    let [a1, b1, a2] = &versions;
    let tellings = [
        telling("created", b1),
        telling("created", a1),
        telling("updated", a2),
    ];
    let (line, complaints) = judged(&versions, &tellings);
    assert_eq!(line, "changes=3 notified=3 lost=0 repeated=0");
    assert!(complaints.is_empty(), "{complaints:?}");
}

#[test]
fn what_stood_long_is_owed_and_what_was_replaced_at_once_is_not() {
    let versions = [version("a", 1, 0), version("a", 2, 30), version("a", 3, 31)];
    let (line, complaints) = judged(&versions, &[]);
    assert_eq!(line, "changes=2 notified=0 lost=2 repeated=0");
    assert_eq!(
        complaints,
        [
            "Appointment/a version 1 was not told",
            "Appointment/a version 3 was not told"
        ]
    );

    let seen_by_luck = [
        telling("created", &versions[0]),
        telling("updated", &versions[1]),
        telling("updated", &versions[2]),
    ];
    assert_eq!(
        judged(&versions, &seen_by_luck),
        ("changes=3 notified=3 lost=0 repeated=0".to_owned(), vec![])
    );
}

#[test]
fn a_version_told_twice_is_repeated_and_counts_once() {
    let versions = [version("a", 1, 0)];
    let tellings = [
        telling("created", &versions[0]),
        telling("updated", &versions[0]),
    ];
    let (line, complaints) = judged(&versions, &tellings);
    assert_eq!(line, "changes=1 notified=1 lost=0 repeated=1");
    assert_eq!(complaints, ["Appointment/a version 1 was told again"]);
}

#[test]
fn what_is_told_must_be_what_was() {
    let versions = [version("a", 1, 0), version("a", 2, 20)];
    let mut altered = versions[0].clone();
    altered["status"] = json!("booked");
    let no_patient = json!({ "change": "created", "appointment": versions[0], "patient": null });
    let no_patient = Telling::read(&no_patient).expect("a body with a gap");
    for (tellings, complaint) in [
        (
            vec![
                telling("created", &altered),
                telling("updated", &versions[1]),
            ],
            "version 1 was told with another content",
        ),
        (
            vec![
                telling("created", &versions[1]),
                telling("updated", &versions[0]),
            ],
            "version 1 was told after a later version",
        ),
        (
            vec![
                telling("updated", &versions[0]),
                telling("updated", &versions[1]),
            ],
            "version 1 was told as updated, and was created",
        ),
        (
            vec![no_patient, telling("updated", &versions[1])],
            "version 1 was told without its patient",
        ),
    ] {
        let (line, complaints) = judged(&versions, &tellings);
        assert_eq!(line, "changes=2 notified=2 lost=0 repeated=0");
        assert_eq!(complaints, [format!("Appointment/a {complaint}")]);
    }
}

#[test]
fn a_version_that_never_was_is_no_change_and_not_clean() {
    let versions = [version("a", 1, 0)];
    let tellings = [
        telling("created", &versions[0]),
        telling("created", &version("b", 1, 0)),
    ];
    let (line, complaints) = judged(&versions, &tellings);
    assert_eq!(line, "changes=1 notified=1 lost=0 repeated=0");
    assert_eq!(
        complaints,
        ["Appointment/b version 1 was told and never was"]
    );
}

#[test]
fn current_is_the_newest_version_of_each_record() {
    let all = history(&[version("a", 1, 0), version("b", 1, 1), version("a", 2, 2)]);
    let current: Vec<String> = all.current().iter().map(ToString::to_string).collect();
    assert_eq!(
        current,
        ["Appointment/a version 2", "Appointment/b version 1"]
    );
}
