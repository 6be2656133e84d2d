//! Durations: `500ms`, `30s`, `1h 30m`, `2w`.

use super::{Parse, Problem, parsed};
use crate::codes;
use rounds_domain::Code;
use serde_json::{Value, json};
use std::time::Duration;

/// A duration that may be nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Length(pub(crate) Duration);

/// A duration of at least a millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PositiveLength(pub(crate) Duration);

parsed!(Length, PositiveLength);

/// Longer ones are typing slips, and would not fit into other systems' clocks.
const LONGEST: Duration = Duration::from_hours(10 * 366 * 24);

const UNITS: &[(&str, u64)] = &[
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
];

/// What people write for a unit.
const OTHER_NAMES: &[(&str, &[&str])] = &[
    (
        "ms",
        &["msec", "msecs", "millis", "millisecond", "milliseconds"],
    ),
    ("s", &["sec", "secs", "second", "seconds"]),
    ("m", &["min", "mins", "minute", "minutes"]),
    ("h", &["hr", "hrs", "hour", "hours"]),
    ("d", &["day", "days"]),
    ("w", &["wk", "wks", "week", "weeks"]),
];

impl Parse for Length {
    const EXPECTED: &'static str = "a duration such as `30s`, `2m` or `1h 30m`";
    const CODE: Code = codes::BAD_DURATION;

    fn parse(text: &str) -> Result<Self, Problem> {
        parse(text).map(Self)
    }

    fn pattern() -> Value {
        json!({ "type": "string", "pattern": r"^\s*[0-9]+\s*(ms|s|m|h|d|w)(\s*[0-9]+\s*(ms|s|m|h|d|w))*\s*$" })
    }
}

impl Parse for PositiveLength {
    const EXPECTED: &'static str = Length::EXPECTED;
    const CODE: Code = codes::BAD_DURATION;

    fn parse(text: &str) -> Result<Self, Problem> {
        let length = parse(text)?;
        if length.is_zero() {
            return Err(Problem::whole(text, "a duration of nothing"));
        }
        Ok(Self(length))
    }

    fn pattern() -> Value {
        Length::pattern()
    }
}

fn parse(text: &str) -> Result<Duration, Problem> {
    let mut at = skip_blanks(text, 0);
    if at == text.len() {
        return Err(Problem::whole(text, "an empty duration"));
    }
    let mut milliseconds: u64 = 0;
    let mut smaller_than: Option<(&str, u64)> = None;
    while at < text.len() {
        let number_start = at;
        at += text[at..].bytes().take_while(u8::is_ascii_digit).count();
        let number_end = at;
        if number_start == number_end {
            let piece = piece_end(text, at);
            return Err(not_a_number(text, at, piece));
        }
        at = skip_blanks(text, at);
        let unit_start = at;
        at = text[at..]
            .find(|c: char| !c.is_alphabetic())
            .map_or(text.len(), |length| at + length);
        let (number, unit) = (&text[number_start..number_end], &text[unit_start..at]);
        if unit.is_empty() && matches!(text[at..].chars().next(), Some('.' | ',')) {
            return Err(Problem::new(
                number_start..piece_end(text, at),
                "a duration with a fraction",
            )
            .help("use a smaller unit: `1m 30s` for one and a half minutes"));
        }
        if unit.is_empty() {
            return Err(
                Problem::new(number_start..number_end, "a duration without a unit").help(format!(
                    "did you mean `{number}s` ({number} seconds) or `{number}m` (minutes)?"
                )),
            );
        }
        let Some((unit, factor)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(unknown_unit(number, unit, unit_start..at));
        };
        if let Some((former, _)) = smaller_than.filter(|(_, former)| factor >= former) {
            return Err(
                Problem::new(number_start..at, format!("`{unit}` after `{former}`"))
                    .help("write larger units first, each once"),
            );
        }
        smaller_than = Some((unit, *factor));
        let part = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(*factor));
        milliseconds = part
            .and_then(|part| part.checked_add(milliseconds))
            .filter(|sum| Duration::from_millis(*sum) <= LONGEST)
            .ok_or_else(|| Problem::whole(text, "a duration of more than ten years"))?;
        at = skip_blanks(text, at);
    }
    Ok(Duration::from_millis(milliseconds))
}

fn not_a_number(text: &str, start: usize, end: usize) -> Problem {
    let problem = Problem::new(start..end, "a duration begins with a number");
    match text[start..end].chars().next() {
        Some('-') => problem.help("durations are never negative"),
        Some('P') => problem.help("ISO 8601 durations are not used here: `PT90S` is written `90s`"),
        _ => problem,
    }
}

fn unknown_unit(number: &str, unit: &str, at: std::ops::Range<usize>) -> Problem {
    let lower = unit.to_lowercase();
    let names = OTHER_NAMES
        .iter()
        .flat_map(|(_, names)| names.iter().copied());
    let near = rounds_map::nearest(&lower, names.chain(UNITS.iter().map(|(name, _)| *name)));
    let meant = OTHER_NAMES
        .iter()
        .find(|(short, names)| near.is_some_and(|near| *short == near || names.contains(&near)));
    let problem = Problem::new(
        at,
        format!("unknown unit `{}`", crate::reading::shortened(unit)),
    );
    match meant {
        Some((short, _)) => problem.help(format!("did you mean `{number}{short}`?")),
        None => problem.help("the units are `ms`, `s`, `m`, `h`, `d` and `w`"),
    }
}

fn skip_blanks(text: &str, at: usize) -> usize {
    text.len() - text[at..].trim_start().len()
}

fn piece_end(text: &str, at: usize) -> usize {
    text[at..]
        .find(char::is_whitespace)
        .map_or(text.len(), |length| at + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> f64 {
        parse(text).expect("is a duration").as_secs_f64()
    }

    #[test]
    fn the_documented_forms_are_read() {
        assert_eq!(parse("500ms"), Ok(Duration::from_millis(500)));
        for (text, expected) in [
            ("30s", 30.0),
            ("2m", 120.0),
            ("1h 30m", 5_400.0),
            ("1h30m", 5_400.0),
            ("1d", 86_400.0),
            ("2w", 1_209_600.0),
            (" 5 s ", 5.0),
        ] {
            assert!((seconds(text) - expected).abs() < f64::EPSILON, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        for (text, at) in [
            ("60", 0..2),
            ("5 minuts", 2..8),
            ("-5s", 0..3),
            ("1.5h", 0..4),
            ("1m 1h", 3..5),
            ("1m 2m", 3..5),
            ("99999999999999999999s", 0..21),
            ("", 0..0),
            ("PT1M", 0..4),
            ("1h x", 3..4),
        ] {
            assert_eq!(parse(text).expect_err(text).at, at, "{text}");
        }
        let help = parse("5 minuts").expect_err("unknown unit").help;
        assert_eq!(help.as_deref(), Some("did you mean `5m`?"));
    }
}
