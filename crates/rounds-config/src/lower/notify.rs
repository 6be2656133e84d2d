//! What is told of a change.

use super::body;
use super::lookups::CONTAINER;
use crate::codes;
use crate::diagnostic::Findings;
use crate::face::NotifyKeys;
use crate::kinds::Marked;
use crate::reading::{Given, Here};
use crate::source::Place;
use rounds_domain::plan::{BodyRule, EventRule, Notify, OrderBy};
use rounds_map::Body;
use rounds_map::models::{Model, ModelProblem};
use std::collections::BTreeMap;

/// The events of a new, a changed and a deleted record where the user says nothing.
const CREATED: &str = "New";
const UPDATED: &str = "Modification";
const DELETED: &str = "Cancel";

pub(super) fn lower(
    given: &Given<NotifyKeys>,
    lookups: &[String],
    findings: &mut Findings<'_>,
) -> Option<Notify> {
    let keys = match given {
        Given::Absent => {
            return Some(Notify {
                body: BodyRule::Whole,
                order_by: OrderBy::Record,
            });
        }
        Given::Wrong => return None,
        Given::Here(here) => &here.value,
    };
    let mut roots: Vec<&str> = CONTAINER.to_vec();
    roots.extend(lookups.iter().map(String::as_str));
    let body = keys
        .body
        .here()
        .map(|here| (here, body::lower(&here.value.0, &roots, findings)));
    let order_by = order_by(&keys.order_by, findings);
    let rule = match keys.model.here() {
        None => {
            if let Some(event) = keys.event.here() {
                findings
                    .error(codes::MISMATCHED_KEYS, event.key, "`event` without `model`")
                    .help("name the data model that has this event: `model: Scheduling`");
            }
            match body {
                None if keys.body.is_absent() => Some(BodyRule::Whole),
                None => None,
                Some((_, lowered)) => lowered.body.map(BodyRule::Free),
            }
        }
        Some(model) => {
            let name = model.value.0.text.as_str();
            let known = Model::named(name);
            if known.is_none() {
                let names: Vec<&str> = Model::names().collect();
                let shown = crate::reading::shortened(name);
                findings
                    .error(
                        codes::UNKNOWN_MODEL,
                        model.place,
                        format!("unknown data model `{shown}`"),
                    )
                    .nearest(name, names.iter().copied());
            }
            let event =
                known.and_then(|known| event(known, model.place, &keys.event, &roots, findings));
            let (lowered, place) = match body {
                Some((here, lowered)) => (lowered, here.key),
                None => (
                    body::Lowered {
                        body: Some(Body::Object(Vec::new())),
                        places: BTreeMap::new(),
                    },
                    model.place,
                ),
            };
            match (known, event, lowered.body) {
                (Some(model), Some(event), Some(body)) if !matches!(keys.body, Given::Wrong) => {
                    check_shape(model, &event, &body, &lowered.places, place, findings);
                    Some(BodyRule::Model { model, event, body })
                }
                _ => None,
            }
        }
    };
    Some(Notify {
        body: rule?,
        order_by: order_by?,
    })
}

fn event(
    model: &'static Model,
    model_place: Place,
    given: &Given<Marked>,
    roots: &[&str],
    findings: &mut Findings<'_>,
) -> Option<EventRule> {
    let events: Vec<&str> = model.events().collect();
    match given {
        Given::Wrong => None,
        Given::Here(Here {
            value: Marked::Expression(compiled),
            ..
        }) => {
            compiled.check_reads(roots, findings);
            Some(EventRule::Expression(compiled.filter.clone()))
        }
        Given::Here(Here {
            value: Marked::Literal(scalar),
            ..
        }) => {
            let name = scalar.text.as_str();
            if events.contains(&name) {
                return Some(EventRule::ByKind {
                    created: name.to_owned(),
                    updated: name.to_owned(),
                    deleted: name.to_owned(),
                });
            }
            let shown = crate::reading::shortened(name);
            findings
                .error(
                    codes::UNKNOWN_EVENT,
                    scalar.place,
                    format!("`{shown}` is no event of {}", model.name()),
                )
                .nearest(name, events.iter().copied());
            None
        }
        Given::Absent => {
            let needed = [CREATED, UPDATED, DELETED];
            if needed.iter().all(|event| events.contains(event)) {
                return Some(EventRule::ByKind {
                    created: CREATED.to_owned(),
                    updated: UPDATED.to_owned(),
                    deleted: DELETED.to_owned(),
                });
            }
            findings
                .error(
                    codes::UNKNOWN_EVENT,
                    model_place,
                    format!(
                        "{} has no events `{CREATED}`, `{UPDATED}` and `{DELETED}`",
                        model.name()
                    ),
                )
                .help(format!(
                    "say which event a change is: `event:` with one of {}",
                    crate::diagnostic::list(&events)
                ));
            None
        }
    }
}

