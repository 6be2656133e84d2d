//! The lane of one connection's containers.

use super::{LookupDesk, process};
use crate::lane::{LEASE, Work};
use crate::{Ports, Signals};
use async_trait::async_trait;
use jiff::Timestamp;
use rounds_domain::plan::{Action, Plan};
use rounds_domain::ports::{Claimed, StoreError};
use rounds_domain::{ActionName, ConnectionName, Container, ContainerId, ContainerSettlement};
use std::collections::HashMap;
use std::sync::Arc;

/// Fills and maps the containers of all actions of one connection.
pub(crate) struct ContainerWork {
    lane: ConnectionName,
    plan: Arc<Plan>,
    actions: HashMap<ActionName, Arc<Action>>,
    ports: Ports,
    desk: LookupDesk,
    signals: Arc<Signals>,
}

impl ContainerWork {
    /// The lane of this connection; `signals` are told when deliveries become due.
    pub(crate) fn new(
        lane: ConnectionName,
        plan: Arc<Plan>,
        ports: Ports,
        signals: Arc<Signals>,
    ) -> Self {
        let actions = plan
            .actions
            .iter()
            .map(|action| (action.name.clone(), Arc::clone(action)))
            .collect();
        Self {
            lane,
            plan,
            actions,
            ports,
            desk: LookupDesk::default(),
            signals,
        }
    }
}

#[async_trait]
impl Work for ContainerWork {
    type Item = Container;
    type Settlement = ContainerSettlement;
    type Key = ContainerId;

    fn name(&self) -> String {
        format!("containers of {}", self.lane)
    }

    fn key(&self, container: &Container) -> ContainerId {
        container.id.clone()
    }

    async fn claim(&self, now: Timestamp, limit: usize) -> Result<Claimed<Container>, StoreError> {
        self.ports
            .store
            .claim_containers(&self.lane, now, LEASE, limit)
            .await
    }

    async fn process(&self, container: Container) -> ContainerSettlement {
        let action = self.actions.get(&container.action);
        process(&self.ports, &self.plan, &self.desk, action, container).await
    }

    async fn settle(&self, settlements: Vec<ContainerSettlement>) -> Result<(), StoreError> {
        self.ports.store.settle_containers(settlements).await
    }

    fn settled(&self, settlements: &[ContainerSettlement]) {
        for settlement in settlements {
            match settlement {
                ContainerSettlement::Notified {
                    notification,
                    destinations,
                } => {
                    tracing::debug!(
                        action = %notification.action,
                        notification = %notification.id,
                        event = %notification.event,
                        gaps = notification.gaps.len(),
                        "a change became a notification"
                    );
                    for owed in destinations {
                        self.signals.deliveries_of(&owed.destination);
                    }
                }
                ContainerSettlement::Parked {
                    id,
                    code,
                    reason,
                    due_at,
                    ..
                } => {
                    tracing::warn!(container = %id, %code, next_try = %due_at, "container parked: {reason}");
                }
                ContainerSettlement::Dead {
                    id, code, reason, ..
                } => {
                    tracing::error!(container = %id, %code, "container given up: {reason}");
                }
                ContainerSettlement::Dropped {
                    id, code, reason, ..
                } => {
                    tracing::info!(container = %id, %code, "container dropped: {reason}");
                }
                ContainerSettlement::Released { .. } => {}
            }
        }
    }
}
