//! One run of one feed: ask, read all pages, find what is new, commit.
//!
//! The order of things is what makes it safe. The cursor is read before anything is asked and moves only in the commit
//! that follows the last page, together with the ledger's entries and the containers (law 1). A round that fails on page
//! seven commits what six pages showed and leaves the cursor: the next round asks for the same again and the ledger keeps
//! it silent. A drain too large for memory is committed in parts in the same way, so the first run of a million records
//! needs no more memory than any other.
//!
//! What to mind: nothing here may move a cursor except [`cursor::Advance::after_drain`], and nothing calls that before
//! the drain is complete.

pub(crate) mod cursor;
mod exchange;
pub(crate) mod failure;
pub(crate) mod instant;
mod pages;
mod read;

use crate::Ports;
use crate::ids::new_container_id;
use crate::moment::earlier;
use crate::observe::{Choice, ChosenRecord, Observer};
use crate::request;
use cursor::{Advance, Age, Asked, Position, Purpose, SourceClock};
use failure::failure;
use jiff::Timestamp;
use pages::Pages;
use read::{Identity, ReadRecord};
use rounds_domain::plan::{Action, Connection, CursorRule};
use rounds_domain::ports::StoreError;
use rounds_domain::{
    Change, Code, Cursor, FeedKey, FeedState, RecordId, Resolution, RoundCommit, RoundCounts,
    RoundEnd, RoundFailure, Version,
};
use std::collections::HashMap;
use std::sync::Arc;

/// A drain is committed in parts of at most this many changes...
const PART_CHANGES: usize = 2_000;
/// ...or of this many bytes of records, whichever comes first.
const PART_BYTES: usize = 8 * 1024 * 1024;
/// The code of a container whose record has no identity.
pub(crate) const UNIDENTIFIED: Code = Code::new("R0401");

/// What became of a round.
#[derive(Debug)]
pub(crate) struct RoundOutcome {
    /// How it ended.
    pub(crate) end: RoundEnd,
    /// What it counted.
    pub(crate) counts: RoundCounts,
    /// How many containers it made.
    pub(crate) containers: u64,
    /// Where the feed stands now.
    pub(crate) cursor: Option<Cursor>,
}

/// Makes one round of an action's feed and commits it.
pub(crate) async fn run(
    ports: &Ports,
    connection: &Connection,
    action: &Arc<Action>,
    state: &FeedState,
    missed_ticks: u64,
    observer: &mut dyn Observer,
) -> Result<RoundOutcome, StoreError> {
    let known = state
        .cursor
        .as_ref()
        .filter(|known| cursor::fits(known, &action.feed.cursor));
    let mut round = Round {
        ports,
        connection,
        action,
        purpose: Purpose::of(&action.feed, known),
        known,
        advance: Advance::new(&action.feed, known),
        started_at: ports.clock.now(),
        missed_ticks,
        counts: RoundCounts::default(),
        containers: 0,
        pending: Pending::default(),
        observer,
    };
    match round.drain().await {
        Ok(cursor) => round.commit(RoundEnd::Succeeded, Some(cursor)).await,
        Err(Interruption::Failed(failure)) => round.commit(RoundEnd::Failed(failure), None).await,
        Err(Interruption::Store(error)) => Err(error),
    }
}

/// Why a drain stopped early.
enum Interruption {
    /// Something on the EHR's side or in the configuration: the round fails.
    Failed(RoundFailure),
    /// The store: nothing can be committed.
    Store(StoreError),
}

impl From<RoundFailure> for Interruption {
    fn from(failure: RoundFailure) -> Self {
        Self::Failed(failure)
    }
}

impl From<StoreError> for Interruption {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Changes that were found and are not committed yet.
#[derive(Default)]
struct Pending {
    changes: Vec<(Change, Position)>,
    by_record: HashMap<RecordId, usize>,
    bytes: usize,
}

struct Round<'a> {
    ports: &'a Ports,
    connection: &'a Connection,
    action: &'a Arc<Action>,
    purpose: Purpose,
    known: Option<&'a Cursor>,
    advance: Advance<'a>,
    started_at: Timestamp,
    missed_ticks: u64,
    counts: RoundCounts,
    containers: u64,
    pending: Pending,
    observer: &'a mut dyn Observer,
}

