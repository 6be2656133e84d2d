//! One polled API action.

use super::never::Made;
use super::request::Around;
use super::{
    Known, also, answers, feed, inbound, lookups, notify, partitions, retry, setup, subscriptions,
    sweeps,
};
use crate::codes;
use crate::cost::open_minutes;
use crate::diagnostic::Findings;
use crate::face::ActionKeys;
use crate::kinds::{CronFields, OneOrMany, PositiveLength, WindowText, Zone};
use crate::reading::Given;
use crate::source::Place;
use croner::Cron;
use jiff::civil::{Weekday, date};
use jiff::tz::TimeZone;
use rounds_domain::plan::{
    Action, AnswerFormat, Cadence, Connection, RetrySchedule, Schedule, Window,
};
use rounds_domain::{ActionName, ConnectionName};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A shorter interval is a stream of requests, not a poll.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

pub(super) fn lower<'c>(
    name: &str,
    place: Place,
    keys: &'c ActionKeys,
    known: &mut Known<'c>,
    connections: &BTreeMap<ConnectionName, Arc<Connection>>,
    findings: &mut Findings<'_>,
) -> Option<Action> {
    known.uses(keys, findings);
    let asked = keys.connection.value();
    let asked = asked
        .and_then(|reference| connections.get(&ConnectionName::new(reference.0.text.as_str())));
    let connection = if let Some(reference) = keys.connection.value() {
        known
            .connection(&reference.0, findings)
            .then(|| ConnectionName::new(reference.0.text.as_str()))
    } else {
        known.missed();
        None
    };
    let when = When {
        every: &keys.every,
        at: &keys.at,
        zone: &keys.zone,
        between: &keys.between,
        zone_otherwise: TimeZone::UTC,
        zone_use: zone_use(keys),
    };
    let schedule = schedule(&when, findings);
    timeout(keys, findings);
    let around = Around {
        timeout: keys.request_timeout(),
        format: asked.map_or(AnswerFormat::Json, |connection| connection.format),
        connection: asked.map(|connection| &**connection),
    };
    let answers = answers::lower(&keys.answers, findings);
    let setup = setup::lower(&keys.setup, around, findings);
    let changes = keys
        .changes
        .value()
        .and_then(|changes| feed::lower(changes, schedule.as_ref(), around, findings));
    let also = changes
        .as_ref()
        .and_then(|changes| also::lower(keys, changes, around, findings));
    let sweeps = changes
        .as_ref()
        .and_then(|changes| sweeps::lower(keys, changes, around, findings));
    let receive = changes
        .as_ref()
        .and_then(|changes| inbound::action(keys, changes, asked.map(|known| &**known), findings));
    sweeps::checks::intervals(keys, findings);
    if let (Some(keys), Some(changes)) = (keys.changes.value(), &changes) {
        let beside = also.iter().flatten().chain(sweeps.iter().flatten());
        let beside = beside.chain(receive.iter().flatten()).map(|feed| &**feed);
        let feeds = std::iter::once(changes).chain(beside);
        partitions::check_ids(keys, feeds, findings);
    }
    let partitions = (changes.as_ref()).and_then(|changes| changes.partitions.as_ref());
    let lookups = lookups::lower(keys.lookups.value(), partitions, around, findings);
    // Without the lookups' names, whatever reads one would be called unknown.
    let notify = match keys.lookups {
        Given::Wrong => None,
        _ => notify::lower(&keys.notify, &lookups.roots, known, findings),
    };
    if let (Some(changes), Some(sweeps), Some(notify)) = (&changes, &sweeps, &notify) {
        let beside = also.iter().flatten().chain(sweeps).map(|feed| &**feed);
        let feeds = std::iter::once(changes).chain(beside);
        sweeps::checks::telling(feeds, notify, keys, findings);
    }
    let rule = notify.as_ref().map(|notify| &notify.body);
    let put = (keys.notify.value()).map_or_else(Vec::new, notify::put_later);
    let about = subscriptions::About {
        made: Made { rule, put: &put },
        lookups: &lookups.roots,
    };
    let to = subscriptions::lower(name, place, keys, about, known, findings);
    let retry = retry(&keys.retry, RetrySchedule::containers(), findings);
    let (connection, to, mut notify) = (connection?, to.ok()?, notify?);
    notify.frame = known.frames.frame(&connection, &to);
    Some(Action {
        name: ActionName::new(name),
        renamed_from: keys
            .renamed_from
            .value()
            .map(|former| ActionName::new(former.0.text.as_str())),
        connection,
        setup: setup?,
        changes: Arc::new(changes?),
        also: also?,
        sweeps: sweeps?,
        receive: receive?,
        lookups: lookups.lookups,
        answers: answers?,
        notify,
        to,
        retry,
    })
}

/// When something is done, as the user wrote it.
pub(super) struct When<'k> {
    pub(super) every: &'k Given<PositiveLength>,
    pub(super) at: &'k Given<CronFields>,
    pub(super) zone: &'k Given<Zone>,
    pub(super) between: &'k Given<OneOrMany<WindowText>>,
    /// Where there is no `zone`.
    pub(super) zone_otherwise: TimeZone,
    pub(super) zone_use: ZoneUse,
}

