//! What must be set up at an EHR before it can be asked.

use super::RequestRule;
use std::time::Duration;

/// A request that may be made again and again and comes to the same, such as a subscription to a queue of changes.
#[derive(Debug, Clone)]
pub struct Setup {
    /// What is sent.
    pub request: RequestRule,
    /// How long the EHR takes until it holds. It is not repeated sooner either.
    pub settle: Duration,
}

impl Setup {
    /// [`Setup::settle`] where the user says nothing.
    pub const DEFAULT_SETTLE: Duration = Duration::from_mins(5);
}
