//! The rounds of all feeds: one timetable, as many rounds under way as are due.

use crate::lane::{give_up_or_log, store_wait};
use crate::moment::{earlier, later, until_next_look};
use crate::round::findings;
use crate::round::setup::{self, Part, Readiness};
use crate::round::tour::Watched;
use crate::round::{self, PartitionLists};
use crate::schedule::{Due, Polled, Timetable};
use crate::{Ports, Signals, Stop};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use rounds_domain::plan::{Connection, FeedRole, Plan};
use rounds_domain::ports::StoreError;
use rounds_domain::{ConnectionName, FeedKey, RoundCounts, RoundEnd};
use std::collections::BTreeMap;
use std::time::Duration;

/// Rounds under way at once, over all connections. Each waits at its connection's gate, so this bounds memory only.
const ROUNDS_UNDER_WAY: usize = 256;

/// Makes rounds until `stop`, then finishes those under way.
pub(crate) async fn run(
    plan: &Plan,
    ports: &Ports,
    of_connections: &BTreeMap<ConnectionName, Ports>,
    signals: &Signals,
    stop: &Stop,
) -> Result<(), StoreError> {
    let feeds = Polled::all(&plan.actions);
    let keys: Vec<FeedKey> = feeds.iter().map(|polled| polled.key.clone()).collect();
    let states = patiently(ports, || ports.store.feed_states(&keys)).await?;
    let instance = patiently(ports, || ports.store.instance()).await?;
    let mut timetable = Timetable::new(feeds.clone(), &states, instance, ports.clock.now());
    let mut failures: Vec<u32> = states.iter().map(|state| state.failures_in_a_row).collect();
    let maker = Maker {
        plan,
        ports,
        of_connections,
        signals,
        stop,
        lists: PartitionLists::default(),
    };
    let mut under_way = FuturesUnordered::new();
    let mut wall = Wall::of(ports);
    loop {
        if wall.went_back(ports) {
            timetable.rearrange(ports.clock.now());
        }
        if stop.is_stopping() && under_way.is_empty() {
            return Ok(());
        }
        while !stop.is_stopping() && under_way.len() < ROUNDS_UNDER_WAY {
            let Some(due) = timetable.take_due(ports.clock.now()) else {
                break;
            };
            let (polled, failures) = (&feeds[due.index], failures[due.index]);
            under_way.push(maker.make(polled, due, failures));
        }
        let until_due = until_next_look(ports, timetable.next_due());
        let may_start = !stop.is_stopping() && under_way.len() < ROUNDS_UNDER_WAY;
        tokio::select! {
            biased;
            Some(made) = under_way.next() => {
                let (index, failures_in_a_row) = made?;
                timetable.put_back(index, ports.clock.now(), failures_in_a_row);
                failures[index] = failures_in_a_row;
            }
            () = stop.stopping(), if !stop.is_stopping() => {}
            () = ports.clock.sleep(until_due), if may_start => {}
        }
    }
}

/// The wall clock beside the monotonic one.
struct Wall {
    now: Timestamp,
    monotonic: Duration,
}

impl Wall {
    fn of(ports: &Ports) -> Self {
        Self {
            now: ports.clock.now(),
            monotonic: ports.clock.monotonic(),
        }
    }

    /// Whether the wall clock went back since the last time that it was asked, by more than clocks are adjusted by.
    fn went_back(&mut self, ports: &Ports) -> bool {
        let before = std::mem::replace(self, Self::of(ports));
        let elapsed = self.monotonic.saturating_sub(before.monotonic);
        self.now < earlier(later(before.now, elapsed), Duration::from_secs(1))
    }
}

/// Reads what nothing can begin without. Trouble of the store that can pass is waited for here as everywhere.
async fn patiently<T, F>(ports: &Ports, read: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut failures = 0;
    loop {
        match read().await {
            Ok(read) => return Ok(read),
            Err(error) => {
                failures += 1;
                give_up_or_log("rounds", "reading where feeds stand", &error, failures)?;
                ports.clock.sleep(store_wait(failures)).await;
            }
        }
    }
}

/// Makes rounds, with all that they need.
struct Maker<'a> {
    plan: &'a Plan,
    ports: &'a Ports,
    /// Each connection's own, which takes turns with those of the others.
    of_connections: &'a BTreeMap<ConnectionName, Ports>,
    signals: &'a Signals,
    stop: &'a Stop,
    lists: PartitionLists,
}

