//! `rounds map try`: what a mapping makes of the EHR's own records, and where each value comes from.

use super::fixtures::record_of;
use crate::cli::{Common, TryArguments};
use crate::commands::poll::{explained, open_to_look, unknown_action};
use crate::output::{Align, Columns, RawDocument, Report, Terminal, plural};
use crate::problem::NOT_MAPPED;
use crate::wiring::Surroundings;
use crate::{Ended, Problem, configuration};
use rounds_domain::plan::{Action, BodyRule, ModifierDeed, Shape};
use rounds_domain::ports::{Credentials, Store};
use rounds_domain::{ActionName, Document, RecordId, RoundEnd, plain};
use rounds_engine::{TrialOutcome, TrialReport, TrialSubject, Tried};
use rounds_map::{Body, Json, JsonKind};
use rounds_store::{SqliteStore, StoreOptions};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

/// How many characters of a value or of its source a line shows.
const WIDTH: usize = 60;

/// What became of all records that were tried.
#[derive(Debug, Serialize)]
pub struct TrialPage {
    /// The action.
    pub action: String,
    /// How many requests were made.
    pub requests: usize,
    /// Each record.
    pub records: Vec<TriedRow>,
    /// Of each field that the mapping writes, in how many of the messages it had a value.
    pub fields: Vec<MappedField>,
    /// Why no sample could be had.
    pub failure: Option<String>,
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
    /// Each value in it.
    pub leaves: Vec<LeafRow>,
}

/// One value of a message.
#[derive(Debug, Clone, Serialize)]
pub struct LeafRow {
    /// Where it stands, such as `Visit.Location.Department`.
    pub path: String,
    /// The value, as JSON.
    pub value: String,
    /// What gave it: jq as it was written, `as written`, or `filled in`.
    pub from: String,
}

/// One field that the mapping writes.
#[derive(Debug, Serialize)]
pub struct MappedField {
    /// Where it stands; `[]` stands for any item.
    pub path: String,
    /// In how many messages it had a value.
    pub filled: usize,
}

impl TrialPage {
    pub(super) fn of(action: &Action, report: TrialReport) -> Self {
        let failure = match report.end {
            RoundEnd::Failed(failure) => Some(format!("{} {}", failure.code, failure.message)),
            RoundEnd::Succeeded | RoundEnd::Unfinished => None,
        };
        let records: Vec<TriedRow> = report
            .tried
            .into_iter()
            .map(|one| row(action, one))
            .collect();
        Self {
            action: action.name.to_string(),
            requests: report.exchanges.len(),
            fields: fields(action, &records),
            records,
            failure,
        }
    }

    fn failed(&self) -> usize {
        let failed = self.records.iter().filter(|row| row.outcome == "failed");
        failed.count()
    }
}

fn row(action: &Action, tried: Tried) -> TriedRow {
    let record = tried.record_id.expose().to_owned();
    let untold = |outcome, code: String, reason: String| TriedRow {
        record: record.clone(),
        outcome,
        event: code,
        reason: Some(reason),
        body: None,
        leaves: Vec::new(),
    };
    match tried.outcome {
        TrialOutcome::Told(notification) => TriedRow {
            record: record.clone(),
            outcome: "told",
            event: notification.event.clone(),
            reason: None,
            leaves: leaves(action, &notification.body),
            body: Some(RawDocument::from(&notification.body)),
        },
        TrialOutcome::Silent { code, reason } => untold("silent", code, reason),
        TrialOutcome::Failed { code, reason } => untold("failed", code, reason),
    }
}

/// Every value of a message that is not null, beside what gave it.
fn leaves(action: &Action, body: &Document) -> Vec<LeafRow> {
    let Ok(body) = Json::parse(body.bytes()) else {
        return Vec::new();
    };
    let notify = &action.notify;
    let (message, template) = match notify.shape {
        Shape::CloudEvents => (body.get("data").unwrap_or(body), notify.body.template()),
        shape if shape.is_fhir() => (body, None),
        _ => (body, notify.body.template()),
    };
    let otherwise = match notify.body {
        BodyRule::Whole => "the record and its lookups",
        _ if notify.shape.is_fhir() => "the record and its lookups",
        _ => "filled in",
    };
    let mut found = Vec::new();
    walk(
        &message,
        template,
        otherwise,
        &mut String::new(),
        &mut found,
    );
    for modifier in &notify.modifiers {
        let by = match modifier.deed {
            ModifierDeed::Put(_) => "notify.put",
            ModifierDeed::Translate(_) => "notify.translate",
            ModifierDeed::Delete => continue,
        };
        for leaf in found.iter_mut().filter(|leaf| leaf.path == modifier.path) {
            by.clone_into(&mut leaf.from);
        }
    }
    found
}

