//! Whose record a lookup's answer is.
//!
//! A lookup asks for one record by an identifier, and what comes back goes to the receiver under another record's name. So it is not taken
//! at its word that it came: a list of two is not one, and an answer that calls itself something else, and names nowhere what was asked
//! for, is another's. Both park the container. A list that is empty says that there is no such record.
//!
//! What is evidence? Only that which an answer says of itself: its own identifier, by the usual names, beside what was asked for. An
//! API may look up by one identifier (an MRN) and answer with another (its own row); then what was asked for stands in the answer all the
//! same. An answer that has no identifier of its own proves nothing and is taken.

use crate::containers::scope::PARTITION;
use crate::exchange::document::plain;
use rounds_domain::plan::{Lookup, RequestBodyRule};
use rounds_map::{Json, JsonKind};

/// What came back, seen as records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    /// The one that was asked for, as far as it says.
    AsAsked,
    /// None.
    Nothing,
    /// Several: at least so many.
    Several(u64),
    /// One that calls itself something else.
    Another,
}

/// What a lookup asked for.
#[derive(Debug, Clone)]
pub(super) struct AskedFor {
    /// What its placeholders gave.
    identifiers: Vec<String>,
    /// The names by which a record of this kind calls itself, without case, `_` and `-`.
    own_names: Vec<String>,
    /// The FHIR type, if a FHIR read names one.
    kind: Option<String>,
}

impl AskedFor {
    /// What the request of a lookup asks for, filled from `scope`.
    pub(super) fn of(lookup: &Lookup, scope: &Json) -> Self {
        let request = &lookup.request;
        // A partition is not this record's alone: an answer that names it is not by that the one asked for.
        let scope = &Json::object(scope.members().filter(|(name, _)| *name != PARTITION));
        let mut identifiers: Vec<String> = request.path.values(scope).collect();
        for (_, template) in &request.query {
            identifiers.extend(template.values(scope));
        }
        for template in request.body.iter().flat_map(RequestBodyRule::templates) {
            identifiers.extend(template.values(scope));
        }
        for (_, leaf) in request.body.iter().flat_map(RequestBodyRule::leaves) {
            let value = leaf.optional(scope).ok().flatten();
            identifiers.extend(value.and_then(|value| value.scalar_text()));
        }
        let kind = request.path.ends_with_placeholder().then(|| {
            let text = request.path.text();
            let before = text.split("{{").next().unwrap_or_default();
            before
                .trim_end_matches('/')
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_owned()
        });
        let mut own_names = ["id", "uuid", "guid", "identifier"]
            .map(str::to_owned)
            .to_vec();
        own_names.push(format!("{}id", plain(lookup.name.as_str())));
        if let Some(kind) = &kind {
            let singular = plain(kind);
            own_names.push(format!(
                "{}id",
                singular.strip_suffix('s').unwrap_or(&singular)
            ));
        }
        let is_type = |kind: &String| kind.starts_with(char::is_uppercase);
        Self {
            identifiers,
            own_names,
            kind: kind.filter(is_type),
        }
    }

    /// Judges an answer.
    pub(super) fn judge(&self, lookup: &Lookup, answer: &Json) -> Identity {
        let record = match records(answer, &self.own_names) {
            Records::None => return Identity::Nothing,
            Records::Several(count) => return Identity::Several(count),
            Records::One(record) => record,
        };
        if self.identifiers.is_empty() {
            return Identity::AsAsked;
        }
        let is_as_asked = if let Some(id) = &lookup.id {
            let said = id.optional(answer).ok().flatten();
            said.is_some_and(|said| match said.kind() {
                JsonKind::Array => said.items().any(|said| self.is_asked_for(&said)),
                _ => self.is_asked_for(&said),
            })
        } else {
            self.is_plausible(&record)
        };
        if is_as_asked {
            Identity::AsAsked
        } else {
            Identity::Another
        }
    }

    fn is_plausible(&self, record: &Json) -> bool {
        if let (Some(kind), Some(resource)) = (&self.kind, text(record, "resourceType")) {
            // A FHIR read: the logical id is what was asked for, and nothing else is (R4, http, 3.1.0.1.2).
            let id = record.get("id");
            return resource == *kind && id.is_none_or(|id| self.is_asked_for(&id));
        }
        let own: Vec<Json> = own_identifiers(record, &self.own_names).collect();
        own.is_empty()
            || own.iter().any(|own| self.is_asked_for(own))
            || self.is_named_in(record, 0)
    }

    /// Whether a member that is named like an identifier, at any depth, holds what was asked for.
    fn is_named_in(&self, value: &Json, depth: usize) -> bool {
        if depth > MOST_DEPTH {
            return false;
        }
        match value.kind() {
            JsonKind::Object => value.members().any(|(name, member)| match member.kind() {
                JsonKind::Object => self.is_named_in(&member, depth + 1),
                JsonKind::Array => member.items().any(|item| {
                    (names_an_identifier(name) && self.is_asked_for(&item))
                        || self.is_named_in(&item, depth + 1)
                }),
                _ => names_an_identifier(name) && self.is_asked_for(&member),
            }),
            JsonKind::Array => value.items().any(|item| self.is_named_in(&item, depth + 1)),
            _ => false,
        }
    }

    /// Whether a value is one of those that were asked for: `17`, as `Patient/17` and `urn:mrn|17` name it too.
    fn is_asked_for(&self, value: &Json) -> bool {
        let Some(said) = value.scalar_text() else {
            return false;
        };
        let said = said.trim();
        self.identifiers.iter().any(|asked| {
            let asked = asked.trim().split("/_history/").next().unwrap_or_default();
            said.eq_ignore_ascii_case(asked) || names(asked, said) || names(said, asked)
        })
    }
}

