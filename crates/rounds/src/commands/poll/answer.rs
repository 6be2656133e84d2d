//! What the EHR answered, for whoever writes the configuration that reads it.
//!
//! A page is the only documentation that many APIs have, so it is shown as it came: indented, and bounded, because nobody reads the hundredth record.
//! For a ticket or a colleague the values are replaced by what they are, and only the shape is left.

use rounds_domain::plan::{Action, Connection, Partitions};
use rounds_map::{Json, JsonKind};
use std::collections::HashSet;

/// How many lines of an answer are shown.
const MOST_LINES: usize = 40;
/// How long a line may be.
const MOST_COLUMNS: usize = 160;

/// How much of an answer is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Answers {
    /// Its beginning.
    #[default]
    Beginning,
    /// All of it, as it came.
    Raw,
    /// Its shape, with types for values.
    Redacted,
}

/// An answer's text; None if it has none.
pub(super) fn text(body: &[u8], how: Answers) -> Option<String> {
    let body = body.trim_ascii();
    if body.is_empty() {
        return None;
    }
    let read = || Json::parse_mending(body).ok().map(|(json, _)| json);
    Some(match how {
        Answers::Raw => String::from_utf8_lossy(body).into_owned(),
        Answers::Beginning => {
            let whole = read().map_or_else(
                || String::from_utf8_lossy(body).into_owned(),
                |json| indented(&json),
            );
            bounded(&whole)
        }
        Answers::Redacted => {
            let json = read().or_else(|| Json::parse_xml(body).ok());
            json.map_or_else(
                || format!("{} bytes that are neither JSON nor XML", body.len()),
                |json| indented(&redacted(&json)),
            )
        }
    })
}

/// A value with types for what is in it, and of a list its first item.
pub(super) fn redacted(value: &Json) -> Json {
    match value.kind() {
        JsonKind::Object => Json::object(
            (value.members()).map(|(name, member)| (name.to_owned(), redacted(&member))),
        ),
        JsonKind::Array => {
            let count = value.items().count();
            let first = value.items().next().map(|first| redacted(&first));
            let more = (count > 1).then(|| Json::string(format!("{} more", count - 1)));
            Json::array(first.into_iter().chain(more))
        }
        JsonKind::Null => Json::null(),
        JsonKind::Boolean => Json::string("boolean"),
        JsonKind::Number => Json::string("number"),
        JsonKind::String => Json::string("string"),
    }
}

/// The segments of paths that stand in the configuration: whatever else a path holds was filled in, and may name somebody.
#[derive(Debug, Default)]
pub(super) struct KnownSegments(HashSet<String>);

impl KnownSegments {
    /// Those of an action's requests and of its connection's address.
    pub(super) fn of(action: &Action, connection: Option<&Connection>) -> Self {
        let base = connection.map(|connection| connection.base_url.path());
        let lists = action.feeds().filter_map(|feed| match &feed.partitions {
            Some(Partitions::Asked(query)) => Some(&query.list.request),
            _ => None,
        });
        let feeds = action.feeds().map(|feed| &feed.request);
        let lookups = action.lookups.iter().map(|lookup| &lookup.request);
        let requests = feeds.chain(lists).chain(lookups);
        let paths = requests.map(|request| request.path.text());
        let segments = paths.chain(base).flat_map(|path| path.split(['/', '?']));
        let literal = segments.filter(|segment| !segment.contains("{{"));
        Self(literal.map(str::to_owned).collect())
    }
}

/// A URL without what may name somebody: values of its query, and segments that the configuration does not have.
pub(super) fn redacted_url(url: &str, known: &KnownSegments) -> String {
    let Ok(mut url) = url::Url::parse(url) else {
        return "*".to_owned();
    };
    let segments: Vec<String> = (url.path_segments().into_iter().flatten())
        .map(|segment| {
            let is_known = known.0.contains(segment);
            if is_known { segment } else { "*" }.to_owned()
        })
        .collect();
    url.set_path(&segments.join("/"));
    let query: Vec<String> = (url.query_pairs())
        .map(|(name, _)| format!("{name}=*"))
        .collect();
    url.set_query(None);
    let query = if query.is_empty() {
        String::new()
    } else {
        format!("?{}", query.join("&"))
    };
    format!("{url}{query}")
}

fn indented(json: &Json) -> String {
    crate::output::indented(&String::from_utf8_lossy(&json.to_bytes()), "")
}

fn bounded(text: &str) -> String {
    let lines = text.lines().count();
    let shown = text.lines().take(MOST_LINES).map(|line| {
        let cut: String = line.chars().take(MOST_COLUMNS).collect();
        if cut.len() < line.len() {
            format!("{cut}...")
        } else {
            cut
        }
    });
    let mut shown: Vec<String> = shown.collect();
    if lines > MOST_LINES {
        shown.push(format!(
            "... {} more lines; `--raw` shows all",
            lines - MOST_LINES
        ));
    }
    shown.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn a_redacted_answer_has_its_shape_and_no_value() {
        let body = br#"{"data":[{"id":1,"name":"SECRET","deleted":false,"note":null,"tags":[]},{"id":2},{"id":3}]}"#;
        let shown = text(body, Answers::Redacted).expect("a text");
        let shown: Value = serde_json::from_str(&shown).expect("JSON");
        let wanted = serde_json::json!({ "data": [{ "id": "number", "name": "string", "deleted": "boolean", "note": null, "tags": [] }, "2 more"] });
        assert_eq!(shown, wanted);
        let xml = text(b"<a><b>SECRET</b></a>", Answers::Redacted).expect("a text");
        assert!(!xml.contains("SECRET") && xml.contains("\"b\""), "{xml}");
        let other = text(b"SECRET words", Answers::Redacted).expect("a text");
        assert_eq!(other, "12 bytes that are neither JSON nor XML");
        assert_eq!(text(b" \n", Answers::Redacted), None);
    }

    #[test]
    fn a_long_answer_is_shown_by_its_beginning_and_raw_as_it_came() {
        let items: Vec<String> = (0..100).map(|id| format!(r#"{{"id":{id}}}"#)).collect();
        let body = format!("[{}]", items.join(","));
        let shown = text(body.as_bytes(), Answers::Beginning).expect("a text");
        assert_eq!(shown.lines().count(), MOST_LINES + 1, "{shown}");
        assert!(shown.ends_with("more lines; `--raw` shows all"), "{shown}");
        assert_eq!(text(body.as_bytes(), Answers::Raw), Some(body));
        let html = text(b"<html>\n<p>Not now</p></html>", Answers::Beginning);
        assert_eq!(html.as_deref(), Some("<html>\n<p>Not now</p></html>"));
    }

    #[test]
    fn a_redacted_url_names_nobody() {
        let table = [
            (
                "https://a.example/v1/patient/P1001?since=2026-01-01&mrn=7",
                "https://a.example/v1/patient/*?since=*&mrn=*",
            ),
            (
                "https://a.example/v1/patient/SMITH-JOHN",
                "https://a.example/v1/patient/*",
            ),
            (
                "https://a.example/R4/Appointment",
                "https://a.example/R4/Appointment",
            ),
        ];
        let known = ["v1", "patient", "R4", "Appointment"];
        let known = KnownSegments(known.into_iter().map(str::to_owned).collect());
        for (url, shown) in table {
            assert_eq!(redacted_url(url, &known), shown);
        }
    }
}
