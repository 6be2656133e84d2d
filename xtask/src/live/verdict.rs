//! What happened, by the server's history, against what was told, by the receiver.

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A version that stood this long must have been told: a round a second, its requests, and a machine that is busy with other things.
pub(super) const SURELY_SEEN: SignedDuration = SignedDuration::from_secs(10);

/// One version of one record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) version: String,
}

impl Key {
    /// What a FHIR resource says of itself.
    pub(super) fn of(resource: &Value) -> Result<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Ok(Self {
            id: text(&resource["id"]).context("a resource without `id`")?,
            version: text(&resource["meta"]["versionId"])
                .context("a resource without `meta.versionId`")?,
        })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "Appointment/{} version {}",
            self.id, self.version
        )
    }
}

/// One version as the server keeps it.
#[derive(Debug)]
struct State {
    key: Key,
    since: Timestamp,
    resource: Value,
}

/// Every version of every record, newest first, as FHIR's `_history` gives them.
#[derive(Debug)]
pub(super) struct History {
    states: Vec<State>,
}

impl History {
    /// Reads a Bundle of type `history`.
    pub(super) fn read(bundle: &Value) -> Result<Self> {
        let entries = bundle["entry"].as_array().into_iter().flatten();
        // A deletion is no version that could be told like the others; who deletes knows it.
        let entries = entries.filter(|entry| entry["request"]["method"] != "DELETE");
        let states = entries.map(|entry| {
            let resource = entry["resource"].clone();
            let key = Key::of(&resource).context("the history has an entry without a version")?;
            let since = resource["meta"]["lastUpdated"].as_str();
            let since = since.with_context(|| format!("{key} has no `meta.lastUpdated`"))?;
            let since = since
                .parse()
                .with_context(|| format!("when {key} was made"))?;
            Ok(State {
                key,
                since,
                resource,
            })
        });
        Ok(Self {
            states: states.collect::<Result<_>>()?,
        })
    }

    /// The versions that a search shows now.
    pub(super) fn current(&self) -> BTreeSet<Key> {
        let mut seen = BTreeSet::new();
        let newest = self
            .states
            .iter()
            .filter(|state| seen.insert(&state.key.id));
        newest.map(|state| state.key.clone()).collect()
    }

    /// The versions that had to be told: those that are current, and those that stood longer than [`SURELY_SEEN`].
    fn owed(&self) -> BTreeSet<Key> {
        let mut successor: BTreeMap<&str, Timestamp> = BTreeMap::new();
        let mut owed = BTreeSet::new();
        for state in &self.states {
            let replaced = successor.insert(&state.key.id, state.since);
            let stood = replaced.map(|replaced| replaced.duration_since(state.since));
            if stood.is_none_or(|stood| stood > SURELY_SEEN) {
                owed.insert(state.key.clone());
            }
        }
        owed
    }

    /// How many versions of the record came before this one, and the version itself.
    fn find(&self, key: &Key) -> Option<(usize, &State)> {
        let of_record: Vec<&State> = self
            .states
            .iter()
            .rev()
            .filter(|state| state.key.id == key.id)
            .collect();
        let place = of_record.iter().position(|state| state.key == *key)?;
        Some((place, of_record[place]))
    }
}

/// What one notification said.
#[derive(Debug)]
pub(super) struct Telling {
    pub(super) key: Key,
    change: String,
    appointment: Value,
    patient: Value,
}

impl Telling {
    /// Reads the body that `examples/fhir-appointments.yaml` makes.
    pub(super) fn read(body: &Value) -> Result<Self> {
        let appointment = body["appointment"].clone();
        let change = body["change"].as_str();
        Ok(Self {
            key: Key::of(&appointment).context("a notification without its appointment")?,
            change: change
                .context("a notification without `change`")?
                .to_owned(),
            appointment,
            patient: body["patient"].clone(),
        })
    }

