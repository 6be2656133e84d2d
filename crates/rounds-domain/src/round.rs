//! One run of one feed, as the store sees it.

use crate::plan::Start;
use crate::{Change, Code, Cursor, Document, FeedKey, Finding, FindingUpdate, RecordId, Version};
use jiff::Timestamp;
use std::time::Duration;

/// What is known of a feed between two rounds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FeedState {
    /// Where it stands; None until its first round was committed.
    pub cursor: Option<Cursor>,
    /// When its last round started, by our clock.
    pub last_started_at: Option<Timestamp>,
    /// When its last successful round ended, by our clock.
    pub last_succeeded_at: Option<Timestamp>,
    /// How many rounds have failed since the last success.
    pub failures_in_a_row: u32,
    /// The last round's failure, if it failed.
    pub failure: Option<RoundFailure>,
    /// Rounds that were due and were not made: the former one was still running, or Rounds was not.
    pub missed_ticks: u64,
    /// Rounds that succeeded since the database was made.
    pub rounds: u64,
    /// Records dated later than the source's own clock that were seen in the last round.
    pub future_dated: u64,
    /// How many partitions its last round asked; 0 where it has none.
    pub partitions: u64,
    /// How many of them failed.
    pub failing_partitions: u64,
    /// Of a sweep: changes that it found although the change query should have shown them before, by their dates. For a
    /// reconciling one they came later than the horizon.
    pub late: u64,
    /// By how much the latest of them was late.
    pub longest_late: Option<Duration>,
    /// Of a sweep: changes of records whose date had not moved, so that no change query could have shown them.
    pub undeclared: u64,
    /// Of a sweep: records that were told as gone.
    pub deleted: u64,
    /// Of a sweep: records that its last round held back because too many were gone at once.
    pub held_back: u64,
    /// What a person should look at, of a feed as a whole; none of a single partition.
    pub findings: Vec<Finding>,
    /// When its first successful round began, by our clock; None until there was one, and of feeds that are older than this note.
    pub began_at: Option<Timestamp>,
    /// How many records its rounds have shown; None where that was not counted from its beginning.
    pub shown: Option<u64>,
    /// Where it begins, if a person said so after its beginning; None: as the configuration says.
    pub start: Option<Start>,
}

/// Why a round failed, without any patient data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundFailure {
    /// The stable code.
    pub code: Code,
    /// One sentence: the operation, its operand, what went wrong.
    pub message: String,
    /// How to mend it, if known.
    pub hint: Option<String>,
}

/// What a round counted. Each number says what happened to that many records or requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RoundCounts {
    /// Requests sent for pages, retries included.
    pub requests: u64,
    /// Pages read.
    pub pages: u64,
    /// Records read.
    pub records: u64,
    /// Records whose version was known already.
    pub unchanged: u64,
    /// Records that became containers.
    pub changed: u64,
    /// Records that entered the ledger silently, because the feed starts from now.
    pub baselined: u64,
    /// Records younger than `settle`, left for a later round.
    pub unsettled: u64,
    /// Records dated later than the source's own clock.
    pub future_dated: u64,
    /// Records whose cursor field was absent or could not be read.
    pub undated: u64,
    /// Records, unknown until then, that did not say when they were made though they should.
    pub unsaid_made: u64,
    /// Records without an identity: each is kept as a dead container.
    pub unidentified: u64,
    /// Records that came twice in one answer, in states of which nothing says which is the newer.
    pub ambiguous: u64,
    /// Records that another partition showed before under the same identity.
    pub elsewhere: u64,
    /// How often `skip` or `gone` failed on a record, which was taken as there.
    pub undecided: u64,
    /// Rows that `skip` left out: they are no records.
    pub skipped: u64,
    /// Signs in the answers that are no characters, each read as U+FFFD.
    pub mended_signs: u64,
    /// Changes that a sweep found and that the change query should have shown before.
    pub late: u64,
    /// By how much the latest of them was late.
    pub longest_late: Option<Duration>,
    /// Changes that a sweep found of records whose date had not moved.
    pub undeclared: u64,
    /// Partitions asked, of a feed that has them.
    pub partitions: u64,
    /// Of those, how many failed.
    pub failing_partitions: u64,
    /// Records that are gone.
    pub deleted: u64,
    /// Records that are gone and were not told, because they are too many.
    pub held_back: u64,
}

