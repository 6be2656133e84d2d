//! Fixtures: records as EHRs give them, with what was looked up beside them.
//!
//! A fixture is one file that holds it all (`{ "record": ..., "previous": ..., "kind": ..., "lookups": ... }`), or it is as the EHR gave it:
//! `NAME.json` or `NAME.xml` with the record, or with an answer that shows it, `NAME.previous.json` with the record as it was, and `NAME.LOOKUP.json`
//! with what each lookup answered. What became of it stands in `NAME.golden.json`.

use super::files;
use crate::problem::FILE_UNREADABLE;
use crate::{Ended, Problem};
use rounds_domain::plan::{Action, Within};
use rounds_domain::{ChangeKind, Document, LookupName};
use rounds_engine::Fixture;
use rounds_map::{Json, JsonKind};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What stands at the end of a kept outcome's name.
const GOLDEN: &str = "golden";
/// What stands there of the record as it was.
const PREVIOUS: &str = "previous";
/// jq works on a stack of this size.
const STACK_BYTES: usize = 32 * 1024 * 1024;
/// How fixtures are written.
const FORMS: [&str; 2] = ["json", "xml"];

/// The fixtures of an action in a folder, by their names.
pub(super) fn of_action(action: &Action, folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| is_one(action, path))
        .collect();
    files.sort();
    files
}

/// Whether it is a fixture, and not a part of one.
fn is_one(action: &Action, path: &Path) -> bool {
    let is_of_form = form_of(path).is_some_and(|form| FORMS.contains(&form));
    let stem = path.file_stem().and_then(OsStr::to_str).unwrap_or_default();
    let part = stem.rsplit_once('.').map(|(_, part)| part);
    let is_part = part.is_some_and(|part| {
        let mut lookups = action.lookups.iter();
        part == GOLDEN || part == PREVIOUS || lookups.any(|lookup| lookup.name.as_str() == part)
    });
    is_of_form && !is_part
}

/// Where the outcome of a fixture is kept.
pub(super) fn golden(file: &Path) -> PathBuf {
    file.with_extension("golden.json")
}

/// Reads a fixture.
pub(super) fn fixture(action: &Action, file: &Path) -> Result<Fixture, Problem> {
    let json = parsed(file)?;
    if form_of(file) == Some("json") && json.get("record").is_some() {
        return of_one_file(file, &json);
    }
    let previous =
        part(file, PREVIOUS)?.map(|(beside, json)| document(&record_in(action, &beside, &json)));
    let mut lookups = Vec::new();
    for lookup in &action.lookups {
        if let Some((_, answer)) = part(file, lookup.name.as_str())? {
            lookups.push((lookup.name.clone(), document(&answer)));
        }
    }
    Ok(Fixture {
        kind: if previous.is_some() {
            ChangeKind::Updated
        } else {
            ChangeKind::Created
        },
        record: document(&record_in(action, file, &json)),
        previous,
        lookups: Some(lookups).filter(|lookups| !lookups.is_empty()),
    })
}

/// Reads a fixture where there is no large stack.
pub(super) fn read(action: &Arc<Action>, file: &Path) -> Result<Fixture, Problem> {
    on_a_large_stack(action, file, fixture)
}

/// Does something with a fixture on a thread of its own, for its stack: a file may hold an answer in which jq finds the record.
pub(super) fn on_a_large_stack<T: Send + 'static>(
    action: &Arc<Action>,
    file: &Path,
    does: fn(&Action, &Path) -> Result<T, Problem>,
) -> Result<T, Problem> {
    let (action, path) = (Arc::clone(action), file.to_owned());
    let thread = std::thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(move || does(&action, &path));
    match thread.map(std::thread::JoinHandle::join) {
        Ok(Ok(done)) => done,
        Ok(Err(_)) | Err(_) => Err(unreadable(file, "it ended in a defect")),
    }
}

fn document(value: &Json) -> Document {
    Document::new(value.to_bytes())
}

/// What stands beside a fixture under this name.
fn part(file: &Path, name: &str) -> Result<Option<(PathBuf, Json)>, Problem> {
    for form in FORMS {
        let beside = file.with_extension(format!("{name}.{form}"));
        if beside.exists() {
            return parsed(&beside).map(|json| Some((beside, json)));
        }
    }
    Ok(None)
}

fn parsed(file: &Path) -> Result<Json, Problem> {
    if form_of(file) == Some("xml") {
        files::xml(file)
    } else {
        files::json(file)
    }
}

/// The record in what the EHR gave: the first of an answer's, or itself; of XML that is no answer, what its root holds.
fn record_in(action: &Action, file: &Path, given: &Json) -> Json {
    let records = &action.changes.records;
    let is_xml = form_of(file) == Some("xml");
    let may_be_answer = match records.within() {
        Within::Bundle(_) => {
            let kind = given.get("resourceType");
            kind.as_ref().and_then(Json::as_str) == Some("Bundle")
        }
        // What has an identity is a record, whatever lists it has.
        Within::List { path, .. } => {
            let list = path.optional(given).ok().flatten();
            let has_id = action.changes.id.optional(given).ok().flatten();
            let has_id = has_id.is_some_and(|id| id.scalar_text().is_some());
            !has_id && list.is_some_and(|list| list.kind() == JsonKind::Array)
        }
        Within::Unknown => false,
    };
    if may_be_answer || is_xml {
        let found = records.all(given).unwrap_or_default();
        let mut found = found.into_iter();
        if let Some(first) = found.find(|record| record.kind() == JsonKind::Object) {
            return first;
        }
    }
    let root = given.members().next().map(|(_, root)| root);
    root.filter(|_| is_xml).unwrap_or_else(|| given.clone())
}

fn form_of(file: &Path) -> Option<&str> {
    file.extension().and_then(OsStr::to_str)
}

fn of_one_file(file: &Path, json: &Json) -> Result<Fixture, Problem> {
    let given = |key: &str| json.get(key).filter(|value| !value.is_null());
    let record = given("record").ok_or_else(|| unreadable(file, "it has no `record`"))?;
    let previous = given(PREVIOUS);
    let kind = match given("kind").as_ref().and_then(Json::as_str) {
        None if previous.is_some() => ChangeKind::Updated,
        None | Some("created") => ChangeKind::Created,
        Some("updated") => ChangeKind::Updated,
        Some("deleted") => ChangeKind::Deleted,
        Some(_) => {
            let words = "its `kind` is none of created, updated and deleted";
            return Err(unreadable(file, words));
        }
    };
    let lookups = given("lookups").map(|lookups| {
        let answers = lookups.members();
        let found = answers.filter(|(_, answer)| !answer.is_null());
        found
            .map(|(name, answer)| (LookupName::new(name), document(&answer)))
            .collect()
    });
    Ok(Fixture {
        kind,
        record: document(&record),
        previous: previous.as_ref().map(document),
        lookups,
    })
}

pub(super) fn unreadable(path: &Path, words: &str) -> Problem {
    Problem::new(
        FILE_UNREADABLE,
        Ended::BadData,
        format!("{}: {words}", path.display()),
        "`rounds map test --help` says what a fixture is",
    )
}
