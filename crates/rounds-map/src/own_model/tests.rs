//! What a schema makes of a body.

use super::OwnModel;
use crate::models::SourceTimes;
use crate::{Body, Filter, Json, JsonKind};
use jiff::tz::TimeZone;

mod schemas;

const VISIT: &str = r##"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "required": ["kind", "source", "visit", "people", "tags"],
  "properties": {
    "kind": { "const": "visit" },
    "source": { "type": "string", "default": "clinic" },
    "visit": {
      "type": "object",
      "additionalProperties": false,
      "required": ["id", "start", "note", "place"],
      "properties": {
        "id": { "type": "string", "maxLength": 5 },
        "start": { "type": "string", "format": "date-time" },
        "day": { "type": "string", "format": "date" },
        "state": { "enum": ["open", "closed"] },
        "minutes": { "type": "integer", "minimum": 1 },
        "note": { "type": ["string", "null"] },
        "place": { "$ref": "#/$defs/place" }
      }
    },
    "people": { "type": "array", "items": { "$ref": "#/$defs/person" } },
    "tags": { "type": "array", "minItems": 1, "items": { "type": "string" } }
  },
  "$defs": {
    "place": { "type": "object", "required": ["city"], "properties": { "city": { "anyOf": [{ "type": "string" }, { "type": "null" }] } } },
    "person": { "type": "object", "properties": { "name": { "type": "string" }, "knows": { "$ref": "#/$defs/person" } }, "additionalProperties": false }
  }
}"##;

fn visit() -> OwnModel {
    OwnModel::read("visit", VISIT.as_bytes()).expect("is a schema")
}

fn json(text: &str) -> Json {
    Json::parse(text.as_bytes()).expect("is JSON")
}

/// The filled body, or all that is wrong with it.
fn filled(model: &OwnModel, body: &str) -> String {
    let zone = TimeZone::get("America/Chicago").expect("a zone");
    let times = SourceTimes {
        zone: Some(&zone),
        read: None,
    };
    match model.fill(&json(body), times) {
        Ok(filled) => String::from_utf8(filled.to_bytes()).expect("UTF-8"),
        Err(errors) => errors.to_string(),
    }
}