impl RoundCounts {
    /// Adds what another round counted.
    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.pages += other.pages;
        self.records += other.records;
        self.unchanged += other.unchanged;
        self.changed += other.changed;
        self.baselined += other.baselined;
        self.unsettled += other.unsettled;
        self.future_dated += other.future_dated;
        self.undated += other.undated;
        self.unsaid_made += other.unsaid_made;
        self.unidentified += other.unidentified;
        self.ambiguous += other.ambiguous;
        self.elsewhere += other.elsewhere;
        self.undecided += other.undecided;
        self.skipped += other.skipped;
        self.mended_signs += other.mended_signs;
        self.late += other.late;
        self.longest_late = self.longest_late.max(other.longest_late);
        self.undeclared += other.undeclared;
        self.partitions += other.partitions;
        self.failing_partitions += other.failing_partitions;
        self.deleted += other.deleted;
        self.held_back += other.held_back;
    }

    /// What was counted since it stood at `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            requests: self.requests - earlier.requests,
            pages: self.pages - earlier.pages,
            records: self.records - earlier.records,
            unchanged: self.unchanged - earlier.unchanged,
            changed: self.changed - earlier.changed,
            baselined: self.baselined - earlier.baselined,
            unsettled: self.unsettled - earlier.unsettled,
            future_dated: self.future_dated - earlier.future_dated,
            undated: self.undated - earlier.undated,
            unsaid_made: self.unsaid_made - earlier.unsaid_made,
            unidentified: self.unidentified - earlier.unidentified,
            ambiguous: self.ambiguous - earlier.ambiguous,
            elsewhere: self.elsewhere - earlier.elsewhere,
            undecided: self.undecided - earlier.undecided,
            skipped: self.skipped - earlier.skipped,
            mended_signs: self.mended_signs - earlier.mended_signs,
            late: self.late - earlier.late,
            longest_late: self.longest_late,
            undeclared: self.undeclared - earlier.undeclared,
            partitions: self.partitions - earlier.partitions,
            failing_partitions: self.failing_partitions - earlier.failing_partitions,
            deleted: self.deleted - earlier.deleted,
            held_back: self.held_back - earlier.held_back,
        }
    }
}

/// How a commit ends a round, or that it does not end it yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoundEnd {
    /// More of the same round follows: a drain too large to be held in memory is committed in parts, and only the
    /// last part moves the cursor.
    Unfinished,
    /// The whole result was drained.
    Succeeded,
    /// The round ended early. What was drained is committed, the cursor stays.
    Failed(RoundFailure),
}

/// One transaction: ledger entries, containers and cursor of a round (law 1).
#[derive(Debug, Clone)]
pub struct RoundCommit {
    /// The feed.
    pub feed: FeedKey,
    /// The lane its containers wait in: the connection's name.
    pub lane: crate::ConnectionName,
    /// The records to tell of. Only those whose version differs from the ledger become containers, which makes a
    /// repeated commit harmless; `previous` is taken from the ledger inside the transaction.
    pub changes: Vec<Change>,
    /// The records that a sweep showed, changed or not: noted, so that those that it did not show can be told.
    pub shown: Vec<RecordId>,
    /// What this feed shows of records, changed or not, where several change queries tell of the same ones. A change that the feed
    /// showed before is known, whatever another feed has told since.
    pub views: Vec<(RecordId, Version)>,
    /// What is thought of records that a complete sweep did not show.
    pub absences: Vec<(RecordId, Absence)>,
    /// The new cursor, if it moves. Given only where that is honest (law 2); kept from moving where a change was contested.
    pub cursor: Option<Cursor>,
    /// When the round started, by our clock.
    pub started_at: Timestamp,
    /// When this commit is made, by our clock.
    pub committed_at: Timestamp,
    /// Ticks that passed without a round before this one; added once per round.
    pub missed_ticks: u64,
    /// What this part of the round counted.
    pub counts: RoundCounts,
    /// What a person should look at, with the commit that ends the round.
    pub findings: FindingUpdate,
    /// Whether and how this commit ends the round.
    pub end: RoundEnd,
}

impl RoundCommit {
    /// A commit that brings nothing yet.
    pub fn of(
        feed: FeedKey,
        lane: crate::ConnectionName,
        started_at: Timestamp,
        committed_at: Timestamp,
        end: RoundEnd,
    ) -> Self {
        Self {
            feed,
            lane,
            changes: Vec::new(),
            shown: Vec::new(),
            views: Vec::new(),
            absences: Vec::new(),
            cursor: None,
            started_at,
            committed_at,
            missed_ticks: 0,
            counts: RoundCounts::default(),
            findings: FindingUpdate::default(),
            end,
        }
    }
}

/// What became of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommitReceipt {
    /// How many containers were made.
    pub containers: u64,
    /// How many changes the ledger knew already.
    pub known: u64,
    /// How many were left alone because another feed of the action told of the record after this one had asked for it. The
    /// cursor did not move, so that they are asked for again.
    pub contested: u64,
    /// How many changes are of records that another partition showed before: they went over, or two partitions count alike.
    pub elsewhere: u64,
}

/// What the ledger knows of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knowledge {
    /// Nothing.
    Unknown,
    /// This version, from a sweep's first look only: the change query has not shown the record yet.
    Presumed(Version),
    /// This version.
    Known(Version),
}

impl Knowledge {
    /// The version, whatever it is known from.
    pub const fn version(self) -> Option<Version> {
        match self {
            Self::Unknown => None,
            Self::Presumed(version) | Self::Known(version) => Some(version),
        }
    }
}

/// What is thought of a record that a complete sweep did not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// The sweep did not look where it is now: it cannot be missed any more.
    OutOfSight,
    /// It may be gone: it is looked for a second time before that is told.
    Unseen,
    /// It was looked for twice, and so many others are missing with it that the sweep is doubted.
    Held,
}

/// What was thought before of a record that a sweep did not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspicion {
    /// Nothing: every complete sweep has shown it.
    None,
    /// A complete sweep did not show it, the one that began then.
    Unseen(Timestamp),
    /// It is held back.
    Held,
    /// It was held back, and a person said that it is gone.
    Released,
}

/// A record that a sweep did not show.
#[derive(Debug, Clone)]
pub struct MissedRecord {
    /// What was thought of it before.
    pub suspicion: Suspicion,
    /// Which.
    pub id: RecordId,
    /// The last that is known of it.
    pub version: Version,
    /// The same, whole.
    pub record: Document,
}
