//! Times of the day and the week: cron fields, windows, zones, and where a feed starts.

use super::{Parse, PositiveLength, Problem, parsed};
use crate::codes;
use jiff::Timestamp;
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use rounds_domain::Code;
use rounds_domain::plan::{Baseline, Start, WeekdayRange, Window};
use serde_json::{Value, json};

/// Five cron fields.
#[derive(Debug, Clone)]
pub(crate) struct CronFields(pub(crate) croner::Cron);

/// An IANA time zone.
#[derive(Debug, Clone)]
pub(crate) struct Zone(pub(crate) TimeZone);

/// A part of the week.
#[derive(Debug, Clone)]
pub(crate) struct WindowText(pub(crate) Window);

/// Where a feed starts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StartWord(pub(crate) Start);

/// How far back a silent first round looks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BaselineWord(pub(crate) Baseline);

/// An instant; a date alone is its midnight in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InstantText(pub(crate) Timestamp);

/// Whole days from the day of a round, before it where negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DaysText(pub(crate) i32);

parsed!(
    CronFields,
    Zone,
    WindowText,
    StartWord,
    BaselineWord,
    InstantText,
    DaysText
);

impl Parse for CronFields {
    const EXPECTED: &'static str = "five cron fields: minute, hour, day, month, weekday";
    const CODE: Code = codes::BAD_CRON;

    fn parse(text: &str) -> Result<Self, Problem> {
        let fields = text.split_whitespace().count();
        if fields != 5 && !text.trim().starts_with('@') {
            let problem = Problem::whole(text, format!("{fields} fields where cron has five"));
            return Err(match fields {
                6 | 7 => problem.help(
                    "there is no field for seconds or years; for less than a minute use `every`",
                ),
                _ => problem.help(
                    "`*/15 7-19 * * 1-5` is every 15 minutes from 7:00 to 19:45, Monday to Friday",
                ),
            });
        }
        let parser = croner::parser::CronParser::builder()
            .seconds(croner::parser::Seconds::Disallowed)
            .year(croner::parser::Year::Disallowed)
            .build();
        parser
            .parse(text)
            .map(Self)
            .map_err(|_| wrong_field(text, parser))
    }

    fn pattern() -> Value {
        json!({ "type": "string" })
    }
}

const CRON_FIELDS: [(&str, &str); 5] = [
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of the month", "1 to 31, or `L` for the last"),
    ("month", "1 to 12, or JAN to DEC"),
    ("weekday", "0 to 7 (0 and 7 are Sunday), or SUN to SAT"),
];

/// The first field that is wrong by itself.
fn wrong_field(text: &str, parser: croner::parser::CronParser) -> Problem {
    for (index, ((name, range), (at, field))) in CRON_FIELDS.iter().zip(pieces(text)).enumerate() {
        let mut alone = ["*"; 5];
        alone[index] = field;
        if parser.parse(&alone.join(" ")).is_err() {
            let shown = crate::reading::shortened(field);
            let message = format!("`{shown}` cannot be the {name}");
            return Problem::new(at..at + field.len(), message)
                .help(format!("the {name} is {range}"));
        }
    }
    Problem::whole(text, "cron fields that cannot be read")
}

impl Parse for Zone {
    const EXPECTED: &'static str = "an IANA time zone such as `America/New_York`, or `UTC`";
    const CODE: Code = codes::UNKNOWN_ZONE;

    fn parse(text: &str) -> Result<Self, Problem> {
        if text == "UTC" {
            return Ok(Self(TimeZone::UTC));
        }
        TimeZone::get(text).map(Self).map_err(|_| {
            let problem = Problem::whole(
                text,
                format!("unknown time zone `{}`", crate::reading::shortened(text)),
            );
            if let Some(help) = fixed_offset(text) {
                return problem.help(help);
            }
            let names: Vec<String> = jiff::tz::db()
                .available()
                .map(|name| name.to_string())
                .collect();
            let near = rounds_map::nearest(text, names.iter().map(String::as_str));
            let city = names.iter().find(|name| {
                let last = name.rsplit('/').next().unwrap_or_default();
                last.eq_ignore_ascii_case(&text.replace(' ', "_"))
            });
            match city.map(String::as_str).or(near) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem,
            }
        })
    }

    fn doubt(text: &str) -> Option<Problem> {
        let (place, turned) = match text {
            "EST" => ("America/New_York", "Etc/GMT+5"),
            "MST" => ("America/Denver", "Etc/GMT+7"),
            _ => return None,
        };
        Some(
            Problem::whole(text, format!("`{text}` has no daylight saving time")).help(format!(
                "the clocks of the place are `{place}`; winter time all the year is `{turned}`"
            )),
        )
    }

    fn pattern() -> Value {
        json!({ "type": "string" })
    }
}

