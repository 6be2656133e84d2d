//! The schema is committed, and says the same as the reader.

use crate::{FULL, SMALL};
use rounds_config::schema;
use serde_json::Value;

#[test]
fn the_committed_schema_is_the_present_one() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rounds.schema.json");
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let present = format!(
        "{}\n",
        serde_json::to_string_pretty(&schema()).expect("is JSON")
    );
    assert!(
        committed == present,
        "rounds.schema.json is stale; renew it: cargo run -- schema > rounds.schema.json"
    );
}

/// Checks keys, required keys, alternatives and words; formats of texts are the reader's.
fn validate(schema: &Value, root: &Value, value: &Value, path: &str) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference
            .strip_prefix("#/$defs/")
            .ok_or("a reference to elsewhere")?;
        validate(&root["$defs"][name], root, value, path)?;
    }
    if let Some(branches) = schema["anyOf"].as_array() {
        let results: Vec<_> = branches
            .iter()
            .map(|branch| validate(branch, root, value, path))
            .collect();
        if results.iter().all(Result::is_err) {
            return results.into_iter().next().unwrap_or(Ok(()));
        }
    }
    if let Some(branches) = schema["oneOf"].as_array() {
        let fitting = branches
            .iter()
            .filter(|branch| validate(branch, root, value, path).is_ok())
            .count();
        if fitting != 1 {
            return Err(format!("{path}: {fitting} alternatives fit"));
        }
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        return Err(format!("{path}: not one of the words"));
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fits = types.is_empty()
        || types.contains(&found)
        || (found == "integer" && types.contains(&"number"));
    if !fits {
        return Err(format!("{path}: {found} is not {types:?}"));
    }
    for required in schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        if value.get(required).is_none() {
            return Err(format!("{path}: {required} is missing"));
        }
    }
    for (key, member) in value.as_object().into_iter().flatten() {
        let path = format!("{path}.{key}");
        match (&schema["properties"][key], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => return Err(format!("{path}: not in the schema")),
            (Value::Null, Value::Null) => {}
            (Value::Null, additional) => validate(additional, root, member, &path)?,
            (property, _) => validate(property, root, member, &path)?,
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        if !schema["items"].is_null() {
            validate(&schema["items"], root, item, &format!("{path}[{index}]"))?;
        }
    }
    Ok(())
}

/// YAML as plain JSON, read apart from the crate under test.
fn as_json(text: &str) -> Value {
    use saphyr_parser::{Event, Parser, ScalarStyle};
    enum Open {
        List(Vec<Value>),
        Mapping(serde_json::Map<String, Value>, Option<String>),
    }
    let mut open: Vec<Open> = Vec::new();
    let mut root = Value::Null;
    for event in Parser::new_from_str(text) {
        let value = match event.expect("is YAML").0 {
            Event::Scalar(text, ScalarStyle::Plain, ..) => {
                serde_json::from_str(&text).unwrap_or_else(|_| text.into())
            }
            Event::Scalar(text, ..) => text.into(),
            Event::SequenceStart(..) => {
                open.push(Open::List(Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Mapping(serde_json::Map::new(), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop().expect("is open") {
                Open::List(items) => items.into(),
                Open::Mapping(members, _) => members.into(),
            },
            _ => continue,
        };
        match open.last_mut() {
            None => root = value,
            Some(Open::List(items)) => items.push(value),
            Some(Open::Mapping(members, key)) => match key.take() {
                None => {
                    *key = Some(
                        value
                            .as_str()
                            .map_or_else(|| value.to_string(), str::to_owned),
                    );
                }
                Some(key) => _ = members.insert(key, value),
            },
        }
    }
    root
}

#[test]
fn what_the_reader_accepts_the_schema_accepts() {
    let schema = schema();
    for (name, text) in [("full.yaml", FULL), ("small.yaml", SMALL)] {
        assert_eq!(validate(&schema, &schema, &as_json(text), name), Ok(()));
    }
}

#[test]
fn what_stands_over_a_connector_may_leave_out_what_the_connector_says() {
    let schema = schema();
    for connector in rounds_config::connectors() {
        let text = &connector.example;
        assert_eq!(
            validate(&schema, &schema, &as_json(text), &connector.name),
            Ok(())
        );
    }
    let example = "connections: { c: { connector: fhir-r4, base_url: https://a.example } }\nactions: { a: { connection: c, uses: patient, every: 1m, to: [] } }";
    assert_eq!(
        validate(&schema, &schema, &as_json(example), "short"),
        Ok(())
    );
    for (from, to) in [
        ("uses: patient, ", ""),
        (
            "connector: fhir-r4, base_url: https://a.example",
            "timeout: 5s",
        ),
        ("every", "evry"),
    ] {
        let text = example.replacen(from, to, 1);
        assert!(
            validate(&schema, &schema, &as_json(&text), "short").is_err(),
            "{text}"
        );
    }
}

#[test]
fn what_the_schema_refuses_is_named() {
    let schema = schema();
    for (from, to) in [
        ("    every: 1m", "    evry: 1m"),
        ("every: 1m", "every: 1m\n    at: 0 * * * *"),
        ("      start: now\n", ""),
        ("in_flight: 4", "in_flight: four"),
    ] {
        let text = SMALL.replacen(from, to, 1);
        assert!(
            validate(&schema, &schema, &as_json(&text), "small.yaml").is_err(),
            "{to}"
        );
    }
}
