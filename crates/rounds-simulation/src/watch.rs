//! What the oracle learns while the world runs: each commit, and what it obliges Rounds to.
//!
//! A successful round of a feed obliges: every state that could be seen *during the whole round*, from before its first
//! request until its commit, and that lies where the feed looked, was shown on some page, so it must be told. What could be
//! seen for a part of the round only may have been missed, and is the next round's matter.
//!
//! A commit that moves a cursor must not pass what nobody has seen: the cursor may not be later than either clock, may not go
//! back, and nothing that could be seen when the round began may lie before it, out of the overlap's reach, and be unknown.

use crate::history::{History, State};
use crate::scenario::{ActionScenario, Query};
use jiff::{SignedDuration, Timestamp};
use rounds_domain::{ActionName, CommitReceipt, Cursor, FeedState, RoundCommit, RoundEnd};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A state of a record of an action.
pub(crate) type Key = (String, u64, u64);

/// What was learnt.
#[derive(Debug, Default, Clone)]
pub(crate) struct Learnt {
    /// Must be told, and why.
    pub(crate) obliged: BTreeMap<Key, String>,
    /// When each action's change query first succeeded: what changed before may have been taken as there already.
    pub(crate) began_at: BTreeMap<String, Timestamp>,
    /// When the last of each action's sweeps first succeeded: what only a sweep can see may have been taken as there already
    /// until then.
    pub(crate) looked_at: BTreeMap<(String, String), Timestamp>,
    /// What is wrong with commits.
    pub(crate) wrong: Vec<String>,
    /// How many complete rounds of a reconciling sweep each action had, with the time when each began.
    pub(crate) sweeps: BTreeMap<String, Vec<Timestamp>>,
}

/// Who watches.
pub(crate) struct Watch {
    actions: BTreeMap<String, (ActionScenario, Arc<History>)>,
    skew: SignedDuration,
    learnt: Mutex<Learnt>,
    contested: Mutex<BTreeSet<(String, Timestamp)>>,
}

impl Watch {
    pub(crate) fn new(
        actions: impl IntoIterator<Item = (ActionScenario, Arc<History>)>,
        skew: SignedDuration,
    ) -> Self {
        let named = actions
            .into_iter()
            .map(|(action, history)| (action.name.clone(), (action, history)));
        Self {
            actions: named.collect(),
            skew,
            learnt: Mutex::default(),
            contested: Mutex::default(),
        }
    }

    pub(crate) fn learnt(&self) -> Learnt {
        self.learnt
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn is_by_time(&self, action: &ActionName) -> bool {
        self.actions
            .get(action.as_str())
            .is_some_and(|(action, _)| matches!(action.query, Query::Field | Query::Clock))
    }

    /// A commit was written. `before` is where its feed stood.
    pub(crate) fn committed(
        &self,
        commit: &RoundCommit,
        receipt: &CommitReceipt,
        before: Option<&FeedState>,
    ) {
        let name = commit.feed.action.as_str();
        let Some((action, history)) = self.actions.get(name) else {
            return;
        };
        let mut contested = self
            .contested
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let round = (commit.feed.to_string(), commit.started_at);
        if receipt.contested > 0 {
            contested.insert(round.clone());
        }
        let is_contested = contested.contains(&round);
        let mut learnt = self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        let former = before.and_then(|state| state.cursor.clone());
        if let (Some(Cursor::Time(cursor)), 0) = (&commit.cursor, receipt.contested) {
            // A checkpoint may be taken back by the round that set it, when its pages turn out not to ascend.
            let is_same_round =
                before.and_then(|state| state.last_started_at) == Some(commit.started_at);
            let former = former.as_ref().filter(|_| !is_same_round);
            self.check_cursor(*cursor, former, commit, &mut learnt.wrong);
        }
        if commit.end != RoundEnd::Succeeded {
            return;
        }
        let feed = commit.feed.feed.as_str();
        if feed == "changes" {
            learnt
                .began_at
                .entry(name.to_owned())
                .or_insert(commit.committed_at);
        }
        if feed != "changes" {
            let key = (name.to_owned(), feed.to_owned());
            learnt.looked_at.entry(key).or_insert(commit.committed_at);
        }
        if feed == "reconcile" {
            learnt
                .sweeps
                .entry(name.to_owned())
                .or_default()
                .push(commit.started_at);
        }
        // A first round enters the ledger silently, or begins from the beginning: what it must tell shows at the end.
        let Some(former) = former.filter(|_| !is_contested) else {
            return;
        };
        for (id, states) in &history.records {
            for (index, state) in states.iter().enumerate() {
                let is_seen_throughout = state.visible_from <= commit.started_at
                    && states
                        .get(index + 1)
                        .is_none_or(|next| next.visible_from > commit.committed_at);
                if state.is_there()
                    && is_seen_throughout
                    && self.lies_within(action, feed, &former, state, commit)
                {
                    let why = format!("{} showed it at {}", commit.feed, commit.started_at);
                    learnt
                        .obliged
                        .entry((name.to_owned(), *id, state.code))
                        .or_insert(why);
                }
            }
        }
    }

    /// Whether a feed that stood at `former` asked for this state.
    fn lies_within(
        &self,
        action: &ActionScenario,
        feed: &str,
        former: &Cursor,
        state: &State,
        commit: &RoundCommit,
    ) -> bool {
        let source_now = commit.started_at + self.skew;
        let is_settled = state.stamp <= source_now - action.settle - Duration::from_secs(5)
            || state.stamp > commit.committed_at + self.skew + Duration::from_mins(30);
        match former {
            Cursor::Time(cursor) => {
                state.stamp >= *cursor - action.overlap + action.granularity() && is_settled
            }
            Cursor::Number(number) => number
                .parse::<u64>()
                .is_ok_and(|number| state.sequence > number),
            Cursor::Token(token) => {
                let number = token.expose().parse::<u64>().unwrap_or(0);
                state.sequence > number
            }
            Cursor::Sweep | Cursor::Dates { .. } | Cursor::Queue(_) | Cursor::Baseline(_) => {
                feed != "trailing" && is_settled
            }
        }
    }

    fn check_cursor(
        &self,
        cursor: Timestamp,
        former: Option<&Cursor>,
        commit: &RoundCommit,
        wrong: &mut Vec<String>,
    ) {
        // The clocks are looked at when the first page is asked for and answered, which may take its tries.
        let source_now = commit.committed_at + self.skew;
        let latest = source_now.min(commit.committed_at) + Duration::from_secs(2);
        if cursor > latest {
            wrong.push(format!(
                "{}: the cursor {cursor} is later than the clocks at {}",
                commit.feed, commit.committed_at
            ));
        }
        if let Some(Cursor::Time(former)) = former
            && cursor < *former
        {
            wrong.push(format!(
                "{}: the cursor went back from {former} to {cursor}",
                commit.feed
            ));
        }
    }
}
