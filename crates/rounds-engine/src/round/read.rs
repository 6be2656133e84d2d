//! From a page's body to its records: the part of a round that computes, done where expressions are evaluated.

use super::ASKING;
use super::bundle::Bundle;
use super::conditions::{Decision, decide};
use super::cursor::Position;
use super::failure::{self, failure};
use super::gone;
use super::instant;
use crate::Ports;
use crate::exchange::Basis;
use crate::exchange::claims::Claims;
use crate::exchange::document::{self, Doubt};
use http::StatusCode;
use jiff::Timestamp;
use jiff::civil::Date;
use rounds_domain::plan::{
    Action, CursorRule, DateRange, Feed, OrderBy, PagingRule, Sweep, SweepScope, TimeSource,
    VersionRule,
};
use rounds_domain::ports::EhrResponse;
use rounds_domain::{Document, OrderingKey, Partition, Presence, RecordId, RoundFailure, Version};
use rounds_map::{EvaluateError, Filter, Json, JsonKind};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// What a page holds.
pub(super) struct PageContent {
    /// Its records, in its order.
    pub(super) records: Vec<ReadRecord>,
    /// How many there were before anything was left out, with what was included.
    pub(super) shown: u64,
    /// The states of what was shown, where something was left out of it; None where they are those of the records.
    pub(super) states: Option<Vec<(RecordId, Version)>>,
    /// What it says of its own size.
    pub(super) claims: Claims,
    /// Why it is not believed.
    pub(super) doubt: Option<Doubt>,
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
    /// How many of its signs were no characters.
    pub(super) mended_signs: u64,
    /// How often `skip` or `gone` failed on a record.
    pub(super) undecided: u64,
    /// How many rows `skip` left out.
    pub(super) skipped: u64,
}

impl PageContent {
    /// An answer that says that there is nothing.
    pub(super) fn nothing() -> Self {
        Self::empty(None, None)
    }

    /// A page that is not believed; of a Bundle it is known what it says of its search.
    fn doubted(doubt: Doubt, bundle: Option<Bundle>) -> Self {
        Self::empty(Some(doubt), bundle)
    }

    fn empty(doubt: Option<Doubt>, bundle: Option<Bundle>) -> Self {
        Self {
            records: Vec::new(),
            shown: 0,
            states: None,
            claims: Claims::default(),
            doubt,
            next: NextPage::Unsaid,
            more: Some(false),
            cursor: None,
            clock: None,
            bundle,
            mark: mark_of(&[]),
            mended_signs: 0,
            undecided: 0,
            skipped: 0,
        }
    }
}

impl PageContent {
    /// Fails where the page is not what was asked for, or not the whole of it.
    pub(super) fn believed(&self, what: &str) -> Result<(), RoundFailure> {
        match &self.doubt {
            Some(doubt) => Err(doubt.failure(what)),
            None => Ok(()),
        }
    }

