//! One round by hand: what `rounds poll` and `rounds map try` show.
//!
//! A dry run goes through the very same code as a real round. Only the store is another: [`Rehearsal`] reads from the
//! real one, or knows nothing, and keeps the commits to itself, so nothing is changed and nothing is pretended.

mod rehearsal;
mod subject;

use crate::Ports;
use crate::containers::{self, LookupDesk};
use crate::observe::{Choice, ChosenRecord, Exchange, Observer};
use crate::round::failure::TOO_MANY_PAGES;
use crate::round::tour::{self, Watched};
use crate::round::{PartitionLists, RoundOutcome};
use crate::watch::Watch;
use futures_util::{StreamExt, stream};
use rehearsal::Rehearsal;
use rounds_domain::plan::{Action, Connection, CursorRule, Feed, Plan};
use rounds_domain::ports::StoreError;
use rounds_domain::{
    ActionName, Container, ContainerSettlement, Cursor, DestinationName, FeedKey, Notification,
    RecordId, RoundCounts, RoundEnd, Sighting,
};
use std::sync::Arc;
use subject::Source;

pub use subject::{Subject, Which};

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
    /// What became of each record that would be told (dry run only).
    pub tried: Vec<Tried>,
    /// How many more would be told, beyond those that were wanted (dry run only).
    pub beyond: usize,
    /// What was counted.
    pub counts: RoundCounts,
    /// What a person should look at.
    pub findings: Vec<Sighting>,
    /// How the round ended.
    pub end: RoundEnd,
}

/// What became of one record in a dry run.
#[derive(Debug, Clone)]
pub struct Tried {
    /// Which.
    pub record_id: RecordId,
    /// What became of it.
    pub outcome: Trial,
}

/// What becomes of a record that is to be told.
#[derive(Debug, Clone)]
pub enum Trial {
    /// It would be told to these destinations: none where their rules do not want it.
    Told(Box<Notification>, Vec<DestinationName>),
    /// It would not be told.
    Silent {
        /// The stable code.
        code: String,
        /// Why.
        reason: String,
    },
    /// It could not be mapped.
    Failed {
        /// The stable code.
        code: String,
        /// Why.
        reason: String,
    },
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
    /// No state of the record is known, and what was asked for does not show it.
    #[error(
        "the record is not among the {shown} that `{feed}` shows, and no round has noted a state of it"
    )]
    UnknownRecord {
        /// The feed that was asked.
        feed: FeedKey,
        /// How many records it showed.
        shown: u64,
    },
    /// A feed that is not asked by time cannot be asked since one.
    #[error("`{0}` is not asked by time, so it cannot be asked since one")]
    NotByTime(FeedKey),
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

/// Writes down what a round does.
#[derive(Default)]
struct Recorder {
    exchanges: Vec<Exchange>,
    records: Vec<ChosenRecord>,
    /// How many records that are told are enough; None: all.
    enough: Option<usize>,
}

impl Observer for Recorder {
    fn exchanged(&mut self, exchange: Exchange) {
        self.exchanges.push(exchange);
    }

    fn chose(&mut self, chosen: ChosenRecord) {
        self.records.push(chosen);
    }

    fn has_enough(&self) -> bool {
        let told = self.records.iter().filter(|record| record.choice.is_told());
        self.enough.is_some_and(|enough| told.count() >= enough)
    }
}

/// What a poll is about, in a plan.
struct Asked<'p> {
    key: &'p FeedKey,
    connection: &'p Connection,
    action: &'p Arc<Action>,
    feed: &'p Arc<Feed>,
}

impl<'p> Asked<'p> {
    fn of(plan: &'p Plan, key: &'p FeedKey) -> Result<Self, PollError> {
        let unknown = || PollError::UnknownAction(key.action.clone());
        let action = (plan.actions.iter()).find(|known| known.name == key.action);
        let action = action.ok_or_else(unknown)?;
        let feed = action.feeds().find(|known| known.name == key.feed);
        let feed = feed.ok_or_else(|| PollError::UnknownFeed(key.clone()))?;
        let connection = plan.connections.get(&action.connection);
        Ok(Self {
            key,
            connection: connection.ok_or_else(unknown)?,
            action,
            feed,
        })
    }

    /// A feed that changes the EHR by being asked is not asked for a look.
    fn may_be_looked_at(&self) -> Result<(), PollError> {
        match (&self.feed.cursor, self.feed.job) {
            (CursorRule::Queue(_), _) => Err(PollError::TakesFromQueue(self.key.clone())),
            (_, Some(_)) => Err(PollError::StartsJob(self.key.clone())),
            _ => Ok(()),
        }
    }

    async fn round(
        &self,
        ports: &Ports,
        recorder: &mut Recorder,
    ) -> Result<RoundOutcome, StoreError> {
        round(ports, self.connection, self.action, self.feed, recorder).await
    }
}

async fn round(
    ports: &Ports,
    connection: &Connection,
    action: &Arc<Action>,
    feed: &Arc<Feed>,
    recorder: &mut Recorder,
) -> Result<RoundOutcome, StoreError> {
    let (lists, watched) = (PartitionLists::default(), Watched::Alone(recorder));
    tour::run(ports, connection, action, feed, &lists, 0, watched).await
}

