//! What was finished long ago is removed, a slice at a time.

use crate::{Ports, Stop};
use rounds_domain::plan::Plan;
use std::time::Duration;

/// How often it is looked for.
const EVERY: Duration = Duration::from_mins(10);
/// How much goes at once, so that rounds and deliveries are not kept waiting.
const SLICE: usize = 500;

/// Prunes until `stop`.
pub(crate) async fn run(plan: &Plan, ports: &Ports, stop: &Stop) {
    loop {
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
