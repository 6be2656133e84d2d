//! Texts that look like expressions where they are sent as they are.
//!
//! `Start: .record.start` sends eleven letters to the receiver, for every record, and nobody notices before somebody looks at what arrives. A text
//! that reads as jq over what is known there, or as a placeholder of another system, was meant as one; who means the text itself can say so, as a
//! literal of jq: `= ".record.start"`.

use crate::codes;
use crate::diagnostic::Findings;
use crate::tree::Scalar;
use rounds_map::Filter;

/// How sure it is that a text was meant as an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Certainty {
    /// Nothing else is written so.
    Sure,
    /// It may be a text, such as the ending of a file or the name of an event.
    Perhaps,
}

/// What a text was meant as, marked.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Meant {
    marked: String,
    certainty: Certainty,
}

/// Says so where a text of a body looks like an expression over `roots`.
pub(super) fn check(scalar: &Scalar, roots: &[&str], findings: &mut Findings<'_>) {
    let Some(meant) = meant(&scalar.text, roots) else {
        return;
    };
    let shown = crate::reading::shortened(&scalar.text);
    let what = format!("`{shown}` is sent as it is");
    let marked = crate::reading::shortened(&meant.marked);
    let (finding, help) = match meant.certainty {
        Certainty::Sure => (
            findings.error(codes::UNMARKED, scalar.place, what),
            format!(
                "write `{marked}`: jq begins with `=`; if the text itself is meant, write it as jq's text: `= \"...\"`"
            ),
        ),
        Certainty::Perhaps => (
            findings.warning(codes::UNMARKED, scalar.place, what),
            format!("write `{marked}` if it is meant as jq, and `= \"{shown}\"` if it is not"),
        ),
    };
    finding.help(help);
}

/// Says so where jq, or a placeholder, stands at a place that has neither.
pub(super) fn check_plain(scalar: &Scalar, findings: &mut Findings<'_>) {
    let text = scalar.text.trim();
    let roots = ["record", "previous", "change", "cursor"];
    let marked = text
        .strip_prefix('=')
        .is_some_and(|rest| reads_any(rest, &roots));
    let is_sure = |meant: Meant| meant.certainty == Certainty::Sure;
    if marked || meant(text, &roots).is_some_and(is_sure) {
        let shown = crate::reading::shortened(&scalar.text);
        findings
            .warning(
                codes::UNMARKED,
                scalar.place,
                format!("`{shown}` is taken as it is"),
            )
            .expected("neither jq nor placeholders are evaluated here");
    }
}

/// Says so where a text of a request holds something that looks like a placeholder and is none: it would be the same for every record.
pub(super) fn check_template(scalar: &Scalar, roots: &[&str], findings: &mut Findings<'_>) {
    let Some(unfilled) = unfilled(&scalar.text, roots) else {
        return;
    };
    let what = format!(
        "`{}` is sent as it is",
        crate::reading::shortened(&unfilled.written)
    );
    let finding = match unfilled.certainty {
        Certainty::Sure => findings.error(codes::UNMARKED, scalar.place, what),
        Certainty::Perhaps => findings.warning(codes::UNMARKED, scalar.place, what),
    };
    finding.help(format!(
        "write `{{{{ {} }}}}`: placeholders of requests stand in double braces; if the text itself is meant, write it as jq's text: `{{{{ \"...\" }}}}`",
        crate::reading::shortened(&unfilled.path)
    ));
}

/// What looks like a placeholder of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Unfilled {
    written: String,
    /// What it means.
    path: String,
    certainty: Certainty,
}

/// What stands outside of placeholders and looks like one: `{record.id}`, `${cursor}`, `:patientID`, `.record.id`.
fn unfilled(text: &str, roots: &[&str]) -> Option<Unfilled> {
    let mut rest = text;
    loop {
        let (outside, further) = rest
            .split_once("{{")
            .map_or((rest, None), |(outside, after)| {
                let further = after.split_once("}}").map(|(_, further)| further);
                (outside, further)
            });
        if let Some(found) = unfilled_in(outside, roots) {
            return Some(found);
        }
        rest = further?;
    }
}

