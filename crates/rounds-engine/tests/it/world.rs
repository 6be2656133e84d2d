//! Everything around the engine, made of stories' stuff: only the store is real.

use crate::ehr::{Clinic, FakeEhr, json_answer};
use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use rounds_config::{Sources, load};
use rounds_domain::plan::Plan;
use rounds_domain::ports::{
    ChallengeFailure, Clock, ContainerFilter, Destinations, Message, Operations, Overview,
    PageRequest, Randomness, Store,
};
use rounds_domain::{
    ActionName, AttemptOutcome, Cursor, DestinationName, FeedKey, FeedName, FeedState, Former,
};
use rounds_engine::{Drained, Engine, Ports};
use rounds_map::Evaluator;
use rounds_store::{SqliteStore, StoreOptions};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The config most stories use: Redox's own example, every ten seconds.
pub(crate) const APPOINTMENTS: &str = r#"
connections:
  ehr: { base_url: "https://ehr.example/api" }
actions:
  appointments:
    connection: ehr
    every: 10s
    timeout: 5s
    changes:
      get: /appointments
      query: { changedsince: "{{ cursor }}" }
      cursor: { time: "%Y-%m-%dT%H:%M:%S", overlap: 30s, field: .lastModified }
      start: now
      records: .[]
      id: .id
      version: .version
    lookups:
      patient: { get: "/patient/{{ record.patientID }}" }
    notify:
      body: { id: = .record.id, status: = .record.status, was: = .previous.status, kind: = .change.kind, patient: = .patient.name, missing: = .change.missing }
    to: app
destinations:
  app: { url: "https://app.example/hooks" }
"#;

/// The same config with something replaced, each of which must be there.
pub(crate) fn appointments_with(replacements: &[(&str, &str)]) -> String {
    let mut config = APPOINTMENTS.to_owned();
    for (usual, other) in replacements {
        assert!(config.contains(usual), "{usual}");
        config = config.replace(usual, other);
    }
    config
}

/// Tokio's paused clock as the engine's: time passes when everybody waits.
pub(crate) struct PausedClock {
    began: tokio::time::Instant,
    start: Timestamp,
}

/// When stories begin that do not say otherwise.
pub(crate) fn story_start() -> Timestamp {
    "2026-05-01T10:00:00Z".parse().expect("an instant")
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock, over tokio's paused one"
)]
impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        self.start
            .checked_add(self.began.elapsed())
            .expect("a story is short")
    }

    fn monotonic(&self) -> Duration {
        self.began.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(duration).boxed()
    }
}

/// The same chances every time.
struct Seeded(AtomicU64);

impl Randomness for Seeded {
    fn next_u64(&self) -> u64 {
        // SplitMix64 (Steele, Lea, Flood 2014).
        let mut bits = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }
}

/// One notification that the receiver was sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Received {
    pub(crate) destination: String,
    pub(crate) id: String,
    pub(crate) attempt: u32,
    pub(crate) body: Value,
    pub(crate) text: String,
    pub(crate) missing: Vec<String>,
    pub(crate) former: Former,
    pub(crate) changed: Vec<String>,
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) at: Timestamp,
}

type Answering = Box<dyn FnMut(&Received) -> AttemptOutcome + Send>;

/// The receiver of all destinations.
pub(crate) struct Receiver {
    clock: Arc<dyn Clock>,
    received: Mutex<Vec<Received>>,
    answering: Mutex<Answering>,
    /// How many challenges fail before one is answered.
    pub(crate) challenges_to_fail: Mutex<u32>,
    pub(crate) challenges: AtomicU64,
    /// How long it takes from having a notification to answering.
    pub(crate) takes: Mutex<Duration>,
}

impl Receiver {
    /// From now on answers so.
    pub(crate) fn answers(
        &self,
        answering: impl FnMut(&Received) -> AttemptOutcome + Send + 'static,
    ) {
        *self.answering.lock().expect("not poisoned") = Box::new(answering);
    }

    /// From now on takes everything.
    pub(crate) fn takes_all(&self) {
        self.answers(|_| AttemptOutcome::Delivered { status: 200 });
    }
}

