//! What a round found and has not committed yet.

use super::cursor::Position;
use super::read::ReadRecord;
use crate::Ports;
use crate::ids::new_container_id;
use jiff::Timestamp;
use rounds_domain::{Change, Origin, RecordId, Resolution, Version};
use std::collections::HashMap;

/// A drain is committed in parts of at most this many changes...
const PART_CHANGES: usize = 2_000;
/// ...or of this many bytes of records, whichever comes first...
const PART_BYTES: usize = 8 * 1024 * 1024;
/// ...or of this many records that a sweep showed.
const PART_SHOWN: usize = 5_000;

/// Changes that were found and are not committed yet.
#[derive(Default)]
pub(super) struct Pending {
    changes: Vec<(Change, Position)>,
    by_record: HashMap<RecordId, usize>,
    bytes: usize,
    shown: Vec<RecordId>,
    views: Vec<(RecordId, Version)>,
}

/// Whether a record became a change of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    /// It did.
    Added,
    /// It came before in this part, which is told once, with its later state.
    Merged,
    /// Likewise, in another state, and no date says which is the later.
    Conflicting,
}

/// What was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cancelled {
    /// A change.
    Change,
    /// There was none, or it is the newer state.
    Nothing,
}

impl Pending {
    /// Adds a change that was asked for at `read_at`.
    pub(super) fn put(
        &mut self,
        record: ReadRecord,
        origin: Origin,
        resolution: Resolution,
        read_at: Timestamp,
        ports: &Ports,
    ) -> Put {
        let size = record.record.len_bytes();
        let position = record.position;
        if let Some(index) = self.by_record.get(&record.id) {
            let (earlier, earlier_position) = &mut self.changes[*index];
            let is_older = match (&earlier_position, &position) {
                (Position::At(known), Position::At(new)) => new < known,
                _ => false,
            };
            if is_older || earlier.version == record.version {
                return Put::Merged;
            }
            self.bytes = self.bytes + size - earlier.record.len_bytes();
            earlier.version = record.version;
            earlier.ordering_key = record.ordering_key;
            earlier.record = record.record;
            earlier.presence = record.presence;
            earlier.read_at = read_at;
            let is_later = matches!((&*earlier_position, &position), (Position::At(known), Position::At(new)) if known < new);
            *earlier_position = position;
            return if is_later {
                Put::Merged
            } else {
                Put::Conflicting
            };
        }
        self.bytes += size;
        self.by_record.insert(record.id.clone(), self.changes.len());
        let change = Change {
            container: new_container_id(ports),
            record_id: record.id,
            version: record.version,
            ordering_key: record.ordering_key,
            record: record.record,
            presence: record.presence,
            origin,
            read_at,
            resolution,
        };
        self.changes.push((change, position));
        Put::Added
    }

    /// Whether something was found of a record that is not committed yet.
    pub(super) fn has(&self, record: &RecordId) -> bool {
        self.by_record.contains_key(record)
    }

    /// Takes back what was found of a record, unless it is dated later than this.
    pub(super) fn cancel(&mut self, record: &RecordId, position: Position) -> Cancelled {
        let Some(index) = self.by_record.get(record).copied() else {
            return Cancelled::Nothing;
        };
        if let (Position::At(found), Position::At(at)) = (self.changes[index].1, position)
            && found > at
        {
            return Cancelled::Nothing;
        }
        self.by_record.remove(record);
        let (change, _) = self.changes.swap_remove(index);
        self.bytes -= change.record.len_bytes();
        if let Some((moved, _)) = self.changes.get(index) {
            self.by_record.insert(moved.record_id.clone(), index);
        }
        Cancelled::Change
    }

    /// Notes that a sweep showed a record.
    pub(super) fn show(&mut self, record: RecordId) {
        self.shown.push(record);
    }

    /// Notes what this feed shows of a record, where several tell of the same ones.
    pub(super) fn view(&mut self, record: RecordId, version: Version) {
        self.views.push((record, version));
    }

    /// Takes what was noted so.
    pub(super) fn take_views(&mut self) -> Vec<(RecordId, Version)> {
        std::mem::take(&mut self.views)
    }

    /// Whether it is time to commit a part.
    pub(super) fn is_large(&self) -> bool {
        self.changes.len() >= PART_CHANGES
            || self.bytes >= PART_BYTES
            || self.shown.len() >= PART_SHOWN
            || self.views.len() >= PART_SHOWN
    }

    /// Whether anything was found.
    pub(super) fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Takes the changes, and what a sweep showed. Where all of them are dated they come in the order of their dates, whatever the order of
    /// the pages was: newest first, or back to a page that was read again. Changes of one patient's records are told in this order.
    pub(super) fn take(&mut self) -> (Vec<Change>, Vec<RecordId>) {
        let views = std::mem::take(&mut self.views);
        let mut all = std::mem::take(self);
        self.views = views;
        let is_dated = |(_, position): &(Change, Position)| {
            matches!(position, Position::At(_) | Position::Placeholder(_))
        };
        if all.changes.iter().all(is_dated) {
            all.changes.sort_by_key(|(_, position)| match position {
                Position::At(at) | Position::Placeholder(at) => Some(*at),
                Position::NotAsked | Position::Undated => None,
            });
        }
        let changes = all.changes.into_iter().map(|(change, _)| change).collect();
        (changes, all.shown)
    }
}
