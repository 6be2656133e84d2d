//! From what the user wrote to the plan: every name resolved, every default filled in, every contradiction found.
//!
//! Lowering goes on after an error, like reading. What cannot be lowered is left out of the plan; the plan is only given
//! out when there was no error at all.

mod action;
mod also;
mod answers;
mod authentication;
mod body;
mod connection;
mod cursor;
mod destination;
mod feed;
mod frames;
mod inbound;
mod log;
mod lookups;
mod never;
mod notify;
mod paging;
mod partitions;
mod queue;
mod request;
mod request_body;
mod setup;
mod subscriptions;
mod sweeps;
mod translations;
mod unmarked;

use crate::codes;
use crate::diagnostic::Findings;
use crate::face::{ActionKeys, ConfigKeys, ConnectionKeys, DestinationKeys, RetryKeys};
use crate::kinds::{Many, Named, Names};
use crate::reading::Given;
use crate::source::Place;
use rounds_domain::plan::{Plan, RetrySchedule};
use rounds_domain::{ActionName, ConnectionName};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Something was wrong, and that was reported.
#[derive(Debug, Clone, Copy)]
struct Reported;

/// A plan, and where things stand that are checked on the whole plan.
#[derive(Debug, Default)]
pub(crate) struct Lowered {
    pub(crate) plan: Plan,
    /// Where a connection's limits stand.
    pub(crate) limits: BTreeMap<ConnectionName, Place>,
    /// Where an action's interval stands.
    pub(crate) intervals: BTreeMap<ActionName, Place>,
}

/// What there is to refer to, and what was referred to.
#[derive(Debug, Default)]
pub(crate) struct Known<'c> {
    pub(crate) connections: BTreeSet<&'c str>,
    pub(crate) destinations: BTreeSet<&'c str>,
    /// The connections that begin with a connector.
    over_connectors: BTreeSet<&'c str>,
    used: BTreeSet<&'c str>,
    used_destinations: BTreeSet<&'c str>,
    translations: translations::Translations,
    frames: frames::Frames,
    /// A name was not found: then it is likely that what seems unused was meant.
    missed: Missed,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Missed {
    #[default]
    Nothing,
    Something,
}

/// The former name of an action is nobody's any more.
fn check_former(keys: &ActionKeys, actions: &[&Named<ActionKeys>], findings: &mut Findings<'_>) {
    let Some(former) = keys.renamed_from.here() else {
        return;
    };
    let name = former.value.0.text.as_str();
    if let Some(other) = actions.iter().find(|named| named.name == name) {
        findings
            .error(
                codes::MISMATCHED_KEYS,
                former.place,
                format!("an action that was called `{name}`, and one that is"),
            )
            .also(other.place, "it stands here")
            .help("what is kept of an action can be one action's only: take `renamed_from` out, or rename the other");
    }
}

pub(crate) fn lower(files: &[ConfigKeys], findings: &mut Findings<'_>) -> Lowered {
    let connections = merged(files, |file| &file.connections, findings);
    let destinations = merged(files, |file| &file.destinations, findings);
    let actions = merged(files, |file| &file.actions, findings);
    let mut known = Known {
        connections: connections
            .iter()
            .map(|named| named.name.as_str())
            .collect(),
        destinations: destinations
            .iter()
            .map(|named| named.name.as_str())
            .collect(),
        over_connectors: (connections.iter())
            .filter(|named| (named.value.as_ref()).is_some_and(|keys| !keys.connector.is_absent()))
            .map(|named| named.name.as_str())
            .collect(),
        frames: frames::Frames::of(&connections, &destinations),
        ..Known::default()
    };
    let sets = merged(files, |file| &file.translations, findings);
    known.translations = translations::lower(&sets, findings);
    let mut lowered = Lowered::default();
    lowered.plan.keep_finished = keep(files, findings);
    for Named { name, value, .. } in connections.iter().copied() {
        let Some(keys) = value else { continue };
        if let Some(connection) = connection::lower(name, keys, findings) {
            if let Some(place) = limits_place(keys) {
                lowered.limits.insert(connection.name.clone(), place);
            }
            lowered
                .plan
                .connections
                .insert(connection.name.clone(), Arc::new(connection));
        }
    }
    for Named { name, place, value } in actions.iter().copied() {
        let Some(keys) = value else {
            known.missed = Missed::Something;
            continue;
        };
        let interval = keys
            .every
            .here()
            .map(|here| here.place)
            .or(keys.at.here().map(|here| here.place));
        lowered
            .intervals
            .insert(ActionName::new(name.as_str()), interval.unwrap_or(*place));
        let connections = &lowered.plan.connections;
        check_former(keys, &actions, findings);
        let action = action::lower(name, *place, keys, &mut known, connections, findings);
        lowered.plan.actions.extend(action.map(Arc::new));
    }
    for Named { name, value, .. } in destinations.iter().copied() {
        let destination = value
            .as_ref()
            .and_then(|keys| destination::lower(name, keys, findings));
        if let Some(destination) = destination {
            lowered
                .plan
                .destinations
                .insert(destination.name.clone(), Arc::new(destination));
        }
    }
    if actions.is_empty() {
        findings
            .warning(
                codes::NOTHING_SENT,
                Place::default(),
                "no actions: nothing is asked",
            )
            .help("describe what is polled under `actions`");
    }
    unused(&known, &connections, &destinations, findings);
    lowered
}

