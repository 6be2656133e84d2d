//! The lane of one connection's containers.

use super::{LookupDesk, process};
use crate::ids::record_mark;
use crate::lane::{LEASE, Work};
use crate::{Ports, Signals};
use async_trait::async_trait;
use jiff::Timestamp;
use rounds_domain::plan::{Action, Plan};
use rounds_domain::ports::{Claimed, StoreError};
use rounds_domain::{
    ActionName, ConnectionName, Container, ContainerId, ContainerSettlement, InstanceId, RecordId,
};
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

/// Fills and maps the containers of all actions of one connection.
pub(crate) struct ContainerWork {
    lane: ConnectionName,
    plan: Arc<Plan>,
    actions: HashMap<ActionName, Arc<Action>>,
    ports: Ports,
    desk: LookupDesk,
    signals: Arc<Signals>,
    salt: OnceLock<InstanceId>,
}

/// What became of a container, with what its log lines say of it.
#[derive(Clone)]
pub(crate) struct Settled {
    settlement: ContainerSettlement,
    action: ActionName,
    /// A hash of the record's identity, by which lines about one record are found.
    record: String,
    /// How many attempts failed before.
    tries: u32,
}

impl ContainerWork {
    /// A short hash of a record's identity, the same in all lines of one installation. Without that installation's name nobody can try
    /// out which record it is.
    async fn mark(&self, record: &RecordId) -> String {
        let salt = match self.salt.get() {
            Some(salt) => salt.clone(),
            None => match self.ports.store.instance().await {
                Ok(instance) => self.salt.get_or_init(|| instance).clone(),
                Err(_) => return "unknown".to_owned(),
            },
        };
        record_mark(&salt, record)
    }

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
            salt: OnceLock::new(),
        }
    }
}

#[async_trait]
impl Work for ContainerWork {
    type Item = Container;
    type Settlement = Settled;
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

    async fn process(&self, container: Container) -> Settled {
        let action = self.actions.get(&container.action);
        let name = container.action.clone();
        let (record, tries) = (container.record_id.clone(), container.attempts);
        let settlement = process(&self.ports, &self.plan, &self.desk, action, container).await;
        let is_told_of = tries > 0 || !matches!(settlement, ContainerSettlement::Notified { .. });
        Settled {
            record: if is_told_of {
                self.mark(&record).await
            } else {
                String::new()
            },
            action: name,
            tries,
            settlement,
        }
    }

    async fn settle(&self, settled: Vec<Settled>) -> Result<(), StoreError> {
        let settlements = settled.into_iter().map(|settled| settled.settlement);
        self.ports
            .store
            .settle_containers(settlements.collect())
            .await
    }

    fn settled(&self, all: &[Settled]) {
        for settled in all {
            let Settled {
                settlement,
                action,
                record,
                tries,
            } = settled;
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
                    if *tries > 0 {
                        tracing::info!(
                            %action,
                            record,
                            container = %notification.container,
                            "container recovered: it became a notification after {} attempts that failed",
                            tries
                        );
                    }
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
                    tracing::warn!(%action, record, container = %id, %code, next_try = %due_at, "container parked: {reason}");
                }
                ContainerSettlement::Dead {
                    id, code, reason, ..
                } => {
                    tracing::error!(%action, record, container = %id, %code, "container given up: {reason}");
                }
                ContainerSettlement::Dropped {
                    id, code, reason, ..
                } => {
                    tracing::info!(%action, record, container = %id, %code, "container dropped: {reason}");
                }
                ContainerSettlement::Released { .. } => {}
            }
        }
    }
}
