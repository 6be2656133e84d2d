//! The lane of one destination's deliveries.

use super::breaker::{Allowance, Turn, Watch};
use super::challenge::{Proof, prove};
use super::decide::{hold, next_step};
use super::stamp;
use crate::Ports;
use crate::backoff::doubling;
use crate::lane::{LEASE, Work};
use crate::moment::later;
use async_trait::async_trait;
use jiff::Timestamp;
use rounds_domain::plan::Destination;
use rounds_domain::ports::{Breaker, Claimed, DestinationNote, Message, StoreError};
use rounds_domain::{
    Attempt, AttemptOutcome, Code, DeliveryId, DeliveryJob, DeliverySettlement, NextStep,
};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The code of a breaker that opened.
const BREAKER_OPEN: Code = Code::new("R0512");
/// An endpoint that does not prove itself is asked again after this long...
const FIRST_PROOF_WAIT: Duration = Duration::from_secs(5);
/// ...and at most this long.
const LONGEST_PROOF_WAIT: Duration = Duration::from_mins(10);

/// Delivers to one destination.
pub(crate) struct DeliveryWork {
    destination: Arc<Destination>,
    ports: Ports,
    held: Mutex<Held>,
}

/// Until when the destination is left alone, and why.
#[derive(Default)]
struct Held {
    /// By the monotonic clock.
    until: Option<Duration>,
    proofs_failed: u32,
    watch: Watch,
    /// As it stands in the store.
    breaker: Option<Breaker>,
}

impl DeliveryWork {
    /// The lane of this destination.
    pub(crate) fn new(destination: Arc<Destination>, ports: Ports) -> Self {
        Self {
            destination,
            ports,
            held: Mutex::default(),
        }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until when the destination is left alone, if it is.
    fn held_until(&self, now: Timestamp) -> Option<Timestamp> {
        let left = (self.held().until?).checked_sub(self.ports.clock.monotonic())?;
        (!left.is_zero()).then(|| later(now, left))
    }

    /// Leaves the destination alone for this long, if it is not left alone for longer already.
    fn hold_for(&self, wait: Duration) {
        let until = self.ports.clock.monotonic().saturating_add(wait);
        let mut held = self.held();
        held.until = held.until.max(Some(until));
    }

    /// Notes what attempts say about the endpoint, before they are settled: after a crash in between, they are made once more.
    async fn watch_over(&self, settlements: &[DeliverySettlement]) -> Result<(), StoreError> {
        let attempts: Vec<_> = settlements
            .iter()
            .filter_map(|settlement| {
                let attempt = settlement.attempt.as_ref()?;
                Some((&settlement.id.notification, &attempt.outcome))
            })
            .collect();
        let (store, name) = (&self.ports.store, &self.destination.name);
        let now = self.ports.clock.now();
        if attempts
            .iter()
            .any(|(_, outcome)| **outcome == AttemptOutcome::Gone)
        {
            let note = DestinationNote::Paused {
                at: now,
                code: AttemptOutcome::GONE,
                reason: "the receiver answered 410 Gone".to_owned(),
            };
            store.note_destination(name, note).await?;
        }
        let is_open = self.held().breaker.clone();
        let opens_after = self.destination.breaker_after;
        let turn = self
            .held()
            .watch
            .judge(is_open.as_ref(), attempts, opens_after, now);
        let breaker = match turn {
            Turn::Stays => return Ok(()),
            Turn::Opens(breaker) => {
                if is_open.is_none() {
                    tracing::warn!(
                        destination = %name, code = %BREAKER_OPEN, cause = %breaker.code,
                        "{} notifications in a row failed, so one at a time is tried from now on: {}",
                        opens_after, breaker.reason
                    );
                }
                Some(breaker)
            }
            Turn::Closes => {
                tracing::info!(destination = %name, "the destination takes notifications again");
                None
            }
        };
        self.held().breaker.clone_from(&breaker);
        let note = DestinationNote::Breaker(breaker);
        store.note_destination(name, note).await
    }
}

#[async_trait]
impl Work for DeliveryWork {
    type Item = DeliveryJob;
    type Settlement = DeliverySettlement;
    type Key = DeliveryId;

