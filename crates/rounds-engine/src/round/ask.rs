//! What a round asks for.
//!
//! A time cursor is asked again from an overlap before it, cut down to what the request can express. A sweep asks for
//! what is there: everything, the change query from its beginning, or a range of dates around today.

use super::failure::{self, failure};
use super::instant;
use crate::moment::earlier;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use rounds_domain::plan::{
    CursorRule, DateRange, Feed, FeedRole, Start, Sweep, SweepScope, TimeCursor,
};
use rounds_domain::{Cursor, RoundFailure};
use rounds_map::Json;

/// What is being asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// What templates may use: `cursor` and `until`, or `from` and `to`.
    pub(crate) scope: Json,
    /// The lower bound by time, if there is one: nothing before it should come.
    pub(crate) lower: Option<Timestamp>,
    /// The upper bound by time, if the request carries one.
    pub(crate) until: Option<Timestamp>,
    /// The first and the last day, if it is about dates.
    pub(crate) dates: Option<(Date, Date)>,
}

impl Asked {
    fn of(scope: Json) -> Self {
        Self {
            scope,
            lower: None,
            until: None,
            dates: None,
        }
    }
}

/// Whether what a round finds is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It enters the ledger silently: the feed starts from now, and this is the first round that succeeds.
    Baseline,
    /// A sweep looks for the first time: what nobody knows enters the ledger silently, and is told if the change query shows
    /// it. A record that is known in another state is told.
    FirstLook,
    /// It is told.
    Tell,
}

impl Purpose {
    /// The purpose of a feed's next round.
    pub(crate) fn of(feed: &Feed, cursor: Option<&Cursor>) -> Self {
        match (cursor, feed.role, feed.start) {
            (Some(_), ..)
            | (None, _, Start::Beginning)
            | (None, FeedRole::Changes, Start::Instant(_)) => Self::Tell,
            (None, FeedRole::Changes, Start::Now) => Self::Baseline,
            (None, FeedRole::Trailing | FeedRole::Reconcile, Start::Now | Start::Instant(_)) => {
                Self::FirstLook
            }
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
        (CursorRule::Time(rule), cursor) => ask_by_time(feed, rule, cursor, now),
        (CursorRule::Number(_), Some(Cursor::Number(number))) => Ok(asked_text(number)),
        (CursorRule::Number(_), _) => Ok(asked_text("0")),
        (CursorRule::Token(_), Some(Cursor::Token(token))) => Ok(asked_text(token.expose())),
        (CursorRule::Token(_), _) => Ok(asked_text("")),
        (CursorRule::Sweep(sweep), _) => ask_for_all(sweep, now),
    }
}

fn ask_by_time(
    feed: &Feed,
    rule: &TimeCursor,
    cursor: Option<&Cursor>,
    now: Timestamp,
) -> Result<Asked, RoundFailure> {
    let until = earlier(now, rule.settle);
    // An EHR that takes its filter as "after" leaves out what changed at this very instant, so the step before it is asked
    // for too. What is dated before the start is left alone where it is chosen.
    let just_before = |start| earlier(start, rule.granularity);
    let bound = match (cursor, feed.role, feed.start) {
        (Some(Cursor::Time(cursor)), _, Start::Instant(start)) => {
            earlier(*cursor, rule.overlap).max(just_before(start).min(*cursor))
        }
        (Some(Cursor::Time(cursor)), ..) => earlier(*cursor, rule.overlap),
        // A trailing sweep looks back one horizon at first: what is older was late before it was there.
        (_, FeedRole::Trailing, _) | (_, _, Start::Now) => earlier(until, rule.overlap),
        (_, _, Start::Beginning) => Timestamp::UNIX_EPOCH,
        (_, _, Start::Instant(start)) => just_before(start),
    };
    let (lower, upper) = (written(bound, rule)?, written(until, rule)?);
    Ok(Asked {
        lower: Some(lower.instant),
        until: Some(upper.instant),
        ..Asked::of(Json::object([
            ("cursor", Json::string(lower.text)),
            ("until", Json::string(upper.text)),
        ]))
    })
}

fn ask_for_all(sweep: &Sweep, now: Timestamp) -> Result<Asked, RoundFailure> {
    match &sweep.scope {
        SweepScope::Everything => Ok(Asked::of(Json::object::<String>([]))),
        SweepScope::ChangesSince {
            since,
            written: rule,
        } => {
            let (lower, upper) = (written(*since, rule)?, written(now, rule)?);
            Ok(Asked::of(Json::object([
                ("cursor", Json::string(lower.text)),
                ("until", Json::string(upper.text)),
            ])))
        }
        SweepScope::Dates(range) => ask_for_dates(range, now),
    }
}

fn ask_for_dates(range: &DateRange, now: Timestamp) -> Result<Asked, RoundFailure> {
    let unwritable = |error: jiff::Error| {
        failure(
            failure::CURSOR_UNWRITABLE,
            format!("the dates of the sweep cannot be written: {error}"),
            "check `reconcile.dates`",
        )
    };
    let today = now.to_zoned(range.zone.clone()).date();
    let day = |offset: i32| today.checked_add(offset.days()).map_err(unwritable);
    let text = |day: Date| jiff::fmt::strtime::format(&range.format, day).map_err(unwritable);
    let (from, to) = (day(range.from_days)?, day(range.to_days)?);
    Ok(Asked {
        dates: Some((from, to)),
        ..Asked::of(Json::object([
            ("from", Json::string(text(from)?)),
            ("to", Json::string(text(to)?)),
        ]))
    })
}

fn written(moment: Timestamp, rule: &TimeCursor) -> Result<instant::Written, RoundFailure> {
    instant::write(moment, rule).map_err(|error| {
        failure(
            failure::CURSOR_UNWRITABLE,
            format!("the cursor cannot be written in the format of `cursor.time`: {error}"),
            "check `cursor.time` and `cursor.zone`",
        )
    })
}

fn asked_text(text: &str) -> Asked {
    Asked::of(Json::object([("cursor", Json::string(text))]))
}
