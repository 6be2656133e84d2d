//! What happens at the simulated EHR: every state of every record, when it was made and from when on it can be seen.
//!
//! A history is drawn whole before anything runs and only ever looked at, so that the oracle knows what the source knew
//! at any moment. A state has a *stamp*, the date that the record shows, and a moment from which on it is *visible*. They
//! differ where a change shows up late, is dated 2030, or changes in silence (the stamp of the state before it).

use crate::scenario::{ActionScenario, Query, Start};
use jiff::{SignedDuration, Timestamp};
use rounds_testkit::random::Random;
use std::collections::BTreeMap;
use std::time::Duration;

/// One state of a record. Its number is even for a state and odd for its absence, and grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    /// `2 * version`, or `2 * version + 1` where the record of that version is gone.
    pub(crate) code: u64,
    /// The date that the record shows, by the source's clock.
    pub(crate) stamp: Timestamp,
    /// From when on it can be seen, by our clock.
    pub(crate) visible_from: Timestamp,
    /// Its place in the change log: that of the state before it where it changed in silence.
    pub(crate) sequence: u64,
    loudness: Loudness,
}

/// Whether the source says that something changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loudness {
    Declared,
    Silent,
}

impl State {
    pub(crate) const fn is_there(&self) -> bool {
        self.code.is_multiple_of(2)
    }

    pub(crate) const fn version(&self) -> u64 {
        self.code / 2
    }

    /// Whether the change query of an action must have shown this by itself.
    pub(crate) fn is_in_sight_of(&self, action: &ActionScenario, skew: SignedDuration) -> bool {
        let late = (self.visible_from + skew).duration_since(self.stamp);
        let covered = match action.query {
            Query::Field | Query::Clock => action.overlap,
            Query::Number | Query::Token | Query::Everything => Duration::MAX,
        };
        let is_in_time = late.is_negative()
            || late.unsigned_abs() + action.granularity() + Duration::from_secs(5) < covered;
        self.loudness == Loudness::Declared && is_in_time
    }
}

/// All states of the records of one action.
#[derive(Debug)]
pub(crate) struct History {
    pub(crate) records: BTreeMap<u64, Vec<State>>,
    start: Timestamp,
}

impl History {
    /// Draws what happens from `start` on, for as long as there is trouble.
    pub(crate) fn draw(
        action: &ActionScenario,
        start: Timestamp,
        trouble: Duration,
        skew: SignedDuration,
        random: &mut Random,
    ) -> Self {
        let mut history = Self {
            records: BTreeMap::new(),
            start,
        };
        for id in 0..action.records {
            let age = SignedDuration::from_secs(
                i64::try_from(random.below(3 * 86_400)).unwrap_or(0) + 3_600,
            );
            let made = start - age;
            history.add(id, made + skew, made);
        }
        let mut moments: Vec<Timestamp> = (0..action.edits)
            .map(|_| {
                let after = u64::try_from(trouble.as_millis()).unwrap_or(u64::MAX);
                start + Duration::from_millis(random.below(after))
            })
            .collect();
        moments.sort();
        for moment in moments {
            history.happen(action, moment, skew, random);
        }
        history.number();
        history
    }

    fn happen(
        &mut self,
        action: &ActionScenario,
        moment: Timestamp,
        skew: SignedDuration,
        random: &mut Random,
    ) {
        let many = self.records.len() as u64;
        let stamp = moment + skew;
        match random.below(100) {
            0..=14 => self.add(many, stamp, moment),
            // Several in one instant, more than a page holds.
            15..=17 => {
                for _ in 0..2 + random.below(15) {
                    self.add(random.below(many), stamp, moment);
                }
            }
            18..=32 => {
                let longest = u64::try_from(action.longest_lateness().as_millis()).unwrap_or(0);
                let late = Duration::from_millis(random.below(longest + 1));
                self.add(random.below(many), stamp, moment + late);
            }
            33..=34 if action.query == Query::Field => {
                let future = moment + SignedDuration::from_hours(24 * 365 * 4);
                self.add(random.below(many), future, moment);
            }
            35..=42 if action.reconcile.is_some() || action.query == Query::Everything => {
                let id = random.below(many);
                let former = self.last(id).map(|state| state.stamp);
                self.add(id, former.unwrap_or(stamp), moment);
                if let Some(state) = self
                    .records
                    .get_mut(&id)
                    .and_then(|states| states.last_mut())
                {
                    state.loudness = Loudness::Silent;
                }
            }
            43..=50
                if action
                    .reconcile
                    .is_some_and(|reconcile| reconcile.tells_deletions) =>
            {
                self.remove(random.below(many), stamp, moment);
            }
            _ => self.add(random.below(many), stamp, moment),
        }
    }

