//! `rounds map test`: what fixtures become, against what is kept beside them.

use super::validate::read;
use crate::cli::Common;
use crate::commands::poll::unknown_action;
use crate::output::{Report, Terminal, indented, plural};
use crate::problem::{FILE_UNREADABLE, NOT_AS_KEPT};
use crate::{Ended, Problem, configuration};
use rounds_domain::plan::{Action, Plan};
use rounds_domain::{ActionName, ChangeKind, Document, LookupName};
use rounds_engine::{Fixture, FixtureOutcome, map_fixture};
use rounds_map::{Json, differences};
use serde::Serialize;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What stands at the end of a kept outcome's name.
const GOLDEN: &str = ".golden.json";
/// jq works on a stack of this size.
const STACK_BYTES: usize = 32 * 1024 * 1024;

/// Whether what comes out is compared with what is kept, or kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// It is compared.
    Compare,
    /// It is kept.
    Renew,
}

/// What became of every fixture.
#[derive(Debug, Serialize)]
pub struct TestPage {
    /// One for each.
    pub fixtures: Vec<FixtureRow>,
}

/// What became of a fixture.
#[derive(Debug, Serialize)]
pub struct FixtureRow {
    /// Its file.
    pub fixture: String,
    /// What it became: an event, or the code of why it is not told.
    pub outcome: String,
    /// `same`, `different`, `new` (nothing is kept) or `renewed`.
    pub result: &'static str,
    /// Where they differ: the path, what is kept and what came out, as JSON.
    pub differences: Vec<DifferenceRow>,
}

/// Where two outcomes differ.
#[derive(Debug, Serialize)]
pub struct DifferenceRow {
    /// Like `body.Visit.Reason`.
    pub path: String,
    /// What is kept.
    pub kept: String,
    /// What came out.
    pub found: String,
}

/// Maps the fixtures of these actions, of all that have some if none is named.
pub fn tested(
    plan: &Arc<Plan>,
    names: &[String],
    folder: &Path,
    keeping: Keeping,
) -> Result<TestPage, Problem> {
    for name in names {
        if !plan
            .actions
            .iter()
            .any(|action| action.name.as_str() == name)
        {
            return Err(unknown_action(plan, &ActionName::new(name.as_str())));
        }
    }
    let mut rows = Vec::new();
    for action in &plan.actions {
        let name = action.name.as_str();
        if !names.is_empty() && !names.iter().any(|named| named == name) {
            continue;
        }
        for file in fixtures_of(&folder.join(name)) {
            rows.push(one(action, &file, keeping)?);
        }
    }
    if rows.is_empty() {
        return Err(Problem::new(
            FILE_UNREADABLE,
            Ended::BadData,
            format!("there is no fixture in {}", folder.display()),
            "a fixture is FOLDER/ACTION/NAME.json with a `record`; `rounds poll ACTION --dry-run --json` shows records",
        ));
    }
    Ok(TestPage { fixtures: rows })
}

fn fixtures_of(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            let is_json = path
                .extension()
                .is_some_and(|extension| extension == "json");
            is_json && name.is_some_and(|name| !name.ends_with(GOLDEN))
        })
        .collect();
    files.sort();
    files
}

fn one(action: &Arc<Action>, file: &Path, keeping: Keeping) -> Result<FixtureRow, Problem> {
    let fixture = fixture(file)?;
    let (label, found) = shown(&mapped(action, fixture)?);
    let golden = file.with_extension("golden.json");
    let kept = if golden.exists() {
        Some(read(&golden)?)
    } else {
        None
    };
    let differing = match &kept {
        Some(kept) => compared(kept, &found),
        None => Vec::new(),
    };
    let result = match (keeping, &kept) {
        (_, Some(_)) if differing.is_empty() => "same",
        (Keeping::Compare, Some(_)) => "different",
        (Keeping::Compare, None) => "new",
        (Keeping::Renew, _) => {
            let text = String::from_utf8_lossy(&found.to_bytes()).into_owned();
            let text = format!("{}\n", indented(&text, ""));
            fs::write(&golden, text).map_err(|error| unreadable(&golden, &error.to_string()))?;
            "renewed"
        }
    };
    Ok(FixtureRow {
        fixture: file.display().to_string(),
        outcome: label,
        result,
        differences: differing,
    })
}

fn unreadable(path: &Path, words: &str) -> Problem {
    Problem::new(
        FILE_UNREADABLE,
        Ended::BadData,
        format!("{}: {words}", path.display()),
        "`rounds map test --help` says what a fixture is",
    )
}

