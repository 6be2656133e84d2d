//! What becomes of each record of a page.
//!
//! The ledger says what is known; the purpose of the round says whether news is told. A version that is known is silent in
//! every feed, with one exception: what is only presumed, from a sweep's first look, is news when the change query shows it.

use super::absence::Seen;
use super::ask::{Asked, Purpose};
use super::cursor::{Age, Position, SourceClock, age};
use super::former::Relation;
use super::late::{self, Found};
use super::pending::{Cancelled, Put};
use super::read::{Identity, PageContent, ReadRecord};
use super::{Interruption, Round, heard};
use crate::observe::{Choice, ChosenRecord};
use jiff::Timestamp;
use rounds_domain::plan::{CursorRule, Deletions, FeedRole, Start};
use rounds_domain::{Code, Cursor, Knowledge, Origin, Presence, RecordId, Resolution, Version};

/// The code of a container whose record has no identity.
const UNIDENTIFIED: Code = Code::new("R0401");
/// The code of a container whose record has a date that stands for none.
const PLACEHOLDER_DATE: Code = Code::new("R0416");

impl Round<'_> {
    /// Decides for each record of a page what becomes of it.
    pub(super) async fn choose(
        &mut self,
        records: Vec<ReadRecord>,
        asked: &Asked,
        clock: SourceClock,
        read_at: Timestamp,
    ) -> Result<(), Interruption> {
        let mut records = self.in_reach(records, asked);
        self.counts.records += count(&records);
        if let Some(failure) = heard::ignored_by_its_records(self.feed, asked, &records) {
            return Err(failure.into());
        }
        self.complete_tombstones(&mut records).await?;
        let ids: Vec<RecordId> = records.iter().map(|record| record.id.clone()).collect();
        let known = self
            .ports
            .store
            .known_versions(&self.action.name, &ids)
            .await?;
        let formers = self.formers(&records, &known).await?;
        let views = self.views(&ids).await?;
        let origins = (self.past)
            .origins(self.ports, self.feed, &records, &known, &mut self.counts)
            .await?;
        let marks_shown = self.marks_shown();
        let mut found = Vec::new();
        let known = known.into_iter().zip(formers).zip(views).zip(origins);
        for (record, (((known, former), view), origin)) in records.into_iter().zip(known) {
            let id = (record.identity == Identity::Given).then(|| record.id.clone());
            let is_there = record.presence == Presence::There;
            if let Some(id) = id.as_ref().filter(|_| marks_shown && is_there) {
                self.pending.show(id.clone());
            }
            let (document, position) = (record.record.clone(), record.position);
            let relation = self.relation(&record, known, former, clock);
            let beside = Beside {
                known,
                origin,
                relation,
                view,
            };
            let choice = self.choose_one(record, beside, clock, read_at);
            self.counts.ambiguous += u64::from(choice == Choice::Ambiguous);
            if let (Some(id), Position::At(at)) = (&id, position)
                && self.feed.role != FeedRole::Changes
                && matches!(choice, Choice::Created | Choice::Updated)
            {
                found.push(Found { id: id.clone(), at });
            }
            self.observer.chose(ChosenRecord {
                id,
                record: document,
                choice,
            });
        }
        late::count(
            self.ports,
            self.action,
            self.feed,
            found,
            self.passed,
            clock,
            &mut self.counts,
        )
        .await?;
        Ok(())
    }

    /// The records of a page that were asked for, each in its newest state. Only a source that gives the newest first gives others.
    fn in_reach(&mut self, records: Vec<ReadRecord>, asked: &Asked) -> Vec<ReadRecord> {
        records
            .into_iter()
            .filter(|record| {
                self.advance.descend(record.position, asked.lower)
                    && self.newest.is_wanted(&record.id)
            })
            .collect()
    }

    fn choose_one(
        &mut self,
        mut record: ReadRecord,
        beside: Beside,
        clock: SourceClock,
        read_at: Timestamp,
    ) -> Choice {
        let Beside {
            known,
            origin,
            relation,
            view,
        } = beside;
        if matches!(
            record.position,
            Position::Undated | Position::Placeholder(_)
        ) {
            self.counts.undated += 1;
        }
        if record.identity == Identity::Missing {
            self.counts.unidentified += 1;
        }
        self.advance.record(record.position, clock);
        match age(record.position, clock, self.settle) {
            Age::Unsettled => {
                self.counts.unsettled += 1;
                return Choice::Unsettled;
            }
            Age::Future => self.counts.future_dated += 1,
            Age::Settled => {}
        }
        let is_again = record.identity == Identity::Given && self.newest.is_again(&record.id);
        let is_new_here = view != View::Shows(record.version);
        if view != View::Alone && is_new_here {
            self.pending.view(record.id.clone(), record.version);
        }
        let is_known = !is_new_here || self.is_silent(&record, known);
        match relation {
            Relation::Moved(version) if self.purpose == Purpose::Tell => record.version = version,
            Relation::Older => {
                self.counts.unchanged += 1;
                return Choice::Older;
            }
            Relation::Same if !is_known => return self.rekey(record, known, read_at),
            _ if is_known => return self.unchanged(&record, is_again),
            // Its other state in this answer is known, and nothing says that this one is newer.
            Relation::News
                if is_again && self.is_undated() && self.was_unchanged(&record, known) =>
            {
                self.counts.unchanged += 1;
                return Choice::Ambiguous;
            }
            _ => {}
        }
        let (resolution, choice) = self.resolve(&record, known);
        match (self.pending).put(record, origin, resolution, read_at, self.ports) {
            Put::Added => {}
            Put::Conflicting if is_again => return Choice::Ambiguous,
            Put::Merged | Put::Conflicting => return Choice::Superseded,
        }
        match choice {
            Choice::Baselined => self.counts.baselined += 1,
            // They are counted as what is wrong with them.
            Choice::Unidentified | Choice::Undated => {}
            _ => self.counts.changed += 1,
        }
        choice
    }

    /// A state that is known. What this answer showed of the record before is no news then, unless it is dated later.
    fn unchanged(&mut self, record: &ReadRecord, is_again: bool) -> Choice {
        self.counts.unchanged += 1;
        if is_again && self.pending.cancel(&record.id, record.position) == Cancelled::Change {
            self.counts.changed = self.counts.changed.saturating_sub(1);
            return Choice::Ambiguous;
        }
        Choice::Unchanged
    }

    /// Notes a known state under the version that it has by the present rules.
    fn rekey(&mut self, record: ReadRecord, known: Knowledge, read_at: Timestamp) -> Choice {
        self.counts.unchanged += 1;
        let resolution = match known {
            Knowledge::Presumed(_) => Resolution::Presume,
            _ => Resolution::Baseline,
        };
        _ = (self.pending).put(record, Origin::default(), resolution, read_at, self.ports);
        Choice::Rekeyed
    }

    /// Whether the feed's records do not say when they changed.
    fn is_undated(&self) -> bool {
        self.feed.dated_by.is_none()
    }

    /// Whether this answer showed the record before in the state that is known: then nothing of it is pending.
    fn was_unchanged(&self, record: &ReadRecord, known: Knowledge) -> bool {
        known != Knowledge::Unknown && !self.pending.has(&record.id)
    }

    /// What this feed showed last of these records, if others tell of the same ones as first hand.
    async fn views(&mut self, ids: &[RecordId]) -> Result<Vec<View>, Interruption> {
        if !self.action.has_several_tellers() || self.feed.role != FeedRole::Changes {
            return Ok(vec![View::Alone; ids.len()]);
        }
        let shown = self.ports.store.versions_shown(&self.key, ids).await?;
        Ok((shown.into_iter())
            .map(|shown| shown.map_or(View::Nothing, View::Shows))
            .collect())
    }

    fn is_silent(&self, record: &ReadRecord, known: Knowledge) -> bool {
        match known {
            Knowledge::Unknown => false,
            Knowledge::Known(version) => version == record.version,
            Knowledge::Presumed(version) => {
                version == record.version && self.feed.role != FeedRole::Changes
            }
        }
    }

    fn resolve(&self, record: &ReadRecord, known: Knowledge) -> (Resolution, Choice) {
        let is_unknown = known == Knowledge::Unknown;
        match (self.purpose, record.identity) {
            (Purpose::Baseline, _) => (Resolution::Baseline, Choice::Baselined),
            (Purpose::FirstLook, _) if is_unknown => (Resolution::Presume, Choice::Baselined),
            (Purpose::Tell, Identity::Given) if is_unknown && self.has_come_into_sight(record) => {
                (Resolution::Presume, Choice::Baselined)
            }
            (Purpose::Tell, Identity::Given) if is_unknown && self.is_before_start(record) => {
                (Resolution::Baseline, Choice::Baselined)
            }
            (_, Identity::Missing) => (
                Resolution::Dead {
                    code: UNIDENTIFIED,
                    reason: "`id` gave no text or number for this record".to_owned(),
                },
                Choice::Unidentified,
            ),
            // A sweep goes by what is there, whenever it changed.
            (_, Identity::Given)
                if let Position::Placeholder(at) = record.position
                    && self.feed.role == FeedRole::Changes =>
            {
                let place = (self.feed.dated_by.as_ref()).map_or("", |by| by.field.text().trim());
                let date = at.to_zoned(jiff::tz::TimeZone::UTC).date();
                (
                    Resolution::Dead {
                        code: PLACEHOLDER_DATE,
                        reason: format!("the date at `{place}` is {date}, which stands for none"),
                    },
                    Choice::Undated,
                )
            }
            (_, Identity::Given) => {
                let is_first = is_unknown || known == Knowledge::Presumed(record.version);
                let choice = if is_first {
                    Choice::Created
                } else {
                    Choice::Updated
                };
                (Resolution::Tell, choice)
            }
        }
    }

    /// Whether a sweep over dates sees a record only because its dates went on: then it may have been there all the time.
    fn has_come_into_sight(&self, record: &ReadRecord) -> bool {
        match (self.known, record.day) {
            (Some(Cursor::Dates { from, to }), Some(day)) => day < *from || day > *to,
            _ => false,
        }
    }

    /// Whether a record says that it changed before the instant from which on changes are to be told.
    fn is_before_start(&self, record: &ReadRecord) -> bool {
        match (self.feed.start, record.position) {
            (Start::Instant(start), Position::At(at)) => at < start,
            _ => false,
        }
    }

    /// Whether it must be known which records this round showed.
    fn marks_shown(&self) -> bool {
        match &self.feed.cursor {
            CursorRule::Sweep(sweep) => sweep.deletions != Deletions::Ignored,
            _ => false,
        }
    }
}

/// What is known beside a record.
#[derive(Debug, Clone, Copy)]
struct Beside {
    known: Knowledge,
    /// Where it comes from if it is not known.
    origin: Origin,
    relation: Relation,
    view: View,
}

/// What a change query showed last of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    /// It is the action's only one: the ledger says what was told.
    Alone,
    /// It never showed the record.
    Nothing,
    /// This version.
    Shows(Version),
}

impl Seen {
    /// Counts a page of a sweep.
    pub(super) fn count(&mut self, page: &PageContent) {
        let identified = |record: &&ReadRecord| record.identity == Identity::Given;
        self.records += count(page.records.iter().filter(identified));
    }
}

fn count<T>(of: impl IntoIterator<Item = T>) -> u64 {
    u64::try_from(of.into_iter().count()).unwrap_or(u64::MAX)
}
