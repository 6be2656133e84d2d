//! The two sweeps beside a change query.
//!
//! The trailing sweep is the change query with a schedule of its own and a cursor that stays a horizon behind. The
//! reconcile asks for what is there: with a request of its own, or with the change query's from long ago.
//!
//! What to mind: a sweep that may tell deletions must show all that it is compared with, or what is only out of its sight
//! is told as gone. So [`Missed`] is decided here, and `checks` refuses pages between which records move.

pub(super) mod checks;

use super::action::{When, ZoneUse, schedule, zone_of};
use super::cursor::format;
use super::paging::{self, paging_of};
use super::request::{self, Around, RootUse, UsesKnown, Written, place_of};
use super::{Reported, partitions};
use crate::codes;
use crate::diagnostic::Findings;
use crate::face::{ActionKeys, DatesKeys, ReconcileKeys, TrailingKeys};
use crate::kinds::{DeletionsWord, Percent, Reconcile};
use crate::reading::{Given, Here};
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rounds_domain::FeedName;
use rounds_domain::plan::{
    CursorRule, DateRange, Deletions, Feed, FeedRole, Missed, Paging, PagingRule, Records,
    RequestRule, Start, Sweep, SweepScope, TimeCursor,
};
use std::sync::Arc;

/// The sweeps of an action, made from what it says of them and from its change query. None if one is wrong.
pub(super) fn lower(
    keys: &ActionKeys,
    changes: &Feed,
    around: Around<'_>,
    findings: &mut Findings<'_>,
) -> Option<Vec<Arc<Feed>>> {
    let mut sweeps = Vec::new();
    match &keys.trailing {
        Given::Absent => {}
        Given::Wrong => return None,
        Given::Here(here) => sweeps.push(Arc::new(trailing(keys, here, changes, findings)?)),
    }
    match &keys.reconcile {
        Given::Absent => {}
        Given::Wrong => return None,
        Given::Here(here) => {
            sweeps.push(Arc::new(reconcile(keys, here, changes, around, findings)?));
        }
    }
    Some(sweeps)
}

fn trailing(
    action: &ActionKeys,
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
        zone_otherwise: zone_of(action),
        zone_use: ZoneUse::Schedule,
    };
    let schedule = schedule(&when, findings);
    let horizon = keys.horizon.here()?;
    if changes.job.is_some() {
        findings
            .error(codes::BAD_JOB, given.key, "a trailing sweep over a job")
            .help("take it out, and give the cursor of the change query an `overlap`");
        return None;
    }
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
            .expected(format!("expected more than the overlap and the settle time, {reach:?}"))
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
    around: Around<'_>,
    findings: &mut Findings<'_>,
) -> Option<Feed> {
    let keys = &*given.value.0;
    let when = When {
        every: &keys.every,
        at: &keys.at,
        zone: &keys.zone,
        between: &keys.between,
        zone_otherwise: zone_of(action),
        zone_use: ZoneUse::Schedule,
    };
    let schedule = schedule(&when, findings);
    let has_own_request = !keys.get.is_absent() || !keys.post.is_absent();
    if changes.job.is_some() && !has_own_request {
        findings
            .error(codes::BAD_JOB, given.key, "a sweep that asks as a job does")
            .help("give it a request of its own, a search that shows what is there");
        return None;
    }
    let asked = if has_own_request {
        own_request(action, keys, changes, around, findings)
    } else {
        request_of_changes(keys, given, changes, findings)
    };
    // What a queue is asked until it is empty is not what its sweep asks.
    let changes_paging = match &changes.paging.rule {
        PagingRule::UntilEmpty => Paging {
            rule: PagingRule::Single,
            ..changes.paging.clone()
        },
        _ => changes.paging.clone(),
    };
    let paging = if keys.paging.is_absent() && keys.max_pages.is_absent() {
        Some(changes_paging)
    } else {
        let default = changes.paging.max_pages;
        match &keys.paging {
            Given::Absent => Some(Paging {
                max_pages: keys.max_pages.value().map_or(default, |count| count.0),
                ..changes_paging
            }),
            given => paging_of(given, &keys.max_pages, default, findings),
        }
    };
    let (request, scope, missed) = asked?;
    let partitions = (changes.partitions.clone()).filter(|_| request.uses(partitions::ROOT));
    // Which records are gone cannot be said of one partition.
    let default = match &partitions {
        Some(_) => DeletionsWord::Ignored,
        None => DeletionsWord::Told,
    };
    let word = keys.deletions.or(default);
    checks::hold_back(word, &keys.deletions, &keys.hold_back, findings);
    let paging = paging?;
    let deletions = deletions(word, &keys.hold_back, missed);
    let place = keys.deletions.here().map_or(given.key, |here| here.place);
    checks::paging(deletions, &paging, place, findings);
    checks::partitions(deletions, partitions.as_ref(), place, findings);
    Some(Feed {
        name: FeedName::new("reconcile"),
        role: FeedRole::Reconcile,
        schedule: schedule?,
        request,
        job: None,
        partitions,
        cursor: CursorRule::Sweep(Sweep { scope, deletions }),
        paging,
        records: match &keys.records {
            Given::Absent => changes.records.clone(),
            given => Records::of(given.value()?.filter.clone()),
        },
        ..changes.clone()
    })
}

