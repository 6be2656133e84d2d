//! `rounds containers`: changes on their way to becoming notifications.

use super::untouched::Meant;
use crate::cli::{
    Common, ContainerFilterArguments, ContainerSelection, ContainerStateArgument,
    ContainersCommand, ListPage,
};
use crate::commands::deliveries::{Changed, nothing_selected, require_action};
use crate::output::{Align, Columns, RawDocument, Report, Terminal, container_state};
use crate::problem::UNKNOWN_ID;
use crate::wiring::Surroundings;
use crate::{Ended, Problem, data};
use jiff::Timestamp;
use rounds_domain::ports::{
    ContainerDetail, ContainerFilter, ContainerSummary, Operations, PageRequest, Selection,
};
use rounds_domain::{ActionName, ContainerId, ContainerState, RecordId, plain};
use serde::Serialize;
use std::io::{self, Write};

/// A part of the list, oldest first.
#[derive(Debug, Serialize)]
pub struct ContainerList {
    /// The containers.
    pub containers: Vec<ContainerRow>,
    /// Whether there are more.
    pub more: bool,
}

/// One container in a list.
#[derive(Debug, Serialize)]
pub struct ContainerRow {
    /// Its id.
    pub id: String,
    /// Its action.
    pub action: String,
    /// The EHR's record.
    pub record: String,
    /// `created` or `updated`.
    pub kind: &'static str,
    /// Where it stands.
    pub state: &'static str,
    /// How often it was tried and parked.
    pub attempts: u32,
    /// When it is tried next, if it is open.
    pub due_at: Option<Timestamp>,
    /// The code of why it is parked, dead or dropped.
    pub code: Option<String>,
    /// The same in words.
    pub reason: Option<String>,
    /// When the change was found.
    pub detected_at: Timestamp,
}

/// One container with its record.
#[derive(Debug, Serialize)]
pub struct ContainerPage {
    /// What the list shows.
    #[serde(flatten)]
    pub row: ContainerRow,
    /// Which state of the record, as a hash.
    pub version: String,
    /// The record.
    pub content: RawDocument,
    /// Its former state.
    pub previous: Option<RawDocument>,
}

/// A part of the list.
pub async fn list(
    operations: &dyn Operations,
    filter: ContainerFilter,
    page: ListPage,
) -> Result<ContainerList, Problem> {
    let mut found = operations.containers(filter, page.request()).await?;
    let more = found.len() > page.limit();
    found.truncate(page.limit());
    Ok(ContainerList {
        containers: found.iter().map(ContainerRow::from).collect(),
        more,
    })
}

/// One container.
pub async fn show(operations: &dyn Operations, id: &str) -> Result<ContainerPage, Problem> {
    let found = operations.container(&ContainerId::new(id)).await?;
    found.map(ContainerPage::from).ok_or_else(|| unknown(id))
}

/// Which containers are meant: by id, by filter, or all.
pub async fn select(
    operations: &dyn Operations,
    selection: ContainerSelection,
) -> Result<Selection<ContainerId, ContainerFilter>, Problem> {
    if selection.ids.is_empty() {
        let filter = filter(selection.filter);
        let is_open =
            filter.action.is_none() && filter.record_id.is_none() && filter.states.is_empty();
        if is_open && !selection.all {
            return Err(nothing_selected("--action, --record, --state"));
        }
        require_action(&operations.overview().await?, filter.action.as_ref())?;
        return Ok(Selection::Matching(filter));
    }
    let mut ids = Vec::new();
    for text in selection.ids {
        let id = ContainerId::new(text.as_str());
        if operations.container(&id).await?.is_none() {
            return Err(unknown(&text));
        }
        ids.push(id);
    }
    Ok(Selection::These(ids))
}

/// Shows or changes them.
pub async fn perform(
    common: &Common,
    command: ContainersCommand,
    terminal: &mut Terminal,
) -> Result<Ended, Problem> {
    let store = data::open_for_operator(&common.data_dir)?;
    let now = Surroundings::real().clock.now();
    let what = "container";
    match command {
        ContainersCommand::List {
            filter: which,
            page,
        } => {
            terminal.give(&list(&store, filter(which), page).await?)?;
        }
        ContainersCommand::Show { id } => terminal.give(&show(&store, &id).await?)?,
        ContainersCommand::Retry(selection) => {
            let selection = select(&store, selection).await?;
            let before = states(&store, &selection).await?;
            let count = store.retry_containers(selection, now).await?;
            let meant = Meant {
                done: "retried",
                hint: "what is parked or dead can be retried; what is due is tried by itself, and what waits is behind another: `rounds why ACTION RECORD` says which",
            };
            meant.changed(count, before.into_iter())?;
            terminal.give(&Changed {
                done: "retried",
                count,
                what,
            })?;
        }
        ContainersCommand::Drop { selection, reason } => {
            let selection = select(&store, selection).await?;
            let before = states(&store, &selection).await?;
            let count = store.drop_containers(selection, reason, now).await?;
            let meant = Meant {
                done: "dropped",
                hint: "it was dropped before",
            };
            meant.changed(count, before.into_iter())?;
            terminal.give(&Changed {
                done: "dropped",
                count,
                what,
            })?;
        }
    }
    Ok(Ended::Fine)
}

