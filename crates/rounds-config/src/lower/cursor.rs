//! A cursor, above all one by time: whether its format can be written, read back, and how fine it is.

pub(super) mod format;

use super::{Reported, log, queue};
use crate::codes;
use crate::diagnostic::Findings;
use crate::face::{ChangesKeys, CursorKeys};
use crate::kinds::OrderWord;
use crate::reading::{Given, Here};
use crate::source::Place;
use jiff::tz::TimeZone;
use rounds_domain::plan::{CursorRule, DateField, RequestRule, TimeCursor, TimeFormat, TimeSource};
use std::time::Duration;

pub(super) const DEFAULT_OVERLAP: Duration = Duration::from_mins(2);

/// Units from the finest, with names for messages.
const UNITS: &[(Duration, &str)] = &[
    (Duration::from_nanos(1), "nanoseconds"),
    (Duration::from_micros(1), "microseconds"),
    (Duration::from_millis(1), "milliseconds"),
    (Duration::from_secs(1), "seconds"),
    (Duration::from_mins(1), "minutes"),
    (Duration::from_hours(1), "hours"),
    (Duration::from_hours(24), "days"),
];

pub(super) fn lower(
    given: &Here<CursorKeys>,
    changes: &ChangesKeys,
    request: Option<&RequestRule>,
    findings: &mut Findings<'_>,
) -> Option<CursorRule> {
    let keys = &given.value;
    if let Some(queue) = keys.queue.value() {
        only_with_time(keys, "queue", findings);
        only_with_log(keys, findings);
        return queue::lower(queue, changes, request, findings).map(CursorRule::Queue);
    }
    if let Some(place) = keys.number.value() {
        only_with_time(keys, "number", findings);
        let log = log::lower(place, "number", keys, changes, request, findings)?;
        return Some(CursorRule::Number(log));
    }
    if let Some(place) = keys.token.value() {
        only_with_time(keys, "token", findings);
        let log = log::lower(place, "token", keys, changes, request, findings)?;
        return Some(CursorRule::Token(log));
    }
    let time = keys.time.here()?;
    only_with_log(keys, findings);
    let zone = keys
        .zone
        .value()
        .map_or(TimeZone::UTC, |zone| zone.0.clone());
    let (format, finest) = time_format(&time.value.0.text, &zone, time.place, findings)?;
    let granularity = match keys.granularity.here() {
        Some(given) if given.value.0 < finest => {
            let unit = UNITS
                .iter()
                .find(|(length, _)| *length == finest)
                .map_or("", |(_, name)| name);
            findings
                .error(
                    codes::BAD_TIME_FORMAT,
                    given.place,
                    "a granularity finer than the format writes",
                )
                .also(time.place, format!("writes whole {unit}"))
                .help("leave it out: the default is the smallest unit that the format writes");
            return None;
        }
        Some(given) => given.value.0,
        None => finest,
    };
    let overlap = keys
        .overlap
        .value()
        .map_or(DEFAULT_OVERLAP, |overlap| overlap.0);
    Some(CursorRule::Time(TimeCursor {
        format,
        zone,
        granularity,
        overlap: overlap.max(granularity),
        settle: keys
            .settle
            .value()
            .map_or(Duration::ZERO, |settle| settle.0),
        source: source(keys, findings)?,
        longest_window: longest_window(keys, overlap, granularity, findings).ok()?,
    }))
}

/// A slice begins a granule before the end of the one before it, and the first an overlap before the cursor.
fn longest_window(
    keys: &CursorKeys,
    overlap: Duration,
    granularity: Duration,
    findings: &mut Findings<'_>,
) -> Result<Option<Duration>, Reported> {
    let window = match &keys.window {
        Given::Absent => return Ok(None),
        Given::Wrong => return Err(Reported),
        Given::Here(window) => window,
    };
    let longest = window.value.longest.here().ok_or(Reported)?;
    let least = overlap
        .max(granularity)
        .saturating_add(granularity.saturating_mul(2));
    if longest.value.0 <= least {
        findings
            .error(
                codes::BAD_SLICES,
                longest.place,
                "slices that would hardly get any further",
            )
            .expected(format!(
                "expected more than the overlap and two granules, {least:?}"
            ))
            .help("write the longest span that the EHR allows in one request, such as `7d`; a shorter `overlap` leaves more of it");
        return Err(Reported);
    }
    Ok(Some(longest.value.0))
}

fn source(keys: &CursorKeys, findings: &mut Findings<'_>) -> Option<TimeSource> {
    match &keys.answer {
        Given::Absent => Some(by_field(keys, findings)),
        Given::Wrong => None,
        Given::Here(answer) => {
            if let Some(order) = keys.order.here() {
                findings
                    .error(
                        codes::MISMATCHED_KEYS,
                        order.key,
                        "`order` together with `answer`",
                    )
                    .also(
                        answer.key,
                        "the cursor is taken from here, whatever the order",
                    )
                    .help("take one of them out");
            }
            Some(TimeSource::Answer(answer.value.filter.clone()))
        }
    }
}

