//! One run of one feed: ask, read all pages, find what is new, commit.
//!
//! The order of things is what makes it safe. The cursor is read before anything is asked and moves only in the commit
//! that follows the last page, together with the ledger's entries and the containers (law 1). A round that fails on page
//! seven commits what six pages showed and leaves the cursor: the next round asks for the same again and the ledger keeps
//! it silent. A drain too large for memory is committed in parts in the same way, so the first run of a million records
//! needs no more memory than any other. Only where the pages are declared to ascend, and do, a part moves the cursor too:
//! then a first run that is cut short goes on where it was.
//!
//! All feeds of an action make rounds side by side and tell into one ledger. What one of them read before another told of
//! the same record is left alone by the commit (`contested`), and asked for again.
//!
//! What to mind: nothing here may move a cursor except [`cursor::Advance`], and `after_drain` is called only when the
//! drain is complete.

mod absence;
pub(crate) mod ask;
pub(crate) mod bundle;
mod choose;
pub(crate) mod conditions;
pub(crate) mod cursor;
pub(crate) mod failure;
pub(crate) mod findings;
mod former;
mod gone;
mod heard;
pub(crate) mod instant;
mod job;
mod late;
mod log;
mod newest;
mod origin;
mod pages;
mod partitions;
mod pending;
mod queue;
mod read;
pub(crate) mod receive;
mod sample;
pub(crate) mod setup;
mod slices;
pub(crate) mod tour;

use crate::Ports;
use crate::exchange::{self, Counted, Exchanger, Outcome, Retries};
use crate::observe::Observer;
use absence::Seen;
use ask::{Asked, Purpose};
use cursor::{Advance, Order, SourceClock};
use findings::Zone;
use jiff::Timestamp;
use jiff::civil::Date;
use newest::Newest;
use origin::Past;
use pages::{Maker, Pages};
pub(crate) use partitions::PartitionLists;
use pending::Pending;
use read::PageContent;
use rounds_domain::plan::{Action, Connection, CursorRule, Feed, FeedRole};
use rounds_domain::ports::{EhrRequest, EhrResponse, StoreError};
use rounds_domain::{
    Change, Code, Cursor, FeedKey, FeedState, FindingUpdate, Partition, RecordId, RoundCommit,
    RoundCounts, RoundEnd, RoundFailure, Sighting,
};
use rounds_map::Json;
pub use sample::sample_request;
use std::sync::Arc;
use std::time::Duration;

/// What a round asks for, as its failures say it.
const ASKING: &str = "asking for changes";

/// What became of a round.
#[derive(Debug)]
pub(crate) struct RoundOutcome {
    /// How it ended.
    pub(crate) end: RoundEnd,
    /// What it counted.
    pub(crate) counts: RoundCounts,
    /// How many containers it made.
    pub(crate) containers: u64,
    /// Where the feed stood before it.
    pub(crate) cursor_before: Option<Cursor>,
    /// Where the feed stands now.
    pub(crate) cursor: Option<Cursor>,
    /// The source's clock when the round began, as far as it is believed; None where nothing was answered.
    pub(crate) source_clock: Option<Timestamp>,
    /// What its dates show of their zone.
    pub(crate) zone: Zone,
    /// What a person should look at; none of a single partition.
    pub(crate) findings: Vec<Sighting>,
    /// What of it was known before.
    pub(crate) known_findings: Vec<Code>,
}

impl RoundOutcome {
    /// Nothing was asked.
    pub(crate) fn none(end: RoundEnd) -> Self {
        Self {
            end,
            counts: RoundCounts::default(),
            containers: 0,
            cursor_before: None,
            cursor: None,
            source_clock: None,
            zone: Zone::Unseen,
            findings: Vec::new(),
            known_findings: Vec::new(),
        }
    }
}