#[test]
fn a_body_is_completed_as_far_as_the_schema_says_what_must_be_there() {
    let model = visit();
    let least = r#"{"tags":["a"],"visit":{"start":"2026-07-01 09:30","id":"7"}}"#;
    let whole = r#"{"kind":"visit","source":"clinic","visit":{"id":"7","start":"2026-07-01T14:30:00Z","note":null,"place":{"city":null}},"people":[],"tags":["a"]}"#;
    assert_eq!(filled(&model, least), whole);
    assert_eq!(filled(&model, whole), whole, "what is whole stays as it is");
    // What an expression did not find is left out where the schema has no null.
    let nulls = r#"{"tags":["a"],"source":null,"people":null,"visit":{"id":"7","start":"2026-07-01T14:30:00Z","minutes":null,"day":"20260701"}}"#;
    let day = whole.replace(r#""note""#, r#""day":"2026-07-01","note""#);
    assert_eq!(filled(&model, nulls), day);
}

#[test]
fn what_does_not_fit_is_told_by_path_and_never_by_value() {
    let model = visit();
    let fits = r#"{"tags":["a"],"visit":{"id":"7","start":"2026-07-01T14:30:00Z"}}"#;
    let table = [
        (
            r#""7""#,
            r#""SECRET""#,
            "`visit.id` does not fit the schema's `maxLength: 5`",
        ),
        (
            r#""7""#,
            "7",
            "`visit.id` is a number where a string is needed; add `| tostring`",
        ),
        (r#""7""#, "null", "`visit.id` is required and has no value"),
        (
            r#""7""#,
            r#""7","minutes":0"#,
            "`visit.minutes` does not fit the schema's `minimum: 1`",
        ),
        (
            r#""7""#,
            r#""7","minutes":1.5"#,
            "`visit.minutes` is a number where a whole number is needed",
        ),
        (r#""7""#, r#""7","minutes":1e400"#, ""),
        (
            r#""7""#,
            r#""7","state":"SECRET""#,
            r#"`visit.state` does not fit the schema's `enum: ["open","closed"]`"#,
        ),
        (
            r#""7""#,
            r#""7","day":"SECRET""#,
            "`visit.day` cannot be read as a date",
        ),
        (
            r#""7""#,
            r#""7","minute":1"#,
            "`visit.*` is not in the schema; did you mean `minutes`?",
        ),
        (
            r#""7""#,
            r#""7","note":5"#,
            "`visit.note` is a number where a string is needed; add `| tostring`",
        ),
        (
            "2026-07-01T14:30:00Z",
            "SECRET",
            "`visit.start` cannot be read as a date and time",
        ),
        (
            r#"["a"]"#,
            "[]",
            "`tags` does not fit the schema's `minItems: 1`",
        ),
        (
            r#"["a"]"#,
            r#"["a"],"people":[{"knows":{"name":1}}]"#,
            "`people[0].knows.*` is a number where a string is needed; add `| tostring`",
        ),
        (
            r#"{"tags""#,
            r#"{"kind":"SECRET","tags""#,
            r#"`kind` does not fit the schema's `const: "visit"`"#,
        ),
    ];
    for (from, to, wanted) in table {
        let body = fits.replacen(from, to, 1);
        let found = filled(&model, &body);
        if wanted.is_empty() {
            assert!(!found.starts_with('`'), "{body}: {found}");
        } else {
            assert_eq!(found, wanted, "{body}");
        }
        assert!(!found.contains("SECRET"), "{found}");
    }
}

#[test]
fn what_is_wrong_with_a_template_is_known_before_there_is_a_record() {
    let model = visit();
    let found = |text: &str| -> Vec<String> {
        let errors = model.check_shape(&template(&json(text)));
        errors.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        found(r#"{"tags":"= .x","visit":{"id":"= .y","start":"= .z"}}"#),
        [""; 0]
    );
    assert_eq!(found(r#"{"tags":["= .x"],"visit":"= .v"}"#), [""; 0]);
    assert_eq!(
        found(r#"{"vist":1,"visit":{"id":7,"stat":"= .s"}}"#),
        [
            "`vist` is not in the schema; did you mean `visit`?",
            "`visit.id` is a number where a string is needed; add `| tostring`",
            "`visit.stat` is not in the schema; did you mean `start`?",
            "`visit.start` is required and has no value",
            "`tags` is required and has no value",
        ]
    );
}

#[test]
fn what_need_not_be_there_is_left_out_and_a_choice_without_null_has_none() {
    let model = OwnModel::read(
        "x",
        br#"{"type":"object","required":["id","state"],"maxProperties":2,"properties":{
            "id":{"type":"string"},"state":{"type":["string","null"],"enum":["a","b"]},"note":{"type":["string","null"]},"by":{"type":"string","default":"us"}}}"#,
    )
    .expect("is a schema");
    assert_eq!(
        filled(&model, r#"{"id":"1","state":"a"}"#),
        r#"{"id":"1","state":"a"}"#
    );
    assert_eq!(
        filled(&model, r#"{"id":"1"}"#),
        "`state` is required and has no value"
    );
}

#[test]
fn paths_are_known_as_far_as_the_schema_closes_its_objects() {
    let model = visit();
    let known = [
        "visit",
        "visit.id",
        "people[].name",
        "people[].knows.name",
        "visit.place.anything",
    ];
    assert!(known.iter().all(|path| model.kinds_at(path).is_some()));
    assert!(
        !["vist", "visit.x", "people[].x"]
            .iter()
            .any(|path| model.kinds_at(path).is_some())
    );
    let kinds = |path| model.kinds_at(path).expect("a path");
    assert_eq!(kinds("visit.minutes"), [JsonKind::Number]);
    assert_eq!(kinds("visit.note"), [JsonKind::Null, JsonKind::String]);
    assert_eq!(kinds("people[0].name"), [JsonKind::String]);
    assert_eq!(kinds("visit.place.anything"), []);
}

fn template(value: &Json) -> Body {
    match value.as_str() {
        Some(text) if text.starts_with('=') => {
            Body::Expression(Filter::compile(&text[1..]).expect("compiles"))
        }
        _ => match value.kind() {
            JsonKind::Object => Body::Object(
                value
                    .members()
                    .map(|(key, value)| (key.to_owned(), template(&value)))
                    .collect(),
            ),
            JsonKind::Array => Body::Array(value.items().map(|item| template(&item)).collect()),
            _ => Body::Literal(value.clone()),
        },
    }
}
