//! One simulated world: processes that live and die over one store, until the faults are over and everything is settled.

use crate::breaks::{Break, Renaming};
use crate::clock::{Chance, SimulatedClock};
use crate::crash::{CrashPoint, Crasher};
use crate::history::History;
use crate::journal::{Journal, Keep};
use crate::oracle::{Finding, Oracle, Wrong, count};
use crate::receiver::Receiver;
use crate::scenario::{Disk, Scenario};
use crate::source::Source;
use crate::store::{EdgeStore, Parts};
use crate::watch::Watch;
use jiff::SignedDuration;
use rounds_config::{Sources, load};
use rounds_domain::InstanceId;
use rounds_domain::plan::Plan;
use rounds_domain::ports::{
    Clock, DeliveryFilter, Destinations, Operations, Overview, Randomness, Selection, StoreError,
};
use rounds_engine::{Engine, Ports};
use rounds_map::Evaluator;
use rounds_store::{SqliteStore, StoreOptions};
use rounds_testkit::random::Random;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// How long a process may finish what is under way when it is told to stop.
const DRAIN: Duration = Duration::from_secs(40);
/// After the faults the world is looked at this often, to see whether it is settled.
const LOOK: Duration = Duration::from_mins(10);
/// How long settling may take.
const PATIENCE: Duration = Duration::from_hours(7);
/// How much longer a settled world goes on, to see that nothing is told again.
const AFTERWARDS: Duration = Duration::from_mins(45);

/// What is to be simulated.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// The seed.
    pub seed: u64,
    /// A bug on purpose.
    pub broken: Option<Break>,
    /// One death at this edge, at this time that it is passed, and no others.
    pub dies_at: Option<(CrashPoint, u64)>,
    /// What is kept of the journal.
    pub keep: Keep,
}

/// What became of a simulated world.
#[derive(Debug, Clone)]
pub struct Report {
    /// What was simulated.
    pub seed: u64,
    /// What is wrong; empty where all is well.
    pub findings: Vec<Finding>,
    /// For how long the world ran, by its own clock.
    pub simulated: Duration,
    /// Faults of the EHR, of receivers and of the disk.
    pub faults: u64,
    /// Processes that were killed.
    pub crashes: u64,
    /// States that were made at the source.
    pub changes: u64,
    /// How often each edge was passed.
    pub passed: BTreeMap<CrashPoint, u64>,
    /// A digest of everything that happened.
    pub digest: String,
    /// The journal's lines, if they were kept.
    pub journal: Vec<String>,
}

impl Report {
    /// How many findings there are of these sorts.
    pub fn count(&self, wrong: &[Wrong]) -> u64 {
        count(&self.findings, wrong)
    }
}

/// Why a world could not be simulated at all: a fault of the simulation, not of what it tests.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// The configuration that was drawn is not accepted.
    #[error("the configuration that was drawn is not accepted:\n{yaml}\n{diagnostics}")]
    Configuration {
        /// What was drawn.
        yaml: String,
        /// What is wrong with it.
        diagnostics: String,
    },
    /// The store could not be opened or asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No folder for a store, or no runtime.
    #[error(transparent)]
    Surroundings(#[from] std::io::Error),
}

/// Simulates one world, on the caller's thread.
///
/// # Errors
///
/// Where the simulation itself cannot be set up. What is wrong with Rounds stands in the report.
pub fn simulate(order: Order) -> Result<Report, SimulationError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    runtime.block_on(async { World::make(order)?.run().await })
}

struct World {
    order: Order,
    scenario: Scenario,
    plan: Arc<Plan>,
    histories: Vec<Arc<History>>,
    clock: Arc<SimulatedClock>,
    journal: Arc<Journal>,
    crasher: Arc<Crasher>,
    chance: Arc<Chance>,
    source: Arc<Source>,
    receiver: Arc<Receiver>,
    watch: Arc<Watch>,
    storage: Storage,
    faults_of_disk: Arc<AtomicU64>,
    lives: u64,
    crashes: u64,
}

/// Where what survives a death is.
enum Storage {
    Memory(Arc<SqliteStore>),
    File(TempDir),
}

