//! The lane of one destination's deliveries.

use super::challenge::{Proof, prove};
use super::decide::{hold, next_step};
use crate::Ports;
use crate::backoff::doubling;
use crate::lane::{LEASE, Work};
use crate::moment::later;
use async_trait::async_trait;
use jiff::Timestamp;
use rounds_domain::plan::Destination;
use rounds_domain::ports::{Claimed, DestinationState, Message, StoreError};
use rounds_domain::{
    Attempt, AttemptOutcome, DeliveryId, DeliveryJob, DeliverySettlement, NextStep,
};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

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

/// Until when the destination is left alone.
#[derive(Default)]
struct Held {
    until: Option<Timestamp>,
    proofs_failed: u32,
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

    /// Leaves the destination alone for this long, if it is not left alone for longer already.
    fn hold_for(&self, wait: Duration) {
        let until = later(self.ports.clock.now(), wait);
        let mut held = self.held();
        held.until = held.until.max(Some(until));
    }

    async fn pause(&self, reason: String) -> Result<(), StoreError> {
        let store = &self.ports.store;
        let state = store.destination_state(&self.destination.name).await?;
        let paused = Some((self.ports.clock.now(), AttemptOutcome::GONE, reason));
        store
            .set_destination_state(&self.destination.name, DestinationState { paused, ..state })
            .await
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
        let held = self.held().until.filter(|until| *until > now);
        if held.is_some() {
            return Ok(Claimed {
                items: Vec::new(),
                next_due: held,
            });
        }
        let state = self
            .ports
            .store
            .destination_state(&self.destination.name)
            .await?;
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
                next_due: self.held().until,
            });
        }
        self.ports
            .store
            .claim_deliveries(&self.destination.name, now, LEASE, limit)
            .await
    }

    async fn process(&self, job: DeliveryJob) -> DeliverySettlement {
        let started_at = self.ports.clock.now();
        let began = self.ports.clock.monotonic();
        let message = Message {
            id: job.id.notification.clone(),
            body: job.body,
            gaps: job.gaps,
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
        // The pause comes first: after a crash in between, the delivery is tried once more and pauses again.
        let gone = settlements.iter().any(|settlement| {
            matches!(&settlement.attempt, Some(attempt) if attempt.outcome == AttemptOutcome::Gone)
        });
        if gone {
            self.pause("the receiver answered 410 Gone".to_owned())
                .await?;
        }
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
