//! What messages show of the mapping that makes them.
//!
//! One message without a patient is a patient who is not known. Every message without one is a path that was misspelt, or a lookup that asks for
//! something that is never there; and it goes on for weeks, because each message by itself is right. So what was never there is counted, for
//! each action since this process began, and said with the next round as a finding. Nothing of a record is kept: only where there was
//! something, and where not.
//!
//! The same of the query itself: the record whose date moved the cursor has to come again, because the next query begins there.
//!
//! What to mind: of a mapping that came along most fields are empty in most EHRs, so only the paths are watched that the user wrote.

use rounds_domain::{
    ActionName, Code, Cursor, FeedKey, Finding, FindingUpdate, LookupName, Sighting,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A lookup has found nothing for any record.
const NEVER_FOUND: Code = Code::new("R0384");
/// A path of the mapping has been empty in all messages.
const ALWAYS_EMPTY: Code = Code::new("R0385");

/// Of how many records something must be missing before it is said. Fewer are chance.
pub(crate) const ENOUGH: u64 = 5;

/// What was there and what was not, of each action. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Watch(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    tallies: BTreeMap<ActionName, Tallies>,
    /// The date of the last record that moved a feed's cursor.
    dates: BTreeMap<FeedKey, Cursor>,
}

#[derive(Debug, Default)]
struct Tallies {
    lookups: BTreeMap<LookupName, Tally>,
    paths: BTreeMap<String, Tally>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    nothing: u64,
    something: u64,
}

impl Tally {
    fn count(&mut self, is_something: bool) {
        let of_kind = if is_something {
            &mut self.something
        } else {
            &mut self.nothing
        };
        *of_kind = of_kind.saturating_add(1);
    }

    const fn is_always_nothing(self, enough: u64) -> bool {
        self.something == 0 && self.nothing >= enough
    }
}

impl Watch {
    /// Notes whether a lookup found something for a record.
    pub(crate) fn looked_up(&self, action: &ActionName, lookup: &LookupName, is_found: bool) {
        let mut seen = self.seen();
        let tallies = seen.tallies.entry(action.clone()).or_default();
        let tally = tallies.lookups.entry(lookup.clone()).or_default();
        tally.count(is_found);
    }

    /// Notes at which of these paths a message had nothing.
    pub(crate) fn mapped(&self, action: &ActionName, paths: &[String], is_empty: &[bool]) {
        if paths.is_empty() {
            return;
        }
        let mut seen = self.seen();
        let tallies = seen.tallies.entry(action.clone()).or_default();
        for (path, is_empty) in paths.iter().zip(is_empty) {
            // Nearly always it is there.
            if let Some(tally) = tallies.paths.get_mut(path) {
                tally.count(!is_empty);
            } else {
                let mut tally = Tally::default();
                tally.count(!is_empty);
                tallies.paths.insert(path.clone(), tally);
            }
        }
    }

    /// Notes that a record of this date was the last that a feed showed.
    pub(crate) fn left_at(&self, feed: &FeedKey, cursor: &Cursor) {
        self.seen().dates.insert(feed.clone(), cursor.clone());
    }

    /// Whether a feed asks from the date of a record that it showed.
    pub(crate) fn is_left_at(&self, feed: &FeedKey, cursor: &Cursor) -> bool {
        self.seen().dates.get(feed) == Some(cursor)
    }

    /// What is to be said of an action, where so many records are enough.
    pub(crate) fn sightings(&self, action: &ActionName, enough: u64) -> Vec<Sighting> {
        let seen = self.seen();
        let Some(tallies) = seen.tallies.get(action) else {
            return Vec::new();
        };
        let lookups = tallies.lookups.iter();
        let lookups: Vec<_> = lookups
            .map(|(name, tally)| (name.to_string(), *tally))
            .collect();
        let paths = tallies.paths.iter();
        let paths: Vec<_> = paths.map(|(path, tally)| (path.clone(), *tally)).collect();
        let said = [
            said(
                NEVER_FOUND,
                &lookups,
                enough,
                ("has", "have"),
                "found nothing for any record",
                "compare what it asks for with the record: `rounds map try ACTION --sample 3` shows both",
            ),
            said(
                ALWAYS_EMPTY,
                &paths,
                enough,
                ("is", "are"),
                "empty in every message",
                "compare the mapping with the record: `rounds map try ACTION --sample 3` shows both; where it may be so, write `// null` behind it",
            ),
        ];
        said.into_iter().flatten().collect()
    }

    /// Adds what is to be said to a round's findings. What was said before is gone once there was something.
    pub(crate) fn add_to(
        &self,
        update: &mut FindingUpdate,
        action: &ActionName,
        former: &[Finding],
    ) {
        let seen = self.sightings(action, ENOUGH);
        let is_known = |code: Code| former.iter().any(|finding| finding.sighting.code == code);
        for code in [NEVER_FOUND, ALWAYS_EMPTY] {
            let is_seen = seen.iter().any(|sighting| sighting.code == code);
            if is_known(code) && !is_seen && self.has_evidence(action, code) {
                update.gone.push(code);
            }
        }
        update.seen.extend(seen);
    }

    /// Whether this process has seen something of the kind.
    fn has_evidence(&self, action: &ActionName, code: Code) -> bool {
        let seen = self.seen();
        let Some(tallies) = seen.tallies.get(action) else {
            return false;
        };
        let shows = |tally: &Tally| tally.something > 0;
        match code {
            NEVER_FOUND => tallies.lookups.values().any(shows),
            _ => tallies.paths.values().any(shows),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn said(
    code: Code,
    tallies: &[(String, Tally)],
    enough: u64,
    (one, many): (&str, &str),
    words: &str,
    hint: &str,
) -> Option<Sighting> {
    let always = tallies.iter();
    let always = always.filter(|(_, tally)| tally.is_always_nothing(enough));
    let always: Vec<&(String, Tally)> = always.collect();
    let records = always.iter().map(|(_, tally)| tally.nothing).max()?;
    let names: Vec<String> = always.iter().map(|(name, _)| format!("`{name}`")).collect();
    let verb = if names.len() == 1 { one } else { many };
    Some(Sighting {
        code,
        records,
        message: format!("{} {verb} {words} ({records} so far)", names.join(", ")),
        hint: hint.to_owned(),
    })
}