/// The things of one section in all files. A name that comes twice is reported, and its first place counts.
fn merged<'c, T>(
    files: &'c [ConfigKeys],
    section: impl Fn(&'c ConfigKeys) -> &'c Given<Names<T>>,
    findings: &mut Findings<'_>,
) -> Vec<&'c Named<T>> {
    let mut first: BTreeMap<&str, Place> = BTreeMap::new();
    let mut all = Vec::new();
    for named in files
        .iter()
        .filter_map(|file| section(file).value())
        .flat_map(|names| &names.0)
    {
        if let Some(first) = first.get(named.name.as_str()) {
            crate::kinds::same_name(&named.name, *first, named.place, findings);
        } else {
            first.insert(&named.name, named.place);
            all.push(named);
        }
    }
    all
}

fn keep(files: &[ConfigKeys], findings: &mut Findings<'_>) -> std::time::Duration {
    let mut given = files.iter().filter_map(|file| file.keep.here());
    let Some(first) = given.next() else {
        return Plan::DEFAULT_KEEP_FINISHED;
    };
    for other in given {
        findings
            .error(
                codes::DUPLICATE_KEY,
                other.key,
                "the key `keep` stands in two files",
            )
            .expected("again here")
            .also(first.key, "first here")
            .help("keep one of them");
    }
    first.value.0
}

fn limits_place(keys: &ConnectionKeys) -> Option<Place> {
    keys.limits.value()?.rate.here().map(|rate| rate.place)
}

fn unused(
    known: &Known<'_>,
    connections: &[&Named<ConnectionKeys>],
    destinations: &[&Named<DestinationKeys>],
    findings: &mut Findings<'_>,
) {
    if known.missed == Missed::Something {
        return;
    }
    for named in connections
        .iter()
        .filter(|named| !known.used.contains(named.name.as_str()))
    {
        findings
            .warning(
                codes::UNUSED,
                named.place,
                format!("no action asks the connection `{}`", named.name),
            )
            .help("name it in an action's `connection`, or take it out");
    }
    let unused = destinations
        .iter()
        .filter(|named| !known.used_destinations.contains(named.name.as_str()));
    for named in unused {
        findings
            .warning(
                codes::UNUSED,
                named.place,
                format!("no action tells the destination `{}`", named.name),
            )
            .help("name it in an action's `to`, or take it out");
    }
}

/// A retry schedule with its defaults.
pub(crate) fn retry(
    given: &Given<RetryKeys>,
    default: RetrySchedule,
    findings: &mut Findings<'_>,
) -> RetrySchedule {
    const MOST_WAITS: usize = 1_000;
    let Some(keys) = given.value() else {
        return default;
    };
    let waits = keys.waits.here().map(|waits| {
        let Many(list) = &waits.value;
        if list.len() > MOST_WAITS {
            findings.error(
                codes::OUT_OF_RANGE,
                waits.key,
                format!("more than {MOST_WAITS} waits"),
            );
        }
        list.iter()
            .take(MOST_WAITS)
            .map(|wait| wait.value.0)
            .collect()
    });
    RetrySchedule {
        waits: waits.unwrap_or(default.waits),
        jitter_percent: keys
            .jitter
            .value()
            .map_or(default.jitter_percent, |jitter| jitter.0),
        longest_retry_after: keys
            .longest_retry_after
            .value()
            .map_or(default.longest_retry_after, |longest| longest.0),
    }
}

impl<'c> Known<'c> {
    /// Notes that an action uses a connection; reports one that there is not.
    pub(crate) fn connection(
        &mut self,
        reference: &'c crate::tree::Scalar,
        findings: &mut Findings<'_>,
    ) -> bool {
        let found = refer("connection", &self.connections, reference, findings);
        if found {
            self.used.insert(&reference.text);
        } else {
            self.missed = Missed::Something;
        }
        found
    }

    /// Notes that an action uses a destination; reports one that there is not.
    pub(crate) fn destination(
        &mut self,
        reference: &'c crate::tree::Scalar,
        findings: &mut Findings<'_>,
    ) -> bool {
        let found = refer("destination", &self.destinations, reference, findings);
        if found {
            self.used_destinations.insert(&reference.text);
        } else {
            self.missed = Missed::Something;
        }
        found
    }

    /// Reports an action that uses a connector's although its connection has none.
    pub(crate) fn uses(&self, keys: &ActionKeys, findings: &mut Findings<'_>) {
        let (Some(uses), Some(connection)) = (keys.uses.here(), keys.connection.value()) else {
            return;
        };
        let name = connection.0.text.as_str();
        if self.connections.contains(name) && !self.over_connectors.contains(name) {
            findings
                .error(
                    codes::UNKNOWN_CONNECTOR_ACTION,
                    uses.place,
                    "`uses` without a connector",
                )
                .expected(format!("the connection `{name}` has none"))
                .help("write `connector: NAME` there; `rounds connectors list` lists them");
        }
    }

    /// Something that refers could not be read.
    pub(crate) fn missed(&mut self) {
        self.missed = Missed::Something;
    }
}

fn refer(
    what: &str,
    known: &BTreeSet<&str>,
    reference: &crate::tree::Scalar,
    findings: &mut Findings<'_>,
) -> bool {
    let name = reference.text.as_str();
    if known.contains(name) {
        return true;
    }
    let shown = crate::reading::shortened(name);
    let diagnostic = findings.error(
        codes::UNKNOWN_REFERENCE,
        reference.place,
        format!("unknown {what} `{shown}`"),
    );
    diagnostic.nearest(name, known.iter().copied());
    if known.is_empty() {
        diagnostic.help(format!("describe it under `{what}s`"));
    }
    false
}

impl ActionKeys {
    /// How long one request may take, if the action says so.
    pub(crate) fn request_timeout(&self) -> Option<std::time::Duration> {
        self.timeout.value().map(|timeout| timeout.0)
    }
}
