//! Counts, rates, sizes and percentages.

use super::{Length, Parse, Problem, parsed};
use crate::codes;
use jiff::tz::TimeZone;
use rounds_domain::Code;
use rounds_domain::plan::{Rate, Spans};
use serde_json::{Value, json};
use std::time::Duration;

/// A whole number from one up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) u32);

/// A whole number from zero up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Natural(pub(crate) u64);

/// Requests in a span of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RateLimit(pub(crate) Rate);

/// Bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

/// From 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Percent(pub(crate) u8);

parsed!(Count, Natural, RateLimit, Size, Percent);

impl Parse for Count {
    const EXPECTED: &'static str = "a whole number, at least 1";
    const CODE: Code = codes::OUT_OF_RANGE;

    fn parse(text: &str) -> Result<Self, Problem> {
        match text.parse::<u32>() {
            Ok(0) => Err(Problem::whole(text, "0 would let nothing through")),
            Ok(number) => Ok(Self(number)),
            Err(_) => Err(Problem::whole(
                text,
                "no number in the range that is allowed here",
            )),
        }
    }

    fn pattern() -> Value {
        json!({ "type": "integer", "minimum": 1, "maximum": u32::MAX })
    }
}

impl Parse for Natural {
    const EXPECTED: &'static str = "a whole number, at least 0";
    const CODE: Code = codes::OUT_OF_RANGE;

    fn parse(text: &str) -> Result<Self, Problem> {
        let problem = || Problem::whole(text, "no number in the range that is allowed here");
        text.parse().map(Self).map_err(|_| problem())
    }

    fn pattern() -> Value {
        json!({ "type": "integer", "minimum": 0 })
    }
}

impl Parse for RateLimit {
    const EXPECTED: &'static str = "a rate such as `10/s`, `20/30s` or `500/calendar hour`";
    const CODE: Code = codes::BAD_RATE;

    fn parse(text: &str) -> Result<Self, Problem> {
        let Some((count, span)) = text.split_once('/') else {
            let problem = Problem::whole(text, "a rate without a span of time");
            return Err(match text.trim().parse::<u32>() {
                Ok(number) => problem.help(format!(
                    "did you mean `{number}/s` (each second) or `{number}/m` (each minute)?"
                )),
                Err(_) => problem,
            });
        };
        let requests = match count.trim().parse::<u32>() {
            Ok(0) => {
                return Err(Problem::new(
                    0..count.len(),
                    "a rate of 0 would let nothing through",
                ));
            }
            Ok(requests) => requests,
            Err(_) => {
                return Err(Problem::new(
                    0..count.len(),
                    "a rate begins with a whole number of requests",
                ));
            }
        };
        let offset = count.len() + 1;
        let clock = [
            ("minute", Duration::from_mins(1)),
            ("hour", Duration::from_hours(1)),
            ("day", Duration::from_hours(24)),
        ];
        if let Some(unit) = span.trim().strip_prefix("calendar") {
            let unit = unit.trim();
            let Some((_, per)) = clock.into_iter().find(|(name, _)| *name == unit) else {
                return Err(Problem::new(offset..text.len(), "no span of the calendar")
                    .help("after `calendar` stands `minute`, `hour` or `day`"));
            };
            // The zone stands beside the rates.
            return Ok(Self(Rate {
                spans: Spans::OfTheClock(TimeZone::UTC),
                ..Rate::rolling(requests, per)
            }));
        }
        let unit = matches!(span.trim(), "ms" | "s" | "m" | "h" | "d" | "w");
        let written = if unit {
            format!("1{}", span.trim())
        } else {
            span.to_owned()
        };
        let Length(per) = Length::parse(&written).map_err(|problem| {
            Problem {
                at: offset..text.len(),
                ..problem
            }
            .help("after the `/` stands `s`, `m`, `h`, `d` or a duration such as `30s`")
        })?;
        if per.is_zero() {
            return Err(Problem::new(offset..text.len(), "a span of nothing"));
        }
        Ok(Self(Rate::rolling(requests, per)))
    }

