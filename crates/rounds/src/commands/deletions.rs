//! `rounds deletions`: records that sweeps do not show any more, held back because they are many.

use crate::cli::{Common, DeletionSelection, DeletionsCommand, ListPage};
use crate::commands::deliveries::{Changed, nothing_selected};
use crate::output::{Align, Columns, Report, Terminal};
use crate::{Ended, Problem, data};
use jiff::Timestamp;
use rounds_domain::ports::{DeletionDecision, DeletionFilter, HeldDeletion, Operations};
use rounds_domain::{ActionName, RecordId};
use serde::Serialize;
use std::io::{self, Write};

/// A part of the list.
#[derive(Debug, Serialize)]
pub struct DeletionList {
    /// The deletions.
    pub deletions: Vec<DeletionRow>,
    /// Whether there are more.
    pub more: bool,
}

/// One deletion that is held back.
#[derive(Debug, Serialize)]
pub struct DeletionRow {
    /// Its action.
    pub action: String,
    /// The EHR's record.
    pub record: String,
    /// `held`, or `released` until the next sweep.
    pub state: &'static str,
    /// When the sweep began that did not show it first.
    pub unseen_since: Option<Timestamp>,
}

/// A part of the list.
pub async fn list(
    operations: &dyn Operations,
    filter: DeletionFilter,
    page: ListPage,
) -> Result<DeletionList, Problem> {
    let mut found = operations.held_deletions(filter, page.request()).await?;
    let more = found.len() > page.limit();
    found.truncate(page.limit());
    Ok(DeletionList {
        deletions: found.iter().map(DeletionRow::from).collect(),
        more,
    })
}

/// Shows them or decides of them.
pub async fn perform(
    common: &Common,
    command: DeletionsCommand,
    terminal: &mut Terminal,
) -> Result<Ended, Problem> {
    let store = data::open_for_operator(&common.data_dir)?;
    let (selection, decision, done) = match command {
        DeletionsCommand::List { action, page } => {
            let filter = DeletionFilter {
                action: action.map(ActionName::new),
                record_id: None,
            };
            terminal.give(&list(&store, filter, page).await?)?;
            return Ok(Ended::Fine);
        }
        DeletionsCommand::Release(selection) => (selection, DeletionDecision::Release, "released"),
        DeletionsCommand::Forget(selection) => (selection, DeletionDecision::Forget, "forgotten"),
    };
    let count = store.decide_deletions(select(selection)?, decision).await?;
    terminal.give(&Changed {
        done,
        count,
        what: "deletion",
    })?;
    Ok(Ended::Fine)
}

fn select(selection: DeletionSelection) -> Result<DeletionFilter, Problem> {
    if selection.action.is_none() && selection.record.is_none() && !selection.all {
        return Err(nothing_selected("--action, --record"));
    }
    Ok(DeletionFilter {
        action: selection.action.map(ActionName::new),
        record_id: selection.record.map(RecordId::new),
    })
}

impl From<&HeldDeletion> for DeletionRow {
    fn from(held: &HeldDeletion) -> Self {
        Self {
            action: held.action.to_string(),
            record: held.record_id.expose().to_owned(),
            state: if held.is_released { "released" } else { "held" },
            unseen_since: held.unseen_at,
        }
    }
}

impl Report for DeletionList {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Columns::new(&[
            ("action", Align::Left),
            ("record", Align::Left),
            ("state", Align::Left),
            ("not shown since", Align::Left),
        ]);
        for row in &self.deletions {
            let since = |at: Timestamp| at.strftime("%F %TZ").to_string();
            table.row([
                row.action.clone(),
                row.record.clone(),
                row.state.to_owned(),
                row.unseen_since.map_or_else(|| "-".to_owned(), since),
            ]);
        }
        table.write(out, "")?;
        if self.more {
            writeln!(out, "there are more: --offset {}", self.deletions.len())?;
        }
        Ok(())
    }
}
