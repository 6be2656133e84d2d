//! The newest state of each record, where an answer may hold older ones too.
//!
//! A history gives every state of a record, the newest first. What comes after the first is older than what is known or about
//! to be told, on whichever page it stands: told, it would look as if the record had gone back.

use rounds_domain::RecordId;
use rounds_domain::plan::{CursorRule, Feed, TimeCursor, TimeSource};
use sha2::{Digest, Sha256};
use std::collections::HashSet;

/// Which records an answer has shown.
pub(super) enum Newest {
    /// Nobody asks: records come in any order.
    NotAsked,
    /// These, as marks of a few bytes.
    Shown(HashSet<[u8; 16]>),
}

impl Newest {
    pub(super) fn of(feed: &Feed) -> Self {
        match &feed.cursor {
            CursorRule::Time(TimeCursor {
                source: TimeSource::DescendingField,
                ..
            }) => Self::Shown(HashSet::new()),
            _ => Self::NotAsked,
        }
    }

    /// Another answer begins.
    pub(super) fn begin_answer(&mut self) {
        if let Self::Shown(shown) = self {
            shown.clear();
        }
    }

    /// Whether this answer has not shown the record before.
    pub(super) fn is_first(&mut self, id: &RecordId) -> bool {
        let Self::Shown(shown) = self else {
            return true;
        };
        let mut mark = [0; 16];
        mark.copy_from_slice(&Sha256::digest(id.expose())[..16]);
        shown.insert(mark)
    }
}