/// What to write for a text that is meant as a distance from UTC. The sign of `Etc/GMT+6` is turned round, so a likeness of names would
/// give the other side of the world.
fn fixed_offset(text: &str) -> Option<String> {
    let upper = text.to_ascii_uppercase();
    let rest = upper.strip_prefix("ETC/").unwrap_or(&upper);
    let rest = ["GMT", "UTC", "Z"]
        .iter()
        .find_map(|name| rest.strip_prefix(name))
        .unwrap_or(rest)
        .trim_start();
    let (sign, turned, side) = match rest.chars().next()? {
        '+' => ('+', '-', "east"),
        '-' | '\u{2212}' => ('-', '+', "west"),
        _ => return None,
    };
    let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
    let (hours, minutes) = match digits.len() {
        1 | 2 => (digits.as_str(), "00"),
        3 | 4 => digits.split_at(digits.len() - 2),
        _ => return None,
    };
    let (hours, minutes): (u8, u8) = (hours.parse().ok()?, minutes.parse().ok()?);
    if hours > 14 || minutes > 59 {
        return None;
    }
    let place = "name the place, such as `America/Chicago`: it knows daylight saving time";
    if minutes > 0 {
        return Some(place.to_owned());
    }
    Some(format!(
        "{place}. UTC{sign}{hours} all the year is `Etc/GMT{turned}{hours}`: {hours} hours {side} of Greenwich, and the sign of these names is turned round"
    ))
}

const DAYS: &[(&str, Weekday)] = &[
    ("Mon", Weekday::Monday),
    ("Tue", Weekday::Tuesday),
    ("Wed", Weekday::Wednesday),
    ("Thu", Weekday::Thursday),
    ("Fri", Weekday::Friday),
    ("Sat", Weekday::Saturday),
    ("Sun", Weekday::Sunday),
];

impl Parse for WindowText {
    const EXPECTED: &'static str = "a window such as `Mon-Fri 07:00-19:00` or `22:00-06:00`";
    const CODE: Code = codes::BAD_WINDOW;

    fn parse(text: &str) -> Result<Self, Problem> {
        let mut pieces = pieces(text);
        let mut days = None;
        if let Some((at, piece)) = pieces
            .first()
            .copied()
            .filter(|(_, piece)| piece.starts_with(char::is_alphabetic))
        {
            days = Some(weekdays(at, piece)?);
            pieces.remove(0);
        }
        let (from, to) = match pieces.as_slice() {
            [] if days.is_some() => (Time::midnight(), None),
            [(at, piece)] => times(*at, piece)?,
            [] => return Err(Problem::whole(text, "an empty window")),
            [_, (at, piece), ..] => {
                return Err(Problem::new(*at..at + piece.len(), "more than a window")
                    .help("several windows are a list: `[\"Mon-Fri 07:00-12:00\", \"Mon-Fri 13:00-19:00\"]`"));
            }
        };
        Ok(Self(Window { days, from, to }))
    }

    fn pattern() -> Value {
        json!({ "type": "string" })
    }
}

fn pieces(text: &str) -> Vec<(usize, &str)> {
    let offset = |piece: &str| piece.as_ptr().addr() - text.as_ptr().addr();
    text.split_whitespace()
        .map(|piece| (offset(piece), piece))
        .collect()
}

fn weekdays(at: usize, piece: &str) -> Result<WeekdayRange, Problem> {
    let (first, last) = piece.split_once('-').unwrap_or((piece, piece));
    let last_at = at + piece.len() - last.len();
    Ok(WeekdayRange {
        first: weekday(at, first)?,
        last: weekday(last_at, last)?,
    })
}