impl Round<'_> {
    /// Reads the whole answer and says where the cursor stands after it.
    async fn drain(&mut self) -> Result<Cursor, Interruption> {
        let feed = &self.action.feed;
        let mut asked = cursor::ask(feed, self.known, self.ports.clock.now())?;
        let mut clock = self.read_pages(&asked).await?;
        if self.purpose == Purpose::Baseline && matches!(feed.cursor, CursorRule::Time(_)) {
            // The first bound came from our clock. If the source's runs behind it, what the overlap should have covered
            // was not asked for, and would be told later as if it were new.
            let again = cursor::ask(feed, self.known, clock.now)?;
            if again.lower < asked.lower {
                clock = self.read_pages(&again).await?;
                asked = again;
            }
        }
        Ok(self.advance.after_drain(&asked, clock))
    }

    async fn read_pages(&mut self, asked: &Asked) -> Result<SourceClock, Interruption> {
        let feed = &self.action.feed;
        let first =
            request::build(self.connection, &feed.request, &asked.scope).map_err(|error| {
                failure(
                    request::RequestError::CODE,
                    format!("the request for changes cannot be made: {error}"),
                    "check `changes` with `rounds poll ACTION --dry-run`",
                )
            })?;
        let mut pages = Pages::new(&feed.paging, first);
        let mut clock = None;
        while let Some(request) = pages.take()? {
            let sent_at = self.ports.clock.now();
            let response = exchange::ask(
                self.ports,
                request.clone(),
                &mut self.counts.requests,
                self.observer,
            )
            .await?;
            let clock = *clock.get_or_insert_with(|| SourceClock {
                now: exchange::date_of(&response).unwrap_or(sent_at),
            });
            let action = Arc::clone(self.action);
            let headers = response.headers.clone();
            let page = self
                .ports
                .evaluator
                .run(move || read::page(&action, &response))
                .await
                .map_err(|error| {
                    failure(
                        failure::EVALUATOR,
                        format!("reading a page: {error}"),
                        "this is a fault of Rounds: please report it",
                    )
                })??;
            self.counts.pages += 1;
            self.advance.page(page.cursor.as_ref())?;
            let next = pages.advance(&request, &headers, &page);
            // What the page shows is taken even if it leads nowhere.
            self.choose(page.records, asked, clock).await?;
            next?;
            if self.pending.changes.len() >= PART_CHANGES || self.pending.bytes >= PART_BYTES {
                self.commit_part(RoundEnd::Unfinished, None).await?;
            }
        }
        // There is always a first page, so there is always a clock; ours is only what the types ask for.
        Ok(clock.unwrap_or(SourceClock {
            now: self.started_at,
        }))
    }

    /// Decides for each record of a page what becomes of it.
    async fn choose(
        &mut self,
        records: Vec<ReadRecord>,
        asked: &Asked,
        clock: SourceClock,
    ) -> Result<(), Interruption> {
        self.counts.records += u64::try_from(records.len()).unwrap_or(u64::MAX);
        if let Some(failure) = self.filter_ignored(&records, asked) {
            return Err(failure.into());
        }
        let ids: Vec<RecordId> = records.iter().map(|record| record.id.clone()).collect();
        let known = self
            .ports
            .store
            .known_versions(&self.action.name, &ids)
            .await?;
        for (record, known) in records.into_iter().zip(known) {
            let id = (record.identity == Identity::Given).then(|| record.id.clone());
            let document = record.record.clone();
            let choice = self.choose_one(record, known, clock);
            self.observer.chose(ChosenRecord {
                id,
                record: document,
                choice,
            });
        }
        Ok(())
    }

    fn choose_one(
        &mut self,
        record: ReadRecord,
        known: Option<Version>,
        clock: SourceClock,
    ) -> Choice {
        if record.position == Position::Undated {
            self.counts.undated += 1;
        }
        match self.advance.record(record.position, clock) {
            Age::Unsettled => {
                self.counts.unsettled += 1;
                return Choice::Unsettled;
            }
            Age::Future => self.counts.future_dated += 1,
            Age::Settled => {}
        }
        if known == Some(record.version) {
            self.counts.unchanged += 1;
            return Choice::Unchanged;
        }
        let (resolution, choice) = match (record.identity, self.purpose) {
            (_, Purpose::Baseline) => (Resolution::Baseline, Choice::Baselined),
            (Identity::Missing, Purpose::Tell) => (
                Resolution::Dead {
                    code: UNIDENTIFIED,
                    reason: "`id` gave no text or number for this record".to_owned(),
                },
                Choice::Unidentified,
            ),
            (Identity::Given, Purpose::Tell) if known.is_none() => {
                (Resolution::Tell, Choice::Created)
            }
            (Identity::Given, Purpose::Tell) => (Resolution::Tell, Choice::Updated),
        };
        if !self.pending.put(record, resolution, self.ports) {
            return Choice::Superseded;
        }
        match choice {
            Choice::Baselined => self.counts.baselined += 1,
            Choice::Unidentified => self.counts.unidentified += 1,
            _ => self.counts.changed += 1,
        }
        choice
    }

    /// A record that lies before what was asked for shows that the change filter is not heard: what comes is the whole
    /// database, not the changes.
    fn filter_ignored(&self, records: &[ReadRecord], asked: &Asked) -> Option<RoundFailure> {
        let CursorRule::Time(rule) = &self.action.feed.cursor else {
            return None;
        };
        let lower = earlier(asked.lower?, rule.granularity);
        let early = records
            .iter()
            .filter(|record| matches!(record.position, Position::At(at) if at < lower))
            .count();
        (early > 0).then(|| {
            failure(
                failure::FILTER_IGNORED,
                format!(
                    "the EHR seems to ignore the change filter: {early} of {} records of a page changed before {lower}, which is earlier than was asked for",
                    records.len(),
                ),
                "check the name of the filter in `changes.query`, and that `cursor.field` is the field that the filter goes by; nothing of this page was told",
            )
        })
    }

    async fn commit(
        mut self,
        end: RoundEnd,
        cursor: Option<Cursor>,
    ) -> Result<RoundOutcome, StoreError> {
        self.commit_part(end.clone(), cursor.clone()).await?;
        Ok(RoundOutcome {
            end,
            counts: self.counts,
            containers: self.containers,
            cursor: cursor.or_else(|| self.known.cloned()),
        })
    }

    async fn commit_part(
        &mut self,
        end: RoundEnd,
        cursor: Option<Cursor>,
    ) -> Result<(), StoreError> {
        let pending = std::mem::take(&mut self.pending);
        let receipt = self
            .ports
            .store
            .commit_round(RoundCommit {
                feed: feed_key(self.action),
                lane: self.action.connection.clone(),
                changes: pending
                    .changes
                    .into_iter()
                    .map(|(change, _)| change)
                    .collect(),
                cursor,
                started_at: self.started_at,
                committed_at: self.ports.clock.now(),
                missed_ticks: std::mem::take(&mut self.missed_ticks),
                counts: self.counts,
                end,
            })
            .await?;
        self.containers += receipt.containers;
        Ok(())
    }
}

