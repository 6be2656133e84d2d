//! A change query.

use super::paging::paging_of;
use super::request::{self, Around, RootUse, UsesKnown, Written, place_of};
use super::{cursor, never, paging, partitions, queue, sweeps};
use crate::codes;
use crate::diagnostic::Findings;
use crate::face::{ChangesKeys, CursorKeys, PagingKeys};
use crate::kinds::{DeletionsWord, OrderWord};
use crate::reading::{Given, Here};
use jiff::tz::TimeZone;
use rounds_domain::FeedName;
use rounds_domain::plan::{
    Baseline, CursorRule, DateField, Feed, FeedRole, Ids, Job, Missed, Paging, PagingRule,
    Partitions, Records, Schedule, Start, Sweep, SweepScope, TimeCursor, TimeFormat, TimeSource,
    VersionRule,
};
use rounds_map::Filter;

/// What templates of a change query may use.
const ROOTS: &[&str] = &[
    "cursor",
    "until",
    "from",
    "to",
    partitions::ROOT,
    paging::ROOT,
];

pub(super) fn lower(
    keys: &ChangesKeys,
    schedule: Option<&Schedule>,
    around: Around<'_>,
    findings: &mut Findings<'_>,
) -> Option<Feed> {
    let written = Written {
        get: &keys.get,
        post: &keys.post,
        query: &keys.query,
        headers: &keys.headers,
        body: &keys.body,
        format: &keys.format,
        around,
    };
    let request = request::lower(&written, ROOTS, findings);
    check_uses(
        &keys.cursor,
        &keys.paging,
        &request.uses,
        request.uses_known,
        findings,
    );
    check_dates(keys, &request.uses, request.uses_known, findings);
    partitions::check_uses(&keys.for_each, &request.uses, request.uses_known, findings);
    check_field(keys, findings);
    if let Some(skip) = keys.skip.here() {
        never::skip(&skip.value.filter, skip.place, findings);
    }
    let cursor = match &keys.cursor {
        Given::Absent => no_cursor(keys, schedule, findings),
        Given::Wrong => None,
        Given::Here(here) => cursor::lower(here, keys, request.rule.as_ref(), findings),
    };
    let start = start(keys, findings);
    let baseline = baseline(keys, cursor.as_ref(), findings);
    paging::check_uses(&keys.paging, &request.uses, request.uses_known, findings);
    let paging = paging_of(
        &keys.paging,
        &keys.max_pages,
        Paging::DEFAULT_MAX_PAGES,
        findings,
    );
    let version = version(keys, findings);
    let partitions = match &keys.for_each {
        Given::Absent => None,
        Given::Wrong => return None,
        Given::Here(here) => Some(partitions::lower(here, schedule?, around, findings)?),
    };
    let cursor = cursor?;
    let job = job(keys, &cursor, findings)?;
    let paging = match &cursor {
        CursorRule::Queue(_) => queue::paging(keys, paging, findings),
        _ => paging,
    };
    let records = Records::of(keys.records.value()?.filter.clone());
    check_hidden_rows(keys, paging.as_ref(), &records, findings);
    check_slices(keys, &cursor, &request.uses, request.uses_known, findings);
    check_deletions(
        keys,
        &cursor,
        paging.as_ref(),
        partitions.as_ref(),
        findings,
    );
    Some(Feed {
        name: FeedName::new("changes"),
        role: FeedRole::Changes,
        schedule: schedule?.clone(),
        request: request.rule?,
        job,
        partitions,
        dated_by: cursor::dated_by(&keys.cursor, &cursor),
        created: created(keys, &cursor),
        cursor,
        start: start?,
        baseline: baseline?,
        paging: paging?,
        records,
        skip: keys.skip.value().map(|skip| skip.filter.clone()),
        id: keys.id.value()?.filter.clone(),
        ids: keys.ids.or(Ids::Shared),
        version: version?,
        gone: keys.gone.value().map(|gone| gone.filter.clone()),
    })
}

