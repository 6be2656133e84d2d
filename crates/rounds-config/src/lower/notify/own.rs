//! A data model of the user's own: a JSON Schema beside the configuration.

use super::{event, shape};
use crate::codes;
use crate::diagnostic::{Findings, Reported};
use crate::face::{NotifyKeys, OwnModelKeys};
use crate::lower::unmarked;
use crate::reading::Given;
use crate::source::{MAX_FILE_BYTES, ReadError};
use crate::tree::Scalar;
use rounds_domain::plan::{BodyRule, EventRule};
use rounds_map::OwnModel;
use std::sync::Arc;

pub(super) fn lower(
    keys: &NotifyKeys,
    own: &OwnModelKeys,
    roots: &[&str],
    findings: &mut Findings<'_>,
) -> Option<BodyRule> {
    let file = &own.schema.value()?.0;
    let model = read(file, findings);
    let (lowered, place) = super::written(keys, file.place, roots, findings);
    let is_plain = refuse_rules(keys, findings);
    // A schema has no rules for events, so any word is one, and without a word it is the kind of change.
    let any = |scalar: &Scalar, findings: &mut Findings<'_>| {
        if scalar.text == event::FROM_STATE {
            findings
                .error(
                    codes::MISMATCHED_KEYS,
                    scalar.place,
                    "`from_state` with a schema of your own",
                )
                .expected("a schema has no rules by which an event follows from a state")
                .help(
                    "leave `event` out for the kind of change, or say it with jq: `event: = ...`",
                );
            return None;
        }
        unmarked::check(scalar, roots, findings);
        Some(EventRule::Fixed(scalar.text.clone()))
    };
    let event = event::said(&keys.event, roots, findings, any);
    let (model, body) = (model.ok()?, lowered.body?);
    if matches!(keys.body, Given::Wrong) || is_plain.is_err() {
        return None;
    }
    let put = super::put_later(keys);
    for error in model.check_shape(&body) {
        if !put.contains(&error.path.as_str()) {
            shape::tell(&error, model.name(), &lowered.places, place, findings);
        }
    }
    Some(BodyRule::Own {
        model: Arc::new(model),
        event: event?,
        body,
    })
}

/// Reads the schema. A model is called as its file is, without what files of schemas end with.
fn read(file: &Scalar, findings: &mut Findings<'_>) -> Result<OwnModel, Reported> {
    let shown = crate::reading::shortened(&file.text);
    let name = file.text.rsplit('/').next().unwrap_or_default();
    let name = name.strip_suffix(".json").unwrap_or(name);
    let name = name.strip_suffix(".schema").unwrap_or(name);
    let read = findings.read_beside(file.place.file, &file.text);
    let (what, hint) = match read {
        Ok(text) => match OwnModel::read(name, text.as_bytes()) {
            Ok(model) => {
                warn(&model, &shown, file, findings);
                return Ok(model);
            }
            Err(error) => (format!("`{shown}` {error}"), None),
        },
        Err(error) => unread(&shown, &error),
    };
    let diagnostic = findings.error(codes::BAD_SCHEMA, file.place, what);
    diagnostic.expected("expected the file of a JSON Schema, beside this one");
    if let Some(hint) = hint {
        diagnostic.help(hint);
    }
    Err(Reported)
}

/// Says what the schema means and no validator heeds.
fn warn(model: &OwnModel, shown: &str, file: &Scalar, findings: &mut Findings<'_>) {
    for warning in model.warnings() {
        findings
            .warning(
                codes::BAD_SCHEMA,
                file.place,
                format!("`{shown}`: {warning}"),
            )
            .expected("validators pass over it");
    }
}

/// Why there is no schema, and what to do.
fn unread(shown: &str, error: &ReadError) -> (String, Option<&'static str>) {
    match error {
        ReadError::Io { .. } if shown.starts_with("http://") || shown.starts_with("https://") => (
            format!("`{shown}` is an address, and schemas are not fetched"),
            Some("download it beside this file and name the file"),
        ),
        ReadError::Io { source, .. } => (
            format!("`{shown}` cannot be read: {source}"),
            Some("a path that does not begin with `/` starts at the folder of this file"),
        ),
        ReadError::TooLarge { .. } => (
            format!("`{shown}` is larger than {MAX_FILE_BYTES} bytes"),
            Some("leave out what no notification has"),
        ),
        ReadError::NotText { offset, .. } => (
            format!("`{shown}` is not UTF-8 text: byte {offset} is not part of a character"),
            Some(error.hint()),
        ),
        ReadError::NoFile { .. } | ReadError::Empty { .. } | ReadError::TooMany { .. } => {
            (error.to_string(), Some(error.hint()))
        }
    }
}

/// The keys of rules that a schema does not have.
fn refuse_rules(keys: &NotifyKeys, findings: &mut Findings<'_>) -> Result<(), Reported> {
    let of_rules = [
        ("status", keys.status.here().map(|here| here.key)),
        ("statuses", keys.statuses.here().map(|here| here.key)),
        (
            "first_seen_over",
            keys.first_seen_over.here().map(|here| here.key),
        ),
    ];
    let mut outcome = Ok(());
    for (name, place) in of_rules {
        if let Some(place) = place {
            findings
                .error(
                    codes::MISMATCHED_KEYS,
                    place,
                    format!("`{name}` with a schema of your own"),
                )
                .expected("a schema has no rules by which an event follows from a status")
                .help("say what a change is called with `event: = ...`, which may give null for what is not to be told");
            outcome = Err(Reported);
        }
    }
    outcome
}
