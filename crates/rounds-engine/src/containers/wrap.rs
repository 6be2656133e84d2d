//! How a notification is wrapped: as it is, as a `CloudEvent`, as a FHIR message, or as a notification of a FHIR topic subscription.
//!
//! Facts are those of `CloudEvents` 1.0.2, of FHIR R4 messaging as Redox sends it, and of the Subscriptions R5 Backport 1.1.0. What only an
//! attempt or a destination knows stands in the body as a mark and is filled in when it leaves (`delivery/stamp.rs`).

use super::Trouble;
use super::scope::Scope;
use crate::ids::{Version, uuid};
use rounds_domain::plan::{Action, Payload, Shape};
use rounds_domain::{ChangeKind, Code, Container};
use rounds_map::{Json, JsonKind};
use sha2::{Digest, Sha256};
use url::Url;

/// The code of a record that is no FHIR resource, where it has to be one.
const NO_RESOURCE: Code = Code::new("R0413");
/// Stands where the number of the notification at its destination belongs, as a JSON string.
pub const NUMBER_MARK: &str = "@rounds:number@";

const BACKPORT_STATUS: &str = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription-status-r4";
/// Redox's, in the messages of its FHIR API.
const EVENT_TYPES: &str = "urn:redox:event-type";

/// What there is to wrap.
pub(super) struct Told<'t> {
    pub(super) action: &'t Action,
    pub(super) container: &'t Container,
    pub(super) scope: &'t Scope,
    /// What it is called, such as `Scheduling.New`.
    pub(super) event: &'t str,
    /// What it is called in FHIR messages.
    pub(super) fhir_code: &'t str,
    pub(super) changed: &'t [String],
    /// Where the EHR is.
    pub(super) base_url: Option<&'t Url>,
}

