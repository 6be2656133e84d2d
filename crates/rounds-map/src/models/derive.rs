//! Which event a change is: what the record was and is, held against the model's rules.

use super::Model;
use super::path::is_empty;
use super::rules::{Condition, Rule, Rules, Verdict, word};
use crate::values_at;
use crate::written::Certainty;
use crate::{Json, JsonKind};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// What began longer than this before anybody watched is past.
const A_DAY: SignedDuration = SignedDuration::from_hours(24);

/// How a user's records say it, where it differs from the model's own rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ways {
    /// Further words for a state, by the state.
    pub words: BTreeMap<String, Vec<String>>,
    /// What becomes of a record that is first seen when it is over already.
    pub first_seen_over: FirstSeenOver,
}

/// What becomes of a record that is first seen when it is cancelled already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FirstSeenOver {
    /// It is not told.
    #[default]
    Silent,
    /// It is told.
    Tell,
}

/// What happened to the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// It was not known, and is new.
    First,
    /// It was not known, and is new, or was there before unseen.
    PerhapsFirst,
    /// It was known otherwise.
    Changed,
    /// It was known and is not there any more.
    Gone,
}

/// The two states of a record between which an event lies.
#[derive(Debug, Clone, Copy)]
pub struct Observed<'o> {
    /// What happened.
    pub happened: Happened,
    /// Since when the record would have been seen.
    pub watched_since: Timestamp,
    /// The body as it is now; as it was last seen if the record is gone.
    pub now: &'o Json,
    /// The body as it was before; None where nothing was known.
    pub before: Option<&'o Json>,
    /// What the record's status is, and was before, where the body does not hold it.
    pub status: Option<(&'o Json, &'o Json)>,
}

/// What a change is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Derived {
    /// An event of the model.
    Event {
        /// Its name.
        name: &'static str,
        /// Whether the record's state is another than before. One that was not known has changed, and one that is gone.
        state: StateChange,
        /// What the message says besides: path and value.
        constants: Vec<(&'static str, &'static str)>,
    },
    /// It is not told.
    Silent {
        /// The state that it was in, if it had one.
        was: Option<&'static str>,
        /// The state that it is in, if it has one.
        is: Option<&'static str>,
    },
}

/// Whether a record's state is another than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateChange {
    /// It is.
    Other,
    /// It is not.
    Same,
}

pub(super) fn derive(model: &'static Model, observed: Observed<'_>, ways: &Ways) -> Derived {
    let rules = &model.rules;
    let state = |body: Option<&Json>, given: Option<&Json>| {
        let status = match (given, rules.status) {
            (Some(given), _) => given.scalar_text(),
            (None, Some(path)) => values_at(body?, path).iter().find_map(Json::scalar_text),
            (None, None) => None,
        };
        state_of(rules, &status?, ways)
    };
    let now = state(Some(observed.now), observed.status.map(|(now, _)| now));
    let before = state(observed.before, observed.status.map(|(_, before)| before));
    let seen = match observed.happened {
        Happened::First | Happened::PerhapsFirst => Seen {
            observed,
            is: now,
            was: None,
        },
        Happened::Changed => Seen {
            observed,
            is: now,
            was: before,
        },
        Happened::Gone => Seen {
            observed,
            is: None,
            was: now,
        },
    };
    let silent = Derived::Silent {
        was: seen.was,
        is: seen.is,
    };
    for rule in &rules.in_order {
        if !rule
            .conditions
            .iter()
            .all(|condition| seen.holds(condition))
        {
            continue;
        }
        return match rule.verdict {
            Verdict::Silent => silent,
            Verdict::Quiet if ways.first_seen_over == FirstSeenOver::Silent => silent,
            Verdict::Quiet => continue,
            Verdict::Event(name) => Derived::Event {
                name,
                state: if observed.happened == Happened::Changed && seen.is == seen.was {
                    StateChange::Same
                } else {
                    StateChange::Other
                },
                constants: rule.constants.clone(),
            },
        };
    }
    silent
}

/// Which state a status means; the user's words go before the model's.
fn state_of(rules: &Rules, status: &str, ways: &Ways) -> Option<&'static str> {
    let status = word(status);
    let theirs = |state: &str| {
        let words = ways.words.get(state).map_or(&[][..], Vec::as_slice);
        words.iter().any(|theirs| word(theirs) == status)
    };
    let states = || rules.states.iter();
    let by_user = states().find(|(state, _)| theirs(state));
    let by_model = || states().find(|(_, words)| words.contains(&status));
    by_user.or_else(by_model).map(|(state, _)| *state)
}

