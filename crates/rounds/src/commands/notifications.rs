//! `rounds notifications`: what was told.

use crate::cli::{Common, ListPage, NotificationsCommand};
use crate::commands::deliveries::DeliveryRow;
use crate::output::{
    Align, Columns, RawDocument, Report, Terminal, attempt_in_words, delivery_state,
    duration_in_words,
};
use crate::problem::UNKNOWN_ID;
use crate::{Ended, Problem, data};
use jiff::Timestamp;
use rounds_domain::ports::{
    DeliveryDetail, NotificationDetail, NotificationFilter, NotificationSummary, Operations,
};
use rounds_domain::{
    ActionName, Attempt, AttemptOutcome, DeliveryId, Former, NotificationId, RecordId, plain,
};
use rounds_engine::attempt_id;
use serde::Serialize;
use std::io::{self, Write};

/// A part of the list, newest first.
#[derive(Debug, Serialize)]
pub struct NotificationList {
    /// The notifications.
    pub notifications: Vec<NotificationRow>,
    /// Whether there are more.
    pub more: bool,
}

/// One notification in a list.
#[derive(Debug, Serialize)]
pub struct NotificationRow {
    /// Its id.
    pub id: String,
    /// Its action.
    pub action: String,
    /// The EHR's record.
    pub record: String,
    /// `created` or `updated`.
    pub kind: &'static str,
    /// What it is called.
    pub event: String,
    /// When the change was found.
    pub detected_at: Timestamp,
    /// When the notification was made.
    pub created_at: Timestamp,
    /// To whom it goes, and how that stands.
    pub deliveries: Vec<DeliveryMark>,
}

/// How one delivery stands.
#[derive(Debug, Serialize)]
pub struct DeliveryMark {
    /// To whom.
    pub destination: String,
    /// How it stands.
    pub state: &'static str,
}

/// One notification with everything.
#[derive(Debug, Serialize)]
pub struct NotificationPage {
    /// What the list shows.
    #[serde(flatten)]
    pub row: NotificationRow,
    /// The container that it came from.
    pub container: String,
    /// Which state of the record, as a hash.
    pub version: String,
    /// Lookups whose record was not there, with the EHR's status.
    pub gaps: Vec<GapRow>,
    /// What is known of the record's state before: `none` (it is new), `known`, or `unknown`.
    pub former: &'static str,
    /// The paths of the body that are not as they were, however many changes lie in between.
    pub changed: Vec<String>,
    /// The destinations that did not want it, by the rules of their subscriptions.
    pub filtered: Vec<String>,
    /// What the receiver gets.
    pub body: RawDocument,
    /// The attempts, by destination.
    pub attempts: Vec<DeliveryAttempts>,
}

/// A lookup whose record was not there.
#[derive(Debug, Serialize)]
pub struct GapRow {
    /// Which lookup.
    pub lookup: String,
    /// What the EHR answered.
    pub status: u16,
}

/// One delivery with its attempts.
#[derive(Debug, Serialize)]
pub struct DeliveryAttempts {
    /// The delivery.
    #[serde(flatten)]
    pub delivery: DeliveryRow,
    /// The attempts, oldest first.
    pub tries: Vec<AttemptRow>,
}

/// One attempt.
#[derive(Debug, Serialize)]
pub struct AttemptRow {
    /// What it is called, in messages of a data model as well (`Meta.Logs[].AttemptID`).
    pub attempt_id: String,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub took_ms: u64,
    /// The receiver's status, if it answered.
    pub status: Option<u16>,
    /// How it ended, in words.
    pub outcome: String,
}

/// A part of the list.
pub async fn list(
    operations: &dyn Operations,
    filter: NotificationFilter,
    page: ListPage,
) -> Result<NotificationList, Problem> {
    let mut found = operations.notifications(filter, page.request()).await?;
    let more = found.len() > page.limit();
    found.truncate(page.limit());
    Ok(NotificationList {
        notifications: found.iter().map(NotificationRow::from).collect(),
        more,
    })
}

/// One notification.
pub async fn show(operations: &dyn Operations, id: &str) -> Result<NotificationPage, Problem> {
    let found = operations.notification(&NotificationId::new(id)).await?;
    found.map(NotificationPage::from).ok_or_else(|| {
        Problem::new(
            UNKNOWN_ID,
            Ended::Usage,
            format!("there is no notification `{id}`"),
            "`rounds notifications list` shows their ids; finished ones are removed after `keep`",
        )
    })
}

/// Shows it.
pub async fn perform(
    common: &Common,
    command: NotificationsCommand,
    terminal: &mut Terminal,
) -> Result<Ended, Problem> {
    let store = data::open_for_operator(&common.data_dir)?;
    match command {
        NotificationsCommand::List {
            action,
            record,
            page,
        } => {
            let filter = NotificationFilter {
                action: action.map(ActionName::new),
                record_id: record.map(RecordId::new),
            };
            terminal.give(&list(&store, filter, page).await?)?;
        }
        NotificationsCommand::Show { id } => terminal.give(&show(&store, &id).await?)?,
    }
    Ok(Ended::Fine)
}

