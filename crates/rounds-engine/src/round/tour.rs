//! One round of a feed that is asked partition by partition.
//!
//! Each partition has a round of its own, with its own cursor and its own failures, so one department that answers 500
//! costs the others nothing. Those that were asked longest ago come first: a tour that is cut short by the end of the
//! process is continued by the next one and not begun again. As many are asked side by side as the connection allows;
//! the gate decides when each request leaves.
//!
//! What to mind: a partition that appears later (a new patient) must not start from now, because what is there was made since the
//! last tour. It starts where the source's clock stood when the latest complete tour began. That instant is the cursor of the
//! feed itself.

use super::failure::failure;
use super::findings::{self, Zone};
use super::partitions::PartitionLists;
use super::{RoundOutcome, ask, feed_key};
use crate::Ports;
use crate::observe::{NoObserver, Observer};
use crate::stop::Stop;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use rounds_domain::plan::{Action, Connection, CursorRule, Feed};
use rounds_domain::ports::StoreError;
use rounds_domain::{
    Cursor, FeedKey, FeedState, Partition, Phi, QueueState, RoundCommit, RoundCounts, RoundEnd,
    RoundFailure,
};
use std::sync::Arc;

/// If so many partitions fail and none succeeds, it is not the partitions.
const GIVE_UP_AFTER: u64 = 5;

/// Who looks at a tour.
pub(crate) enum Watched<'a> {
    /// Nobody: partitions are asked side by side, until the engine stops.
    By(&'a Stop),
    /// A person: one after the other.
    Alone(&'a mut dyn Observer),
}

/// Makes one round of a feed: one of its own, or one of each of its partitions.
pub(crate) async fn run(
    ports: &Ports,
    connection: &Connection,
    action: &Arc<Action>,
    feed: &Arc<Feed>,
    lists: &PartitionLists,
    missed_ticks: u64,
    mut watched: Watched<'_>,
) -> Result<RoundOutcome, StoreError> {
    if feed.partitions.is_none() {
        let observer: &mut dyn Observer = match &mut watched {
            Watched::By(_) => &mut NoObserver,
            Watched::Alone(observer) => *observer,
        };
        return super::run(
            ports,
            connection,
            action,
            feed,
            None,
            missed_ticks,
            observer,
        )
        .await;
    }
    let key = feed_key(action, feed);
    let before = state_of(ports, &key).await?;
    let tour = Tour {
        ports,
        connection,
        action,
        feed,
        key,
        before,
        started_at: ports.clock.now(),
        missed_ticks,
        sum: Sum::default(),
    };
    tour.run(lists, watched).await
}

struct Tour<'a> {
    ports: &'a Ports,
    connection: &'a Connection,
    action: &'a Arc<Action>,
    feed: &'a Arc<Feed>,
    key: FeedKey,
    before: FeedState,
    started_at: Timestamp,
    missed_ticks: u64,
    sum: Sum,
}

/// What the partitions' rounds came to.
#[derive(Default)]
struct Sum {
    counts: RoundCounts,
    containers: u64,
    first_failure: Option<RoundFailure>,
    /// The earliest of the source's clocks.
    source_clock: Option<Timestamp>,
    zone: Zone,
}

