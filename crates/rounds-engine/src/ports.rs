//! What the engine is given.

use crate::watch::Watch;
use rounds_domain::ports::{Clock, Destinations, Ehr, Randomness, Store};
use rounds_map::Evaluator;
use std::sync::Arc;
use std::time::Duration;

/// What the engine is given (law 9). Cheap to clone.
#[derive(Clone)]
pub struct Ports {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub randomness: Arc<dyn Randomness>,
    /// The way to the EHRs.
    pub ehr: Arc<dyn Ehr>,
    /// The way to the destinations.
    pub destinations: Arc<dyn Destinations>,
    /// What is kept.
    pub store: Arc<dyn Store>,
    /// Where expressions are evaluated.
    pub evaluator: Evaluator,
    /// What messages show of their mappings.
    pub watch: Watch,
}

impl Ports {
    /// The same for somebody who takes turns with the others where expressions are evaluated.
    #[must_use]
    pub(crate) fn apart(&self) -> Self {
        Self {
            evaluator: self.evaluator.apart(),
            ..self.clone()
        }
    }

    /// How long it is since the clock's monotonic time was `began`.
    pub(crate) fn elapsed_since(&self, began: Duration) -> Duration {
        self.clock.monotonic().saturating_sub(began)
    }
}