fn weekday(at: usize, word: &str) -> Result<Weekday, Problem> {
    let short: String = word.chars().take(3).collect();
    let long = |day: &Weekday| format!("{day:?}");
    let known = |(name, day): &&(&str, Weekday)| {
        name.eq_ignore_ascii_case(word) || long(day).eq_ignore_ascii_case(word)
    };
    if let Some((_, day)) = DAYS.iter().find(known) {
        return Ok(*day);
    }
    let problem = Problem::new(
        at..at + word.len(),
        format!("unknown weekday `{}`", crate::reading::shortened(word)),
    );
    Err(
        match DAYS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(&short))
        {
            Some((name, _)) => problem.help(format!("did you mean `{name}`?")),
            None => problem.help("the weekdays are Mon, Tue, Wed, Thu, Fri, Sat and Sun"),
        },
    )
}

fn times(at: usize, piece: &str) -> Result<(Time, Option<Time>), Problem> {
    let Some((from, to)) = piece.split_once('-') else {
        return Err(
            Problem::new(at..at + piece.len(), "a window without an end")
                .help("write `07:00-19:00`"),
        );
    };
    let start = time(at, from)?;
    let end = if to == "24:00" {
        None
    } else {
        Some(time(at + from.len() + 1, to)?)
    };
    // Midnight as the end is the end of the day, which is what people mean by it.
    Ok((start, end.filter(|end| *end != Time::midnight())))
}

fn time(at: usize, text: &str) -> Result<Time, Problem> {
    let parsed = text.split_once(':').and_then(|(hour, minute)| {
        let two_digits = |text: &str| {
            let digits =
                !text.is_empty() && text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| text.parse::<i8>().ok()).flatten()
        };
        let minute = Some(minute).filter(|minute| minute.len() == 2)?;
        Time::new(two_digits(hour)?, two_digits(minute)?, 0, 0).ok()
    });
    parsed.ok_or_else(|| {
        Problem::new(
            at..at + text.len(),
            format!(
                "`{}` is no time of the day",
                crate::reading::shortened(text)
            ),
        )
        .help("times are written from 00:00 to 24:00")
    })
}

impl Parse for StartWord {
    const EXPECTED: &'static str =
        "`now`, `beginning`, or an instant such as `2026-01-01T00:00:00Z`";
    const CODE: Code = codes::BAD_START;

    fn parse(text: &str) -> Result<Self, Problem> {
        if let Ok(start) = text.parse() {
            return Ok(Self(start));
        }
        let shown = crate::reading::shortened(text);
        let problem = Problem::whole(text, format!("`{shown}` is no place to start"));
        Err(match rounds_map::nearest(text, ["now", "beginning"]) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None if text.parse::<jiff::civil::DateTime>().is_ok() || text.parse::<jiff::civil::Date>().is_ok() => {
                problem.help("an instant has a time and an offset: `2026-01-01T00:00:00Z` or `2026-01-01T00:00:00-05:00`")
            }
            None => problem,
        })
    }

    fn pattern() -> Value {
        json!({ "anyOf": [{ "enum": ["now", "beginning"] }, { "type": "string", "format": "date-time" }] })
    }
}

impl Parse for BaselineWord {
    const EXPECTED: &'static str = "`all`, or a duration such as `90d`";
    const CODE: Code = codes::BAD_DURATION;

    fn parse(text: &str) -> Result<Self, Problem> {
        if text == "all" {
            return Ok(Self(Baseline::Everything));
        }
        PositiveLength::parse(text).map(|length| Self(Baseline::Back(length.0)))
    }

    fn pattern() -> Value {
        json!({ "anyOf": [{ "const": "all" }, PositiveLength::pattern()] })
    }
}

impl Parse for InstantText {
    const EXPECTED: &'static str = "an instant such as `2026-01-01T00:00:00Z`, or a date";
    const CODE: Code = codes::BAD_START;

    fn parse(text: &str) -> Result<Self, Problem> {
        if let Ok(instant) = text.parse::<Timestamp>() {
            return Ok(Self(instant));
        }
        // Strictly a date: of a time without an offset the date could be read too, and its time would be lost.
        let midnight = jiff::civil::Date::strptime("%Y-%m-%d", text)
            .and_then(|date| date.to_zoned(TimeZone::UTC));
        match midnight {
            Ok(midnight) => Ok(Self(midnight.timestamp())),
            _ => Err(Problem::whole(text, "no instant")
                .help("an instant has a time and an offset: `2026-01-01T00:00:00Z`")),
        }
    }

