//! The judge between a hospital's history and what a receiver was told.
//!
//! The law: each version of each record is told exactly once, in order per record. From it follow the words of a [`Verdict`]:
//!
//! | word | meaning |
//! |---|---|
//! | notified | a version of the history that arrived |
//! | superseded | it did not arrive, but a later version of the same record did: a poller cannot see what is gone when it asks |
//! | lost | it did not arrive, and nothing later of its record did |
//! | redelivered | the same notification id came again: allowed ("at least once"), and counted apart |
//! | repeated | a second notification id for a version that was told: never allowed |
//! | reordered | a version came first after a higher one of its record |
//! | reused | one notification id for two different versions |
//! | unknown | a version that never was |
//! | unreadable | a body in which the extractor found no record and version |
//!
//! A feed that gives every version (a change log by number) may not lose any of them: [`Oracle::every_version`] makes lost out of superseded.

mod delays;
mod verdict;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

pub use delays::Delays;
pub use verdict::{Reordered, Repeated, Verdict};

use crate::hospital::Change;

/// One version of one record, with the id as text, whatever it was in JSON.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordVersion {
    /// Record id.
    pub record: String,
    /// Version.
    pub version: u64,
}

impl fmt::Display for RecordVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} v{}", self.record, self.version)
    }
}

impl From<&Change> for RecordVersion {
    fn from(change: &Change) -> Self {
        Self {
            record: change.appointment.id.to_string(),
            version: change.appointment.version,
        }
    }
}

/// A notification that a receiver took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The id that is the same on every attempt, if there was one. Without it, each arrival is a notification of its own.
    pub notification_id: Option<String>,
    /// When it came.
    pub at: Timestamp,
    /// Raw body.
    pub body: Bytes,
}

/// Reads which record and version a body is about.
type Extractor = Box<dyn Fn(&Value) -> Option<RecordVersion> + Send + Sync>;

/// Whether a version may be missing once a later one was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    Superseded,
    Lost,
}

/// Judges.
pub struct Oracle {
    extractor: Extractor,
    missing: Missing,
}

impl Oracle {
    /// An oracle that reads bodies with `extractor`.
    pub fn new(
        extractor: impl Fn(&Value) -> Option<RecordVersion> + Send + Sync + 'static,
    ) -> Self {
        Self {
            extractor: Box::new(extractor),
            missing: Missing::Superseded,
        }
    }

    /// An oracle that finds the record id and the version at these JSON pointers (RFC 6901), as in `/record/id`. Both may be numbers or text.
    pub fn at_pointers(record: &str, version: &str) -> Self {
        let (record, version) = (record.to_owned(), version.to_owned());
        Self::new(move |body| {
            let record = match body.pointer(&record)? {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => return None,
            };
            let version = match body.pointer(&version)? {
                Value::String(text) => text.parse().ok()?,
                other => other.as_u64()?,
            };
            Some(RecordVersion { record, version })
        })
    }

    /// Demands every version, also those that a later one replaced.
    #[must_use]
    pub fn every_version(mut self) -> Self {
        self.missing = Missing::Lost;
        self
    }

    /// Compares. `arrivals` must be in the order in which they came.
    pub fn judge(&self, history: &[Change], arrivals: &[Arrival]) -> Verdict {
        let changed_at: BTreeMap<RecordVersion, Timestamp> = history
            .iter()
            .map(|change| (change.into(), change.at))
            .collect();
        let mut verdict = Verdict {
            changes: history.len(),
            ..Verdict::default()
        };
        let mut told = Told::default();
        let mut delays = Vec::new();
        for arrival in arrivals {
            let Some(what) = serde_json::from_slice(&arrival.body)
                .ok()
                .and_then(|body| (self.extractor)(&body))
            else {
                verdict.unreadable.push(arrival.notification_id.clone());
                continue;
            };
            let Some(&changed_at) = changed_at.get(&what) else {
                verdict.unknown.push(what);
                continue;
            };
            match told.note(&what, arrival.notification_id.as_deref()) {
                Note::First { highest_before } => {
                    delays.push(arrival.at.duration_since(changed_at));
                    if let Some(after_version) =
                        highest_before.filter(|highest| *highest > what.version)
                    {
                        verdict.reordered.push(Reordered {
                            what,
                            after_version,
                        });
                    }
                }
                Note::Redelivered => verdict.redelivered.push(what),
                Note::Repeated => verdict.repeated.push(Repeated {
                    what,
                    notification_id: arrival.notification_id.clone(),
                }),
                Note::Reused => verdict.reused.push(what),
            }
        }
        verdict.notified = told.versions.len();
        for what in history
            .iter()
            .map(RecordVersion::from)
            .filter(|what| !told.versions.contains(what))
        {
            let is_replaced = told
                .highest
                .get(&what.record)
                .is_some_and(|highest| *highest > what.version);
            match self.missing {
                Missing::Superseded if is_replaced => verdict.superseded.push(what),
                Missing::Superseded | Missing::Lost => verdict.lost.push(what),
            }
        }
        verdict.delays = Delays::new(delays);
        verdict
    }
}

impl fmt::Debug for Oracle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Oracle(missing: {:?})", self.missing)
    }
}

/// What was told so far.
#[derive(Default)]
struct Told {
    versions: BTreeSet<RecordVersion>,
    ids: BTreeMap<String, RecordVersion>,
    highest: BTreeMap<String, u64>,
}

/// What one more arrival is.
enum Note {
    First { highest_before: Option<u64> },
    Redelivered,
    Repeated,
    Reused,
}

impl Told {
    fn note(&mut self, what: &RecordVersion, id: Option<&str>) -> Note {
        if let Some(id) = id {
            match self.ids.entry(id.to_owned()) {
                Entry::Occupied(former) if former.get() == what => return Note::Redelivered,
                Entry::Occupied(_other) => return Note::Reused,
                Entry::Vacant(place) => {
                    place.insert(what.clone());
                }
            }
        }
        if !self.versions.insert(what.clone()) {
            return Note::Repeated;
        }
        let highest_before = self.highest.get(&what.record).copied();
        self.highest.insert(
            what.record.clone(),
            highest_before.unwrap_or(0).max(what.version),
        );
        Note::First { highest_before }
    }
}