impl Tour<'_> {
    async fn run(
        mut self,
        lists: &PartitionLists,
        mut watched: Watched<'_>,
    ) -> Result<RoundOutcome, StoreError> {
        let observer: &mut dyn Observer = match &mut watched {
            Watched::By(_) => &mut NoObserver,
            Watched::Alone(observer) => *observer,
        };
        let listed = lists
            .of(
                self.ports,
                self.connection,
                self.action,
                self.feed,
                &mut self.sum.counts,
                observer,
            )
            .await;
        let partitions = match listed {
            Ok(partitions) => partitions,
            Err(failure) => return self.commit(RoundEnd::Failed(failure)).await,
        };
        let waiting = self.in_order(&partitions).await?;
        let is_whole = match watched {
            Watched::By(stop) => self.ask_side_by_side(&waiting, stop).await?,
            Watched::Alone(observer) => self.ask_in_turn(&waiting, observer).await?,
        };
        let end = match self.sum.first_failure.take() {
            Some(first) if self.sum.has_failed() => RoundEnd::Failed(failure(
                first.code,
                format!(
                    "all of {} partitions failed; the first: {}",
                    self.sum.counts.partitions, first.message
                ),
                first.hint.unwrap_or_default(),
            )),
            Some(first) => {
                tracing::warn!(
                    action = %self.action.name,
                    feed = %self.feed.name,
                    code = %first.code,
                    failing = self.sum.counts.failing_partitions,
                    partitions = self.sum.counts.partitions,
                    "round: some partitions failed; the first: {}",
                    first.message
                );
                RoundEnd::Succeeded
            }
            None => RoundEnd::Succeeded,
        };
        let end = match end {
            RoundEnd::Succeeded if is_whole == Whole::No => RoundEnd::Unfinished,
            end => end,
        };
        self.commit(end).await
    }

    /// The partitions, those that were asked longest ago first, each with whether it is new.
    async fn in_order(&self, partitions: &[Partition]) -> Result<Vec<(FeedKey, Age)>, StoreError> {
        let keys: Vec<FeedKey> = (partitions.iter())
            .map(|partition| self.key.of_partition(partition.clone()))
            .collect();
        let states = self.ports.store.feed_states(&keys).await?;
        let mut waiting: Vec<_> = keys.into_iter().zip(states).collect();
        waiting.sort_by_key(|(_, state)| state.last_started_at);
        let has_toured = self.before.rounds > 0;
        Ok((waiting.into_iter())
            .map(|(key, state)| {
                let is_new = has_toured && state.last_started_at.is_none();
                (key, if is_new { Age::New } else { Age::Known })
            })
            .collect())
    }

    async fn ask_side_by_side(
        &mut self,
        waiting: &[(FeedKey, Age)],
        stop: &Stop,
    ) -> Result<Whole, StoreError> {
        let at_once = usize::try_from(self.connection.limits.in_flight).unwrap_or(usize::MAX);
        let (ports, connection, action, feed) =
            (self.ports, self.connection, self.action, self.feed);
        let mut waiting = waiting.iter();
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < at_once.max(1)
                && !stop.is_stopping()
                && !self.sum.is_hopeless()
                && let Some((key, age)) = waiting.next()
            {
                self.begin(key, *age).await?;
                under_way.push(async move {
                    let partition = key.partition.as_ref();
                    super::run(
                        ports,
                        connection,
                        action,
                        feed,
                        partition,
                        0,
                        &mut NoObserver,
                    )
                    .await
                });
            }
            let Some(outcome) = under_way.next().await else {
                break;
            };
            self.sum.add(outcome?);
        }
        Ok(Whole::of(waiting.len()))
    }

    async fn ask_in_turn(
        &mut self,
        waiting: &[(FeedKey, Age)],
        observer: &mut dyn Observer,
    ) -> Result<Whole, StoreError> {
        let mut waiting = waiting.iter();
        while !self.sum.is_hopeless()
            && !observer.has_enough()
            && let Some((key, age)) = waiting.next()
        {
            self.begin(key, *age).await?;
            let outcome = super::run(
                self.ports,
                self.connection,
                self.action,
                self.feed,
                key.partition.as_ref(),
                0,
                observer,
            )
            .await?;
            self.sum.add(outcome);
        }
        Ok(Whole::of(waiting.len()))
    }

    /// Writes down where a new partition begins, before it is asked: if its first round fails, it begins there all the same.
    async fn begin(&self, key: &FeedKey, age: Age) -> Result<(), StoreError> {
        if age == Age::Known {
            return Ok(());
        }
        let now = self.ports.clock.now();
        let latest_tour = match &self.before.cursor {
            Some(Cursor::Time(at)) => *at,
            _ => self.before.last_started_at.unwrap_or(now),
        };
        let cursor = match &self.feed.cursor {
            CursorRule::Time(_) => Cursor::Time(latest_tour),
            CursorRule::Number(_) => Cursor::Number("0".to_owned()),
            CursorRule::Queue(_) => Cursor::Queue(QueueState::Settled),
            CursorRule::Token(_) => Cursor::Token(Phi::new(String::new())),
            // Everything of a new partition is news, so there is nothing that only came into sight.
            CursorRule::Sweep(_) => match ask::ask(self.feed, None, now) {
                Ok(asked) => {
                    (asked.dates).map_or(Cursor::Sweep, |(from, to)| Cursor::Dates { from, to })
                }
                // Its own round will say so.
                Err(_) => return Ok(()),
            },
        };
        let begun = self.commit_of(key.clone(), RoundEnd::Unfinished, Some(cursor), now);
        self.ports.store.commit_round(begun).await.map(drop)
    }

    async fn commit(mut self, end: RoundEnd) -> Result<RoundOutcome, StoreError> {
        let cursor = match (&self.feed.cursor, &end) {
            (CursorRule::Time(_), RoundEnd::Succeeded) => self.sum.source_clock.map(Cursor::Time),
            _ => None,
        };
        let mut commit = self.commit_of(
            self.key.clone(),
            end.clone(),
            cursor.clone(),
            self.started_at,
        );
        commit.missed_ticks = self.missed_ticks;
        commit.counts = self.sum.counts;
        commit.findings = findings::of_round(
            &self.ports.watch,
            (self.action, self.feed),
            (&self.sum.counts, &self.sum.zone, &end),
            Some(&self.before),
            commit.committed_at,
        );
        let found = commit.findings.seen.clone();
        self.ports.store.commit_round(commit).await?;
        Ok(RoundOutcome {
            end,
            counts: self.sum.counts,
            containers: self.sum.containers,
            cursor: cursor.or_else(|| self.before.cursor.clone()),
            cursor_before: self.before.cursor.take(),
            source_clock: self.sum.source_clock,
            zone: self.sum.zone,
            findings: found,
            known_findings: findings::codes(&self.before.findings),
        })
    }

    fn commit_of(
        &self,
        feed: FeedKey,
        end: RoundEnd,
        cursor: Option<Cursor>,
        started_at: Timestamp,
    ) -> RoundCommit {
        let (lane, now) = (self.action.connection.clone(), self.ports.clock.now());
        RoundCommit {
            cursor,
            ..RoundCommit::of(feed, lane, started_at, now, end)
        }
    }
}

