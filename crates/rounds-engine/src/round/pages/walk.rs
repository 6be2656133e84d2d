//! Pages by place (an offset, a page's number) over records that move meanwhile.
//!
//! When a record that was read already is edited and moves to the end, or is deleted, everything behind it moves up, and
//! the next page begins one too late: a record in between is never shown. So a page by place is believed only if it
//! joins what was read, that is, if it begins with a record that is known from there in this very state (one that was
//! edited since may have moved):
//!
//! - *By offset* each page is asked for one record before the end of what was read. If it does not join, the walk goes back a
//!   page, and again, until one does, and goes on from there.
//! - *By number* pages cannot overlap, so each is asked for once more after its successor: what moved up out of the
//!   successor's place is shown then. If that does not join either, the walk goes back further before it goes on.
//!
//! What comes twice is silent by the ledger. Where the server holds the answer still ([`Rows::Stay`]) none of this
//! is needed.

use rounds_domain::plan::Rows;
use rounds_domain::{RecordId, Version};
use std::collections::{HashSet, VecDeque};

/// How many joined pages are remembered. Going back further finds nothing known, and ends at the first page.
const REMEMBERED_PAGES: usize = 4;
/// By how many records a page by offset overlaps the one before it.
const OVERLAP: u64 = 1;

/// The records of a page, each in the state in which it was shown.
type States = HashSet<(RecordId, Version)>;

/// Where pages are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Places {
    /// At offsets, with this many records each.
    Offsets {
        /// How many.
        size: u64,
    },
    /// At numbers from this one on.
    Numbers {
        /// The first.
        first: u64,
        /// How many records a full page has, if that is known.
        size: Option<u64>,
    },
}

/// Why a page is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Errand {
    /// To go on.
    Onward,
    /// To see whether something lies between what was read and what came after.
    LookBack,
}

/// A walk over pages by place.
#[derive(Debug)]
pub(super) struct Walk {
    places: Places,
    rows: Rows,
    at: u64,
    errand: Errand,
    /// Where a walk by number goes on after looking back; None where the answer has ended.
    onward: Option<u64>,
    joined: VecDeque<States>,
    /// Pages that were read and of which it is not known yet whether something lies before them.
    apart: Vec<States>,
    /// What the last page said of its size.
    said: Step,
    /// How many records were shown up to the end of what was read.
    covered: u64,
}

/// What a page shows and says of its size.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Step {
    /// How many rows it has, before anything was left out.
    pub(super) shown: u64,
    /// Whether it says that there are more pages.
    pub(super) more: Option<bool>,
    /// How many rows it says there are in all.
    pub(super) total: Option<u64>,
}

impl Walk {
    pub(super) fn new(places: Places, rows: Rows) -> Self {
        // Pages of one record cannot overlap, and their offsets are their numbers.
        let places = match places {
            Places::Offsets { size: 1 } => Places::Numbers {
                first: 0,
                size: Some(1),
            },
            places => places,
        };
        let mut walk = Self {
            places,
            rows,
            at: 0,
            errand: Errand::Onward,
            onward: None,
            joined: VecDeque::new(),
            apart: Vec::new(),
            said: Step::default(),
            covered: 0,
        };
        walk.at = walk.first();
        walk
    }

    /// The same walk, where the pages up to this place were read already.
    pub(super) const fn beginning_at(mut self, at: u64) -> Self {
        self.at = at;
        self
    }

    /// The place of the page that is to be asked for.
    pub(super) const fn at(&self) -> u64 {
        self.at
    }

    /// Whether that page lies where others were read before, so that it may well show the same.
    pub(super) fn is_looking_back(&self) -> bool {
        self.errand == Errand::LookBack
    }

    /// Whether its places are offsets.
    pub(super) const fn is_by_offset(&self) -> bool {
        matches!(self.places, Places::Offsets { .. })
    }

