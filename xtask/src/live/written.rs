//! What the test wrote into a server, against what was told.
//!
//! These servers keep no history of a type, so the test keeps it: every write with the version that the server answered, and the span of time in
//! which it happened, by the clock of the receiver. At the end the server is asked once more whether it holds exactly this.
//!
//! # What had to be told
//!
//! As in [`super::verdict`]: the latest version of each record that is there, each version that stood longer than [`SURELY_SEEN`], and each
//! deletion of a record that could be known. A version that was replaced sooner may be told, once. A sweep brings back what the change query
//! missed, so the same records are told in two ways, each to a hook of its own: by the change query alone, and with sweeps.
//!
//! A deletion that was told and had not happened by then is *false*, however right it became later.

use super::verdict::SURELY_SEEN;
use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use rounds_testkit::receiver::FakeReceiver;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// How an action asks, and to which hook it tells.
pub(super) struct Way {
    pub(super) hook: &'static str,
    /// Whether sweeps show it what is gone.
    sweeps: bool,
}

/// Both ways in which each test asks.
pub(super) const WAYS: [Way; 2] = [
    Way {
        hook: "changes",
        sweeps: false,
    },
    Way {
        hook: "swept",
        sweeps: true,
    },
];

/// When a write was under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) begun: Timestamp,
    pub(super) done: Timestamp,
}

/// A version of a record, or its deletion.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Change {
    id: String,
    /// None: it is gone.
    version: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => write!(formatter, "appointment {} version {version}", self.id),
            None => write!(formatter, "the deletion of appointment {}", self.id),
        }
    }
}

/// All versions of one record, oldest first, and its end.
#[derive(Debug, Default)]
struct Life {
    versions: Vec<(String, Span)>,
    gone: Option<Span>,
}

/// Everything that was written.
#[derive(Debug, Default)]
pub(super) struct Written(BTreeMap<String, Life>);

impl Written {
    pub(super) fn version(&mut self, id: &str, version: &str, span: Span) {
        let life = self.0.entry(id.to_owned()).or_default();
        life.versions.push((version.to_owned(), span));
    }

    pub(super) fn deletion(&mut self, id: &str, span: Span) {
        self.0.entry(id.to_owned()).or_default().gone = Some(span);
    }

    /// The records that are there, with their latest version.
    pub(super) fn current(&self) -> BTreeMap<&str, &str> {
        let there = self.0.iter().filter(|(_, life)| life.gone.is_none());
        there
            .filter_map(|(id, life)| Some((id.as_str(), life.versions.last()?.0.as_str())))
            .collect()
    }

    /// The records that were deleted.
    pub(super) fn gone(&self) -> impl Iterator<Item = &str> {
        let gone = self.0.iter().filter(|(_, life)| life.gone.is_some());
        gone.map(|(id, _)| id.as_str())
    }

    /// An error unless `held`, the server's records and their versions, is what must be there.
    pub(super) fn must_be(&self, held: &BTreeMap<String, String>) -> Result<()> {
        let held: BTreeMap<&str, &str> = (held.iter())
            .map(|(id, version)| (id.as_str(), version.as_str()))
            .collect();
        ensure!(
            held == self.current(),
            "the server does not hold what was written into it, so nothing can be judged"
        );
        Ok(())
    }

    /// What had to be told in this way.
    fn owed(&self, way: &Way, told: &BTreeSet<Change>) -> BTreeSet<Change> {
        let mut owed = BTreeSet::new();
        for (id, life) in &self.0 {
            let change = |version: Option<&String>| Change {
                id: id.clone(),
                version: version.cloned(),
            };
            let mut known = false;
            let ends = (life.versions.iter().skip(1)).map(|(_, span)| Some(*span));
            for ((version, span), end) in life.versions.iter().zip(ends.chain([life.gone])) {
                let stood = end.map(|end| end.begun.duration_since(span.done));
                let version = change(Some(version));
                let seen = stood.is_none_or(|stood| stood > SURELY_SEEN);
                known |= seen || told.contains(&version);
                if seen {
                    owed.insert(version);
                }
            }
            if way.sweeps && life.gone.is_some() && known {
                owed.insert(change(None));
            }
        }
        owed
    }
}

