//! The two sweeps beside a change query.

use super::action::{When, schedule};
use super::feed::paging_of;
use super::request::{self, UsesKnown, Written, place_of};
use crate::codes;
use crate::diagnostic::Findings;
use crate::face::{ActionKeys, DatesKeys, ReconcileKeys, TrailingKeys};
use crate::kinds::{DeletionsWord, Percent, Reconcile};
use crate::reading::{Given, Here};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rounds_domain::FeedName;
use rounds_domain::plan::{
    BodyRule, CursorRule, DateRange, Deletions, EventRule, Feed, FeedRole, Missed, Notify, Paging,
    PagingRule, RequestRule, Rows, Start, Sweep, SweepScope, TimeCursor,
};
use rounds_map::{Body, Filter};
use std::sync::Arc;

/// The sweeps of an action, made from what it says of them and from its change query. None if one is wrong.
pub(super) fn lower(
    keys: &ActionKeys,
    changes: &Feed,
    findings: &mut Findings<'_>,
) -> Option<Vec<Arc<Feed>>> {
    let mut sweeps = Vec::new();
    match &keys.trailing {
        Given::Absent => {}
        Given::Wrong => return None,
        Given::Here(here) => sweeps.push(Arc::new(trailing(here, changes, findings)?)),
    }
    match &keys.reconcile {
        Given::Absent => {}
        Given::Wrong => return None,
        Given::Here(here) => sweeps.push(Arc::new(reconcile(keys, here, changes, findings)?)),
    }
    Some(sweeps)
}

fn trailing(
    given: &Here<TrailingKeys>,
    changes: &Feed,
    findings: &mut Findings<'_>,
) -> Option<Feed> {
    let keys = &given.value;
    let when = When {
        every: &keys.every,
        at: &keys.at,
        zone: &keys.zone,
        between: &keys.between,
    };
    let schedule = schedule(&when, findings);
    let horizon = keys.horizon.here()?;
    let CursorRule::Time(cursor) = &changes.cursor else {
        findings
            .error(codes::MISMATCHED_KEYS, given.key, "`trailing` goes with a `time` cursor only")
            .help("a number or a token has no time that a record could be late by; without a cursor every round sees everything anyway");
        return None;
    };
    let reach = cursor.overlap.max(cursor.settle);
    if horizon.value.0 <= reach {
        findings
            .error(codes::BAD_SWEEP, horizon.place, "a horizon that the change query reaches by itself")
            .expected(format!("expected more than the overlap and the settle time, {} s", reach.as_secs()))
            .help("the trailing sweep looks again after the horizon: make it as long as the EHR may take to show a change");
        return None;
    }
    Some(Feed {
        name: FeedName::new("trailing"),
        role: FeedRole::Trailing,
        schedule: schedule?,
        cursor: CursorRule::Time(TimeCursor {
            settle: horizon.value.0,
            ..cursor.clone()
        }),
        ..changes.clone()
    })
}

fn reconcile(
    action: &ActionKeys,
    given: &Here<Reconcile>,
    changes: &Feed,
    findings: &mut Findings<'_>,
) -> Option<Feed> {
    let keys = &*given.value.0;
    let when = When {
        every: &keys.every,
        at: &keys.at,
        zone: &keys.zone,
        between: &keys.between,
    };
    let schedule = schedule(&when, findings);
    let has_own_request = !keys.get.is_absent() || !keys.post.is_absent();
    let asked = if has_own_request {
        own_request(action, keys, findings)
    } else {
        request_of_changes(keys, given, changes, findings)
    };
    let paging = if keys.paging.is_absent() && keys.max_pages.is_absent() {
        Some(changes.paging.clone())
    } else {
        let default = changes.paging.max_pages;
        match &keys.paging {
            Given::Absent => Some(Paging {
                max_pages: keys.max_pages.value().map_or(default, |count| count.0),
                ..changes.paging.clone()
            }),
            given => paging_of(given, &keys.max_pages, default, findings),
        }
    };
    let (request, scope) = asked?;
    let missed = match &scope {
        SweepScope::ChangesSince { .. } => Missed::EveryKnownRecord,
        SweepScope::Everything | SweepScope::Dates(_) => Missed::SweptBefore,
    };
    let paging = paging?;
    let word = keys.deletions.or(DeletionsWord::Told);
    let deletions = deletions(word, &keys.hold_back, missed);
    let place = keys.deletions.here().map_or(given.key, |here| here.place);
    check_paging(deletions, &paging, place, findings);
    Some(Feed {
        name: FeedName::new("reconcile"),
        role: FeedRole::Reconcile,
        schedule: schedule?,
        request,
        cursor: CursorRule::Sweep(Sweep { scope, deletions }),
        paging,
        records: match &keys.records {
            Given::Absent => changes.records.clone(),
            given => given.value()?.filter.clone(),
        },
        ..changes.clone()
    })
}