#[async_trait]
impl Destinations for Receiver {
    async fn deliver(&self, destination: &DestinationName, message: Message) -> AttemptOutcome {
        let received = Received {
            destination: destination.to_string(),
            id: message.id.to_string(),
            attempt: message.attempt,
            // Null where a number is beyond what serde_json reads: such a story looks at the text.
            body: serde_json::from_slice(message.body.bytes()).unwrap_or_default(),
            text: String::from_utf8(message.body.bytes().to_vec()).expect("UTF-8"),
            missing: message
                .gaps
                .iter()
                .map(|gap| gap.lookup.to_string())
                .collect(),
            former: message.former,
            changed: message.changed,
            content_type: message.content_type,
            headers: message.headers,
            at: self.clock.now(),
        };
        let outcome = (self.answering.lock().expect("not poisoned"))(&received);
        self.received.lock().expect("not poisoned").push(received);
        let takes = *self.takes.lock().expect("not poisoned");
        if !takes.is_zero() {
            self.clock.sleep(takes).await;
        }
        outcome
    }

    async fn challenge(
        &self,
        _destination: &DestinationName,
        _challenge: String,
    ) -> Result<(), ChallengeFailure> {
        self.challenges.fetch_add(1, Ordering::Relaxed);
        let mut to_fail = self.challenges_to_fail.lock().expect("not poisoned");
        if *to_fail == 0 {
            return Ok(());
        }
        *to_fail -= 1;
        Err(ChallengeFailure {
            code: rounds_domain::Code::new("R0507"),
            message: "the endpoint answered 404".to_owned(),
        })
    }
}

/// A refusal that a story's receiver gives.
pub(crate) fn refused(status: u16) -> AttemptOutcome {
    AttemptOutcome::Refused {
        status,
        retry_after: None,
        reason: format!("answered {status}"),
    }
}

/// Everything around the engine.
pub(crate) struct World {
    pub(crate) plan: Arc<Plan>,
    pub(crate) ports: Ports,
    pub(crate) ehr: Arc<FakeEhr>,
    pub(crate) receiver: Arc<Receiver>,
    pub(crate) clinic: Clinic,
    pub(crate) store: Arc<SqliteStore>,
}

impl World {
    /// A world with the usual config and clinic.
    pub(crate) fn usual() -> Self {
        Self::with(APPOINTMENTS)
    }

    /// A world with this config. The clinic answers `/appointments` and patients `/patient/...`.
    pub(crate) fn with(config: &str) -> Self {
        Self::beginning_at(story_start(), config)
    }

