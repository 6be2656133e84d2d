//! Who knows the source's whole history and judges what the receivers got.
//!
//! | finding | what it means |
//! |---|---|
//! | lost | a state that was to be told did not come to a destination |
//! | repeated | a state came under a second id, or an id with a second body |
//! | reordered | a state came after a later one of its record |
//! | untrue | what came is no state of the record, or could not be seen yet, or never changed |
//! | unsettled | the faults are over and something is still open, parked, dead, claimed or owed |
//! | cursor | a cursor stood where it may not stand |
//!
//! What was to be told: whatever a successful round must have seen (see [`crate::watch`]); and, when all faults are over, the last
//! state of every record, unless it was there before a feed that starts from now. A deletion is to be told where a sweep
//! tells deletions and has been complete before it and after it.

use crate::history::History;
use crate::receiver::Arrival;
use crate::scenario::{ActionScenario, Scenario};
use crate::watch::Learnt;
use jiff::SignedDuration;
use rounds_domain::ports::Overview;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wrong {
    /// Did not come.
    Lost,
    /// Came under a second id.
    Repeated,
    /// Came after a later one.
    Reordered,
    /// Is not so.
    Untrue,
    /// Is not finished.
    Unsettled,
    /// Stood where it may not stand.
    Cursor,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Of what sort.
    pub wrong: Wrong,
    /// In words. Ids are those of made-up records.
    pub words: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.wrong, self.words)
    }
}

pub(crate) struct Oracle<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) histories: &'a [Arc<History>],
    pub(crate) learnt: &'a Learnt,
    pub(crate) arrivals: &'a [Arrival],
}

/// What one destination got of one record: the codes of its states, in order of their first arrivals.
type Told = BTreeMap<(String, u64), Vec<u64>>;

