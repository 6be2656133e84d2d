//! Whether a strftime format writes what an EHR can read.
//!
//! An instant is written and read back, so that nothing of strftime needs to be known. What comes back right and is wrong all the same is looked at
//! by itself: parts that say the same twice, words that repeat a directive, a `Z` behind a time that is none of UTC.

use super::UNITS;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// What is wrong with a format.
pub(in crate::lower) struct Trouble {
    pub(in crate::lower) message: String,
    pub(in crate::lower) help: String,
}

/// Writes an instant and reads it back, and finds the smallest step that changes what is written. Nothing of strftime
/// needs to be known here.
pub(super) fn examine(format: &str, zone: &TimeZone) -> Result<Duration, Trouble> {
    unlikely(format)?;
    let trouble = |message: String, help: &str| Trouble {
        message,
        help: help.to_owned(),
    };
    // An afternoon, so that a twelve-hour clock without AM and PM is noticed; no field equals another.
    let sample = DateTime::constant(2026, 3, 4, 17, 6, 7, 123_456_789);
    let write = |moment: DateTime| -> Result<String, Trouble> {
        let zoned = zone.to_ambiguous_zoned(moment).compatible();
        zoned
            .and_then(|zoned| jiff::fmt::strtime::format(format, &zoned))
            .map_err(|error| {
                trouble(
                    format!("the format cannot be written: {}", without_place(&error)),
                    "the directives are those of strftime: %Y %m %d %H %M %S %f %z",
                )
            })
    };
    let written = write(sample)?;
    let mut finest = None;
    for (unit, _) in UNITS {
        let later =
            sample.checked_add(SignedDuration::try_from(*unit).unwrap_or(SignedDuration::ZERO));
        let later = later.map_err(|error| trouble(error.to_string(), ""))?;
        if write(later)? != written {
            finest = Some(*unit);
            break;
        }
    }
    let finest = finest.ok_or_else(|| {
        trouble(
            "the format does not write the day".to_owned(),
            "a round could not ask for less than a month: add `%d`",
        )
    })?;
    let unreadable = || {
        trouble(
            "what the format writes cannot be read back".to_owned(),
            "write year, month and day, and hours as `%H` or as `%I` with `%p`",
        )
    };
    let parsed = jiff::fmt::strtime::parse(format, &written).map_err(|_| unreadable())?;
    let read = if let Ok(instant) = parsed.to_timestamp() {
        instant
    } else {
        let local = parsed.to_datetime().or_else(|_| {
            parsed
                .to_date()
                .map(|date| date.to_datetime(jiff::civil::Time::midnight()))
        });
        let local = local.map_err(|_| unreadable())?;
        zone.to_ambiguous_timestamp(local)
            .compatible()
            .map_err(|_| unreadable())?
    };
    let meant = zone
        .to_ambiguous_timestamp(sample)
        .compatible()
        .map_err(|_| unreadable())?;
    if distance(read, meant) >= finest {
        return Err(unreadable());
    }
    Ok(finest)
}

fn distance(one: Timestamp, other: Timestamp) -> Duration {
    one.duration_since(other).unsigned_abs()
}

/// The library's words without its introduction.
fn without_place(error: &jiff::Error) -> String {
    let words = error.to_string();
    let words = words
        .rsplit_once("failed: ")
        .map_or(words.as_str(), |(_, words)| words);
    words
        .chars()
        .filter(|c| !c.is_control())
        .take(160)
        .collect()
}

/// What a directive writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    /// The whole instant.
    Epoch,
    /// The name of a zone, which nobody reads.
    ZoneName,
    Other,
}

impl Part {
    const fn word(self) -> &'static str {
        match self {
            Self::Year => "the year",
            Self::Month => "the month",
            Self::Day => "the day",
            Self::Hour => "the hour",
            Self::Minute => "the minute",
            Self::Second => "the second",
            Self::Epoch | Self::ZoneName | Self::Other => "this",
        }
    }

    /// What a letter of strftime writes.
    const fn of(letter: char) -> &'static [Self] {
        match letter {
            'Y' | 'y' | 'G' | 'g' => &[Self::Year],
            'm' | 'b' | 'B' | 'h' => &[Self::Month],
            'd' | 'e' | 'j' => &[Self::Day],
            'H' | 'I' | 'k' | 'l' => &[Self::Hour],
            'M' => &[Self::Minute],
            'S' => &[Self::Second],
            'R' => &[Self::Hour, Self::Minute],
            'T' | 'r' | 'X' => &[Self::Hour, Self::Minute, Self::Second],
            'F' | 'D' | 'x' => &[Self::Year, Self::Month, Self::Day],
            'c' => &[
                Self::Year,
                Self::Month,
                Self::Day,
                Self::Hour,
                Self::Minute,
                Self::Second,
            ],
            's' => &[Self::Epoch],
            'Z' | 'Q' => &[Self::ZoneName],
            _ => &[Self::Other],
        }
    }
}