/// What one notification said.
#[derive(Debug)]
struct Telling {
    change: Change,
    at: Timestamp,
}

/// What a hook of the receiver took, in the order of arrival. The bodies have `change`, `id` and `version`.
fn tellings(receiver: &FakeReceiver, hook: &str) -> Result<Vec<Telling>> {
    let taken = receiver.taken();
    let of_hook = taken.iter().filter(|received| received.hook == hook);
    let tellings = of_hook.map(|received| {
        let body = received.json().context("a notification is not JSON")?;
        let text = |key: &str| {
            let text = body[key].as_str().map(str::to_owned);
            text.with_context(|| format!("a notification without `{key}`"))
        };
        let version = (text("change")? != "deleted").then(|| text("version"));
        Ok(Telling {
            change: Change {
                id: text("id")?,
                version: version.transpose()?,
            },
            at: received.at,
        })
    });
    tellings.collect()
}

/// The comparison. What is not as it should be is said in words.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    notified: usize,
    lost: Vec<String>,
    repeated: Vec<String>,
    false_deletions: Vec<String>,
    /// All else.
    wrong: Vec<String>,
}

impl Verdict {
    /// Of what the receiver took until now, in both ways.
    pub(super) fn now(written: &Written, receiver: &FakeReceiver) -> Result<Self> {
        let mut both = Self::default();
        for way in &WAYS {
            let verdict = Self::of(written, way, tellings(receiver, way.hook)?);
            both.notified += verdict.notified;
            for (all, more) in [
                (&mut both.lost, verdict.lost),
                (&mut both.repeated, verdict.repeated),
                (&mut both.false_deletions, verdict.false_deletions),
                (&mut both.wrong, verdict.wrong),
            ] {
                let more = more.into_iter();
                all.extend(more.map(|one| format!("{}: {one}", way.hook)));
            }
        }
        Ok(both)
    }

    fn of(written: &Written, way: &Way, tellings: Vec<Telling>) -> Self {
        let mut verdict = Self::default();
        let mut told = BTreeSet::new();
        // How many versions of a record came before the latest that was told; all of them once its deletion was.
        let mut latest: BTreeMap<String, usize> = BTreeMap::new();
        for Telling { change, at } in tellings {
            let life = written.0.get(&change.id);
            let place = life.and_then(|life| match &change.version {
                Some(version) => life.versions.iter().position(|(known, _)| known == version),
                None => {
                    (life.gone.is_some_and(|gone| gone.begun <= at)).then_some(life.versions.len())
                }
            });
            let Some(place) = place else {
                if change.version.is_none() {
                    let text = format!("{change} was told and had not happened");
                    verdict.false_deletions.push(text);
                } else {
                    let text = format!("{change} was told and never was");
                    verdict.wrong.push(text);
                }
                continue;
            };
            if told.contains(&change) {
                verdict.repeated.push(format!("{change} was told again"));
                continue;
            }
            let before = latest.insert(change.id.clone(), place);
            if before.is_some_and(|before| before > place) {
                let text = format!("{change} was told after a later state");
                verdict.wrong.push(text);
            }
            told.insert(change);
        }
        let owed = written.owed(way, &told);
        let lost = owed.difference(&told);
        verdict.lost = lost.map(|one| format!("{one} was not told")).collect();
        verdict.notified = told.len();
        verdict
    }

    /// How many of those that had to be told were not.
    pub(super) fn lost(&self) -> usize {
        self.lost.len()
    }

    pub(super) fn is_clean(&self) -> bool {
        self.complaints().next().is_none()
    }

    /// Everything that is not as it should be.
    pub(super) fn complaints(&self) -> impl Iterator<Item = &String> {
        let wrong_and_lost = self.wrong.iter().chain(&self.lost);
        (wrong_and_lost.chain(&self.false_deletions)).chain(&self.repeated)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (notified, lost) = (self.notified, self.lost.len());
        write!(
            formatter,
            "changes={} notified={notified} lost={lost} repeated={} false_deletions={}",
            notified + lost,
            self.repeated.len(),
            self.false_deletions.len()
        )
    }
}

#[cfg(test)]
mod tests;