fn unfilled_in(text: &str, roots: &[&str]) -> Option<Unfilled> {
    let is_of_name = |sign: char| sign.is_alphanumeric() || sign == '_';
    let is_of_path = |sign: char| is_of_name(sign) || ".[]".contains(sign);
    let mut before = None;
    for (at, sign) in text.char_indices() {
        let begins = is_of_name(sign) && before.is_none_or(|before| !is_of_name(before));
        before = Some(sign);
        if !begins {
            continue;
        }
        let (prefix, rest) = text.split_at(at);
        let path = &rest[..rest.find(|sign| !is_of_path(sign)).unwrap_or(rest.len())];
        let path = path.trim_end_matches(['.', ']', '[']);
        let name = &path[..path.find(|sign| !is_of_name(sign)).unwrap_or(path.len())];
        let after = rest[path.len()..].chars().next();
        let is_known = roots.contains(&name);
        // `/patients/:id`, as routes are written, where there is a record.
        let is_route = prefix.ends_with("/:") && text.starts_with('/');
        if is_route && (is_known || roots.contains(&"record")) {
            return Some(Unfilled {
                written: format!(":{name}"),
                path: if is_known {
                    name.to_owned()
                } else {
                    format!("record.{name}")
                },
                certainty: Certainty::Sure,
            });
        }
        let has_member = path.len() > name.len();
        let certainty = match opening(prefix) {
            _ if !is_known => None,
            Opening::Braced => braced(prefix, has_member, after),
            Opening::Marked => (has_member || after.is_none()).then_some(Certainty::Sure),
            // FHIR's chained parameters and the names of fields are written so, too.
            Opening::Value if has_member && matches!(after, None | Some('&')) => {
                Some(Certainty::Perhaps)
            }
            Opening::Value | Opening::Other => None,
        };
        if let Some(certainty) = certainty {
            return Some(Unfilled {
                written: path.to_owned(),
                path: path.to_owned(),
                certainty,
            });
        }
    }
    None
}

/// `{cursor}` and `<record.id>`; an element of XML is called as it likes.
fn braced(prefix: &str, has_member: bool, after: Option<char>) -> Option<Certainty> {
    let is_xml = prefix.trim_end().ends_with('<');
    match (is_xml, has_member, after) {
        (_, true, _) => Some(Certainty::Sure),
        (false, false, Some('}')) => Some(Certainty::Perhaps),
        _ => None,
    }
}

/// What stands before a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opening {
    /// The brace of another kind of placeholder.
    Braced,
    /// The mark of jq, its dot, or a dollar sign, and nothing that belongs to another word.
    Marked,
    /// Nothing: a value begins.
    Value,
    Other,
}

fn opening(prefix: &str) -> Opening {
    let trimmed = prefix.trim_end_matches(' ');
    if trimmed.ends_with(['{', '<']) {
        return Opening::Braced;
    }
    let without_dot = trimmed.strip_suffix('.').unwrap_or(trimmed);
    let begins = |text: &str| text.is_empty() || text.ends_with(['/', '=', '$', '?', '&', ' ']);
    if without_dot.len() < trimmed.len() && begins(without_dot) {
        return Opening::Marked;
    }
    if trimmed.ends_with('$') {
        return Opening::Marked;
    }
    if prefix.is_empty() || prefix.ends_with('=') {
        return Opening::Value;
    }
    Opening::Other
}

fn meant(text: &str, roots: &[&str]) -> Option<Meant> {
    let text = text.trim();
    let sure = |marked: String| {
        Some(Meant {
            marked,
            certainty: Certainty::Sure,
        })
    };
    let text = match text.strip_prefix('=') {
        // The mark has to be the first sign.
        Some(rest) if reads_any(rest, roots) => return sure(format!("= {}", rest.trim())),
        _ => text,
    };
    let braces = [
        ("{{", "}}"),
        ("${", "}"),
        ("\\(", ")"),
        ("{%", "%}"),
        ("#{", "}"),
        ("<%=", "%>"),
    ];
    if let Some(marked) = braces
        .iter()
        .find_map(|(open, close)| interpolated(text, open, close, roots))
    {
        return sure(marked);
    }
    let plain = text.trim_start_matches('$');
    let plain = plain
        .strip_prefix('.')
        .filter(|_| text.starts_with('$'))
        .unwrap_or(plain);
    let mentions = |prefix: &str| {
        roots
            .iter()
            .any(|root| text.contains(&format!("{prefix}{root}")))
    };
    if mentions(".") && reads_any(text, roots) {
        return sure(format!("= {text}"));
    }
    let begins = roots.iter().any(|root| {
        plain
            .strip_prefix(root)
            .is_some_and(|rest| rest.starts_with(['.', '[']))
    });
    if begins && is_path(&format!(".{plain}")) {
        let certainty = if text.starts_with('$') {
            Certainty::Sure
        } else {
            Certainty::Perhaps
        };
        return Some(Meant {
            marked: format!("= .{plain}"),
            certainty,
        });
    }
    // A placeholder of something that is not known here.
    if let Some(inside) = text
        .strip_prefix("{{")
        .and_then(|rest| rest.strip_suffix("}}"))
        && is_path(&format!(".{}", inside.trim().trim_start_matches('.')))
    {
        return Some(Meant {
            marked: format!("= .{}", inside.trim().trim_start_matches('.')),
            certainty: Certainty::Perhaps,
        });
    }
    // A path without its beginning, as if the record were all that there is.
    if text.starts_with('.') && is_path(text) && roots.contains(&"record") {
        return Some(Meant {
            marked: format!("= .record{text}"),
            certainty: Certainty::Perhaps,
        });
    }
    None
}