impl Oracle<'_> {
    /// Everything that is wrong with what came and what did not.
    pub(crate) fn judge(&self) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self
            .learnt
            .wrong
            .iter()
            .map(|words| Finding {
                wrong: Wrong::Cursor,
                words: words.clone(),
            })
            .collect();
        let owed = self.owed();
        for destination in &self.scenario.destinations {
            let told = self.told(destination, &mut findings);
            for ((action, id, code), why) in &owed {
                let came = told
                    .get(&(action.clone(), *id))
                    .is_some_and(|codes| codes.contains(code));
                if !came {
                    findings.push(Finding {
                        wrong: Wrong::Lost,
                        words: format!(
                            "{destination} never got {}: {why}",
                            shown(action, *id, *code)
                        ),
                    });
                }
            }
        }
        findings
    }

    /// How many states are still to come.
    pub(crate) fn missing(&self) -> usize {
        let findings = self.judge();
        findings
            .iter()
            .filter(|finding| finding.wrong == Wrong::Lost)
            .count()
    }

    /// What is open when everything should be finished.
    pub(crate) fn unsettled(overview: &Overview) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut look = |what: &str, of: &str, count: u64| {
            if count > 0 {
                findings.push(Finding {
                    wrong: Wrong::Unsettled,
                    words: format!("{of}: {count} {what}"),
                });
            }
        };
        for action in &overview.actions {
            let name = action.action.as_str();
            look("containers open", name, action.containers_open);
            look("containers parked", name, action.containers_parked);
            look("containers dead", name, action.containers_dead);
        }
        for destination in &overview.destinations {
            let name = destination.destination.as_str();
            look("deliveries owed", name, destination.owed);
            look("deliveries dead", name, destination.dead);
        }
        findings
    }

    /// Rows that there may not be: more records known than there are.
    pub(crate) fn rows(&self, overview: &Overview) -> Vec<Finding> {
        let known = overview.actions.iter();
        known
            .filter_map(|action| {
                let index = self
                    .scenario
                    .actions
                    .iter()
                    .position(|drawn| drawn.name == action.action.as_str())?;
                let there = self.histories[index].records.len() as u64;
                (action.known_records > there).then(|| Finding {
                    wrong: Wrong::Unsettled,
                    words: format!(
                        "{}: {} records known, {there} exist",
                        action.action, action.known_records
                    ),
                })
            })
            .collect()
    }

    fn owed(&self) -> BTreeMap<(String, u64, u64), String> {
        let mut owed = self.learnt.obliged.clone();
        for (action, history) in self.scenario.actions.iter().zip(self.histories) {
            let keeps_silent = History::keeps_silent_about_old(action);
            for (id, states) in &history.records {
                let Some(last) = states.last().filter(|last| last.is_there()) else {
                    continue;
                };
                let key = (action.name.clone(), *id, last.code);
                owed.entry(key)
                    .or_insert_with(|| "it is the last state of its record".to_owned());
            }
            self.owe_deletions(action, history, &mut owed);
            if keeps_silent {
                owed.retain(|(name, id, code), _| {
                    *name != action.name || !self.may_be_silent(action, history, *id, *code)
                });
            }
        }
        owed
    }

    /// Whether a state may have entered the ledger without a word.
    fn may_be_silent(
        &self,
        action: &ActionScenario,
        history: &History,
        id: u64,
        code: u64,
    ) -> bool {
        let states = history.records.get(&id);
        let state = states.and_then(|states| states.iter().find(|state| state.code == code));
        let began_at = self.learnt.began_at.get(&action.name);
        let sweeps = self.learnt.looked_at.iter();
        let looked_at = sweeps
            .filter(|((name, _), _)| *name == action.name)
            .map(|(_, at)| *at)
            .max();
        let skew = SignedDuration::from_secs(self.scenario.skew_seconds);
        // Until the first round has succeeded, "now" has not come.
        state.is_none_or(|state| {
            let is_for_sweeps = !state.is_in_sight_of(action, skew);
            began_at.is_none_or(|began| state.visible_from <= *began)
                || is_for_sweeps && looked_at.is_none_or(|looked| state.visible_from <= looked)
        })
    }

    /// A record that was there for two complete sweeps' time, and then was gone for good and seen to be gone.
    fn owe_deletions(
        &self,
        action: &ActionScenario,
        history: &History,
        owed: &mut BTreeMap<(String, u64, u64), String>,
    ) {
        if !action
            .reconcile
            .is_some_and(|reconcile| reconcile.tells_deletions)
        {
            return;
        }
        let Some(sweeps) = self.learnt.sweeps.get(&action.name) else {
            return;
        };
        for (id, states) in &history.records {
            let [.., before, last] = &states[..] else {
                continue;
            };
            if last.is_there() {
                continue;
            }
            // Shown by one complete sweep at least: it could be seen when that began and when the one after it began.
            let was_shown = sweeps
                .windows(2)
                .any(|two| before.visible_from <= two[0] && last.visible_from > two[1]);
            let was_missed = sweeps
                .iter()
                .filter(|began| **began > last.visible_from)
                .count()
                >= 2;
            if was_shown && was_missed {
                let key = (action.name.clone(), *id, last.code);
                owed.entry(key)
                    .or_insert_with(|| "its record is gone, and sweeps have seen that".to_owned());
            }
        }
    }

    /// What a destination got, in order of first arrivals, and what is wrong with that.
    fn told(&self, destination: &str, findings: &mut Vec<Finding>) -> Told {
        let mut told = Told::new();
        let mut id_of: BTreeMap<(String, u64, u64), String> = BTreeMap::new();
        let mut body_of: BTreeMap<String, &[u8]> = BTreeMap::new();
        let mut find = |wrong, words| findings.push(Finding { wrong, words });
        let here = self
            .arrivals
            .iter()
            .filter(|arrival| arrival.destination == destination);
        for arrival in here {
            match body_of.get(&arrival.id) {
                Some(body) if **body != arrival.body[..] => {
                    find(
                        Wrong::Repeated,
                        format!("{} came with a second body", arrival.id),
                    );
                }
                Some(_) => continue,
                None => {
                    body_of.insert(arrival.id.clone(), &arrival.body);
                }
            }
            let Some((index, record, code)) = self.read(arrival) else {
                find(
                    Wrong::Untrue,
                    format!("{} has a body that no record has", arrival.id),
                );
                continue;
            };
            let action = &self.scenario.actions[index];
            let history = &self.histories[index];
            let name = shown(&action.name, record, code);
            let state = history.records[&record]
                .iter()
                .find(|state| state.code == code);
            match state {
                None => find(Wrong::Untrue, format!("{name} came and never was")),
                Some(state) if state.visible_from > arrival.at => {
                    find(
                        Wrong::Untrue,
                        format!("{name} came before it could be seen"),
                    );
                }
                Some(state) if history.is_old(state) && History::keeps_silent_about_old(action) => {
                    find(
                        Wrong::Untrue,
                        format!("{name} came, and was there before Rounds was"),
                    );
                }
                Some(_) => {}
            }
            let key = (action.name.clone(), record, code);
            if let Some(former) = id_of.get(&key) {
                find(
                    Wrong::Repeated,
                    format!("{name} came under {former} and {}", arrival.id),
                );
                continue;
            }
            id_of.insert(key, arrival.id.clone());
            let codes = told.entry((action.name.clone(), record)).or_default();
            if let Some(later) = codes.last().filter(|later| **later > code) {
                find(
                    Wrong::Reordered,
                    format!("{destination} got {name} after code {later}"),
                );
            }
            codes.push(code);
        }
        told
    }

    /// Which state a body tells of: the place of its action, the record, the state's code.
    fn read(&self, arrival: &Arrival) -> Option<(usize, u64, u64)> {
        let body: Value = serde_json::from_slice(&arrival.body).ok()?;
        let name = body["action"].as_str()?;
        let index = self
            .scenario
            .actions
            .iter()
            .position(|action| action.name == name)?;
        let (record, version) = (body["id"].as_u64()?, body["version"].as_u64()?);
        let states = self.histories[index].records.get(&record)?;
        let seen_last = version * 2;
        if body["kind"] != "deleted" {
            return Some((index, record, seen_last));
        }
        // A deletion is told with the last state that was seen, which need not be the last that there was.
        let absence = states
            .iter()
            .find(|state| !state.is_there() && state.code > seen_last);
        Some((
            index,
            record,
            absence.map_or(seen_last + 1, |absence| absence.code),
        ))
    }
}

fn shown(action: &str, id: u64, code: u64) -> String {
    let version = code / 2;
    if code.is_multiple_of(2) {
        format!("{action}/{id}v{version}")
    } else {
        format!("{action}/{id}v{version}, deleted")
    }
}

/// All findings of these sorts, counted.
pub(crate) fn count(findings: &[Finding], wrong: &[Wrong]) -> u64 {
    let kinds: BTreeSet<Wrong> = wrong.iter().copied().collect();
    findings
        .iter()
        .filter(|finding| kinds.contains(&finding.wrong))
        .count() as u64
}
