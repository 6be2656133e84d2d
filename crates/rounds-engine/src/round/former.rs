//! What is known of a record, read as this feed reads records today.
//!
//! Another version than the ledger's is not always news. It may be an older state, shown again by an overlap, a replica that is behind or an
//! answer that holds a record twice; or the very state that is known, under another rule: `ignore` was added, the connector was
//! upgraded. The ledger keeps the last state whole, so both can be seen: it is read by the present rules and compared.
//!
//! And the same version is not always the same state. Some servers never move it; a record that is dated later than the feed has ever
//! seen, under the version that is known, has changed.
//!
//! What to mind: only records that differ, or are dated later than the cursor, cost this look. An overlap that is known costs nothing.

use super::cursor::{Position, SourceClock, is_future};
use super::gone::version_of_absence;
use super::read::{self, ReadRecord};
use super::{Interruption, Round};
use crate::moment::{earlier, later};
use crate::round::failure;
use jiff::Timestamp;
use rounds_domain::plan::{FeedRole, VersionRule};
use rounds_domain::{Cursor, Knowledge, RecordId, Version};
use rounds_map::Json;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;

/// How near to a change of the clocks a local time may mean two instants. No zone moves its clocks by more.
const AROUND_A_CHANGE: Duration = Duration::from_hours(3);

/// The state that is known, by the present rules.
#[derive(Debug, Clone, Copy)]
pub(super) struct Former {
    version: Version,
    /// The version as a number, if it is one.
    number: Option<u64>,
    position: Position,
}

/// How a shown state relates to the one that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    /// It is another, and nothing says that it is older.
    News,
    /// It is another under the same version, which did not move: this is what tells it from the known one.
    Moved(Version),
    /// It is the same, and the ledger has it under another rule's version.
    Same,
    /// It is older.
    Older,
}

impl Round<'_> {
    /// The known states of those records whose versions alone do not decide.
    pub(super) async fn formers(
        &mut self,
        records: &[ReadRecord],
        known: &[Knowledge],
    ) -> Result<Vec<Option<Former>>, Interruption> {
        let places: Vec<usize> = (records.iter().zip(known).enumerate())
            .filter(|(_, (record, known))| self.is_undecided(record, **known))
            .map(|(place, _)| place)
            .collect();
        let mut formers = vec![None; records.len()];
        if places.is_empty() {
            return Ok(formers);
        }
        let ids: Vec<RecordId> = places
            .iter()
            .map(|place| records[*place].id.clone())
            .collect();
        let states = (self.ports.store)
            .known_records(&self.action.name, &ids)
            .await?;
        let (action, feed) = (Arc::clone(self.action), Arc::clone(self.feed));
        let read = self.ports.evaluator.run(move || {
            let read = |state: Option<rounds_domain::Document>| {
                let json = Json::parse(state?.bytes()).ok()?;
                let record = read::record(&action, &feed, None, &json).ok()?;
                Some(Former {
                    version: record.version,
                    number: record.number,
                    position: record.position,
                })
            };
            states.into_iter().map(read).collect::<Vec<_>>()
        });
        let read = read
            .await
            .map_err(|error| failure::not_evaluated("reading known records", error))?;
        for (place, former) in places.into_iter().zip(read) {
            formers[place] = former;
        }
        Ok(formers)
    }

    fn is_undecided(&self, record: &ReadRecord, known: Knowledge) -> bool {
        let Some(version) = known.version() else {
            return false;
        };
        version != record.version || self.is_later_than_seen(record)
    }

    /// Whether a date means one instant. In the hours around a change of the clocks a local time may mean two, and what was written in the
    /// second of them seems older than what was written in the first.
    fn is_certain(&self, at: Timestamp) -> bool {
        let Some(dated_by) = &self.feed.dated_by else {
            return true;
        };
        let offset_at = |at| dated_by.zone.to_offset(at);
        offset_at(earlier(at, AROUND_A_CHANGE)) == offset_at(later(at, AROUND_A_CHANGE))
    }

    /// Whether a record is dated later than all that the feed has seen, though its version says nothing new.
    fn is_later_than_seen(&self, record: &ReadRecord) -> bool {
        match (&self.feed.version, self.known, record.position) {
            (VersionRule::Field(_), Some(Cursor::Time(seen)), Position::At(at)) => at > *seen,
            _ => false,
        }
    }

    /// How a record relates to what is known of it.
    pub(super) fn relation(
        &self,
        record: &ReadRecord,
        known: Knowledge,
        former: Option<Former>,
        clock: SourceClock,
    ) -> Relation {
        let (Some(former), Some(version)) = (former, known.version()) else {
            return Relation::News;
        };
        let is_first_hand = self.feed.role == FeedRole::Changes;
        if version == version_of_absence(record.version) {
            // An overlap shows for a while what a sweep has found to be gone; who was asked for everything shows that it is back.
            let is_overlap = is_first_hand && matches!(record.position, Position::At(_));
            return if is_overlap {
                Relation::Older
            } else {
                Relation::News
            };
        }
        if version == record.version {
            return match (former.position, record.position) {
                (Position::At(before), Position::At(at)) if at > before => {
                    Relation::Moved(moved(record.version, at))
                }
                _ => Relation::News,
            };
        }
        // What is only presumed is news to the change query, whatever its version.
        let is_presumed = matches!(known, Knowledge::Presumed(_));
        if former.version == record.version && !(is_presumed && is_first_hand) {
            return Relation::Same;
        }
        match (former.position, record.position) {
            // A date in the future was wrong, and what comes after it is right. One answer's wrong `Date` must not make it a past one.
            (Position::At(before), Position::At(at))
                if at < before
                    && !is_future(before, clock.believed())
                    && self.is_certain(at)
                    && self.is_certain(before) =>
            {
                Relation::Older
            }
            (Position::At(before), Position::At(at)) if at > before => Relation::News,
            _ => match (former.number, record.number) {
                (Some(before), Some(number)) if number < before => Relation::Older,
                _ => Relation::News,
            },
        }
    }
}

/// A version of its own for a state that has the version of another.
fn moved(version: Version, at: Timestamp) -> Version {
    let digest = Sha256::new()
        .chain_update("moved\0")
        .chain_update(version.0)
        .chain_update(at.as_nanosecond().to_be_bytes())
        .finalize();
    let mut moved = [0; 16];
    moved.copy_from_slice(&digest[..16]);
    Version(moved)
}
