//! What the expressions of one container read.

use super::Trouble;
use rounds_domain::{Code, Container, Document, Gap, LookupAnswer};
use rounds_map::{EvaluateError, Filter, Json};
use url::Url;

/// The code of a kept document that is not JSON any more: the store is damaged.
const KEPT_DAMAGED: Code = Code::new("R0408");

const RECORD: &str = "record";
const PREVIOUS: &str = "previous";
const CHANGE: &str = "change";
/// Within it, where the EHR is.
const BASE_URL: &str = "base_url";
/// Which partition's query showed the record, where there are partitions.
pub(super) const PARTITION: &str = "partition";

/// What expressions read: `{record, previous, change, <lookups>}`, and `partition` where the queries have some.
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
                (RECORD.to_owned(), parse(&container.record)?),
                (PREVIOUS.to_owned(), previous),
                (CHANGE.to_owned(), change(container)),
            ],
            whole: Json::null(),
        };
        if let Some(partition) = &container.partition {
            let partition = Json::string(partition.expose());
            scope.members.push((PARTITION.to_owned(), partition));
        }
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

    /// Whether a condition holds of what is known so far.
    pub(super) fn holds(&self, condition: &Filter) -> Result<bool, EvaluateError> {
        condition.holds(&self.whole)
    }

    /// Says in `change.missing` which lookups found nothing.
    pub(super) fn mark_missing(&mut self, gaps: &[Gap]) {
        if !gaps.is_empty() {
            let names = gaps.iter().map(|gap| Json::string(gap.lookup.as_str()));
            self.note("missing", Json::array(names.collect::<Vec<_>>()));
        }
    }

    /// Says in `change.fields` which paths of the body differ, and in `change.event` what the model's rules derive.
    pub(super) fn mark_event(&mut self, fields: &[String], event: Option<&str>) {
        self.note("fields", Json::array(fields.iter().map(Json::string)));
        self.note("event", event.map_or_else(Json::null, Json::string));
    }

    /// Says in `change.base_url` where the EHR is: what refers to it by its whole URL refers to itself.
    pub(super) fn mark_source(&mut self, base_url: &Url) {
        self.note(BASE_URL, Json::string(base_url.as_str()));
    }

    fn note(&mut self, key: &str, value: Json) {
        if let Some((_, change)) = self.members.iter_mut().find(|(name, _)| name == CHANGE) {
            let members = change
                .members()
                .map(|(name, member)| (name.to_owned(), member));
            *change = Json::object(members.chain([(key.to_owned(), value)]).collect::<Vec<_>>());
        }
        self.renew();
    }

    /// The same container as it would be read if its record were still what it was; None where nothing was known of it.
    pub(super) fn before(&self) -> Option<Json> {
        let previous = self
            .whole
            .get(PREVIOUS)
            .filter(|previous| !previous.is_null())?;
        let members = self.members.iter().map(|(name, member)| {
            let member = match name.as_str() {
                RECORD => previous.clone(),
                PREVIOUS => Json::null(),
                _ => member.clone(),
            };
            (name.clone(), member)
        });
        Some(Json::object(members.collect::<Vec<_>>()))
    }

    /// The whole of it, with the message that is made of it.
    pub(super) fn with_message(&self, event: &str, body: &Json) -> Json {
        let of_message = [("event", Json::string(event)), ("body", body.clone())];
        let members = self
            .members
            .iter()
            .map(|(name, member)| (name.clone(), member.clone()));
        let of_message = of_message.map(|(name, member)| (name.to_owned(), member));
        Json::object(members.chain(of_message).collect::<Vec<_>>())
    }

    /// The whole of it as it is sent where the user writes no body: without where the EHR is, which is nobody else's business.
    pub(super) fn whole(&self) -> Json {
        let members = self.members.iter().map(|(name, member)| {
            let member = match name.as_str() {
                CHANGE => Json::object(
                    (member.members())
                        .filter(|(key, _)| *key != BASE_URL)
                        .map(|(key, value)| (key.to_owned(), value))
                        .collect::<Vec<_>>(),
                ),
                _ => member.clone(),
            };
            (name.clone(), member)
        });
        Json::object(members.collect::<Vec<_>>())
    }

    /// The whole of it, as one object.
    pub(super) fn json(&self) -> &Json {
        &self.whole
    }

    fn renew(&mut self) {
        self.whole = Json::object(self.members.clone());
    }
}

fn change(container: &Container) -> Json {
    Json::object([
        ("kind", Json::string(container.kind.as_str())),
        ("former", Json::string(container.former.as_str())),
        ("id", Json::string(container.id.notification_id().as_str())),
        ("action", Json::string(container.action.as_str())),
        (
            "detected_at",
            Json::string(container.detected_at.to_string()),
        ),
        ("missing", Json::array([])),
    ])
}

fn parse(document: &Document) -> Result<Json, Trouble> {
    Json::parse(document.bytes()).map_err(|error| Trouble {
        code: KEPT_DAMAGED,
        reason: format!("a kept document cannot be read: {error}"),
        retry_after: None,
    })
}
