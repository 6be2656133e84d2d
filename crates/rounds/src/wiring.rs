//! What carries a plan out, put together: real time, real chance, real HTTP.

use crate::Problem;
use rounds_domain::plan::{Authentication, Plan, SecretReference};
use rounds_domain::ports::{Clock, Credentials, Randomness, Store};
use rounds_engine::Ports;
use rounds_http::{
    EhrClient, SecretError, Secrets, SteadyClock, SystemClock, SystemRandomness, WebhookClient,
    check_private_key, check_signing_secret,
};
use rounds_map::Evaluator;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};

/// The threads that wait for sockets and timers. Expressions and the database have their own.
pub fn runtime() -> Result<Runtime, Problem> {
    Builder::new_multi_thread()
        .thread_name("rounds-io")
        .enable_all()
        .build()
        .map_err(|error| Problem::cannot_start("starting the threads", &error))
}

/// The machine's clock and the secrets that it keeps for a minute.
#[derive(Clone)]
pub struct Surroundings {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Secrets by reference.
    pub secrets: Arc<Secrets>,
}

impl Surroundings {
    /// The machine's own: its clock, the environment of this process.
    pub fn real() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SteadyClock::new(Arc::new(SystemClock::new())));
        Self {
            secrets: Arc::new(Secrets::new(Arc::clone(&clock))),
            clock,
        }
    }

    /// Chance.
    pub fn randomness(&self) -> Result<Arc<dyn Randomness>, Problem> {
        let randomness = SystemRandomness::new()
            .map_err(|error| Problem::cannot_start("reading random bits", &error))?;
        Ok(Arc::new(randomness))
    }

    /// Tries every secret of a plan, and gives where each is used and what keeps it from being used, if anything does.
    pub async fn try_secrets(&self, plan: &Plan) -> Vec<(String, Option<SecretError>)> {
        let signing = plan
            .destinations
            .values()
            .flat_map(|destination| &destination.signing_secrets);
        let mut tried = Vec::new();
        for (used_at, reference) in rounds_config::secret_references(plan) {
            // A secret that signs has a form of its own.
            let is_signing = signing.clone().any(|known| *known == reference);
            let outcome = if is_signing {
                check_signing_secret(&self.secrets, &reference).await
            } else if is_private_key(plan, &reference) {
                check_private_key(&self.secrets, &reference).await
            } else {
                self.secrets.check(&reference).await
            };
            tried.push((used_at, outcome.err()));
        }
        tried
    }

    /// Everything that the engine is given to carry out this plan.
    /// `credentials` keeps the secrets that EHRs give; None where nothing outlives the process.
    pub fn ports(
        &self,
        plan: &Plan,
        store: Arc<dyn Store>,
        credentials: Option<Arc<dyn Credentials>>,
    ) -> Result<Ports, Problem> {
        let (connections, destinations) = (
            plan.connections.values().cloned(),
            plan.destinations.values().cloned(),
        );
        let secrets = || Arc::clone(&self.secrets);
        let mut ehr = EhrClient::new(connections, secrets(), Arc::clone(&self.clock))?;
        if let Some(credentials) = credentials {
            ehr = ehr.keeping(credentials);
        }
        Ok(Ports {
            watch: rounds_engine::Watch::default(),
            clock: Arc::clone(&self.clock),
            randomness: self.randomness()?,
            ehr: Arc::new(ehr),
            destinations: Arc::new(WebhookClient::new(
                destinations,
                secrets(),
                Arc::clone(&self.clock),
            )?),
            store,
            evaluator: Evaluator::start()
                .map_err(|error| Problem::cannot_start("starting the evaluator", &error))?,
        })
    }
}

fn is_private_key(plan: &Plan, reference: &SecretReference) -> bool {
    plan.connections
        .values()
        .any(|connection| match &connection.authentication {
            Authentication::SmartBackend(smart) => smart.private_key == *reference,
            _ => false,
        })
}
