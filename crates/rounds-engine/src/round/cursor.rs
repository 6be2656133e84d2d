//! Where the cursor stands after a round (laws 2 and 3).
//!
//! After a whole drain a time cursor moves to the latest field that the source showed and that is not younger than
//! `settle` nor later than the source's own clock, so a record dated 2030 does not blind the feed and an empty answer
//! moves nothing. Where there is no field, the source's clock itself is the cursor, as its `Date` header said it before the
//! first page was read: whatever changes after that is asked again.
//!
//! An EHR may also say in the body what its clock shows, which is its database's own and therefore better than the header; the
//! first page's is taken, and an answer that does not say it moves nothing.
//!
//! A span that is asked for in slices is closed slice by slice: the slices come in the order of time, and each is drained and
//! older than `settle`, so the round may go on behind it.
//!
//! Where the source is declared to give ascending pages, and as long as it does, a round that is cut short may go on from the
//! last page: everything up to its latest field was shown. One record that comes out of order ends that for the round.

use super::ask::{Asked, Purpose};
use super::failure::{self, failure};
use crate::moment::{earlier, later};
use jiff::{SignedDuration, Timestamp};
use rounds_domain::plan::{
    CursorRule, Feed, FeedRole, LogOrder, Start, Sweep, SweepScope, TimeCursor, TimeSource,
};
use rounds_domain::{Cursor, Phi, QueueState, RoundFailure};
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
    /// Ours when the request was sent.
    pub(crate) ours: Timestamp,
}

impl SourceClock {
    /// Up to when a cursor may move. A time cursor never goes back, so a source whose clock once showed a year to come would
    /// blind its feed for good; who follows the earlier of both clocks only asks for some things again.
    pub(super) fn believed(self) -> Timestamp {
        self.now.min(self.ours)
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
    /// The field has a date that stands for none, such as 1900-01-01.
    Placeholder(Timestamp),
}

impl Position {
    /// A date as a record shows it. Databases write a date that is not known as 0001, 1753, 1899, 1900 or 1970: a record that changed before
    /// anybody kept electronic records has no date. Taken for one it would say that the filter was not heard, or that the pages of a feed that gives the
    /// newest first have come to their end.
    pub(super) fn of(at: Timestamp) -> Self {
        const FIRST: Timestamp = Timestamp::constant(366 * 86_400, 0);
        if at < FIRST {
            Self::Placeholder(at)
        } else {
            Self::At(at)
        }
    }
}

/// How old a record's change is, by the source's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    /// It may be told.
    Settled,
    /// It is younger than the change query's `settle`: left for a later round.
    Unsettled,
    /// It is dated later than the source's clock: told, but it does not move the cursor.
    Future,
}

/// Whether a date lies in the future of a clock that shows this.
pub(super) fn is_future(at: Timestamp, now: Timestamp) -> bool {
    at > later(now, FUTURE_TOLERANCE)
}

/// How old a record is. `settle` is the change query's, whichever feed shows the record.
pub(crate) fn age(position: Position, clock: SourceClock, settle: Duration) -> Age {
    match position {
        Position::At(at) if is_future(at, clock.now) => Age::Future,
        Position::At(at) if !settle.is_zero() && at > earlier(clock.now, settle) => Age::Unsettled,
        _ => Age::Settled,
    }
}

/// Whether the pages of a round have come in the order that is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// No order is declared.
    Undeclared,
    /// Ascending, and so they came.
    Kept,
    /// Ascending, and they did not.
    Broken,
}

/// Collects where the cursor may move while a round is drained.
#[derive(Debug)]
pub(crate) struct Advance<'a> {
    feed: &'a Feed,
    before: Option<&'a Cursor>,
    latest: Option<Timestamp>,
    highest: Option<Timestamp>,
    order: Order,
    descent: Descent,
    answered: Answered,
    given: Option<Cursor>,
    steps: Steps,
}

/// The numbers of a log's pages, where each is declared to give that of its last entry.
#[derive(Debug)]
enum Steps {
    /// It is not declared, or turned out to be wrong.
    Unknown,
    /// They rise. The last but one is where a round may go on: had it been the log's end, no further number would have followed it.
    Rise {
        confirmed: Option<String>,
        last: Option<String>,
    },
}

