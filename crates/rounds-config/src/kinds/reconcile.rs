//! The slow sweep: in short `every 1d`, or a mapping.

use super::{Parse, PositiveLength};
use crate::codes;
use crate::diagnostic::Findings;
use crate::face::ReconcileKeys;
use crate::reading::{Definitions, Given, Here, Read};
use crate::tree::{Node, NodeKind, Scalar};
use serde_json::{Value, json};

/// The slow sweep, whichever way it was written.
#[derive(Debug, Clone)]
pub(crate) struct Reconcile(pub(crate) Box<ReconcileKeys>);

/// The word that the short form begins with.
const EVERY: &str = "every";
const EXPECTED: &str = "`every` and a duration such as `every 1d`, or a mapping";

impl Read for Reconcile {
    fn read(node: &Node, findings: &mut Findings<'_>) -> Option<Self> {
        match &node.kind {
            NodeKind::Scalar(scalar) if !node.is_null() => {
                let every = short_form(scalar, findings)?;
                Some(Self(Box::new(ReconcileKeys {
                    every: Given::Here(Here {
                        key: scalar.place,
                        place: scalar.place,
                        value: every,
                    }),
                    ..nothing()
                })))
            }
            _ => ReconcileKeys::read(node, findings).map(|keys| Self(Box::new(keys))),
        }
    }

    fn schema(definitions: &mut Definitions) -> Value {
        json!({ "anyOf": [{ "type": "string", "pattern": r"^every\s+[0-9]" }, ReconcileKeys::schema(definitions)] })
    }
}

fn short_form(scalar: &Scalar, findings: &mut Findings<'_>) -> Option<PositiveLength> {
    let text = scalar.text.as_str();
    let rest = text
        .strip_prefix(EVERY)
        .filter(|rest| rest.starts_with(char::is_whitespace));
    let Some(rest) = rest else {
        let diagnostic = findings.error(
            codes::BAD_DURATION,
            scalar.place,
            "a sweep without its interval",
        );
        diagnostic.expected(format!("expected {EXPECTED}"));
        if PositiveLength::parse(text).is_ok() {
            diagnostic.help(format!("did you mean `every {text}`?"));
        }
        return None;
    };
    match PositiveLength::parse(rest) {
        Ok(every) => Some(every),
        Err(problem) => {
            let offset = text.len() - rest.len();
            let mut problem = problem;
            problem.at = problem.at.start + offset..problem.at.end + offset;
            problem.report(codes::BAD_DURATION, scalar, EXPECTED, findings);
            None
        }
    }
}

const fn nothing() -> ReconcileKeys {
    ReconcileKeys {
        every: Given::Absent,
        at: Given::Absent,
        zone: Given::Absent,
        between: Given::Absent,
        since: Given::Absent,
        get: Given::Absent,
        post: Given::Absent,
        query: Given::Absent,
        headers: Given::Absent,
        body: Given::Absent,
        format: Given::Absent,
        dates: Given::Absent,
        paging: Given::Absent,
        max_pages: Given::Absent,
        records: Given::Absent,
        deletions: Given::Absent,
        hold_back: Given::Absent,
    }
}