/// A page that is not full is the last one, so it must be possible to count what it showed.
fn check_hidden_rows(
    keys: &ChangesKeys,
    paging: Option<&Paging>,
    records: &Records,
    findings: &mut Findings<'_>,
) {
    let ends_by_size = paging.is_some_and(|paging| {
        let has_size = match &paging.rule {
            PagingRule::Offset { .. } => true,
            PagingRule::PageNumber { size, .. } | PagingRule::After { size, .. } => size.is_some(),
            _ => false,
        };
        has_size && paging.more.is_none()
    });
    if let Some(here) = keys.records.here()
        && ends_by_size
        && records.hides_some()
    {
        findings
            .error(
                codes::HIDDEN_ROWS,
                here.place,
                "`records` leaves rows out of pages whose size says which is the last",
            )
            .expected("how many rows a page showed cannot be counted")
            .help("begin with the path of the list, such as `.rows[] | select(.kept)`; or say with `more` whether there are more pages");
    }
}

/// A job says itself up to when its answer goes, and how many parts it has.
#[expect(
    clippy::option_option,
    reason = "whether it is right, and whether there is one"
)]
fn job(
    keys: &ChangesKeys,
    cursor: &CursorRule,
    findings: &mut Findings<'_>,
) -> Option<Option<Job>> {
    let job = match &keys.job {
        Given::Absent => return Some(None),
        Given::Wrong => return None,
        Given::Here(here) => here,
    };
    let is_answered = matches!(
        cursor,
        CursorRule::Time(TimeCursor {
            source: TimeSource::Answer(_),
            longest_window: None,
            ..
        })
    );
    if !is_answered {
        findings
            .error(
                codes::BAD_JOB,
                job.key,
                "a job whose cursor is not what its manifest says",
            )
            .help("write `cursor: { time: rfc3339, answer: .transactionTime, overlap: 0s }`");
        return None;
    }
    if let Some(paging) = keys.paging.here() {
        findings
            .error(codes::BAD_JOB, paging.key, "`paging` of a job")
            .also(job.key, "its manifest names all parts")
            .help("take it out");
        return None;
    }
    Some(Some(job.value))
}

/// Without a cursor each round is a sweep.
fn no_cursor(
    keys: &ChangesKeys,
    schedule: Option<&Schedule>,
    findings: &mut Findings<'_>,
) -> Option<CursorRule> {
    let word = keys.deletions.or(DeletionsWord::Ignored);
    let (scope, missed) = match &keys.dates {
        Given::Absent => (SweepScope::Everything, Missed::EveryKnownRecord),
        Given::Wrong => return None,
        Given::Here(dates) => {
            let range = sweeps::date_range(&schedule?.zone, dates, findings)?;
            (SweepScope::Dates(Box::new(range)), Missed::SweptBefore)
        }
    };
    Some(CursorRule::Sweep(Sweep {
        scope,
        deletions: sweeps::deletions(word, &keys.hold_back, missed),
    }))
}

/// Dates and the request must fit together, and go without a cursor.
fn check_dates(
    keys: &ChangesKeys,
    uses: &[RootUse],
    uses_known: UsesKnown,
    findings: &mut Findings<'_>,
) {
    let mut of_dates = uses
        .iter()
        .filter(|root_use| matches!(root_use.root.as_str(), "from" | "to"));
    match (&keys.dates, keys.cursor.here()) {
        (Given::Absent, _) => {
            for root_use in of_dates {
                let place = place_of(root_use, findings);
                findings
                    .error(
                        codes::CURSOR_NOT_GIVEN,
                        place,
                        format!("`{}` is used and there are no dates", root_use.root),
                    )
                    .help("say which: `dates: { from: -30d, to: 90d, field: .start }`");
            }
        }
        (Given::Wrong, _) => {}
        (Given::Here(dates), Some(cursor)) => {
            findings
                .error(codes::MISMATCHED_KEYS, dates.key, "`dates` together with a cursor")
                .also(cursor.key, "the cursor is here")
                .help("a query is asked by what changed or by dates; for both, put the dates under `reconcile`");
        }
        (Given::Here(dates), None) => {
            if of_dates.next().is_none() && uses_known == UsesKnown::All {
                findings
                    .error(codes::CURSOR_NOT_SENT, dates.key, "the dates are in no part of the request")
                    .help("put them where the EHR expects them, for example `query: { from: \"{{ from }}\", to: \"{{ to }}\" }`");
            }
        }
    }
}

