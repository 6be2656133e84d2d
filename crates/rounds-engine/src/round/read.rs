//! From a page's body to its records: the part of a round that computes, done where expressions are evaluated.

use super::bundle::Bundle;
use super::cursor::Position;
use super::failure::{self, failure};
use super::gone;
use super::instant;
use crate::Ports;
use jiff::Timestamp;
use jiff::civil::Date;
use rounds_domain::plan::{
    Action, CursorRule, DateRange, Feed, OrderBy, PagingRule, Sweep, SweepScope, TimeSource,
    VersionRule,
};
use rounds_domain::ports::EhrResponse;
use rounds_domain::{Document, OrderingKey, Presence, RecordId, RoundFailure, Version};
use rounds_map::{Filter, Json, JsonKind};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// What a page holds.
pub(super) struct PageContent {
    /// Its records, in its order.
    pub(super) records: Vec<ReadRecord>,
    /// What it says of the next page.
    pub(super) next: NextPage,
    /// What `more` gave, where it is asked and gave true or false.
    pub(super) more: Option<bool>,
    /// What `cursor.number` or `cursor.token` gave.
    pub(super) cursor: Option<Json>,
    /// What the source's clock shows, if `cursor.answer` gave that.
    pub(super) clock: Option<Timestamp>,
    /// What it says of the search, if it is a FHIR Bundle.
    pub(super) bundle: Option<Bundle>,
    /// A mark of its records: two pages of one answer with the same mark repeat each other.
    pub(super) mark: [u8; 16],
}

impl PageContent {
    /// An answer that says that there is nothing.
    pub(super) fn nothing() -> Self {
        Self {
            records: Vec::new(),
            next: NextPage::Unsaid,
            more: Some(false),
            cursor: None,
            clock: None,
            bundle: None,
            mark: mark_of(&[]),
        }
    }
}

/// What a page's body says of the next page.
pub(super) enum NextPage {
    /// Nothing.
    Unsaid,
    /// A link or a token.
    Pointer(String),
}

/// One record, with what a round needs to know of it.
pub(super) struct ReadRecord {
    /// Its identity.
    pub(super) id: RecordId,
    /// Whether the record said so itself.
    pub(super) identity: Identity,
    /// Its state.
    pub(super) version: Version,
    /// Whether it is a tombstone.
    pub(super) presence: Presence,
    /// When it changed.
    pub(super) position: Position,
    /// Its date, where the feed goes over dates and the record has one.
    pub(super) day: Option<Date>,
    /// Whose order it keeps.
    pub(super) ordering_key: OrderingKey,
    /// The record itself.
    pub(super) record: Document,
}

/// Whether a record has an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    /// It has.
    Given,
    /// `id` gave nothing usable, so it goes by its content.
    Missing,
}

/// Reads a page where expressions are evaluated.
pub(super) async fn page_beside(
    ports: &Ports,
    action: &Arc<Action>,
    feed: &Arc<Feed>,
    response: &EhrResponse,
) -> Result<PageContent, RoundFailure> {
    let (action, feed, response) = (Arc::clone(action), Arc::clone(feed), response.clone());
    let read = ports
        .evaluator
        .run(move || page(&action, &feed, &response))
        .await;
    read.map_err(|error| {
        failure(
            failure::EVALUATOR,
            format!("reading a page: {error}"),
            "this is a fault of Rounds: please report it",
        )
    })?
}

/// Reads what was pushed.
pub(super) fn pushed(
    action: &Action,
    feed: &Feed,
    body: &[u8],
) -> Result<Vec<ReadRecord>, RoundFailure> {
    let failed = |what: String, hint: &str| failure(failure::PUSH_UNREADABLE, what, hint);
    let body = feed.request.format.read(body).map_err(|error| {
        failed(
            format!("a push cannot be read: {error}"),
            "`receive.format` says how pushes are written",
        )
    })?;
    let mut found = feed.records.all(&body).map_err(|error| {
        failed(
            format!("`receive.records` failed on a push: {error}"),
            "it is jq from a push to its records",
        )
    })?;
    if let Some(skip) = &feed.skip {
        found.retain(|record| !is_true(skip, record));
    }
    let records = found.iter().map(|found| {
        if found.kind() != JsonKind::Object {
            return Err(failed(
                format!(
                    "`receive.records` gave {} where a record, an object, is needed",
                    found.kind().with_article()
                ),
                "it is jq from a push to its records",
            ));
        }
        let read = record(action, feed, found);
        if read.identity == Identity::Missing {
            return Err(failed(
                "a pushed record has no identity".to_owned(),
                "`receive.id` is jq from a record to its identity",
            ));
        }
        Ok(read)
    });
    records.collect()
}

