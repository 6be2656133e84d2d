//! Whether a record that nobody knows is new to the EHR, or only to us.
//!
//! A feed that starts from now has seen nothing of what was there before, unless its first round looked. So the first change of an old
//! appointment looks like a new one, and a receiver that is told so books it twice. What decides is, in this order: the date on which the
//! record says that it was made; whether everything that was there is in the ledger; and otherwise nothing, which is said as well.
//!
//! What to mind: only records that the ledger does not know cost a look at their date.

use super::read::ReadRecord;
use super::{Interruption, failure, feed_key, instant};
use crate::Ports;
use crate::moment::earlier;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rounds_domain::plan::{
    Action, Baseline, CursorRule, DateField, Feed, FeedRole, Start, SweepScope,
};
use rounds_domain::ports::StoreError;
use rounds_domain::{Document, FeedState, Knowledge, Origin, Partition, RoundCounts};
use rounds_map::Json;
use std::time::Duration;

/// How far the EHR's clock, which dates records, may be behind ours, which dates the beginning of a feed.
const CLOCKS_APART: Duration = Duration::from_mins(5);

/// What is known of the time before a feed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Past {
    /// Up to when records were there before the feed; None where that was not noted.
    before: Option<Timestamp>,
    /// How sure it is: an instant of the user's is the EHR's own, ours is not.
    apart: Duration,
    /// What a record is that does not say when it was made.
    unsaid: Origin,
}

impl Past {
    /// What is known of it, from how the feed begins and what the action's other feeds have seen.
    pub(super) async fn of(
        ports: &Ports,
        action: &Action,
        feed: &Feed,
        state: Option<&FeedState>,
        partition: Option<&Partition>,
    ) -> Result<Self, StoreError> {
        let unsaid = match (feed.role, feed.start) {
            // Sweeps look first and tell later; what comes into sight by its date is presumed.
            (FeedRole::Reconcile, _) | (_, Start::Beginning) => Origin::New,
            (FeedRole::Changes | FeedRole::Trailing, Start::Now | Start::Instant(_)) => {
                unsaid(ports, action, feed, partition).await?
            }
        };
        let (before, apart) = match feed.start {
            Start::Instant(start) => (Some(start), Duration::ZERO),
            Start::Now => (state.and_then(|state| state.began_at), CLOCKS_APART),
            Start::Beginning => (None, Duration::ZERO),
        };
        Ok(Self {
            before,
            apart,
            unsaid,
        })
    }

    /// Where the records come from that the ledger does not know. Counts those that should say when they were made and do not.
    pub(super) async fn origins(
        self,
        ports: &Ports,
        feed: &Feed,
        records: &[ReadRecord],
        known: &[Knowledge],
        counts: &mut RoundCounts,
    ) -> Result<Vec<Origin>, Interruption> {
        let mut origins = vec![self.unsaid; records.len()];
        let Some(created) = &feed.created else {
            return Ok(origins);
        };
        let unknown: Vec<(usize, Document)> = (records.iter().zip(known).enumerate())
            .filter(|(_, (_, known))| !matches!(known, Knowledge::Known(_)))
            .map(|(place, (record, _))| (place, record.record.clone()))
            .collect();
        if unknown.is_empty() {
            return Ok(origins);
        }
        let (created, zone) = (created.clone(), created.zone.clone());
        let read = ports.evaluator.run(move || {
            let unknown = unknown.into_iter();
            let made = unknown.map(|(place, record)| (place, made(&record, &created)));
            made.collect::<Vec<_>>()
        });
        let read = read
            .await
            .map_err(|error| failure::not_evaluated("reading when records were made", error))?;
        for (place, made) in read {
            match made {
                Made::At(made) => origins[place] = self.of_one_made(made, &zone),
                Made::Unsaid => counts.unsaid_made += 1,
                Made::NotAsked => {}
            }
        }
        Ok(origins)
    }

    /// What a record is that was made then.
    fn of_one_made(self, made: Timestamp, zone: &TimeZone) -> Origin {
        let Some(before) = self.before else {
            return self.unsaid;
        };
        let local = made.to_zoned(zone.clone());
        if local.time() == jiff::civil::Time::midnight() {
            // A day: on that of the beginning it may be both.
            let (day, first) = (local.date(), before.to_zoned(zone.clone()).date());
            return match day.cmp(&first) {
                std::cmp::Ordering::Less => Origin::Earlier,
                std::cmp::Ordering::Equal => self.unsaid,
                std::cmp::Ordering::Greater => Origin::New,
            };
        }
        if made >= before {
            Origin::New
        } else if made < earlier(before, self.apart) {
            Origin::Earlier
        } else {
            self.unsaid
        }
    }
}

/// What a record is that does not say when it was made: new, if everything that was there is known.
async fn unsaid(
    ports: &Ports,
    action: &Action,
    feed: &Feed,
    partition: Option<&Partition>,
) -> Result<Origin, StoreError> {
    let looks_first = |feed: &Feed| {
        feed.start == Start::Now
            && match &feed.cursor {
                CursorRule::Sweep(_) => true,
                CursorRule::Time(_) => feed.baseline == Baseline::Everything,
                CursorRule::Number(log) | CursorRule::Token(log) => log.end.is_none(),
                CursorRule::Queue(_) => false,
            }
    };
    let sweeps_all = |feed: &Feed| {
        feed.role == FeedRole::Reconcile
            && matches!(&feed.cursor, CursorRule::Sweep(sweep) if matches!(sweep.scope, SweepScope::Everything))
    };
    if looks_first(feed) && feed.name == action.changes.name {
        return Ok(Origin::New);
    }
    let others = std::iter::once(&action.changes).chain(&action.sweeps);
    let looking: Vec<_> = others
        .filter(|other| looks_first(other) || sweeps_all(other))
        .map(|other| {
            let mut key = feed_key(action, other);
            key.partition = partition.filter(|_| other.partitions.is_some()).cloned();
            key
        })
        .collect();
    if looking.is_empty() {
        return Ok(Origin::Unknown);
    }
    let states = ports.store.feed_states(&looking).await?;
    let has_looked = states.iter().any(|state| state.rounds > 0);
    Ok(if has_looked {
        Origin::New
    } else {
        Origin::Unknown
    })
}

/// What a record says of when it was made.
enum Made {
    At(Timestamp),
    /// Nothing that can be read.
    Unsaid,
    /// The expression gives no value (`empty`): records of this kind do not say it.
    NotAsked,
}

fn made(record: &Document, created: &DateField) -> Made {
    let value = (Json::parse(record.bytes()).ok()).map(|record| created.field.optional(&record));
    match value {
        Some(Ok(None)) => Made::NotAsked,
        Some(Ok(Some(value))) => instant::read(&value, created).map_or(Made::Unsaid, Made::At),
        Some(Err(_)) | None => Made::Unsaid,
    }
}