impl Storage {
    async fn open(&self) -> Result<Arc<SqliteStore>, StoreError> {
        match self {
            Self::Memory(store) => {
                store.release_claims().await?;
                Ok(Arc::clone(store))
            }
            Self::File(folder) => Ok(Arc::new(SqliteStore::open_inline(
                folder.path(),
                &options(),
            )?)),
        }
    }
}

fn options() -> StoreOptions {
    StoreOptions {
        instance: Some(InstanceId::new("simulation")),
        size_limit_bytes: None,
        purpose: rounds_store::Purpose::Service,
    }
}

impl World {
    fn make(order: Order) -> Result<Self, SimulationError> {
        let seed = order.seed;
        let scenario = Scenario::draw(seed);
        let mut plan = plan_of(&scenario)?;
        if let Some(broken) = order.broken {
            broken.break_plan(&mut plan);
        }
        let mut random = Random::from_seed(seed ^ 0x5EED);
        let skew = SignedDuration::from_secs(scenario.skew_seconds);
        let histories: Vec<Arc<History>> = scenario
            .actions
            .iter()
            .map(|action| {
                let (start, trouble) = (scenario.start, scenario.trouble);
                Arc::new(History::draw(action, start, trouble, skew, &mut random))
            })
            .collect();
        let clock = Arc::new(SimulatedClock::starting_at(scenario.start));
        let journal = Arc::new(Journal::new(Arc::clone(&clock), order.keep));
        let crasher = Arc::new(Crasher::new(Arc::clone(&journal)));
        let source = Source::new(
            &scenario,
            &histories,
            Arc::clone(&clock),
            Arc::clone(&crasher),
            Arc::clone(&journal),
            random.next_bits(),
        );
        let receiver = Receiver {
            clock: Arc::clone(&clock),
            chance: Chance::from_seed(random.next_bits()),
            crasher: Arc::clone(&crasher),
            journal: Arc::clone(&journal),
            faults_per_mille: scenario.faults_per_mille,
            healed_at: scenario.start + scenario.trouble,
            faults: AtomicU64::new(0),
            arrivals: Mutex::default(),
        };
        let actions = scenario.actions.iter().cloned();
        let watch = Watch::new(actions.zip(histories.iter().map(Arc::clone)), skew);
        Ok(Self {
            plan: Arc::new(plan),
            storage: match scenario.disk {
                Disk::Memory => Storage::Memory(Arc::new(SqliteStore::in_memory(&options())?)),
                Disk::File => Storage::File(tempfile::tempdir()?),
            },
            chance: Arc::new(Chance::from_seed(random.next_bits())),
            source: Arc::new(source),
            receiver: Arc::new(receiver),
            watch: Arc::new(watch),
            faults_of_disk: Arc::default(),
            lives: 0,
            crashes: 0,
            order,
            scenario,
            histories,
            clock,
            journal,
            crasher,
        })
    }

    async fn run(mut self) -> Result<Report, SimulationError> {
        for line in self.scenario.yaml().lines() {
            self.journal.note(line);
        }
        for (action, history) in self.scenario.actions.iter().zip(&self.histories) {
            history
                .lines()
                .for_each(|line| self.journal.note(format!("{}/{line}", action.name)));
        }
        let healed_at = self.scenario.start + self.scenario.trouble;
        if let Some((point, occurrence)) = self.order.dies_at {
            self.crasher.doom_at(point, occurrence);
        }
        while self.clock.now() < healed_at {
            if let (Some(edges), None) = (self.scenario.edges_per_life, self.order.dies_at) {
                self.crasher.doom(edges, &*self.chance);
            }
            let rest = healed_at.duration_since(self.clock.now()).unsigned_abs();
            // Now and then a process is told to stop, as for an update.
            let stops = self.chance.time_up_to(Duration::from_hours(3)).min(rest);
            self.live(stops).await?;
        }
        self.crasher.spare();
        self.journal.note("the faults are over");
        let mut overview = self.settle().await?;
        self.live(AFTERWARDS).await?;
        if let Ok(after) = self.storage.open().await?.overview().await {
            overview = after;
        }
        Ok(self.report(&overview))
    }

