//! How much memory the values of a text may take.
//!
//! Bytes are bounded by whoever reads them from the wire, and a value may be many times its bytes: `{"a":1},` are eight bytes and several
//! hundred in memory, so a few kilobytes of gzip would take gigabytes. So each value is weighed as it is read, and a text whose
//! values take more than [`TIMES`] its bytes is refused, unless all of them together are few.
//!
//! The weights are those of jaq's values with their allocations, measured and rounded; it is the kind that matters and not the byte.

use crate::ParseError;

/// How many times a text's bytes its values may take. A compact page of FHIR resources takes eighteen times its bytes (measured, jaq-json 2.0.3), the
/// small objects that somebody sends to do harm fifty times.
const TIMES: usize = 24;

/// What the values of any text may take, however small it is.
const FLOOR_BYTES: usize = 256 << 20;

/// A value in the place that holds it.
pub(super) const VALUE: usize = 24;
/// What a string has beside its bytes.
pub(super) const STRING: usize = 40;
/// What an array has beside its items.
pub(super) const ARRAY: usize = 56;
/// What an object has beside its members.
pub(super) const OBJECT: usize = 240;
/// What a member has beside its key's bytes and its value.
pub(super) const MEMBER: usize = 96;

/// What is left.
pub(super) struct Room {
    whole: usize,
    left: usize,
}

impl Room {
    /// What the values of a text of so many bytes may take.
    pub(super) fn of(text_bytes: usize) -> Self {
        let whole = text_bytes.saturating_mul(TIMES).max(FLOOR_BYTES);
        Self { whole, left: whole }
    }

    /// Takes what a value of this weight needs, or says that there is no room. `offset` is where it stands.
    pub(super) fn take(
        &mut self,
        bytes: usize,
        language: &'static str,
        offset: usize,
    ) -> Result<(), ParseError> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| ParseError {
            language,
            offset,
            reason: format!(
                "so many values that they take more than {} MiB of memory, which is far more than their text",
                self.whole >> 20
            ),
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::Json;

    #[test]
    fn many_small_values_are_refused_in_every_language() {
        let times = 1_000_000;
        let json = format!("[{}null]", "{\"a\":1},".repeat(times));
        let lines = "{\"a\":1}\n".repeat(times);
        let xml = format!("<r>{}</r>", "<a><b/></a>".repeat(times));
        // An element without anything in it takes no more than its text.
        let empty = format!("<r>{}</r>", "<a/>".repeat(times));
        assert!(Json::parse_xml(empty.as_bytes()).is_ok());
        for (language, refused) in [
            ("JSON", Json::parse(json.as_bytes()).err()),
            ("JSON", Json::parse_mending(json.as_bytes()).err()),
            ("JSON", Json::parse_lines(lines.as_bytes()).err()),
            ("XML", Json::parse_xml(xml.as_bytes()).err()),
        ] {
            let error = refused.expect("too many values");
            assert_eq!(error.language, language);
            assert!(error.reason.contains("MiB of memory"), "{error}");
        }
    }

    #[test]
    fn what_ehrs_send_has_room() {
        // A page of resources, each with what a resource has, is far from the bound.
        let resource = r#"{"resource":{"resourceType":"Appointment","id":"1","status":"booked","start":"2026-05-01T10:00:00Z","participant":[{"actor":{"reference":"Patient/1"},"status":"accepted"},{"actor":{"reference":"Practitioner/2"},"status":"accepted"}]}},"#;
        let page = format!("{{\"entry\":[{}null]}}", resource.repeat(80_000));
        assert!(Json::parse(page.as_bytes()).is_ok());
    }
}
