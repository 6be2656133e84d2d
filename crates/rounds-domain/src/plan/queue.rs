//! Queues: the source keeps the place, and forgets what it gave.

use super::{Paging, RequestRule, TimeCursor};
use std::time::Duration;

/// A queue that is consumed by reading it.
#[derive(Debug, Clone)]
pub struct Queue {
    /// How what was taken can be asked for again; None where the source has no such request, and what is taken and not
    /// committed is lost.
    pub recover: Option<Box<Recover>>,
}

/// A request for what was taken from a queue within a window of time.
#[derive(Debug, Clone)]
pub struct Recover {
    /// The request; its templates may use `from` and `to`.
    pub request: RequestRule,
    /// How its answer is continued. It takes nothing, so any paging will do but asking until there is nothing.
    pub paging: Paging,
    /// How far back the source remembers.
    pub reach: Duration,
    /// How `from` and `to` are written. Its overlap is added on both sides, because the source's clock is not ours.
    pub written: TimeCursor,
}