struct Seen<'o> {
    observed: Observed<'o>,
    is: Option<&'static str>,
    was: Option<&'static str>,
}

impl Seen<'_> {
    fn holds(&self, condition: &Condition) -> bool {
        let among = |state: Option<&str>, states: &[&str]| {
            state.is_some_and(|state| states.contains(&state))
        };
        let has =
            |body: &Json, path: &str| values_at(body, path).iter().any(|value| !is_empty(value));
        match condition {
            Condition::First => matches!(
                self.observed.happened,
                Happened::First | Happened::PerhapsFirst
            ),
            Condition::Unsure => self.observed.happened == Happened::PerhapsFirst,
            Condition::Past(path) => self.is_past(path),
            Condition::Gone => self.observed.happened == Happened::Gone,
            Condition::Is(states) => among(self.is, states),
            Condition::Was(states) => among(self.was, states),
            Condition::Moved(paths) => paths.iter().any(|path| self.moved(path)),
            Condition::Has(path) => has(self.observed.now, path),
            Condition::Lacks(path) => !has(self.observed.now, path),
            Condition::Gained(path) => self.gained(path),
        }
    }

    /// Whether there is a value where there was none, or an item in a list that was not in it.
    fn gained(&self, path: &str) -> bool {
        let entries = |body: &Json| -> Vec<Json> {
            let values = values_at(body, path).into_iter();
            let entries = values.flat_map(|value| match value.kind() {
                JsonKind::Array => value.items().collect(),
                _ => vec![value],
            });
            entries.filter(|entry| !is_empty(entry)).collect()
        };
        let is_list = values_at(self.observed.now, path)
            .iter()
            .any(|value| value.kind() == JsonKind::Array);
        let now = entries(self.observed.now);
        let before = self.observed.before.map(entries).unwrap_or_default();
        if is_list {
            now.iter().any(|entry| !before.contains(entry))
        } else {
            !now.is_empty() && before.is_empty()
        }
    }

    /// Whether an instant was over before anybody watched: what came later is told, however late it is seen.
    fn is_past(&self, path: &str) -> bool {
        let instants = values_at(self.observed.now, path);
        let instants = instants
            .iter()
            .filter_map(|value| value.as_str()?.parse().ok());
        let before = |at: Timestamp| self.observed.watched_since.duration_since(at);
        instants.max().is_some_and(|at| before(at) > A_DAY)
    }

    fn moved(&self, path: &str) -> bool {
        let Some(before) = self.observed.before else {
            return false;
        };
        let (now, before) = (values_at(self.observed.now, path), values_at(before, path));
        let filled = |values: &[Json]| values.iter().any(|value| !is_empty(value));
        let canonical = |values: &[Json]| Json::array(values.iter().cloned()).canonical_bytes();
        filled(&now) && filled(&before) && canonical(&now) != canonical(&before)
    }
}

/// The events that a body can be of, so far as it is known before there is a record: those for which it has what their rules
/// ask for, and has not what they rule out.
pub(super) fn reachable(
    model: &Model,
    has: impl Fn(&str) -> Option<Certainty>,
) -> Vec<&'static str> {
    let mut events = Vec::new();
    for rule in &model.rules.in_order {
        let Verdict::Event(event) = rule.verdict else {
            continue;
        };
        let possible = rule.conditions.iter().all(|condition| match condition {
            Condition::Has(path) | Condition::Gained(path) => has(path).is_some(),
            Condition::Moved(paths) => paths.iter().any(|path| has(path).is_some()),
            Condition::Lacks(path) => has(path) != Some(Certainty::Always),
            _ => true,
        });
        if possible && !events.contains(&event) {
            events.push(event);
        }
        if possible && decides_by_body_alone(rule) && certain(rule, &has) {
            break;
        }
    }
    events
}

fn decides_by_body_alone(rule: &Rule) -> bool {
    let by_body =
        |condition: &Condition| matches!(condition, Condition::Has(_) | Condition::Lacks(_));
    rule.conditions.iter().all(by_body)
}

fn certain(rule: &Rule, has: impl Fn(&str) -> Option<Certainty>) -> bool {
    rule.conditions.iter().all(|condition| match condition {
        Condition::Has(path) => has(path) == Some(Certainty::Always),
        Condition::Lacks(path) => has(path).is_none(),
        _ => false,
    })
}
