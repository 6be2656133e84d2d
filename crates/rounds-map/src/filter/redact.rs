//! jq's errors without the record in them.
//!
//! jq says `cannot index {"name":"Ada"} with "id"`. The value is a patient's; its kind is enough to find the mistake.
//! jaq does not give an error's parts, only its text, so the text is taken apart: only words that are known, words that
//! the expression itself holds literally, and kinds of values come out of here.

use jaq_json::Val;
use std::fmt::Write as _;

/// How much of a message is looked at from its beginning: values in it may be of any size.
const HEAD_BYTES: usize = 1_024;

/// How much from its end.
const TAIL_BYTES: usize = 64;

/// Keeps the beginning and the end of what is written to it.
#[derive(Default)]
struct Ends {
    head: String,
    tail: String,
    whole: bool,
}

impl std::fmt::Write for Ends {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for character in text.chars() {
            if self.head.len() < HEAD_BYTES {
                self.head.push(character);
            } else {
                self.whole = false;
            }
            self.tail.push(character);
            if self.tail.len() > 2 * TAIL_BYTES {
                let cut = self.tail.floor_char_boundary(self.tail.len() - TAIL_BYTES);
                self.tail.drain(..cut);
            }
        }
        Ok(())
    }
}

/// Says what failed in an expression whose text is `program`.
pub(super) fn reason(program: &str, error: &jaq_core::Error<Val>) -> String {
    let mut ends = Ends {
        whole: true,
        ..Ends::default()
    };
    // Writing into a String cannot fail.
    _ = write!(ends, "{error}");
    let (head, tail) = (ends.head.as_str(), ends.tail.as_str());
    // `error("...")` of the user's own: the message is shown as JSON, in quotes.
    let message = head
        .strip_prefix('"')
        .and_then(|head| head.strip_suffix('"'))
        .unwrap_or(head);
    if ends.whole && is_literal_in(program, message) {
        return message.to_owned();
    }
    known(message, tail.trim_end_matches('"'), tail).unwrap_or_else(|| {
        "an error was raised whose words may hold values of the record, so they are not shown"
            .to_owned()
    })
}

/// Whether the program holds exactly this text between quotes, as in `error("no visit number")`.
fn is_literal_in(program: &str, message: &str) -> bool {
    !message.is_empty() && program.contains(&format!("\"{message}\""))
}

fn known(message: &str, tail: &str, raw_tail: &str) -> Option<String> {
    const FIXED: &[&str] = &[
        "cannot parse as number",
        "cannot parse as boolean",
        "cannot parse as JSON",
    ];
    if let Some(fixed) = FIXED.iter().find(|fixed| **fixed == message) {
        return Some((*fixed).to_owned());
    }
    if message == "split input and separator must be strings" {
        return Some(message.to_owned());
    }
    if let Some(value) = message.strip_prefix("cannot index ") {
        return Some(format!(
            "cannot index {} with {}",
            kind_from_start(value),
            kind_from_end(raw_tail)
        ));
    }
    if let Some(value) = message.strip_prefix("cannot use ") {
        const KINDS: &[&str] = &[
            "integer",
            "number",
            "string",
            "array",
            "iterable (array or object)",
            "rangeable (array or string)",
        ];
        let wanted = KINDS
            .iter()
            .find(|kind| tail.ends_with(&format!(" as {kind}")));
        return Some(format!(
            "cannot use {} as {}",
            kind_from_start(value),
            wanted.unwrap_or(&"another kind")
        ));
    }
    if let Some(value) = message.strip_prefix("cannot calculate ") {
        return Some(format!(
            "cannot calculate with {} and {}",
            kind_from_start(value),
            kind_from_end(raw_tail)
        ));
    }
    if message.starts_with("invalid path expression") {
        return Some("this is no path, and cannot be updated".to_owned());
    }
    if message.starts_with("index ") && tail.ends_with(" out of bounds") {
        return Some("an index is out of bounds".to_owned());
    }
    if tail.ends_with(" has no length") {
        return Some("a boolean has no length".to_owned());
    }
    for (start, said) in [
        ("invalid regex flag", "invalid flag of a regular expression"),
        ("invalid regex", "invalid regular expression"),
        ("strptime", "the text is no time of this format"),
        ("cannot use", "a value is of the wrong kind"),
    ] {
        if message.starts_with(start) {
            return Some(said.to_owned());
        }
    }
    None
}

fn kind_from_start(value: &str) -> &'static str {
    match value.as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        Some(b'0'..=b'9' | b'-' | b'N' | b'I') => "a number",
        _ => "a value",
    }
}

fn kind_from_end(value: &str) -> &'static str {
    match value.as_bytes().last() {
        Some(b'}') => "an object",
        Some(b']') => "an array",
        Some(b'"') => "a string",
        Some(b'e') => "a boolean",
        Some(b'l') => "null",
        Some(b'0'..=b'9') => "a number",
        _ => "a value",
    }
}