impl Pending {
    /// Adds a change. A record that comes twice in a part is told once, with its later state; false if this one is not it.
    fn put(&mut self, record: ReadRecord, resolution: Resolution, ports: &Ports) -> bool {
        let size = record.record.len_bytes();
        let position = record.position;
        if let Some(index) = self.by_record.get(&record.id) {
            let (earlier, earlier_position) = &mut self.changes[*index];
            let is_older = match (&earlier_position, &position) {
                (Position::At(known), Position::At(new)) => new < known,
                _ => false,
            };
            if is_older || earlier.version == record.version {
                return false;
            }
            self.bytes = self.bytes + size - earlier.record.len_bytes();
            earlier.version = record.version;
            earlier.ordering_key = record.ordering_key;
            earlier.record = record.record;
            *earlier_position = position;
            return false;
        }
        self.bytes += size;
        self.by_record.insert(record.id.clone(), self.changes.len());
        let change = Change {
            container: new_container_id(ports),
            record_id: record.id,
            version: record.version,
            ordering_key: record.ordering_key,
            record: record.record,
            resolution,
        };
        self.changes.push((change, position));
        true
    }
}

/// The key of an action's feed.
pub(crate) fn feed_key(action: &Action) -> FeedKey {
    FeedKey {
        action: action.name.clone(),
        feed: action.feed.name.clone(),
    }
}
