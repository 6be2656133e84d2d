//! Cursors by number and by token, and how the end of their log is asked for.

use super::request::{self, UsesKnown, Written};
use super::{paging, partitions};
use crate::codes;
use crate::diagnostic::Findings;
use crate::face::{ChangesKeys, CursorKeys, LogEndKeys};
use crate::kinds::{Expression, OrderWord};
use crate::reading::{Given, Here};
use rounds_domain::plan::{Log, LogOrder, RequestRule};

/// A log whose place stands where `place` says; `kind` is the key that said it.
pub(super) fn lower(
    place: &Expression,
    kind: &str,
    keys: &CursorKeys,
    changes: &ChangesKeys,
    request: Option<&RequestRule>,
    findings: &mut Findings<'_>,
) -> Option<Log> {
    let order = order(kind, keys, findings);
    let end = match &keys.end {
        Given::Absent => None,
        Given::Wrong => return None,
        Given::Here(here) => Some(Box::new(end(here, changes, request?, findings)?)),
    };
    Some(Log {
        place: place.filter.clone(),
        end,
        order,
    })
}

fn order(kind: &str, keys: &CursorKeys, findings: &mut Findings<'_>) -> LogOrder {
    let Some(order) = keys.order.here() else {
        return LogOrder::Unsaid;
    };
    match (kind, order.value) {
        (_, OrderWord::Unordered) => LogOrder::Unsaid,
        ("number", OrderWord::Ascending) => LogOrder::Ascending,
        _ => {
            findings
                .error(
                    codes::MISMATCHED_KEYS,
                    order.key,
                    format!("an order that a `{kind}` cannot have"),
                )
                .help("`order: ascending` goes with `number`, where each page gives the number of its last entry; otherwise take it out");
            LogOrder::Unsaid
        }
    }
}

fn end(
    given: &Here<LogEndKeys>,
    changes: &ChangesKeys,
    request: &RequestRule,
    findings: &mut Findings<'_>,
) -> Option<RequestRule> {
    let written = Written::with_query(changes, request, &given.value.query);
    let roots = ["cursor", partitions::ROOT, paging::ROOT];
    let lowered = request::lower(&written, &roots, findings);
    let asks_from_a_place = lowered.uses.iter().any(|one| one.root == "cursor");
    if let (true, UsesKnown::All) = (asks_from_a_place, lowered.uses_known) {
        findings
            .error(
                codes::CURSOR_NOT_GIVEN,
                given.key,
                "the end of a log asked for from a place",
            )
            .expected("expected a request without `{{ cursor }}`: it is made before there is one")
            .help("write what the EHR documents for the newest place, such as `end: { query: { since: now } }`");
        return None;
    }
    lowered.rule
}
