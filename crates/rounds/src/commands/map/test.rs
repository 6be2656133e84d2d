//! `rounds map test`: what fixtures become, against what is kept beside them.

use super::fixtures::{self, unreadable};
use super::validate::read;
use crate::cli::Common;
use crate::commands::poll::unknown_action;
use crate::output::{Report, Terminal, indented, plural};
use crate::problem::{FILE_UNREADABLE, NOT_AS_KEPT};
use crate::{Ended, Problem, configuration};
use rounds_config::Sources;
use rounds_config::codes::UNKNOWN_MAP;
use rounds_domain::ActionName;
use rounds_domain::plan::{Action, Plan};
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
        for file in fixtures::of_action(action, &folder.join(name)) {
            rows.push(one(action, &file, keeping)?);
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
    // Names that nobody gives, since they stand beside the user's own.
    let text = format!(
        "connections: {{ rounds-map-test: {{ base_url: \"https://ehr.example\" }} }}
actions:
  rounds-map-test:
    {{ connection: rounds-map-test, every: 1m, changes: {{ get: /, start: now, records: fhir_matches, id: .id }}, notify: {{ map: {} }}, to: rounds-map-test }}
destinations: {{ rounds-map-test: {{ url: \"https://app.example\" }} }}
",
        String::from_utf8_lossy(&Json::string(map).to_bytes())
    );
    let own = if config.exists() {
        Sources::read(config)?
    } else {
        Sources::default()
    };
    let sources = own.with_text("rounds map test --map", text);
    let outcome = rounds_config::load(&sources);
    let Some(plan) = outcome.plan else {
        terminal.diagnostics(&sources, &outcome.diagnostics);
        let hint = "`rounds map list` lists the built-in maps; what else is wrong stands above";
        let message = format!("the map `{map}` cannot be used");
        return Err(Problem::new(UNKNOWN_MAP, Ended::Usage, message, hint));
    };
    let action = plan
        .actions
        .iter()
        .find(|action| action.name.as_str() == "rounds-map-test");
    let files = action
        .map(|action| fixtures::of_action(action, folder))
        .unwrap_or_default();
    let rows = files
        .iter()
        .filter_map(|file| Some(one(action?, file, keeping)));
    let rows: Vec<FixtureRow> = rows.collect::<Result<_, _>>()?;
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

fn one(action: &Arc<Action>, file: &Path, keeping: Keeping) -> Result<FixtureRow, Problem> {
    let (label, found) = shown(&mapped(action, file)?);
    let golden = fixtures::golden(file);
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