/// The request and what it looks at, where the sweep has its own.
fn own_request(
    action: &ActionKeys,
    keys: &ReconcileKeys,
    findings: &mut Findings<'_>,
) -> Option<(RequestRule, SweepScope)> {
    if let (Some(_), Some(post)) = (keys.get.here(), keys.post.here()) {
        findings
            .error(codes::ONE_OF, post.key, "`post` together with `get`")
            .help("keep one of them");
        return None;
    }
    if let Some(since) = keys.since.here() {
        findings
            .error(
                codes::MISMATCHED_KEYS,
                since.key,
                "`since` goes with the change query",
            )
            .help("this sweep has a request of its own: take `since` out, or `get` and `post`");
        return None;
    }
    let roots: &[&str] = if keys.dates.is_absent() {
        &[]
    } else {
        &["from", "to"]
    };
    let written = Written {
        get: &keys.get,
        post: &keys.post,
        query: &keys.query,
        headers: &keys.headers,
        timeout: action.request_timeout(),
    };
    let request = request::lower(&written, &["from", "to"], findings);
    let scope = match &keys.dates {
        Given::Wrong => return None,
        Given::Absent => {
            for root_use in request
                .uses
                .iter()
                .filter(|used| !roots.contains(&used.root.as_str()))
            {
                let place = place_of(root_use, findings);
                findings
                    .error(
                        codes::CURSOR_NOT_GIVEN,
                        place,
                        format!("`{}` is used and there are no dates", root_use.root),
                    )
                    .help("say which: `dates: { from: -30d, to: 90d, field: .start }`");
            }
            SweepScope::Everything
        }
        Given::Here(dates) => {
            if request.uses.is_empty() && request.uses_known == UsesKnown::All {
                findings
                    .error(codes::CURSOR_NOT_SENT, dates.key, "the dates are in no part of the request")
                    .help("put them where the EHR expects them, for example `query: { from: \"{{ from }}\", to: \"{{ to }}\" }`");
            }
            SweepScope::Dates(Box::new(date_range(action, dates, findings)?))
        }
    };
    Some((request.rule?, scope))
}

/// The change query's request, from its beginning.
fn request_of_changes(
    keys: &ReconcileKeys,
    given: &Here<Reconcile>,
    changes: &Feed,
    findings: &mut Findings<'_>,
) -> Option<(RequestRule, SweepScope)> {
    let strays = [
        ("query", keys.query.here().map(|here| here.key)),
        ("headers", keys.headers.here().map(|here| here.key)),
        ("dates", keys.dates.here().map(|here| here.key)),
    ];
    for (name, place) in strays {
        if let Some(place) = place {
            findings
                .error(
                    codes::MISMATCHED_KEYS,
                    place,
                    format!("`{name}` goes with a request of the sweep's own"),
                )
                .help("write the request's path: `get: /path`");
            return None;
        }
    }
    match &changes.cursor {
        CursorRule::Time(cursor) => {
            let from_start = match changes.start {
                Start::Instant(start) => start,
                Start::Now | Start::Beginning => Timestamp::UNIX_EPOCH,
            };
            let scope = SweepScope::ChangesSince {
                since: keys.since.value().map_or(from_start, |since| since.0),
                written: Box::new(cursor.clone()),
            };
            Some((changes.request.clone(), scope))
        }
        CursorRule::Number(_) | CursorRule::Token(_) => {
            findings
                .error(codes::BAD_SWEEP, given.key, "this change query cannot be asked for everything")
                .expected("expected a request of the sweep's own")
                .help("a log by number or token shows each change once: say how to ask for what is there, `get: /path`");
            None
        }
        CursorRule::Sweep(_) => {
            findings
                .error(codes::BAD_SWEEP, given.key, "the change query asks for everything already")
                .help("it has no cursor, so each of its rounds compares everything: for deletions write `deletions: told` under `changes`");
            None
        }
    }
}

