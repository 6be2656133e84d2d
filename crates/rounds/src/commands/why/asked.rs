//! What a feed asks for, and what would have to be true of a record for it to be shown.

use crate::output::{cursor_in_words, plural};
use jiff::Timestamp;
use rounds_domain::plan::{Action, Baseline, CursorRule, Feed, Start, SweepScope, TimeCursor};
use rounds_domain::{Cursor, FeedState};
use serde::Serialize;

/// What one feed asks for.
#[derive(Debug, Serialize)]
pub struct AskedRow {
    /// Which feed.
    pub feed: String,
    /// The request as it is configured.
    pub request: String,
    /// When it was asked last.
    pub last_started_at: Option<Timestamp>,
    /// When it succeeded last.
    pub last_succeeded_at: Option<Timestamp>,
    /// How many of its rounds succeeded.
    pub rounds: u64,
    /// How many records they showed, if it was counted.
    pub shown: Option<u64>,
    /// Why it fails, if it does.
    pub failure: Option<String>,
    /// What would have to be true of a record that it has not shown.
    pub conditions: Vec<String>,
}

impl AskedRow {
    /// With its conditions only for what is unknown: what is known was shown.
    pub(super) fn of(action: &Action, feed: &Feed, state: &FeedState, is_unknown: bool) -> Self {
        let conditions = if is_unknown {
            conditions(action, feed, state)
        } else {
            Vec::new()
        };
        let failure = state.failure.as_ref();
        Self {
            feed: feed.name.to_string(),
            request: request(feed),
            last_started_at: state.last_started_at,
            last_succeeded_at: state.last_succeeded_at,
            rounds: state.rounds,
            shown: state.shown,
            failure: failure.map(|failure| {
                let rounds = plural(u64::from(state.failures_in_a_row), "round");
                format!("{rounds} failed ({}): {}", failure.code, failure.message)
            }),
            conditions,
        }
    }
}

/// The request with its placeholders.
fn request(feed: &Feed) -> String {
    let rule = &feed.request;
    let query = (rule.query.iter()).map(|(name, value)| format!("{name}={}", value.text()));
    let query: Vec<String> = query.collect();
    let mark = if query.is_empty() { "" } else { "?" };
    format!(
        "{} {}{mark}{}",
        rule.method,
        rule.path.text(),
        query.join("&")
    )
}

fn conditions(action: &Action, feed: &Feed, state: &FeedState) -> Vec<String> {
    let mut conditions = Vec::new();
    let field = (feed.dated_by.as_ref()).map_or_else(String::new, |dated| {
        format!(" by its `{}`", dated.field.text().trim())
    });
    match (&feed.cursor, &state.cursor) {
        (_, None) if state.rounds > 0 => {
            conditions.push("the feed begins anew with its next round".to_owned());
        }
        (_, None) => conditions.push("it has not been asked yet".to_owned()),
        (CursorRule::Time(rule), Some(Cursor::Time(at))) => {
            let from = at.checked_sub(rule.overlap).unwrap_or(*at);
            conditions.push(format!("it changed at {from} or later{field}"));
            let asks = rounds_engine::sample_request(feed, from);
            if let Some(asks) = asks {
                conditions.push(format!("the EHR shows it when it is asked for {asks}"));
            }
            conditions.extend(settled(rule));
        }
        (CursorRule::Time(_), Some(cursor)) => conditions.push(cursor_in_words(Some(cursor))),
        (CursorRule::Number(_), Some(cursor)) => conditions.push(format!(
            "the EHR gave it a number after {}",
            cursor_in_words(Some(cursor))
        )),
        (CursorRule::Token(_), Some(_)) => conditions
            .push("it changed after the EHR gave the token that is asked with next".to_owned()),
        (CursorRule::Queue(_), Some(_)) => {
            conditions.push("the EHR puts it into its queue".to_owned());
        }
        (CursorRule::Sweep(sweep), Some(_)) => conditions.push(match &sweep.scope {
            SweepScope::Dates(range) => format!(
                "its date is between {} and {} days from today",
                range.from_days, range.to_days
            ),
            _ => "it is in the EHR's whole answer".to_owned(),
        }),
    }
    let began = state.began_at.or(state.last_succeeded_at);
    let starts_now = state.start.unwrap_or(feed.start) == Start::Now;
    let leaves_out = starts_now && feed.baseline == Baseline::None;
    if let (true, CursorRule::Time(_), Some(began)) = (leaves_out, &feed.cursor, began) {
        conditions.push(format!(
            "it changed after {began}, or shortly before, when the feed began with `start: now`: what did not was never asked for"
        ));
    }
    if feed.partitions.is_some() {
        let count = plural(state.partitions, "partition");
        conditions.push(format!("it belongs to one of the {count} that are asked"));
    }
    if let Some(skip) = &feed.skip {
        conditions.push(format!(
            "`skip` is not true of it: `{}`",
            skip.text().trim()
        ));
    }
    conditions.push(format!(
        "its `{}` is the id that was asked for",
        feed.id.text().trim()
    ));
    if !feed.request.query.is_empty() && feed.name == action.changes.name {
        conditions.push("what else the request asks for is true of it".to_owned());
    }
    conditions
}

fn settled(rule: &TimeCursor) -> Option<String> {
    let seconds = rule.settle.as_secs();
    (seconds > 0).then(|| {
        format!(
            "it is older than `settle` ({seconds} s): what is younger is left for a later round"
        )
    })
}
