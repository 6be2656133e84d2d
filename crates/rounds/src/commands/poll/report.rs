//! What one round did or would have done, as people and programs read it.

use super::Mode;
use super::answer::{self, Answers, KnownSegments};
use super::notes;
use crate::output::{FindingRow, RawDocument, cursor_in_words};
use jiff::Timestamp;
use rounds_domain::plan::Action;
use rounds_domain::{Document, FeedKey, Notification, RecordId, RoundCounts, RoundEnd};
use rounds_engine::{Choice, ChosenRecord, Exchange, PollReport, Subject, Trial, Which};
use rounds_map::Json;
use serde::Serialize;
use serde_json::{Value, json};

/// Everything about one round. Shows patient data, to the person who asked.
#[derive(Debug, Serialize)]
pub struct PollPage {
    /// Which action.
    pub action: String,
    /// Which of its feeds.
    pub feed: String,
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// What it was about.
    pub subject: AsOf,
    /// The cursor before the round, in words.
    pub cursor_before: String,
    /// The cursor after it.
    pub cursor_after: String,
    /// The requests, in order.
    pub requests: Vec<ExchangeRow>,
    /// The records, with what was decided for each.
    pub records: Vec<RecordRow>,
    /// What was counted.
    pub counts: Value,
    /// What a person should look at.
    pub findings: Vec<FindingRow>,
    /// What the rules of the feed read and no record here has (dry run only).
    pub notes: Vec<String>,
    /// The notifications that would be sent (dry run only).
    pub notifications: Vec<NotificationRow>,
    /// Changes that could not be made into notifications (dry run only).
    pub failures: Vec<FailureRow>,
    /// Changes that the rules of the action keep silent (dry run only).
    pub silent: Vec<FailureRow>,
    /// How many more records would be told than `--sample` says (dry run only).
    pub beyond: usize,
    /// Why the round failed, if it did.
    pub failure: Option<Value>,
    /// How the round ended.
    #[serde(skip)]
    pub end: RoundEnd,
    /// Whether the action has any.
    #[serde(skip)]
    pub(super) has_destinations: bool,
    #[serde(skip)]
    pub(super) counted: RoundCounts,
    #[serde(skip)]
    pub(super) now: Timestamp,
}

/// What a round by hand was about.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AsOf {
    /// The round that is due next.
    NextRound,
    /// Records that are there, as if nothing were known.
    Shown {
        /// From when on; None: as far back as one page reaches.
        since: Option<Timestamp>,
        /// How many of them; None: all, or the one that was named.
        sample: Option<usize>,
    },
    /// One record.
    Record,
}

impl AsOf {
    pub(super) fn of(mode: &Mode) -> Self {
        match mode {
            Mode::Commit | Mode::DryRun(Subject::NextRound) => Self::NextRound,
            Mode::DryRun(
                Subject::Shown(_, Which::One(_)) | Subject::Record(_) | Subject::Given(_),
            ) => Self::Record,
            Mode::DryRun(Subject::Shown(since, which)) => Self::Shown {
                since: *since,
                sample: match which {
                    Which::First(most) => Some(*most),
                    Which::All | Which::One(_) => None,
                },
            },
        }
    }
}

/// One request.
#[derive(Debug, Serialize)]
pub struct ExchangeRow {
    /// The method.
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// What was sent along, secrets by their names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The answer's status.
    pub status: Option<u16>,
    /// Why there was no answer.
    pub error: Option<String>,
    /// The size of the answer.
    pub body_bytes: usize,
    /// What was answered, as far as it is shown (dry run, and where the round failed).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// How long it took, the wait at the gate included.
    pub took_ms: u64,
}

/// One record.
#[derive(Debug, Serialize)]
pub struct RecordRow {
    /// Which; none if it has no identity.
    pub id: Option<String>,
    /// What was decided: one word.
    pub choice: &'static str,
    /// Why.
    pub why: &'static str,
    /// The record.
    pub record: RawDocument,
}

/// One notification that would be sent.
#[derive(Debug, Serialize)]
pub struct NotificationRow {
    /// What it is called.
    pub event: String,
    /// The EHR's record.
    pub record: String,
    /// `created` or `updated`.
    pub kind: &'static str,
    /// To whom: those destinations of the action whose rules want it.
    pub to: Vec<String>,
    /// Lookups whose record was not there.
    pub missing: Vec<String>,
    /// What the receiver would get.
    pub body: RawDocument,
}

/// A change that could not be made into a notification.
#[derive(Debug, Serialize)]
pub struct FailureRow {
    /// The EHR's record.
    pub record: String,
    /// The code.
    pub code: String,
    /// Why.
    pub reason: String,
}