/// Whether a partition was there in an earlier tour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Age {
    Known,
    New,
}

/// Whether every partition was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whole {
    Yes,
    No,
}

impl Whole {
    const fn of(left: usize) -> Self {
        if left == 0 { Self::Yes } else { Self::No }
    }
}

impl Sum {
    fn add(&mut self, outcome: RoundOutcome) {
        self.counts.add(&outcome.counts);
        self.counts.partitions += 1;
        self.containers += outcome.containers;
        if let Some(clock) = outcome.source_clock {
            self.source_clock = Some(self.source_clock.map_or(clock, |known| known.min(clock)));
        }
        self.zone = std::mem::take(&mut self.zone).or(outcome.zone);
        if let RoundEnd::Failed(failure) = outcome.end {
            self.counts.failing_partitions += 1;
            self.first_failure.get_or_insert(failure);
        }
    }

    const fn has_failed(&self) -> bool {
        self.counts.partitions > 0 && self.counts.failing_partitions == self.counts.partitions
    }

    const fn is_hopeless(&self) -> bool {
        self.has_failed() && self.counts.partitions >= GIVE_UP_AFTER
    }
}

async fn state_of(ports: &Ports, key: &FeedKey) -> Result<FeedState, StoreError> {
    let states = ports.store.feed_states(std::slice::from_ref(key)).await?;
    Ok(states.into_iter().next().unwrap_or_default())
}
