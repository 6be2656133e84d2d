//! From a container to its notification: lookups, then the mapping.
//!
//! A container is durable before any of this begins and until its notification is, so every step may fail, be cut
//! short or be repeated. What fails parks this container and no other (law 4); the answers it has already stay with it.
//! When its schedule of retries is used up it is dead: shown, and waiting for a person.

mod event;
mod fixture;
mod lookups;
mod mapping;
mod modify;
mod scope;
mod subscribe;
mod work;
mod wrap;

pub use fixture::{Fixture, FixtureOutcome, map_fixture};
pub(crate) use lookups::LookupDesk;
pub(crate) use work::ContainerWork;
pub use wrap::NUMBER_MARK;
pub(crate) use wrap::source;

use crate::Ports;
use crate::backoff::next_wait;
use crate::exchange::Failed;
use crate::moment::later;
use crate::round::failure::EVALUATOR;
use lookups::Looked;
use mapping::Mapped;
use rounds_domain::plan::{Action, Plan, WhenMissing};
use rounds_domain::{
    Code, Container, ContainerSettlement, DeliveryOrder, DestinationName, Gap, LookupAnswer,
    Notification, Owed, RoundFailure,
};
use rounds_map::NotEvaluated;
use scope::Scope;
use std::sync::Arc;
use std::time::Duration;

/// The code of a container whose action is not in the configuration any more.
const ACTION_GONE: Code = Code::new("R0402");
/// The code of a container whose lookup's record is not there, where the policy is to wait for it.
const MISSING: Code = Code::new("R0403");
/// The code of a container that was dropped by a lookup's policy.
const DROPPED: Code = Code::new("R0404");
/// How long a container waits whose action is not in the configuration.
const UNTIL_CONFIGURED: Duration = Duration::from_hours(1);

/// Why a container did not become a notification this time. Without patient data.
#[derive(Debug, Clone)]
pub(crate) struct Trouble {
    /// The stable code.
    pub(crate) code: Code,
    /// In words.
    pub(crate) reason: String,
    /// What the EHR asked to wait, or how long it is no use to try again.
    pub(crate) retry_after: Option<Duration>,
}

/// When a record is tried again whose evaluation took too long. Each try may hold a thread for as long as it likes.
const AFTER_TOO_LONG: Duration = Duration::from_hours(1);

/// Nobody said how long to wait.
impl From<RoundFailure> for Trouble {
    fn from(failure: RoundFailure) -> Self {
        Self {
            code: failure.code,
            reason: failure.message,
            retry_after: None,
        }
    }
}

impl From<Failed> for Trouble {
    fn from(failed: Failed) -> Self {
        Self {
            retry_after: failed.after,
            ..failed.failure.into()
        }
    }
}

impl Trouble {
    /// An evaluation that was given up. `what` is what was being done.
    fn not_evaluated(what: &str, error: NotEvaluated) -> Self {
        Self {
            code: EVALUATOR,
            reason: format!("{what}: {error}"),
            retry_after: match error {
                NotEvaluated::Panicked => None,
                NotEvaluated::TooLong { .. } => Some(AFTER_TOO_LONG),
            },
        }
    }
}

/// Why a change is not told.
#[derive(Debug, Clone)]
pub(crate) struct Silence {
    /// The stable code.
    pub(crate) code: Code,
    /// In words, without patient data.
    pub(crate) reason: String,
}

/// Fills one container and maps it. `action` is its action, if the configuration still has it.
pub(crate) async fn process(
    ports: &Ports,
    plan: &Plan,
    desk: &LookupDesk,
    action: Option<&Arc<Action>>,
    container: Container,
) -> ContainerSettlement {
    let Some(action) = action else {
        tracing::warn!(
            container = %container.id,
            action = %container.action,
            code = %ACTION_GONE,
            "the configuration does not have the action of this container any more; it waits"
        );
        // Not its own fault, so it costs it no attempt.
        return ContainerSettlement::Released {
            id: container.id,
            due_at: later(ports.clock.now(), UNTIL_CONFIGURED),
            answers: container.answers,
        };
    };
    let mut answers = container.answers.clone();
    match fill_and_map(ports, plan, desk, action, &container, &mut answers).await {
        Ok(Filled::Told(notification, destinations)) => ContainerSettlement::Notified {
            notification,
            destinations: destinations
                .into_iter()
                .map(|destination| owed(plan, destination))
                .collect(),
        },
        Ok(Filled::Dropped(Silence { code, reason }, gaps)) => ContainerSettlement::Dropped {
            id: container.id,
            code,
            reason,
            gaps,
            at: ports.clock.now(),
        },
        Err(trouble) => park_or_bury(ports, action, container, trouble, answers),
    }
}