/// Parameters that FHIR fixes to one field of every resource (R4, search, 3.1.1.4.3; http, 3.1.0.12).
const FHIR_CHANGE_FILTERS: [&str; 2] = ["_lastUpdated", "_since"];

/// A cursor that goes by another field than the filter passes what the filter still has to show. Which field a parameter goes by
/// is known of FHIR's own only; elsewhere the records tell, when they come (R0319).
fn check_field(keys: &ChangesKeys, findings: &mut Findings<'_>) {
    let field = keys.cursor.value().and_then(|cursor| cursor.field.here());
    let Some(field) = field.filter(|field| !field.value.filter.text().contains("lastUpdated"))
    else {
        return;
    };
    let pairs = keys
        .query
        .value()
        .into_iter()
        .flat_map(|query| &query.pairs);
    let filters = pairs.filter(|pair| FHIR_CHANGE_FILTERS.contains(&pair.key.text.as_str()));
    for filter in filters {
        findings
            .error(
                codes::OTHER_FIELD,
                field.place,
                "a cursor by another field than the filter's",
            )
            .also(filter.key.place, "this goes by `.meta.lastUpdated`")
            .help(
                "write `field: .meta.lastUpdated`, or leave `field` out to go by the EHR's clock",
            );
    }
}

/// Only who asks for everything can know what is gone.
fn check_deletions(
    keys: &ChangesKeys,
    cursor: &CursorRule,
    paging: Option<&Paging>,
    partitions: Option<&Partitions>,
    findings: &mut Findings<'_>,
) {
    if let CursorRule::Sweep(sweep) = cursor {
        let word = keys.deletions.or(DeletionsWord::Ignored);
        sweeps::checks::hold_back(word, &keys.deletions, &keys.hold_back, findings);
        let place = keys.deletions.here().map(|here| here.place);
        if let (Some(place), Some(paging)) = (place, paging) {
            sweeps::checks::paging(sweep.deletions, paging, place, findings);
        }
        if let Some(place) = place {
            sweeps::checks::partitions(sweep.deletions, partitions, place, findings);
        }
        return;
    }
    let strays = [
        ("deletions", keys.deletions.here().map(|here| here.key)),
        ("hold_back", keys.hold_back.here().map(|here| here.key)),
    ];
    for (name, place) in strays {
        if let Some(place) = place {
            findings
                .error(
                    codes::MISMATCHED_KEYS,
                    place,
                    format!("`{name}` together with a cursor"),
                )
                .expected("a change query shows what changed, not what is gone")
                .help("deletions are found by a sweep: `reconcile: every 1d`");
        }
    }
}