fn walk(
    value: &Json,
    template: Option<&Body>,
    from: &str,
    path: &mut String,
    found: &mut Vec<LeafRow>,
) {
    let from = match template {
        Some(Body::Expression(filter)) => &one_line(&format!("= {}", filter.text())),
        Some(Body::Literal(_)) => "as written",
        Some(Body::Object(_) | Body::Array(_)) => "filled in",
        None => from,
    };
    let length = path.len();
    match value.kind() {
        JsonKind::Object => {
            for (name, member) in value.members() {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
                let below = match template {
                    Some(Body::Object(members)) => {
                        members.iter().rev().find(|(known, _)| known == name)
                    }
                    _ => None,
                };
                walk(&member, below.map(|(_, below)| below), from, path, found);
                path.truncate(length);
            }
        }
        JsonKind::Array => {
            for (index, item) in value.items().enumerate() {
                path.extend(["[", &index.to_string(), "]"]);
                let below = match template {
                    Some(Body::Array(items)) => items.get(index),
                    _ => None,
                };
                walk(&item, below, from, path, found);
                path.truncate(length);
            }
        }
        JsonKind::Null => {}
        JsonKind::Boolean | JsonKind::Number | JsonKind::String => found.push(LeafRow {
            path: path.clone(),
            value: String::from_utf8_lossy(&value.to_bytes()).into_owned(),
            from: from.to_owned(),
        }),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// In how many messages each field had a value that the mapping writes.
fn fields(action: &Action, records: &[TriedRow]) -> Vec<MappedField> {
    let Some(template) = action.notify.body.template() else {
        return Vec::new();
    };
    let told = records.iter().filter(|row| row.outcome == "told");
    let mut filled: BTreeMap<String, usize> = BTreeMap::new();
    for row in told {
        let mut here: Vec<String> = row
            .leaves
            .iter()
            .map(|leaf| without_indexes(&leaf.path))
            .collect();
        here.sort();
        here.dedup();
        for path in here {
            *filled.entry(path).or_default() += 1;
        }
    }
    let mut fields: Vec<MappedField> = Vec::new();
    for (path, _) in template.leaves() {
        let path = without_indexes(&path);
        if fields.iter().any(|known| known.path == path) {
            continue;
        }
        // An expression may give a whole object: it has a value if anything in it has.
        let below = |known: &str| {
            let rest = known.strip_prefix(path.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let most = filled
            .iter()
            .filter(|(known, _)| below(known))
            .map(|(_, count)| *count);
        fields.push(MappedField {
            filled: most.max().unwrap_or_default(),
            path,
        });
    }
    fields
}

fn without_indexes(path: &str) -> String {
    let mut shown = String::new();
    for step in path.split('[') {
        match step.split_once(']') {
            Some((_, rest)) => shown.extend(["[]", rest]),
            None => shown.push_str(step),
        }
    }
    shown
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
        (Some(id), _) => TrialSubject::Known(RecordId::new(id.as_str())),
        (None, Some(file)) => TrialSubject::Given(record_of(action, file)?),
        (None, None) => TrialSubject::Sample(arguments.sample),
    };
    let (store, credentials) = open_to_look(&common.data_dir)?;
    let (store, credentials): (Arc<dyn Store>, Option<Arc<dyn Credentials>>) = (store, credentials);
    let surroundings = Surroundings::real();
    let ports = surroundings.ports(&plan, store, credentials)?;
    let fresh = Arc::new(SqliteStore::in_memory(&StoreOptions::default())?);
    let report = rounds_engine::try_mapping(&plan, &ports, fresh, &name, subject).await;
    let page = TrialPage::of(action, report.map_err(|error| explained(&plan, error))?);
    terminal.give(&page)?;
    let (failed, all) = (page.failed(), page.records.len());
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
            let mut table = Columns::new(&[
                ("field", Align::Left),
                ("value", Align::Left),
                ("from", Align::Left),
            ]);
            for leaf in &row.leaves {
                table.row([leaf.path.clone(), cut(&leaf.value), cut(&leaf.from)]);
            }
            if !row.leaves.is_empty() {
                table.write(out, "  ")?;
            }
            writeln!(out)?;
        }
        let told = self
            .records
            .iter()
            .filter(|row| row.outcome == "told")
            .count();
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        writeln!(
            out,
            "{}: {told} would be told, {} failed, by {}; nothing was changed",
            plural(number(self.records.len()), "record"),
            self.failed(),
            plural(number(self.requests), "request"),
        )?;
        if let Some(failure) = &self.failure {
            writeln!(out, "no sample: {}", plain(failure))?;
        }
        if told > 0 {
            let of = |wanted: fn(usize, usize) -> bool| {
                let paths = self
                    .fields
                    .iter()
                    .filter(|field| wanted(field.filled, told));
                paths
                    .map(|field| field.path.as_str())
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            for (words, paths) in [
                ("null in all", of(|filled, _| filled == 0)),
                (
                    "null in some",
                    of(|filled, told| filled > 0 && filled < told),
                ),
                ("never null", of(|filled, told| filled == told)),
            ] {
                if !paths.is_empty() {
                    writeln!(out, "{words}: {}", plain(&paths))?;
                }
            }
        }
        Ok(())
    }
}