/// Makes one round of a feed and commits it. Where the feed stands is read from the store each time: a commit that was said
/// to have failed may have been written all the same.
pub(crate) async fn run(
    ports: &Ports,
    connection: &Connection,
    action: &Arc<Action>,
    feed: &Arc<Feed>,
    partition: Option<&Partition>,
    missed_ticks: u64,
    observer: &mut dyn Observer,
) -> Result<RoundOutcome, StoreError> {
    let mut key = feed_key(action, feed);
    key.partition = partition.cloned();
    let states = ports.store.feed_states(std::slice::from_ref(&key)).await?;
    // What a person said goes over what the configuration says.
    let restarted = states.first().and_then(|state| state.start).map(|start| {
        Arc::new(Feed {
            start,
            ..(**feed).clone()
        })
    });
    let feed = restarted.as_ref().unwrap_or(feed);
    let known = states
        .first()
        .and_then(|state| state.cursor.as_ref())
        .filter(|known| cursor::fits(known, &feed.cursor));
    let mut round = Round {
        ports,
        connection,
        action,
        feed,
        key,
        purpose: Purpose::of(feed, known),
        known,
        advance: Advance::new(feed, known),
        settle: settle_of(action, feed),
        passed: late::passed_before(ports, action, feed, partition).await?,
        past: Past::of(ports, action, feed, states.first(), partition).await?,
        source_clock: None,
        asked_dates: None,
        started_at: ports.clock.now(),
        missed_ticks,
        counts: RoundCounts::default(),
        counted: RoundCounts::default(),
        zone: Zone::Unseen,
        before: states.first(),
        found: Vec::new(),
        containers: 0,
        contested: 0,
        checkpoint: None,
        closed: None,
        pending: Pending::default(),
        seen: Seen::default(),
        newest: Newest::of(feed),
        observer,
    };
    match round.drain().await {
        Ok(cursor) if feed.job.is_some() => {
            let cursor = round.commit_part(RoundEnd::Succeeded, Some(cursor)).await?;
            round.end_job().await?;
            Ok(round.outcome(RoundEnd::Succeeded, cursor))
        }
        Ok(cursor) => round.commit(RoundEnd::Succeeded, Some(cursor)).await,
        Err(Interruption::Waits) => {
            let checkpoint = round.checkpoint.take();
            round.commit(RoundEnd::Unfinished, checkpoint).await
        }
        Err(Interruption::Failed(failure) | Interruption::Expired(failure)) => {
            let checkpoint = round.checkpoint.take();
            round.commit(RoundEnd::Failed(failure), checkpoint).await
        }
        Err(Interruption::Store(error)) => Err(error),
    }
}

/// Why a drain stopped early.
enum Interruption {
    /// Something on the EHR's side or in the configuration: the round fails.
    Failed(RoundFailure),
    /// The EHR does not know the place any more that it gave.
    Expired(RoundFailure),
    /// The store: nothing can be committed.
    Store(StoreError),
    /// Nothing of it: the answer is not there yet, and a later round goes on.
    Waits,
}

impl From<RoundFailure> for Interruption {
    fn from(failure: RoundFailure) -> Self {
        Self::Failed(failure)
    }
}

impl From<exchange::Failed> for Interruption {
    fn from(failed: exchange::Failed) -> Self {
        Self::Failed(failed.failure)
    }
}

impl From<StoreError> for Interruption {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

struct Round<'a> {
    ports: &'a Ports,
    connection: &'a Connection,
    action: &'a Arc<Action>,
    feed: &'a Arc<Feed>,
    key: FeedKey,
    purpose: Purpose,
    known: Option<&'a Cursor>,
    advance: Advance<'a>,
    /// How long a record must have been there before it is told: the change query's word, in every feed.
    settle: Duration,
    /// Up to where the faster feeds have looked.
    passed: Option<Timestamp>,
    /// What is known of the time before the feed.
    past: Past,
    /// The source's clock when the round began, as far as it is believed.
    source_clock: Option<Timestamp>,
    asked_dates: Option<(Date, Date)>,
    started_at: Timestamp,
    missed_ticks: u64,
    counts: RoundCounts,
    /// What was counted up to the last commit.
    counted: RoundCounts,
    zone: Zone,
    /// The feed's state before it.
    before: Option<&'a FeedState>,
    /// What a person should look at now.
    found: Vec<Sighting>,
    containers: u64,
    contested: u64,
    /// Where the feed may go on if the round ends now.
    checkpoint: Option<Cursor>,
    /// Where the feed may go on because of the slices that are done, whatever comes out of the one under way.
    closed: Option<Cursor>,
    pending: Pending,
    seen: Seen,
    newest: Newest,
    observer: &'a mut dyn Observer,
}