/// What the request carries and what the cursor is must fit together.
fn check_uses(
    cursor: &Given<CursorKeys>,
    paging: &Given<PagingKeys>,
    uses: &[RootUse],
    uses_known: UsesKnown,
    findings: &mut Findings<'_>,
) {
    match cursor {
        Given::Absent => {
            let of_cursor = uses
                .iter()
                .filter(|root_use| matches!(root_use.root.as_str(), "cursor" | "until"));
            for root_use in of_cursor {
                let place = place_of(root_use, findings);
                findings
                    .error(codes::CURSOR_NOT_GIVEN, place, format!("`{}` is used and there is no cursor", root_use.root))
                    .help("say what the query stands at, for example `cursor: { time: \"%Y-%m-%dT%H:%M:%S\" }`, or take the placeholder out");
            }
        }
        Given::Wrong => {}
        Given::Here(here) => {
            if here.value.queue.here().is_some() {
                let of_cursor = uses.iter().filter(|root_use| {
                    matches!(root_use.root.as_str(), "cursor" | "until" | "from" | "to")
                });
                for root_use in of_cursor {
                    let place = place_of(root_use, findings);
                    findings
                        .error(
                            codes::CURSOR_NOT_GIVEN,
                            place,
                            format!("`{}` is used and the EHR keeps the cursor", root_use.root),
                        )
                        .also(here.key, "a queue has nothing to be asked from")
                        .help("take the placeholder out");
                }
                return;
            }
            if !uses.iter().any(|root_use| root_use.root == "cursor")
                && uses_known == UsesKnown::All
                && here.value.order.value() == Some(&OrderWord::Descending)
            {
                check_newest(here, paging, findings);
            } else if !uses.iter().any(|root_use| root_use.root == "cursor")
                && uses_known == UsesKnown::All
            {
                findings
                    .error(codes::CURSOR_NOT_SENT, here.key, "the cursor is in no part of the request")
                    .expected("every round would ask for the same")
                    .help("put it where the EHR expects it, for example `query: { changedsince: \"{{ cursor }}\" }`");
            }
            let until = uses.iter().find(|root_use| root_use.root == "until");
            if let (Some(until), true) = (until, here.value.time.is_absent()) {
                let place = place_of(until, findings);
                findings
                    .error(
                        codes::CURSOR_NOT_GIVEN,
                        place,
                        "`until` is an instant and goes with a `time` cursor only",
                    )
                    .also(here.key, "this cursor has no time");
            }
        }
    }
}

/// An EHR that is asked without a filter gives its newest records; whatever does not fit on the first page must be on a second.
fn check_newest(
    cursor: &Here<CursorKeys>,
    paging: &Given<PagingKeys>,
    findings: &mut Findings<'_>,
) {
    let order = cursor.value.order.here();
    if let (Some(order), Given::Absent) = (order, paging) {
        findings
            .warning(
                codes::ONE_PAGE_OF_NEWEST,
                order.place,
                "the newest records, on one page",
            )
            .expected(
                "what does not fit on it is never seen, unless it holds everything that there is",
            )
            .help("say how to go on: pages are read up to the first record from before the cursor");
    }
}

/// Slices need an upper bound, and many of them time.
fn check_slices(
    keys: &ChangesKeys,
    cursor: &CursorRule,
    uses: &[RootUse],
    uses_known: UsesKnown,
    findings: &mut Findings<'_>,
) {
    let CursorRule::Time(rule) = cursor else {
        return;
    };
    let window = keys.cursor.value().and_then(|cursor| cursor.window.here());
    let (Some(longest), Some(window)) = (rule.longest_window, window) else {
        return;
    };
    if !uses.iter().any(|root_use| root_use.root == "until") && uses_known == UsesKnown::All {
        findings
            .error(
                codes::BAD_SLICES,
                window.key,
                "slices without an upper bound in the request",
            )
            .expected("every slice would ask for all that changed since its beginning")
            .help("put it where the EHR expects it, for example `query: { to: \"{{ until }}\" }`");
    }
    let start = keys.start.here();
    if let Some(start) = start.filter(|start| start.value.0 == Start::Beginning) {
        const YEARS_SINCE_1970: u64 = 56;
        let slices = YEARS_SINCE_1970 * 365 * 86_400 / longest.as_secs().max(1);
        findings
            .warning(codes::MANY_SLICES, start.place, "slices from 1970 on")
            .expected(format!("that is more than {slices} requests before the first round is done"))
            .help("write the instant from which on there can be records, such as `start: 2020-01-01T00:00:00Z`");
    }
}

fn start(keys: &ChangesKeys, findings: &mut Findings<'_>) -> Option<Start> {
    let start = keys.start.here()?;
    let timeless = match &keys.cursor {
        Given::Absent => true,
        Given::Wrong => false,
        Given::Here(here) => here.value.time.is_absent(),
    };
    if matches!(start.value.0, Start::Instant(_)) && timeless {
        findings
            .error(
                codes::BAD_START,
                start.place,
                "an instant to start from goes with a `time` cursor only",
            )
            .expected("expected `now` or `beginning`");
        return None;
    }
    Some(start.value.0)
}

