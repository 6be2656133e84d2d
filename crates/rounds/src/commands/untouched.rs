//! Why a command that changes things changed none: what matched stands where nothing can be done to it.

use crate::output::plural;
use crate::problem::NOTHING_CHANGED;
use crate::{Ended, Problem};
use std::collections::BTreeMap;

/// What a command was to do, and to what.
pub(super) struct Meant {
    /// `retried` or `dropped`.
    pub(super) done: &'static str,
    /// What it can be done to, and what to do otherwise.
    pub(super) hint: &'static str,
}

impl Meant {
    /// Fails if something matches, in the states that are given with their numbers, and nothing could be done to it. Where nothing
    /// matches there is nothing wrong.
    pub(super) fn changed(
        &self,
        count: u64,
        states: impl Iterator<Item = (&'static str, u64)>,
    ) -> Result<(), Problem> {
        if count > 0 {
            return Ok(());
        }
        let mut by_state: BTreeMap<&str, u64> = BTreeMap::new();
        for (state, count) in states {
            *by_state.entry(state).or_default() += count;
        }
        let all: u64 = by_state.values().sum();
        if all == 0 {
            return Ok(());
        }
        let is_dropped = by_state.keys().all(|state| *state == "dropped");
        let states: Vec<String> = (by_state.iter())
            .map(|(state, count)| format!("{count} {state}"))
            .collect();
        Err(Problem::new(
            NOTHING_CHANGED,
            Ended::Usage,
            format!(
                "nothing was {}: what matches is {}",
                self.done,
                states.join(", ")
            ),
            if is_dropped {
                "what was dropped stays so; the record's next change is told"
            } else {
                self.hint
            },
        ))
    }
}

/// `1 delivery`, `2 containers`.
pub(super) fn counted(what: &str, count: u64) -> String {
    match (what, count) {
        ("delivery", count) if count != 1 => format!("{count} deliveries"),
        (word, count) => plural(count, word),
    }
}
