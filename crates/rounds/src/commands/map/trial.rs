//! `rounds map try`: what a mapping makes of the EHR's own records, and where each value comes from.

use super::fixtures;
use super::leaves::{self, LeafRow, Leaves, MappedField};
use crate::cli::{Common, TryArguments};
use crate::commands::poll::{choice, explained, open_to_look, unknown_action};
use crate::output::{Align, Columns, RawDocument, Report, Terminal, plural};
use crate::problem::NOT_MAPPED;
use crate::wiring::Surroundings;
use crate::{Ended, Problem, configuration};
use rounds_domain::plan::Action;
use rounds_domain::ports::{Credentials, Store};
use rounds_domain::{ActionName, FeedKey, RecordId, RoundEnd, plain};
use rounds_engine::{Choice, PollReport, Subject, Trial, Tried, Which};
use serde::Serialize;
use std::io::{self, Write};
use std::sync::Arc;

/// How many characters of a value or of its source a line shows.
const WIDTH: usize = 60;

/// What became of all records that were tried.
#[derive(Debug, Serialize)]
pub struct TrialPage {
    /// The action.
    pub action: String,
    /// How its messages are wrapped.
    pub shape: &'static str,
    /// The media type that they leave as.
    pub content_type: &'static str,
    /// How many requests were made.
    pub requests: usize,
    /// Each record.
    pub records: Vec<TriedRow>,
    /// Why records would not be told, and how many for each reason.
    pub silent: Vec<WhyRow>,
    /// Why records that the page shows were not tried, and how many for each reason.
    pub not_tried: Vec<WhyRow>,
    /// Of each field that the mapping writes, in how many of the messages it had a value.
    pub fields: Vec<MappedField>,
    /// Why no sample could be had.
    pub failure: Option<String>,
}

/// A reason, and how many records it has.
#[derive(Debug, Serialize)]
pub struct WhyRow {
    /// In words; first the code, if there is one.
    pub why: String,
    /// How many.
    pub records: usize,
}

/// One record.
#[derive(Debug, Serialize)]
pub struct TriedRow {
    /// Which.
    pub record: String,
    /// `told`, `silent` or `failed`.
    pub outcome: &'static str,
    /// What it would be called, or the code of why it is not told.
    pub event: String,
    /// Why it is not told.
    pub reason: Option<String>,
    /// What the receiver would get.
    pub body: Option<RawDocument>,
    /// Each value that its shape puts around what is told: headers, and what is not the mapping's of the body.
    pub envelope: Vec<LeafRow>,
    /// Each value that the mapping or the record gave.
    pub leaves: Vec<LeafRow>,
}

impl TrialPage {
    pub(super) fn of(action: &Action, report: PollReport) -> Self {
        let passed: Vec<Choice> = report.passed().collect();
        let failure = match report.end {
            RoundEnd::Failed(failure) => Some(format!("{} {}", failure.code, failure.message)),
            RoundEnd::Succeeded | RoundEnd::Unfinished => None,
        };
        let records: Vec<TriedRow> = report
            .tried
            .into_iter()
            .map(|one| row(action, one))
            .collect();
        let silent = records.iter().filter(|row| row.outcome == "silent");
        let silent = silent.map(|row| {
            let reason = row.reason.as_deref().unwrap_or_default();
            format!("{} {reason}", row.event)
        });
        let beyond = "beyond what `--sample` says".to_owned();
        let passed = passed.into_iter().map(|passed| {
            let (word, why) = choice(passed);
            format!("{word}: {why}")
        });
        Self {
            action: action.name.to_string(),
            shape: action.notify.shape.as_str(),
            content_type: action.notify.shape.content_type(),
            requests: report.exchanges.len(),
            fields: leaves::fields(action, &records),
            silent: counted(silent),
            not_tried: counted(std::iter::repeat_n(beyond, report.beyond).chain(passed)),
            records,
            failure,
        }
    }

    fn count(&self, outcome: &str) -> usize {
        let of = self.records.iter().filter(|row| row.outcome == outcome);
        of.count()
    }
}

/// How often each comes, in the order of the first of them.
fn counted(all: impl Iterator<Item = String>) -> Vec<WhyRow> {
    let mut rows: Vec<WhyRow> = Vec::new();
    for why in all {
        match rows.iter_mut().find(|row| row.why == why) {
            Some(row) => row.records += 1,
            None => rows.push(WhyRow { why, records: 1 }),
        }
    }
    rows
}

fn row(action: &Action, tried: Tried) -> TriedRow {
    let record = tried.record_id.expose().to_owned();
    let untold = |outcome, code: String, reason: String| TriedRow {
        record: record.clone(),
        outcome,
        event: code,
        reason: Some(reason),
        body: None,
        envelope: Vec::new(),
        leaves: Vec::new(),
    };
    match tried.outcome {
        Trial::Told(notification, _) => {
            let Leaves { envelope, message } = leaves::of(action, &notification);
            TriedRow {
                record: record.clone(),
                outcome: "told",
                event: notification.event.clone(),
                reason: None,
                body: Some(RawDocument::from(&notification.body)),
                envelope,
                leaves: message,
            }
        }
        Trial::Silent { code, reason } => untold("silent", code, reason),
        Trial::Failed { code, reason } => untold("failed", code, reason),
    }
}

