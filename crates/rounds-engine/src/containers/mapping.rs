//! From a filled container to a notification's body.

use super::event;
use super::modify::{self, Modified};
use super::scope::Scope;
use super::subscribe::{self, Wanted};
use super::wrap;
use super::{Silence, Trouble};
use crate::Ports;
use crate::round::{feed_key, instant};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rounds_domain::plan::{Action, BodyRule, CursorRule, DateField, Subscription};
use rounds_domain::{Code, Container, DestinationName, Document, Former, Gap, Notification};
use rounds_map::models::{Meta, ModelErrors, SourceTimes};
use rounds_map::{Body, Json, JsonKind, differences, values_at};
use std::sync::Arc;
use url::Url;

/// The code of a mapping that failed.
const MAPPING_FAILED: Code = Code::new("R0406");
/// The code of a body that its data model does not accept.
const MODEL_REFUSED: Code = Code::new("R0407");

/// What expressions read of a change, and of it where the EHR is.
const CHANGE: &str = "change";
const CHANGE_BASE_URL: &str = "change.base_url";

/// What a container becomes.
pub(super) enum Mapped {
    Told(Box<Notification>, Vec<DestinationName>),
    /// The rules of its action say that it is not told.
    Silent(Silence),
}

/// Maps a filled container.
pub(super) async fn map(
    ports: &Ports,
    action: &Arc<Action>,
    container: &Container,
    (scope, gaps): (Scope, Vec<Gap>),
    base_url: Option<Url>,
) -> Result<Mapped, Trouble> {
    let created_at = ports.clock.now();
    let watched_since = watched_since(ports, action, container).await;
    let meta = meta(action, container, created_at);
    let for_mapping = Arc::clone(action);
    let of = container.clone();
    let written = ports
        .evaluator
        .run(move || {
            let around = Around {
                meta: &meta,
                base_url: base_url.as_ref(),
                watched_since,
            };
            write(&for_mapping, &of, scope, &around)
        })
        .await
        .map_err(|error| Trouble::not_evaluated("mapping", error))??;
    let written = match written {
        Ok(written) => written,
        Err(silence) => return Ok(Mapped::Silent(silence)),
    };
    (ports.watch).mapped(&action.name, &action.notify.watched, &written.is_empty);
    let notification = Notification {
        id: container.id.notification_id(),
        container: container.id.clone(),
        action: container.action.clone(),
        record_id: container.record_id.clone(),
        version: container.version,
        kind: container.kind,
        former: container.former,
        event: written.event,
        ordering_key: container.ordering_key.clone(),
        body: written.body,
        shape: action.notify.shape,
        gaps,
        changed: written.changed,
        unknown: written.unknown,
        filtered: written.wanted.not_by,
        detected_at: container.detected_at,
        created_at,
    };
    Ok(Mapped::Told(Box::new(notification), written.wanted.by))
}

/// What a message is written with besides its container.
pub(super) struct Around<'a> {
    pub(super) meta: &'a Meta,
    /// Where the EHR is.
    pub(super) base_url: Option<&'a Url>,
    /// Since when the action's rounds are made, where that matters and is known.
    pub(super) watched_since: Option<Timestamp>,
}

/// Since when the rounds are made that found a record of which nobody knows whether it is new. It matters to nothing else.
async fn watched_since(ports: &Ports, action: &Action, container: &Container) -> Option<Timestamp> {
    if container.former != Former::Unknown {
        return None;
    }
    let mut key = feed_key(action, &action.changes);
    key.partition.clone_from(&container.partition);
    // What cannot be read now is as good as unknown: then it counts from when the record was found.
    let states = ports.store.feed_states(&[key]).await.ok()?;
    states.first().and_then(|state| state.began_at)
}

/// What a message says about itself.
pub(super) fn meta(action: &Action, container: &Container, created_at: Timestamp) -> Meta {
    let frame = &action.notify.frame;
    Meta {
        event_date_time: created_at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
        traffic: frame.traffic,
        source: frame.source.clone(),
        destinations: frame.destinations.clone(),
        log_id: container.id.notification_id().to_string(),
        // Each attempt puts its own in when it leaves.
        attempt_id: None,
    }
}