/// Only who starts from now may look back silently, and only by time one can say how far.
fn baseline(
    keys: &ChangesKeys,
    cursor: Option<&CursorRule>,
    findings: &mut Findings<'_>,
) -> Option<Baseline> {
    let here = match &keys.baseline {
        Given::Absent => return Some(Baseline::None),
        Given::Wrong => return None,
        Given::Here(here) => here,
    };
    let starts_now = keys.start.value().is_none_or(|start| start.0 == Start::Now);
    let by_time = match &keys.cursor {
        Given::Absent => false,
        Given::Wrong => true,
        Given::Here(cursor) => !cursor.value.time.is_absent(),
    };
    if starts_now && by_time {
        if let (Baseline::Back(back), Some(CursorRule::Time(time))) = (here.value.0, cursor)
            && back <= time.overlap
        {
            findings
                .warning(
                    codes::MISMATCHED_KEYS,
                    here.place,
                    "a `baseline` no longer than the overlap",
                )
                .expected("the first round asks for as much without it")
                .help("say how far back what changes now may have been booked, such as `baseline: 90d`, or `all`");
        }
        return Some(here.value.0);
    }
    let finding = findings.error(
        codes::MISMATCHED_KEYS,
        here.key,
        if starts_now {
            "`baseline` without a `time` cursor"
        } else {
            "`baseline` without `start: now`"
        },
    );
    if starts_now {
        finding.help(
            "leave it out: without one the first round reads what is there, and does so silently",
        );
    } else {
        finding.help("leave it out: what lies after the start is told, and what lies before it is not asked for");
    }
    None
}

/// How a record says when it was made: as the cursor's times are written.
fn created(keys: &ChangesKeys, cursor: &CursorRule) -> Option<DateField> {
    let field = keys.created.value()?.filter.clone();
    let (format, zone) = match cursor {
        CursorRule::Time(time) => (time.format.clone(), time.zone.clone()),
        _ => (TimeFormat::Rfc3339, TimeZone::UTC),
    };
    Some(DateField {
        field,
        format,
        zone,
    })
}

fn version(keys: &ChangesKeys, findings: &mut Findings<'_>) -> Option<VersionRule> {
    if let (Some(version), Some(ignore)) = (keys.version.here(), keys.ignore.here()) {
        findings
            .error(codes::VERSION_AND_IGNORE, ignore.key, "`ignore` together with `version`")
            .expected("changes nothing, because the version decides")
            .also(version.key, "the version is here")
            .help("keep `version` if it changes with every change that matters, otherwise keep `ignore`");
        return None;
    }
    match (&keys.version, &keys.ignore) {
        (Given::Wrong, _) | (_, Given::Wrong) => None,
        (Given::Here(version), _) => Some(VersionRule::Field(version.value.filter.clone())),
        (Given::Absent, Given::Absent) => Some(VersionRule::Fingerprint { counting: None }),
        (Given::Absent, Given::Here(ignore)) => counting(ignore, findings),
    }
}

fn counting(
    ignore: &Here<crate::kinds::Many<crate::kinds::Expression>>,
    findings: &mut Findings<'_>,
) -> Option<VersionRule> {
    for path in &ignore.value.0 {
        let text = path.value.filter.text();
        if !text.trim_start().starts_with('.') {
            findings
                .error(codes::BAD_EXPRESSION, path.place, "no path")
                .expected("expected a path such as `.meta.lastUpdated`");
            return None;
        }
    }
    let paths: Vec<String> = ignore
        .value
        .0
        .iter()
        .map(|path| format!("({})", path.value.filter.text()))
        .collect();
    if paths.is_empty() {
        return Some(VersionRule::Fingerprint { counting: None });
    }
    match Filter::compile(&format!("del({})", paths.join(", "))) {
        Ok(filter) => Some(VersionRule::Fingerprint {
            counting: Some(filter),
        }),
        Err(error) => {
            findings.error(
                codes::BAD_EXPRESSION,
                ignore.place,
                format!("paths that cannot be left out: {error}"),
            );
            None
        }
    }
}