fn by_field(keys: &CursorKeys, findings: &mut Findings<'_>) -> TimeSource {
    match (&keys.field, keys.order.here()) {
        (Given::Absent, order) => {
            if let Some(order) = order {
                findings
                    .error(codes::MISMATCHED_KEYS, order.key, "`order` without `field`")
                    .help(
                        "the order is that of a field of the records: name it, or take `order` out",
                    );
            }
            TimeSource::SourceClock
        }
        (_, Some(order)) => match order.value {
            OrderWord::Unordered => TimeSource::Field,
            OrderWord::Ascending => TimeSource::AscendingField,
            OrderWord::Descending => TimeSource::DescendingField,
        },
        _ => TimeSource::Field,
    }
}

/// How records say when they changed: as the cursor's field does.
pub(super) fn dated_by(given: &Given<CursorKeys>, cursor: &CursorRule) -> Option<DateField> {
    let field = given.value()?.field.value()?;
    let CursorRule::Time(time) = cursor else {
        return None;
    };
    Some(DateField {
        field: field.filter.clone(),
        format: time.format.clone(),
        zone: time.zone.clone(),
    })
}

fn only_with_time(keys: &CursorKeys, kind: &str, findings: &mut Findings<'_>) {
    let given = [
        ("zone", keys.zone.here().map(|here| here.key)),
        ("overlap", keys.overlap.here().map(|here| here.key)),
        ("settle", keys.settle.here().map(|here| here.key)),
        ("granularity", keys.granularity.here().map(|here| here.key)),
        ("field", keys.field.here().map(|here| here.key)),
        (
            "order",
            (keys.order.here())
                .filter(|_| kind == "queue")
                .map(|here| here.key),
        ),
        ("answer", keys.answer.here().map(|here| here.key)),
        ("window", keys.window.here().map(|here| here.key)),
    ];
    for (name, place) in given {
        if let Some(place) = place {
            findings
                .error(
                    codes::MISMATCHED_KEYS,
                    place,
                    format!("`{name}` goes with a `time` cursor only"),
                )
                .help(format!("take it out: a `{kind}` has no time in it"));
        }
    }
}

fn only_with_log(keys: &CursorKeys, findings: &mut Findings<'_>) {
    if let Some(end) = keys.end.here() {
        findings
            .error(
                codes::MISMATCHED_KEYS,
                end.key,
                "`end` goes with a `number` or a `token` only",
            )
            .help("take it out: `start: now` needs no place of the EHR's here");
    }
}

/// The format and the smallest unit that it writes.
pub(super) fn time_format(
    text: &str,
    zone: &TimeZone,
    place: Place,
    findings: &mut Findings<'_>,
) -> Option<(TimeFormat, Duration)> {
    const WORDS: [&str; 4] = [
        "rfc3339",
        "epoch_seconds",
        "epoch_milliseconds",
        "http_date",
    ];
    match text {
        "rfc3339" => return Some((TimeFormat::Rfc3339, Duration::from_millis(1))),
        "epoch_seconds" => return Some((TimeFormat::EpochSeconds, Duration::from_secs(1))),
        "epoch_milliseconds" => {
            return Some((TimeFormat::EpochMilliseconds, Duration::from_millis(1)));
        }
        "http_date" => return Some((TimeFormat::HttpDate, Duration::from_secs(1))),
        _ => {}
    }
    if !text.contains('%') {
        let shown = crate::reading::shortened(text);
        let diagnostic = findings.error(
            codes::BAD_TIME_FORMAT,
            place,
            format!("`{shown}` is no time format"),
        );
        diagnostic.expected(
            "expected strftime, `rfc3339`, `epoch_seconds`, `epoch_milliseconds` or `http_date`",
        );
        match rounds_map::nearest(text, WORDS) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help("a strftime format is written like `%Y-%m-%dT%H:%M:%S`"),
        };
        return None;
    }
    match format::examine(text, zone) {
        Ok(finest) => {
            if let Some(doubt) = format::false_utc(text, zone) {
                findings
                    .warning(codes::BAD_TIME_FORMAT, place, doubt.message)
                    .help(doubt.help);
            }
            Some((TimeFormat::Strftime(text.to_owned()), finest))
        }
        Err(trouble) => {
            findings
                .error(codes::BAD_TIME_FORMAT, place, trouble.message)
                .expected("expected a strftime format such as `%Y-%m-%dT%H:%M:%S`")
                .help(trouble.help);
            None
        }
    }
}
