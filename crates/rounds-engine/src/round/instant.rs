//! Instants as EHRs write them.
//!
//! Asking too late loses changes and asking too early costs nothing, because the ledger knows what was told. So
//! everything here leans to the earlier side: an instant is cut down to what the request can express and never rounded
//! up; a local time that comes twice (the hour that is repeated when clocks go back) is asked from before that hour,
//! because nobody knows which of the two the EHR takes it for; a field in such an hour is read as the first of the two.

use crate::moment::later;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, Zoned};
use rounds_domain::plan::{DateField, DateRange, TimeCursor, TimeFormat};
use rounds_map::Json;
use std::time::Duration;

/// How many hours a repetition of local times may last, when clocks go back (days, where an island changed its date).
const LONGEST_REPETITION_HOURS: u32 = 26;

/// An instant as it goes into a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    /// The text.
    pub(crate) text: String,
    /// The instant that the text stands for: the given one or an earlier one.
    pub(crate) instant: Timestamp,
}

/// Writes an instant, cut down to the cursor's granularity.
pub(crate) fn write(moment: Timestamp, rule: &TimeCursor) -> Result<Written, jiff::Error> {
    let local = cut(moment, rule)?;
    let local = match &rule.format {
        TimeFormat::Strftime(format) if !tells_offset(format) => before_repeated_hour(local)?,
        _ => local,
    };
    let instant = local.timestamp();
    let text = match &rule.format {
        TimeFormat::Strftime(format) => jiff::fmt::strtime::format(format, &local)?,
        TimeFormat::Rfc3339 => rfc3339(&local, rule.granularity),
        TimeFormat::EpochSeconds => instant.as_second().to_string(),
        TimeFormat::EpochMilliseconds => instant.as_millisecond().to_string(),
        TimeFormat::HttpDate => {
            jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&instant)?
        }
    };
    Ok(Written { text, instant })
}

/// Writes an instant for an upper bound that may lie too late and must not lie too early: one granule on, and behind an hour
/// that comes twice.
pub(crate) fn write_not_before(
    moment: Timestamp,
    rule: &TimeCursor,
) -> Result<Written, jiff::Error> {
    let mut asked = later(moment, rule.granularity);
    // A zone has one such hour at a time, and it is over after a few.
    for _ in 0..LONGEST_REPETITION_HOURS {
        let written = write(asked, rule)?;
        if written.instant >= moment {
            return Ok(written);
        }
        asked = later(asked, Duration::from_hours(1));
    }
    write(asked, rule)
}

/// Reads a record's field. Anything with an offset is taken as it is; a time without one is in the field's zone.
pub(crate) fn read(value: &Json, rule: &DateField) -> Option<Timestamp> {
    read_as(value, &rule.format, &rule.zone)
}

/// Reads an instant that is written so, or in a way that needs no telling.
pub(crate) fn read_as(value: &Json, format: &TimeFormat, zone: &TimeZone) -> Option<Timestamp> {
    let text = value.scalar_text()?;
    let text = text.trim();
    match format {
        TimeFormat::EpochSeconds => return epoch(text, 1_000_000_000),
        TimeFormat::EpochMilliseconds => return epoch(text, 1_000_000),
        TimeFormat::HttpDate => {
            let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text);
            if date.is_ok() {
                return date.ok();
            }
        }
        TimeFormat::Rfc3339 | TimeFormat::Strftime(_) => {}
    }
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant);
    }
    if let Ok(local) = text.parse::<DateTime>() {
        return earlier_of(local, zone);
    }
    let TimeFormat::Strftime(format) = format else {
        return None;
    };
    let parsed = jiff::fmt::strtime::parse(format, text).ok()?;
    if let Ok(instant) = parsed.to_timestamp() {
        return Some(instant);
    }
    let local = parsed
        .to_datetime()
        .or_else(|_| {
            parsed
                .to_date()
                .map(|date| date.to_datetime(jiff::civil::Time::midnight()))
        })
        .ok()?;
    earlier_of(local, zone)
}

/// Reads the day of a record's date or time, as it is in the range's zone.
pub(crate) fn read_day(value: &Json, range: &DateRange) -> Option<Date> {
    let text = value.scalar_text()?;
    let text = text.trim();
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant.to_zoned(range.zone.clone()).date());
    }
    // A date, or a date and a time without an offset, stands for that day in any zone.
    text.parse::<DateTime>()
        .map(DateTime::date)
        .or_else(|_| text.parse::<Date>())
        .or_else(|_| {
            jiff::fmt::strtime::parse(&range.format, text).and_then(|parsed| parsed.to_date())
        })
        .ok()
}

