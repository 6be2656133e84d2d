//! The EHR, the receiver, and Rounds between them.

use super::DemoOutcome;
use super::configuration::{
    self, ACTION, EHR_TOKEN, RECORD_POINTER, SIGNING_SECRET, VERIFICATION_TOKEN, VERSION_POINTER,
};
use crate::problem::DEMO;
use crate::wiring::Surroundings;
use crate::{Ended, Problem};
use rounds_config::{Colour, Sources};
use rounds_domain::plan::Plan;
use rounds_domain::ports::{Clock, Operations, Randomness, Store, StoreError};
use rounds_domain::{ActionName, FeedKey, FeedName};
use rounds_engine::{Drained, Engine};
use rounds_http::{Secrets, SystemClock, SystemRandomness};
use rounds_store::{SqliteStore, StoreOptions};
use rounds_testkit::clock::system_clock;
use rounds_testkit::ehr::{FakeEhr, Scope};
use rounds_testkit::hospital::Hospital;
use rounds_testkit::oracle::Oracle;
use rounds_testkit::receiver::{FakeReceiver, SigningSecret};
use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use url::Url;

/// Patients of the hospital.
const PATIENTS: usize = 12;
/// Appointments that are there before Rounds looks for the first time, and that it therefore must not tell.
const BOOKED_BEFORE: usize = 6;
/// How long the first round may take, its own interval not counted.
const FIRST_ROUND: Duration = Duration::from_secs(30);
/// How long what is under way at the end may take to finish.
const DRAIN_FOR: Duration = Duration::from_secs(10);
/// How often it is looked whether something has come about that nobody tells of.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The three at work.
pub(super) struct Stage {
    pub(super) configuration: String,
    /// What signs notifications: made for this demo, and gone with it.
    pub(super) signing: String,
    pub(super) interval: Duration,
    pub(super) surroundings: Surroundings,
    pub(super) seed: u64,
    pub(super) ehr: FakeEhr,
    pub(super) receiver: FakeReceiver,
    store: Arc<SqliteStore>,
    stop: oneshot::Sender<()>,
    engine: JoinHandle<Result<Drained, StoreError>>,
    // Last, because fields are dropped in order: the database goes when nobody uses it any more.
    _folder: TempDir,
}

impl Stage {
    /// Starts the three.
    pub(super) async fn set(interval: Duration, yours: Option<&Url>) -> Result<Self, Problem> {
        let randomness = SystemRandomness::new().map_err(|error| failed("chance", &error))?;
        let tokens = Tokens::new(&randomness);
        let seed = randomness.next_u64();

        let hospital = Hospital::new(seed, system_clock());
        for _ in 0..PATIENTS {
            hospital.admit_anyone();
        }
        for _ in 0..BOOKED_BEFORE {
            hospital.book_anything();
        }
        let ehr = FakeEhr::builder(hospital)
            .bearer_token(tokens.ehr.as_str())
            .start()
            .await
            .map_err(|error| failed("the EHR", &error))?;
        let secret = SigningSecret::parse(&tokens.signing)
            .map_err(|error| failed("the receiver's secret", &error))?;
        let receiver = FakeReceiver::builder()
            .signing_secret(secret)
            .verification_token(tokens.verification.as_str())
            .start()
            .await
            .map_err(|error| failed("the receiver", &error))?;

        let configuration =
            configuration::text(&ehr.base_url(), &receiver.url("my-app"), yours, interval);
        let signing = tokens.signing.clone();
        let plan = plan(&configuration)?;
        let folder = tempfile::Builder::new()
            .prefix("rounds-demo-")
            .tempdir()
            .map_err(|error| failed("the temporary folder", &error))?;
        let store = Arc::new(SqliteStore::open(folder.path(), &StoreOptions::default())?);
        let surroundings = tokens.surroundings();
        let ports = surroundings.ports(&plan, Arc::clone(&store) as Arc<dyn Store>, None)?;
        let engine = Engine::new(plan, ports);
        let (stop, stopped) = oneshot::channel();
        let engine = tokio::spawn(async move {
            // An error means that the stage is gone, which is the same.
            let stop = async move { drop(stopped.await) };
            engine.run(stop, DRAIN_FOR).await
        });
        Ok(Self {
            configuration,
            signing,
            interval,
            surroundings,
            seed,
            ehr,
            receiver,
            store,
            stop,
            engine,
            _folder: folder,
        })
    }