    /// What was shown, each in its state.
    pub(super) fn states(&self) -> Vec<(RecordId, Version)> {
        self.states.clone().unwrap_or_else(|| {
            let records = self.records.iter();
            records
                .map(|record| (record.id.clone(), record.version))
                .collect()
        })
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
    /// The same as a number, where a field says it and it is one.
    pub(super) number: Option<u64>,
    /// Whether it is a tombstone.
    pub(super) presence: Presence,
    /// How many of the conditions that say so failed on it.
    pub(super) undecided: u64,
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
    partition: Option<&Partition>,
    response: &EhrResponse,
    basis: Basis,
) -> Result<PageContent, RoundFailure> {
    let (action, feed, response) = (Arc::clone(action), Arc::clone(feed), response.clone());
    let partition = partition.cloned();
    let read = ports
        .evaluator
        .run(move || page(&action, &feed, partition.as_ref(), &response, basis))
        .await;
    read.map_err(|error| failure::not_evaluated("reading a page", error))?
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
    skip(feed, &mut found)?;
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
        let read = record(action, feed, None, found)?;
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

/// What is wrong with a page that should hold these records.
fn doubt_of(feed: &Feed, status: StatusCode, body: &Json, found: &[Json]) -> Option<Doubt> {
    let has_identity = |row: &Json| {
        let id = feed.id.optional(row).ok().flatten();
        id.is_some_and(|id| id.scalar_text().is_some())
    };
    document::doubt_page(status, &feed.records, found.len(), body)
        .or_else(|| document::doubt_types(feed.searched_type()?, found))
        .or_else(|| document::doubt_rows(found).filter(|_| !found.iter().any(has_identity)))
}

/// Reads a page.
fn page(
    action: &Action,
    feed: &Feed,
    partition: Option<&Partition>,
    response: &EhrResponse,
    basis: Basis,
) -> Result<PageContent, RoundFailure> {
    let (body, mended_signs) = (feed.request.format.read_mending(&response.body))
        .map_err(|error| failure::unreadable(response, ASKING, &error))?;
    let failed = |what: &str, error: &rounds_map::EvaluateError| {
        failure(
            failure::RECORDS_FAILED,
            format!("`{what}` failed on a page: {error}"),
            "`rounds poll ACTION --dry-run` shows the page; an error that comes with status 200 often has another shape",
        )
    };
    let doubted = |found: &[Json]| basis.doubt(|| doubt_of(feed, response.status, &body, found));
    let mut found = match feed.records.all(&body) {
        Ok(found) => found,
        // `.data[]` over an error's object fails; what it is says more than how.
        Err(error) => match doubted(&[]) {
            Some(doubt) => return Ok(PageContent::doubted(doubt, Bundle::of(&body))),
            None => return Err(failed("records", &error)),
        },
    };
    let doubt = doubted(&found);
    let every = feed.records.shown(&body);
    let chosen = found.len();
    let shown = found.len();
    let mut undecided = skip(feed, &mut found)?;
    let skipped = u64::try_from(shown - found.len()).unwrap_or(u64::MAX);
    // `.[]` over an error's object gives its texts: taken as records, they would be told.
    if let Some(other) = found
        .iter()
        .find(|record| record.kind() != JsonKind::Object)
    {
        if let Some(doubt) = doubt {
            return Ok(PageContent::doubted(doubt, Bundle::of(&body)));
        }
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
        .map(|found| record(action, feed, partition, found))
        .collect::<Result<_, _>>()?;
    undecided += records.iter().map(|record| record.undecided).sum::<u64>();
    let hidden = every.as_ref().filter(|every| every.len() != records.len());
    let states = hidden.map(|every| {
        every
            .iter()
            .map(|row| state_of_row(feed, partition, row))
            .collect()
    });
    let pointer = pointer_of(feed, &body, &found, hidden.and_then(|every| every.last()))
        .map_err(|(what, error)| failed(what, &error))?;
    let next = pointer
        .and_then(|pointer| pointer.scalar_text())
        .filter(|pointer| !pointer.is_empty())
        .map_or(NextPage::Unsaid, NextPage::Pointer);
    let more = match &feed.paging.more {
        Some(more) => more_of(more, &body)?,
        None => None,
    };
    let cursor = match &feed.cursor {
        CursorRule::Number(log) | CursorRule::Token(log) => (log.place)
            .optional(&body)
            .map_err(|error| failed("cursor", &error))?,
        CursorRule::Time(_) | CursorRule::Queue(_) | CursorRule::Sweep(_) => None,
    };
    let clock = clock_of(feed, &body)?;
    let mark = mark_of(&records);
    let mut claims = match basis {
        Basis::Rule => Claims::default(),
        Basis::Status => Claims::of(&feed.records, &body, &response.headers),
    };
    if every.is_none() && feed.records.hides_some() {
        claims.total = None;
    }
    let shown = every.map_or(chosen, |every| every.len());
    Ok(PageContent {
        shown: u64::try_from(shown).unwrap_or(u64::MAX),
        states,
        claims,
        doubt,
        records,
        next,
        more,
        cursor,
        clock,
        bundle: Bundle::of(&body),
        mark,
        mended_signs,
        undecided,
        skipped,
    })
}

/// Leaves out what is skipped. Says of how many rows it is not known.
fn skip(feed: &Feed, found: &mut Vec<Json>) -> Result<u64, RoundFailure> {
    let Some(skip) = &feed.skip else {
        return Ok(0);
    };
    let mut undecided = 0;
    let mut kept = Vec::with_capacity(found.len());
    for row in std::mem::take(found) {
        match decide(skip, "skip", &row)? {
            Decision::Holds => continue,
            Decision::HoldsNot => {}
            Decision::Undecided => undecided += 1,
        }
        kept.push(row);
    }
    *found = kept;
    Ok(undecided)
}

/// Whether there are more pages; None where the answer does not say.
fn more_of(more: &Filter, body: &Json) -> Result<Option<bool>, RoundFailure> {
    let failed = |error| {
        failure(
            failure::RECORDS_FAILED,
            format!("`paging.more` failed on a page: {error}"),
            "`rounds poll ACTION --dry-run` shows the page; an error that comes with status 200 often has another shape",
        )
    };
    let said = more.optional(body).map_err(failed)?;
    if said.is_none_or(|said| said.is_null()) {
        return Ok(None);
    }
    match decide(more, "paging.more", body)? {
        Decision::Holds => Ok(Some(true)),
        Decision::HoldsNot => Ok(Some(false)),
        Decision::Undecided => Ok(None),
    }
}

/// What leads to the next page. `last_shown` is the last row, where something was left out of them. An error names its expression.
fn pointer_of(
    feed: &Feed,
    body: &Json,
    found: &[Json],
    last_shown: Option<&Json>,
) -> Result<Option<Json>, (&'static str, EvaluateError)> {
    match &feed.paging.rule {
        PagingRule::NextLink(from) | PagingRule::Token { from, .. } => {
            from.optional(body).map_err(|error| ("paging", error))
        }
        PagingRule::After { from, .. } => {
            // A keyset goes on behind what was shown last, whether it was chosen or not.
            let shown = last_shown.and_then(|last| from.optional(last).ok().flatten());
            match (shown.filter(|shown| !shown.is_null()), found.last()) {
                (Some(shown), _) => Ok(Some(shown)),
                (None, Some(last)) => {
                    (from.optional(last)).map_err(|error| ("paging.after.from", error))
                }
                (None, None) => Ok(None),
            }
        }
        _ => Ok(None),
    }
}

/// The state of a row of which it is not known whether it is a record: by its identity if it has one, by its content otherwise.
fn state_of_row(feed: &Feed, partition: Option<&Partition>, row: &Json) -> (RecordId, Version) {
    // What a Bundle's entry is about stands in it.
    let resource = row
        .get("resource")
        .filter(|resource| resource.kind() == JsonKind::Object);
    let record = resource.as_ref().unwrap_or(row);
    let (id, _) = identity_of(feed, partition, record);
    (id, version_of(feed, record))
}

/// A record's identity; without one it goes by its content.
fn identity_of(feed: &Feed, partition: Option<&Partition>, record: &Json) -> (RecordId, Identity) {
    if let Some(id) = text_of(&feed.id, record).filter(|id| !id.is_empty()) {
        return (feed.ids.identity(partition, &id), Identity::Given);
    }
    let content = Version(record.fingerprint());
    (
        (feed.ids).identity(partition, &format!("unidentified:{content}")),
        Identity::Missing,
    )
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
pub(super) fn record(
    action: &Action,
    feed: &Feed,
    partition: Option<&Partition>,
    json: &Json,
) -> Result<ReadRecord, RoundFailure> {
    let (id, identity) = identity_of(feed, partition, json);
    let gone = match &feed.gone {
        Some(gone) => decide(gone, "gone", json)?,
        None => Decision::HoldsNot,
    };
    let presence = match gone {
        Decision::Holds => Presence::Gone,
        Decision::HoldsNot | Decision::Undecided => Presence::There,
    };
    let version = version_of(feed, json);
    Ok(ReadRecord {
        undecided: u64::from(gone == Decision::Undecided),
        version: match presence {
            Presence::There => version,
            Presence::Gone => gone::version_of_absence(version),
        },
        number: number_of(feed, json),
        presence,
        position: position_of(feed, json),
        day: dates_of(feed).and_then(|range| day_of(range, json)),
        ordering_key: ordering_key_of(action, &id, json),
        record: Document::new(json.to_bytes()),
        id,
        identity,
    })
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

/// The version as a number, which a server counts up (R4, resource, 2.26.3.1, has it so in nearly all of them).
fn number_of(feed: &Feed, record: &Json) -> Option<u64> {
    match &feed.version {
        VersionRule::Field(field) => text_of(field, record)?.trim().parse().ok(),
        VersionRule::Fingerprint { .. } => None,
    }
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
        .map_or(Position::Undated, Position::of)
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