/// Reads a page.
fn page(action: &Action, feed: &Feed, response: &EhrResponse) -> Result<PageContent, RoundFailure> {
    let body = (feed.request.format.read(&response.body))
        .map_err(|error| failure::unreadable(response, "asking for changes", &error))?;
    let failed = |what: &str, error: &rounds_map::EvaluateError| {
        failure(
            failure::RECORDS_FAILED,
            format!("`{what}` failed on a page: {error}"),
            "`rounds poll ACTION --dry-run` shows the page; an error that comes with status 200 often has another shape",
        )
    };
    let mut found = feed
        .records
        .all(&body)
        .map_err(|error| failed("records", &error))?;
    if let Some(skip) = &feed.skip {
        found.retain(|record| !is_true(skip, record));
    }
    // `.[]` over an error's object gives its texts: taken as records, they would be told.
    if let Some(other) = found
        .iter()
        .find(|record| record.kind() != JsonKind::Object)
    {
        return Err(failure(
            failure::RECORDS_FAILED,
            format!(
                "`records` gave {} where a record, an object, is needed",
                other.kind().with_article()
            ),
            "`rounds poll ACTION --dry-run` shows the page; make plain ids into objects with `.[] | {id: .}`",
        ));
    }
    let records: Vec<ReadRecord> = found
        .iter()
        .map(|found| record(action, feed, found))
        .collect();
    let pointer = match (&feed.paging.rule, found.last()) {
        (PagingRule::NextLink(from) | PagingRule::Token { from, .. }, _) => from
            .optional(&body)
            .map_err(|error| failed("paging", &error))?,
        (PagingRule::After { from, .. }, Some(last)) => from
            .optional(last)
            .map_err(|error| failed("paging.after.from", &error))?,
        _ => None,
    };
    let next = pointer
        .and_then(|pointer| pointer.scalar_text())
        .filter(|pointer| !pointer.is_empty())
        .map_or(NextPage::Unsaid, NextPage::Pointer);
    let more = match &feed.paging.more {
        Some(more) => more
            .optional(&body)
            .map_err(|error| failed("paging.more", &error))?
            .and_then(|more| more.as_bool()),
        None => None,
    };
    let cursor = match &feed.cursor {
        CursorRule::Number(from) | CursorRule::Token(from) => from
            .optional(&body)
            .map_err(|error| failed("cursor", &error))?,
        CursorRule::Time(_) | CursorRule::Queue(_) | CursorRule::Sweep(_) => None,
    };
    let clock = clock_of(feed, &body)?;
    let mark = mark_of(&records);
    Ok(PageContent {
        records,
        next,
        more,
        cursor,
        clock,
        bundle: Bundle::of(&body),
        mark,
    })
}

/// What the source's clock shows, where the answer is asked for that.
pub(super) fn clock_of(feed: &Feed, body: &Json) -> Result<Option<Timestamp>, RoundFailure> {
    let CursorRule::Time(rule) = &feed.cursor else {
        return Ok(None);
    };
    let TimeSource::Answer(from) = &rule.source else {
        return Ok(None);
    };
    let unusable = |what: String| {
        failure(
            failure::CURSOR_UNUSABLE,
            what,
            "point `cursor.answer` at the one value in the answer that says what the EHR's clock shows, such as `.[0].serverDateTime`",
        )
    };
    let said = from
        .optional(body)
        .map_err(|error| unusable(format!("`cursor.answer` failed on a page: {error}")))?;
    let Some(said) = said.filter(|said| !said.is_null()) else {
        return Ok(None);
    };
    instant::read_as(&said, &rule.format, &rule.zone)
        .map(Some)
        .ok_or_else(|| unusable("`cursor.answer` gave something that is no time".to_owned()))
}