/// The request and what it looks at, where the sweep has its own.
fn own_request(
    action: &ActionKeys,
    keys: &ReconcileKeys,
    changes: &Feed,
    around: Around<'_>,
    findings: &mut Findings<'_>,
) -> Option<(RequestRule, SweepScope, Missed)> {
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
    let written = Written {
        get: &keys.get,
        post: &keys.post,
        query: &keys.query,
        headers: &keys.headers,
        body: &keys.body,
        format: &keys.format,
        around: around.with_format(changes.request.format),
    };
    let mut known = vec!["from", "to", paging::ROOT];
    known.extend(changes.partitions.as_ref().map(|_| partitions::ROOT));
    let request = request::lower(&written, &known, findings);
    let paging = match action.changes.value() {
        Some(changes) if keys.paging.is_absent() => &changes.paging,
        _ => &keys.paging,
    };
    paging::check_uses(paging, &request.uses, request.uses_known, findings);
    let scope = match &keys.dates {
        Given::Wrong => return None,
        Given::Absent => {
            for root_use in request.uses.iter().filter(|used| is_of_dates(used)) {
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
            let mut of_dates = request.uses.iter().filter(|used| is_of_dates(used));
            if of_dates.next().is_none() && request.uses_known == UsesKnown::All {
                findings
                    .error(codes::CURSOR_NOT_SENT, dates.key, "the dates are in no part of the request")
                    .help("put them where the EHR expects them, for example `query: { from: \"{{ from }}\", to: \"{{ to }}\" }`");
            }
            SweepScope::Dates(Box::new(date_range(&zone_of(action), dates, findings)?))
        }
    };
    // It asks in its own way, so some records may never be part of it.
    Some((request.rule?, scope, Missed::SweptBefore))
}

fn is_of_dates(root_use: &RootUse) -> bool {
    matches!(root_use.root.as_str(), "from" | "to")
}

/// The change query's request, from its beginning.
fn request_of_changes(
    keys: &ReconcileKeys,
    given: &Here<Reconcile>,
    changes: &Feed,
    findings: &mut Findings<'_>,
) -> Option<(RequestRule, SweepScope, Missed)> {
    let strays = [
        ("query", keys.query.here().map(|here| here.key)),
        ("headers", keys.headers.here().map(|here| here.key)),
        ("body", keys.body.here().map(|here| here.key)),
        ("format", keys.format.here().map(|here| here.key)),
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
            let reach = reach_of_changes(changes.start, cursor);
            let since = keys.since.value().map_or(reach, |since| since.0);
            // Later than that, what changed last before `since` is known and out of sight: it must not look gone.
            let missed = if since <= reach {
                Missed::EveryKnownRecord
            } else {
                Missed::SweptBefore
            };
            let scope = SweepScope::ChangesSince {
                since,
                written: Box::new(cursor.clone()),
            };
            Some((changes.request.clone(), scope, missed))
        }
        CursorRule::Number(_) | CursorRule::Token(_) | CursorRule::Queue(_) => {
            findings
                .error(codes::BAD_SWEEP, given.key, "this change query cannot be asked for everything")
                .expected("expected a request of the sweep's own")
                .help("a queue, or a log by number or token, shows each change once: say how to ask for what is there, `get: /path`");
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

/// How far back the change query's own rounds can have looked.
fn reach_of_changes(start: Start, cursor: &TimeCursor) -> Timestamp {
    match start {
        // An EHR that takes its filter as "after" shows what changed at that very instant only if it is asked a step earlier.
        Start::Instant(start) => SignedDuration::try_from(cursor.granularity)
            .ok()
            .and_then(|step| start.checked_sub(step).ok())
            .unwrap_or(Timestamp::MIN),
        Start::Now | Start::Beginning => Timestamp::UNIX_EPOCH,
    }
}

pub(super) fn date_range(
    zone_otherwise: &TimeZone,
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
    if let (Some(given), Err(problem)) = (keys.format.here(), writes_days(&format)) {
        findings
            .error(codes::BAD_TIME_FORMAT, given.place, problem)
            .expected("expected strftime for a date, such as `%Y-%m-%d`");
        return None;
    }
    if let (Some(given), Err(trouble)) = (keys.format.here(), format::unlikely(&format)) {
        findings
            .error(codes::BAD_TIME_FORMAT, given.place, trouble.message)
            .expected("expected strftime for a date, such as `%Y-%m-%d`")
            .help(trouble.help);
        return None;
    }
    Some(DateRange {
        from_days: from.value.0,
        to_days: to.value.0,
        zone: (keys.zone.value()).map_or_else(|| zone_otherwise.clone(), |zone| zone.0.clone()),
        format,
        field: keys.field.value()?.filter.clone(),
        longest_days: longest_days(keys, findings).ok()?,
    })
}

/// Slices share the day between them, so one day would never get any further.
fn longest_days(keys: &DatesKeys, findings: &mut Findings<'_>) -> Result<Option<i32>, Reported> {
    match &keys.longest {
        Given::Absent => Ok(None),
        Given::Wrong => Err(Reported),
        Given::Here(longest) if longest.value.0 < 2 => {
            findings
                .error(
                    codes::BAD_SLICES,
                    longest.place,
                    "slices of less than two days",
                )
                .expected("neighbours share the day between them")
                .help("write the most days that the EHR allows in one request, such as `190d`");
            Err(Reported)
        }
        Given::Here(longest) => Ok(Some(longest.value.0)),
    }
}

/// Whether the format writes a date and tells every day from every other. Nothing of strftime needs to be known here.
fn writes_days(format: &str) -> Result<(), &'static str> {
    const SAMPLE: Date = date(2026, 3, 4);
    // The same day of another month, and of a year in which it is the same weekday.
    const OTHERS: [(Date, &str); 3] = [
        (date(2026, 3, 5), "the format does not write the day"),
        (date(2026, 11, 4), "the format does not write the month"),
        (date(2037, 3, 4), "the format does not write the year"),
    ];
    let write = |day: Date| {
        jiff::fmt::strtime::format(format, day)
            .map_err(|_| "the format cannot be written for a date")
    };
    let written = write(SAMPLE)?;
    for (other, problem) in OTHERS {
        if write(other)? == written {
            return Err(problem);
        }
    }
    Ok(())
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
