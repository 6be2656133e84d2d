//! What of a sweep can only be judged beside other keys.

use crate::codes;
use crate::diagnostic::Findings;
use crate::face::ActionKeys;
use crate::kinds::{DeletionsWord, Percent};
use crate::reading::Given;
use crate::source::Place;
use rounds_domain::plan::{
    BodyRule, CursorRule, Deletions, EventRule, Feed, Notify, Paging, PagingRule, Partitions, Rows,
};
use rounds_map::{Body, Filter};

/// A share to hold back at says nothing where no deletion is told.
pub(in crate::lower) fn hold_back(
    word: DeletionsWord,
    deletions: &Given<DeletionsWord>,
    hold_back: &Given<Percent>,
    findings: &mut Findings<'_>,
) {
    let (DeletionsWord::Ignored, Some(share)) = (word, hold_back.here()) else {
        return;
    };
    // What is wrong with `deletions` was told; it may have been meant as `told`.
    if matches!(deletions, Given::Wrong) {
        return;
    }
    let diagnostic = findings.error(
        codes::MISMATCHED_KEYS,
        share.key,
        "`hold_back` where no deletions are told",
    );
    diagnostic.help("write `deletions: told`, or take `hold_back` out");
    if let Some(deletions) = deletions.here() {
        diagnostic.also(deletions.place, "they are ignored");
    }
}

/// A record that moves between two pages while they are read would look deleted.
pub(in crate::lower) fn paging(
    deletions: Deletions,
    paging: &Paging,
    place: Place,
    findings: &mut Findings<'_>,
) {
    let moves = matches!(
        paging.rule,
        PagingRule::Offset {
            rows: Rows::Move,
            ..
        } | PagingRule::PageNumber {
            rows: Rows::Move,
            ..
        }
    );
    if deletions != Deletions::Ignored && moves {
        findings
            .error(codes::BAD_SWEEP, place, "deletions from pages whose records may move meanwhile")
            .expected("a record that moves between two pages would look deleted")
            .help("page by `next_link`, `link_header` or `token`; or write `rows: stay` if the EHR holds the answer still; or `deletions: ignored`");
    }
}

/// Which records are gone can be said of all partitions together only.
pub(in crate::lower) fn partitions(
    deletions: Deletions,
    partitions: Option<&Partitions>,
    place: Place,
    findings: &mut Findings<'_>,
) {
    if let (Deletions::Told { .. }, Some(_)) = (deletions, partitions) {
        findings
            .error(codes::BAD_PARTITIONS, place, "deletions are told, and the sweep is made partition by partition")
            .expected("a record that moves from one partition to another would look deleted")
            .help("write `deletions: ignored`, or give the sweep a request that shows all partitions at once");
    }
}

/// Sweeps that are made more often than the change query only cost.
pub(in crate::lower) fn intervals(keys: &ActionKeys, findings: &mut Findings<'_>) {
    let Some(every) = keys.every.here() else {
        return;
    };
    let trailing = keys.trailing.value().and_then(|keys| keys.every.here());
    let reconcile = keys
        .reconcile
        .value()
        .and_then(|reconcile| reconcile.0.every.here());
    for sweep in [trailing, reconcile].into_iter().flatten() {
        if sweep.value.0 < every.value.0 {
            findings
                .warning(
                    codes::BAD_SWEEP,
                    sweep.place,
                    "a sweep more often than the change query",
                )
                .also(every.place, "the change query is asked this often")
                .help("ask for changes more often instead: that is what finds most of them");
        }
    }
}

/// A body that never looks at the kind of a change shows a deleted record as if it were there.
pub(in crate::lower) fn telling<'f>(
    feeds: impl IntoIterator<Item = &'f Feed>,
    notify: &Notify,
    keys: &ActionKeys,
    findings: &mut Findings<'_>,
) {
    let by_gone = keys
        .changes
        .value()
        .is_some_and(|changes| changes.gone.here().is_some())
        || keys.also.here().is_some();
    let tells_deletions = feeds.into_iter().any(|feed| match &feed.cursor {
        _ if feed.gone.is_some() => true,
        CursorRule::Sweep(sweep) => sweep.deletions != Deletions::Ignored,
        _ => false,
    });
    let shows_kind = match &notify.body {
        BodyRule::Whole
        | BodyRule::Model {
            event: EventRule::Derived,
            ..
        }
        | BodyRule::Own {
            event: EventRule::Derived,
            ..
        } => true,
        BodyRule::Free(body)
        | BodyRule::Model {
            event: EventRule::Fixed(_),
            body,
            ..
        }
        | BodyRule::Own {
            event: EventRule::Fixed(_),
            body,
            ..
        } => reads_change(body),
        BodyRule::Model {
            event: EventRule::Expression(event),
            body,
            ..
        }
        | BodyRule::Own {
            event: EventRule::Expression(event),
            body,
            ..
        } => may_read_change(event) || reads_change(body),
    };
    let place = (keys.reconcile.here().map(|here| here.key))
        .filter(|_| !by_gone)
        .or_else(|| keys.changes.value()?.deletions.here().map(|here| here.key))
        .or_else(|| keys.changes.value()?.gone.here().map(|here| here.key))
        .or_else(|| keys.also.here().map(|here| here.key));
    if let (true, false, Some(place)) = (tells_deletions, shows_kind, place) {
        findings
            .warning(codes::DELETION_UNSEEN, place, "deletions are told, and the body does not say that they are deletions")
            .expected("a deleted record is told with its last state")
            .help(format!(
                "use `.change.kind` in the body or the event (it is `created`, `updated` or `deleted`), or {}",
                if by_gone {
                    "leave `gone` out"
                } else {
                    "write `deletions: ignored`"
                }
            ));
    }
}

fn reads_change(body: &Body) -> bool {
    body.leaves().any(|(_, leaf)| may_read_change(leaf))
}

/// What an expression reads is known only where it says so plainly.
fn may_read_change(expression: &Filter) -> bool {
    let reads = expression.reads();
    reads.is_empty() || reads.iter().any(|(root, _)| root == "change")
}
