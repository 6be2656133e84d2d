//! A queue that is consumed by reading it, and how what was taken can be asked for again.

use super::cursor::{DEFAULT_OVERLAP, time_format};
use super::paging::{self, paging_of};
use super::partitions;
use super::request::{self, UsesKnown, Written};
use crate::codes;
use crate::diagnostic::Findings;
use crate::face::{ChangesKeys, QueueKeys, RecoverKeys};
use crate::reading::{Given, Here};
use jiff::tz::TimeZone;
use rounds_domain::plan::{
    Paging, PagingRule, Queue, Recover, RequestRule, TimeCursor, TimeSource,
};
use std::time::Duration;

pub(super) fn lower(
    keys: &QueueKeys,
    changes: &ChangesKeys,
    request: Option<&RequestRule>,
    findings: &mut Findings<'_>,
) -> Option<Queue> {
    let recover = match &keys.recover {
        Given::Absent => None,
        Given::Wrong => return None,
        Given::Here(here) => Some(Box::new(recover(here, changes, request?, findings)?)),
    };
    Some(Queue { recover })
}

/// Where nothing is said a queue is asked until it is empty. A place in it means nothing: what is read is gone, and the rest moves up.
pub(super) fn paging(
    keys: &ChangesKeys,
    paging: Option<Paging>,
    findings: &mut Findings<'_>,
) -> Option<Paging> {
    let paging = paging?;
    let place = keys.paging.here().map(|here| here.place);
    match (&paging.rule, place) {
        (PagingRule::Offset { .. } | PagingRule::PageNumber { .. }, Some(place)) => {
            findings
                .error(
                    codes::QUEUE_BY_PLACE,
                    place,
                    "pages by place in a queue that shrinks while it is read",
                )
                .expected("what was read is gone, so the second page would begin too late")
                .help("take `paging` out: a queue is asked again until it gives nothing");
            None
        }
        (PagingRule::Single, _) => Some(Paging {
            rule: PagingRule::UntilEmpty,
            ..paging
        }),
        _ => Some(paging),
    }
}

fn recover(
    given: &Here<RecoverKeys>,
    changes: &ChangesKeys,
    request: &RequestRule,
    findings: &mut Findings<'_>,
) -> Option<Recover> {
    let keys = &given.value;
    let written = Written::with_query(changes, request, &keys.query);
    let roots = ["from", "to", partitions::ROOT, paging::ROOT];
    let lowered = request::lower(&written, &roots, findings);
    let has_from = lowered.uses.iter().any(|root_use| root_use.root == "from");
    if let (false, UsesKnown::All, Some(query)) = (has_from, lowered.uses_known, keys.query.here())
    {
        findings
            .error(codes::CURSOR_NOT_SENT, query.key, "`from` is in no part of the request")
            .expected("it would not ask for what was taken since a moment")
            .help("put it where the EHR expects it, for example `query: { showprocessedstartdatetime: \"{{ from }}\" }`");
        return None;
    }
    let zone = keys
        .zone
        .value()
        .map_or(TimeZone::UTC, |zone| zone.0.clone());
    let (text, place) = match keys.time.here() {
        Some(time) => (time.value.0.text.as_str(), time.place),
        None => ("rfc3339", given.place),
    };
    let (format, granularity) = time_format(text, &zone, place, findings)?;
    let overlap = keys
        .overlap
        .value()
        .map_or(DEFAULT_OVERLAP, |overlap| overlap.0);
    paging::check_uses(&keys.paging, &lowered.uses, lowered.uses_known, findings);
    let paging = paging_of(
        &keys.paging,
        &changes.max_pages,
        Paging::DEFAULT_MAX_PAGES,
        findings,
    )?;
    Some(Recover {
        request: lowered.rule?,
        paging,
        reach: keys.last.value()?.0,
        written: TimeCursor {
            format,
            zone,
            granularity,
            overlap: overlap.max(granularity),
            settle: Duration::ZERO,
            source: TimeSource::SourceClock,
            longest_window: None,
        },
    })
}