/// What is sent. `body` is what there is to tell, in shapes that send it.
pub(super) fn wrapped(told: &Told<'_>, body: Json) -> Result<Json, Trouble> {
    let notify = &told.action.notify;
    match notify.shape {
        Shape::Plain => Ok(match notify.payload {
            Payload::Full => body,
            Payload::IdOnly | Payload::Empty => told.thin(),
        }),
        Shape::CloudEvents => Ok(told.cloud_event(body)),
        Shape::CloudEventsBinary => Ok(match notify.payload {
            Payload::Full => body,
            Payload::IdOnly | Payload::Empty => told.pointer(),
        }),
        Shape::FhirMessage => told.fhir_message(),
        Shape::FhirSubscriptionR4 => told.fhir_subscription(Release::R4),
        Shape::FhirSubscriptionR5 => told.fhir_subscription(Release::R5),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Release {
    R4,
    R5,
}

/// A resource of a bundle: where it is, and itself unless it is gone or not to be told.
struct Entry {
    reference: String,
    resource: Option<Json>,
}

fn text(value: impl Into<String>) -> Json {
    Json::string(value)
}

fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
    Json::object(members)
}

/// Of several members those that have a value.
fn sparse<const N: usize>(members: [(&str, Option<Json>); N]) -> Json {
    let there = members
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    Json::object(there)
}

impl Told<'_> {
    fn time(&self) -> Json {
        text(self.container.detected_at.to_string())
    }

    fn id(&self) -> Json {
        text(self.container.id.notification_id().to_string())
    }

    /// A FHIR id has no underscores (R4, datatypes, 2.24.0.1).
    fn fhir_id(&self) -> Json {
        let id = self.container.id.notification_id().to_string();
        text(id.replace('_', "-"))
    }

    /// What the first entry of a bundle is called: the same for the same notification (RFC 9562, version 8).
    fn urn(&self) -> String {
        let digest = Sha256::digest(self.container.id.notification_id().as_str());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        format!(
            "urn:uuid:{}",
            uuid(u128::from_be_bytes(bytes), Version::Custom)
        )
    }

    /// Which record it is, and what of it changed; nothing where not even that is to be told.
    fn pointer(&self) -> Json {
        match self.action.notify.payload {
            Payload::Empty => Json::object::<String>([]),
            Payload::Full | Payload::IdOnly => object([
                ("id", text(self.container.record_id.expose())),
                ("action", text(self.action.name.as_str())),
                ("kind", text(self.container.kind.as_str())),
                (
                    "changed",
                    Json::array(self.changed.iter().map(Json::string)),
                ),
            ]),
        }
    }

    /// As Standard Webhooks 1.0.0 advises payloads to be.
    fn thin(&self) -> Json {
        object([
            ("type", text(self.event)),
            ("timestamp", self.time()),
            ("data", self.pointer()),
        ])
    }

    fn cloud_event(&self, body: Json) -> Json {
        let data = match self.action.notify.payload {
            Payload::Full => Some(body),
            Payload::IdOnly => Some(self.pointer()),
            Payload::Empty => None,
        };
        sparse([
            ("specversion", Some(text("1.0"))),
            ("id", Some(self.id())),
            ("source", Some(text(source(self.action.name.as_str())))),
            ("type", Some(text(self.event))),
            ("time", Some(self.time())),
            (
                "datacontenttype",
                data.is_some().then(|| text("application/json")),
            ),
            ("data", data),
        ])
    }

    fn fhir_message(&self) -> Result<Json, Trouble> {
        let (focus, others) = self.resources()?;
        let endpoint = self.base_url.map_or_else(
            || format!("urn:rounds:connection:{}", self.action.connection),
            ToString::to_string,
        );
        let header = object([
            ("resourceType", text("MessageHeader")),
            ("id", self.fhir_id()),
            (
                "eventCoding",
                object([
                    ("system", text(EVENT_TYPES)),
                    ("code", text(self.fhir_code)),
                ]),
            ),
            (
                "source",
                object([
                    ("name", text(self.action.connection.as_str())),
                    ("endpoint", text(endpoint)),
                ]),
            ),
            (
                "focus",
                Json::array([object([("reference", text(&focus.reference))])]),
            ),
        ]);
        let first = object([("fullUrl", text(self.urn())), ("resource", header)]);
        let shown: Vec<Json> = match self.action.notify.payload {
            Payload::Full => std::iter::once(focus)
                .chain(others)
                .filter_map(|entry| {
                    let resource = entry.resource?;
                    let url = self.full_url(&entry.reference);
                    Some(object([("fullUrl", text(url)), ("resource", resource)]))
                })
                .collect(),
            Payload::IdOnly | Payload::Empty => Vec::new(),
        };
        Ok(object([
            ("resourceType", text("Bundle")),
            ("id", self.fhir_id()),
            ("type", text("message")),
            ("timestamp", self.time()),
            (
                "entry",
                Json::array(std::iter::once(first).chain(shown).collect::<Vec<_>>()),
            ),
        ]))
    }

    fn fhir_subscription(&self, release: Release) -> Result<Json, Trouble> {
        let (focus, others) = self.resources()?;
        let payload = self.action.notify.payload;
        let subscription = format!("Subscription/{}", self.action.name);
        let topic = (self.action.notify.topic.clone())
            .unwrap_or_else(|| format!("urn:rounds:topic:{}", self.action.name));
        // An empty one says neither what it is about nor on which topic.
        let focus_reference = (payload != Payload::Empty).then(|| text(&focus.reference));
        let topic = (payload != Payload::Empty).then(|| text(topic));
        let status = match release {
            Release::R4 => self.status_r4(&subscription, topic, focus_reference),
            Release::R5 => self.status_r5(&subscription, topic, focus_reference),
        };
        let first = object([
            ("fullUrl", text(self.urn())),
            ("resource", status),
            (
                "request",
                request("GET", &format!("{subscription}/$status")),
            ),
            ("response", object([("status", text("200"))])),
        ]);
        let mut entries = vec![first];
        if payload != Payload::Empty {
            let others = others.into_iter().filter(|_| payload == Payload::Full);
            let gone = self.container.kind == ChangeKind::Deleted;
            entries.push(self.entry(focus, payload, gone));
            entries.extend(others.map(|entry| self.entry(entry, payload, false)));
        }
        Ok(object([
            ("resourceType", text("Bundle")),
            ("id", self.fhir_id()),
            (
                "type",
                text(match release {
                    Release::R4 => "history",
                    Release::R5 => "subscription-notification",
                }),
            ),
            ("timestamp", self.time()),
            ("entry", Json::array(entries)),
        ]))
    }

    fn entry(&self, entry: Entry, payload: Payload, gone: bool) -> Json {
        let method = match (gone, self.container.kind) {
            (true, _) => "DELETE",
            (false, ChangeKind::Created) => "POST",
            (false, ChangeKind::Updated | ChangeKind::Deleted) => "PUT",
        };
        // A record is created among those of its type.
        let url = match entry.reference.split_once('/') {
            Some((of_type, _)) if method == "POST" => of_type,
            _ => &entry.reference,
        };
        let asked = request(method, url);
        let resource = entry.resource.filter(|_| payload == Payload::Full && !gone);
        sparse([
            ("fullUrl", Some(text(self.full_url(&entry.reference)))),
            ("resource", resource),
            ("request", Some(asked)),
            (
                "response",
                Some(object([("status", text(if gone { "204" } else { "200" }))])),
            ),
        ])
    }

    fn status_r4(&self, subscription: &str, topic: Option<Json>, focus: Option<Json>) -> Json {
        let part =
            |name: &str, kind: &str, value: Json| object([("name", text(name)), (kind, value)]);
        let event = [
            Some(part("event-number", "valueString", text(NUMBER_MARK))),
            Some(part("timestamp", "valueInstant", self.time())),
            focus.map(|focus| part("focus", "valueReference", object([("reference", focus)]))),
        ];
        let event = Json::array(event.into_iter().flatten());
        let reference = object([("reference", text(subscription))]);
        let parameters = [
            Some(part("subscription", "valueReference", reference)),
            topic.map(|topic| part("topic", "valueCanonical", topic)),
            Some(part("status", "valueCode", text("active"))),
            Some(part("type", "valueCode", text("event-notification"))),
            Some(part(
                "events-since-subscription-start",
                "valueString",
                text(NUMBER_MARK),
            )),
            Some(object([
                ("name", text("notification-event")),
                ("part", event),
            ])),
        ];
        object([
            ("resourceType", text("Parameters")),
            (
                "meta",
                object([("profile", Json::array([text(BACKPORT_STATUS)]))]),
            ),
            ("parameter", Json::array(parameters.into_iter().flatten())),
        ])
    }

    fn status_r5(&self, subscription: &str, topic: Option<Json>, focus: Option<Json>) -> Json {
        let event = sparse([
            ("eventNumber", Some(text(NUMBER_MARK))),
            ("timestamp", Some(self.time())),
            ("focus", focus.map(|focus| object([("reference", focus)]))),
        ]);
        sparse([
            ("resourceType", Some(text("SubscriptionStatus"))),
            ("status", Some(text("active"))),
            ("type", Some(text("event-notification"))),
            ("eventsSinceSubscriptionStart", Some(text(NUMBER_MARK))),
            ("notificationEvent", Some(Json::array([event]))),
            (
                "subscription",
                Some(object([("reference", text(subscription))])),
            ),
            ("topic", topic),
        ])
    }

    fn full_url(&self, reference: &str) -> String {
        self.base_url.map_or_else(
            || reference.to_owned(),
            |base| format!("{}/{reference}", base.as_str().trim_end_matches('/')),
        )
    }

    /// The record, and whatever of the lookups is a resource, each once.
    fn resources(&self) -> Result<(Entry, Vec<Entry>), Trouble> {
        let scope = self.scope.json();
        let record = scope.get("record").unwrap_or_else(Json::null);
        let focus = entry_of(&record).ok_or_else(|| Trouble {
            code: NO_RESOURCE,
            reason: format!(
                "the record has no `resourceType` and `id`, which `shape: {}` needs",
                self.action.notify.shape.as_str()
            ),
            retry_after: None,
        })?;
        let mut others: Vec<Entry> = Vec::new();
        for lookup in &self.action.lookups {
            let answer = scope.get(lookup.name.as_str()).unwrap_or_else(Json::null);
            let found: Vec<Json> = match answer.get("resourceType").as_ref().and_then(Json::as_str)
            {
                Some("Bundle") => rounds_map::values_at(&answer, "entry[].resource"),
                _ => vec![answer],
            };
            for entry in found.iter().filter_map(entry_of) {
                let known = others
                    .iter()
                    .any(|other| other.reference == entry.reference);
                if !known && entry.reference != focus.reference {
                    others.push(entry);
                }
            }
        }
        Ok((focus, others))
    }
}

/// Where a `CloudEvent` comes from.
pub(crate) fn source(action: &str) -> String {
    format!("urn:rounds:action:{action}")
}

fn request(method: &str, url: &str) -> Json {
    object([("method", text(method)), ("url", text(url))])
}

fn entry_of(resource: &Json) -> Option<Entry> {
    let part = |key: &str| resource.get(key)?.as_str().map(str::to_owned);
    if resource.kind() != JsonKind::Object {
        return None;
    }
    let reference = format!("{}/{}", part("resourceType")?, part("id")?);
    Some(Entry {
        reference,
        resource: Some(resource.clone()),
    })
}
