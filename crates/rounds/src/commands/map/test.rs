//! `rounds map test`: what fixtures become, against what is kept beside them.

use super::fixtures::{self, unreadable};
use super::{by_map, files};
use crate::cli::Common;
use crate::commands::poll::unknown_action;
use crate::output::{Report, Terminal, indented, plural};
use crate::problem::{FILE_UNREADABLE, NOT_AS_KEPT};
use crate::{Ended, Problem, configuration};
use rounds_domain::plan::{Action, Plan};
use rounds_domain::{ActionName, plain};
use rounds_engine::{FixtureOutcome, map_fixture};
use rounds_map::{Json, differences};
use serde::Serialize;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

/// Whether what comes out is compared with what is kept, or kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// It is compared.
    Compare,
    /// It is kept.
    Renew,
}

/// What fixtures go through.
#[derive(Debug, Clone, Copy)]
pub(super) enum Through<'t> {
    /// The mappings of these actions, each of its own; of all if none is named.
    Actions(&'t [String]),
    /// A map.
    Map(&'t str),
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
    /// How that compares with what is kept.
    pub result: FixtureResult,
    /// Why it could not be mapped, or not even be read. No values.
    pub failure: Option<String>,
    /// Where they differ: the path, what is kept and what came out, as JSON.
    pub differences: Vec<DifferenceRow>,
}

/// How what a fixture became compares with what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FixtureResult {
    /// It is what is kept.
    Same,
    /// It is not.
    Different,
    /// Nothing is kept yet.
    New,
    /// It is kept now.
    Renewed,
    /// There is nothing to compare: the fixture, or what is kept, cannot be read.
    Unusable,
}

impl FixtureResult {
    const ALL: [Self; 5] = [
        Self::Same,
        Self::Different,
        Self::New,
        Self::Renewed,
        Self::Unusable,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Different => "different",
            Self::New => "new",
            Self::Renewed => "renewed",
            Self::Unusable => "unusable",
        }
    }
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
        for file in fixtures::of_action(action, &folder.join(name)) {
            rows.push(one(action, &file, keeping));
        }
    }
    if rows.is_empty() {
        return Err(no_fixture(folder, "FOLDER/ACTION/NAME.json"));
    }
    Ok(TestPage { fixtures: rows })
}

/// Maps the fixtures of a folder as a map says, whatever the actions. The maps of the user's own folder are known if there is one.
fn tested_by_map(
    map: &str,
    config: &Path,
    folder: &Path,
    keeping: Keeping,
    terminal: &mut Terminal,
) -> Result<TestPage, Problem> {
    let action = by_map::action(map, config, terminal)?;
    let files = fixtures::of_action(&action, folder);
    let rows: Vec<FixtureRow> = (files.iter())
        .map(|file| one(&action, file, keeping))
        .collect();
    if rows.is_empty() {
        return Err(no_fixture(folder, "FOLDER/NAME.json"));
    }
    Ok(TestPage { fixtures: rows })
}

fn no_fixture(folder: &Path, form: &str) -> Problem {
    Problem::new(
        FILE_UNREADABLE,
        Ended::BadData,
        format!("there is no fixture in {}", folder.display()),
        format!(
            "a fixture is {form} with a record; `rounds poll ACTION --dry-run --json` shows records"
        ),
    )
}

/// One fixture. What is wrong with it is its own matter, and the others are mapped all the same.
fn one(action: &Arc<Action>, file: &Path, keeping: Keeping) -> FixtureRow {
    one_or_not(action, file, keeping).unwrap_or_else(|problem| FixtureRow {
        fixture: file.display().to_string(),
        outcome: problem.code.to_string(),
        result: FixtureResult::Unusable,
        failure: Some(problem.message),
        differences: Vec::new(),
    })
}

fn one_or_not(action: &Arc<Action>, file: &Path, keeping: Keeping) -> Result<FixtureRow, Problem> {
    let outcome = mapped(action, file)?;
    let (label, found) = shown(&outcome);
    let golden = fixtures::golden(file);
    let kept = match (golden.exists().then(|| files::json(&golden)), keeping) {
        (None, _) => None,
        // It is about to be written anew.
        (Some(Err(_)), Keeping::Renew) if golden.is_file() => None,
        (Some(kept), _) => Some(kept?),
    };
    let differing = match &kept {
        Some(kept) => compared(kept, &found),
        None => Vec::new(),
    };
    let result = match (keeping, &kept) {
        (_, Some(_)) if differing.is_empty() => FixtureResult::Same,
        (Keeping::Compare, Some(_)) => FixtureResult::Different,
        (Keeping::Compare, None) => FixtureResult::New,
        (Keeping::Renew, _) => {
            let text = String::from_utf8_lossy(&found.to_bytes()).into_owned();
            let text = format!("{}\n", indented(&text, ""));
            fs::write(&golden, text).map_err(|error| unreadable(&golden, &error.to_string()))?;
            FixtureResult::Renewed
        }
    };
    Ok(FixtureRow {
        fixture: file.display().to_string(),
        outcome: label,
        result,
        failure: match outcome {
            FixtureOutcome::Failed { reason, .. } => Some(reason),
            FixtureOutcome::Told { .. } | FixtureOutcome::Silent { .. } => None,
        },
        differences: differing,
    })
}