/// What mapping gives of a notification.
pub(super) struct Written {
    pub(super) event: String,
    pub(super) body: Document,
    pub(super) changed: Vec<String>,
    /// Where it has values that no translation knows.
    pub(super) unknown: Vec<String>,
    /// At which of the watched paths it has nothing.
    pub(super) is_empty: Vec<bool>,
    pub(super) wanted: Wanted,
}

pub(super) fn failed(reason: String) -> Trouble {
    Trouble {
        code: MAPPING_FAILED,
        reason,
        retry_after: None,
    }
}

pub(super) fn write(
    action: &Action,
    container: &Container,
    mut scope: Scope,
    around: &Around<'_>,
) -> Result<Result<Written, Silence>, Trouble> {
    let rule = &action.notify.body;
    let before_scope = scope.before();
    let (rendered, before) = rendered(rule, &scope, before_scope.as_ref())?;
    let source = SourceForm::of(action);
    let read = |text: &str| source.read(text);
    let times = source.times(&read);
    let formed = |body: Json| match rule {
        BodyRule::Model { model, .. } => model.formed(&body, times),
        BodyRule::Own { model, .. } => model.formed(&body, times),
        BodyRule::Whole | BodyRule::Free(_) => body,
    };
    let mut now = formed(rendered);
    let before = before.map(formed);
    let changed = before
        .as_ref()
        .map_or_else(Vec::new, |before| differences(&now, before));
    let seen = event::Seen {
        kind: container.kind,
        former: container.former,
        watched_since: around.watched_since.unwrap_or(container.detected_at),
        now: &now,
        before: before.as_ref(),
        changed: &changed,
        before_scope: before_scope.as_ref(),
    };
    let decision = match event::decide(&action.notify, &seen, &mut scope)? {
        Ok(decision) => decision,
        Err(silence) => return Ok(Err(silence)),
    };
    // What reads the decision could not be known before it.
    if let Some(body) = rule.template().filter(|body| reads_decision(body)) {
        now = render(body, &scope)?;
    }
    let event = match rule {
        BodyRule::Whole | BodyRule::Free(_) => action.name.to_string(),
        BodyRule::Model { model, .. } => format!("{}.{}", model.name(), decision.event),
        BodyRule::Own { model, .. } => format!("{}.{}", model.name(), decision.event),
    };
    let body = match rule {
        BodyRule::Whole => scope.whole(),
        BodyRule::Free(_) | BodyRule::Own { .. } => now,
        BodyRule::Model { model, .. } => {
            model.carry(&decision.event, &now, before.as_ref(), &decision.constants)
        }
    };
    let is_empty = |path: &String| values_at(&body, path).iter().all(is_nothing);
    let is_empty = action.notify.watched.iter().map(is_empty).collect();
    let modifiers = &action.notify.modifiers;
    let Modified { body, unknown } = match modifiers.as_slice() {
        [] => Modified {
            body,
            unknown: Vec::new(),
        },
        _ => modify::modified(&body, modifiers, &scope.with_message(&event, &body))?,
    };
    let body = completed(action, &decision.event, body, around.meta, times)?;
    let wanted = if action.to.iter().all(Subscription::is_for_all) {
        Wanted {
            by: action.to.iter().map(|to| to.destination.clone()).collect(),
            not_by: Vec::new(),
        }
    } else {
        subscribe::wanted(&action.to, &body, &scope.with_message(&event, &body))?
    };
    let told = wrap::Told {
        action,
        container,
        scope: &scope,
        event: &event,
        fhir_code: &match rule {
            BodyRule::Model { model, .. } => model.fhir_code(&decision.event),
            BodyRule::Whole | BodyRule::Free(_) | BodyRule::Own { .. } => {
                format!("{}-event-{}", action.name, container.kind.as_str())
            }
        },
        changed: &changed,
        base_url: around.base_url,
    };
    let body = wrap::wrapped(&told, body)?;
    Ok(Ok(Written {
        event,
        body: Document::new(body.to_bytes()),
        changed,
        unknown,
        is_empty,
        wanted,
    }))
}

