//! What follows from an attempt.

use crate::Ports;
use crate::backoff::next_wait;
use rounds_domain::plan::RetrySchedule;
use rounds_domain::{AttemptOutcome, Code, NextStep};
use std::time::Duration;

/// The receiver said that the endpoint is no more.
pub(super) const GONE: Code = Code::new("R0508");
/// The receiver refused.
pub(super) const REFUSED: Code = Code::new("R0509");

/// What follows from an attempt that failed `attempts` times before.
pub(super) fn next_step(
    ports: &Ports,
    schedule: &RetrySchedule,
    attempts: u32,
    outcome: &AttemptOutcome,
) -> NextStep {
    let (code, reason, retry_after) = match outcome {
        AttemptOutcome::Delivered { .. } => return NextStep::Done,
        AttemptOutcome::Gone => {
            return NextStep::GiveUp {
                code: GONE,
                reason: "the receiver answered 410 Gone; nothing more is sent to this destination until `rounds deliveries retry`".to_owned(),
            };
        }
        AttemptOutcome::Refused {
            reason,
            retry_after,
            ..
        } => (REFUSED, reason, *retry_after),
        AttemptOutcome::Unreachable { code, reason }
        | AttemptOutcome::Impossible { code, reason } => (*code, reason, None),
    };
    let wait = next_wait(schedule, attempts, retry_after, &*ports.randomness);
    match wait.and_then(|wait| ports.clock.now().checked_add(wait).ok()) {
        Some(due) => NextStep::RetryAt(due),
        None => NextStep::GiveUp {
            code,
            reason: format!("given up after {} attempts: {reason}", attempts + 1),
        },
    }
}

/// How long the whole destination is left alone after an outcome by which the receiver asks for less.
pub(super) fn hold(schedule: &RetrySchedule, outcome: &AttemptOutcome) -> Option<Duration> {
    match outcome {
        AttemptOutcome::Refused {
            status: 429 | 503,
            retry_after: Some(asked),
            ..
        } => Some((*asked).min(schedule.longest_retry_after)),
        _ => None,
    }
}
