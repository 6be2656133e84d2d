use super::*;
use crate::Filter;

fn scheduling() -> &'static Model {
    Model::named("Scheduling").expect("the model is there")
}

fn json(text: &str) -> Json {
    Json::parse(text.as_bytes()).expect("is JSON")
}

fn meta() -> Meta {
    Meta {
        event_date_time: "2022-05-10T10:00:00Z".to_owned(),
        traffic: Traffic::Test,
        source: Party {
            id: None,
            name: Some("fakedata".to_owned()),
        },
        destinations: vec![Party {
            id: None,
            name: Some("my-app".to_owned()),
        }],
        log_id: "ntf_1".to_owned(),
        attempt_id: None,
    }
}

const SMALLEST: &str = r#"{"Visit":{"Location":{"Department":"Cardiology"},"Duration":15,
    "VisitDateTime":"2022-05-11T09:00:00Z","VisitNumber":"9007199254740993"}}"#;

/// Indented JSON, for snapshots.
pub(super) fn pretty(value: &Json) -> String {
    let mut out = String::new();
    let mut depth = 0_usize;
    let text = value.to_bytes();
    let mut in_string = false;
    for byte in String::from_utf8_lossy(&text).chars() {
        if byte == '"' {
            in_string = !in_string;
        }
        let line = |out: &mut String, depth: usize| {
            out.push('\n');
            out.push_str(&"  ".repeat(depth));
        };
        match byte {
            '{' if !in_string => {
                depth += 1;
                out.push(byte);
                line(&mut out, depth);
            }
            '}' if !in_string => {
                depth -= 1;
                line(&mut out, depth);
                out.push(byte);
            }
            ',' if !in_string => {
                out.push(byte);
                line(&mut out, depth);
            }
            _ => out.push(byte),
        }
    }
    out
}

/// One line for each path, as Redox's schemas list them.
fn paths(model: &Model, event: &str) -> Vec<String> {
    fn walk(fields: &[Field], event: &str, prefix: &str, out: &mut Vec<String>) {
        for field in fields.iter().filter(|field| field.present.hold(event)) {
            let mark = if field.required.hold(event) { "*" } else { " " };
            let null = if field.required.hold(event) { "" } else { "?" };
            let path = format!("{prefix}{}", field.name);
            let (line, members) = match &field.shape {
                Shape::Scalar(scalar) => {
                    let name = scalar.word();
                    (format!("{mark} {path} : {name}{null}"), None)
                }
                Shape::Object(members) => (format!("{mark} {path} : object"), Some((members, "."))),
                Shape::ListOfObjects(members) => (
                    format!("{mark} {path}[] : array<object>"),
                    Some((members, "[].")),
                ),
                Shape::ListOfAny => (format!("{mark} {path}[] : array<any>"), None),
            };
            out.push(line);
            if let Some((members, separator)) = members {
                walk(members, event, &format!("{path}{separator}"), out);
            }
        }
    }
    let mut out = Vec::new();
    walk(&model.root, event, "", &mut out);
    out
}

#[test]
fn every_model_text_can_be_read() {
    for text in TEXTS {
        parse::read(text).expect("is a model");
    }
    assert_eq!(
        Model::names().collect::<Vec<_>>(),
        [
            "Flowsheet",
            "Media",
            "Notes",
            "Order",
            "PatientAdmin",
            "Results",
            "Scheduling"
        ]
    );
    assert_eq!(
        scheduling().events().collect::<Vec<_>>(),
        ["New", "Reschedule", "Modification", "Cancel", "NoShow"]
    );
    assert!(Model::named("Nothing").is_none());
}

#[test]
fn the_fields_of_a_new_appointment() {
    insta::assert_snapshot!(paths(scheduling(), "New").join("\n"));
}

#[test]
fn the_events_differ_from_new() {
    let new = paths(scheduling(), "New");
    let difference = |event: &str| {
        let other = paths(scheduling(), event);
        let gone = new
            .iter()
            .filter(|line| !other.contains(line))
            .map(|line| format!("-{line}"));
        let come = other
            .iter()
            .filter(|line| !new.contains(line))
            .map(|line| format!("+{line}"));
        gone.chain(come).collect::<Vec<_>>()
    };
    assert_eq!(
        difference("Reschedule"),
        [
            "+  Visit.OldVisitNumber : string?",
            "+  Visit.OldDateTime : string?"
        ]
    );
    assert!(difference("Modification").is_empty());
    let cancel = [
        "-* Visit.Duration : number",
        "+  Visit.Duration : number?",
        "+  Visit.CancelReason : string?",
    ];
    assert_eq!(difference("Cancel"), cancel);
    let no_show = [
        "-* Visit.Duration : number",
        "+  Visit.Duration : number?",
        "+  Visit.NoShowReason : string?",
    ];
    assert_eq!(difference("NoShow"), no_show);
}

#[test]
fn what_is_left_out_is_filled_in() {
    let filled = scheduling()
        .fill("New", &json(SMALLEST), &meta(), SourceTimes::default())
        .expect("is complete");
    insta::assert_snapshot!(pretty(&filled));
}