fn is_nothing(value: &Json) -> bool {
    match value.kind() {
        JsonKind::Null => true,
        JsonKind::String => value.as_str() == Some(""),
        JsonKind::Array => value.items().next().is_none(),
        JsonKind::Boolean | JsonKind::Number | JsonKind::Object => false,
    }
}

/// What the user's body makes of a record, and what it would have made of it as it was before.
fn rendered(
    rule: &BodyRule,
    scope: &Scope,
    before: Option<&Json>,
) -> Result<(Json, Option<Json>), Trouble> {
    Ok(match rule.template() {
        Some(body) => (
            render(body, scope)?,
            before.map(|before| body.render_what_can_be(before)),
        ),
        None => (record_of(scope.json()), before.map(record_of)),
    })
}

/// A body as its model, or the user's schema, has it. Of a FHIR message the model gives the event only.
fn completed(
    action: &Action,
    event: &str,
    body: Json,
    meta: &Meta,
    times: SourceTimes<'_>,
) -> Result<Json, Trouble> {
    if action.notify.shape.is_fhir() {
        return Ok(body);
    }
    match &action.notify.body {
        BodyRule::Model { model, .. } => model.fill(event, &body, meta, times).map_err(|errors| {
            // Where an expression gave it, what is no event may be anything of the record.
            let of_model = match model.events().find(|known| *known == event) {
                Some(event) => format!("{} {event}", model.name()),
                None => model.name().to_owned(),
            };
            refused(&of_model, &errors)
        }),
        BodyRule::Own { model, .. } => (model.fill(&body, times))
            .map_err(|errors| refused(&format!("the schema `{}`", model.name()), &errors)),
        BodyRule::Whole | BodyRule::Free(_) => Ok(body),
    }
}

/// What of a whole container can differ from what was known.
fn record_of(scope: &Json) -> Json {
    Json::object([("record", scope.get("record").unwrap_or_else(Json::null))])
}

/// Whether a body reads what is known only when the event is decided. Where the EHR is, is known before.
fn reads_decision(body: &Body) -> bool {
    body.has_expression(&|leaf| {
        let text = leaf.text();
        let mut found = text.match_indices(CHANGE);
        found.any(|(at, _)| !text[at..].starts_with(CHANGE_BASE_URL))
    })
}

fn render(body: &Body, scope: &Scope) -> Result<Json, Trouble> {
    body.render(scope.json())
        .map_err(|error| failed(format!("`notify.body`: {error}")))
}

/// How the records of an action write times: as its cursor says, but for a zone of what is told.
struct SourceForm<'a> {
    zone: Option<&'a TimeZone>,
    own: Option<&'a DateField>,
}

impl<'a> SourceForm<'a> {
    fn of(action: &'a Action) -> Self {
        let own = action.changes.dated_by.as_ref();
        let of_cursor = match &action.changes.cursor {
            CursorRule::Time(rule) => Some(&rule.zone),
            _ => None,
        };
        let zone = action.notify.zone.as_ref();
        Self {
            zone: zone.or(own.map(|own| &own.zone)).or(of_cursor),
            own,
        }
    }

    fn read(&self, text: &str) -> Option<Timestamp> {
        let own = self.own?;
        let zone = self.zone.unwrap_or(&own.zone);
        instant::read_as(&Json::string(text), &own.format, zone)
    }

    fn times<'s>(&'s self, read: &'s dyn Fn(&str) -> Option<Timestamp>) -> SourceTimes<'s> {
        SourceTimes {
            zone: self.zone,
            read: self.own.is_some().then_some(read),
        }
    }
}

fn refused(by: &str, errors: &ModelErrors) -> Trouble {
    Trouble {
        code: MODEL_REFUSED,
        reason: format!("`notify.body` does not fit {by}: {errors}"),
        retry_after: None,
    }
}
