//! Run on ordinary test threads of 2 MiB, on purpose.

mod bounds;
mod errors;
mod language;

use super::*;

/// All outputs as JSON texts, or the error as it is shown.
fn outcome(text: &str, input: &str) -> Result<String, String> {
    let filter =
        Filter::compile(text).map_err(|e| format!("{}..{}: {e}", e.offset, e.offset + e.length))?;
    let input = Json::parse(input.as_bytes()).map_err(|e| e.to_string())?;
    let outputs = filter.all(&input).map_err(|e| e.to_string())?;
    let outputs: Vec<_> = outputs
        .iter()
        .map(|o| String::from_utf8_lossy(&o.to_bytes()).into_owned())
        .collect();
    Ok(outputs.join(" "))
}

#[track_caller]
fn gives(text: &str, input: &str, expected: &str) {
    assert_eq!(outcome(text, input).as_deref(), Ok(expected), "{text}");
}