impl PollPage {
    pub(super) fn of(
        feed: &FeedKey,
        mode: &Mode,
        (answers, action, known): (Answers, &Action, &KnownSegments),
        report: PollReport,
        now: Timestamp,
    ) -> Self {
        let name = |id: &RecordId| match answers {
            Answers::Redacted => "*".to_owned(),
            Answers::Beginning | Answers::Raw => id.expose().to_owned(),
        };
        let document = |document: &Document| match (answers, Json::parse(document.bytes())) {
            (Answers::Redacted, Ok(json)) => {
                RawDocument::from(&Document::new(answer::redacted(&json).to_bytes()))
            }
            _ => RawDocument::from(document),
        };
        let is_dry = matches!(mode, Mode::DryRun(_));
        let shows_answers = is_dry || matches!(report.end, RoundEnd::Failed(_));
        let exchange = |exchange: &Exchange| ExchangeRow {
            answer: (shows_answers)
                .then(|| answer::text(exchange.answer.expose(), answers))
                .flatten(),
            url: match answers {
                Answers::Redacted => answer::redacted_url(exchange.url.expose(), known),
                Answers::Beginning | Answers::Raw => exchange.url.expose().clone(),
            },
            body: (exchange.body.as_ref())
                .filter(|_| answers != Answers::Redacted)
                .map(|body| body.expose().clone()),
            ..ExchangeRow::from(exchange)
        };
        let record = |chosen: &ChosenRecord| RecordRow {
            id: chosen.id.as_ref().map(name),
            record: document(&chosen.record),
            ..RecordRow::from(chosen)
        };
        let failure = match &report.end {
            RoundEnd::Failed(failure) => Some(json!({
                "code": failure.code.as_str(),
                "message": failure.message,
                "hint": failure.hint,
            })),
            RoundEnd::Succeeded | RoundEnd::Unfinished => None,
        };
        let (mut notifications, mut failures, mut silent) = (Vec::new(), Vec::new(), Vec::new());
        for tried in &report.tried {
            let row = |code: &String, reason: &String| FailureRow {
                record: name(&tried.record_id),
                code: code.clone(),
                reason: reason.clone(),
            };
            match &tried.outcome {
                Trial::Told(told, to) => notifications.push(NotificationRow {
                    record: name(&told.record_id),
                    body: document(&told.body),
                    to: to.iter().map(ToString::to_string).collect(),
                    ..NotificationRow::from(&**told)
                }),
                Trial::Silent { code, reason } => silent.push(row(code, reason)),
                Trial::Failed { code, reason } => failures.push(row(code, reason)),
            }
        }
        Self {
            action: feed.action.to_string(),
            feed: feed.feed.to_string(),
            dry_run: is_dry,
            subject: AsOf::of(mode),
            cursor_before: cursor_in_words(report.cursor_before.as_ref()),
            cursor_after: cursor_in_words(report.cursor_after.as_ref()),
            requests: report.exchanges.iter().map(exchange).collect(),
            records: report.records.iter().map(record).collect(),
            counts: counts(&report.counts),
            findings: report.findings.iter().map(FindingRow::from).collect(),
            notes: (action.feeds().find(|known| known.name == feed.feed))
                .filter(|_| is_dry)
                .map_or_else(Vec::new, |feed| notes::of(action, feed, &report.records)),
            notifications,
            failures,
            silent,
            beyond: report.beyond,
            failure,
            end: report.end,
            has_destinations: !action.to.is_empty(),
            counted: report.counts,
            now,
        }
    }
}

fn counts(counts: &RoundCounts) -> Value {
    json!({
        "requests": counts.requests,
        "pages": counts.pages,
        "records": counts.records,
        "unchanged": counts.unchanged,
        "changed": counts.changed,
        "baselined": counts.baselined,
        "unsettled": counts.unsettled,
        "future_dated": counts.future_dated,
        "undated": counts.undated,
        "unsaid_made": counts.unsaid_made,
        "unidentified": counts.unidentified,
        "ambiguous": counts.ambiguous,
        "undecided": counts.undecided,
        "skipped": counts.skipped,
        "mended_signs": counts.mended_signs,
    })
}

/// A word for programs and a reason for people.
pub(crate) const fn choice(choice: Choice) -> (&'static str, &'static str) {
    match choice {
        Choice::Created => ("created", "seen for the first time: told"),
        Choice::Updated => ("updated", "known with another version: told"),
        Choice::Unchanged => ("unchanged", "this version is known"),
        Choice::Baselined => (
            "baselined",
            "the feed starts from now: known from here on, not told",
        ),
        Choice::Unsettled => ("unsettled", "younger than `settle`: left for a later round"),
        Choice::Unidentified => (
            "unidentified",
            "`id` gives nothing: kept as a dead container",
        ),
        Choice::Undated => (
            "undated",
            "its date stands for none: kept as a dead container",
        ),
        Choice::Older => ("older", "a newer state is known"),
        Choice::Rekeyed => (
            "unchanged",
            "this state is known, under another rule for versions",
        ),
        Choice::Ambiguous => (
            "ambiguous",
            "the answer shows this identity twice, in states of which nothing says which is newer",
        ),
        Choice::Superseded => (
            "superseded",
            "came again in this round: told once, as it was last",
        ),
    }
}

impl From<&Exchange> for ExchangeRow {
    fn from(exchange: &Exchange) -> Self {
        Self {
            method: exchange.method.clone(),
            url: exchange.url.expose().clone(),
            body: exchange.body.as_ref().map(|body| body.expose().clone()),
            status: exchange.outcome.as_ref().ok().copied(),
            error: exchange.outcome.as_ref().err().cloned(),
            body_bytes: exchange.answer.expose().len(),
            answer: None,
            took_ms: u64::try_from(exchange.took.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl From<&ChosenRecord> for RecordRow {
    fn from(chosen: &ChosenRecord) -> Self {
        let (word, why) = choice(chosen.choice);
        Self {
            id: chosen.id.as_ref().map(|id| id.expose().to_owned()),
            choice: word,
            why,
            record: RawDocument::from(&chosen.record),
        }
    }
}

impl From<&Notification> for NotificationRow {
    fn from(notification: &Notification) -> Self {
        let missing = notification.gaps.iter().map(|gap| gap.lookup.to_string());
        Self {
            event: notification.event.clone(),
            record: notification.record_id.expose().to_owned(),
            kind: notification.kind.as_str(),
            to: Vec::new(),
            missing: missing.collect(),
            body: RawDocument::from(&notification.body),
        }
    }
}