/// What a schedule's zone is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ZoneUse {
    /// For this schedule only.
    Schedule,
    /// A sweep's schedule, or its range of dates, has no zone of its own and takes this one.
    Sweeps,
}

pub(super) fn schedule(keys: &When<'_>, findings: &mut Findings<'_>) -> Option<Schedule> {
    if let Some(zone) = keys.zone.here()
        && keys.zone_use == ZoneUse::Schedule
        && keys.at.is_absent()
        && keys.between.is_absent()
    {
        findings
            .warning(
                codes::MISMATCHED_KEYS,
                zone.key,
                "`zone` without `at` or `between` changes nothing",
            )
            .help("an interval is the same in every zone; the cursor has a `zone` of its own");
    }
    let windows = keys.between.value().map(|windows| {
        windows
            .0
            .iter()
            .map(|window| window.value.0.clone())
            .collect()
    });
    let cadence = match (keys.every.here(), keys.at.value()) {
        (Some(every), None) => {
            let interval = every.value.0;
            if interval < SHORTEST_INTERVAL {
                findings
                    .error(
                        codes::INTERVAL_TOO_SHORT,
                        every.place,
                        "an interval of less than a second",
                    )
                    .expected("expected at least `1s`");
                return None;
            }
            Cadence::Every(interval)
        }
        (None, Some(at)) => Cadence::At(Box::new(at.0.clone())),
        _ => return None,
    };
    let windows: Vec<Window> = windows.unwrap_or_default();
    if let (Cadence::At(cron), Some(at)) = (&cadence, keys.at.here()) {
        check_meets(cron, at.place, &windows, keys.between, findings)?;
    }
    let zone = keys
        .zone
        .value()
        .map_or_else(|| keys.zone_otherwise.clone(), |zone| zone.0.clone());
    Some(Schedule {
        cadence,
        windows,
        zone,
    })
}

/// Cron times must come, and some of them within the windows.
fn check_meets(
    cron: &Cron,
    at: Place,
    windows: &[Window],
    between: &Given<OneOrMany<WindowText>>,
    findings: &mut Findings<'_>,
) -> Option<()> {
    // More than a week of minutes; what comes seldom is followed for some years.
    const MOST_LOOKED_AT: usize = 12_000;
    let year = |year| date(year, 1, 1).to_zoned(TimeZone::UTC).ok();
    let (mut moment, end) = (year(2026)?, year(2035)?);
    let open: Vec<Vec<bool>> = (Weekday::Monday.cycle_forward().take(7))
        .map(|day| open_minutes(windows, day))
        .collect();
    let mut times = 0;
    while times < MOST_LOOKED_AT {
        let next = cron.find_next_occurrence(&moment, false).ok();
        let Some(next) = next.filter(|next| *next < end) else {
            break;
        };
        let minute = i32::from(next.hour()) * 60 + i32::from(next.minute());
        let minute = usize::try_from(minute).ok()?;
        let day = usize::try_from(next.weekday().to_monday_zero_offset()).ok()?;
        if open[day][minute] {
            return Some(());
        }
        times += 1;
        moment = next;
    }
    if times == 0 {
        findings
            .error(codes::BAD_CRON, at, "times that never come")
            .expected("no month has such a day");
        return None;
    }
    let finding = findings.error(
        codes::BAD_WINDOW,
        at,
        "times of which none is within `between`",
    );
    if let Some(between) = between.here() {
        finding.also(between.place, "the windows");
    }
    finding
        .expected("no round would ever be made")
        .help("let the windows hold the times, or take `between` out: `at` alone says when");
    None
}

fn zone_use(keys: &ActionKeys) -> ZoneUse {
    let trailing = keys.trailing.value().is_some_and(|trailing| {
        trailing.zone.is_absent() && !(trailing.at.is_absent() && trailing.between.is_absent())
    });
    let reconcile = keys.reconcile.value().is_some_and(|reconcile| {
        let keys = &reconcile.0;
        let dates_take_it = (keys.dates.value()).is_some_and(|dates| dates.zone.is_absent());
        dates_take_it || keys.zone.is_absent() && !(keys.at.is_absent() && keys.between.is_absent())
    });
    let also = (keys.also.value().into_iter().flat_map(|also| &also.0))
        .filter_map(|named| named.value.as_ref())
        .any(|also| also.zone.is_absent() && !(also.at.is_absent() && also.between.is_absent()));
    if trailing || reconcile || also {
        ZoneUse::Sweeps
    } else {
        ZoneUse::Schedule
    }
}

/// The zone that an action's schedules go by.
pub(super) fn zone_of(keys: &ActionKeys) -> TimeZone {
    keys.zone
        .value()
        .map_or(TimeZone::UTC, |zone| zone.0.clone())
}

fn timeout(keys: &ActionKeys, findings: &mut Findings<'_>) {
    if let (Some(timeout), Some(every)) = (keys.timeout.here(), keys.every.here())
        && timeout.value.0 > every.value.0
        && every.value.0 >= SHORTEST_INTERVAL
    {
        findings
                .error(codes::TIMEOUT_TOO_LONG, timeout.place, "the timeout is longer than the interval")
                .expected("one request may take this long")
                .also(every.place, "a round begins this often")
                .help("a round that waits longer than its interval makes the next ones late: shorten the timeout or lengthen the interval");
    }
}