/// Whether text written so says which of two equal local times is meant.
fn tells_offset(format: &str) -> bool {
    ["%z", "%:z", "%Z", "%s"]
        .iter()
        .any(|directive| format.contains(directive))
}

fn cut(moment: Timestamp, rule: &TimeCursor) -> Result<Zoned, jiff::Error> {
    let local = moment.to_zoned(rule.zone.clone());
    let granule = i64::try_from(rule.granularity.as_nanos())
        .unwrap_or(i64::MAX)
        .max(1);
    let midnight = local.date().to_datetime(jiff::civil::Time::midnight());
    let since_midnight = local.datetime().duration_since(midnight).as_nanos();
    let excess = since_midnight.rem_euclid(i128::from(granule));
    let cut = local.datetime().checked_sub(SignedDuration::from_nanos(
        i64::try_from(excess).unwrap_or(0),
    ))?;
    if cut == local.datetime() {
        return Ok(local);
    }
    // The local time may mean two instants: that of the two which lies next to the moment, and not after it. Who writes it
    // without its offset goes back before both of them.
    let both = rule.zone.to_ambiguous_timestamp(cut);
    let later = both.later().ok().filter(|later| *later <= moment);
    let instant = later.or_else(|| both.earlier().ok());
    let instant = instant.unwrap_or(moment).min(moment);
    Ok(instant.to_zoned(rule.zone.clone()))
}

fn before_repeated_hour(local: Zoned) -> Result<Zoned, jiff::Error> {
    let ambiguous = local.time_zone().to_ambiguous_timestamp(local.datetime());
    let AmbiguousOffset::Fold { before, after } = ambiguous.offset() else {
        return Ok(local);
    };
    let repeated = before.duration_since(after).abs();
    ambiguous
        .earlier()?
        .checked_sub(repeated)
        .map(|instant| instant.to_zoned(local.time_zone().clone()))
}

fn earlier_of(local: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_ambiguous_timestamp(local).earlier().ok()
}

fn epoch(text: &str, nanoseconds_per_unit: i128) -> Option<Timestamp> {
    // Some writers of JSON give large numbers as `1.795648091359e12`.
    if let Some((digits, exponent)) = text.split_once(['e', 'E']) {
        let moved = without_exponent(digits, exponent.parse().ok()?)?;
        return epoch(&moved, nanoseconds_per_unit);
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole: i128 = whole.parse().ok()?;
    let digits: String = fraction.chars().take(9).collect();
    let scale = 10_i128.pow(u32::try_from(digits.len()).ok()?);
    let part: i128 = if digits.is_empty() {
        0
    } else {
        digits.parse().ok()?
    };
    let part = if text.starts_with('-') { -part } else { part };
    let nanoseconds = whole
        .checked_mul(nanoseconds_per_unit)?
        .checked_add((part * nanoseconds_per_unit).div_euclid(scale))?;
    Timestamp::from_nanosecond(nanoseconds).ok()
}

/// A number with its point moved to the right; None where that gives more digits than an instant has.
fn without_exponent(digits: &str, exponent: i32) -> Option<String> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let places = usize::try_from(exponent)
        .ok()
        .filter(|places| *places <= 30)?;
    let kept = fraction.len().min(places);
    let (moved, rest) = fraction.split_at_checked(kept)?;
    if whole.trim_start_matches('-').is_empty() {
        return None;
    }
    Some(format!(
        "{whole}{moved}{}.{rest}",
        "0".repeat(places - kept)
    ))
}