/// Makes one round of one feed, now, and commits it: cursor, ledger and containers. The containers wait for `rounds run`.
pub async fn poll(plan: &Plan, ports: &Ports, key: &FeedKey) -> Result<PollReport, PollError> {
    let asked = Asked::of(plan, key)?;
    let mut recorder = Recorder::default();
    let outcome = asked.round(ports, &mut recorder).await?;
    Ok(PollReport::of(outcome, recorder))
}

/// Makes one round of one feed, now, tells of what it shows as the engine would, and writes nothing. What a sweep would tell as
/// deleted is not part of it: for that the store would have to be told what the sweep showed.
pub async fn rehearse(
    plan: &Plan,
    ports: &Ports,
    key: &FeedKey,
    subject: Subject,
) -> Result<PollReport, PollError> {
    let asked = Asked::of(plan, key)?;
    let source = asked.source(ports, subject).await?;
    let rehearsal = Arc::new(Rehearsal::over(ports, source.memory()));
    let ports = &Ports {
        store: Arc::clone(&rehearsal) as _,
        ehr: Arc::clone(&rehearsal) as _,
        watch: Watch::default(),
        ..ports.clone()
    };
    let mut recorder = Recorder::default();
    let mut dead = Vec::new();
    let (mut report, telling, containers) = match source {
        Source::Given { action, container } => {
            let outcome = RoundOutcome::none(RoundEnd::Succeeded);
            let report = PollReport::of(outcome, recorder);
            (report, action, vec![*container])
        }
        Source::NextRound => {
            let outcome = asked.round(ports, &mut recorder).await?;
            let report = PollReport::of(outcome, recorder);
            let containers = rehearsal.containers(asked.action);
            dead = rehearsal.dead();
            (report, Arc::clone(asked.action), containers)
        }
        Source::Shown {
            action,
            feed,
            which,
        } => {
            recorder.enough = which.enough();
            let mut outcome = round(ports, asked.connection, &action, &feed, &mut recorder).await?;
            // That there are more pages than the one that is asked for says nothing of what it shows.
            if matches!(&outcome.end, RoundEnd::Failed(failed) if failed.code == TOO_MANY_PAGES) {
                outcome.end = RoundEnd::Succeeded;
            }
            let mut report = PollReport::of(outcome, recorder);
            let mut containers = rehearsal.containers(&action);
            // Of one record that was asked for by its id, those without an id say nothing.
            dead = match which {
                Which::One(_) => Vec::new(),
                Which::All | Which::First(_) => rehearsal.dead(),
            };
            report.beyond = which.choose(&mut containers, &mut report.records);
            let is_missing = report.records.is_empty() && matches!(which, Which::One(_));
            if is_missing && report.end == RoundEnd::Succeeded {
                return Err(PollError::UnknownRecord {
                    feed: key.clone(),
                    shown: report.counts.records,
                });
            }
            (report, Arc::clone(asked.action), containers)
        }
    };
    rehearsal.forget_exchanges();
    report.tried = tried(plan, ports, &telling, containers).await;
    report.tried.extend(dead);
    report.exchanges.extend(rehearsal.exchanges());
    // Whoever looks sees how many there were.
    let said = ports.watch.sightings(&asked.action.name, 1);
    report.findings.extend(said);
    Ok(report)
}

impl PollReport {
    fn of(outcome: RoundOutcome, recorder: Recorder) -> Self {
        Self {
            cursor_before: outcome.cursor_before,
            cursor_after: outcome.cursor,
            exchanges: recorder.exchanges,
            records: recorder.records,
            tried: Vec::new(),
            beyond: 0,
            counts: outcome.counts,
            findings: outcome.findings,
            end: outcome.end,
        }
    }

    /// The notifications that would be sent.
    pub fn notifications(&self) -> impl Iterator<Item = &Notification> {
        self.tried.iter().filter_map(|tried| match &tried.outcome {
            Trial::Told(notification, _) => Some(&**notification),
            Trial::Silent { .. } | Trial::Failed { .. } => None,
        })
    }

    /// Of the records that need not be told, why.
    pub fn passed(&self) -> impl Iterator<Item = Choice> {
        let choices = self.records.iter().map(|record| record.choice);
        choices.filter(|choice| !choice.is_told() && !choice.is_dead())
    }
}

/// Fills and maps containers, in their order.
async fn tried(
    plan: &Plan,
    ports: &Ports,
    action: &Arc<Action>,
    containers: Vec<Container>,
) -> Vec<Tried> {
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
        Trial::of(settled).map(|outcome| Tried { record_id, outcome })
    });
    let settled = stream::iter(work).buffered(together);
    settled.filter_map(|tried| async { tried }).collect().await
}

impl Trial {
    /// None only of a container whose action is gone.
    fn of(settlement: ContainerSettlement) -> Option<Self> {
        Some(match settlement {
            ContainerSettlement::Notified {
                notification,
                destinations,
            } => {
                let to = destinations.into_iter().map(|owed| owed.destination);
                Self::Told(notification, to.collect())
            }
            ContainerSettlement::Dropped { code, reason, .. } => Self::Silent {
                code: code.to_string(),
                reason,
            },
            ContainerSettlement::Parked { code, reason, .. }
            | ContainerSettlement::Dead { code, reason, .. } => Self::Failed {
                code: code.to_string(),
                reason,
            },
            ContainerSettlement::Released { .. } => return None,
        })
    }
}
