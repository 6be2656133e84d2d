//! A JSON Schema of the user's as a data model: what is said of it before anything runs.

use crate::rendered;
use rounds_config::Sources;

const SCHEMA: &str = r#"{"type":"object","additionalProperties":false,"required":["id"],"properties":{"id":{"type":"string"},"note":{"type":"string"}}}"#;

const CONFIG: &str = "
connections: { ehr: { base_url: https://ehr.example } }
actions:
  visits:
    connection: ehr
    every: 1m
    changes: { get: /visits, start: now, records: '.[]', id: .id }
    notify:
      model: { schema: ./visit.schema.json }
      body: { id: = .record.id }
    to: app
destinations: { app: { url: https://app.example } }
";

fn said(config: &str, schema: &str) -> String {
    rendered(&Sources::from_text("rounds.yaml", config).with_file("./visit.schema.json", schema))
}

#[test]
fn a_schema_beside_the_configuration_is_a_model() {
    assert_eq!(said(CONFIG, SCHEMA), "");
    // As some editors save it.
    assert_eq!(said(CONFIG, &format!("\u{feff}{SCHEMA}")), "");
}

#[test]
fn what_is_wrong_with_it_or_with_the_body_is_said_with_its_place() {
    let body = |text: &str| CONFIG.replace("body: { id: = .record.id }", text);
    let all = [
        said(CONFIG, "{"),
        said(CONFIG, r#"{"type":"array"}"#),
        said(CONFIG, &SCHEMA.replace(r#""string"}}"#, r#""text"}}"#)),
        said(
            CONFIG,
            r#"{"type":"object","properties":{"id":{"$ref":"https://example.org/id.json"}}}"#,
        ),
        said(
            &CONFIG.replace("./visit.schema.json", "./none.json"),
            SCHEMA,
        ),
        said(&body("body: { id: 7, notes: = .record.note }"), SCHEMA),
        said(&body("body: { note: = .record.note }"), SCHEMA),
        said(
            &body("body: { id: = .record.id }\n      status: = .record.status"),
            SCHEMA,
        ),
        said(CONFIG, &SCHEMA.replace("required", "requird")),
        said(
            &body("body: { id: = .record.id }\n      event: from_state"),
            SCHEMA,
        ),
        said(
            &body("body: { id: = .record.id }\n      event: .change.kind"),
            SCHEMA,
        ),
        said(
            &CONFIG.replace("./visit.schema.json", "https://example.org/visit.json"),
            SCHEMA,
        ),
        said(
            &body("body: { id: = .record.id, note: 7 }\n      codes: { note: { a: [1] } }"),
            SCHEMA,
        ),
        said(
            &body("body: { id: = .record.id }\n      only: nots"),
            SCHEMA,
        ),
        said(
            &CONFIG.replace("schema: ./visit.schema.json", "shema: ./visit.schema.json"),
            SCHEMA,
        ),
    ];
    insta::assert_snapshot!(all.join("\n----\n"));
}