    /// The patient that the appointment names, as `Patient/ID`.
    fn named_patient(&self) -> Option<&str> {
        let participants = self.appointment["participant"].as_array()?;
        let references = participants
            .iter()
            .filter_map(|participant| participant["actor"]["reference"].as_str());
        references
            .into_iter()
            .find(|reference| reference.starts_with("Patient/"))
    }

    fn patient_fits(&self) -> bool {
        let given = self.patient["id"].as_str();
        let named = self.named_patient();
        named.and_then(|reference| reference.strip_prefix("Patient/")) == given
    }
}

/// The comparison.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// Versions that had to be told or were.
    pub(super) changes: usize,
    /// Those that were.
    notified: usize,
    /// Those that had to be and were not.
    lost: Vec<Key>,
    /// Those that were told more than once.
    repeated: Vec<Key>,
    /// Versions that nobody could see, and that were not told.
    unseen: usize,
    /// All else that is not as it should be.
    wrong: Vec<String>,
}

impl Verdict {
    /// `tellings` in the order of arrival.
    pub(super) fn of(history: &History, tellings: &[Telling]) -> Self {
        let mut verdict = Self::default();
        let mut told = BTreeSet::new();
        let mut latest: BTreeMap<&str, usize> = BTreeMap::new();
        for telling in tellings {
            let key = &telling.key;
            if !told.insert(key.clone()) {
                verdict.repeated.push(key.clone());
                continue;
            }
            let Some((place, state)) = history.find(key) else {
                verdict.wrong.push(format!("{key} was told and never was"));
                continue;
            };
            let before = latest.insert(&key.id, place);
            verdict.check(telling, state, before, place);
        }
        let owed = history.owed();
        verdict.lost = owed.difference(&told).cloned().collect();
        let known = |key: &&Key| history.find(key).is_some();
        let notified: BTreeSet<&Key> = told.iter().filter(known).collect();
        verdict.notified = notified.len();
        verdict.changes = verdict.notified + verdict.lost.len();
        verdict.unseen = history.states.len() - verdict.changes;
        verdict
    }

    fn check(&mut self, telling: &Telling, state: &State, before: Option<usize>, place: usize) {
        let key = &telling.key;
        if telling.appointment != state.resource {
            self.wrong
                .push(format!("{key} was told with another content"));
        }
        if !telling.patient_fits() {
            self.wrong
                .push(format!("{key} was told without its patient"));
        }
        if before.is_some_and(|before| before > place) {
            self.wrong
                .push(format!("{key} was told after a later version"));
        }
        let change = if before.is_none() {
            "created"
        } else {
            "updated"
        };
        if telling.change != change {
            self.wrong.push(format!(
                "{key} was told as {}, and was {change}",
                telling.change
            ));
        }
    }

    pub(super) fn is_clean(&self) -> bool {
        self.complaints().next().is_none()
    }

    /// Adds something else that is not as it should be.
    pub(super) fn add(&mut self, complaint: String) {
        self.wrong.push(complaint);
    }

    /// Everything that is not as it should be, one line each.
    fn complaints(&self) -> impl Iterator<Item = String> {
        let lost = self.lost.iter().map(|key| format!("{key} was not told"));
        let repeated = self
            .repeated
            .iter()
            .map(|key| format!("{key} was told again"));
        lost.chain(repeated).chain(self.wrong.iter().cloned())
    }

    /// What is worth saying beside the counts.
    pub(super) fn remarks(&self) -> impl Iterator<Item = String> {
        let unseen = (self.unseen > 0).then(|| {
            let unseen = self.unseen;
            format!(
                "{unseen} more versions were replaced within a round, and no poller can see those"
            )
        });
        unseen.into_iter().chain(self.complaints())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lost, repeated) = (self.lost.len(), self.repeated.len());
        let Self {
            changes, notified, ..
        } = self;
        write!(
            formatter,
            "changes={changes} notified={notified} lost={lost} repeated={repeated}"
        )
    }
}

#[cfg(test)]
mod tests;
