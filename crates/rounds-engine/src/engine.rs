//! The engine: all parts at work, until it is told to stop.

use crate::containers::ContainerWork;
use crate::delivery::DeliveryWork;
use crate::round::receive::receive;
use crate::{Ports, Signals, Stop, housekeeping, lane, rounds};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt, try_join_all};
use rounds_domain::plan::Plan;
use rounds_domain::ports::{NotTaken, Receipt, Reception, StoreError};
use rounds_domain::{ActionName, ConnectionName};
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// Containers of one connection under way at once, beyond what its gate lets through: one can be mapped while another
/// waits for its lookup.
const CONTAINERS_BEYOND_GATE: usize = 12;

/// Carries a plan out until it is told to stop.
pub struct Engine {
    plan: Arc<Plan>,
    ports: Ports,
    /// The same for each connection, which takes turns with the others where expressions are evaluated.
    of_connections: BTreeMap<ConnectionName, Ports>,
    signals: Arc<Signals>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Everything under way was finished.
    Clean,
    /// Time ran out and work was cut short. It is taken up again at the next start: nothing is lost, and what was being
    /// sent may be sent again with the same id.
    CutShort,
}

impl Engine {
    /// Prepares to carry out `plan`.
    pub fn new(plan: Arc<Plan>, ports: Ports) -> Self {
        let signals = Arc::new(Signals::new(&plan));
        let of_connections = (plan.connections.keys())
            .map(|name| (name.clone(), ports.apart()))
            .collect();
        Self {
            plan,
            ports,
            of_connections,
            signals,
        }
    }

    fn ports_of(&self, connection: &ConnectionName) -> &Ports {
        self.of_connections.get(connection).unwrap_or(&self.ports)
    }

    /// Says that the store was changed from outside (an operator's command): look again now. Cheap.
    pub fn nudge(&self) {
        self.signals.all();
    }

    /// Takes what the EHR of a connection pushed for one of its actions.
    async fn take(
        &self,
        connection: &ConnectionName,
        action: &ActionName,
        body: Bytes,
    ) -> Result<Receipt, NotTaken> {
        let mut actions = self.plan.actions.iter();
        let action = actions
            .find(|known| known.name == *action && known.connection == *connection)
            .ok_or(NotTaken::Unknown)?;
        let feed = action.receive.as_ref().ok_or(NotTaken::Unknown)?;
        let receipt = receive(self.ports_of(connection), action, feed, body).await?;
        if receipt.told > 0 {
            self.signals.containers_of(connection);
        }
        Ok(receipt)
    }

    /// Runs until `stop` ends, then lets what is under way finish, for at most `drain_for`.
    ///
    /// # Errors
    ///
    /// When the store is damaged or closed. Trouble that can pass (a full disk) is waited for.
    pub async fn run(
        &self,
        stop: impl Future<Output = ()> + Send,
        drain_for: Duration,
    ) -> Result<Drained, StoreError> {
        let (saying, heard) = Stop::new();
        let mut parts = try_join_all(self.parts(&heard));
        let mut stop = pin!(stop);
        tokio::select! {
            biased;
            ended = &mut parts => return ended.map(|_| Drained::Clean),
            () = &mut stop => saying.say(),
        }
        tokio::select! {
            biased;
            ended = &mut parts => ended.map(|_| Drained::Clean),
            () = self.ports.clock.sleep(drain_for) => Ok(Drained::CutShort),
        }
    }

    fn parts<'a>(&'a self, stop: &'a Stop) -> Vec<BoxFuture<'a, Result<(), StoreError>>> {
        let (plan, ports, signals) = (&*self.plan, &self.ports, &*self.signals);
        let mut parts = vec![
            rounds::run(plan, ports, &self.of_connections, signals, stop).boxed(),
            housekeeping::run(plan, ports, stop).map(Ok).boxed(),
        ];
        for (name, connection) in &plan.connections {
            let work = ContainerWork::new(
                name.clone(),
                Arc::clone(&self.plan),
                self.ports_of(name).clone(),
                Arc::clone(&self.signals),
            );
            let gate = usize::try_from(connection.limits.in_flight).unwrap_or(usize::MAX);
            // As many as fit into a batch must be under way for it to become full.
            let lookups = plan
                .actions
                .iter()
                .filter(|action| action.connection == *name)
                .flat_map(|action| &action.lookups);
            let batch = lookups.filter_map(|lookup| Some(lookup.batch.as_ref()?.most));
            let in_flight = gate
                .saturating_add(CONTAINERS_BEYOND_GATE)
                .saturating_add(batch.max().unwrap_or(0));
            if let Some(signal) = signals.containers(name) {
                parts.push(
                    async move { lane::run(&work, ports, in_flight, signal, stop).await }.boxed(),
                );
            }
        }
        for (name, destination) in &plan.destinations {
            let work = DeliveryWork::new(Arc::clone(destination), ports.clone());
            let in_flight = usize::try_from(destination.in_flight).unwrap_or(usize::MAX);
            if let Some(signal) = signals.deliveries(name) {
                parts.push(
                    async move { lane::run(&work, ports, in_flight, signal, stop).await }.boxed(),
                );
            }
        }
        parts
    }
}

#[async_trait]
impl Reception for Engine {
    async fn receive(
        &self,
        connection: &ConnectionName,
        action: &ActionName,
        body: Bytes,
    ) -> Result<Receipt, NotTaken> {
        self.take(connection, action, body).await
    }
}