/// What is wrong with a body in every event that it can be of.
fn check_shape(
    model: &'static Model,
    event: &EventRule,
    body: &Body,
    places: &BTreeMap<String, body::Places>,
    otherwise: Place,
    findings: &mut Findings<'_>,
) {
    let events: Vec<&str> = match event {
        EventRule::ByKind {
            created, updated, ..
        } if created == updated => vec![created],
        EventRule::ByKind {
            created,
            updated,
            deleted,
        } => vec![created, updated, deleted],
        EventRule::Expression(_) => model.events().collect(),
    };
    let checked: Vec<_> = events
        .iter()
        .map(|event| (*event, model.check_shape(event, body)))
        .collect();
    let mut told: Vec<String> = Vec::new();
    for (_, errors) in &checked {
        for error in errors {
            // An expression decides the event when there is a record: only what is wrong whatever it says is sure.
            let always = checked
                .iter()
                .all(|(_, others)| others.iter().any(|other| other.path == error.path));
            if told.contains(&error.path) || (matches!(event, EventRule::Expression(_)) && !always)
            {
                continue;
            }
            told.push(error.path.clone());
            let place = place_of(&error.path, &error.problem, places).unwrap_or(otherwise);
            let diagnostic = findings.error(
                codes::BODY_SHAPE,
                place,
                format!("`{}` {}", error.path, words(&error.problem)),
            );
            if let ModelProblem::UnknownField {
                nearest: Some(near),
                ..
            } = &error.problem
            {
                diagnostic.help(format!("did you mean `{near}`?"));
            }
            if let ModelProblem::WrongType {
                needed: "a string",
                found: "a number" | "a boolean",
            } = &error.problem
            {
                diagnostic.help("put it into quotes");
            }
            if matches!(error.problem, ModelProblem::Missing) {
                diagnostic.help(format!(
                    "{} needs it: give it a literal, or jq marked with `=`",
                    model.name()
                ));
            }
        }
    }
}

fn words(problem: &ModelProblem) -> String {
    let text = problem.to_string();
    // What comes after the semicolon is a hint for expressions, or the nearest name, which stands in the help.
    text.split(';').next().unwrap_or(&text).to_owned()
}

/// Where a path of the body stands, or the nearest part of it that is there.
fn place_of(
    path: &str,
    problem: &ModelProblem,
    places: &BTreeMap<String, body::Places>,
) -> Option<Place> {
    if let Some(found) = places.get(path) {
        return Some(match problem {
            ModelProblem::UnknownField { .. } => found.key,
            _ => found.value,
        });
    }
    let mut path = path;
    while let Some(cut) = path.rfind(['.', '[']) {
        path = &path[..cut];
        if let Some(found) = places.get(path) {
            return Some(found.key);
        }
    }
    None
}

fn order_by(given: &Given<Marked>, findings: &mut Findings<'_>) -> Option<OrderBy> {
    match given {
        Given::Absent => Some(OrderBy::Record),
        Given::Wrong => None,
        Given::Here(Here {
            value: Marked::Expression(compiled),
            ..
        }) => {
            compiled.check_reads(&["record"], findings);
            Some(OrderBy::Expression(compiled.filter.clone()))
        }
        Given::Here(Here {
            value: Marked::Literal(scalar),
            ..
        }) => match scalar.text.as_str() {
            "record" => Some(OrderBy::Record),
            "action" => Some(OrderBy::Action),
            other => {
                let shown = crate::reading::shortened(other);
                let diagnostic = findings.error(
                    codes::UNKNOWN_WORD,
                    scalar.place,
                    format!("unknown word `{shown}`"),
                );
                diagnostic.expected("expected `record`, `action`, or jq marked with `=`");
                if other.starts_with('.') {
                    diagnostic.help(format!("did you mean `= .record{shown}`?"));
                } else {
                    diagnostic.nearest(other, ["record", "action"]);
                }
                None
            }
        },
    }
}
