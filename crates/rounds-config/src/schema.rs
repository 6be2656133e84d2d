//! The JSON Schema of configurations, for editors.

use crate::face::ConfigKeys;
use crate::reading::Definitions;
use serde_json::{Value, json};

/// The JSON Schema (draft 2020-12) of a configuration file, made from the description that also reads it.
pub fn schema() -> Value {
    let mut definitions = Definitions::new();
    let mut schema = ConfigKeys::KEYS.schema(&mut definitions);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("Rounds configuration");
    schema["$defs"] = Value::Object(definitions);
    schema
}