impl<'a> Round<'a> {
    /// Makes the requests of what is asked.
    fn maker<'f>(&self, feed: &'f Feed, asked: &Asked) -> Maker<'f>
    where
        'a: 'f,
    {
        Maker {
            connection: self.connection,
            rule: &feed.request,
            scope: self.scope_of(asked),
            what: "changes",
        }
    }
}

impl Round<'_> {
    /// Reads the whole answer and says where the cursor stands after it.
    async fn drain(&mut self) -> Result<Cursor, Interruption> {
        if self.feed.job.is_some() {
            return self.drain_job().await;
        }
        if let CursorRule::Queue(queue) = &self.feed.cursor {
            self.open_queue(queue).await?;
        }
        if let Some(end) = self.end_of_log().await? {
            return Ok(end);
        }
        match self.drain_from_cursor().await {
            Err(Interruption::Expired(_)) => {
                self.forget_place();
                self.drain_from_cursor().await
            }
            drained => drained,
        }
    }

    /// Reads what changed since the cursor.
    async fn drain_from_cursor(&mut self) -> Result<Cursor, Interruption> {
        let first = ask::ask(self.feed, self.known, self.ports.clock.now())?;
        let lower = first.lower;
        let (mut asked, clock) = self.read_slices(first).await?;
        if self.purpose != Purpose::Tell && matches!(self.feed.cursor, CursorRule::Time(_)) {
            // The first bound came from our clock. If the source's runs behind it, what the overlap should have covered
            // was not asked for, and would be told later as if it were new.
            let again = ask::ask(self.feed, self.known, clock.now)?;
            if again.lower < lower {
                // The clock stays the one that this bound was made from: a cursor by a still earlier one would reach further
                // back than anybody has asked.
                (asked, _) = self.read_slices(again).await?;
            }
        }
        if self.purpose == Purpose::Baseline && self.advance.has_shown_nothing() {
            asked = self.look_back(asked, clock).await?;
        }
        self.tell_absent(self.seen).await?;
        self.zone = Zone::of(self.advance.behind(clock), self.known.is_none());
        Ok(self.advance.after_drain(self.purpose, &asked, clock))
    }

    /// Looks further back if the silent first round showed nothing. Gives what was asked for by then.
    async fn look_back(&mut self, asked: Asked, clock: SourceClock) -> Result<Asked, Interruption> {
        let Some(further) = ask::ask_back(self.feed, clock.believed())? else {
            return Ok(asked);
        };
        match self.read_slices(further).await {
            Ok((further, _)) => Ok(further),
            // A feed with so much to show says soon enough how it writes its dates.
            Err(Interruption::Failed(failure)) if failure.code == failure::TOO_MANY_PAGES => {
                Ok(asked)
            }
            Err(interruption) => Err(interruption),
        }
    }

    /// Reads all slices of what is asked for, or the one that it is. Gives the last of them, and the source's clock before the first.
    async fn read_slices(&mut self, first: Asked) -> Result<(Asked, SourceClock), Interruption> {
        let feed = Arc::clone(self.feed);
        let mut asked = first;
        let mut clock = None;
        // What was read before in this round was another answer, and its order says nothing of this one's.
        self.advance.begin_slice();
        loop {
            let now = self.read_pages(&feed, &asked).await?;
            let clock = *clock.get_or_insert(now);
            let Some(next) = ask::after(&feed, &asked)? else {
                return Ok((asked, clock));
            };
            self.close_slice(&asked, clock).await?;
            asked = next;
        }
    }

    /// Commits a slice that is not the last. A silent first round is not half done: its next try must begin anew.
    async fn close_slice(&mut self, asked: &Asked, clock: SourceClock) -> Result<(), Interruption> {
        self.checkpoint = None;
        let place = self.advance.after_slice(asked, clock);
        self.advance.begin_slice();
        if let (Purpose::Tell, Some(place)) = (self.purpose, place) {
            self.closed = Some(place.clone());
            self.commit_part(RoundEnd::Unfinished, Some(place)).await?;
        }
        Ok(())
    }

    /// Reads the pages of one answer. `through` is the feed, or the feed with another request for the same records.
    async fn read_pages(
        &mut self,
        through: &Arc<Feed>,
        asked: &Asked,
    ) -> Result<SourceClock, Interruption> {
        let feed = Arc::clone(through);
        self.asked_dates = asked.dates;
        self.newest.begin_answer();
        let mut pages = Pages::new(&feed, self.maker(&feed, asked))?;
        let is_taken = matches!(feed.cursor, CursorRule::Queue(_));
        let mut clock = None;
        let mut read_at = None;
        let mut place = None;
        while let Some(request) = self.next_page(&mut pages, place.as_ref())? {
            let sent_at = self.ports.clock.now();
            let (page, response) = self.read_page(&feed, &request).await?;
            if clock.is_none() && page.clock.is_some() {
                self.advance.clock_answered();
            }
            let clock = *clock.get_or_insert_with(|| SourceClock {
                now: (page.clock.or_else(|| exchange::date_of(&response))).unwrap_or(sent_at),
                ours: sent_at,
            });
            self.source_clock.get_or_insert(clock.believed());
            // A server may keep its result still from the first page on: a later page shows what was then. A queue cannot.
            let read_at = if is_taken {
                sent_at
            } else {
                *read_at.get_or_insert(sent_at)
            };
            self.counts.pages += 1;
            self.counts.mended_signs += page.mended_signs;
            self.counts.undecided += page.undecided;
            self.counts.skipped += page.skipped;
            if pages.is_first()
                && let Some(failure) = heard::ignored_by_its_word(&feed, page.bundle.as_ref())
            {
                return Err(failure.into());
            }
            page.believed(ASKING)?;
            self.advance.page(page.cursor.as_ref())?;
            if !pages.is_looking_back() {
                self.advance.step_onward(page.cursor.as_ref());
            }
            self.seen.count(&page);
            let next = pages.advance(&request, &response.headers, &page);
            place = match &next {
                Ok(()) if pages.has_no_gap() => self.place_in_log(&feed, &pages, &page.next),
                _ => None,
            };
            // What the page shows is taken even if it leads nowhere.
            self.choose(page.records, asked, clock, read_at).await?;
            next?;
            if self.advance.has_passed(asked.lower) {
                pages.stop();
            }
            self.set_checkpoint(&pages, place.as_ref(), clock).await?;
            // A sweep commits early, because it runs beside faster feeds that may tell of the same records. What was taken from a
            // queue is committed before more is taken.
            let is_early = feed.role != FeedRole::Changes || is_taken;
            // What lies between two pages that do not join yet may be older than what was found behind it.
            let is_joined = pages.has_no_gap();
            if is_joined && (self.pending.is_large() || (is_early && self.pending.has_changes())) {
                let checkpoint = self.checkpoint.take();
                self.commit_part(RoundEnd::Unfinished, checkpoint).await?;
            }
        }
        // There is always a first page, so there is always a clock; ours is only what the types ask for.
        Ok(clock.unwrap_or(SourceClock {
            now: self.started_at,
            ours: self.started_at,
        }))
    }

    /// The next page's request. A log that was read up to a place goes on there in the next round, so its pages may be more than
    /// a round takes.
    fn next_page(
        &self,
        pages: &mut Pages<'_>,
        place: Option<&Cursor>,
    ) -> Result<Option<EhrRequest>, Interruption> {
        match (pages.take(), place) {
            (Err(failure), Some(_)) if failure.code == failure::TOO_MANY_PAGES => {
                tracing::info!(
                    action = %self.action.name,
                    feed = %self.feed.name,
                    pages = self.counts.pages,
                    "the log has more pages than `max_pages`: the next round goes on with them"
                );
                Err(Interruption::Waits)
            }
            (request, _) => Ok(request?),
        }
    }

    /// What the request's templates may use.
    fn scope_of(&self, asked: &Asked) -> Json {
        let Some(partition) = &self.key.partition else {
            return asked.scope.clone();
        };
        let partition = ("partition", Json::string(partition.expose()));
        Json::object(asked.scope.members().chain([partition]))
    }

    /// One exchange of this feed, or of the feed with another request for the same records.
    async fn exchange(
        &mut self,
        through: &Feed,
        request: EhrRequest,
        what: &str,
        retries: Retries,
    ) -> Result<Outcome, exchange::Failed> {
        let exchanger = Exchanger::new(self.ports, self.connection, self.action, &through.request);
        let mut counted = Counted {
            requests: &mut self.counts.requests,
            observer: self.observer,
        };
        exchanger
            .exchange(request, what, retries, &mut counted)
            .await
    }

    async fn read_page(
        &mut self,
        feed: &Arc<Feed>,
        request: &EhrRequest,
    ) -> Result<(PageContent, EhrResponse), Interruption> {
        // What asks a queue for what it gave before takes nothing.
        let takes = matches!(feed.cursor, CursorRule::Queue(_)) && Arc::ptr_eq(feed, self.feed);
        let retries = if takes {
            Retries::Left
        } else {
            Retries::AtOnce
        };
        let (response, basis) =
            match (self.exchange(feed, request.clone(), ASKING, retries)).await? {
                Outcome::Good(response, basis) => (response, basis),
                Outcome::Empty(response) => return Ok((PageContent::nothing(), response)),
                Outcome::Gone(response) => return Err(self.gone(&response)),
            };
        let (ports, action, partition) = (self.ports, self.action, self.key.partition.as_ref());
        let page = read::page_beside(ports, action, feed, partition, &response, basis).await?;
        Ok((page, response))
    }

    /// Notes where the feed may go on. Where the declared order turns out to be broken, a checkpoint that was committed
    /// already is taken back: what is still to come may lie before it.
    async fn set_checkpoint(
        &mut self,
        pages: &Pages<'_>,
        place: Option<&Cursor>,
        clock: SourceClock,
    ) -> Result<(), Interruption> {
        if let Some(place) = place {
            self.checkpoint = Some(self.place_so_far(place));
            return Ok(());
        }
        if self.purpose != Purpose::Tell {
            return Ok(());
        }
        match self.advance.order() {
            Order::Undeclared => {}
            Order::Kept if pages.has_no_gap() => self.checkpoint = self.advance.checkpoint(),
            Order::Kept => self.checkpoint = None,
            Order::Broken => {
                self.checkpoint = None;
                if self.advance.forget_order() {
                    tracing::warn!(
                        action = %self.action.name,
                        feed = %self.feed.name,
                        "`order: ascending` is declared, but the EHR's pages do not ascend; this round moves its cursor only at its end"
                    );
                    let start = self.closed.clone().or_else(|| self.known.cloned());
                    let start = start.unwrap_or_else(|| self.advance.at_start(clock));
                    self.commit_part(RoundEnd::Unfinished, Some(start)).await?;
                }
            }
        }
        Ok(())
    }

    async fn commit(
        mut self,
        end: RoundEnd,
        cursor: Option<Cursor>,
    ) -> Result<RoundOutcome, StoreError> {
        let cursor = self.commit_part(end.clone(), cursor).await?;
        Ok(self.outcome(end, cursor))
    }

    fn outcome(&self, end: RoundEnd, cursor: Option<Cursor>) -> RoundOutcome {
        RoundOutcome {
            end,
            counts: self.counts,
            containers: self.containers,
            cursor_before: self.known.cloned(),
            cursor: cursor.or_else(|| self.known.cloned()),
            source_clock: self.source_clock,
            zone: self.zone.clone(),
            findings: self.found.clone(),
            known_findings: self
                .before
                .map_or_else(Vec::new, |state| findings::codes(&state.findings)),
        }
    }

    /// What this commit says of the feed: nothing before the round's end, and nothing of a single partition, whose rounds are
    /// summed up by the feed's.
    fn finding_update(
        &mut self,
        end: &RoundEnd,
        cursor: Option<&Cursor>,
        now: Timestamp,
    ) -> FindingUpdate {
        if self.key.partition.is_some() || *end == RoundEnd::Unfinished {
            return FindingUpdate::default();
        }
        let mut update = findings::of_round(
            &self.ports.watch,
            (self.action, self.feed),
            (&self.counts, &self.zone, end),
            self.before,
            now,
        );
        if *end == RoundEnd::Succeeded && self.goes_by_dates() {
            let (watch, counts) = (&self.ports.watch, &self.counts);
            let moved = (self.known, cursor);
            findings::add_not_shown_again(
                &mut update,
                watch,
                &self.key,
                counts,
                moved,
                self.before,
            );
        }
        self.found.clone_from(&update.seen);
        update
    }

    /// Commits what was found so far, and says where the cursor was moved to.
    async fn commit_part(
        &mut self,
        end: RoundEnd,
        cursor: Option<Cursor>,
    ) -> Result<Option<Cursor>, StoreError> {
        let (changes, shown) = self.pending.take();
        self.send_commit(end, cursor, changes, shown, Vec::new())
            .await
    }

    async fn send_commit(
        &mut self,
        end: RoundEnd,
        cursor: Option<Cursor>,
        changes: Vec<Change>,
        shown: Vec<RecordId>,
        absences: Vec<(RecordId, rounds_domain::Absence)>,
    ) -> Result<Option<Cursor>, StoreError> {
        // An earlier part was contested: its records must be asked for again.
        let cursor = cursor.filter(|_| self.contested == 0 || self.is_sweep());
        let views = self.pending.take_views();
        let counts = self.counts.since(&self.counted);
        self.counted = self.counts;
        let now = self.ports.clock.now();
        let findings = self.finding_update(&end, cursor.as_ref(), now);
        let receipt = self
            .ports
            .store
            .commit_round(RoundCommit {
                feed: self.key.clone(),
                lane: self.action.connection.clone(),
                findings,
                changes,
                shown,
                views,
                absences,
                cursor: cursor.clone(),
                started_at: self.started_at,
                committed_at: now,
                missed_ticks: std::mem::take(&mut self.missed_ticks),
                counts,
                end,
            })
            .await?;
        self.containers += receipt.containers;
        self.contested += receipt.contested;
        self.counts.elsewhere += receipt.elsewhere;
        Ok(cursor.filter(|_| receipt.contested == 0 || self.is_sweep()))
    }

    /// Whether the round asks from a date that a record has, so that this record has to be shown again.
    fn goes_by_dates(&self) -> bool {
        self.purpose == Purpose::Tell
            && self.feed.role == FeedRole::Changes
            && matches!(&self.feed.cursor, CursorRule::Time(rule) if rule.source.is_field())
    }

    fn is_sweep(&self) -> bool {
        matches!(self.feed.cursor, CursorRule::Sweep(_))
    }
}

/// A change query has its own; sweeps go by that of the change query that they stand behind.
fn settle_of(action: &Action, feed: &Feed) -> Duration {
    let asked = match feed.role {
        FeedRole::Changes => feed,
        FeedRole::Trailing | FeedRole::Reconcile => &*action.changes,
    };
    match &asked.cursor {
        CursorRule::Time(rule) => rule.settle,
        _ => Duration::ZERO,
    }
}

/// The key of an action's feed.
pub(crate) fn feed_key(action: &Action, feed: &Feed) -> FeedKey {
    FeedKey::whole(action.name.clone(), feed.name.clone())
}
