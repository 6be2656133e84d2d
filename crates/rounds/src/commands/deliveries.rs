//! `rounds deliveries`: what is owed to destinations, was refused or was given up.

use super::untouched::{Meant, counted};
use crate::cli::{
    Common, DeliveriesCommand, DeliveryFilterArguments, DeliverySelection, DeliveryStateArgument,
    ListPage,
};
use crate::output::{Align, Columns, Report, Terminal, delivery_state};
use crate::problem::{NOTHING_SELECTED, UNKNOWN_ACTION, UNKNOWN_DESTINATION, UNKNOWN_ID};
use crate::wiring::Surroundings;
use crate::{Ended, Problem, data};
use jiff::Timestamp;
use rounds_domain::ports::{
    DeliveryCount, DeliveryFilter, DeliverySummary, Operations, Overview, PageRequest, Selection,
};
use rounds_domain::{
    ActionName, DeliveryId, DeliveryState, DestinationName, NotificationId, RecordId,
};
use serde::Serialize;
use std::io::{self, Write};

/// A part of the list, oldest first.
#[derive(Debug, Serialize)]
pub struct DeliveryList {
    /// The deliveries.
    pub deliveries: Vec<DeliveryRow>,
    /// Whether there are more.
    pub more: bool,
}

/// One delivery in a list.
#[derive(Debug, Serialize)]
pub struct DeliveryRow {
    /// The notification that is owed.
    pub notification: String,
    /// To whom.
    pub destination: String,
    /// The action.
    pub action: String,
    /// The EHR's record.
    pub record: String,
    /// How it stands.
    pub state: &'static str,
    /// How many attempts were made.
    pub attempts: u32,
    /// When it is tried next, if it is open.
    pub due_at: Option<Timestamp>,
    /// The code of the last trouble.
    pub code: Option<String>,
    /// The last trouble in words.
    pub reason: Option<String>,
    /// When the change was found.
    pub detected_at: Timestamp,
}

/// How many things were changed.
#[derive(Debug, Serialize)]
pub struct Changed {
    /// What was done: `retried` or `dropped`.
    pub done: &'static str,
    /// To how many.
    pub count: u64,
    /// What they are.
    #[serde(skip)]
    pub what: &'static str,
}

/// A part of the list.
pub async fn list(
    operations: &dyn Operations,
    filter: DeliveryFilter,
    page: ListPage,
) -> Result<DeliveryList, Problem> {
    let mut found = operations.deliveries(filter, page.request()).await?;
    let more = found.len() > page.limit();
    found.truncate(page.limit());
    Ok(DeliveryList {
        deliveries: found.iter().map(DeliveryRow::from).collect(),
        more,
    })
}

/// Which deliveries are meant: by id, by filter, or all.
pub async fn select(
    operations: &dyn Operations,
    selection: DeliverySelection,
    now: Timestamp,
) -> Result<Selection<DeliveryId, DeliveryFilter>, Problem> {
    if selection.ids.is_empty() {
        if selection.filter.is_empty() && !selection.all {
            return Err(nothing_selected(
                "--destination, --action, --state, --since",
            ));
        }
        let filter = filter(selection.filter, now);
        let overview = operations.overview().await?;
        require_action(&overview, filter.action.as_ref())?;
        if let Some(wanted) = &filter.destination {
            let mut known = overview.destinations.iter().map(|known| &known.destination);
            if !known.any(|known| known == wanted) {
                return Err(Problem::new(
                    UNKNOWN_DESTINATION,
                    Ended::Usage,
                    format!("nothing was ever owed to a destination `{wanted}`"),
                    "`rounds destinations list` shows them",
                ));
            }
        }
        return Ok(Selection::Matching(filter));
    }
    let mut ids = Vec::new();
    for text in &selection.ids {
        let (notification, destination) = match text.split_once('/') {
            Some((notification, destination)) => (notification, Some(destination)),
            None => (text.as_str(), None),
        };
        let filter = DeliveryFilter {
            destination: destination.map(DestinationName::new),
            notification: Some(NotificationId::new(notification)),
            ..DeliveryFilter::default()
        };
        let all = PageRequest {
            offset: 0,
            limit: usize::from(u16::MAX),
        };
        let found = operations.deliveries(filter, all).await?;
        if found.is_empty() {
            return Err(Problem::new(
                UNKNOWN_ID,
                Ended::Usage,
                format!("there is no delivery `{text}`"),
                "write `ntf_.../destination`, or `ntf_...` alone; `rounds deliveries list` shows them",
            ));
        }
        ids.extend(found.into_iter().map(|delivery| delivery.id));
    }
    Ok(Selection::These(ids))
}

/// Fails where an action is named of which the store knows nothing.
pub(crate) fn require_action(
    overview: &Overview,
    wanted: Option<&ActionName>,
) -> Result<(), Problem> {
    let Some(wanted) = wanted else {
        return Ok(());
    };
    let mut known = overview.actions.iter().map(|known| &known.action);
    if known.any(|known| known == wanted) {
        return Ok(());
    }
    Err(Problem::new(
        UNKNOWN_ACTION,
        Ended::Usage,
        format!("no round was ever made of an action `{wanted}`"),
        "`rounds status` shows those that there are",
    ))
}

