//! The simulated receivers: slow, refusing, gone, or taking a notification and not saying so.

use crate::clock::{Chance, SimulatedClock};
use crate::crash::{CrashPoint, Crasher};
use crate::journal::Journal;
use async_trait::async_trait;
use jiff::Timestamp;
use rounds_domain::ports::{ChallengeFailure, Clock, Destinations, Message};
use rounds_domain::{AttemptOutcome, Code, DestinationName};
use serde_json::Value;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A notification that a receiver took.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    pub(crate) destination: String,
    pub(crate) id: String,
    pub(crate) body: Vec<u8>,
    pub(crate) at: Timestamp,
}

/// All receivers.
pub(crate) struct Receiver {
    pub(crate) clock: Arc<SimulatedClock>,
    pub(crate) chance: Chance,
    pub(crate) crasher: Arc<Crasher>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) faults_per_mille: u64,
    pub(crate) healed_at: Timestamp,
    pub(crate) faults: AtomicU64,
    pub(crate) arrivals: Mutex<Vec<Arrival>>,
}

impl Receiver {
    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        self.arrivals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn take(&self, destination: &DestinationName, message: &Message) {
        let body = message.body.bytes();
        let shown: Value = serde_json::from_slice(body).unwrap_or_default();
        self.journal.note(format!(
            "{destination} takes {} {}/{}v{} {}",
            message.id, shown["action"], shown["id"], shown["version"], shown["kind"]
        ));
        let arrival = Arrival {
            destination: destination.to_string(),
            id: message.id.to_string(),
            body: body.to_vec(),
            at: self.clock.now(),
        };
        self.arrivals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(arrival);
    }
}

#[async_trait]
impl Destinations for Receiver {
    async fn deliver(&self, destination: &DestinationName, message: Message) -> AttemptOutcome {
        self.crasher.pass(CrashPoint::AttemptSent).await;
        let is_troubled =
            self.clock.now() < self.healed_at && self.chance.happens(self.faults_per_mille);
        if !is_troubled {
            self.clock
                .sleep(self.chance.time_up_to(Duration::from_millis(300)))
                .await;
            self.take(destination, &message);
            self.crasher.pass(CrashPoint::AttemptAnswered).await;
            return AttemptOutcome::Delivered { status: 200 };
        }
        self.faults.fetch_add(1, Ordering::Relaxed);
        let no_answer = AttemptOutcome::Unreachable {
            code: Code::new("R0503"),
            reason: "no answer in time".to_owned(),
        };
        match self.chance.below(9) {
            0 => refusal(500, None),
            1 => refusal(400, None),
            2 => refusal(503, Some(Duration::from_secs(20))),
            3 => refusal(429, Some(Duration::from_secs(5))),
            4 => no_answer,
            5 | 6 => {
                // It has it, and nobody hears of it.
                self.clock.sleep(Duration::from_secs(25)).await;
                self.take(destination, &message);
                self.clock.sleep(Duration::from_secs(5)).await;
                self.crasher.pass(CrashPoint::AttemptAnswered).await;
                no_answer
            }
            7 => {
                self.clock
                    .sleep(self.chance.time_up_to(Duration::from_secs(28)))
                    .await;
                self.take(destination, &message);
                self.crasher.pass(CrashPoint::AttemptAnswered).await;
                AttemptOutcome::Delivered { status: 202 }
            }
            _ if self.chance.below(6) == 0 => AttemptOutcome::Gone,
            _ => refusal(502, None),
        }
    }

    async fn challenge(
        &self,
        _destination: &DestinationName,
        _challenge: String,
    ) -> Result<(), ChallengeFailure> {
        Ok(())
    }
}

fn refusal(status: u16, retry_after: Option<Duration>) -> AttemptOutcome {
    AttemptOutcome::Refused {
        status,
        retry_after,
        reason: format!("answered {status}"),
    }
}
