//! What is told of a change.

mod event;
pub(super) mod modifiers;
mod own;
mod shape;

use super::lookups::CONTAINER;
use super::never::Made;
use super::{Known, body, never};
use crate::codes;
use crate::diagnostic::{Findings, Reported};
use crate::face::NotifyKeys;
use crate::kinds::{Marked, ModelWord, OneOrMany, Text};
use crate::reading::{Given, Here};
use crate::source::Place;
use crate::tree::{Node, NodeKind};
use jiff::tz::TimeZone;
use rounds_domain::plan::{BodyRule, Frame, Notify, Only, OrderBy, Payload, Shape};
use rounds_map::Body;
use rounds_map::models::Model;
use std::collections::BTreeMap;

/// The word for everything that the body has.
const MAPPED: &str = "mapped";

pub(super) fn lower(
    given: &Given<NotifyKeys>,
    lookups: &[String],
    known: &Known<'_>,
    findings: &mut Findings<'_>,
) -> Option<Notify> {
    let keys = match given {
        Given::Absent => {
            return Some(Notify {
                body: BodyRule::Whole,
                order_by: OrderBy::Record,
                only: None,
                modifiers: Vec::new(),
                shape: Shape::default(),
                payload: Payload::default(),
                topic: None,
                watched: Vec::new(),
                zone: None,
                frame: Frame::default(),
            });
        }
        Given::Wrong => return None,
        Given::Here(here) => &here.value,
    };
    // What is no name was not looked for.
    if matches!(keys.map, Given::Wrong) {
        return None;
    }
    let mut roots: Vec<&str> = CONTAINER.to_vec();
    roots.extend(lookups.iter().map(String::as_str));
    let order_by = order_by(&keys.order_by, findings);
    let rule = match keys.model.here() {
        None => without_model(keys, &roots, findings),
        Some(model) => match &model.value {
            ModelWord::Named(name) => with_model(keys, &name.0, &roots, findings),
            ModelWord::Own(own) => own::lower(keys, own, &roots, findings),
        },
    };
    let put = put_later(keys);
    let only = only(&keys.only, rule.as_ref(), &put, findings);
    let shape = shape::wrapping(keys, findings).ok();
    let modifiers = modifiers::lower(keys, rule.as_ref(), known, &roots, findings);
    Some(Notify {
        modifiers: modifiers.ok()?,
        shape: shape?,
        payload: keys.payload.or(Payload::default()),
        topic: keys.topic.value().map(|topic| topic.0.text.clone()),
        watched: watched(keys, findings),
        zone: zone(keys, findings).ok()?,
        // Known once it is known to whom it goes.
        frame: Frame::default(),
        body: rule?,
        order_by: order_by?,
        only: only.ok()?,
    })
}

/// The paths of expressions that the user wrote, but for those that say that they may give nothing. Of a map that came along most fields are
/// empty in most EHRs.
fn watched(keys: &NotifyKeys, findings: &Findings<'_>) -> Vec<String> {
    fn walk(node: &Node, path: &str, own_files: usize, paths: &mut Vec<String>) {
        match &node.kind {
            NodeKind::Scalar(scalar) => {
                let is_own = scalar.place.file < own_files;
                let is_jq = scalar.text.starts_with('=') && !scalar.text.starts_with("==");
                // A new record was nothing before.
                let may_be_nothing = [
                    "// null",
                    "// empty",
                    "//null",
                    "//empty",
                    ".previous",
                    ".change",
                ];
                let may_be_nothing = may_be_nothing.iter().any(|word| scalar.text.contains(word));
                if is_own && is_jq && !may_be_nothing && !path.is_empty() {
                    paths.push(path.to_owned());
                }
            }
            NodeKind::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    walk(item, &format!("{path}[{index}]"), own_files, paths);
                }
            }
            NodeKind::Mapping(entries) => {
                for entry in entries {
                    let name = entry.key.text.as_str();
                    let path = if path.is_empty() {
                        name.to_owned()
                    } else {
                        format!("{path}.{name}")
                    };
                    walk(&entry.value, &path, own_files, paths);
                }
            }
            NodeKind::Refused => {}
        }
    }
    let mut paths = Vec::new();
    if let Some(body) = keys.body.value() {
        walk(&body.0, "", findings.sources.count(), &mut paths);
    }
    paths
}

