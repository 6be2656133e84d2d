//! Dates, times and phone numbers in the form that a model has, whatever the EHR's.
//!
//! A receiver parses one form. An EHR writes times with an offset, in local time without one, or as HL7 does (`20260501093000`). What
//! is the same instant comes out the same: ISO 8601 in UTC. What is less than an instant stays as little as it is: a day of which nobody knows the
//! hour is a day (`2026-05-01`), and a local time of a source whose zone nobody knows stays local, because `Z` behind it would be a lie.
//! A date of birth is a day and never moves into another one by a zone.
//!
//! What to mind: in the hour that a zone has twice the earlier one is meant, in the one that it has not the one after it, as calendars do
//! (RFC 5545, 3.3.5). A phone number without the code of its country stays as it is: whose country it is, it does not say.

use super::{Field, Format, Model, ModelError, ModelProblem, Scalar, Shape};
use crate::Json;
use crate::body::Path;
use jiff::civil::{Date, DateTime};
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// Reads an instant of a form of its own.
pub type Reader<'s> = &'s dyn Fn(&str) -> Option<Timestamp>;

/// How a source writes its times.
#[derive(Clone, Copy, Default)]
pub struct SourceTimes<'s> {
    /// The zone of those that have no offset, if it is known.
    pub zone: Option<&'s TimeZone>,
    /// Reads those of a form of its own.
    pub read: Option<Reader<'s>>,
}

/// `body` with each value in the form of its field, and what could not be read: of a message of this event, or of any.
pub(super) fn formed(
    model: &Model,
    event: Option<&str>,
    body: &Json,
    times: SourceTimes<'_>,
) -> (Json, Vec<ModelError>) {
    let mut walk = Walk {
        event,
        times,
        path: Path::default(),
        errors: Vec::new(),
    };
    let formed = walk.object(&model.root, body);
    (formed, walk.errors)
}

struct Walk<'w> {
    event: Option<&'w str>,
    times: SourceTimes<'w>,
    path: Path,
    errors: Vec<ModelError>,
}

impl Walk<'_> {
    fn object(&mut self, fields: &[Field], value: &Json) -> Json {
        if value.kind() != crate::JsonKind::Object {
            return value.clone();
        }
        let members: Vec<(String, Json)> = (value.members())
            .map(|(key, member)| {
                let field = fields.iter().find(|field| field.name == key);
                let is_present =
                    |field: &&Field| self.event.is_none_or(|event| field.present.hold(event));
                let field = field.filter(is_present);
                let step = self.path.enter_member(key);
                let formed =
                    field.map_or_else(|| member.clone(), |field| self.member(field, &member));
                self.path.back(step);
                (key.to_owned(), formed)
            })
            .collect();
        Json::object(members)
    }

    fn member(&mut self, field: &Field, value: &Json) -> Json {
        match &field.shape {
            Shape::Scalar(Scalar::Text(format)) => self.text(*format, value),
            Shape::Object(fields) => self.object(fields, value),
            Shape::ListOfObjects(fields) if value.kind() == crate::JsonKind::Array => {
                let items: Vec<Json> = (value.items().enumerate())
                    .map(|(index, item)| {
                        let step = self.path.enter_item(index);
                        let formed = self.object(fields, &item);
                        self.path.back(step);
                        formed
                    })
                    .collect();
                Json::array(items)
            }
            Shape::Scalar(_) | Shape::ListOfObjects(_) | Shape::ListOfAny => value.clone(),
        }
    }

    fn text(&mut self, format: Format, value: &Json) -> Json {
        let Some(text) = value.as_str().map(str::trim) else {
            return value.clone();
        };
        let formed = match format {
            Format::Any => return value.clone(),
            Format::Phone => return Json::string(phone(text)),
            // An empty text is how some APIs write that there is none.
            Format::Date | Format::DateTime if text.is_empty() => return Json::null(),
            Format::Date => date(text),
            Format::DateTime => date_time(text, self.times),
        };
        formed.map_or_else(
            || {
                self.errors.push(ModelError {
                    path: self.path.shown(),
                    problem: ModelProblem::Unreadable {
                        needed: format.with_article(),
                    },
                });
                value.clone()
            },
            Json::string,
        )
    }
}

/// Whether a text of a message is as a model has it.
pub(super) fn is_formed(format: Format, text: &str) -> bool {
    match format {
        Format::Any | Format::Phone => true,
        Format::Date => partial_date(text).as_deref() == Some(text),
        Format::DateTime => {
            // Fractions and offsets may be written in more than one way.
            let is_instant =
                text.contains('T') && DateTimeParser::new().parse_timestamp(text).is_ok();
            is_instant || date_time(text, SourceTimes::default()).as_deref() == Some(text)
        }
    }
}