enum Filled {
    Told(Box<Notification>, Vec<DestinationName>),
    Dropped(Silence, Vec<Gap>),
}

async fn fill_and_map(
    ports: &Ports,
    plan: &Plan,
    desk: &LookupDesk,
    action: &Arc<Action>,
    container: &Container,
    answers: &mut Vec<LookupAnswer>,
) -> Result<Filled, Trouble> {
    let mut scope = Scope::of(container)?;
    if let Some(connection) = plan.connections.get(&action.connection) {
        scope.mark_source(&connection.base_url);
    }
    let mut gaps = Vec::new();
    for lookup in &action.lookups {
        if let Some(kept) = answers
            .iter()
            .find(|answer| answer.name == lookup.name && answer.body.is_some())
        {
            scope.add(kept)?;
            continue;
        }
        let is_wanted = match &lookup.when {
            Some(when) => scope
                .holds(when)
                .map_err(|error| lookups::not_askable(lookup, &error))?,
            None => true,
        };
        if !is_wanted {
            let answer = LookupAnswer {
                name: lookup.name.clone(),
                body: None,
                fetched_at: ports.clock.now(),
            };
            scope.add(&answer)?;
            answers.push(answer);
            continue;
        }
        let connection = plan
            .connections
            .get(&action.connection)
            .ok_or_else(|| Trouble {
                code: ACTION_GONE,
                reason: format!(
                    "the configuration has no connection `{}`",
                    action.connection
                ),
                retry_after: None,
            })?;
        let looked = desk
            .look_up(ports, connection, action, container, lookup, &scope)
            .await?;
        let is_found = matches!(looked, Looked::Found { .. });
        (ports.watch).looked_up(&action.name, &lookup.name, is_found);
        let answer = match looked {
            Looked::Found { body, at } => LookupAnswer {
                name: lookup.name.clone(),
                body: Some(body),
                fetched_at: at,
            },
            Looked::Missing { status, at } => {
                let gap = Gap {
                    lookup: lookup.name.clone(),
                    status,
                };
                match lookup.when_missing {
                    WhenMissing::Null => gaps.push(gap),
                    WhenMissing::Drop => {
                        let silence = Silence {
                            code: DROPPED,
                            reason: format!(
                                "lookup `{}` found nothing, and its `when_missing` is `drop`",
                                gap.lookup
                            ),
                        };
                        return Ok(Filled::Dropped(silence, vec![gap]));
                    }
                    WhenMissing::Park => {
                        return Err(Trouble {
                            code: MISSING,
                            reason: format!(
                                "lookup `{}`: the EHR answered {status}, and its `when_missing` is `park`",
                                lookup.name
                            ),
                            retry_after: None,
                        });
                    }
                }
                LookupAnswer {
                    name: lookup.name.clone(),
                    body: None,
                    fetched_at: at,
                }
            }
        };
        scope.add(&answer)?;
        answers.push(answer);
    }
    scope.mark_missing(&gaps);
    let connection = plan.connections.get(&action.connection);
    let base_url = connection.map(|connection| connection.base_url.clone());
    match mapping::map(ports, action, container, (scope, gaps), base_url).await? {
        Mapped::Told(notification, destinations) => Ok(Filled::Told(notification, destinations)),
        Mapped::Silent(silence) => Ok(Filled::Dropped(silence, Vec::new())),
    }
}

fn owed(plan: &Plan, destination: DestinationName) -> Owed {
    let order = plan
        .destinations
        .get(&destination)
        .map_or(DeliveryOrder::Key, |destination| destination.order);
    Owed { destination, order }
}

fn park_or_bury(
    ports: &Ports,
    action: &Action,
    container: Container,
    trouble: Trouble,
    answers: Vec<LookupAnswer>,
) -> ContainerSettlement {
    let Trouble {
        code,
        reason,
        retry_after,
    } = trouble;
    match next_wait(
        &action.retry,
        container.attempts,
        retry_after,
        &*ports.randomness,
    ) {
        Some(wait) => ContainerSettlement::Parked {
            id: container.id,
            code,
            reason,
            due_at: later(ports.clock.now(), wait),
            answers: answers
                .into_iter()
                .filter(|answer| answer.body.is_some())
                .collect(),
        },
        None => ContainerSettlement::Dead {
            id: container.id,
            code,
            reason,
            at: ports.clock.now(),
        },
    }
}
