//! Whether a body is of its model's shape, as far as that is known before there is a record.

use crate::codes;
use crate::diagnostic::{Findings, Reported};
use crate::face::NotifyKeys;
use crate::kinds::ModelWord;
use crate::lower::body;
use crate::reading::Here;
use crate::source::Place;
use rounds_domain::plan::{EventRule, Payload, Shape};
use rounds_map::Body;
use rounds_map::models::{Model, ModelError, ModelProblem};
use std::collections::BTreeMap;

/// What is wrong with a body in every event that it can be of.
pub(super) fn check(
    model: &'static Model,
    event: &EventRule,
    body: &Body,
    put: &[&str],
    places: &BTreeMap<String, body::Places>,
    otherwise: Place,
    findings: &mut Findings<'_>,
) {
    let events: Vec<&str> = match event {
        EventRule::Fixed(event) => vec![event],
        EventRule::Derived => model.reachable(body),
        EventRule::Expression(_) => model.events().collect(),
    };
    let checked: Vec<_> = events
        .iter()
        .map(|event| (*event, model.check_shape(event, body)))
        .collect();
    let mut told: Vec<String> = Vec::new();
    for (name, errors) in &checked {
        for error in errors {
            let is_same = |other: &ModelError| other.path == error.path;
            let counts = match (event, &error.problem) {
                (_, ModelProblem::Missing) if put.contains(&error.path.as_str()) => false,
                // What another event has is left out of the others.
                (EventRule::Derived, ModelProblem::UnknownField { .. }) => model
                    .events()
                    .all(|event| model.check_shape(event, body).iter().any(is_same)),
                (EventRule::Derived, ModelProblem::Missing) => !model.carries(name, &error.path),
                (EventRule::Fixed(_) | EventRule::Derived, _) => true,
                // An expression decides the event when there is a record: only what is wrong whatever it says is sure.
                (EventRule::Expression(_), _) => {
                    checked.iter().all(|(_, others)| others.iter().any(is_same))
                }
            };
            if !counts || told.contains(&error.path) {
                continue;
            }
            told.push(error.path.clone());
            tell(error, model.name(), places, otherwise, findings);
        }
    }
}

/// Tells of one thing that is wrong with a body.
pub(super) fn tell(
    error: &ModelError,
    model: &str,
    places: &BTreeMap<String, body::Places>,
    otherwise: Place,
    findings: &mut Findings<'_>,
) {
    let place = place_of(&error.path, &error.problem, places).unwrap_or(otherwise);
    let diagnostic = findings.error(
        codes::BODY_SHAPE,
        place,
        format!("`{}` {}", error.path, words(&error.problem)),
    );
    match &error.problem {
        ModelProblem::UnknownField {
            nearest: Some(near),
            ..
        }
        | ModelProblem::NotInSchema {
            nearest: Some(near),
        } => {
            diagnostic.help(format!("did you mean `{near}`?"));
        }
        ModelProblem::WrongType {
            needed: "a string",
            found: "a number" | "a boolean",
        } => {
            diagnostic.help("put it into quotes");
        }
        ModelProblem::Missing => {
            diagnostic.help(format!(
                "{model} needs it: give it a literal, or jq marked with `=`"
            ));
        }
        _ => {}
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
            ModelProblem::UnknownField { .. } | ModelProblem::NotInSchema { .. } => found.key,
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

/// How a notification is wrapped. What changes a body is of no use where the body is not sent.
pub(super) fn wrapping(keys: &NotifyKeys, findings: &mut Findings<'_>) -> Result<Shape, Reported> {
    let shape = keys.shape.or(Shape::default());
    let of_bodies = [
        ("put", keys.put.here().map(|here| here.key)),
        ("translate", keys.translate.here().map(|here| here.key)),
        ("delete", keys.delete.here().map(|here| here.key)),
    ];
    let unused = of_bodies
        .into_iter()
        .find_map(|(name, place)| Some((name, place?)));
    if let (true, Some((name, place))) = (shape.is_fhir(), unused) {
        findings
            .error(
                codes::MISMATCHED_KEYS,
                place,
                format!("`{name}` with a shape that does not send the body"),
            )
            .expected(format!("`{}` sends the record as it is", shape.as_str()))
            .help("leave it out, or take another `shape`");
        return Err(Reported);
    }
    let writes_only = match keys.model.here() {
        // Of a data model's body the events follow.
        Some(Here {
            value: ModelWord::Named(_),
            ..
        }) => None,
        Some(own) => Some(("a schema of your own", own.key)),
        // By the body it may be decided which changes are told.
        None if !keys.only.is_absent() => None,
        None => keys.body.here().map(|here| ("`body`", here.key)),
    };
    if let (true, Some((what, place))) = (shape.is_fhir(), writes_only) {
        findings
            .error(
                codes::MISMATCHED_KEYS,
                place,
                format!("{what} with a shape that does not send the body"),
            )
            .expected(format!("`{}` sends the record as it is", shape.as_str()))
            .help("leave it out, or take another `shape`");
        return Err(Reported);
    }
    let is_subscription = matches!(shape, Shape::FhirSubscriptionR4 | Shape::FhirSubscriptionR5);
    if let (false, Some(topic)) = (is_subscription, keys.topic.here()) {
        findings
            .error(
                codes::MISMATCHED_KEYS,
                topic.key,
                "`topic` without a shape that has one",
            )
            .help("write `shape: fhir_subscription_r4` beside it");
        return Err(Reported);
    }
    if let (Shape::FhirMessage, Some(payload)) = (shape, keys.payload.here())
        && payload.value == Payload::Empty
    {
        findings
            .error(
                codes::MISMATCHED_KEYS,
                payload.place,
                "a FHIR message without its focus",
            )
            .expected("expected `full` or `id_only`");
        return Err(Reported);
    }
    Ok(shape)
}