/// How deep an answer is looked through.
const MOST_DEPTH: usize = 12;

/// Whether a longer text ends with an identifier, as a reference or a token of a search does.
fn names(longer: &str, identifier: &str) -> bool {
    let end = longer.len().checked_sub(identifier.len());
    let before = end
        .filter(|_| !identifier.is_empty())
        .and_then(|end| longer.get(..end));
    before.is_some_and(|before| {
        before.ends_with(['/', '|', ':', '#']) && longer.ends_with(identifier)
    })
}

fn names_an_identifier(name: &str) -> bool {
    const ENDS: &[&str] = &[
        "id",
        "ids",
        "identifier",
        "identifiers",
        "mrn",
        "number",
        "num",
        "no",
        "nr",
        "code",
        "key",
        "guid",
        "uuid",
        "uid",
        "oid",
        "ref",
        "reference",
        "value",
        "token",
        "slug",
        "url",
        "href",
        "email",
        "name",
        "username",
        "family",
        "given",
        "birthdate",
        "ssn",
        "text",
    ];
    let name = plain(name);
    ENDS.iter().any(|end| name.ends_with(end))
}

fn own_identifiers<'j>(record: &'j Json, names: &'j [String]) -> impl Iterator<Item = Json> + 'j {
    record.members().filter_map(move |(name, value)| {
        let is_scalar = value.scalar_text().is_some_and(|text| !text.is_empty());
        (is_scalar && names.contains(&plain(name))).then_some(value)
    })
}

fn text(record: &Json, name: &str) -> Option<String> {
    record
        .get(name)
        .filter(|value| value.kind() == JsonKind::String)?
        .scalar_text()
}

enum Records {
    None,
    One(Json),
    Several(u64),
}

/// The records in an answer: of a list, of a FHIR searchset, of an envelope around either, or the answer itself.
fn records(answer: &Json, own_names: &[String]) -> Records {
    let mut at = answer.clone();
    for _ in 0..MOST_DEPTH {
        if text(&at, "resourceType").as_deref() == Some("Bundle") {
            return of_bundle(&at);
        }
        match at.kind() {
            JsonKind::Array => return counted(at.items(), 0),
            JsonKind::Null => return Records::None,
            JsonKind::Object => {}
            _ => break,
        }
        if own_identifiers(&at, own_names).next().is_some() {
            break;
        }
        let Some((inner, total)) = in_envelope(&at) else {
            break;
        };
        match inner.kind() {
            JsonKind::Array => return counted(inner.items(), total),
            _ => at = inner,
        }
    }
    Records::One(at)
}

fn counted(items: impl Iterator<Item = Json>, total: u64) -> Records {
    let mut one = None;
    let mut count = 0;
    for item in items {
        count += 1;
        one.get_or_insert(item);
    }
    match (count.max(total), one) {
        (1, Some(one)) => Records::One(one),
        (_, None) => Records::None,
        (count, Some(_)) => Records::Several(count),
    }
}

/// The matches of a search (R4, search, 3.1.1.9): what it included, and what it says of itself, are none.
fn of_bundle(bundle: &Json) -> Records {
    let entries = bundle.get("entry");
    let matches = entries.iter().flat_map(Json::items).filter_map(|entry| {
        let mode = entry.get("search").and_then(|search| text(&search, "mode"));
        let is_match = mode.is_none_or(|mode| mode == "match");
        let resource = entry.get("resource").filter(|_| is_match)?;
        (text(&resource, "resourceType").as_deref() != Some("OperationOutcome")).then_some(resource)
    });
    let links = bundle.get("link");
    let goes_on = (links.iter().flat_map(Json::items))
        .any(|link| text(&link, "relation").as_deref() == Some("next"));
    match (counted(matches, 0), goes_on) {
        (Records::One(_), true) => Records::Several(2),
        (records, _) => records,
    }
}

/// What an envelope holds, and how many it says that there are. An envelope has one member that is a list or an object; all others are
/// about it.
fn in_envelope(object: &Json) -> Option<(Json, u64)> {
    const ABOUT: &[&str] = &[
        "count",
        "total",
        "totalcount",
        "totalresults",
        "totalrecords",
        "totalitems",
        "recordcount",
        "resultcount",
        "page",
        "pagenumber",
        "pagesize",
        "perpage",
        "pages",
        "totalpages",
        "size",
        "limit",
        "offset",
        "start",
        "startindex",
        "itemsperpage",
        "next",
        "nextpage",
        "nexturl",
        "nextlink",
        "nextpagetoken",
        "nextcursor",
        "cursor",
        "previous",
        "prev",
        "previouspage",
        "first",
        "last",
        "hasmore",
        "more",
        "self",
        "status",
        "success",
        "ok",
        "message",
        "error",
        "errors",
        "code",
        "links",
        "link",
        "meta",
        "metadata",
        "paging",
        "pagination",
        "extensions",
        "timestamp",
        "version",
        "type",
        "object",
        "url",
        "kind",
    ];
    let mut held = None;
    let mut total = 0;
    for (name, member) in object.members() {
        let name = plain(name);
        if ABOUT.contains(&name.as_str()) {
            if matches!(
                name.as_str(),
                "total" | "totalcount" | "totalresults" | "totalrecords" | "totalitems"
            ) {
                let said = member
                    .scalar_text()
                    .and_then(|text| text.trim().parse().ok());
                total = said.unwrap_or(0);
            }
            continue;
        }
        let is_held = match member.kind() {
            JsonKind::Object => true,
            JsonKind::Array => member.items().all(|item| item.kind() == JsonKind::Object),
            JsonKind::Null => continue,
            _ => false,
        };
        if !is_held || held.is_some() {
            return None;
        }
        held = Some(member);
    }
    held.map(|held| (held, total))
}

#[cfg(test)]
mod tests;