#[test]
fn what_the_user_wrote_wins() {
    let mut body = json(SMALLEST)
        .members()
        .map(|(key, member)| (key.to_owned(), member))
        .collect::<Vec<_>>();
    let own = r#"{"Source":{"ID":"7"},"Test":null,"FacilityCode":"F","Message":{"ID":5}}"#;
    body.push(("Meta".to_owned(), json(own)));
    body.push((
        "Patient".to_owned(),
        json(r#"{"Identifiers":[{"ID":"1"}],"Notes":["a",1]}"#),
    ));
    let filled = scheduling()
        .fill(
            "Cancel",
            &Json::object(body),
            &meta(),
            SourceTimes::default(),
        )
        .expect("is complete");
    let text = |path: &str| {
        let value = Filter::compile(path)
            .expect("compiles")
            .one(&filled)
            .expect("gives one");
        String::from_utf8_lossy(&value.to_bytes()).into_owned()
    };
    assert_eq!(text(".Meta.Source"), r#"{"ID":"7","Name":null}"#);
    assert_eq!(text(".Meta.Test"), "null");
    assert_eq!(text(".Meta.Message"), r#"{"ID":5}"#);
    assert_eq!(text(".Meta | has(\"Transmission\")"), "false");
    assert_eq!(text(".Meta.EventType"), r#""Cancel""#);
    assert_eq!(
        text(".Patient.Identifiers"),
        r#"[{"ID":"1","IDType":null}]"#
    );
    assert_eq!(text(".Patient.Notes"), r#"["a",1]"#);
    assert_eq!(
        text("keys_unsorted"),
        r#"["Meta","Patient","AppointmentInfo","Visit"]"#
    );
}

#[test]
fn all_that_is_wrong_is_said_at_once_and_no_value_of_it() {
    let body = json(
        r#"{"Patient":{"Identifiers":[{"Id":"SECRET"},"SECRET"],"Demographics":"SECRET"},
            "Visit":{"VisitNumber":424242,"Duration":"SECRET","Location":{"Departement":"SECRET"},"Instructions":"SECRET",
            "CancelReason":"SECRET"},"Vist":1}"#,
    );
    let errors = scheduling()
        .fill("New", &body, &meta(), SourceTimes::default())
        .expect_err("is wrong");
    let said: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
    assert!(!errors.to_string().contains("SECRET") && !errors.to_string().contains("424242"));
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn an_unknown_event_is_refused() {
    let errors = scheduling()
        .fill(
            "Cancelled",
            &json(SMALLEST),
            &meta(),
            SourceTimes::default(),
        )
        .expect_err("there is no such event");
    assert_eq!(
        errors.to_string(),
        "`Meta.EventType` is no event of Scheduling; did you mean `Cancel`?"
    );
    assert!(
        scheduling()
            .fill("New", &json("[]"), &meta(), SourceTimes::default())
            .is_err()
    );
    assert!(
        scheduling()
            .fill(
                "New",
                &json(r#"{"Meta":1}"#),
                &meta(),
                SourceTimes::default()
            )
            .is_err()
    );
}

#[test]
fn what_is_wrong_whatever_the_record_is_known_before() {
    let expression = |text: &str| Body::Expression(Filter::compile(text).expect("compiles"));
    let object = |members: Vec<(&str, Body)>| {
        Body::Object(
            members
                .into_iter()
                .map(|(key, member)| (key.to_owned(), member))
                .collect(),
        )
    };
    let body = object(vec![
        (
            "Patient",
            object(vec![(
                "Identifiers",
                Body::Array(vec![object(vec![("Ident", expression(".x"))])]),
            )]),
        ),
        (
            "Visit",
            object(vec![
                ("VisitNumber", expression(".record.id")),
                ("VisitDateTime", Body::Literal(Json::integer(5))),
                ("Location", expression(".record.place")),
            ]),
        ),
    ]);
    let said: Vec<String> = scheduling()
        .check_shape("New", &body)
        .iter()
        .map(ToString::to_string)
        .collect();
    let expected = [
        "`Patient.Identifiers[0].Ident` is no field of Scheduling New",
        "`Visit.VisitDateTime` is a number where a date and time is needed; seconds since 1970 become one with `| todateiso8601`",
        "`Visit.Duration` is required and has no value",
    ];
    assert_eq!(said, expected);
    assert!(scheduling().check_shape("New", &expression(".")).is_empty());
}

#[test]
fn a_broken_model_text_is_refused() {
    for text in [
        "",
        "model X",
        "model X\nevents A\nroot\n  F strin",
        "model X\nevents A\nroot\n  F string in B",
        "model X\nevents A\nroot\n    F string",
        "model X\nevents A\nroot\n  F string sometimes",
        "model X\nevents A\nroot\n  F",
        "model X\nevents A\nnonsense",
    ] {
        assert!(parse::read(text).is_err(), "{text}");
    }
}