/// Does it.
pub(super) async fn perform(
    common: &Common,
    arguments: &TryArguments,
    terminal: &mut Terminal,
) -> Result<Ended, Problem> {
    let plan = configuration::load(&common.config, terminal)?;
    let name = ActionName::new(arguments.action.as_str());
    let Some(action) = plan.actions.iter().find(|known| known.name == name) else {
        return Err(unknown_action(&plan, &name));
    };
    let subject = match (&arguments.record, &arguments.file) {
        (Some(id), _) => Subject::Record(RecordId::new(id.as_str())),
        (None, Some(file)) => Subject::Given(Box::new(fixtures::read(action, file)?)),
        (None, None) => Subject::Shown(None, Which::First(arguments.sample)),
    };
    let (store, credentials) = open_to_look(&common.data_dir)?;
    let (store, credentials): (Arc<dyn Store>, Option<Arc<dyn Credentials>>) = (store, credentials);
    let surroundings = Surroundings::real();
    let ports = surroundings.ports(&plan, store, credentials)?;
    let changes = FeedKey::whole(name, action.changes.name.clone());
    let report = rounds_engine::rehearse(&plan, &ports, &changes, subject).await;
    let page = TrialPage::of(action, report.map_err(|error| explained(&plan, error))?);
    terminal.give(&page)?;
    let (failed, all) = (page.count("failed"), page.records.len());
    if page.failure.is_some() {
        return Ok(Ended::Unavailable);
    }
    if failed == 0 {
        return Ok(Ended::Fine);
    }
    let all = plural(u64::try_from(all).unwrap_or(u64::MAX), "record");
    Err(Problem::new(
        NOT_MAPPED,
        Ended::BadData,
        format!("{failed} of {all} could not be made into messages"),
        "each says above why, with its path; such a change would wait as a parked container",
    ))
}

fn cut(text: &str) -> String {
    let text = plain(text);
    if text.chars().count() <= WIDTH {
        return text.into_owned();
    }
    let kept: String = text.chars().take(WIDTH - 3).collect();
    format!("{kept}...")
}

impl Report for TrialPage {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        for row in &self.records {
            writeln!(out, "{} {}: {}", row.outcome, plain(&row.record), row.event)?;
            if let Some(reason) = &row.reason {
                writeln!(out, "  {}", plain(reason))?;
            }
            if !row.envelope.is_empty() {
                writeln!(out, "  leaves as {} ({})", self.shape, self.content_type)?;
            }
            table("envelope", &row.envelope, out)?;
            table("field", &row.leaves, out)?;
            writeln!(out)?;
        }
        let (told, number) = (self.count("told"), |count: usize| {
            u64::try_from(count).unwrap_or(u64::MAX)
        });
        writeln!(
            out,
            "{}: {told} would be told, {} silent, {} failed, by {}; nothing was changed",
            plural(number(self.records.len()), "record"),
            self.count("silent"),
            self.count("failed"),
            plural(number(self.requests), "request"),
        )?;
        for (word, rows) in [("silent", &self.silent), ("not tried", &self.not_tried)] {
            for row in rows {
                writeln!(out, "{word}: {} {}", row.records, plain(&row.why))?;
            }
        }
        if let Some(failure) = &self.failure {
            writeln!(out, "no sample: {}", plain(failure))?;
        }
        self.write_fields(told, out)
    }
}

impl TrialPage {
    /// Which fields have values, of the messages alone: what is not told has none, and that says nothing of its fields.
    fn write_fields(&self, told: usize, out: &mut dyn Write) -> io::Result<()> {
        if told == 0 || self.fields.is_empty() {
            return Ok(());
        }
        let of = |wanted: fn(usize, usize) -> bool| {
            let of = |field: &&MappedField| wanted(field.filled, told);
            let paths = self.fields.iter().filter(of);
            let paths: Vec<&str> = paths.map(|field| field.path.as_str()).collect();
            paths.join(", ")
        };
        let messages = plural(u64::try_from(told).unwrap_or(u64::MAX), "message");
        writeln!(out, "of the fields of {messages}")?;
        for (words, paths) in [
            ("null in all", of(|filled, _| filled == 0)),
            (
                "null in some",
                of(|filled, told| filled > 0 && filled < told),
            ),
            ("never null", of(|filled, told| filled == told)),
        ] {
            if !paths.is_empty() {
                writeln!(out, "  {words}: {}", plain(&paths))?;
            }
        }
        Ok(())
    }
}

fn table(head: &'static str, leaves: &[LeafRow], out: &mut dyn Write) -> io::Result<()> {
    if leaves.is_empty() {
        return Ok(());
    }
    let mut table = Columns::new(&[
        (head, Align::Left),
        ("value", Align::Left),
        ("from", Align::Left),
    ]);
    for leaf in leaves {
        table.row([leaf.path.clone(), cut(&leaf.value), cut(&leaf.from)]);
    }
    table.write(out, "  ")
}
