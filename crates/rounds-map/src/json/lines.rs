//! Reading ndjson: one value on each line, as FHIR's bulk exports and many APIs' streams give records.

use super::read;
use super::room::Room;
use crate::ParseError;
use jaq_json::Val;

pub(super) fn read(text: &[u8]) -> Result<Val, ParseError> {
    let mut begin = 0;
    let mut values = Vec::new();
    // All lines share it: each by itself may be small.
    let mut room = Room::of(text.len());
    for line in text.split(|byte| *byte == b'\n') {
        if !line.trim_ascii().is_empty() {
            let (value, _) = read::read_mending(line, &mut room).map_err(|error| ParseError {
                offset: begin + error.offset,
                ..error
            })?;
            values.push(value);
        }
        begin += line.len() + 1;
    }
    Ok(values.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use crate::Json;

    #[test]
    fn each_line_is_a_value_and_empty_lines_are_none() {
        let read = Json::parse_lines(b"{\"id\":1}\r\n\n  \n[2]\n3").expect("is ndjson");
        assert_eq!(read.to_bytes(), br#"[{"id":1},[2],3]"#);
        assert_eq!(Json::parse_lines(b"").expect("is empty").to_bytes(), b"[]");
    }

    #[test]
    fn a_broken_line_is_named_by_its_place_in_the_whole() {
        let error = Json::parse_lines(b"{}\n{\"id\":}\n").expect_err("is broken");
        assert_eq!(error.offset, 3 + 6);
    }
}