fn date_range(
    action: &ActionKeys,
    given: &Here<DatesKeys>,
    findings: &mut Findings<'_>,
) -> Option<DateRange> {
    let keys = &given.value;
    let (from, to) = (keys.from.here()?, keys.to.here()?);
    if from.value.0 > to.value.0 {
        findings
            .error(
                codes::BAD_SWEEP,
                to.place,
                "dates that end before they begin",
            )
            .also(from.place, "they begin here");
        return None;
    }
    let format = keys
        .format
        .value()
        .map_or_else(|| "%Y-%m-%d".to_owned(), |format| format.0.text.clone());
    let sample = jiff::civil::date(2026, 3, 4);
    let written = jiff::fmt::strtime::format(&format, sample);
    if let (Some(given), true) = (
        keys.format.here(),
        written.is_err() || !format.contains('%'),
    ) {
        findings
            .error(codes::BAD_TIME_FORMAT, given.place, "no format of a date")
            .expected("expected strftime for a date, such as `%Y-%m-%d`");
        return None;
    }
    let zone = keys.zone.value().or(action.zone.value());
    Some(DateRange {
        from_days: from.value.0,
        to_days: to.value.0,
        zone: zone.map_or(TimeZone::UTC, |zone| zone.0.clone()),
        format,
        field: keys.field.value()?.filter.clone(),
    })
}

/// What a sweep does about records that are gone.
pub(super) fn deletions(
    word: DeletionsWord,
    hold_back: &Given<Percent>,
    missed: Missed,
) -> Deletions {
    match word {
        DeletionsWord::Ignored => Deletions::Ignored,
        DeletionsWord::Told => Deletions::Told {
            hold_back_above_percent: hold_back
                .value()
                .map_or(Deletions::DEFAULT_HOLD_BACK_ABOVE_PERCENT, |share| share.0),
            missed,
        },
    }
}

/// A record that moves between two pages while they are read would look deleted.
pub(super) fn check_paging(
    deletions: Deletions,
    paging: &Paging,
    place: crate::source::Place,
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

/// Sweeps that are made more often than the change query only cost.
pub(super) fn check_intervals(keys: &ActionKeys, findings: &mut Findings<'_>) {
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
pub(super) fn check_telling<'f>(
    feeds: impl IntoIterator<Item = &'f Feed>,
    notify: &Notify,
    keys: &ActionKeys,
    findings: &mut Findings<'_>,
) {
    let tells_deletions = feeds.into_iter().any(|feed| match &feed.cursor {
        CursorRule::Sweep(sweep) => sweep.deletions != Deletions::Ignored,
        _ => false,
    });
    let shows_kind = match &notify.body {
        BodyRule::Whole => true,
        BodyRule::Free(body) => reads_change(body),
        BodyRule::Model {
            event: EventRule::ByKind {
                updated, deleted, ..
            },
            body,
            ..
        } => updated != deleted || reads_change(body),
        BodyRule::Model {
            event: EventRule::Expression(event),
            body,
            ..
        } => may_read_change(event) || reads_change(body),
    };
    let place = keys
        .reconcile
        .here()
        .map(|here| here.key)
        .or_else(|| keys.changes.value()?.deletions.here().map(|here| here.key));
    if let (true, false, Some(place)) = (tells_deletions, shows_kind, place) {
        findings
            .warning(codes::DELETION_UNSEEN, place, "deletions are told, and the body does not say that they are deletions")
            .expected("a deleted record is told with its last state")
            .help("use `.change.kind` in the body or the event (it is `created`, `updated` or `deleted`), or write `deletions: ignored`");
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
