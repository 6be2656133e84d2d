//! Hints from one part of the engine to another that something may be due. The truth is in the store.

use rounds_domain::plan::Plan;
use rounds_domain::{ConnectionName, DestinationName};
use std::collections::HashMap;
use tokio::sync::Notify;

/// One signal for each lane.
pub(crate) struct Signals {
    containers: HashMap<ConnectionName, Notify>,
    deliveries: HashMap<DestinationName, Notify>,
}

impl Signals {
    /// A signal for each connection and each destination of the plan.
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            containers: plan
                .connections
                .keys()
                .map(|name| (name.clone(), Notify::new()))
                .collect(),
            deliveries: plan
                .destinations
                .keys()
                .map(|name| (name.clone(), Notify::new()))
                .collect(),
        }
    }

    /// The signal of a connection's containers.
    pub(crate) fn containers(&self, lane: &ConnectionName) -> Option<&Notify> {
        self.containers.get(lane)
    }

    /// The signal of a destination's deliveries.
    pub(crate) fn deliveries(&self, destination: &DestinationName) -> Option<&Notify> {
        self.deliveries.get(destination)
    }

    /// Containers of this connection may be due.
    pub(crate) fn containers_of(&self, lane: &ConnectionName) {
        if let Some(signal) = self.containers.get(lane) {
            signal.notify_one();
        }
    }

    /// Deliveries to this destination may be due.
    pub(crate) fn deliveries_of(&self, destination: &DestinationName) {
        if let Some(signal) = self.deliveries.get(destination) {
            signal.notify_one();
        }
    }

    /// Anything may be due.
    pub(crate) fn all(&self) {
        self.containers
            .values()
            .chain(self.deliveries.values())
            .for_each(Notify::notify_one);
    }
}
