//! From a filled container to a notification's body.

use super::Trouble;
use crate::Ports;
use crate::round::failure::EVALUATOR;
use rounds_domain::plan::{Action, BodyRule, EventRule};
use rounds_domain::{Code, Container, Document, Gap, LookupAnswer, Notification};
use rounds_map::models::{Meta, Party, Traffic};
use rounds_map::{Filter, Json};
use std::sync::Arc;

/// The code of a mapping that failed.
const MAPPING_FAILED: Code = Code::new("R0406");
/// The code of a body that its data model does not accept.
const MODEL_REFUSED: Code = Code::new("R0407");
/// The code of a kept document that is not JSON any more: the store is damaged.
const KEPT_DAMAGED: Code = Code::new("R0408");

/// What expressions read: `{record, previous, change, <lookups>}`.
pub(crate) struct Scope {
    members: Vec<(String, Json)>,
    whole: Json,
}

impl Scope {
    /// What is known before any lookup.
    pub(super) fn of(container: &Container) -> Result<Self, Trouble> {
        let previous = match &container.previous {
            Some(previous) => parse(previous)?,
            None => Json::null(),
        };
        let mut scope = Self {
            members: vec![
                ("record".to_owned(), parse(&container.record)?),
                ("previous".to_owned(), previous),
                ("change".to_owned(), change(container, &[])),
            ],
            whole: Json::null(),
        };
        scope.renew();
        Ok(scope)
    }

    /// Adds a lookup's answer under its name; null where there is none.
    pub(super) fn add(&mut self, answer: &LookupAnswer) -> Result<(), Trouble> {
        let value = answer
            .body
            .as_ref()
            .map_or_else(|| Ok(Json::null()), parse)?;
        self.members.push((answer.name.to_string(), value));
        self.renew();
        Ok(())
    }

    /// Whether a condition gives true of what is known so far, and nothing else.
    pub(super) fn holds(&self, condition: &Filter) -> bool {
        let given = condition.optional(&self.whole).ok().flatten();
        given.and_then(|given| given.as_bool()) == Some(true)
    }

    /// Says in `change.missing` which lookups found nothing.
    pub(super) fn mark_missing(&mut self, gaps: &[Gap]) {
        if gaps.is_empty() {
            return;
        }
        let names = Json::array(gaps.iter().map(|gap| Json::string(gap.lookup.as_str())));
        if let Some((_, change)) = self.members.iter_mut().find(|(name, _)| name == "change") {
            let kept = ["kind", "id", "action", "detected_at"];
            let mut entries: Vec<(String, Json)> = kept
                .iter()
                .filter_map(|key| change.get(key).map(|value| ((*key).to_owned(), value)))
                .collect();
            entries.push(("missing".to_owned(), names));
            *change = Json::object(entries);
        }
        self.renew();
    }

    /// The whole of it, as one object.
    pub(super) fn json(&self) -> &Json {
        &self.whole
    }

    fn renew(&mut self) {
        self.whole = Json::object(self.members.clone());
    }
}

fn change(container: &Container, missing: &[Json]) -> Json {
    Json::object([
        ("kind", Json::string(container.kind.as_str())),
        ("id", Json::string(container.id.notification_id().as_str())),
        ("action", Json::string(container.action.as_str())),
        (
            "detected_at",
            Json::string(container.detected_at.to_string()),
        ),
        ("missing", Json::array(missing.iter().cloned())),
    ])
}

fn parse(document: &Document) -> Result<Json, Trouble> {
    Json::parse(document.bytes()).map_err(|error| Trouble {
        code: KEPT_DAMAGED,
        reason: format!("a kept document cannot be read: {error}"),
        retry_after: None,
    })
}

/// Maps a filled container.
pub(super) async fn notification(
    ports: &Ports,
    action: &Arc<Action>,
    container: &Container,
    scope: Scope,
    gaps: Vec<Gap>,
) -> Result<Notification, Trouble> {
    let created_at = ports.clock.now();
    let named = |name: String| Party {
        id: None,
        name: Some(name),
    };
    let meta = Meta {
        event_date_time: created_at.to_string(),
        traffic: Traffic::Production,
        source: named(action.connection.to_string()),
        destinations: action
            .to
            .iter()
            .map(|name| named(name.to_string()))
            .collect(),
        log_id: container.id.notification_id().to_string(),
        // The body is the same on every attempt, byte for byte.
        attempt_id: None,
    };
    let for_mapping = Arc::clone(action);
    let kind = container.kind;
    let mapped = ports
        .evaluator
        .run(move || body(&for_mapping, kind, &scope, &meta))
        .await
        .map_err(|error| Trouble {
            code: EVALUATOR,
            reason: format!("mapping: {error}"),
            retry_after: None,
        })?;
    let (event, body) = mapped?;
    Ok(Notification {
        id: container.id.notification_id(),
        container: container.id.clone(),
        action: container.action.clone(),
        record_id: container.record_id.clone(),
        version: container.version,
        kind,
        event,
        ordering_key: container.ordering_key.clone(),
        body,
        gaps,
        detected_at: container.detected_at,
        created_at,
    })
}

fn body(
    action: &Action,
    kind: rounds_domain::ChangeKind,
    scope: &Scope,
    meta: &Meta,
) -> Result<(String, Document), Trouble> {
    let failed = |reason: String| Trouble {
        code: MAPPING_FAILED,
        reason,
        retry_after: None,
    };
    let render = |body: &rounds_map::Body| {
        body.render(scope.json())
            .map_err(|error| failed(format!("`notify.body`: {error}")))
    };
    let (event, body) = match &action.notify.body {
        BodyRule::Whole => (action.name.to_string(), scope.json().clone()),
        BodyRule::Free(body) => (action.name.to_string(), render(body)?),
        BodyRule::Model { model, event, body } => {
            let event = event_of(event, kind, scope.json())?;
            let filled = model
                .fill(&event, &render(body)?, meta)
                .map_err(|error| Trouble {
                    code: MODEL_REFUSED,
                    reason: format!(
                        "`notify.body` does not fit {} {event}: {error}",
                        model.name()
                    ),
                    retry_after: None,
                })?;
            (format!("{}.{event}", model.name()), filled)
        }
    };
    Ok((event, Document::new(body.to_bytes())))
}

fn event_of(
    rule: &EventRule,
    kind: rounds_domain::ChangeKind,
    scope: &Json,
) -> Result<String, Trouble> {
    let failed = |reason: String| Trouble {
        code: MAPPING_FAILED,
        reason,
        retry_after: None,
    };
    match (rule, kind) {
        (EventRule::ByKind { created, .. }, rounds_domain::ChangeKind::Created) => {
            Ok(created.clone())
        }
        (EventRule::ByKind { updated, .. }, rounds_domain::ChangeKind::Updated) => {
            Ok(updated.clone())
        }
        (EventRule::ByKind { deleted, .. }, rounds_domain::ChangeKind::Deleted) => {
            Ok(deleted.clone())
        }
        (EventRule::Expression(expression), _) => expression
            .one(scope)
            .map_err(|error| failed(format!("`notify.event`: {error}")))?
            .scalar_text()
            .ok_or_else(|| failed("`notify.event` gave something that is no text".to_owned())),
    }
}