impl Maker<'_> {
    /// Makes one round, whatever it takes of the store's patience, and says how many have failed in a row with it.
    async fn make(
        &self,
        polled: &Polled,
        due: Due,
        failures_before: u32,
    ) -> Result<(usize, u32), StoreError> {
        let action = &polled.action;
        let Some(connection) = self.plan.connections.get(&action.connection) else {
            // A plan names no connection that it does not have.
            return Ok((due.index, failures_before));
        };
        let began = self.ports.clock.monotonic();
        let outcome = self.round(connection, polled, due.missed_ticks).await;
        let failures = failures_before + 1;
        match outcome {
            Ok(outcome) => {
                if outcome.containers > 0 {
                    self.signals.containers_of(&action.connection);
                }
                log(
                    polled,
                    &outcome,
                    failures,
                    due.missed_ticks,
                    self.ports.elapsed_since(began),
                );
                let has_failed = matches!(outcome.end, RoundEnd::Failed(_));
                Ok((due.index, if has_failed { failures } else { 0 }))
            }
            Err(error) => {
                // Whatever of it was committed, the next round reads where the feed stands and goes on from there.
                give_up_or_log(action.name.as_str(), "making a round", &error, failures)?;
                self.ports.clock.sleep(store_wait(failures)).await;
                Ok((due.index, failures))
            }
        }
    }
}

impl Maker<'_> {
    /// A round, once what it needs is set up.
    async fn round(
        &self,
        connection: &Connection,
        polled: &Polled,
        missed_ticks: u64,
    ) -> Result<round::RoundOutcome, StoreError> {
        let action = &polled.action;
        let ports = (self.of_connections.get(&connection.name)).unwrap_or(self.ports);
        let part = Part::of(action, &polled.feed);
        match setup::prepare(ports, connection, action, part).await? {
            Readiness::Ready => {}
            Readiness::Settling(until) => {
                tracing::debug!(action = %action.name, %until, "no round: what was set up has to settle");
                return Ok(round::RoundOutcome::none(RoundEnd::Unfinished));
            }
            Readiness::Failed(failure) => {
                return Ok(round::RoundOutcome::none(RoundEnd::Failed(failure)));
            }
        }
        let outcome = round::tour::run(
            ports,
            connection,
            action,
            &polled.feed,
            &self.lists,
            missed_ticks,
            Watched::By(self.stop),
        )
        .await?;
        setup::after_round(ports, action, &outcome.end).await?;
        Ok(outcome)
    }
}

fn log(
    polled: &Polled,
    outcome: &round::RoundOutcome,
    failures_in_a_row: u32,
    missed_ticks: u64,
    took: Duration,
) {
    let counts = &outcome.counts;
    let duration_ms = took.as_millis();
    let FeedKey { action, feed, .. } = &polled.key;
    match &outcome.end {
        RoundEnd::Failed(failure) => tracing::warn!(
            %action,
            %feed,
            code = %failure.code,
            failures_in_a_row,
            duration_ms,
            hint = failure.hint.as_deref().unwrap_or_default(),
            "round failed: {}", failure.message
        ),
        RoundEnd::Succeeded | RoundEnd::Unfinished => {
            let quiet = counts.changed == 0
                && counts.baselined == 0
                && counts.deleted == 0
                && missed_ticks == 0;
            let (records, changed, baselined, deleted, pages) = (
                counts.records,
                counts.changed,
                counts.baselined,
                counts.deleted,
                counts.pages,
            );
            if quiet {
                tracing::debug!(%action, %feed, records, pages, duration_ms, "round: nothing new");
            } else {
                tracing::info!(
                    %action, %feed, records, changed, baselined, deleted, pages, missed_ticks, duration_ms,
                    "round: found changes"
                );
            }
        }
    }
    findings::log(&polled.key, outcome);
    log_sweep(polled, counts);
}

/// What a sweep found that the change query should have shown.
fn log_sweep(polled: &Polled, counts: &RoundCounts) {
    let FeedKey { action, feed, .. } = &polled.key;
    if counts.late > 0 && polled.feed.role == FeedRole::Reconcile {
        let longest_late_s = counts.longest_late.unwrap_or_default().as_secs();
        tracing::warn!(
            %action, %feed, late = counts.late, longest_late_s,
            "round: changes showed up so late that only the reconciling sweep found them; a `trailing` sweep with a longer `horizon` finds such changes sooner"
        );
    }
    if counts.undeclared > 0 {
        tracing::warn!(
            %action, %feed, undeclared = counts.undeclared,
            "round: records changed without a new date, which no change query shows; they are found as often as the sweep is made"
        );
    }
}