    /// One life of the process, for at most this long.
    async fn live(&mut self, at_most: Duration) -> Result<(), SimulationError> {
        self.lives += 1;
        let store = self.storage.open().await?;
        let edges = EdgeStore::of(Parts {
            store,
            clock: Arc::clone(&self.clock),
            crasher: Arc::clone(&self.crasher),
            journal: Arc::clone(&self.journal),
            watch: Arc::clone(&self.watch),
            chance: Arc::clone(&self.chance),
            has_trouble: self.scenario.faults_per_mille > 0,
            healed_at: self.scenario.start + self.scenario.trouble,
            faults: Arc::clone(&self.faults_of_disk),
            broken: self.order.broken,
        });
        let receiver = Arc::clone(&self.receiver) as Arc<dyn Destinations>;
        let destinations = match self.order.broken {
            Some(Break::NotificationId) => Arc::new(Renaming {
                destinations: receiver,
                life: self.lives,
            }),
            _ => receiver,
        };
        let ports = Ports {
            watch: rounds_engine::Watch::default(),
            clock: Arc::clone(&self.clock) as _,
            randomness: Arc::clone(&self.chance) as Arc<dyn Randomness>,
            ehr: Arc::clone(&self.source) as _,
            destinations,
            store: Arc::new(edges),
            evaluator: Evaluator::inline(),
        };
        let engine = Engine::new(Arc::clone(&self.plan), ports);
        let crasher = Arc::clone(&self.crasher);
        let stop = self.clock.sleep(at_most);
        self.journal.note(format!("life {} begins", self.lives));
        tokio::select! {
            biased;
            () = crasher.died() => self.crashes += 1,
            ended = engine.run(stop, DRAIN) => self.journal.note(format!("the process ends: {ended:?}")),
        }
        drop(engine);
        // Whoever starts it again takes a moment.
        self.clock
            .sleep(self.chance.time_up_to(Duration::from_secs(20)))
            .await;
        Ok(())
    }

    /// Lets the world go on without faults until everything is told and nothing is open.
    async fn settle(&mut self) -> Result<Overview, SimulationError> {
        let begun = self.clock.monotonic();
        let ends_at = self.histories.iter().map(|history| history.ends_at()).max();
        loop {
            self.live(LOOK).await?;
            let store = self.storage.open().await?;
            // A person who is told that a receiver is back.
            let everything = Selection::Matching(DeliveryFilter::default());
            store.retry_deliveries(everything, self.clock.now()).await?;
            let overview = store.overview().await?;
            let learnt = self.watch.learnt();
            let arrivals = self.receiver.arrivals();
            let is_settled = Oracle::unsettled(&overview).is_empty()
                && ends_at.is_none_or(|ends_at| self.clock.now() > ends_at)
                && self.oracle(&learnt, &arrivals).missing() == 0;
            let waited = self.clock.monotonic().saturating_sub(begun);
            if is_settled || waited > PATIENCE {
                return Ok(overview);
            }
        }
    }

    fn oracle<'a>(
        &'a self,
        learnt: &'a crate::watch::Learnt,
        arrivals: &'a [crate::receiver::Arrival],
    ) -> Oracle<'a> {
        Oracle {
            scenario: &self.scenario,
            histories: &self.histories,
            learnt,
            arrivals,
        }
    }

    fn report(&self, overview: &Overview) -> Report {
        let (learnt, arrivals) = (self.watch.learnt(), self.receiver.arrivals());
        let oracle = self.oracle(&learnt, &arrivals);
        let mut findings = oracle.judge();
        findings.extend(Oracle::unsettled(overview));
        findings.extend(oracle.rows(overview));
        let (digest, journal) = self.journal.read();
        Report {
            seed: self.order.seed,
            findings,
            simulated: self.clock.monotonic(),
            faults: self.source.faults.load(Ordering::Relaxed)
                + self.receiver.faults.load(Ordering::Relaxed)
                + self.faults_of_disk.load(Ordering::Relaxed),
            crashes: self.crashes,
            changes: self.histories.iter().map(|history| history.changes()).sum(),
            passed: self.crasher.passed(),
            digest,
            journal,
        }
    }
}

fn plan_of(scenario: &Scenario) -> Result<Plan, SimulationError> {
    let yaml = scenario.yaml();
    let sources = Sources::from_text("rounds.yaml", yaml.clone());
    let outcome = load(&sources);
    outcome.plan.ok_or_else(|| SimulationError::Configuration {
        yaml,
        diagnostics: format!("{:#?}", outcome.diagnostics),
    })
}
