//! What a round asks for, and where the cursor stands after it (laws 2 and 3).
//!
//! A time cursor is asked again from an overlap before it. After a whole drain it moves to the latest field that the
//! source showed and that is not younger than `settle` nor later than the source's own clock, so a record dated 2030
//! does not blind the feed and an empty answer moves nothing. Where there is no field, the source's clock itself is the
//! cursor, as its `Date` header said it before the first page was read: whatever changes after that is asked again.

use super::failure::{self, failure};
use super::instant;
use crate::moment::{earlier, later};
use jiff::Timestamp;
use rounds_domain::plan::{CursorRule, Feed, Start, TimeCursor};
use rounds_domain::{Cursor, Phi, RoundFailure};
use rounds_map::Json;
use std::cmp::Ordering;
use std::time::Duration;

/// How much later than the source's clock a field may be before it counts as dated in the future. `Date` has whole
/// seconds, and databases and web servers are rarely one machine.
const FUTURE_TOLERANCE: Duration = Duration::from_mins(1);
/// `Date` is cut to whole seconds: the source's clock may be this much later than it says.
const DATE_HEADER_STEP: Duration = Duration::from_secs(1);

/// The source's clock at the start of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SourceClock {
    /// The time it showed, or ours when the request was sent if it showed none.
    pub(crate) now: Timestamp,
}

/// What is being asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// What templates may use: `cursor` and `until`.
    pub(crate) scope: Json,
    /// The lower bound by time, if there is one: nothing before it should come.
    pub(crate) lower: Option<Timestamp>,
    /// The upper bound by time, if the request carries one.
    until: Option<Timestamp>,
}

/// Whether what a round finds is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It enters the ledger silently: the feed starts from now, and this is the first round that succeeds.
    Baseline,
    /// It is told.
    Tell,
}

impl Purpose {
    /// The purpose of a feed's next round.
    pub(crate) fn of(feed: &Feed, cursor: Option<&Cursor>) -> Self {
        match (cursor, feed.start) {
            (None, Start::Now) => Self::Baseline,
            _ => Self::Tell,
        }
    }
}

/// What to ask a feed for. `now` is our clock, or the source's once it is known.
pub(crate) fn ask(
    feed: &Feed,
    cursor: Option<&Cursor>,
    now: Timestamp,
) -> Result<Asked, RoundFailure> {
    match (&feed.cursor, cursor) {
        (CursorRule::Time(rule), cursor) => ask_by_time(rule, feed.start, cursor, now),
        (CursorRule::Number(_), Some(Cursor::Number(number))) => Ok(asked_text(number)),
        (CursorRule::Number(_), _) => Ok(asked_text("0")),
        (CursorRule::Token(_), Some(Cursor::Token(token))) => Ok(asked_text(token.expose())),
        (CursorRule::Token(_), _) => Ok(asked_text("")),
        (CursorRule::None, _) => Ok(Asked {
            scope: Json::object::<String>([]),
            lower: None,
            until: None,
        }),
    }
}

fn ask_by_time(
    rule: &TimeCursor,
    start: Start,
    cursor: Option<&Cursor>,
    now: Timestamp,
) -> Result<Asked, RoundFailure> {
    let bound = match (cursor, start) {
        (Some(Cursor::Time(cursor)), Start::Instant(start)) => {
            earlier(*cursor, rule.overlap).max(start.min(*cursor))
        }
        (Some(Cursor::Time(cursor)), _) => earlier(*cursor, rule.overlap),
        (_, Start::Now) => earlier(now, rule.overlap),
        (_, Start::Beginning) => Timestamp::UNIX_EPOCH,
        (_, Start::Instant(start)) => start,
    };
    let until = earlier(now, rule.settle);
    let write = |moment| {
        instant::write(moment, rule).map_err(|error| {
            failure(
                failure::CURSOR_UNWRITABLE,
                format!("the cursor cannot be written in the format of `cursor.time`: {error}"),
                "check `cursor.time` and `cursor.zone`",
            )
        })
    };
    let (lower, upper) = (write(bound)?, write(until)?);
    Ok(Asked {
        scope: Json::object([
            ("cursor", Json::string(lower.text)),
            ("until", Json::string(upper.text)),
        ]),
        lower: Some(lower.instant),
        until: Some(upper.instant),
    })
}

fn asked_text(text: &str) -> Asked {
    Asked {
        scope: Json::object([("cursor", Json::string(text))]),
        lower: None,
        until: None,
    }
}

/// When a record changed, as far as it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    /// The feed does not go by a field.
    NotAsked,
    /// The field says so.
    At(Timestamp),
    /// The field is absent or cannot be read.
    Undated,
}

/// How old a record's change is, by the source's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    /// It may be told and may move the cursor.
    Settled,
    /// It is younger than `settle`: left for a later round.
    Unsettled,
    /// It is dated later than the source's clock: told, but it does not move the cursor.
    Future,
}