/// An instant in UTC, or what little is known of it.
pub(crate) fn date_time(text: &str, times: SourceTimes<'_>) -> Option<String> {
    if let Some(instant) = instant(text) {
        return Some(utc(instant));
    }
    if let Some(partial) = partial_date(text) {
        return Some(partial);
    }
    if let Some(local) = local(text) {
        return match times.zone {
            None => Some(local.strftime(FORM).to_string()),
            Some(zone) => Some(utc(zone.to_timestamp(local).ok()?)),
        };
    }
    times.read.and_then(|read| read(text)).map(utc)
}

/// A day, or as much of it as is known.
pub(crate) fn date(text: &str) -> Option<String> {
    partial_date(text).or_else(|| {
        // The day as it is written, whatever the offset behind it.
        let is_time = instant(text).is_some() || local(text).is_some();
        let written = text.get(..10).and_then(|day| day.parse::<Date>().ok());
        let day = written.or_else(|| compact_day(text));
        day.filter(|_| is_time).map(|day| day.to_string())
    })
}

const FORM: &str = "%Y-%m-%dT%H:%M:%S";

fn utc(instant: Timestamp) -> String {
    // Milliseconds are what receivers read; what is less than one is cut off.
    let whole = instant.as_millisecond() % 1000 == 0;
    let shown = instant.strftime(FORM);
    if whole {
        format!("{shown}Z")
    } else {
        format!("{shown}.{:03}Z", instant.as_millisecond().rem_euclid(1000))
    }
}

/// What has an offset.
fn instant(text: &str) -> Option<Timestamp> {
    if let Ok(instant) = DateTimeParser::new().parse_timestamp(text) {
        return Some(instant);
    }
    // HL7: `20260501093000.123-0500`.
    let at = text.find(['+', '-'])?;
    let (local, offset) = text.split_at(at);
    let local = compact(local)?;
    let (sign, digits) = offset.split_at(1);
    let digits = Some(digits).filter(|digits| digits.len() == 4 && is_digits(digits))?;
    let minutes: i64 = digits[..2].parse::<i64>().ok()? * 60 + digits[2..].parse::<i64>().ok()?;
    let minutes = if sign == "-" { -minutes } else { minutes };
    let in_utc = local.checked_sub(minutes.minutes()).ok()?;
    TimeZone::UTC.to_timestamp(in_utc).ok()
}

/// What has no offset, and an hour.
fn local(text: &str) -> Option<DateTime> {
    let has_time = text.contains([':', 'T']);
    let parsed = has_time.then(|| DateTimeParser::new().parse_datetime(text).ok());
    parsed.flatten().or_else(|| compact(text))
}

/// `202605010930`, `20260501093000`, with fractions or without.
fn compact(text: &str) -> Option<DateTime> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !is_digits(whole) || !(fraction.is_empty() || is_digits(fraction)) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| whole.get(range)?.parse::<i8>().ok();
    let seconds = match whole.len() {
        12 => 0,
        14 => number(12..14)?,
        _ => return None,
    };
    let nanoseconds: i32 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    let day = compact_day(&whole[..8])?;
    jiff::civil::Time::new(number(8..10)?, number(10..12)?, seconds, nanoseconds)
        .ok()
        .map(|time| day.to_datetime(time))
}

fn compact_day(digits: &str) -> Option<Date> {
    let number = |range: std::ops::Range<usize>| digits.get(range)?.parse::<i8>().ok();
    Date::new(digits.get(..4)?.parse().ok()?, number(4..6)?, number(6..8)?).ok()
}