/// A command that changes many things was not told which.
pub(crate) fn nothing_selected(filters: &str) -> Problem {
    Problem::new(
        NOTHING_SELECTED,
        Ended::Usage,
        "nothing was selected, so nothing was changed",
        format!("name ids, filter with {filters}, or say --all"),
    )
}

/// Shows or changes them.
pub async fn perform(
    common: &Common,
    command: DeliveriesCommand,
    terminal: &mut Terminal,
) -> Result<Ended, Problem> {
    let store = data::open_for_operator(&common.data_dir)?;
    let now = Surroundings::real().clock.now();
    let what = "delivery";
    match command {
        DeliveriesCommand::List {
            filter: which,
            page,
        } => {
            terminal.give(&list(&store, filter(which, now), page).await?)?;
        }
        DeliveriesCommand::Retry(selection) => {
            let selection = select(&store, selection, now).await?;
            let before = count_by_state(&store, &selection).await?;
            let count = store.retry_deliveries(selection, now).await?;
            let meant = Meant {
                done: "retried",
                hint: "what is due or dead can be retried; what waits is sent after the one before it, and `rounds replay` sends what is finished once more",
            };
            meant.changed(count, states(&before))?;
            terminal.give(&Changed {
                done: "retried",
                count,
                what,
            })?;
        }
        DeliveriesCommand::Drop { selection, reason } => {
            let selection = select(&store, selection, now).await?;
            let before = count_by_state(&store, &selection).await?;
            let count = store.drop_deliveries(selection, reason, now).await?;
            let meant = Meant {
                done: "dropped",
                hint: "what is delivered cannot be called back; what waits, is due or was given up can be dropped",
            };
            meant.changed(count, states(&before))?;
            terminal.give(&Changed {
                done: "dropped",
                count,
                what,
            })?;
        }
    }
    Ok(Ended::Fine)
}

/// How many of what is selected stand where, by destination.
pub(super) async fn count_by_state(
    operations: &dyn Operations,
    selection: &Selection<DeliveryId, DeliveryFilter>,
) -> Result<Vec<DeliveryCount>, Problem> {
    let ids = match selection {
        Selection::Matching(filter) => {
            return Ok(operations.count_deliveries(filter.clone()).await?);
        }
        Selection::These(ids) => ids,
    };
    let mut counted = Vec::new();
    for id in ids {
        let one = DeliveryFilter {
            destination: Some(id.destination.clone()),
            notification: Some(id.notification.clone()),
            ..DeliveryFilter::default()
        };
        counted.extend(operations.count_deliveries(one).await?);
    }
    Ok(counted)
}

fn states(counted: &[DeliveryCount]) -> impl Iterator<Item = (&'static str, u64)> {
    counted
        .iter()
        .map(|counted| (delivery_state(counted.state), counted.count))
}

fn filter(arguments: DeliveryFilterArguments, now: Timestamp) -> DeliveryFilter {
    let state = |argument| match argument {
        DeliveryStateArgument::Waiting => DeliveryState::Waiting,
        DeliveryStateArgument::Due => DeliveryState::Due,
        DeliveryStateArgument::Delivered => DeliveryState::Delivered,
        DeliveryStateArgument::Dead => DeliveryState::Dead,
        DeliveryStateArgument::Dropped => DeliveryState::Dropped,
    };
    DeliveryFilter {
        destination: arguments.destination.map(DestinationName::new),
        notification: None,
        action: arguments.action.map(ActionName::new),
        record_id: arguments.record.map(RecordId::new),
        event: arguments.event,
        since: arguments.since.map(|since| since.before(now)),
        until: arguments.until.map(|until| until.before(now)),
        states: arguments.state.into_iter().map(state).collect(),
    }
}

impl From<&DeliverySummary> for DeliveryRow {
    fn from(summary: &DeliverySummary) -> Self {
        let (code, reason) = summary.reason.clone().unzip();
        Self {
            notification: summary.id.notification.to_string(),
            destination: summary.id.destination.to_string(),
            action: summary.action.to_string(),
            record: summary.record_id.expose().to_owned(),
            state: delivery_state(summary.state),
            attempts: summary.attempts,
            due_at: summary.due_at,
            code,
            reason,
            detected_at: summary.detected_at,
        }
    }
}

impl Report for DeliveryList {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Columns::new(&[
            ("delivery", Align::Left),
            ("record", Align::Left),
            ("state", Align::Left),
            ("attempts", Align::Right),
            ("next try", Align::Left),
            ("why", Align::Left),
        ]);
        for row in &self.deliveries {
            let due = |at: Timestamp| at.strftime("%F %TZ").to_string();
            let why = match (&row.code, &row.reason) {
                (Some(code), Some(reason)) => format!("{code} {reason}"),
                _ => String::new(),
            };
            table.row([
                format!("{}/{}", row.notification, row.destination),
                row.record.clone(),
                row.state.to_owned(),
                row.attempts.to_string(),
                row.due_at.map_or_else(|| "-".to_owned(), due),
                why,
            ]);
        }
        table.write(out, "")?;
        if self.more {
            writeln!(out, "there are more: --offset {}", self.deliveries.len())?;
        }
        Ok(())
    }
}

impl Report for Changed {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let what = counted(self.what, self.count);
        let why = if self.count == 0 {
            ": none matches"
        } else {
            ""
        };
        writeln!(out, "{what} {}{why}", self.done)
    }
}