    /// Whether Rounds still works: it ends by itself only where its database fails.
    pub(super) fn is_working(&self) -> bool {
        !self.engine.is_finished()
    }

    /// Waits until nothing is open in Rounds any more, for at most this long, and says whether that came about.
    pub(super) async fn is_settled_within(&self, patience: Duration) -> Result<bool, Problem> {
        let clock = &self.surroundings.clock;
        let deadline = clock.monotonic() + patience;
        loop {
            let overview = self.store.overview().await?;
            let open: u64 = overview
                .actions
                .iter()
                .map(|action| action.containers_open + action.containers_parked)
                .chain(
                    overview
                        .destinations
                        .iter()
                        .map(|destination| destination.owed),
                )
                .sum();
            if open == 0 || clock.monotonic() > deadline {
                return Ok(open == 0);
            }
            clock.sleep(LOOK_EVERY).await;
        }
    }

    /// Stops Rounds, then compares what happened at the EHR since the first round with what the receiver took.
    pub(super) async fn judge(self) -> Result<DemoOutcome, Problem> {
        // An error means that it ended by itself, and then its result says why.
        let _ = self.stop.send(());
        self.engine
            .await
            .map_err(|error| failed("Rounds", &error))??;
        let history = self.ehr.hospital().history();
        let since_the_first_round = history.get(BOOKED_BEFORE..).unwrap_or_default();
        let oracle = Oracle::at_pointers(RECORD_POINTER, VERSION_POINTER).every_version();
        let verdict = oracle.judge(since_the_first_round, &self.receiver.arrivals());
        let lookups = self.ehr.count(&Scope::under("/patient/"));
        let outcome = DemoOutcome::new(verdict, self.ehr.total_requests(), lookups);
        self.ehr.stop().await;
        self.receiver.stop().await;
        Ok(outcome)
    }

    /// Returns when Rounds has made its first round: what changes from then on must be told.
    pub(super) async fn first_round(&self) -> Result<(), Problem> {
        let clock = &self.surroundings.clock;
        let deadline = clock.monotonic() + self.interval + FIRST_ROUND;
        let feed = FeedKey::whole(ActionName::new(ACTION), FeedName::new("changes"));
        loop {
            let states = self.store.feed_states(std::slice::from_ref(&feed)).await?;
            if states.iter().any(|state| state.last_succeeded_at.is_some()) {
                return Ok(());
            }
            if clock.monotonic() > deadline || !self.is_working() {
                let why = states
                    .into_iter()
                    .find_map(|state| state.failure)
                    .map_or_else(|| "no round was made".to_owned(), |failure| failure.message);
                return Err(failed("the first round", &why));
            }
            clock.sleep(LOOK_EVERY).await;
        }
    }
}

/// The secrets of the demo: made for it, and gone with it.
struct Tokens {
    ehr: String,
    signing: String,
    verification: String,
}

impl Tokens {
    fn new(randomness: &dyn Randomness) -> Self {
        let token = || {
            (0..4).fold(String::new(), |token, _| {
                format!("{token}{:016x}", randomness.next_u64())
            })
        };
        Self {
            ehr: token(),
            // Any text of hexadecimal digits is base64 as well.
            signing: format!("whsec_{}", token()),
            verification: token(),
        }
    }

    /// The machine's clock, and an environment that has these secrets only.
    fn surroundings(self) -> Surroundings {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let environment = HashMap::from([
            (EHR_TOKEN, self.ehr),
            (SIGNING_SECRET, self.signing),
            (VERIFICATION_TOKEN, self.verification),
        ]);
        let read = move |name: &str| environment.get(name).map(Into::into);
        Surroundings {
            secrets: Arc::new(Secrets::with_environment(Arc::clone(&clock), read)),
            clock,
        }
    }
}

/// The same way as a user's file.
fn plan(configuration: &str) -> Result<Arc<Plan>, Problem> {
    let sources = Sources::from_text("demo.yaml", configuration);
    let outcome = rounds_config::load(&sources);
    outcome.plan.map(Arc::new).ok_or_else(|| {
        let said = rounds_config::render(&sources, &outcome.diagnostics, Colour::Never);
        failed("the configuration", &said)
    })
}

fn failed(what: &str, why: &dyn Display) -> Problem {
    Problem::new(
        DEMO,
        Ended::Failed,
        format!("the demo could not be set up: {what}: {why}"),
        "it needs free ports on 127.0.0.1 and a few megabytes in the temporary folder",
    )
}