    fn name(&self) -> String {
        format!("deliveries to {}", self.destination.name)
    }

    fn key(&self, job: &DeliveryJob) -> DeliveryId {
        job.id.clone()
    }

    async fn claim(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Claimed<DeliveryJob>, StoreError> {
        if let Some(next_due) = self.held_until(now) {
            return Ok(Claimed {
                items: Vec::new(),
                next_due: Some(next_due),
            });
        }
        let state = self
            .ports
            .store
            .destination_state(&self.destination.name)
            .await?;
        let allowance = {
            let mut held = self.held();
            held.breaker.clone_from(&state.breaker);
            held.watch.allowance(state.breaker.as_ref(), now)
        };
        if let Allowance::None(next_due) = allowance {
            return Ok(Claimed {
                items: Vec::new(),
                next_due,
            });
        }
        if matches!(
            prove(&self.ports, &self.destination, &state).await?,
            Proof::Failed
        ) {
            let failed = {
                let mut held = self.held();
                held.proofs_failed += 1;
                held.proofs_failed
            };
            self.hold_for(doubling(FIRST_PROOF_WAIT, LONGEST_PROOF_WAIT, failed));
            return Ok(Claimed {
                items: Vec::new(),
                next_due: self.held_until(now),
            });
        }
        let limit = match allowance {
            Allowance::One => 1,
            _ => limit,
        };
        let claimed = self
            .ports
            .store
            .claim_deliveries(&self.destination.name, now, LEASE, limit)
            .await?;
        if allowance == Allowance::One && !claimed.items.is_empty() {
            self.held().watch.begin_trial();
        }
        Ok(claimed)
    }

    async fn process(&self, job: DeliveryJob) -> DeliverySettlement {
        let started_at = self.ports.clock.now();
        let began = self.ports.clock.monotonic();
        let message = Message {
            id: job.id.notification.clone(),
            body: stamp::stamped(&job, started_at),
            content_type: job.shape.content_type(),
            headers: stamp::headers(&job),
            gaps: job.gaps,
            former: job.former,
            changed: job.changed,
            attempt: job.attempts + 1,
            sent_at: started_at,
        };
        let outcome = self
            .ports
            .destinations
            .deliver(&self.destination.name, message)
            .await;
        let next = next_step(&self.ports, &self.destination.retry, job.attempts, &outcome);
        if let Some(wait) = hold(&self.destination.retry, &outcome) {
            self.hold_for(wait);
        }
        let took = self.ports.elapsed_since(began);
        let attempt = Attempt {
            started_at,
            took,
            outcome,
        };
        DeliverySettlement {
            id: job.id,
            attempt: Some(attempt),
            next,
        }
    }

    async fn settle(&self, settlements: Vec<DeliverySettlement>) -> Result<(), StoreError> {
        self.watch_over(&settlements).await?;
        self.ports.store.settle_deliveries(settlements).await
    }

    fn settled(&self, settlements: &[DeliverySettlement]) {
        for DeliverySettlement { id, attempt, next } in settlements {
            let duration_ms = attempt
                .as_ref()
                .map_or(0, |attempt| attempt.took.as_millis());
            let (destination, notification) = (&id.destination, &id.notification);
            match next {
                NextStep::Done => {
                    tracing::debug!(%destination, %notification, duration_ms, "delivered");
                }
                NextStep::RetryAt(due) => {
                    let reason = attempt
                        .as_ref()
                        .map_or("", |attempt| reason_of(&attempt.outcome));
                    tracing::warn!(
                        %destination, %notification, duration_ms, next_try = %due,
                        "not delivered: {reason}"
                    );
                }
                NextStep::GiveUp { code, reason } => {
                    tracing::error!(%destination, %notification, %code, "delivery {reason}");
                }
            }
        }
    }
}

fn reason_of(outcome: &AttemptOutcome) -> &str {
    match outcome {
        AttemptOutcome::Refused { reason, .. }
        | AttemptOutcome::Unreachable { reason, .. }
        | AttemptOutcome::Impossible { reason, .. } => reason,
        AttemptOutcome::Gone => "410 Gone",
        AttemptOutcome::Delivered { .. } => "",
    }
}