    fn pattern() -> Value {
        json!({ "type": "string" })
    }
}

/// More than this is a typing slip.
const MOST_DAYS: i32 = 36_600;

impl Parse for DaysText {
    const EXPECTED: &'static str = "days before or after today, such as `-30d` or `90d`";
    const CODE: Code = codes::BAD_DURATION;

    fn parse(text: &str) -> Result<Self, Problem> {
        let text = text.trim();
        let (digits, factor) = match (text.strip_suffix('d'), text.strip_suffix('w')) {
            (Some(days), _) => (days, 1),
            (_, Some(weeks)) => (weeks, 7),
            _ if text == "0" => ("0", 1),
            _ => {
                return Err(Problem::whole(text, "not in days")
                    .help("write `d` for days or `w` for weeks: `-30d`, `90d`, `12w`"));
            }
        };
        digits
            .trim_end()
            .parse::<i32>()
            .ok()
            .and_then(|number| number.checked_mul(factor))
            .filter(|days| days.abs() <= MOST_DAYS)
            .map(Self)
            .ok_or_else(|| Problem::whole(text, "no whole number of days within a hundred years"))
    }

    fn pattern() -> Value {
        json!({ "type": ["string", "integer"], "pattern": r"^\s*([+-]?[0-9]+\s*(d|w)|0)\s*$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_read() {
        let window = |text: &str| WindowText::parse(text).map(|window| window.0);
        let days = |first, last| Some(WeekdayRange { first, last });
        let at = |hour| Time::constant(hour, 0, 0, 0);
        assert_eq!(
            window("Mon-Fri 07:00-19:00"),
            Ok(Window {
                days: days(Weekday::Monday, Weekday::Friday),
                from: at(7),
                to: Some(at(19))
            })
        );
        assert_eq!(
            window("22:00-06:00"),
            Ok(Window {
                days: None,
                from: at(22),
                to: Some(at(6))
            })
        );
        assert_eq!(
            window("sunday 7:00-24:00"),
            Ok(Window {
                days: days(Weekday::Sunday, Weekday::Sunday),
                from: at(7),
                to: None
            })
        );
        assert_eq!(
            window("Sat-Sun"),
            Ok(Window {
                days: days(Weekday::Saturday, Weekday::Sunday),
                from: at(0),
                to: None
            })
        );
        for (wrong, at) in [
            ("Mno-Fri 07:00-19:00", 0..3),
            ("07:00", 0..5),
            ("7-19", 0..1),
            ("25:00-26:00", 0..5),
            ("Mon 07:00-19:00 Tue", 16..19),
            ("", 0..0),
        ] {
            assert_eq!(window(wrong).expect_err(wrong).at, at, "{wrong}");
        }
    }

    #[test]
    fn days_are_whole_and_within_a_hundred_years() {
        let days = |text: &str| DaysText::parse(text).map(|days| days.0);
        for (text, expected) in [
            ("-30d", -30),
            ("+2 w", 14),
            (" 90d ", 90),
            ("0", 0),
            ("0d", 0),
        ] {
            assert_eq!(days(text), Ok(expected), "{text}");
        }
        for wrong in ["36h", "30", "-d", "1.5d", "-36601d", "99999999999w", ""] {
            assert!(days(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_date_stands_for_its_midnight_and_a_time_needs_its_offset() {
        let instant = |text: &str| InstantText::parse(text).map(|instant| instant.0.to_string());
        assert_eq!(instant("2020-02-29"), Ok("2020-02-29T00:00:00Z".to_owned()));
        assert_eq!(
            instant("2020-01-01T02:00:00+02:00"),
            Ok("2020-01-01T00:00:00Z".to_owned())
        );
        for wrong in [
            "2020-01-01T10",
            "2020-01-01T00:00:00",
            "2020-01-01[Europe/Berlin]",
            "2019-02-29",
            "now",
        ] {
            assert!(instant(wrong).is_err(), "{wrong}");
        }
    }
}
