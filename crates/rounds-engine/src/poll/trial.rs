//! What a mapping makes of records that are there: what `rounds map try` shows.
//!
//! A change has to happen before a round tells of it, and a person who writes a mapping does not want to wait for one. So a sample is
//! asked for as a round would ask that begins further back, one page of it, and each record is told as if it were new. The lookups are asked as ever, and
//! nothing is written. Of a record that is given, whatever a fixture may say is given too.

use super::rehearsal::Rehearsal;
use super::{PollError, Recorder, settled};
use crate::Ports;
use crate::containers::Fixture;
use crate::ids::new_container_id;
use crate::moment::earlier;
use crate::observe::{Choice, Exchange};
use crate::round::PartitionLists;
use crate::round::tour::{self, Watched};
use rounds_domain::plan::{Action, CursorRule, Deletions, Feed, Paging, Plan, Start, Sweep};
use rounds_domain::ports::Store;
use rounds_domain::{ActionName, Container, ContainerSettlement, Notification, RecordId, RoundEnd};
use rounds_map::Filter;
use std::sync::Arc;
use std::time::Duration;

/// How far back a sample is asked for by time, where the request may ask so far.
const SAMPLE_BACK: Duration = Duration::from_hours(30 * 24);

/// Which records are tried.
#[derive(Debug, Clone)]
pub enum TrialSubject {
    /// So many of those that the EHR shows on one page of the change query.
    Sample(usize),
    /// The last state that is known of a record.
    Known(RecordId),
    /// A record that is given, with whatever is given beside it. If that is answers of lookups, no lookup is asked.
    Given(Box<Fixture>),
}

/// What a mapping made of records.
#[derive(Debug)]
pub struct TrialReport {
    /// The requests.
    pub exchanges: Vec<Exchange>,
    /// What became of each record.
    pub tried: Vec<Tried>,
    /// How many more the page shows that would be told, beyond those that were wanted.
    pub beyond: usize,
    /// Of what the page shows besides, why a round would not tell of it: one for each.
    pub passed: Vec<Choice>,
    /// How asking for a sample ended.
    pub end: RoundEnd,
}

/// What became of one record.
#[derive(Debug)]
pub struct Tried {
    /// Which.
    pub record_id: RecordId,
    /// What became of it.
    pub outcome: TrialOutcome,
}

