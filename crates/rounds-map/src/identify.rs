//! Whether a value identifies anything.
//!
//! A request by identifier whose identifier is empty asks for something else: most APIs answer `?mrn=` with every patient there is,
//! and the first of them would be taken for the one that was meant. So what is to identify must hold a letter or a digit. That
//! refuses blanks, the separators that are left over when empty values are joined, and the wildcards (`*`, `%`) that search for all.

use crate::{EvaluateError, Json, JsonKind};

/// What the placeholders of a text, or the leaves of a body, must give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Anything that can be written there, nothing included.
    Text,
    /// Something that identifies: a letter or a digit is in it.
    Identifier,
}

impl Needs {
    /// An error if the value is not what is needed. `placeholder` is its placeholder, if it has one.
    pub(crate) fn check(
        self,
        value: &Json,
        placeholder: Option<&str>,
    ) -> Result<(), EvaluateError> {
        match (self, nothing_in(value)) {
            (Self::Text, _) | (Self::Identifier, None) => Ok(()),
            (Self::Identifier, Some(found)) => Err(EvaluateError::Blank {
                placeholder: placeholder.map(str::to_owned),
                found,
            }),
        }
    }
}

/// Why a value identifies nothing; None if it does. A list identifies if each of its items does.
fn nothing_in(value: &Json) -> Option<&'static str> {
    match value.kind() {
        JsonKind::Null => Some("null"),
        JsonKind::String => {
            let text = value.scalar_text().unwrap_or_default();
            match text.trim() {
                "" => Some("an empty text"),
                // What jq makes of a member that is not there, when it is written into a text.
                "null" => Some("the text `null`"),
                trimmed if !trimmed.contains(char::is_alphanumeric) => {
                    Some("a text without a letter or a digit")
                }
                _ => None,
            }
        }
        JsonKind::Array if value.items().next().is_none() => Some("an empty list"),
        JsonKind::Array => value.items().find_map(|item| nothing_in(&item)),
        JsonKind::Object if value.members().next().is_none() => Some("an empty object"),
        JsonKind::Boolean | JsonKind::Number | JsonKind::Object => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_no_letter_and_no_digit_identifies_nothing() {
        let nothing = [
            "null",
            r#""""#,
            r#""  ""#,
            r#""\u00a0""#,
            r#""\u200b""#,
            r#""*""#,
            r#""%""#,
            r#""|""#,
            r#"",,""#,
            r#""null""#,
            "[]",
            "{}",
            r#"["7", ""]"#,
        ];
        for text in nothing {
            let value = Json::parse(text.as_bytes()).expect("is JSON");
            assert!(Needs::Identifier.check(&value, None).is_err(), "{text}");
            assert!(Needs::Text.check(&value, None).is_ok(), "{text}");
        }
        for text in [
            "0",
            "false",
            r#""7""#,
            r#""MRN|7""#,
            r#""Ω""#,
            r#""nullable""#,
            r#"["7"]"#,
        ] {
            let value = Json::parse(text.as_bytes()).expect("is JSON");
            assert_eq!(Needs::Identifier.check(&value, None), Ok(()), "{text}");
        }
    }
}
