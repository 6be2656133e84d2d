//! The JSON Schema of configurations, for editors.
//!
//! A connection or an action over a connector may leave out whatever the connector says. So the schema has two forms of each:
//! the whole one, and one over a connector, which is made from it by taking out what must be there.

use crate::face::ConfigKeys;
use crate::reading::Definitions;
use serde_json::{Map, Value, json};

/// What stands behind the name of a definition that is made for use over a connector.
const OVER: &str = "OverConnector";

/// The JSON Schema (draft 2020-12) of a configuration file, made from the description that also reads it.
pub fn schema() -> Value {
    let mut definitions = Definitions::new();
    let mut schema = ConfigKeys::KEYS.schema(&mut definitions);
    add_forms_over_connectors(&mut definitions);
    for (section, name) in [("connections", "Connection"), ("actions", "Action")] {
        schema["properties"][section]["additionalProperties"] = json!({ "anyOf": [
            { "$ref": format!("#/$defs/{name}") },
            { "$ref": format!("#/$defs/{name}{OVER}") },
        ] });
    }
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("Rounds configuration");
    schema["$defs"] = Value::Object(definitions);
    schema
}

fn add_forms_over_connectors(definitions: &mut Definitions) {
    let mut added = Map::new();
    let mut waiting = vec!["Connection".to_owned(), "Action".to_owned()];
    while let Some(name) = waiting.pop() {
        let over = format!("{name}{OVER}");
        if added.contains_key(&over) {
            continue;
        }
        let Some(whole) = definitions.get(&name) else {
            continue;
        };
        let form = loosened(whole, &mut waiting);
        added.insert(over, form);
    }
    let must = [
        ("Connection", json!(["connector"])),
        ("Action", json!(["connection", "uses"])),
    ];
    for (name, required) in must {
        if let Some(form) = added.get_mut(&format!("{name}{OVER}")) {
            form["required"] = required;
        }
    }
    definitions.extend(added);
}

/// A schema without what must be there; what it refers to is to be loosened too.
fn loosened(schema: &Value, waiting: &mut Vec<String>) -> Value {
    match schema {
        Value::Object(members) => {
            let kept = members.iter().filter(|(name, value)| {
                // A property may be called `required` too, and then it is no list.
                !(matches!(name.as_str(), "required" | "oneOf") && value.is_array())
            });
            let loosened = kept.map(|(name, value)| {
                let reference = value
                    .as_str()
                    .and_then(|text| text.strip_prefix("#/$defs/"));
                let value = match reference {
                    Some(target) if name == "$ref" => {
                        waiting.push(target.to_owned());
                        json!(format!("#/$defs/{target}{OVER}"))
                    }
                    _ => loosened(value, waiting),
                };
                (name.clone(), value)
            });
            Value::Object(loosened.collect())
        }
        Value::Array(items) => items.iter().map(|item| loosened(item, waiting)).collect(),
        other => other.clone(),
    }
}