/// Where those stand that are selected, at most so many as tell why nothing can be done.
async fn states(
    operations: &dyn Operations,
    selection: &Selection<ContainerId, ContainerFilter>,
) -> Result<Vec<(&'static str, u64)>, Problem> {
    const ENOUGH: PageRequest = PageRequest {
        offset: 0,
        limit: 1_000,
    };
    let mut states = Vec::new();
    match selection {
        Selection::Matching(filter) => {
            let found = operations.containers(filter.clone(), ENOUGH).await?;
            states.extend(
                found
                    .iter()
                    .map(|summary| (container_state(summary.state), 1)),
            );
        }
        Selection::These(ids) => {
            for id in ids {
                let found = operations.container(id).await?;
                states.extend(found.map(|found| (container_state(found.summary.state), 1)));
            }
        }
    }
    Ok(states)
}

fn unknown(id: &str) -> Problem {
    Problem::new(
        UNKNOWN_ID,
        Ended::Usage,
        format!("there is no container `{id}`"),
        "`rounds containers list` shows their ids; one that became a notification is found by `rounds notifications show` under `ntf_` and the same rest",
    )
}

fn filter(arguments: ContainerFilterArguments) -> ContainerFilter {
    let state = |argument| match argument {
        ContainerStateArgument::Waiting => ContainerState::Waiting,
        ContainerStateArgument::Due => ContainerState::Due,
        ContainerStateArgument::Parked => ContainerState::Parked,
        ContainerStateArgument::Dead => ContainerState::Dead,
        ContainerStateArgument::Dropped => ContainerState::Dropped,
    };
    ContainerFilter {
        action: arguments.action.map(ActionName::new),
        record_id: arguments.record.map(RecordId::new),
        states: arguments.state.into_iter().map(state).collect(),
    }
}

impl From<&ContainerSummary> for ContainerRow {
    fn from(summary: &ContainerSummary) -> Self {
        let (code, reason) = summary.reason.clone().unzip();
        Self {
            id: summary.id.to_string(),
            action: summary.action.to_string(),
            record: summary.record_id.expose().to_owned(),
            kind: summary.kind.as_str(),
            state: container_state(summary.state),
            attempts: summary.attempts,
            due_at: summary.due_at,
            code,
            reason,
            detected_at: summary.detected_at,
        }
    }
}

impl From<ContainerDetail> for ContainerPage {
    fn from(detail: ContainerDetail) -> Self {
        Self {
            row: ContainerRow::from(&detail.summary),
            version: detail.version.to_string(),
            content: RawDocument::from(&detail.record),
            previous: detail.previous.as_ref().map(RawDocument::from),
        }
    }
}

impl Report for ContainerList {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Columns::new(&[
            ("container", Align::Left),
            ("action", Align::Left),
            ("record", Align::Left),
            ("state", Align::Left),
            ("attempts", Align::Right),
            ("next try", Align::Left),
            ("why", Align::Left),
        ]);
        for row in &self.containers {
            let due = |at: Timestamp| at.strftime("%F %TZ").to_string();
            let why = match (&row.code, &row.reason) {
                (Some(code), Some(reason)) => format!("{code} {reason}"),
                _ => String::new(),
            };
            table.row([
                row.id.clone(),
                row.action.clone(),
                row.record.clone(),
                row.state.to_owned(),
                row.attempts.to_string(),
                row.due_at.map_or_else(|| "-".to_owned(), due),
                why,
            ]);
        }
        table.write(out, "")?;
        if self.more {
            writeln!(out, "there are more: --offset {}", self.containers.len())?;
        }
        Ok(())
    }
}

impl Report for ContainerPage {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let row = &self.row;
        writeln!(out, "container  {}", row.id)?;
        writeln!(out, "state      {}, tried {}x", row.state, row.attempts)?;
        if let (Some(code), Some(reason)) = (&row.code, &row.reason) {
            writeln!(out, "why        {reason} ({code})")?;
        }
        if let Some(due_at) = row.due_at {
            writeln!(out, "next try   {due_at}")?;
        }
        writeln!(out, "action     {}", row.action)?;
        writeln!(out, "record     {} ({})", plain(&row.record), row.kind)?;
        writeln!(out, "found      {}", row.detected_at)?;
        writeln!(out, "content\n{}", self.content.indented(""))?;
        match &self.previous {
            Some(previous) => writeln!(out, "before\n{}", previous.indented("")),
            None => Ok(()),
        }
    }
}