    /// Whether everything before the end of what was read was shown.
    pub(super) fn has_no_gap(&self) -> bool {
        self.apart.is_empty()
    }

    /// How many rows were shown up to the end of what was read.
    pub(super) const fn covered(&self) -> u64 {
        self.covered
    }

    /// Takes what a page shows, and what it says of its size, and goes to the next page; false where there is none.
    pub(super) fn step(&mut self, states: Vec<(RecordId, Version)>, said: Step) -> bool {
        self.said = said;
        if self.errand == Errand::Onward {
            self.covered = match self.places {
                Places::Offsets { .. } => self.at.saturating_add(said.shown),
                Places::Numbers { .. } => self.covered.saturating_add(said.shown),
            };
        }
        let next = match self.rows {
            Rows::Stay => self.after_still_page(),
            Rows::Move => self.after_moving_page(states),
        };
        if let Some(next) = next {
            self.at = next;
        }
        next.is_some()
    }

    fn after_still_page(&self) -> Option<u64> {
        let count = self.said.shown;
        let step = match self.places {
            Places::Offsets { .. } => count,
            Places::Numbers { .. } => 1,
        };
        self.goes_on(count).then(|| self.at.saturating_add(step))
    }

    fn after_moving_page(&mut self, shown: Vec<(RecordId, Version)>) -> Option<u64> {
        let count = self.said.shown;
        let joins = self.at == self.first()
            || (shown.first())
                .is_some_and(|first| self.joined.iter().any(|page| page.contains(first)));
        let states: States = shown.into_iter().collect();
        match (self.places, self.errand) {
            (Places::Offsets { size }, _) if joins => {
                self.errand = Errand::Onward;
                // They will be read again on the way onward.
                self.apart.clear();
                self.join(states);
                let overlap = OVERLAP.min(size.saturating_sub(1));
                self.goes_on(count)
                    .then(|| self.at.saturating_add((count - overlap).max(1)))
            }
            (Places::Offsets { size }, _) => {
                self.errand = Errand::LookBack;
                self.apart.push(states);
                Some(self.at.saturating_sub(size))
            }
            (Places::Numbers { .. }, Errand::Onward) => {
                let onward = self.goes_on(count).then(|| self.at.saturating_add(1));
                if self.at == self.first() {
                    self.join(states);
                    return onward;
                }
                self.onward = onward;
                self.errand = Errand::LookBack;
                self.apart.push(states);
                Some(self.at - 1)
            }
            (Places::Numbers { .. }, Errand::LookBack) if joins => {
                self.errand = Errand::Onward;
                self.join(states);
                for states in std::mem::take(&mut self.apart) {
                    self.join(states);
                }
                self.onward.take()
            }
            (Places::Numbers { .. }, Errand::LookBack) => {
                self.apart.push(states);
                Some(self.at.saturating_sub(1).max(self.first()))
            }
        }
    }

    fn goes_on(&self, count: u64) -> bool {
        let full = match self.places {
            Places::Offsets { size } => Some(size),
            Places::Numbers { size, .. } => size,
        };
        // A server that caps its pages lower than what was asked for says how many there are.
        let says_more = self.said.total.is_some_and(|total| self.covered < total);
        match (self.said.more, self.places) {
            (Some(false), _) => false,
            // By offset an empty page says nothing of where the next one begins.
            (Some(true), Places::Offsets { .. }) => count > 0,
            (Some(true), Places::Numbers { .. }) => true,
            (None, _) => count > 0 && (says_more || full.is_none_or(|full| count >= full)),
        }
    }

    pub(super) const fn first(&self) -> u64 {
        match self.places {
            Places::Offsets { .. } => 0,
            Places::Numbers { first, .. } => first,
        }
    }

    fn join(&mut self, states: States) {
        if self.joined.len() == REMEMBERED_PAGES {
            self.joined.pop_front();
        }
        self.joined.push_back(states);
    }
}