/// Collects where the cursor may move while a round is drained.
#[derive(Debug)]
pub(crate) struct Advance<'a> {
    feed: &'a Feed,
    before: Option<&'a Cursor>,
    latest: Option<Timestamp>,
    given: Option<Cursor>,
}

impl<'a> Advance<'a> {
    /// Nothing was drained yet.
    pub(crate) fn new(feed: &'a Feed, before: Option<&'a Cursor>) -> Self {
        Self {
            feed,
            before,
            latest: None,
            given: None,
        }
    }

    /// Takes a record's position into account and says how old its change is.
    pub(crate) fn record(&mut self, position: Position, clock: SourceClock) -> Age {
        let (Position::At(at), CursorRule::Time(rule)) = (position, &self.feed.cursor) else {
            return Age::Settled;
        };
        if at > later(clock.now, FUTURE_TOLERANCE) {
            return Age::Future;
        }
        let settled = earlier(clock.now, rule.settle);
        if !rule.settle.is_zero() && at > settled {
            return Age::Unsettled;
        }
        if at <= later(settled, DATE_HEADER_STEP) {
            self.latest = self.latest.max(Some(at));
        }
        Age::Settled
    }

    /// Takes the cursor that a page's body gave into account.
    pub(crate) fn page(&mut self, given: Option<&Json>) -> Result<(), RoundFailure> {
        let Some(text) = given.and_then(Json::scalar_text) else {
            return Ok(());
        };
        match &self.feed.cursor {
            CursorRule::Number(_) => {
                let number = whole_number(&text).ok_or_else(|| {
                    failure(
                        failure::CURSOR_UNUSABLE,
                        "`cursor.number` gave something that is no whole number",
                        "point `cursor.number` at the sequence number in the answer",
                    )
                })?;
                let known = match self.given.as_ref().or(self.before) {
                    Some(Cursor::Number(known)) => known.as_str(),
                    _ => "0",
                };
                if compare_numbers(&number, known) == Ordering::Greater {
                    self.given = Some(Cursor::Number(number));
                }
            }
            CursorRule::Token(_) if !text.is_empty() => {
                self.given = Some(Cursor::Token(Phi::new(text)));
            }
            _ => {}
        }
        Ok(())
    }

    /// Where the cursor stands after the whole result was drained.
    pub(crate) fn after_drain(&self, asked: &Asked, clock: SourceClock) -> Cursor {
        let start = || match (&self.feed.cursor, self.feed.start) {
            (CursorRule::Number(_), _) => Cursor::Number("0".to_owned()),
            (CursorRule::Token(_), _) => Cursor::Token(Phi::new(String::new())),
            (CursorRule::None, _) => Cursor::Sweep,
            (CursorRule::Time(_), Start::Beginning) => Cursor::Time(Timestamp::UNIX_EPOCH),
            (CursorRule::Time(_), Start::Instant(start)) => Cursor::Time(start),
            (CursorRule::Time(rule), Start::Now) => Cursor::Time(earlier(clock.now, rule.settle)),
        };
        let shown = match &self.feed.cursor {
            CursorRule::Time(TimeCursor { field: Some(_), .. }) => self.latest.map(Cursor::Time),
            CursorRule::Time(rule) => {
                let settled = earlier(clock.now, rule.settle);
                let bound = if rule.settle.is_zero() {
                    settled
                } else {
                    asked.until.map_or(settled, |until| settled.min(until))
                };
                Some(Cursor::Time(bound))
            }
            CursorRule::Number(_) | CursorRule::Token(_) => self.given.clone(),
            CursorRule::None => None,
        };
        match (self.before, shown) {
            // A time cursor never goes back.
            (Some(Cursor::Time(before)), Some(Cursor::Time(shown))) => {
                Cursor::Time(shown.max(*before))
            }
            (_, Some(shown)) => shown,
            (Some(before), None) if fits(before, &self.feed.cursor) => before.clone(),
            (_, None) => start(),
        }
    }
}

/// A kept cursor that the configuration no longer speaks of (it was a number and is a time now) cannot be used.
pub(crate) fn fits(cursor: &Cursor, rule: &CursorRule) -> bool {
    matches!(
        (cursor, rule),
        (Cursor::Time(_), CursorRule::Time(_))
            | (Cursor::Number(_), CursorRule::Number(_))
            | (Cursor::Token(_), CursorRule::Token(_))
            | (Cursor::Sweep, CursorRule::None)
    )
}

fn whole_number(text: &str) -> Option<String> {
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits.then(|| match text.trim_start_matches('0') {
        "" => "0".to_owned(),
        digits => digits.to_owned(),
    })
}

fn compare_numbers(one: &str, other: &str) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}
