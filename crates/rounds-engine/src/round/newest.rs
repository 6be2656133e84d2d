//! The newest state of each record, where an answer may hold it more than once.
//!
//! A history gives every state of a record, the newest first. What comes after the first is older than what is known or about
//! to be told, on whichever page it stands: told, it would look as if the record had gone back.
//!
//! Other answers should not hold a record twice, and some do: a list of appointments joined with their participants, an `id` that is
//! not unique. It is noticed, so that two states without dates do not take turns for ever.

use rounds_domain::RecordId;
use rounds_domain::plan::{CursorRule, Feed, TimeCursor, TimeSource};
use sha2::{Digest, Sha256};
use std::collections::HashSet;

/// How many records of an unordered answer are remembered. Of a longer one the rest is not.
const MOST_REMEMBERED: usize = 200_000;

/// Which records an answer has shown, as marks of a few bytes.
pub(super) struct Newest {
    shown: HashSet<[u8; 16]>,
    order: States,
}

/// What the order in which states come says of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum States {
    /// The first of a record is its newest.
    NewestFirst,
    /// The last of a record is its newest: a log, or a queue.
    NewestLast,
    /// Nothing.
    Unordered,
}

impl Newest {
    pub(super) fn of(feed: &Feed) -> Self {
        let order = match &feed.cursor {
            CursorRule::Time(TimeCursor {
                source: TimeSource::DescendingField,
                ..
            }) => States::NewestFirst,
            CursorRule::Number(_) | CursorRule::Token(_) | CursorRule::Queue(_) => {
                States::NewestLast
            }
            CursorRule::Time(_) | CursorRule::Sweep(_) => States::Unordered,
        };
        Self {
            shown: HashSet::new(),
            order,
        }
    }

    /// Another answer begins.
    pub(super) fn begin_answer(&mut self) {
        self.shown.clear();
    }

    /// Whether a state is to be looked at: any, unless the newest came before.
    pub(super) fn is_wanted(&mut self, id: &RecordId) -> bool {
        self.order != States::NewestFirst || self.shown.insert(mark_of(id))
    }

    /// Whether this answer has shown the record before, where the order says nothing.
    pub(super) fn is_again(&mut self, id: &RecordId) -> bool {
        if self.order != States::Unordered {
            return false;
        }
        let mark = mark_of(id);
        if self.shown.len() >= MOST_REMEMBERED {
            return self.shown.contains(&mark);
        }
        !self.shown.insert(mark)
    }
}

fn mark_of(id: &RecordId) -> [u8; 16] {
    let mut mark = [0; 16];
    mark.copy_from_slice(&Sha256::digest(id.expose())[..16]);
    mark
}