fn rfc3339(local: &Zoned, granularity: Duration) -> String {
    let digits: u8 = match granularity.subsec_nanos() {
        0 => 0,
        nanoseconds if nanoseconds % 1_000_000 == 0 => 3,
        nanoseconds if nanoseconds % 1_000 == 0 => 6,
        _ => 9,
    };
    let printer = jiff::fmt::temporal::DateTimePrinter::new().precision(Some(digits));
    if local.time_zone() == &TimeZone::UTC || local.offset().is_zero() {
        printer.timestamp_to_string(&local.timestamp())
    } else {
        printer.timestamp_with_offset_to_string(&local.timestamp(), local.offset())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rounds_domain::plan::TimeSource;
    use rounds_map::Filter;

    fn rule(format: &str, zone: &str, granularity: Duration) -> TimeCursor {
        TimeCursor {
            format: match format {
                "rfc3339" => TimeFormat::Rfc3339,
                "epoch_seconds" => TimeFormat::EpochSeconds,
                "epoch_milliseconds" => TimeFormat::EpochMilliseconds,
                "http_date" => TimeFormat::HttpDate,
                format => TimeFormat::Strftime(format.to_owned()),
            },
            zone: TimeZone::get(zone).expect("a zone"),
            granularity,
            overlap: Duration::ZERO,
            settle: Duration::ZERO,
            source: TimeSource::Field,
            longest_window: None,
        }
    }

    /// The field of records that are written as the cursor is.
    fn field(rule: &TimeCursor) -> DateField {
        DateField {
            field: Filter::compile(".at").expect("a filter"),
            format: rule.format.clone(),
            zone: rule.zone.clone(),
        }
    }

    fn written(moment: &str, rule: &TimeCursor) -> (String, String) {
        let written = write(moment.parse().expect("an instant"), rule).expect("can be written");
        (written.text, written.instant.to_string())
    }

    const SECOND: Duration = Duration::from_secs(1);
    const NAIVE: &str = "%Y-%m-%dT%H:%M:%S";

    #[test]
    fn an_instant_is_cut_down_and_never_rounded_up() {
        assert_eq!(
            written("2026-05-01T10:00:59.999Z", &rule(NAIVE, "UTC", SECOND)),
            ("2026-05-01T10:00:59".into(), "2026-05-01T10:00:59Z".into())
        );
        assert_eq!(
            written(
                "2026-05-01T03:59:59Z",
                &rule("%m/%d/%Y", "America/New_York", Duration::from_hours(24))
            ),
            ("04/30/2026".into(), "2026-04-30T04:00:00Z".into())
        );
        assert_eq!(
            written(
                "2026-05-01T10:00:00.123456789Z",
                &rule("rfc3339", "UTC", Duration::from_millis(1))
            ),
            (
                "2026-05-01T10:00:00.123Z".into(),
                "2026-05-01T10:00:00.123Z".into()
            )
        );
    }

    #[test]
    fn local_time_is_written_in_the_zone_that_the_ehr_reads() {
        let asked = "2026-04-26T23:29:50Z";
        assert_eq!(
            written(asked, &rule(NAIVE, "America/New_York", SECOND)).0,
            "2026-04-26T19:29:50"
        );
        assert_eq!(
            written(asked, &rule(NAIVE, "Asia/Bangkok", SECOND)).0,
            "2026-04-27T06:29:50"
        );
        assert_eq!(
            written(asked, &rule("rfc3339", "Asia/Bangkok", SECOND)).0,
            "2026-04-27T06:29:50+07:00"
        );
    }

    #[test]
    fn an_hour_that_comes_twice_is_asked_from_before_it() {
        let rule = rule(NAIVE, "America/New_York", SECOND);
        for moment in ["2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"] {
            let (text, instant) = written(moment, &rule);
            assert_eq!(text, "2026-11-01T00:30:00");
            assert_eq!(instant, "2026-11-01T04:30:00Z");
        }
        assert_eq!(
            written("2026-11-01T07:00:00Z", &rule).0,
            "2026-11-01T02:00:00"
        );
    }

    #[test]
    fn an_instant_that_needs_no_zone_is_cut_within_its_own_hour_when_hours_repeat() {
        // 01:10:18.5 in New York, for the second time.
        let moment = "2026-11-01T06:10:18.5Z";
        for (format, text) in [
            ("epoch_seconds", "1793513400"),
            ("rfc3339", "2026-11-01T01:10:00-05:00"),
        ] {
            assert_eq!(
                written(
                    moment,
                    &rule(format, "America/New_York", Duration::from_mins(1))
                ),
                (text.into(), "2026-11-01T06:10:00Z".into())
            );
        }
        // A day's beginning lies on the other side of the change.
        assert_eq!(
            written(
                moment,
                &rule("rfc3339", "America/New_York", Duration::from_hours(24))
            )
            .1,
            "2026-11-01T04:00:00Z"
        );
    }

    #[test]
    fn an_hour_that_does_not_exist_is_read_from_before_it() {
        let rule = rule(NAIVE, "America/New_York", SECOND);
        let read = read(&Json::string("2026-03-08T02:30:00"), &field(&rule)).expect("an instant");
        assert!(read <= "2026-03-08T07:30:00Z".parse().expect("an instant"));
    }

    #[test]
    fn several_ways_of_writing_one_instant_are_read_alike_and_keep_their_digits() {
        let rule = field(&rule("%m/%d/%Y %I:%M %p", "UTC", Duration::from_mins(1)));
        let expected: Timestamp = "2026-01-01T00:00:00Z".parse().expect("an instant");
        for text in [
            "2026-01-01T00:00:00Z",
            "2026-01-01 00:00:00",
            "2026-01-01T07:00:00+07:00",
            "01/01/2026 12:00 AM",
        ] {
            assert_eq!(read(&Json::string(text), &rule), Some(expected), "{text}");
        }
        let exact = read(&Json::string("2026-01-01T00:00:00.123456Z"), &rule).expect("an instant");
        assert_eq!(exact.subsec_nanosecond(), 123_456_000);
        assert_eq!(read(&Json::string("soon"), &rule), None);
        assert_eq!(read(&Json::null(), &rule), None);
    }

    #[test]
    fn seconds_and_milliseconds_since_1970_are_read_as_numbers_or_text() {
        let seconds = rule("epoch_seconds", "UTC", SECOND);
        let expected: Timestamp = "2026-01-01T00:00:00.5Z".parse().expect("an instant");
        assert_eq!(
            read(&Json::string("1767225600.5"), &field(&seconds)),
            Some(expected)
        );
        let milliseconds = rule("epoch_milliseconds", "UTC", Duration::from_millis(1));
        assert_eq!(
            read(&Json::integer(1_767_225_600_500), &field(&milliseconds)),
            Some(expected)
        );
        for text in ["1.7672256005e12", "17672256005E2", "1.7672256005e+12"] {
            let value = Json::parse(text.as_bytes()).expect("is JSON");
            assert_eq!(
                read(&value, &field(&milliseconds)),
                Some(expected),
                "{text}"
            );
        }
        for text in ["1e400", "1e-3", "e12"] {
            assert_eq!(
                read(&Json::string(text), &field(&milliseconds)),
                None,
                "{text}"
            );
        }
        assert_eq!(
            written("2026-01-01T00:00:00.5Z", &milliseconds).0,
            "1767225600500"
        );
    }

    #[test]
    fn an_http_date_is_in_gmt_whatever_the_zone_and_is_read_back() {
        let rule = rule("http_date", "America/New_York", SECOND);
        let (text, instant) = written("2026-05-01T10:00:59.999Z", &rule);
        assert_eq!(text, "Fri, 01 May 2026 10:00:59 GMT");
        let back = read(&Json::string(text), &field(&rule)).expect("an instant");
        assert_eq!(back.to_string(), instant);
        // A field need not be written as the header is.
        assert!(read(&Json::string("2026-05-01T10:00:59.999Z"), &field(&rule)).is_some());
    }

    #[test]
    fn an_upper_bound_that_must_not_lie_too_early_is_past_the_hour_that_comes_twice() {
        let rule = rule(NAIVE, "America/New_York", SECOND);
        let bound = |moment: &str| {
            let moment: Timestamp = moment.parse().expect("an instant");
            let written = write_not_before(moment, &rule).expect("can be written");
            assert!(written.instant >= moment);
            written.text
        };
        // 01:30 in New York, for the first and for the second time.
        assert!(bound("2026-11-01T05:30:00Z").as_str() >= "2026-11-01T02:00:00");
        assert!(bound("2026-11-01T06:30:00Z").as_str() >= "2026-11-01T02:00:00");
        assert_eq!(bound("2026-05-01T12:00:00.5Z"), "2026-05-01T08:00:01");
    }

    #[test]
    fn the_day_of_a_record_is_that_of_its_place() {
        let range = |zone: &str| DateRange {
            from_days: 0,
            to_days: 0,
            zone: TimeZone::get(zone).expect("a zone"),
            format: "%d.%m.%Y".to_owned(),
            field: Filter::compile(".at").expect("a filter"),
            longest_days: None,
        };
        let day = |text: &str, zone: &str| {
            read_day(&Json::string(text), &range(zone)).map(|day| day.to_string())
        };
        let berlin = "Europe/Berlin";
        for (text, expected) in [
            ("2026-05-01T22:30:00Z", "2026-05-02"),
            ("2026-05-01T22:30:00", "2026-05-01"),
            ("2026-05-01", "2026-05-01"),
            ("01.05.2026", "2026-05-01"),
        ] {
            assert_eq!(day(text, berlin).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(day("tomorrow", berlin), None);
    }
}