fn mapped(action: &Arc<Action>, file: &Path) -> Result<FixtureOutcome, Problem> {
    fixtures::on_a_large_stack(action, file, |action, file| {
        fixtures::fixture(action, file).map(|fixture| map_fixture(action, fixture))
    })
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
    through: Through<'_>,
    folder: &Path,
    keeping: Keeping,
    terminal: &mut Terminal,
) -> Result<Ended, Problem> {
    let page = match through {
        Through::Actions(names) => {
            let plan = configuration::load(&common.config, terminal)?;
            tested(&plan, names, folder, keeping)?
        }
        Through::Map(map) => tested_by_map(map, &common.config, folder, keeping, terminal)?,
    };
    terminal.give(&page)?;
    page.verdict()
}

impl TestPage {
    fn count(&self, result: FixtureResult) -> usize {
        let of = self.fixtures.iter().filter(|row| row.result == result);
        of.count()
    }

    /// How many could not be mapped, which is what is kept of them or would be.
    fn failures(&self) -> usize {
        let of = |row: &&FixtureRow| row.is_mapping_failure();
        self.fixtures.iter().filter(of).count()
    }

    /// Whether all is as it is kept, or what is not.
    fn verdict(&self) -> Result<Ended, Problem> {
        let different = self.count(FixtureResult::Different);
        let unkept = self.count(FixtureResult::New);
        let unusable = self.count(FixtureResult::Unusable);
        let parts = [
            (different, "did not become what is kept"),
            (
                unkept,
                "became something of which no golden file is kept yet",
            ),
            (unusable, "cannot be used"),
        ];
        let parts: Vec<String> = (parts.iter())
            .filter(|(count, _)| *count > 0)
            .map(|(count, words)| format!("{count} {words}"))
            .collect();
        if parts.is_empty() {
            return Ok(Ended::Fine);
        }
        let (code, hint) = match (different, unkept) {
            (0, 0) => (
                FILE_UNREADABLE,
                "each says above why; `rounds map test --help` says what a fixture is",
            ),
            (0, _) => (
                NOT_AS_KEPT,
                "there is nothing to compare with before `--update` has written it, as `NAME.golden.json` beside the fixture",
            ),
            _ => (
                NOT_AS_KEPT,
                "if what came out is right, keep it: the same command with `--update`",
            ),
        };
        let message = format!("of {}, {}", number(self.fixtures.len()), parts.join(", "));
        Err(Problem::new(code, Ended::BadData, message, hint))
    }
}

impl FixtureRow {
    /// Whether it was read, and its mapping failed.
    fn is_mapping_failure(&self) -> bool {
        self.failure.is_some() && self.result != FixtureResult::Unusable
    }
}

fn number(fixtures: usize) -> String {
    plural(u64::try_from(fixtures).unwrap_or(u64::MAX), "fixture")
}

impl Report for TestPage {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        for row in &self.fixtures {
            let result = row.result.as_str();
            writeln!(out, "{result:<9} {}: {}", row.fixture, row.outcome)?;
            match &row.failure {
                Some(why) if row.result == FixtureResult::Renewed => writeln!(
                    out,
                    "  kept as a failure, which is right only if it is meant to fail: {}",
                    plain(why)
                )?,
                Some(why) => writeln!(out, "  {}", plain(why))?,
                None => {}
            }
            for difference in &row.differences {
                let path = difference.path.escape_debug();
                writeln!(
                    out,
                    "  {path}\n    - {}\n    + {}",
                    difference.kept, difference.found
                )?;
            }
        }
        let counts = FixtureResult::ALL.map(|result| (self.count(result), result.as_str()));
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        let counts: Vec<String> = counts
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        write!(
            out,
            "{}: {}",
            number(self.fixtures.len()),
            counts.join(", ")
        )?;
        match self.failures() {
            0 => writeln!(out),
            failures => writeln!(out, "; of {failures} the mapping failed"),
        }
    }
}