/// The text as jq with what stands in braces filled in, if one of them holds something that is known.
fn interpolated(text: &str, open: &str, close: &str, roots: &[&str]) -> Option<String> {
    let mut rest = text;
    let mut jq = String::new();
    let mut known = false;
    let mut only = None;
    while let Some((before, after)) = rest.split_once(open) {
        let (inside, after) = after.split_once(close)?;
        let inside = inside.trim();
        let path = if inside.starts_with('.') {
            inside.to_owned()
        } else {
            format!(".{inside}")
        };
        known |= reads_any(&path, roots);
        only = (before.is_empty() && jq.is_empty() && after.is_empty()).then(|| path.clone());
        jq.push_str(before);
        jq.push_str("\\(");
        jq.push_str(&path);
        jq.push(')');
        rest = after;
    }
    if !known {
        return None;
    }
    jq.push_str(rest);
    Some(only.map_or_else(|| format!("= \"{jq}\""), |path| format!("= {path}")))
}

fn reads_any(text: &str, roots: &[&str]) -> bool {
    let filter = Filter::compile(text).ok();
    let mut reads = filter.iter().flat_map(Filter::reads);
    reads.any(|(root, _)| roots.contains(&root.as_str()))
}

/// A path and nothing else: `.a.b[0]["c"]`, of at least one name.
fn is_path(text: &str) -> bool {
    let is_plain = |sign: char| sign.is_alphanumeric() || "._[]\"?".contains(sign);
    let names_something = text
        .trim_start_matches('.')
        .starts_with(|sign: char| sign.is_ascii_alphabetic() || sign == '_' || sign == '[');
    names_something && text.chars().all(is_plain) && Filter::compile(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_placeholder_of_a_request_is_known() {
        let roots = ["record", "patient", "cursor"];
        let table = [
            ("/patients/{record.patientID}", "record.patientID"),
            ("/patients/${record.patientID}", "record.patientID"),
            ("/patients/$record.id", "record.id"),
            ("/patients/<record.id>/x", "record.id"),
            ("/patients/%{record.id}", "record.id"),
            ("/patients/:patientID", "record.patientID"),
            ("/patients/:record", "record"),
            ("/p/.record.pid", "record.pid"),
            ("id=record.id", "record.id"),
            (".record.id", "record.id"),
            ("= .record.id", "record.id"),
            ("record.id", "record.id"),
            ("ge{cursor}", "cursor"),
            ("<cursor>", ""),
            ("<from>{{ cursor }}</from>", ""),
            ("https://app/hooks/:tenant", ""),
            (".cursor", "cursor"),
            ("= .cursor", "cursor"),
            ("{{ cursor }}/{record.id}", "record.id"),
            ("/patients/{{ record.id }}", ""),
            ("/patients/{{ .record.id }}:x", ""),
            ("/record/list", ""),
            ("cursor", ""),
            ("/patients/$everything", ""),
            ("_has:Observation:patient:code", ""),
            ("status:not,patient", ""),
            ("https://record.example.org/x", ""),
            ("{\"a\": {{ record.id }}}", ""),
            ("after.cursor", ""),
            ("/Observation?patient.identifier=7", ""),
            ("Appointment:patient.name", ""),
            ("Encounter.patient.name", ""),
            ("/patients/record.id", ""),
        ];
        for (text, wanted) in table {
            let found = unfilled(text, &roots).map_or_else(String::new, |unfilled| unfilled.path);
            assert_eq!(found, wanted, "{text}");
        }
    }

    #[test]
    fn what_looks_like_an_expression_is_known_with_what_to_write() {
        let roots = ["record", "previous", "change", "patient"];
        let table = [
            (".record.start", "sure = .record.start"),
            ("  .record.start ", "sure = .record.start"),
            (
                "if .record.x then \"a\" else \"b\" end",
                "sure = if .record.x then \"a\" else \"b\" end",
            ),
            (
                "(.patient.name // \"\") | ascii_upcase",
                "sure = (.patient.name // \"\") | ascii_upcase",
            ),
            ("{{ record.start }}", "sure = .record.start"),
            ("{{.record.start}}", "sure = .record.start"),
            (
                "Dr {{ patient.name }}, {{ record.id }}",
                "sure = \"Dr \\(.patient.name), \\(.record.id)\"",
            ),
            ("${record.start}", "sure = .record.start"),
            ("$record.start", "sure = .record.start"),
            ("No \\(.record.id)", "sure = \"No \\(.record.id)\""),
            ("record.start", "perhaps = .record.start"),
            ("patient[\"name\"]", "perhaps = .patient[\"name\"]"),
            (".start", "perhaps = .record.start"),
            ("see .record.start", ""),
            ("{{ day }}", "perhaps = .day"),
            (" = .record.start", "sure = .record.start"),
            ("$.record.start", "sure = .record.start"),
            ("{% record.start %}", "sure = .record.start"),
            ("record", ""),
            ("a.b", ""),
            ("...", ""),
            (".", ""),
            ("recording.start", ""),
            ("Patient.Updated", ""),
            ("", ""),
        ];
        for (text, wanted) in table {
            let found = meant(text, &roots);
            let found = found.map_or_else(String::new, |meant| {
                let certainty = match meant.certainty {
                    Certainty::Sure => "sure",
                    Certainty::Perhaps => "perhaps",
                };
                format!("{certainty} {}", meant.marked)
            });
            assert_eq!(found, wanted, "{text}");
        }
    }
}
