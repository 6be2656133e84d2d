//! Which events the models' rules find: a table for each model.

use super::{Derived, FirstSeenOver, Happened, Model, Observed, StateChange, Ways};
use crate::{Body, Filter, Json};
use jiff::Timestamp;

fn json(text: &str) -> Json {
    Json::parse(text.as_bytes()).expect("is JSON")
}

fn model(name: &str) -> &'static Model {
    Model::named(name).expect("there is such a model")
}

fn shown(derived: &Derived) -> String {
    match derived {
        Derived::Event {
            name, constants, ..
        } => constants
            .iter()
            .fold((*name).to_owned(), |said, (path, value)| {
                format!("{said} {path}={value}")
            }),
        Derived::Silent { .. } => "silent".to_owned(),
    }
}

/// `-` stands for a record that is not there.
fn derive(
    model: &'static Model,
    before: &str,
    now: &str,
    body: fn(&str) -> Json,
    ways: &Ways,
) -> String {
    let bodies = (body(before), body(now));
    let (happened, now, before) = match (before, now) {
        ("-", _) => (Happened::First, &bodies.1, None),
        (_, "-") => (Happened::Gone, &bodies.0, None),
        _ => (Happened::Changed, &bodies.1, Some(&bodies.0)),
    };
    let observed = Observed {
        happened,
        watched_since: Timestamp::UNIX_EPOCH,
        now,
        before,
        status: None,
    };
    shown(&model.derive(observed, ways))
}

/// `booked`, or `booked@10` at another hour.
fn appointment(text: &str) -> Json {
    let (status, hour) = text.split_once('@').unwrap_or((text, "9"));
    json(&format!(
        r#"{{"Visit":{{"Status":"{status}","VisitDateTime":"{hour}","Duration":15}}}}"#
    ))
}

#[test]
fn an_appointment_is_told_as_the_table_of_the_facts_says() {
    let table = [
        ("-", "booked", "New"),
        ("-", "pending", "New"),
        ("-", "waitlist", "New"),
        ("-", "arrived", "New"),
        ("-", "proposed", "silent"),
        ("-", "cancelled", "silent"),
        ("-", "noshow", "silent"),
        ("-", "entered-in-error", "silent"),
        ("booked", "booked@10", "Reschedule"),
        ("booked", "arrived@10", "Reschedule"),
        ("booked", "booked", "Modification"),
        ("booked", "arrived", "Modification"),
        ("arrived", "checked-in", "Modification"),
        ("checked-in", "fulfilled", "Modification"),
        ("booked", "cancelled", "Cancel"),
        ("booked", "Canceled", "Cancel"),
        ("booked", "cancelled@10", "Cancel"),
        ("booked", "No Show", "NoShow"),
        ("booked", "entered-in-error", "Cancel"),
        ("booked", "-", "Cancel"),
        ("cancelled", "-", "silent"),
        ("noshow", "-", "silent"),
        ("proposed", "-", "silent"),
        ("proposed", "proposed@10", "silent"),
        ("proposed", "booked", "New"),
        ("proposed", "booked@10", "New"),
        ("proposed", "cancelled", "silent"),
        ("cancelled", "booked", "New"),
        ("cancelled", "cancelled@10", "silent"),
        ("cancelled", "entered-in-error", "silent"),
        ("cancelled", "noshow", "NoShow"),
        ("noshow", "cancelled", "Cancel"),
        ("noshow", "noshow@11", "silent"),
        ("noshow", "booked@10", "Reschedule"),
        ("noshow", "arrived", "Modification"),
    ];
    for (before, now, event) in table {
        let found = derive(
            model("Scheduling"),
            before,
            now,
            appointment,
            &Ways::default(),
        );
        assert_eq!(found, event, "{before} -> {now}");
    }
}

#[test]
fn the_user_says_further_words_and_asks_for_what_is_quiet() {
    let mut ways = Ways {
        first_seen_over: FirstSeenOver::Tell,
        ..Ways::default()
    };
    ways.words.insert(
        "cancelled".to_owned(),
        vec!["X".to_owned(), "arrived".to_owned()],
    );
    let table = [
        ("-", "cancelled", "Cancel"),
        ("-", "x", "Cancel"),
        ("-", "noshow", "NoShow"),
        ("booked", "arrived", "Cancel"),
        ("x", "cancelled", "silent"),
        ("x", "booked", "New"),
    ];
    for (before, now, event) in table {
        let found = derive(model("Scheduling"), before, now, appointment, &ways);
        assert_eq!(found, event, "{before} -> {now}");
    }
}