/// Reads one record.
pub(super) fn record(action: &Action, feed: &Feed, json: &Json) -> ReadRecord {
    let own_id = text_of(&feed.id, json).filter(|id| !id.is_empty());
    let (id, identity) = if let Some(id) = own_id {
        (RecordId::new(id), Identity::Given)
    } else {
        let content = Version(json.fingerprint());
        (
            RecordId::new(format!("unidentified:{content}")),
            Identity::Missing,
        )
    };
    let presence = presence_of(feed, json);
    let version = version_of(feed, json);
    ReadRecord {
        version: match presence {
            Presence::There => version,
            Presence::Gone => gone::version_of_absence(version),
        },
        presence,
        position: position_of(feed, json),
        day: dates_of(feed).and_then(|range| day_of(range, json)),
        ordering_key: ordering_key_of(action, &id, json),
        record: Document::new(json.to_bytes()),
        id,
        identity,
    }
}

fn version_of(feed: &Feed, record: &Json) -> Version {
    let (said, counting) = match &feed.version {
        VersionRule::Field(field) => (field.optional(record).ok().flatten(), None),
        VersionRule::Fingerprint { counting } => (None, counting.as_ref()),
    };
    if let Some(version) = said.filter(|version| !version.is_null()) {
        return Version(version.fingerprint());
    }
    let counted = counting.and_then(|counting| counting.one(record).ok());
    Version(counted.as_ref().unwrap_or(record).fingerprint())
}

fn presence_of(feed: &Feed, record: &Json) -> Presence {
    match &feed.gone {
        Some(gone) if is_true(gone, record) => Presence::Gone,
        _ => Presence::There,
    }
}

/// Whether a condition gives true of a record, and nothing else.
fn is_true(condition: &Filter, record: &Json) -> bool {
    let given = condition.optional(record).ok().flatten();
    given.and_then(|given| given.as_bool()) == Some(true)
}

/// When a record says that it changed.
pub(super) fn position_of(feed: &Feed, record: &Json) -> Position {
    let Some(dated_by) = &feed.dated_by else {
        return Position::NotAsked;
    };
    dated_by
        .field
        .optional(record)
        .ok()
        .flatten()
        .and_then(|value| instant::read(&value, dated_by))
        .map_or(Position::Undated, Position::At)
}

/// The dates that a feed goes over.
pub(super) const fn dates_of(feed: &Feed) -> Option<&DateRange> {
    match &feed.cursor {
        CursorRule::Sweep(Sweep {
            scope: SweepScope::Dates(range),
            ..
        }) => Some(range),
        _ => None,
    }
}

/// The date of a record.
pub(super) fn day_of(range: &DateRange, record: &Json) -> Option<Date> {
    let value = range.field.optional(record).ok().flatten()?;
    instant::read_day(&value, range)
}

/// Keys of different kinds never meet: two actions share order only by an expression, where the user asked for it.
pub(super) fn ordering_key_of(action: &Action, id: &RecordId, record: &Json) -> OrderingKey {
    let by_record = || format!("record:{}:{}", action.name, id.expose());
    OrderingKey::new(match &action.notify.order_by {
        OrderBy::Record => by_record(),
        OrderBy::Action => format!("action:{}", action.name),
        OrderBy::Expression(key) => {
            let scope = Json::object([("record", record.clone())]);
            let keys = keys_of(key, &scope);
            if keys.len() > 1 {
                return OrderingKey::several(keys.iter().map(String::as_str));
            }
            keys.into_iter().next().unwrap_or_else(by_record)
        }
    })
}

/// What an expression gives as keys: a scalar is one, a list of scalars is several.
fn keys_of(filter: &Filter, scope: &Json) -> Vec<String> {
    let Ok(Some(value)) = filter.optional(scope) else {
        return Vec::new();
    };
    let texts: Vec<String> = match value.kind() {
        JsonKind::Array => value
            .items()
            .filter_map(|item| item.scalar_text())
            .collect(),
        _ => value.scalar_text().into_iter().collect(),
    };
    texts
        .into_iter()
        .map(|text| format!("key:{text}"))
        .collect()
}

fn text_of(filter: &Filter, record: &Json) -> Option<String> {
    filter
        .optional(record)
        .ok()
        .flatten()
        .and_then(|value| value.scalar_text())
}

fn mark_of(records: &[ReadRecord]) -> [u8; 16] {
    let mut hash = Sha256::new();
    for record in records {
        hash.update(record.id.expose().len().to_be_bytes());
        hash.update(record.id.expose());
        hash.update(record.version.0);
    }
    let mut mark = [0; 16];
    mark.copy_from_slice(&hash.finalize()[..16]);
    mark
}