/// The zone of what is told, where there is somebody who brings times into a form.
fn zone(keys: &NotifyKeys, findings: &mut Findings<'_>) -> Result<Option<TimeZone>, Reported> {
    let given = match &keys.zone {
        Given::Absent => return Ok(None),
        Given::Wrong => return Err(Reported),
        Given::Here(here) => here,
    };
    if keys.model.is_absent() {
        findings
            .error(codes::MISMATCHED_KEYS, given.key, "`zone` without `model`")
            .expected("without a data model times are told as they are written")
            .help(
                "name a data model, or the JSON Schema of your own whose `format` is `date-time`",
            );
        return Err(Reported);
    }
    Ok(Some(given.value.0.clone()))
}

fn without_model(
    keys: &NotifyKeys,
    roots: &[&str],
    findings: &mut Findings<'_>,
) -> Option<BodyRule> {
    let of_models = [
        ("event", keys.event.here().map(|here| here.key)),
        ("status", keys.status.here().map(|here| here.key)),
        ("statuses", keys.statuses.here().map(|here| here.key)),
        (
            "first_seen_over",
            keys.first_seen_over.here().map(|here| here.key),
        ),
    ];
    for (name, place) in of_models {
        if let Some(place) = place {
            findings
                .error(
                    codes::MISMATCHED_KEYS,
                    place,
                    format!("`{name}` without `model`"),
                )
                .help("name the data model whose events are meant: `model: Scheduling`");
        }
    }
    match keys.body.here() {
        None if keys.body.is_absent() => Some(BodyRule::Whole),
        None => None,
        Some(here) => body::lower(&here.value.0, roots, findings)
            .body
            .map(BodyRule::Free),
    }
}

fn with_model(
    keys: &NotifyKeys,
    named: &crate::tree::Scalar,
    roots: &[&str],
    findings: &mut Findings<'_>,
) -> Option<BodyRule> {
    let name = named.text.as_str();
    let known = Model::named(name);
    if known.is_none() {
        let names: Vec<&str> = Model::names().collect();
        let shown = crate::reading::shortened(name);
        findings
            .error(
                codes::UNKNOWN_MODEL,
                named.place,
                format!("unknown data model `{shown}`"),
            )
            .nearest(name, names.iter().copied());
    }
    let (lowered, place) = written(keys, named.place, roots, findings);
    let model = known?;
    let event = event::lower(model, &keys.event, roots, findings);
    let status = event::status(model, keys, roots, findings);
    let ways = event::ways(model, keys, findings);
    let (event, body) = (event?, lowered.body?);
    if matches!(keys.body, Given::Wrong) {
        return None;
    }
    let put = put_later(keys);
    shape::check(model, &event, &body, &put, &lowered.places, place, findings);
    Some(BodyRule::Model {
        model,
        event,
        status: status.ok()?,
        ways: ways?,
        body,
    })
}

/// The body that a model completes, and where it stands; an empty one, at the model, where the user wrote none.
fn written(
    keys: &NotifyKeys,
    otherwise: Place,
    roots: &[&str],
    findings: &mut Findings<'_>,
) -> (body::Lowered, Place) {
    match keys.body.here() {
        Some(here) => (body::lower(&here.value.0, roots, findings), here.key),
        None => (
            body::Lowered {
                body: Some(Body::Object(Vec::new())),
                places: BTreeMap::new(),
            },
            otherwise,
        ),
    }
}

/// The paths at which `put` gives a value later.
pub(super) fn put_later(keys: &NotifyKeys) -> Vec<&str> {
    let put = keys.put.value().into_iter().flat_map(|pairs| &pairs.pairs);
    put.map(|pair| pair.key.text.as_str()).collect()
}

/// Paths of the body.
fn only(
    given: &Given<OneOrMany<Text>>,
    rule: Option<&BodyRule>,
    put: &[&str],
    findings: &mut Findings<'_>,
) -> Result<Option<Only>, Reported> {
    let paths = match given {
        Given::Absent => return Ok(None),
        Given::Wrong => return Err(Reported),
        Given::Here(here) => &here.value.0,
    };
    let mut known = Vec::new();
    for path in paths {
        let scalar = &path.value.0;
        if scalar.text == MAPPED {
            return Ok(Some(Only::Mapped));
        }
        let path = modifiers::path(scalar, rule, findings)?;
        never::only(&path, scalar.place, Made { rule, put }, findings);
        known.push(path);
    }
    Ok(Some(Only::Paths(known)))
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
                if other.starts_with(".record") {
                    diagnostic.help(format!("did you mean `= {shown}`?"));
                } else if other.starts_with('.') {
                    diagnostic.help(format!("did you mean `= .record{shown}`?"));
                } else {
                    diagnostic.nearest(other, ["record", "action"]);
                }
                None
            }
        },
    }
}