    /// A new state. It is visible no earlier than the one before it.
    fn add(&mut self, id: u64, stamp: Timestamp, visible_from: Timestamp) {
        let states = self.records.entry(id).or_default();
        let (code, visible_from, stamp) = match states.last() {
            None => (2, visible_from, stamp),
            Some(last) => {
                let overtakes = visible_from <= last.visible_from;
                let visible_from = if overtakes {
                    last.visible_from + SignedDuration::from_millis(1)
                } else {
                    visible_from
                };
                // One that was pushed back must not be later than its contract allows.
                let stamp = if overtakes {
                    last.stamp.max(stamp)
                } else {
                    stamp
                };
                ((last.code / 2 + 1) * 2, visible_from, stamp)
            }
        };
        states.push(State {
            code,
            stamp,
            visible_from,
            sequence: 0,
            loudness: Loudness::Declared,
        });
    }

    fn remove(&mut self, id: u64, stamp: Timestamp, moment: Timestamp) {
        let Some(last) = self.last(id).filter(|last| last.is_there()) else {
            return;
        };
        let state = State {
            code: last.code + 1,
            stamp,
            visible_from: moment.max(last.visible_from + SignedDuration::from_millis(1)),
            sequence: 0,
            loudness: Loudness::Declared,
        };
        self.records.entry(id).or_default().push(state);
    }

    fn last(&self, id: u64) -> Option<&State> {
        self.records.get(&id)?.last()
    }

    /// Numbers all states in the order in which they become visible: the change log.
    fn number(&mut self) {
        let mut all: Vec<&mut State> = self.records.values_mut().flatten().collect();
        all.sort_by_key(|state| state.visible_from);
        for (number, state) in (1..).zip(all) {
            state.sequence = number;
        }
        for states in self.records.values_mut() {
            for later in 1..states.len() {
                if states[later].loudness == Loudness::Silent {
                    states[later].sequence = states[later - 1].sequence;
                }
            }
        }
    }

    /// What can be seen of a record at this moment.
    pub(crate) fn visible(&self, id: u64, at: Timestamp) -> Option<&State> {
        let states = self.records.get(&id)?;
        states.iter().rev().find(|state| state.visible_from <= at)
    }

    /// All records that can be seen at this moment, with their states.
    pub(crate) fn all_visible(&self, at: Timestamp) -> Vec<(u64, &State)> {
        self.records
            .keys()
            .filter_map(|id| Some((*id, self.visible(*id, at)?)))
            .filter(|(_, state)| state.is_there())
            .collect()
    }

    /// Whether a state was there before the world began.
    pub(crate) fn is_old(&self, state: &State) -> bool {
        state.visible_from <= self.start
    }

    /// Whether nothing of what was there before the world began is to be told.
    pub(crate) fn keeps_silent_about_old(action: &ActionScenario) -> bool {
        action.start == Start::Now
    }

    /// Each state as a line of a journal.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        self.records.iter().flat_map(|(id, states)| {
            states.iter().map(move |state| {
                let State { stamp, visible_from, sequence, .. } = state;
                let what = if state.is_there() { "" } else { " is gone" };
                format!("{id}v{}{what}: stamp {stamp}, visible from {visible_from}, sequence {sequence}", state.version())
            })
        })
    }

    /// When the last state becomes visible.
    pub(crate) fn ends_at(&self) -> Timestamp {
        let states = self.records.values().flatten();
        states
            .map(|state| state.visible_from)
            .max()
            .unwrap_or(self.start)
    }

    /// How many states were made after the world began.
    pub(crate) fn changes(&self) -> u64 {
        let states = self.records.values().flatten();
        states.filter(|state| !self.is_old(state)).count() as u64
    }
}
