//! What one round did or would have done, as people and programs read it.

use super::answer::{self, Answers};
use crate::output::{
    Align, Columns, FindingRow, RawDocument, Report, bytes_in_words, cursor_in_words,
    duration_in_words, plural,
};
use jiff::Timestamp;
use rounds_domain::{Document, FeedKey, Notification, RecordId, RoundCounts, RoundEnd, plain};
use rounds_engine::{Choice, ChosenRecord, Exchange, PollMode, PollReport};
use rounds_map::Json;
use serde::Serialize;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::time::Duration;

/// Everything about one round. Shows patient data, to the person who asked.
#[derive(Debug, Serialize)]
pub struct PollPage {
    /// Which action.
    pub action: String,
    /// Which of its feeds.
    pub feed: String,
    /// Whether nothing was changed.
    pub dry_run: bool,
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
    /// The notifications that would be sent (dry run only).
    pub notifications: Vec<NotificationRow>,
    /// Changes that could not be made into notifications (dry run only).
    pub failures: Vec<FailureRow>,
    /// Changes that the rules of the action keep silent (dry run only).
    pub silent: Vec<FailureRow>,
    /// Why the round failed, if it did.
    pub failure: Option<Value>,
    /// How the round ended.
    #[serde(skip)]
    pub end: RoundEnd,
    #[serde(skip)]
    counted: RoundCounts,
    #[serde(skip)]
    now: Timestamp,
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
        mode: PollMode,
        answers: Answers,
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
        let shows_answers = mode == PollMode::DryRun || matches!(report.end, RoundEnd::Failed(_));
        let exchange = |exchange: &Exchange| ExchangeRow {
            answer: (shows_answers)
                .then(|| answer::text(exchange.answer.expose(), answers))
                .flatten(),
            url: match answers {
                Answers::Redacted => answer::redacted_url(exchange.url.expose()),
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
        let notification = |told: &Notification| NotificationRow {
            record: name(&told.record_id),
            body: document(&told.body),
            ..NotificationRow::from(told)
        };
        let failure = match &report.end {
            RoundEnd::Failed(failure) => Some(json!({
                "code": failure.code.as_str(),
                "message": failure.message,
                "hint": failure.hint,
            })),
            RoundEnd::Succeeded | RoundEnd::Unfinished => None,
        };
        let failed = |(record, code, reason): &(RecordId, String, String)| FailureRow {
            record: name(record),
            code: code.clone(),
            reason: reason.clone(),
        };
        Self {
            action: feed.action.to_string(),
            feed: feed.feed.to_string(),
            dry_run: mode == PollMode::DryRun,
            cursor_before: cursor_in_words(report.cursor_before.as_ref()),
            cursor_after: cursor_in_words(report.cursor_after.as_ref()),
            requests: report.exchanges.iter().map(exchange).collect(),
            records: report.records.iter().map(record).collect(),
            counts: counts(&report.counts),
            findings: report.findings.iter().map(FindingRow::from).collect(),
            notifications: report.notifications.iter().map(notification).collect(),
            failures: report.failures.iter().map(failed).collect(),
            silent: report.silent.iter().map(failed).collect(),
            failure,
            end: report.end,
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

impl PollPage {
    /// Takes the value of a query parameter out of all URLs.
    pub fn hide_parameter(&mut self, parameter: &str) {
        for request in &mut self.requests {
            request.url = without_value(&request.url, parameter);
            // An EHR may repeat it in its links.
            let mark = format!("{parameter}=");
            request.answer = (request.answer.take()).map(|answer| hidden(&answer, &mark));
        }
    }
}

/// `text` with `...` for what stands behind `mark`, up to the end of the value.
fn hidden(text: &str, mark: &str) -> String {
    let mut pieces = text.split(mark);
    let mut shown = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let ends = |sign: char| sign.is_whitespace() || "&\"'<>\\".contains(sign);
        let rest = piece.find(ends).map_or("", |at| &piece[at..]);
        shown.push_str(mark);
        shown.push_str("...");
        shown.push_str(rest);
    }
    shown
}

/// The URL with `...` for the value of a query parameter. A name may be percent-encoded, so it is compared decoded.
fn without_value(url: &str, parameter: &str) -> String {
    let Some((path, query)) = url.split_once('?') else {
        return url.to_owned();
    };
    let is_it = |pair: &str| {
        let mut parsed = url::form_urlencoded::parse(pair.as_bytes());
        parsed.next().is_some_and(|(name, _)| name == parameter)
    };
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if is_it(pair) => format!("{name}=..."),
        _ => pair.to_owned(),
    });
    format!("{path}?{}", pairs.collect::<Vec<_>>().join("&"))
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
            missing: missing.collect(),
            body: RawDocument::from(&notification.body),
        }
    }
}

impl Report for PollPage {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let mode = if self.dry_run {
            "a dry run: nothing is changed and nothing is sent"
        } else {
            "for real"
        };
        writeln!(out, "One round of {}/{}, {mode}.\n", self.action, self.feed)?;
        self.write_requests(out)?;
        self.write_records(out)?;
        writeln!(out, "Cursor")?;
        writeln!(out, "  before  {}", self.cursor_before)?;
        writeln!(out, "  after   {}\n", self.cursor_after)?;
        if self.dry_run {
            self.write_notifications(out)?;
        }
        for finding in &self.findings {
            finding.write("Look at", self.now, out)?;
            writeln!(out)?;
        }
        self.write_end(out)
    }
}