fn fixture(file: &Path) -> Result<Fixture, Problem> {
    let json = read(file)?;
    let document = |value: Json| Document::new(value.to_bytes());
    let given = |key: &str| json.get(key).filter(|value| !value.is_null());
    let record = given("record").ok_or_else(|| unreadable(file, "it has no `record`"))?;
    let previous = given("previous");
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
    let lookups = given("lookups").unwrap_or_else(Json::null);
    let lookups = lookups
        .members()
        .filter(|(_, answer)| !answer.is_null())
        .map(|(name, answer)| (LookupName::new(name), document(answer)));
    Ok(Fixture {
        kind,
        record: document(record),
        previous: previous.map(document),
        lookups: lookups.collect(),
    })
}

/// On a thread of its own, for its stack.
fn mapped(action: &Arc<Action>, fixture: Fixture) -> Result<FixtureOutcome, Problem> {
    let action = Arc::clone(action);
    let thread = std::thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(move || map_fixture(&action, fixture));
    let outcome = thread.map(std::thread::JoinHandle::join);
    match outcome {
        Ok(Ok(outcome)) => Ok(outcome),
        Ok(Err(_)) | Err(_) => Err(unreadable(Path::new("mapping"), "it ended in a defect")),
    }
}

/// What became of a fixture, for a line and for a file.
fn shown(outcome: &FixtureOutcome) -> (String, Json) {
    let reason = |word: &str, code: &str, reason: &str| {
        let object = [(word, Json::string(code)), ("reason", Json::string(reason))];
        (format!("{word} {code}"), Json::object(object))
    };
    match outcome {
        FixtureOutcome::Told {
            event,
            changed,
            body,
        } => {
            let body = Json::parse(body.bytes()).unwrap_or_else(|_| Json::null());
            let found = Json::object([
                ("event", Json::string(event)),
                ("changed", Json::array(changed.iter().map(Json::string))),
                ("body", body),
            ]);
            (event.clone(), found)
        }
        FixtureOutcome::Silent { code, reason: why } => reason("silent", code, why),
        FixtureOutcome::Failed { code, reason: why } => reason("failed", code, why),
    }
}

fn compared(kept: &Json, found: &Json) -> Vec<DifferenceRow> {
    let text = |value: Option<Json>| {
        value.map_or_else(
            || "null".to_owned(),
            |value| String::from_utf8_lossy(&value.to_bytes()).into_owned(),
        )
    };
    let at = |value: &Json, path: &str| {
        path.split('.')
            .try_fold(value.clone(), |value, key| value.get(key))
    };
    // Where only one of them has a body, its every leaf would say nothing more.
    let both_told = kept.get("body").is_some() && found.get("body").is_some();
    let paths = differences(found, kept);
    let worth_saying = |path: &String| both_told || !path.starts_with("body.");
    let rows = paths
        .into_iter()
        .filter(worth_saying)
        .map(|path| DifferenceRow {
            kept: text(at(kept, &path)),
            found: text(at(found, &path)),
            path,
        });
    rows.collect()
}

/// Does it.
pub(super) fn perform(
    common: &Common,
    names: &[String],
    folder: &Path,
    keeping: Keeping,
    terminal: &mut Terminal,
) -> Result<Ended, Problem> {
    let plan = configuration::load(&common.config, terminal)?;
    let page = tested(&plan, names, folder, keeping)?;
    terminal.give(&page)?;
    let wrong = page
        .fixtures
        .iter()
        .filter(|row| row.result == "different" || row.result == "new");
    let wrong = wrong.count();
    if wrong == 0 {
        return Ok(Ended::Fine);
    }
    let all = u64::try_from(page.fixtures.len()).unwrap_or(u64::MAX);
    Err(Problem::new(
        NOT_AS_KEPT,
        Ended::BadData,
        format!(
            "{wrong} of {} did not become what is kept",
            plural(all, "fixture")
        ),
        "if what came out is right, keep it: `rounds map test --update`",
    ))
}

impl Report for TestPage {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        for row in &self.fixtures {
            writeln!(out, "{:<9} {}: {}", row.result, row.fixture, row.outcome)?;
            for difference in &row.differences {
                let path = difference.path.escape_debug();
                writeln!(
                    out,
                    "  {path}\n    - {}\n    + {}",
                    difference.kept, difference.found
                )?;
            }
        }
        Ok(())
    }
}
