//! What follows from an attempt.

use crate::Ports;
use crate::backoff::next_wait;
use rounds_domain::plan::RetrySchedule;
use rounds_domain::{AttemptOutcome, NextStep};
use std::time::Duration;

/// What follows from an attempt that failed `attempts` times before.
pub(super) fn next_step(
    ports: &Ports,
    schedule: &RetrySchedule,
    attempts: u32,
    outcome: &AttemptOutcome,
) -> NextStep {
    let Some(code) = outcome.code() else {
        return NextStep::Done;
    };
    let (reason, retry_after) = match outcome {
        AttemptOutcome::Delivered { .. } => return NextStep::Done,
        // The destination is paused. When a person serves it again, this one is still the first of its key.
        AttemptOutcome::Gone => return NextStep::RetryAt(ports.clock.now()),
        AttemptOutcome::Refused {
            reason,
            retry_after,
            ..
        } => (reason, *retry_after),
        AttemptOutcome::Unreachable { reason, .. } | AttemptOutcome::Impossible { reason, .. } => {
            (reason, None)
        }
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