impl PollPage {
    fn write_requests(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "Requests")?;
        for request in &self.requests {
            let answer = match (request.status, &request.error) {
                (Some(status), _) => format!(
                    "{status}, {}",
                    bytes_in_words(u64::try_from(request.body_bytes).unwrap_or(u64::MAX))
                ),
                (None, Some(error)) => error.clone(),
                (None, None) => "no answer".to_owned(),
            };
            let took = duration_in_words(Duration::from_millis(request.took_ms));
            writeln!(out, "  {} {}", request.method, request.url)?;
            for line in request.body.iter().flat_map(|body| body.lines()) {
                writeln!(out, "    > {line}")?;
            }
            writeln!(out, "    {answer}, {took}")?;
            for line in request.answer.iter().flat_map(|text| text.lines()) {
                writeln!(out, "    < {}", plain(line))?;
            }
        }
        writeln!(out)
    }

    fn write_records(&self, out: &mut dyn Write) -> io::Result<()> {
        let counts = &self.counted;
        writeln!(
            out,
            "Records: {} in {}",
            counts.records,
            plural(counts.pages, "page")
        )?;
        let mut table = Columns::new(&[
            ("record", Align::Left),
            ("choice", Align::Left),
            ("why", Align::Left),
        ]);
        for record in &self.records {
            table.row([
                record.id.clone().unwrap_or_else(|| "-".to_owned()),
                record.choice.to_owned(),
                record.why.to_owned(),
            ]);
        }
        if !self.records.is_empty() {
            table.write(out, "  ")?;
        }
        writeln!(out)
    }

    fn write_notifications(&self, out: &mut dyn Write) -> io::Result<()> {
        let count = u64::try_from(self.notifications.len()).unwrap_or(u64::MAX);
        writeln!(out, "{} would be sent", plural(count, "notification"))?;
        for notification in &self.notifications {
            let record = plain(&notification.record);
            writeln!(
                out,
                "  {} for record {record} ({})",
                notification.event, notification.kind
            )?;
            for lookup in &notification.missing {
                writeln!(out, "  missing: lookup {lookup}")?;
            }
            writeln!(out, "  {}", notification.body.indented("  "))?;
        }
        for failure in &self.failures {
            let record = plain(&failure.record);
            writeln!(
                out,
                "  none for record {record}: {} ({})",
                failure.reason, failure.code
            )?;
        }
        for silent in &self.silent {
            let record = plain(&silent.record);
            writeln!(
                out,
                "  not told of record {record}: {} ({})",
                silent.reason, silent.code
            )?;
        }
        writeln!(out)
    }

    fn write_end(&self, out: &mut dyn Write) -> io::Result<()> {
        match &self.end {
            RoundEnd::Failed(failure) => {
                writeln!(
                    out,
                    "The round failed ({}): {}",
                    failure.code, failure.message
                )?;
                if let Some(hint) = &failure.hint {
                    writeln!(out, "  help: {hint}")?;
                }
                Ok(())
            }
            RoundEnd::Succeeded | RoundEnd::Unfinished if self.dry_run => {
                let changes = self.notifications.len() + self.failures.len() + self.silent.len();
                match self.failures.len() {
                    0 if changes == 0 => writeln!(
                        out,
                        "The round would have gone well, and nothing would have been told: `rounds map try {}` shows what the mapping makes of records.",
                        self.action
                    ),
                    0 => writeln!(out, "The round would have gone well."),
                    failed => writeln!(
                        out,
                        "The EHR would have been asked well, and {failed} of {changes} changes could not be told: why is said above. They would wait and be tried again."
                    ),
                }
            }
            RoundEnd::Unfinished => writeln!(
                out,
                "The EHR's answer is not there yet; the next round goes on from here."
            ),
            RoundEnd::Succeeded => writeln!(
                out,
                "Committed; {} for `rounds run`.",
                match self.counted.changed {
                    1 => "1 container waits".to_owned(),
                    count => format!("{count} containers wait"),
                }
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{hidden, without_value};

    #[test]
    fn a_secret_in_a_link_of_an_answer_is_hidden() {
        let text = r#"{"next":"https://a.example/b?key=s3&p=2","again":"?key=s3"}"#;
        let shown = r#"{"next":"https://a.example/b?key=...&p=2","again":"?key=..."}"#;
        assert_eq!(hidden(text, "key="), shown);
    }

    #[test]
    fn a_secret_parameter_shows_no_value() {
        for (url, shown) in [
            ("https://a.example/b", "https://a.example/b"),
            (
                "https://a.example/b?x=1&key=s3&y",
                "https://a.example/b?x=1&key=...&y",
            ),
            (
                "https://a.example/b?k%65y=s3",
                "https://a.example/b?k%65y=...",
            ),
            (
                "https://a.example/b?monkey=1",
                "https://a.example/b?monkey=1",
            ),
        ] {
            assert_eq!(without_value(url, "key"), shown);
        }
    }
}
