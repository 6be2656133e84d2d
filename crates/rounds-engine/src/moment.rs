//! Instants and waits: sums that stop at the ends of time instead of failing.

use crate::Ports;
use jiff::Timestamp;
use std::time::Duration;

/// Whoever waits for a moment looks again at least this often: the wall clock may jump, and a signal may be missed.
const LONGEST_LOOK: Duration = Duration::from_mins(1);

/// This long after a moment.
pub(crate) fn later(moment: Timestamp, by: Duration) -> Timestamp {
    moment.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// This long before a moment.
pub(crate) fn earlier(moment: Timestamp, by: Duration) -> Timestamp {
    moment.checked_sub(by).unwrap_or(Timestamp::MIN)
}

/// How long to wait before looking again whether something is due; `due` is when the next is known to be.
pub(crate) fn until_next_look(ports: &Ports, due: Option<Timestamp>) -> Duration {
    due.map_or(LONGEST_LOOK, |due| {
        let wait = due.duration_since(ports.clock.now());
        Duration::try_from(wait)
            .unwrap_or(Duration::ZERO)
            .min(LONGEST_LOOK)
    })
}