impl From<&NotificationSummary> for NotificationRow {
    fn from(summary: &NotificationSummary) -> Self {
        let mark = |(destination, state): &(rounds_domain::DestinationName, _)| DeliveryMark {
            destination: destination.to_string(),
            state: delivery_state(*state),
        };
        Self {
            id: summary.id.to_string(),
            action: summary.action.to_string(),
            record: summary.record_id.expose().to_owned(),
            kind: summary.kind.as_str(),
            event: summary.event.clone(),
            detected_at: summary.detected_at,
            created_at: summary.created_at,
            deliveries: summary.deliveries.iter().map(mark).collect(),
        }
    }
}

impl From<NotificationDetail> for NotificationPage {
    fn from(detail: NotificationDetail) -> Self {
        let gap = |gap: &rounds_domain::Gap| GapRow {
            lookup: gap.lookup.to_string(),
            status: gap.status,
        };
        Self {
            row: NotificationRow::from(&detail.summary),
            container: detail.container.to_string(),
            version: detail.version.to_string(),
            gaps: detail.gaps.iter().map(gap).collect(),
            former: detail.former.as_str(),
            changed: detail.changed,
            filtered: detail.filtered.iter().map(ToString::to_string).collect(),
            body: RawDocument::from(&detail.body),
            attempts: detail
                .deliveries
                .iter()
                .map(DeliveryAttempts::from)
                .collect(),
        }
    }
}

impl From<&DeliveryDetail> for DeliveryAttempts {
    fn from(detail: &DeliveryDetail) -> Self {
        Self {
            delivery: DeliveryRow::from(&detail.summary),
            tries: (detail.attempts.iter())
                .map(|attempt| AttemptRow::of(&detail.summary.id, attempt))
                .collect(),
        }
    }
}

impl AttemptRow {
    fn of(delivery: &DeliveryId, attempt: &Attempt) -> Self {
        let status = match &attempt.outcome {
            AttemptOutcome::Delivered { status } | AttemptOutcome::Refused { status, .. } => {
                Some(*status)
            }
            AttemptOutcome::Gone => Some(410),
            AttemptOutcome::Unreachable { .. } | AttemptOutcome::Impossible { .. } => None,
        };
        Self {
            attempt_id: attempt_id(delivery, attempt.started_at),
            started_at: attempt.started_at,
            took_ms: u64::try_from(attempt.took.as_millis()).unwrap_or(u64::MAX),
            status,
            outcome: attempt_in_words(attempt),
        }
    }
}

impl Report for NotificationList {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Columns::new(&[
            ("notification", Align::Left),
            ("action", Align::Left),
            ("record", Align::Left),
            ("event", Align::Left),
            ("found", Align::Left),
            ("deliveries", Align::Left),
        ]);
        for row in &self.notifications {
            let mark = |mark: &DeliveryMark| format!("{} {}", mark.destination, mark.state);
            let marks: Vec<String> = row.deliveries.iter().map(mark).collect();
            table.row([
                row.id.clone(),
                row.action.clone(),
                row.record.clone(),
                row.event.clone(),
                row.detected_at.strftime("%F %TZ").to_string(),
                marks.join(", "),
            ]);
        }
        table.write(out, "")?;
        if self.notifications.is_empty() {
            writeln!(
                out,
                "none: `rounds why ACTION RECORD` says why a record was not told"
            )?;
        }
        if self.more {
            writeln!(out, "there are more: --offset {}", self.notifications.len())?;
        }
        Ok(())
    }
}

impl Report for NotificationPage {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let row = &self.row;
        writeln!(out, "notification  {}", row.id)?;
        writeln!(out, "event         {} ({})", row.event, row.kind)?;
        writeln!(out, "action        {}", row.action)?;
        writeln!(out, "record        {}", plain(&row.record))?;
        writeln!(out, "found         {}", row.detected_at)?;
        writeln!(
            out,
            "made          {}, from container {}",
            row.created_at, self.container
        )?;
        if self.former == Former::Unknown.as_str() {
            writeln!(
                out,
                "before        not seen: the record was there before the rounds began, or may have been"
            )?;
        }
        if !self.changed.is_empty() {
            let paths = self
                .changed
                .join(", ")
                .replace(char::is_control, "\u{fffd}");
            writeln!(out, "changed       {paths}")?;
        }
        for gap in &self.gaps {
            writeln!(
                out,
                "missing       lookup {}: the EHR answered {}",
                gap.lookup, gap.status
            )?;
        }
        for name in &self.filtered {
            writeln!(out, "not to        {name}: the rules of its subscription")?;
        }
        for delivery in &self.attempts {
            let DeliveryRow {
                destination, state, ..
            } = &delivery.delivery;
            writeln!(out, "to            {destination}: {state}")?;
            for attempt in &delivery.tries {
                writeln!(
                    out,
                    "  {}  after {}: {}",
                    attempt.started_at,
                    duration_in_words(std::time::Duration::from_millis(attempt.took_ms)),
                    attempt.outcome
                )?;
            }
        }
        writeln!(out, "body\n{}", self.body.indented(""))
    }
}
