//! One round by hand: what `rounds poll` shows.
//!
//! A dry run goes through the very same code as a real round. Only the store is another: [`Rehearsal`] reads from the
//! real one and keeps the commits to itself, so nothing is changed and nothing is pretended.

mod rehearsal;
mod trial;

use crate::Ports;
use crate::containers::{self, LookupDesk};
use crate::observe::{ChosenRecord, Exchange, Observer};
use crate::round::tour::Watched;
use crate::round::{self, PartitionLists, RoundOutcome};
use crate::watch::Watch;
use futures_util::{StreamExt, stream};
use rehearsal::Rehearsal;
use rounds_domain::Container;
use rounds_domain::plan::{Action, CursorRule, Plan};
use rounds_domain::ports::StoreError;
use rounds_domain::{
    ActionName, ContainerSettlement, Cursor, FeedKey, Notification, RecordId, RoundCounts,
    RoundEnd, Sighting,
};
use std::sync::Arc;

pub use trial::{TrialOutcome, TrialReport, TrialSubject, Tried, try_mapping};

/// Whether a single round is for real.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PollMode {
    /// Nothing is written.
    DryRun,
    /// Cursor, ledger and containers are committed; the containers wait for `rounds run`.
    Commit,
}

/// Everything that one round did or would have done, to be shown to the person who asked.
#[derive(Debug, Clone)]
pub struct PollReport {
    /// The cursor before the round.
    pub cursor_before: Option<Cursor>,
    /// The cursor after it.
    pub cursor_after: Option<Cursor>,
    /// The requests for pages, then (dry run only) the lookups.
    pub exchanges: Vec<Exchange>,
    /// The records, with what was decided for each.
    pub records: Vec<ChosenRecord>,
    /// The notifications that would be sent (dry run only).
    pub notifications: Vec<Notification>,
    /// Containers that could not be made into notifications (dry run only): which record, the code, the reason.
    pub failures: Vec<(RecordId, String, String)>,
    /// Changes that the rules of the action keep silent: the record, the code, the reason (dry run only).
    pub silent: Vec<(RecordId, String, String)>,
    /// What was counted.
    pub counts: RoundCounts,
    /// What a person should look at.
    pub findings: Vec<Sighting>,
    /// How the round ended.
    pub end: RoundEnd,
}

/// Why no round could be made at all. (A round that failed is a report.)
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// No such action.
    #[error("there is no action `{0}`")]
    UnknownAction(ActionName),
    /// No such feed.
    #[error("there is no feed `{0}`")]
    UnknownFeed(FeedKey),
    /// No state of the record is known.
    #[error("nothing is known of the record, by the action `{0}`")]
    UnknownRecord(ActionName),
    /// A dry run of a queue would take from it what nobody is told then.
    #[error("a dry run of `{0}` would take from the EHR's queue what is never told")]
    TakesFromQueue(FeedKey),
    /// A dry run of a job would start one that nobody reads and ends.
    #[error("a dry run of `{0}` would start an export that nobody reads")]
    StartsJob(FeedKey),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Default)]
struct Recorder {
    exchanges: Vec<Exchange>,
    records: Vec<ChosenRecord>,
}

impl Observer for Recorder {
    fn exchanged(&mut self, exchange: Exchange) {
        self.exchanges.push(exchange);
    }

    fn chose(&mut self, chosen: ChosenRecord) {
        self.records.push(chosen);
    }
}

/// Makes one round of one feed, now. What a sweep would tell as deleted is not part of a dry run: for that the store would have to be
/// told what the sweep showed.
pub async fn poll(
    plan: &Plan,
    ports: &Ports,
    key: &FeedKey,
    mode: PollMode,
) -> Result<PollReport, PollError> {
    let unknown = || PollError::UnknownAction(key.action.clone());
    let action = plan
        .actions
        .iter()
        .find(|known| known.name == key.action)
        .ok_or_else(unknown)?;
    let feed = action
        .feeds()
        .find(|known| known.name == key.feed)
        .ok_or_else(|| PollError::UnknownFeed(key.clone()))?;
    if mode == PollMode::DryRun && matches!(feed.cursor, CursorRule::Queue(_)) {
        return Err(PollError::TakesFromQueue(key.clone()));
    }
    if mode == PollMode::DryRun && feed.job.is_some() {
        return Err(PollError::StartsJob(key.clone()));
    }
    let connection = plan
        .connections
        .get(&action.connection)
        .ok_or_else(unknown)?;

    let rehearsal = Arc::new(Rehearsal::over(ports));
    let ports = match mode {
        PollMode::Commit => ports.clone(),
        PollMode::DryRun => Ports {
            store: Arc::clone(&rehearsal) as _,
            ehr: Arc::clone(&rehearsal) as _,
            watch: Watch::default(),
            ..ports.clone()
        },
    };
    let mut recorder = Recorder::default();
    let RoundOutcome {
        end,
        counts,
        findings,
        cursor_before,
        cursor,
        ..
    } = round::tour::run(
        &ports,
        connection,
        action,
        feed,
        &PartitionLists::default(),
        0,
        Watched::Alone(&mut recorder),
    )
    .await?;

    let mut report = PollReport {
        cursor_before,
        cursor_after: cursor,
        exchanges: recorder.exchanges,
        records: recorder.records,
        notifications: Vec::new(),
        failures: Vec::new(),
        silent: Vec::new(),
        counts,
        findings,
        end,
    };
    rehearsal.forget_exchanges();
    for (record_id, settlement) in settled(plan, &ports, action, rehearsal.containers(action)).await
    {
        match settlement {
            ContainerSettlement::Notified { notification, .. } => {
                report.notifications.push(*notification);
            }
            ContainerSettlement::Parked { code, reason, .. }
            | ContainerSettlement::Dead { code, reason, .. } => {
                report.failures.push((record_id, code.to_string(), reason));
            }
            ContainerSettlement::Dropped { code, reason, .. } => {
                report.silent.push((record_id, code.to_string(), reason));
            }
            ContainerSettlement::Released { .. } => {}
        }
    }
    report.exchanges.extend(rehearsal.exchanges());
    if mode == PollMode::DryRun {
        // Whoever looks sees how many there were.
        let said = ports.watch.sightings(&action.name, 1);
        report.findings.extend(said);
    }
    Ok(report)
}

/// Fills and maps containers, in their order.
async fn settled(
    plan: &Plan,
    ports: &Ports,
    action: &Arc<Action>,
    containers: Vec<Container>,
) -> Vec<(RecordId, ContainerSettlement)> {
    let desk = &LookupDesk::default();
    // One after the other, so that what is shown is in order; those that share a batch have to come together.
    let batches = action
        .lookups
        .iter()
        .filter_map(|lookup| lookup.batch.as_ref());
    let together = batches.map(|batch| batch.most).max().unwrap_or(1);
    let work = containers.into_iter().map(|container| async move {
        let record_id = container.record_id.clone();
        let settled = containers::process(ports, plan, desk, Some(action), container).await;
        (record_id, settled)
    });
    stream::iter(work).buffered(together).collect().await
}