    /// A world with this config whose story begins at this moment.
    #[expect(clippy::disallowed_methods, reason = "where the story's clock begins")]
    pub(crate) fn beginning_at(start: Timestamp, config: &str) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(PausedClock {
            began: tokio::time::Instant::now(),
            start,
        });
        let ehr = Arc::new(FakeEhr::new(Arc::clone(&clock)));
        let receiver = Arc::new(Receiver {
            clock: Arc::clone(&clock),
            received: Mutex::default(),
            answering: Mutex::new(Box::new(|_| AttemptOutcome::Delivered { status: 200 })),
            challenges_to_fail: Mutex::default(),
            challenges: AtomicU64::new(0),
            takes: Mutex::default(),
        });
        let store = Arc::new(SqliteStore::in_memory(&StoreOptions::default()).expect("a store"));
        let clinic = Clinic::default();
        let asked = clinic.clone();
        ehr.on("/api/appointments", move |url| {
            json_answer(&Value::Array(asked.changed_since(url)))
        });
        ehr.on("/api/patient/", |url| {
            let id = url.path().rsplit('/').next().unwrap_or_default();
            json_answer(&json!({ "name": format!("Patient {id}") }))
        });
        Self {
            plan: Arc::new(plan(config)),
            ports: Ports {
                watch: rounds_engine::Watch::default(),
                clock,
                randomness: Arc::new(Seeded(AtomicU64::new(1))),
                ehr: Arc::clone(&ehr) as _,
                destinations: Arc::clone(&receiver) as _,
                store: Arc::clone(&store) as _,
                evaluator: Evaluator::inline(),
            },
            ehr,
            receiver,
            clinic,
            store,
        }
    }

    /// The same world with another configuration.
    pub(crate) fn reconfigured(self, config: &str) -> Self {
        Self {
            plan: Arc::new(plan(config)),
            ..self
        }
    }

    /// Now, by our clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    /// Runs the engine for this long and drains it. Each call is a process of its own over the same store.
    pub(crate) async fn run_for(&self, seconds: u64) {
        let engine = Engine::new(Arc::clone(&self.plan), self.ports.clone());
        let stop = self.ports.clock.sleep(Duration::from_secs(seconds));
        let drained = engine
            .run(stop, Duration::from_mins(1))
            .await
            .expect("no store trouble");
        assert_eq!(drained, Drained::Clean);
    }

    /// This much time passes, without the engine unless it runs beside.
    pub(crate) async fn pass(&self, seconds: u64) {
        self.ports.clock.sleep(Duration::from_secs(seconds)).await;
    }

    /// The engine is dropped in the middle of whatever it does, and the next process takes the data directory over.
    pub(crate) async fn crash_after(&self, alive: Duration) {
        let engine = Engine::new(Arc::clone(&self.plan), self.ports.clone());
        let never = std::future::pending();
        tokio::select! {
            biased;
            ended = engine.run(never, Duration::ZERO) => panic!("it ended by itself: {ended:?}"),
            () = self.ports.clock.sleep(alive) => {}
        }
        drop(engine);
        self.store
            .release_claims()
            .await
            .expect("claims are released");
    }

    /// What the receiver was sent since the last call.
    pub(crate) fn received(&self) -> Vec<Received> {
        std::mem::take(&mut self.receiver.received.lock().expect("not poisoned"))
    }

    /// The bodies of what the receiver was sent since the last call.
    pub(crate) fn bodies(&self) -> Vec<Value> {
        self.received()
            .into_iter()
            .map(|received| received.body)
            .collect()
    }

    /// `id:status` of what the receiver was sent since the last call.
    pub(crate) fn told(&self) -> Vec<String> {
        self.bodies()
            .iter()
            .map(|body| format!("{}:{}", body["id"], body["status"].as_str().unwrap_or("?")))
            .collect()
    }

    /// [`World::told`], sorted: for stories in which order does not matter.
    pub(crate) fn told_sorted(&self) -> Vec<String> {
        let mut told = self.told();
        told.sort();
        told
    }

    /// The state of an action's change query.
    pub(crate) async fn feed(&self, action: &str) -> FeedState {
        self.state_of(feed_key(action, "changes")).await
    }

    /// The state of a feed.
    pub(crate) async fn state_of(&self, feed: FeedKey) -> FeedState {
        self.store
            .feed_states(&[feed])
            .await
            .expect("a state")
            .pop()
            .expect("one state")
    }

    /// The instant of the appointments' cursor.
    pub(crate) async fn cursor(&self) -> Timestamp {
        match self.feed("appointments").await.cursor {
            Some(Cursor::Time(cursor)) => cursor,
            other => panic!("no time cursor: {other:?}"),
        }
    }

    /// Why containers wait, were given up or were not told: code and reason of each that has one.
    pub(crate) async fn reasons(&self) -> Vec<String> {
        let page = PageRequest {
            offset: 0,
            limit: 10,
        };
        let listed = self.store.containers(ContainerFilter::default(), page);
        (listed.await.expect("containers").into_iter())
            .filter_map(|container| container.reason)
            .map(|(code, reason)| format!("{code} {reason}"))
            .collect()
    }

    /// How everything stands.
    pub(crate) async fn overview(&self) -> Overview {
        self.store.overview().await.expect("an overview")
    }
}

/// A feed by the names of its action and its own.
pub(crate) fn feed_key(action: &str, feed: &str) -> FeedKey {
    FeedKey::whole(ActionName::new(action), FeedName::new(feed))
}

/// A plan from YAML; a config that does not pass is the story's fault.
pub(crate) fn plan(config: &str) -> Plan {
    let sources = Sources::from_text("rounds.yaml", config);
    let outcome = load(&sources);
    outcome
        .plan
        .unwrap_or_else(|| panic!("{:#?}", outcome.diagnostics))
}