/// How far down pages have come that are declared to descend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Descent {
    /// They are not declared so.
    Undeclared,
    /// To this date.
    To(Option<Timestamp>),
    /// They went up again, so nothing is known of what is still to come.
    Broken,
}

/// Whether the answer said what the source's clock shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answered {
    No,
    Yes,
}

impl Steps {
    fn step(&mut self, number: &str) {
        let Self::Rise { confirmed, last } = self else {
            return;
        };
        match last {
            Some(before) if number == before => {}
            Some(before) if compare_numbers(number, before) == Ordering::Less => {
                *self = Self::Unknown;
            }
            _ => *confirmed = last.replace(number.to_owned()),
        }
    }
}

impl<'a> Advance<'a> {
    /// Nothing was drained yet.
    pub(crate) fn new(feed: &'a Feed, before: Option<&'a Cursor>) -> Self {
        let order = match &feed.cursor {
            CursorRule::Time(TimeCursor {
                source: TimeSource::AscendingField,
                ..
            }) => Order::Kept,
            _ => Order::Undeclared,
        };
        let descent = match &feed.cursor {
            CursorRule::Time(TimeCursor {
                source: TimeSource::DescendingField,
                ..
            }) => Descent::To(None),
            _ => Descent::Undeclared,
        };
        Self {
            feed,
            before: before.map(Cursor::place),
            latest: None,
            highest: None,
            order,
            descent,
            answered: Answered::No,
            given: None,
            steps: match &feed.cursor {
                CursorRule::Number(log) if log.order == LogOrder::Ascending => Steps::Rise {
                    confirmed: None,
                    last: None,
                },
                _ => Steps::Unknown,
            },
        }
    }

    /// A further slice begins: it goes back a granule before the end of the one before it.
    pub(crate) fn begin_slice(&mut self) {
        self.highest = None;
        if matches!(self.descent, Descent::To(_)) {
            self.descent = Descent::To(None);
        }
    }

    /// Takes into account that pages come down to this record. Says whether it is one that was asked for.
    pub(crate) fn descend(&mut self, position: Position, lower: Option<Timestamp>) -> bool {
        let (Position::At(at), Descent::To(lowest)) = (position, self.descent) else {
            let is_known_early =
                matches!((position, lower), (Position::At(at), Some(lower)) if at < lower);
            return self.descent == Descent::Undeclared || !is_known_early;
        };
        self.descent = match lowest {
            Some(lowest) if at > lowest => Descent::Broken,
            _ => Descent::To(Some(at)),
        };
        lower.is_none_or(|lower| at >= lower)
    }

    /// Whether all that is still to come is from before this moment, because pages descend.
    pub(crate) fn has_passed(&self, lower: Option<Timestamp>) -> bool {
        match (self.descent, lower) {
            (Descent::To(Some(lowest)), Some(lower)) => lowest < lower,
            _ => false,
        }
    }

    /// Notes that the answer said what the source's clock shows.
    pub(crate) fn clock_answered(&mut self) {
        self.answered = Answered::Yes;
    }

    /// Where a round may go on after a slice that is not the last, if that can be said.
    pub(crate) fn after_slice(&self, asked: &Asked, clock: SourceClock) -> Option<Cursor> {
        let (CursorRule::Time(rule), Some(until)) = (&self.feed.cursor, asked.until) else {
            return None;
        };
        let shown = match &rule.source {
            TimeSource::SourceClock => Some(by_clock(rule, asked, clock)),
            TimeSource::Answer(_) if self.answered == Answered::Yes => {
                Some(by_clock(rule, asked, clock))
            }
            TimeSource::Answer(_) => None,
            // A record from behind the slice says that the upper bound was not heard, so nothing is known of what lies before it.
            TimeSource::Field | TimeSource::AscendingField | TimeSource::DescendingField => {
                self.latest.filter(|latest| *latest <= until)
            }
        };
        match (self.before, shown?) {
            (Some(Cursor::Time(before)), shown) if shown <= *before => None,
            (_, shown) => Some(Cursor::Time(shown)),
        }
    }

    /// Takes a record's position into account.
    pub(crate) fn record(&mut self, position: Position, clock: SourceClock) {
        let (Position::At(at), CursorRule::Time(rule)) = (position, &self.feed.cursor) else {
            return;
        };
        if self.order == Order::Kept && self.highest.is_some_and(|highest| at < highest) {
            self.order = Order::Broken;
        }
        self.highest = self.highest.max(Some(at));
        let settled = earlier(clock.believed(), rule.settle);
        let bound = if rule.settle.is_zero() {
            later(settled, DATE_HEADER_STEP)
        } else {
            settled
        };
        if at <= bound {
            self.latest = self.latest.max(Some(at));
        }
    }

