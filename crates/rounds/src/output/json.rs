//! JSON text as it came, for reports and for people.

use rounds_domain::Document;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::fmt;

/// A document in a report: the text that came, byte for byte, so that no number changes on its way to the screen.
#[derive(Clone)]
pub struct RawDocument(Document);

impl From<&Document> for RawDocument {
    fn from(document: &Document) -> Self {
        Self(document.clone())
    }
}

impl fmt::Debug for RawDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for RawDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serde_json::from_slice::<&RawValue>(self.0.bytes()) {
            Ok(raw) => raw.serialize(serializer),
            // Not JSON (a damaged store): as a text, so that the rest can be seen.
            Err(_) => serializer.serialize_str(&String::from_utf8_lossy(self.0.bytes())),
        }
    }
}

impl RawDocument {
    /// For people: one member a line.
    pub fn indented(&self, margin: &str) -> String {
        indented(&String::from_utf8_lossy(self.0.bytes()), margin)
    }
}

/// JSON text with one member a line, each line after the first with this margin. Only white space between tokens changes.
/// Control characters cannot stand in JSON texts unescaped, so what comes out does no harm to a terminal.
pub fn indented(json: &str, margin: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut characters = json.chars().peekable();
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.push_str(margin);
        out.extend(std::iter::repeat_n("  ", depth));
    };
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                out.push('"');
                while let Some(inside) = characters.next() {
                    out.push(if inside.is_control() {
                        '\u{fffd}'
                    } else {
                        inside
                    });
                    match inside {
                        '\\' => out.extend(characters.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '{' | '[' => {
                out.push(character);
                while characters.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(close) = characters.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(close);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(character);
            }
            ',' => {
                out.push(',');
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            white if white.is_ascii_whitespace() => {}
            other => out.push(if other.is_control() {
                '\u{fffd}'
            } else {
                other
            }),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_white_space_between_tokens_changes() {
        let json = r#"{"id":9007199254740993,"price":1.10,"text":"a, {b}: \"c\"","none":[],"list":[1,{"x":{}}]}"#;
        let expected = r#"{
  "id": 9007199254740993,
  "price": 1.10,
  "text": "a, {b}: \"c\"",
  "none": [],
  "list": [
    1,
    {
      "x": {}
    }
  ]
}"#;
        assert_eq!(indented(json, ""), expected);
        assert_eq!(indented(&indented(json, ""), ""), expected);
    }

    #[test]
    fn a_document_in_a_report_keeps_its_numbers() {
        let document = Document::new(r#"{"b":1.10,"a":9007199254740993}"#);
        let shown = serde_json::to_string(&RawDocument::from(&document)).expect("it is JSON");
        assert_eq!(shown, r#"{"b":1.10,"a":9007199254740993}"#);
    }
}
