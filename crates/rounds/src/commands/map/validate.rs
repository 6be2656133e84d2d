//! `rounds map validate`: whether a file holds a whole message.

use super::files;
use crate::output::{Report, Terminal, plural};
use crate::problem::NOT_VALID;
use crate::{Ended, Problem};
use rounds_map::models::validate;
use serde::Serialize;
use std::io::{self, Write};
use std::path::PathBuf;

/// What was found in each file.
#[derive(Debug, Serialize)]
pub struct ValidationPage {
    /// One for each file.
    pub files: Vec<ValidationRow>,
}

/// What was found in a file.
#[derive(Debug, Serialize)]
pub struct ValidationRow {
    /// Which.
    pub file: String,
    /// Its data model, if it is a message of one.
    pub model: Option<&'static str>,
    /// Its event.
    pub event: Option<&'static str>,
    /// What is wrong; nothing if it is one.
    pub problems: Vec<ProblemRow>,
}

/// What is wrong at a place.
#[derive(Debug, Serialize)]
pub struct ProblemRow {
    /// Like `Visit.Location.Department`.
    pub path: String,
    /// In words, without the value.
    pub problem: String,
}

/// Validates files.
pub fn validated(files: &[PathBuf]) -> Result<ValidationPage, Problem> {
    let rows = files.iter().map(|file| {
        let message = files::json(file)?;
        let file = file.display().to_string();
        Ok(match validate(&message) {
            Ok(validated) => ValidationRow {
                file,
                model: Some(validated.model),
                event: Some(validated.event),
                problems: Vec::new(),
            },
            Err(errors) => ValidationRow {
                file,
                model: None,
                event: None,
                problems: (errors.0.into_iter())
                    .map(|error| ProblemRow {
                        path: error.path,
                        problem: error.problem.to_string(),
                    })
                    .collect(),
            },
        })
    });
    let files: Result<Vec<_>, Problem> = rows.collect();
    Ok(ValidationPage { files: files? })
}

/// Does it.
pub(super) fn perform(files: &[PathBuf], terminal: &mut Terminal) -> Result<Ended, Problem> {
    let page = validated(files)?;
    terminal.give(&page)?;
    let wrong = page
        .files
        .iter()
        .filter(|row| !row.problems.is_empty())
        .count();
    if wrong == 0 {
        return Ok(Ended::Fine);
    }
    let all = u64::try_from(page.files.len()).unwrap_or(u64::MAX);
    Err(Problem::new(
        NOT_VALID,
        Ended::BadData,
        format!("{wrong} of {} hold no whole message", plural(all, "file")),
        "each place is shown above; a mapping with `model` fills in what it leaves out",
    ))
}

impl Report for ValidationPage {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        for row in &self.files {
            match (row.model, row.event) {
                (Some(model), Some(event)) => writeln!(out, "{}: {model} {event}", row.file)?,
                _ => writeln!(out, "{}:", row.file)?,
            }
            for problem in &row.problems {
                let path = problem.path.escape_debug();
                writeln!(out, "  `{path}` {}", problem.problem)?;
            }
        }
        Ok(())
    }
}