/// `2026`, `2026-05`, `2026-05-01`, `20260501`: as FHIR and HL7 have dates of which not all is known.
fn partial_date(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split('-').collect();
    let fits = |part: &&str, length: usize| part.len() == length && is_digits(part);
    match parts.as_slice() {
        [year] if fits(year, 8) => compact_day(year).map(|day| day.to_string()),
        [year] if fits(year, 4) => Some(text.to_owned()),
        [year, month] if fits(year, 4) && fits(month, 2) => {
            let is_month = matches!(month.parse(), Ok(1..=12_u8));
            is_month.then(|| text.to_owned())
        }
        [year, month, day] if fits(year, 4) && fits(month, 2) && fits(day, 2) => {
            text.parse::<Date>().ok().map(|day| day.to_string())
        }
        _ => None,
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A number with the code of its country as E.164 (ITU-T): `+` and up to fifteen digits. Any other stays as it is.
fn phone(text: &str) -> String {
    let number = text.strip_prefix("tel:").unwrap_or(text).trim();
    let digits = number.strip_prefix('+').map(|rest| {
        let rest = rest.replace("(0)", "");
        let kept = rest.chars().filter(|sign| !" -.()/\u{a0}".contains(*sign));
        kept.collect::<String>()
    });
    let is_one = |digits: &String| is_digits(digits) && (7..=15).contains(&digits.len());
    match digits.filter(is_one) {
        Some(digits) => format!("+{digits}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str, zone: Option<&str>) -> Option<String> {
        let zone = zone.map(|name| TimeZone::get(name).expect("a zone"));
        let times = SourceTimes {
            zone: zone.as_ref(),
            read: Some(&|text| (text == "Friday").then_some(Timestamp::UNIX_EPOCH)),
        };
        date_time(text, times)
    }

    #[test]
    fn one_instant_comes_out_in_one_form() {
        let chicago = Some("America/Chicago");
        for text in [
            "2026-05-01T14:30:00Z",
            "2026-05-01T14:30:00.000Z",
            "2026-05-01T09:30:00-05:00",
            "2026-05-01 09:30:00-05:00",
            "2026-05-01T16:30:00+02:00",
            "20260501093000-0500",
            "20260501093000.0000-0500",
            "2026-05-01T09:30:00",
            "2026-05-01 09:30",
            "2026-05-01T09:30",
            "20260501093000",
            "202605010930",
        ] {
            assert_eq!(
                of(text, chicago).as_deref(),
                Some("2026-05-01T14:30:00Z"),
                "{text}"
            );
        }
        assert_eq!(
            of("2026-05-01T14:30:00.123456Z", None).as_deref(),
            Some("2026-05-01T14:30:00.123Z")
        );
        assert_eq!(
            of("1969-12-31T23:59:59.5Z", None).as_deref(),
            Some("1969-12-31T23:59:59.500Z")
        );
        assert_eq!(of("Friday", None).as_deref(), Some("1970-01-01T00:00:00Z"));
    }

    #[test]
    fn what_is_less_than_an_instant_stays_as_little() {
        let chicago = Some("America/Chicago");
        for (text, wanted) in [
            ("2026-05-01", "2026-05-01"),
            ("20260501", "2026-05-01"),
            ("2026-05", "2026-05"),
            ("2026", "2026"),
        ] {
            assert_eq!(of(text, chicago).as_deref(), Some(wanted), "{text}");
            assert_eq!(date(text).as_deref(), Some(wanted), "{text}");
        }
        assert_eq!(
            of("2026-05-01 09:30", None).as_deref(),
            Some("2026-05-01T09:30:00"),
            "no zone is known"
        );
    }

    #[test]
    fn hours_that_a_zone_has_twice_or_not_at_all_are_read_as_calendars_do() {
        let chicago = Some("America/Chicago");
        assert_eq!(
            of("2026-11-01T01:30:00", chicago).as_deref(),
            Some("2026-11-01T06:30:00Z")
        );
        assert_eq!(
            of("2026-03-08T02:30:00", chicago).as_deref(),
            Some("2026-03-08T08:30:00Z")
        );
    }

    #[test]
    fn a_day_never_moves_by_a_zone() {
        for text in [
            "1980-01-06",
            "19800106",
            "1980-01-06T00:00:00Z",
            "1980-01-06T23:59:59-11:00",
            "1980-01-06 00:00:00",
            "198001060000",
        ] {
            assert_eq!(date(text).as_deref(), Some("1980-01-06"), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "05/01/2026",
            "1/5/26",
            "unknown",
            "2026-13-01",
            "2026-02-30",
            "2026-13",
            "20261301",
            "12345",
            "May 1",
            "2026-05-01T25:00:00Z",
            "20260501093000-05",
            "2026050109",
        ] {
            assert_eq!(of(text, Some("America/Chicago")), None, "{text}");
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn phone_numbers_with_their_country_are_e_164() {
        for (text, wanted) in [
            ("+1 (808) 867-5301", "+18088675301"),
            ("tel:+1-808-867-5301", "+18088675301"),
            ("+49 (0)30 123456", "+4930123456"),
            ("+18088675301", "+18088675301"),
            ("(808) 867-5301", "(808) 867-5301"),
            ("+1 808 867 5301 ext. 7", "+1 808 867 5301 ext. 7"),
            ("call the daughter", "call the daughter"),
            ("+", "+"),
        ] {
            assert_eq!(phone(text), wanted, "{text}");
        }
    }

    proptest! {
        /// What is in the model's form stays as it is, so a record that is told twice is told alike.
        #[test]
        fn a_form_is_taken_once_whatever_the_text(text in "[0-9TZ:+. /-]{0,24}|\\PC{0,24}") {
            let zone = Some("America/Chicago");
            for formed in [of(&text, zone), of(&text, None), date(&text)].into_iter().flatten() {
                prop_assert_eq!(of(&formed, None), Some(formed.clone()));
            }
            let formed = phone(&text);
            prop_assert_eq!(phone(&formed), formed.clone());
        }
    }
}
