//! What a receiver that was written for Redox is told of the appointments: the exact sequence of events of each.

use super::bodies;
use anyhow::{Context, Result};
use rounds_testkit::receiver::FakeReceiver;
use std::collections::BTreeMap;

/// Where the action tells that has a data model.
pub(super) const HOOK: &str = "redox";

/// The events of Redox's Scheduling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    New,
    Reschedule,
    Modification,
    Cancel,
    NoShow,
}

impl Event {
    const ALL: [(&'static str, Self); 5] = [
        ("New", Self::New),
        ("Reschedule", Self::Reschedule),
        ("Modification", Self::Modification),
        ("Cancel", Self::Cancel),
        ("NoShow", Self::NoShow),
    ];
}

/// The events that each appointment has to become, in their order.
#[derive(Debug, Default)]
pub(super) struct Expected(BTreeMap<String, Vec<Event>>);

/// What was told of one appointment.
#[derive(Debug, Default)]
struct Told {
    events: Vec<Event>,
    /// Whether a Reschedule told of no other time, or of the one that it has.
    odd: Vec<String>,
}

impl Expected {
    pub(super) fn add(&mut self, appointment: &str, event: Event) {
        self.0
            .entry(appointment.to_owned())
            .or_default()
            .push(event);
    }

    /// How many events that are.
    pub(super) fn count(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// The appointments of which not exactly these events were told, in words.
    pub(super) fn missing(&self, receiver: &FakeReceiver) -> Result<Vec<String>> {
        let told = told(receiver)?;
        let differing = self.0.iter().filter_map(|(appointment, expected)| {
            let told = told.get(appointment).map_or(&[][..], |told| &told.events);
            (told != expected)
                .then(|| format!("{appointment}: told as {told:?}, expected {expected:?}"))
        });
        Ok(differing.collect())
    }

    /// All that is wrong with what was told, those appointments included that came and went faster than rounds are made: of them
    /// some states were never seen, but what was told has to make sense.
    pub(super) fn wrong(&self, receiver: &FakeReceiver) -> Result<Vec<String>> {
        let mut wrong = self.missing(receiver)?;
        for (appointment, told) in told(receiver)? {
            wrong.extend(told.odd);
            let begins = told.events.first() == Some(&Event::New);
            let once = told
                .events
                .iter()
                .filter(|event| **event == Event::New)
                .count()
                == 1;
            let ends = told
                .events
                .iter()
                .position(|event| matches!(event, Event::Cancel | Event::NoShow));
            let at_the_end = ends.is_none_or(|end| end + 1 == told.events.len());
            if !(begins && once && at_the_end) {
                wrong.push(format!("{appointment}: {:?} makes no sense", told.events));
            }
        }
        Ok(wrong)
    }
}

fn told(receiver: &FakeReceiver) -> Result<BTreeMap<String, Told>> {
    let mut told: BTreeMap<String, Told> = BTreeMap::new();
    for body in bodies(receiver, HOOK)? {
        let name = body["Meta"]["EventType"].as_str().context("no event")?;
        let known = Event::ALL.iter().find(|(known, _)| *known == name);
        let (_, event) = known.with_context(|| format!("{name} is no event"))?;
        let visit = &body["Visit"];
        let appointment = visit["VisitNumber"].as_str().context("no visit number")?;
        let entry = told.entry(appointment.to_owned()).or_default();
        entry.events.push(*event);
        let moved =
            visit["OldDateTime"].is_string() && visit["OldDateTime"] != visit["VisitDateTime"];
        if *event == Event::Reschedule && !moved {
            entry
                .odd
                .push(format!("{appointment}: a Reschedule without an old time"));
        }
        if body["Patient"]["Demographics"]["LastName"].is_null() {
            entry
                .odd
                .push(format!("{appointment}: a message without its patient"));
        }
    }
    Ok(told)
}