/// What became of a record.
#[derive(Debug)]
pub enum TrialOutcome {
    /// It would be told.
    Told(Box<Notification>),
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

/// Tries the mapping of an action. `fresh` is an empty store: to it every record is new.
pub async fn try_mapping(
    plan: &Plan,
    ports: &Ports,
    fresh: Arc<dyn Store>,
    name: &ActionName,
    subject: TrialSubject,
) -> Result<TrialReport, PollError> {
    let unknown = || PollError::UnknownAction(name.clone());
    let action = (plan.actions.iter()).find(|known| known.name == *name);
    let action = action.ok_or_else(unknown)?;
    let rehearsal = Arc::new(Rehearsal::over(&Ports {
        store: match &subject {
            TrialSubject::Sample(_) => fresh,
            TrialSubject::Known(_) | TrialSubject::Given(_) => Arc::clone(&ports.store),
        },
        ..ports.clone()
    }));
    let ports = Ports {
        store: Arc::clone(&rehearsal) as _,
        ehr: Arc::clone(&rehearsal) as _,
        ..ports.clone()
    };
    let mut recorder = Recorder::default();
    let mut beyond = 0;
    let mut asking = Arc::clone(action);
    let (containers, end) = match subject {
        TrialSubject::Sample(most) => {
            let end = sample(plan, &ports, action, &mut recorder).await?;
            let mut containers = rehearsal.containers(action);
            beyond = containers.len().saturating_sub(most);
            containers.truncate(most);
            // A page that shows some is enough: that there are more is what ends the round.
            let end = if containers.is_empty() {
                end
            } else {
                RoundEnd::Succeeded
            };
            (containers, end)
        }
        TrialSubject::Known(id) => {
            let ids = [id.clone()];
            let known = ports.store.known_records(name, &ids).await?;
            let record = known.into_iter().flatten().next();
            let record = record.ok_or_else(|| PollError::UnknownRecord(name.clone()))?;
            let container = alone(&ports, action, id, Fixture::of_record(record));
            (vec![container], RoundEnd::Succeeded)
        }
        TrialSubject::Given(fixture) => {
            if fixture.lookups.is_some() {
                asking = asking_nothing(action);
            }
            let container = alone(&ports, action, RecordId::new("given"), *fixture);
            (vec![container], RoundEnd::Succeeded)
        }
    };
    rehearsal.forget_exchanges();
    let Recorder {
        mut exchanges,
        records,
    } = recorder;
    let is_told = |choice: &Choice| matches!(choice, Choice::Created | Choice::Updated);
    let chosen = records.into_iter().map(|record| record.choice);
    let passed = chosen.filter(|choice| !is_told(choice)).collect();
    let mut tried = Vec::new();
    for (record_id, settlement) in settled(plan, &ports, &asking, containers).await {
        let outcome = match settlement {
            ContainerSettlement::Notified { notification, .. } => TrialOutcome::Told(notification),
            ContainerSettlement::Dropped { code, reason, .. } => TrialOutcome::Silent {
                code: code.to_string(),
                reason,
            },
            ContainerSettlement::Parked { code, reason, .. }
            | ContainerSettlement::Dead { code, reason, .. } => TrialOutcome::Failed {
                code: code.to_string(),
                reason,
            },
            // Only one whose action is gone, and this one is there.
            ContainerSettlement::Released { .. } => continue,
        };
        tried.push(Tried { record_id, outcome });
    }
    exchanges.extend(rehearsal.exchanges());
    Ok(TrialReport {
        exchanges,
        tried,
        beyond,
        passed,
        end,
    })
}

/// Asks for one page of what the change query shows.
async fn sample(
    plan: &Plan,
    ports: &Ports,
    action: &Arc<Action>,
    recorder: &mut Recorder,
) -> Result<RoundEnd, PollError> {
    let changes = &action.changes;
    let key = crate::round::feed_key(action, changes);
    match (&changes.cursor, changes.job) {
        (CursorRule::Queue(_), _) => return Err(PollError::TakesFromQueue(key)),
        (_, Some(_)) => return Err(PollError::StartsJob(key)),
        _ => {}
    }
    let connection = (plan.connections.get(&action.connection))
        .ok_or_else(|| PollError::UnknownAction(action.name.clone()))?;
    let feed = Arc::new(one_page(changes, ports.clock.now()));
    // Nobody else tells of the records in an empty store.
    let alone = Arc::new(Action {
        changes: Arc::clone(&feed),
        also: Vec::new(),
        sweeps: Vec::new(),
        setup: None,
        ..Action::clone(action)
    });
    let outcome = tour::run(
        ports,
        connection,
        &alone,
        &feed,
        &PartitionLists::default(),
        0,
        Watched::Alone(recorder),
    )
    .await?;
    Ok(outcome.end)
}

/// The change query as it shows what is there: one page, from further back.
fn one_page(changes: &Feed, now: jiff::Timestamp) -> Feed {
    let (cursor, start) = match &changes.cursor {
        CursorRule::Time(rule) => {
            let back = rule.longest_window.unwrap_or(SAMPLE_BACK).min(SAMPLE_BACK);
            let start = Start::Instant(earlier(now, back / 2));
            (changes.cursor.clone(), start)
        }
        CursorRule::Sweep(sweep) => (
            CursorRule::Sweep(Sweep {
                deletions: Deletions::Ignored,
                ..sweep.clone()
            }),
            Start::Beginning,
        ),
        CursorRule::Number(_) | CursorRule::Token(_) | CursorRule::Queue(_) => {
            (changes.cursor.clone(), Start::Beginning)
        }
    };
    Feed {
        cursor,
        start,
        paging: Paging {
            // The rule stays, since the request may name the page.
            max_pages: 1,
            ..changes.paging.clone()
        },
        ..changes.clone()
    }
}

/// A container of a record that no round found.
fn alone(ports: &Ports, action: &Action, record_id: RecordId, fixture: Fixture) -> Container {
    let ids = (new_container_id(ports), record_id);
    fixture.container(action, ids, ports.clock.now())
}

/// The action of a fixture that holds what was looked up: what it does not hold was not found, and nobody is asked.
fn asking_nothing(action: &Arc<Action>) -> Arc<Action> {
    let mut alone = Action::clone(action);
    for lookup in &mut alone.lookups {
        if let Ok(never) = Filter::compile("false") {
            lookup.when = Some(never);
        }
    }
    Arc::new(alone)
}
