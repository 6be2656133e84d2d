//! Reading a model's rules: which event a change of a record is.
//!
//! ```text
//! states [PATH]             where the body holds the record's status; the states follow, indented, each with the words for it
//!   STATE WORD...
//! rules                     the first whose conditions all hold decides
//!   EVENT|silent|quiet [CONDITION, ...] [; PATH VALUE]...
//! carry EVENT               fields that the event takes from the body as it was before
//!   PATH FROM
//! fhir GROUP                what the events are called in FHIR messages
//!   EVENT CODE
//! ```
//! Conditions: `first` (the record was not known), `unsure` (nor is it known whether it was there before), `past PATH` (an instant more
//! than a day before the rounds began), `gone` (it is not there any more), `is STATE...`, `was STATE...`,
//! `moved PATH...` (one of them had a value, has one, and not the same), `has PATH`, `lacks PATH`, `gained PATH` (it had no value
//! and has, or a list has an item that it had not). Of a record that is gone, `was` is the state that was last seen, and `is` never holds. `silent` is
//! not told; `quiet` is not told unless the user asks for it. What follows `;` is put into the message. A path goes through
//! members by `.` and into all items of a list by `[]`.

use std::collections::BTreeMap;

/// How a model's events follow from what a record was and is.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// Where the body holds the status.
    pub(super) status: Option<&'static str>,
    /// Each state, with the words that mean it as [`word`] gives them.
    pub(super) states: BTreeMap<&'static str, Vec<String>>,
    pub(super) in_order: Vec<Rule>,
    pub(super) carries: Vec<Carry>,
    /// The group of its FHIR messages, and the code of each event in it.
    pub(super) fhir: Option<(&'static str, BTreeMap<&'static str, &'static str>)>,
}

#[derive(Debug)]
pub(super) struct Rule {
    pub(super) verdict: Verdict,
    pub(super) conditions: Vec<Condition>,
    /// What the message says besides: path and value.
    pub(super) constants: Vec<(&'static str, &'static str)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Event(&'static str),
    Silent,
    /// Silent, unless the user asks for it.
    Quiet,
}

#[derive(Debug)]
pub(super) enum Condition {
    First,
    Unsure,
    Past(&'static str),
    Gone,
    Is(Vec<&'static str>),
    Was(Vec<&'static str>),
    Moved(Vec<&'static str>),
    Has(&'static str),
    Lacks(&'static str),
    Gained(&'static str),
}

/// In messages of `event`, `path` is what `from` was before.
#[derive(Debug)]
pub(super) struct Carry {
    pub(super) event: &'static str,
    pub(super) path: &'static str,
    pub(super) from: &'static str,
}

/// A status as it is compared: `No-Show`, `noshow` and `no show` are one.
pub(super) fn word(status: &str) -> String {
    let kept = status.chars().filter(|c| !matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).collect()
}

impl Rules {
    pub(super) fn state(&mut self, line: &'static str) -> Result<(), String> {
        let mut words = line.split_whitespace();
        let name = words.next().ok_or("a state without a name")?;
        self.states.insert(name, words.map(word).collect());
        Ok(())
    }

    pub(super) fn rule(
        &mut self,
        line: &'static str,
        events: &[&'static str],
    ) -> Result<(), String> {
        let wrong = |what: &str| format!("{what}: `{line}`");
        let (head, constants) = line.split_once(';').unwrap_or((line, ""));
        let (verdict, conditions) = head.split_once(char::is_whitespace).unwrap_or((head, ""));
        let verdict = match verdict {
            "silent" => Verdict::Silent,
            "quiet" => Verdict::Quiet,
            event if events.contains(&event) => Verdict::Event(event),
            _ => return Err(wrong("unknown event")),
        };
        let conditions = conditions.split(',').map(str::trim);
        let conditions = conditions
            .filter(|text| !text.is_empty())
            .map(|text| {
                self.condition(text)
                    .ok_or_else(|| wrong("unknown condition"))
            })
            .collect::<Result<_, _>>()?;
        let constants = constants.split(';').map(str::trim);
        let constants = constants
            .filter(|text| !text.is_empty())
            .map(|text| {
                text.split_once(' ')
                    .ok_or_else(|| wrong("a path without a value"))
            })
            .collect::<Result<_, _>>()?;
        self.in_order.push(Rule {
            verdict,
            conditions,
            constants,
        });
        Ok(())
    }

    fn condition(&self, text: &'static str) -> Option<Condition> {
        let mut words = text.split_whitespace();
        let name = words.next()?;
        let given: Vec<&'static str> = words.collect();
        let states = |given: Vec<&'static str>| {
            let known = given.iter().all(|state| self.states.contains_key(state));
            (known && !given.is_empty()).then_some(given)
        };
        Some(match (name, given.as_slice()) {
            ("first", []) => Condition::First,
            ("unsure", []) => Condition::Unsure,
            ("past", [path]) => Condition::Past(path),
            ("gone", []) => Condition::Gone,
            ("is", _) => Condition::Is(states(given)?),
            ("was", _) => Condition::Was(states(given)?),
            ("moved", [_, ..]) => Condition::Moved(given),
            ("has", [path]) => Condition::Has(path),
            ("lacks", [path]) => Condition::Lacks(path),
            ("gained", [path]) => Condition::Gained(path),
            _ => return None,
        })
    }

    pub(super) fn fhir_code(&mut self, line: &'static str) -> Result<(), String> {
        let (event, code) = line
            .split_once(' ')
            .ok_or_else(|| format!("an event without a code: `{line}`"))?;
        if let Some((_, codes)) = &mut self.fhir {
            codes.insert(event, code);
        }
        Ok(())
    }

    pub(super) fn carry(&mut self, event: &'static str, line: &'static str) -> Result<(), String> {
        let (path, from) = line
            .split_once(' ')
            .ok_or_else(|| format!("a carry needs two paths: `{line}`"))?;
        self.carries.push(Carry { event, path, from });
        Ok(())
    }
}
