//! What was finished long ago is removed, a slice at a time; what a wrong clock put off is brought forward.

use crate::moment::later;
use crate::{Ports, Stop};
use rounds_domain::plan::Plan;
use std::time::Duration;

/// How often it is looked for.
const EVERY: Duration = Duration::from_mins(10);
/// How much goes at once, so that rounds and deliveries are not kept waiting.
const SLICE: usize = 500;

/// Nothing is put off for longer: what is due only later was put off by a clock that was wrong.
const LONGEST_WAIT: Duration = Duration::from_hours(31 * 24);

/// Looks until `stop`.
pub(crate) async fn run(plan: &Plan, ports: &Ports, stop: &Stop) {
    loop {
        bring_forward(ports).await;
        tokio::select! {
            biased;
            () = stop.stopping() => return,
            () = ports.clock.sleep(EVERY) => {}
        }
        let Ok(before) = ports.clock.now().checked_sub(plan.keep_finished) else {
            continue;
        };
        let mut removed = 0;
        loop {
            match ports.store.prune(before, SLICE).await {
                Ok(slice) => {
                    removed += slice;
                    if slice < SLICE || stop.is_stopping() {
                        break;
                    }
                }
                Err(error) => {
                    // Nothing depends on it: the next look tries again.
                    tracing::warn!(code = %error.code(), "removing what was finished: {error}");
                    break;
                }
            }
        }
        if removed > 0 {
            tracing::info!(removed, "removed what was finished before {before}");
        }
    }
}

async fn bring_forward(ports: &Ports) {
    let now = ports.clock.now();
    match ports
        .store
        .bring_forward(later(now, LONGEST_WAIT), now)
        .await
    {
        Ok(0) => {}
        Ok(brought) => tracing::warn!(
            brought,
            "containers or deliveries were due only in more than a month, because the machine's clock was wrong; they are due now"
        ),
        Err(error) => {
            tracing::warn!(code = %error.code(), "bringing forward what is due too late: {error}");
        }
    }
}
