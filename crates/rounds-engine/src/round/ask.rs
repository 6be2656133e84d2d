//! What a round asks for.
//!
//! A time cursor is asked again from an overlap before it, cut down to what the request can express. A sweep asks for
//! what is there: everything, the change query from its beginning, or a range of dates around today.

use super::failure::{self, failure};
use super::instant::{self, Written};
use super::slices::{self, Rest};
use crate::moment::{earlier, later};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use rounds_domain::plan::{
    Baseline, CursorRule, DateRange, Feed, FeedRole, Recover, Start, Sweep, SweepScope, TimeCursor,
};
use rounds_domain::{Cursor, RoundFailure};
use rounds_map::Json;
use std::time::Duration;

/// More than any two zones are apart.
const FIRST_LOOK_BACK: Duration = Duration::from_hours(26);

/// An instant or a day that cannot be written in the format that the user chose.
pub(super) type Unwritable = jiff::Error;

/// What is being asked: all of it, or a slice.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// What templates may use: `cursor` and `until`, or `from` and `to`.
    pub(crate) scope: Json,
    /// The lower bound by time, if there is one: nothing before it should come.
    pub(crate) lower: Option<Timestamp>,
    /// The upper bound by time, if the request may carry one.
    pub(crate) until: Option<Timestamp>,
    /// The first and the last day, if it is about dates; of all slices.
    pub(crate) dates: Option<(Date, Date)>,
    /// What is to be asked after it.
    pub(crate) rest: Rest,
}

impl Asked {
    fn of(scope: Json) -> Self {
        Self {
            scope,
            lower: None,
            until: None,
            dates: None,
            rest: Rest::Nothing,
        }
    }

    /// By time: from `lower` until `upper`.
    pub(super) fn of_time(lower: Written, upper: Written, rest: Rest) -> Self {
        Self {
            lower: Some(lower.instant),
            until: Some(upper.instant),
            rest,
            ..Self::of(Json::object([
                ("cursor", Json::string(lower.text)),
                ("until", Json::string(upper.text)),
            ]))
        }
    }

    /// By days, from one to the other.
    pub(super) fn of_dates(from: String, to: String, whole: (Date, Date), rest: Rest) -> Self {
        Self {
            dates: Some(whole),
            rest,
            ..Self::of(Json::object([
                ("from", Json::string(from)),
                ("to", Json::string(to)),
            ]))
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
            (Some(Cursor::Baseline(_)), ..) | (None, FeedRole::Changes, Start::Now) => {
                Self::Baseline
            }
            (Some(_), ..)
            | (None, _, Start::Beginning)
            | (None, FeedRole::Changes, Start::Instant(_)) => Self::Tell,
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
    match (&feed.cursor, cursor.map(Cursor::place)) {
        (CursorRule::Time(rule), cursor) => ask_by_time(feed, rule, cursor, now),
        (CursorRule::Number(_), Some(Cursor::Number(number))) => Ok(asked_text(number)),
        (CursorRule::Number(_), _) => Ok(asked_text("0")),
        (CursorRule::Token(_), Some(Cursor::Token(token))) => Ok(asked_text(token.expose())),
        (CursorRule::Token(_), _) => Ok(asked_text("")),
        (CursorRule::Queue(_), _) => Ok(Asked::of(Json::object::<String>([]))),
        (CursorRule::Sweep(sweep), _) => ask_for_all(sweep, now),
    }
}

/// What a feed by field looks at if its silent first round showed nothing: a day and more before `now`. The EHR's dates may be another
/// zone's, or its clock behind ours without saying so; the cursor then begins at what it showed and not at what our clock makes of it.
/// None for a feed that begins otherwise.
pub(crate) fn ask_back(feed: &Feed, now: Timestamp) -> Result<Option<Asked>, RoundFailure> {
    let CursorRule::Time(rule) = &feed.cursor else {
        return Ok(None);
    };
    if !rule.source.is_field() {
        return Ok(None);
    }
    // Within one slice.
    let longest = rule.longest_window.unwrap_or(Duration::MAX);
    let back = FIRST_LOOK_BACK.min(longest.saturating_sub(rule.overlap.saturating_mul(2)));
    let until = earlier(now, rule.settle);
    let bound = earlier(until, rule.overlap.saturating_add(back));
    slices::first_of_time(bound, until, rule)
        .map(Some)
        .map_err(|error| unwritable_cursor(&error))
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
        (_, FeedRole::Trailing, _) => earlier(until, rule.overlap),
        (_, _, Start::Now) => match feed.baseline {
            Baseline::None => earlier(until, rule.overlap),
            Baseline::Back(back) => earlier(until, back.max(rule.overlap)),
            Baseline::Everything => Timestamp::UNIX_EPOCH,
        },
        (_, _, Start::Beginning) => Timestamp::UNIX_EPOCH,
        (_, _, Start::Instant(start)) => just_before(start),
    };
    slices::first_of_time(bound, until, rule).map_err(|error| unwritable_cursor(&error))
}

fn ask_for_all(sweep: &Sweep, now: Timestamp) -> Result<Asked, RoundFailure> {
    match &sweep.scope {
        SweepScope::Everything => Ok(Asked::of(Json::object::<String>([]))),
        SweepScope::ChangesSince {
            since,
            written: rule,
        } => slices::first_of_time(*since, now, rule).map_err(|error| unwritable_cursor(&error)),
        SweepScope::Dates(range) => ask_for_dates(range, now),
    }
}

fn ask_for_dates(range: &DateRange, now: Timestamp) -> Result<Asked, RoundFailure> {
    let today = now.to_zoned(range.zone.clone()).date();
    let day = |offset: i32| {
        today
            .checked_add(offset.days())
            .map_err(|error| unwritable_dates(&error))
    };
    let whole = (day(range.from_days)?, day(range.to_days)?);
    slices::first_of_dates(whole, range).map_err(|error| unwritable_dates(&error))
}

/// The slice after this one; None where it was the last, or all.
pub(crate) fn after(feed: &Feed, asked: &Asked) -> Result<Option<Asked>, RoundFailure> {
    slices::after(feed, asked).map_err(|error| match asked.rest {
        Rest::From(_) => unwritable_dates(&error),
        Rest::Until(_) | Rest::Nothing => unwritable_cursor(&error),
    })
}

/// What was taken from a queue since a moment, as far back as the source remembers.
pub(crate) fn ask_again(
    recover: &Recover,
    since: Timestamp,
    now: Timestamp,
) -> Result<Asked, RoundFailure> {
    let rule = &recover.written;
    let from = earlier(since, rule.overlap).max(earlier(now, recover.reach));
    let written = instant::write(from, rule).and_then(|lower| {
        let upper = instant::write_not_before(later(now, rule.overlap), rule)?;
        Ok((lower, upper))
    });
    let (lower, upper) = written.map_err(|error| unwritable_cursor(&error))?;
    Ok(Asked::of(Json::object([
        ("from", Json::string(lower.text)),
        ("to", Json::string(upper.text)),
    ])))
}

fn unwritable_cursor(error: &Unwritable) -> RoundFailure {
    failure(
        failure::CURSOR_UNWRITABLE,
        format!("the cursor cannot be written in the format of `time`: {error}"),
        "check `time` and `zone` of the cursor",
    )
}

fn unwritable_dates(error: &Unwritable) -> RoundFailure {
    failure(
        failure::CURSOR_UNWRITABLE,
        format!("the dates of the sweep cannot be written: {error}"),
        "check `reconcile.dates`",
    )
}

fn asked_text(text: &str) -> Asked {
    Asked::of(Json::object([("cursor", Json::string(text))]))
}