    /// Whether the declared order was kept so far.
    pub(crate) const fn order(&self) -> Order {
        self.order
    }

    /// Takes the pages as unordered from now on. Says whether they were thought to be ordered.
    pub(crate) fn forget_order(&mut self) -> bool {
        std::mem::replace(&mut self.order, Order::Undeclared) != Order::Undeclared
    }

    /// Where a round that is cut short now may go on; None where it must begin anew.
    pub(crate) fn checkpoint(&self) -> Option<Cursor> {
        if self.order != Order::Kept {
            return None;
        }
        match (self.before, self.latest) {
            (Some(Cursor::Time(before)), Some(latest)) if latest <= *before => None,
            (_, latest) => latest.map(Cursor::Time),
        }
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
                // A log that ends before the place that it gave us is another one: a restored backup, another database behind the address.
                if let Some(Cursor::Number(before)) = self.before
                    && number != "0"
                    && compare_numbers(&number, before) == Ordering::Less
                {
                    return Err(failure(
                        failure::LOG_WENT_BACK,
                        "the EHR's log ends before the place up to which it was read: it was made anew, or restored from a backup",
                        "if it is the right EHR, say where to go on: `rounds reset ACTION --to beginning` reads it all and compares it with what is known, `--to now` leaves out what it shows",
                    ));
                }
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

    /// Takes into account that the walk goes onward with a page that gave this.
    pub(super) fn step_onward(&mut self, given: Option<&Json>) {
        let number = given.and_then(Json::scalar_text);
        if let Some(number) = number.and_then(|text| whole_number(&text)) {
            self.steps.step(&number);
        }
    }

    /// Where a log may go on whose pages are declared to ascend.
    pub(super) fn step(&self) -> Option<Cursor> {
        match &self.steps {
            Steps::Rise { confirmed, .. } => confirmed.clone().map(Cursor::Number),
            Steps::Unknown => None,
        }
    }

    /// The cursor that the pages' bodies have given so far.
    pub(super) const fn given(&self) -> Option<&Cursor> {
        self.given.as_ref()
    }

    /// Where the cursor stands after the whole result was drained.
    pub(crate) fn after_drain(
        &self,
        purpose: Purpose,
        asked: &Asked,
        clock: SourceClock,
    ) -> Cursor {
        let shown = match &self.feed.cursor {
            CursorRule::Time(rule) => match (&rule.source, self.answered) {
                (TimeSource::SourceClock, _) | (TimeSource::Answer(_), Answered::Yes) => {
                    Some(Cursor::Time(by_clock(rule, asked, clock)))
                }
                (TimeSource::Answer(_), Answered::No) => None,
                (
                    TimeSource::Field | TimeSource::AscendingField | TimeSource::DescendingField,
                    _,
                ) => self.latest.map(Cursor::Time),
            },
            CursorRule::Number(_) | CursorRule::Token(_) => self.given.clone(),
            CursorRule::Queue(_) => Some(Cursor::Queue(QueueState::Settled)),
            CursorRule::Sweep(_) => asked.dates.map(|(from, to)| Cursor::Dates { from, to }),
        };
        match (self.before, shown) {
            // What a silent first round has asked for is all that is known to be old: the next one must not reach further back.
            (None, shown) if purpose == Purpose::Baseline && self.goes_by_field() => {
                self.after_silence(shown.as_ref(), asked, clock)
            }
            (None, Some(Cursor::Time(shown))) if purpose != Purpose::Tell => {
                match self.at_start(clock) {
                    Cursor::Time(start) => Cursor::Time(shown.max(start)),
                    _ => Cursor::Time(shown),
                }
            }
            // A time cursor never goes back.
            (Some(Cursor::Time(before)), Some(Cursor::Time(shown))) => {
                Cursor::Time(shown.max(*before))
            }
            (_, Some(shown)) => shown,
            (Some(before), None) if fits(before, &self.feed.cursor) => before.clone(),
            (_, None) => self.at_start(clock),
        }
    }

    fn goes_by_field(&self) -> bool {
        matches!(&self.feed.cursor, CursorRule::Time(rule) if rule.source.is_field())
    }

    /// Where the cursor stands after a silent first round by a field: at what was shown, in the EHR's own dates, and never so early
    /// that the next round would ask for what this one has not.
    fn after_silence(&self, shown: Option<&Cursor>, asked: &Asked, clock: SourceClock) -> Cursor {
        let (CursorRule::Time(rule), Some(lower)) = (&self.feed.cursor, asked.lower) else {
            return self.at_start(clock);
        };
        let earliest = later(lower, rule.overlap);
        match shown {
            Some(Cursor::Time(shown)) => Cursor::Time((*shown).max(earliest)),
            _ => Cursor::Time(earliest),
        }
    }

    /// Whether no record had a date so far.
    pub(super) const fn has_shown_nothing(&self) -> bool {
        self.highest.is_none()
    }

    /// How far the latest date that was shown lies behind the source's clock; negative where it lies before it.
    pub(super) fn behind(&self, clock: SourceClock) -> Option<SignedDuration> {
        self.highest
            .map(|highest| clock.now.duration_since(highest))
    }

    /// Where the cursor stands before anything was shown.
    pub(crate) fn at_start(&self, clock: SourceClock) -> Cursor {
        match (&self.feed.cursor, self.feed.start) {
            (CursorRule::Number(_), _) => Cursor::Number("0".to_owned()),
            (CursorRule::Token(_), _) => Cursor::Token(Phi::new(String::new())),
            (CursorRule::Queue(_), _) => Cursor::Queue(QueueState::Settled),
            (CursorRule::Sweep(_), _) => Cursor::Sweep,
            (CursorRule::Time(rule), _) if self.feed.role == FeedRole::Trailing => {
                Cursor::Time(earlier(clock.believed(), rule.settle))
            }
            (CursorRule::Time(_), Start::Beginning) => Cursor::Time(Timestamp::UNIX_EPOCH),
            (CursorRule::Time(_), Start::Instant(start)) => Cursor::Time(start),
            (CursorRule::Time(rule), Start::Now) => {
                Cursor::Time(earlier(clock.believed(), rule.settle))
            }
        }
    }
}

/// A kept cursor that the configuration no longer speaks of (it was a number and is a time now) cannot be used.
pub(crate) fn fits(cursor: &Cursor, rule: &CursorRule) -> bool {
    let is_about_dates = |sweep: &Sweep| matches!(sweep.scope, SweepScope::Dates(_));
    match (cursor, rule) {
        (Cursor::Time(_), CursorRule::Time(_))
        | (Cursor::Number(_), CursorRule::Number(_))
        | (Cursor::Token(_), CursorRule::Token(_))
        | (Cursor::Queue(_), CursorRule::Queue(_)) => true,
        (Cursor::Sweep, CursorRule::Sweep(sweep)) => !is_about_dates(sweep),
        (Cursor::Dates { .. }, CursorRule::Sweep(sweep)) => is_about_dates(sweep),
        (Cursor::Baseline(place), CursorRule::Number(_) | CursorRule::Token(_)) => {
            fits(place, rule)
        }
        _ => false,
    }
}

/// Whether a place in a log lies behind the one that is known.
pub(super) fn is_onward(known: Option<&Cursor>, place: &Cursor) -> bool {
    match (known.map(Cursor::place), place) {
        (Some(Cursor::Number(known)), Cursor::Number(place)) => {
            compare_numbers(place, known) == Ordering::Greater
        }
        (Some(known), place) => known != place,
        (None, _) => true,
    }
}

/// Where a cursor by the source's clock may stand.
fn by_clock(rule: &TimeCursor, asked: &Asked, clock: SourceClock) -> Timestamp {
    let settled = earlier(clock.believed(), rule.settle);
    // Slices were asked for up to a bound that was fixed when the first of them began.
    let is_bounded = !rule.settle.is_zero() || rule.longest_window.is_some();
    match asked.until {
        Some(until) if is_bounded => settled.min(until),
        _ => settled,
    }
}

pub(super) fn whole_number(text: &str) -> Option<String> {
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits.then(|| match text.trim_start_matches('0') {
        "" => "0".to_owned(),
        digits => digits.to_owned(),
    })
}

fn compare_numbers(one: &str, other: &str) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}