    fn pattern() -> Value {
        json!({ "type": "string", "pattern": r"^\s*[0-9]+\s*/\s*(([0-9]+\s*)?(ms|s|m|h|d|w)|calendar\s+(minute|hour|day))" })
    }
}

const SIZE_UNITS: &[(&str, u64)] = &[
    ("B", 1),
    ("KB", 1_000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
];

/// A body is held in memory: more than this is a typing slip.
const LARGEST: u64 = 16 << 30;

impl Parse for Size {
    const EXPECTED: &'static str = "a size such as `64MiB`, or bytes";
    const CODE: Code = codes::BAD_SIZE;

    fn parse(text: &str) -> Result<Self, Problem> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let Ok(number) = text[..digits].parse::<u64>() else {
            return Err(Problem::whole(text, "a size begins with a whole number"));
        };
        let unit = text[digits..].trim();
        let factor = match SIZE_UNITS.iter().find(|(name, _)| *name == unit) {
            Some((_, factor)) => *factor,
            None if unit.is_empty() => 1,
            None => {
                let near = rounds_map::nearest(unit, SIZE_UNITS.iter().map(|(name, _)| *name));
                let problem = Problem::new(
                    digits..text.len(),
                    format!("unknown unit `{}`", crate::reading::shortened(unit)),
                );
                return Err(match near {
                    Some(near) => problem.help(format!("did you mean `{number}{near}`?")),
                    None => problem.help("the units are `KB`, `KiB`, `MB`, `MiB`, `GB` and `GiB`"),
                });
            }
        };
        match number.checked_mul(factor) {
            Some(0) => Err(Problem::whole(text, "a size of nothing")),
            Some(bytes) if bytes <= LARGEST => Ok(Self(bytes)),
            _ => Err(Problem::whole(text, "a size of more than 16 GiB")),
        }
    }

    fn pattern() -> Value {
        json!({ "type": ["string", "integer"], "pattern": r"^[0-9]+\s*(B|KB|KiB|MB|MiB|GB|GiB)?$", "minimum": 1 })
    }
}

impl Parse for Percent {
    const EXPECTED: &'static str = "a percentage such as `20%`";
    const CODE: Code = codes::BAD_PERCENTAGE;

    fn parse(text: &str) -> Result<Self, Problem> {
        let Some(number) = text.trim().strip_suffix('%') else {
            let problem = Problem::whole(text, "a percentage without `%`");
            return Err(match text.trim().parse::<u8>() {
                Ok(number) if number <= 100 => problem.help(format!("did you mean `{number}%`?")),
                _ => problem,
            });
        };
        match number.trim().parse::<u8>() {
            Ok(number) if number <= 100 => Ok(Self(number)),
            _ => Err(Problem::whole(text, "no whole number from 0 to 100")),
        }
    }

    fn pattern() -> Value {
        json!({ "type": "string", "pattern": r"^[0-9]{1,3}\s*%$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_sizes_and_percentages_are_read() {
        let rate = |text: &str| {
            RateLimit::parse(text).map(|rate| (rate.0.requests, rate.0.per.as_millis()))
        };
        assert_eq!(rate("10/s"), Ok((10, 1_000)));
        assert_eq!(rate("20 / 30s"), Ok((20, 30_000)));
        assert_eq!(rate("1000/d"), Ok((1_000, 86_400_000)));
        for wrong in ["10", "0/s", "x/s", "10/", "10/fortnight", "10/0s"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Size::parse("64MiB"), Ok(Size(67_108_864)));
        assert_eq!(Size::parse("1000"), Ok(Size(1_000)));
        assert_eq!(
            Size::parse("64mb").expect_err("unknown").help.as_deref(),
            Some("did you mean `64MB`?")
        );
        assert_eq!(Percent::parse("20%"), Ok(Percent(20)));
        assert!(Percent::parse("101%").is_err() && Percent::parse("20").is_err());
    }
}
