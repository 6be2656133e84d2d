//! One skeleton for all durable work: claim what is due, do it, settle it, look again.
//!
//! A lane is a queue of the store with its own limit of work under way: one for each connection's containers, one for
//! each destination's deliveries. Lanes do not know each other, so a slow one delays nobody else (law 4).
//!
//! What to mind: an outcome is never thrown away. If the store cannot take a settlement (a full disk), the lane keeps
//! it and tries again, and claims nothing new until it is through. Signals are hints: whoever misses one finds the same
//! work at the next look, because what is due stands in the store and nowhere else.

use crate::backoff::doubling;
use crate::moment::until_next_look;
use crate::{Ports, Stop};
use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use rounds_domain::ports::{Claimed, StoreError, StoreErrorKind};
use std::collections::HashSet;
use std::hash::Hash;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::Notify;

/// Waits between tries while the store does not take what it should.
const FIRST_STORE_WAIT: Duration = Duration::from_millis(200);
const LONGEST_STORE_WAIT: Duration = Duration::from_secs(30);
/// How long the store keeps a claim from others. Work is bounded far below this.
pub(crate) const LEASE: Duration = Duration::from_hours(2);

/// What a lane does.
#[async_trait]
pub(crate) trait Work: Send + Sync {
    /// What is claimed.
    type Item: Send;
    /// What became of it.
    type Settlement: Send + Clone;
    /// What tells items apart.
    type Key: Eq + Hash + Clone + Send;

    /// The lane's name, for logs.
    fn name(&self) -> String;
    /// What tells this item apart.
    fn key(&self, item: &Self::Item) -> Self::Key;
    /// Takes up to `limit` items that are due.
    async fn claim(&self, now: Timestamp, limit: usize) -> Result<Claimed<Self::Item>, StoreError>;
    /// Does one item. Never fails: failing is an outcome.
    async fn process(&self, item: Self::Item) -> Self::Settlement;
    /// Records outcomes.
    async fn settle(&self, settlements: Vec<Self::Settlement>) -> Result<(), StoreError>;
    /// Tells others that something may have become due for them.
    fn settled(&self, settlements: &[Self::Settlement]);
}

/// Runs a lane until `stop`, then finishes what is under way.
pub(crate) async fn run<W: Work>(
    work: &W,
    ports: &Ports,
    in_flight: usize,
    signal: &Notify,
    stop: &Stop,
) -> Result<(), StoreError> {
    let mut under_way = FuturesUnordered::new();
    let mut keys: HashSet<W::Key> = HashSet::new();
    let mut look = true;
    let mut due: Option<Timestamp> = None;
    let mut store_failures = 0_u32;
    loop {
        // Asked anew each time: under full load the word itself might never get its turn below.
        let stopping = stop.is_stopping();
        if stopping && under_way.is_empty() {
            return Ok(());
        }
        let free = in_flight.saturating_sub(under_way.len());
        // Interest is registered before the store is asked, so a signal in between is not lost.
        let mut signalled = pin!(signal.notified());
        signalled.as_mut().enable();
        if look && !stopping && free > 0 {
            look = false;
            let now = ports.clock.now();
            match work.claim(now, free).await {
                Ok(claimed) => {
                    store_failures = 0;
                    // A full hand says nothing about what else is due.
                    look = claimed.items.len() >= free;
                    due = claimed.next_due;
                    for item in claimed.items {
                        let key = work.key(&item);
                        if keys.insert(key.clone()) {
                            under_way.push(async move { (key, work.process(item).await) });
                        }
                    }
                }
                Err(error) => {
                    store_failures += 1;
                    give_up_or_log(&work.name(), "claiming work", &error, store_failures)?;
                    let wait = store_wait(store_failures);
                    due = now.checked_add(wait).ok();
                }
            }
            if look && in_flight > under_way.len() {
                continue;
            }
        }
        let until_due = until_next_look(ports, due);
        let may_claim = !stopping && in_flight > under_way.len();
        let mut done = Vec::new();
        tokio::select! {
            biased;
            Some(first) = under_way.next() => done.push(first),
            () = stop.stopping(), if !stopping => {}
            () = &mut signalled => look = true,
            () = ports.clock.sleep(until_due), if may_claim => look = true,
        }
        if done.is_empty() {
            continue;
        }
        // Whatever else is finished by now shares the transaction.
        while let Some(Some(next)) = futures_util::FutureExt::now_or_never(under_way.next()) {
            done.push(next);
        }
        let (finished, settlements): (Vec<_>, Vec<_>) = done.into_iter().unzip();
        settle(work, ports, settlements).await?;
        for key in finished {
            keys.remove(&key);
        }
        look = true;
    }
}

async fn settle<W: Work>(
    work: &W,
    ports: &Ports,
    settlements: Vec<W::Settlement>,
) -> Result<(), StoreError> {
    let mut failures = 0;
    loop {
        match work.settle(settlements.clone()).await {
            Ok(()) => {
                work.settled(&settlements);
                return Ok(());
            }
            Err(error) => {
                failures += 1;
                give_up_or_log(&work.name(), "recording what was done", &error, failures)?;
                ports.clock.sleep(store_wait(failures)).await;
            }
        }
    }
}

/// How long to wait for the store after this many failures in a row.
pub(crate) fn store_wait(failures_in_a_row: u32) -> Duration {
    doubling(FIRST_STORE_WAIT, LONGEST_STORE_WAIT, failures_in_a_row)
}

/// Trouble that can pass is waited for; anything else ends the engine, because going on could lose or repeat.
pub(crate) fn give_up_or_log(
    lane: &str,
    operation: &str,
    error: &StoreError,
    failures: u32,
) -> Result<(), StoreError> {
    match error.kind {
        StoreErrorKind::Full | StoreErrorKind::Busy | StoreErrorKind::Unavailable => {
            // Once when it begins, then ever more rarely: a full disk lasts.
            if failures.is_power_of_two() {
                tracing::error!(
                    lane,
                    code = %error.code(),
                    failures_in_a_row = failures,
                    hint = error.hint(),
                    "{operation}: {error}; waiting for the store"
                );
            }
            Ok(())
        }
        StoreErrorKind::Corrupt | StoreErrorKind::TooNew | StoreErrorKind::Closed => {
            Err(error.clone())
        }
    }
}