#[test]
fn a_visit_s_events_follow_its_status_and_its_place() {
    // The status is not part of the body, so it is given beside it.
    let visit = |text: &str| {
        let (status, bed) = text.split_once('@').unwrap_or((text, "1"));
        let body = format!(r#"{{"Visit":{{"VisitNumber":"7","Location":{{"Bed":"{bed}"}}}}}}"#);
        (json(&body), Json::string(status))
    };
    let table = [
        ("-", "planned", "PreAdmit"),
        ("-", "in-progress", "Arrival"),
        ("-", "finished", "Discharge"),
        ("-", "cancelled", "silent"),
        ("-", "unknown", "Registration"),
        ("planned", "planned@2", "VisitUpdate"),
        ("planned", "arrived", "Arrival"),
        ("planned", "cancelled", "Cancel Meta.CanceledEvent=PreAdmit"),
        ("planned", "finished", "Discharge"),
        ("arrived", "in-progress", "VisitUpdate"),
        ("in-progress", "in-progress@2", "Transfer"),
        ("in-progress", "onleave", "VisitUpdate"),
        ("in-progress", "finished@2", "Discharge"),
        (
            "in-progress",
            "planned",
            "Cancel Meta.CanceledEvent=Arrival",
        ),
        (
            "in-progress",
            "entered-in-error",
            "Cancel Meta.CanceledEvent=Arrival",
        ),
        (
            "finished",
            "in-progress",
            "Cancel Meta.CanceledEvent=Discharge",
        ),
        ("finished", "finished@2", "VisitUpdate"),
        (
            "finished",
            "cancelled",
            "Cancel Meta.CanceledEvent=Discharge",
        ),
        ("cancelled", "cancelled@2", "silent"),
        ("cancelled", "planned", "PreAdmit"),
        ("planned", "-", "Cancel Meta.CanceledEvent=PreAdmit"),
        ("arrived", "-", "Cancel Meta.CanceledEvent=Arrival"),
        ("finished", "-", "silent"),
        ("unknown", "unknown@2", "Transfer"),
        ("unknown", "unknown", "VisitUpdate"),
    ];
    for (before, now, event) in table {
        let (was, is) = (visit(before), visit(now));
        let (happened, body, previous) = match (before, now) {
            ("-", _) => (Happened::First, &is.0, None),
            (_, "-") => (Happened::Gone, &was.0, None),
            _ => (Happened::Changed, &is.0, Some(&was.0)),
        };
        let status = if now == "-" {
            (&was.1, &Json::null())
        } else {
            (&is.1, &was.1)
        };
        let observed = Observed {
            happened,
            watched_since: Timestamp::UNIX_EPOCH,
            now: body,
            before: previous,
            status: Some(status),
        };
        let found = model("PatientAdmin").derive(observed, &Ways::default());
        assert_eq!(shown(&found), event, "{before} -> {now}");
    }
}

#[test]
fn a_patient_without_a_visit_is_new_changed_or_merged() {
    let patient = |text: &str| match text {
        "merged" => json(r#"{"Patient":{"PreviousIdentifiers":[{"ID":"1","IDType":"MR"}]}}"#),
        "merged again" => json(
            r#"{"Patient":{"PreviousIdentifiers":[{"ID":"1","IDType":"MR"},{"ID":"2","IDType":"MR"}]}}"#,
        ),
        _ => json(r#"{"Patient":{},"Visit":{"VisitNumber":null,"Location":{}}}"#),
    };
    let table = [
        ("-", "plain", "NewPatient"),
        ("plain", "plain", "PatientUpdate"),
        ("plain", "merged", "PatientMerge"),
        ("-", "merged", "PatientMerge"),
        ("merged", "merged", "PatientUpdate"),
        ("merged", "merged again", "PatientMerge"),
        ("merged again", "merged", "PatientUpdate"),
        ("plain", "-", "silent"),
    ];
    for (before, now, event) in table {
        let found = derive(
            model("PatientAdmin"),
            before,
            now,
            patient,
            &Ways::default(),
        );
        assert_eq!(found, event, "{before} -> {now}");
    }
}

/// Model, how its body is made, state before, state now, event.
type Row = (
    &'static str,
    fn(&str) -> Json,
    &'static str,
    &'static str,
    &'static str,
);

#[test]
fn orders_notes_and_results_have_their_own_rules() {
    let order = |text: &str| json(&format!(r#"{{"Order":{{"ID":"1","Status":"{text}"}}}}"#));
    let orders = |_: &str| json(r#"{"Orders":[{"ID":"1"}]}"#);
    let note = |text: &str| match text {
        "follow-up" => json(r#"{"Note":{"Status":"current","OriginalDocumentID":"0"}}"#),
        _ => json(&format!(r#"{{"Note":{{"Status":"{text}"}}}}"#)),
    };
    let result = |text: &str| match text {
        "unsolicited" => json(r#"{"Orders":[{"ApplicationOrderID":"1"}]}"#),
        _ => json(&format!(
            r#"{{"Orders":[{{"ID":"1","ResultsStatus":"{text}"}}]}}"#
        )),
    };
    let any = |_: &str| json("{}");
    let table: [Row; 27] = [
        ("Order", order, "-", "active", "New"),
        ("Order", order, "-", "draft", "silent"),
        ("Order", order, "draft", "active", "New"),
        ("Order", order, "draft", "revoked", "silent"),
        ("Order", order, "active", "completed", "Update"),
        ("Order", order, "active", "revoked", "Cancel"),
        ("Order", order, "revoked", "revoked", "silent"),
        ("Order", order, "revoked", "active", "New"),
        ("Order", order, "active", "-", "Cancel"),
        ("Order", orders, "-", "x", "GroupedOrders"),
        ("Order", orders, "x", "-", "silent"),
        ("Notes", note, "-", "current", "New"),
        ("Notes", note, "-", "follow-up", "Replace"),
        ("Notes", note, "current", "current", "Replace"),
        ("Notes", note, "current", "superseded", "silent"),
        ("Notes", note, "current", "entered-in-error", "Delete"),
        ("Notes", note, "current", "-", "Delete"),
        ("Notes", note, "-", "entered-in-error", "silent"),
        ("Results", result, "-", "final", "New"),
        ("Results", result, "-", "registered", "silent"),
        ("Results", result, "registered", "final", "New"),
        ("Results", result, "-", "unsolicited", "NewUnsolicited"),
        ("Results", result, "final", "-", "silent"),
        ("Flowsheet", any, "-", "x", "New"),
        ("Flowsheet", any, "x", "-", "silent"),
        ("Media", any, "x", "x", "New"),
        ("Media", any, "x", "-", "silent"),
    ];
    for (name, body, before, now, event) in table {
        let found = derive(model(name), before, now, body, &Ways::default());
        assert_eq!(found, event, "{name}: {before} -> {now}");
    }
}

#[test]
fn a_reschedule_takes_over_what_was_before_unless_the_user_says_otherwise() {
    let scheduling = model("Scheduling");
    let before = json(r#"{"Visit":{"VisitNumber":"7","VisitDateTime":"9"}}"#);
    let carried = scheduling.carry(
        "Reschedule",
        &json(r#"{"Visit":{"VisitNumber":"7"}}"#),
        Some(&before),
        &[],
    );
    assert_eq!(
        String::from_utf8_lossy(&carried.to_bytes()),
        r#"{"Visit":{"VisitNumber":"7","OldDateTime":"9","OldVisitNumber":"7"}}"#
    );
    let own = json(r#"{"Visit":{"OldDateTime":"8","OldVisitNumber":"6"}}"#);
    assert_eq!(
        scheduling.carry("Reschedule", &own, Some(&before), &[]),
        own
    );
    assert_eq!(scheduling.carry("New", &own, Some(&before), &[]), own);
    assert!(scheduling.carries("Reschedule", "Visit.OldDateTime"));
    assert!(!scheduling.carries("Cancel", "Visit.OldDateTime"));
}

#[test]
fn whether_only_the_state_is_another_is_said() {
    let change = |before: &str, now: &str| {
        let (before, now) = (appointment(before), appointment(now));
        let observed = Observed {
            happened: Happened::Changed,
            watched_since: Timestamp::UNIX_EPOCH,
            now: &now,
            before: Some(&before),
            status: None,
        };
        match model("Scheduling").derive(observed, &Ways::default()) {
            Derived::Event { state, .. } => state,
            Derived::Silent { .. } => StateChange::Other,
        }
    };
    assert_eq!(change("booked", "arrived@10"), StateChange::Same);
    assert_eq!(change("booked", "cancelled"), StateChange::Other);
}

#[test]
fn what_is_written_decides_which_events_can_be() {
    let reachable = |model: &str, text: &str| {
        let members = json(text);
        let body = Body::Object(
            members
                .members()
                .map(|(key, value)| (key.to_owned(), leaf(&value)))
                .collect(),
        );
        super::Model::named(model)
            .expect("there is")
            .reachable(&body)
            .join(" ")
    };
    assert_eq!(
        reachable("Scheduling", r#"{"Visit":{"VisitDateTime":"= .x"}}"#),
        "New Reschedule Modification Cancel NoShow"
    );
    assert_eq!(
        reachable("Scheduling", r#"{"Visit":{}}"#),
        "New Modification Cancel NoShow"
    );
    assert_eq!(
        reachable("PatientAdmin", r#"{"Patient":{"Demographics":"= .x"}}"#),
        "NewPatient PatientUpdate"
    );
    assert_eq!(
        reachable("Order", r#"{"Orders":[{"ID":"1"}]}"#),
        "GroupedOrders"
    );
    assert_eq!(
        reachable("Results", r#"{"Orders":[{"ID":"= .x"}]}"#),
        "New NewUnsolicited"
    );
}

fn leaf(value: &Json) -> Body {
    match value.as_str() {
        Some(text) if text.starts_with('=') => {
            Body::Expression(Filter::compile(&text[1..]).expect("compiles"))
        }
        _ if value.kind() == crate::JsonKind::Object => Body::Object(
            value
                .members()
                .map(|(key, value)| (key.to_owned(), leaf(&value)))
                .collect(),
        ),
        _ if value.kind() == crate::JsonKind::Array => {
            Body::Array(value.items().map(|item| leaf(&item)).collect())
        }
        _ => Body::Literal(value.clone()),
    }
}