/// In winter and in summer.
fn is_utc(zone: &TimeZone) -> bool {
    let is_utc = |month| {
        let noon = DateTime::constant(2026, month, 1, 12, 0, 0, 0);
        let here = zone.to_ambiguous_timestamp(noon).compatible().ok();
        here == TimeZone::UTC.to_ambiguous_timestamp(noon).compatible().ok()
    };
    is_utc(1) && is_utc(7)
}

/// What can be read back and is hardly meant.
pub(in crate::lower) fn unlikely(format: &str) -> Result<(), Trouble> {
    let wrong = |message: String, help: String| Err(Trouble { message, help });
    let mut seen: Vec<(Part, char)> = Vec::new();
    let mut rest = format;
    while let Some((_, after)) = rest.split_once('%') {
        // Flags, a width and colons stand between.
        let letter = after.find(|sign: char| sign.is_ascii_alphabetic() || sign == '%');
        let Some((letter, after)) = letter.and_then(|at| {
            let letter = after[at..].chars().next()?;
            Some((letter, &after[at + letter.len_utf8()..]))
        }) else {
            break;
        };
        rest = after;
        for part in Part::of(letter) {
            match part {
                Part::ZoneName if format.ends_with("z[%Q]") => continue,
                Part::ZoneName => {
                    return wrong(
                        format!("`%{letter}` writes the name of a zone"),
                        "EHRs read offsets: `%z` writes `-0500`, `%:z` writes `-05:00`".to_owned(),
                    );
                }
                Part::Other => continue,
                _ => {}
            }
            if let Some((_, before)) = seen.iter().find(|(known, _)| known == part) {
                return wrong(
                    format!("`%{before}` and `%{letter}` both write {}", part.word()),
                    "%m is the month and %M the minute; %h is the month's name and %H the hour; %s is the whole instant and %S the second".to_owned(),
                );
            }
            seen.push((*part, letter));
        }
        let repeated: String = rest.chars().take_while(|sign| *sign == letter).collect();
        if !repeated.is_empty() && letter != '%' {
            return wrong(
                format!("`%{letter}{repeated}` writes `{repeated}` behind it"),
                format!("one letter is enough: `%{letter}`"),
            );
        }
    }
    // Read back it would be right, and the EHR reads a month.
    let place = |wanted| seen.iter().position(|(part, _)| *part == wanted);
    if let Some(minute) = place(Part::Minute)
        && place(Part::Hour).is_none_or(|hour| minute < hour)
    {
        return wrong(
            "`%M` writes the minute, and no hour stands before it".to_owned(),
            "%m is the month: `%Y-%m-%dT%H:%M:%S`".to_owned(),
        );
    }
    if seen.len() > 1 && seen.iter().any(|(part, _)| *part == Part::Epoch) {
        return wrong(
            "`%s` writes the whole instant, and there is more beside it".to_owned(),
            "%S is the second; seconds since 1970 alone are `epoch_seconds`".to_owned(),
        );
    }
    Ok(())
}

/// What is said of a format that says UTC beside another zone. Some EHRs write local times so.
pub(in crate::lower) fn false_utc(format: &str, zone: &TimeZone) -> Option<Trouble> {
    let says_utc = ["Z", "+00:00", "+0000"]
        .iter()
        .any(|mark| format.ends_with(mark) && !format.ends_with("%Z"));
    if !says_utc || is_utc(zone) {
        return None;
    }
    let zone = zone.iana_name().unwrap_or("another").to_owned();
    Some(Trouble {
        message: format!("the format says that its times are in UTC, and `zone` is {zone}"),
        help: "take `zone` out, or write the offset as `%:z` in place of it, unless the EHR writes local times so".to_owned(),
    })
}
