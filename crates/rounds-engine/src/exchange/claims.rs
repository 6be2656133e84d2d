//! What an answer says of its own size: how many records there are in all, and whether more pages follow.
//!
//! A server that caps its pages, or names a next page that nobody reads, says so in the answer. Believed to be all, a page of a hundred
//! leaves the rest behind for good. Members are known by their usual names, beside the records and in what holds them.
//!
//! What to mind: a number that only echoes the request (`count`, `size`, `limit`) is no claim.

use super::document::plain;
use http::HeaderMap;
use rounds_domain::plan::{Records, Within};
use rounds_map::{Json, JsonKind};

/// What an answer says of its own size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Claims {
    /// How many there are, on all pages.
    pub(crate) total: Option<u64>,
    /// That there is another page.
    pub(crate) more: bool,
}

const TOTALS: &[&str] = &[
    "total",
    "totalcount",
    "totalresults",
    "totalitems",
    "totalrecords",
    "totalelements",
    "totalhits",
    "totalmatches",
    "odatacount",
    "totalsize",
];
const MORE: &[&str] = &[
    "hasmore",
    "hasnext",
    "hasnextpage",
    "more",
    "moreavailable",
    "moreresults",
    "moreitems",
    "morepages",
    "morerecords",
    "istruncated",
    "truncated",
];
const NEXT: &[&str] = &[
    "next",
    "nextpage",
    "nextlink",
    "nexturl",
    "nexthref",
    "nextpageurl",
    "nextpagelink",
    "nextpageuri",
    "nextpagetoken",
    "nexturi",
    "odatanextlink",
];
/// What holds such members.
const HOLDERS: &[&str] = &[
    "meta",
    "metadata",
    "paging",
    "pagination",
    "pageinfo",
    "page",
    "links",
    "link",
    "info",
    "summary",
];

impl Claims {
    /// What a page says.
    pub(crate) fn of(records: &Records, body: &Json, headers: &HeaderMap) -> Self {
        let mut claims = Self::default();
        claims.headers(headers);
        if body.get("resourceType").as_ref().and_then(Json::as_str) == Some("Bundle") {
            claims.total = number(body.get("total").as_ref());
            claims.more |= links_on(body.get("link").as_ref());
            return claims;
        }
        claims.object(body);
        if let Within::List {
            holder: Some(holder),
            ..
        } = records.within()
            && let Ok(Some(holder)) = holder.optional(body)
        {
            claims.object(&holder);
        }
        claims
    }

    fn headers(&mut self, headers: &HeaderMap) {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        self.total = text("x-total-count").and_then(|text| text.trim().parse().ok());
        self.more = headers
            .get_all(http::header::LINK)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.contains("rel=\"next\"") || value.contains("rel=next"));
    }

    /// The members of an object, and of what it holds beside its records.
    fn object(&mut self, object: &Json) {
        self.members(object);
        for (name, held) in object.members() {
            if HOLDERS.contains(&plain(name).as_str()) {
                self.members(&held);
                self.more |= links_on(Some(&held));
            }
        }
    }

    fn members(&mut self, object: &Json) {
        for (name, value) in object.members() {
            let name = plain(name);
            if TOTALS.contains(&name.as_str()) {
                self.total = self.total.max(number(Some(&value)));
            } else if MORE.contains(&name.as_str()) {
                self.more |= value.as_bool() == Some(true);
            } else if NEXT.contains(&name.as_str()) {
                self.more |= leads_on(&value);
            }
        }
    }
}

fn number(value: Option<&Json>) -> Option<u64> {
    value?.scalar_text()?.trim().parse().ok()
}

/// Whether a member that names the next page names one.
fn leads_on(value: &Json) -> bool {
    match value.kind() {
        JsonKind::String => value.as_str().is_some_and(|text| !text.trim().is_empty()),
        JsonKind::Number => value.scalar_text().is_some_and(|text| text != "0"),
        JsonKind::Object => ["href", "url", "uri"]
            .iter()
            .any(|name| value.get(name).is_some_and(|link| leads_on(&link))),
        JsonKind::Boolean => value.as_bool() == Some(true),
        JsonKind::Null | JsonKind::Array => false,
    }
}

/// Whether a list of links has one to the next page.
fn links_on(links: Option<&Json>) -> bool {
    let links = links.filter(|links| links.kind() == JsonKind::Array);
    links.is_some_and(|links| {
        links.items().any(|link| {
            ["relation", "rel"]
                .iter()
                .any(|name| link.get(name).as_ref().and_then(Json::as_str) == Some("next"))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rounds_map::Filter;

    fn claims(records: &str, body: &str) -> (Option<u64>, bool) {
        let records = Records::of(Filter::compile(records).expect("compiles"));
        let body = Json::parse(body.as_bytes()).expect("is JSON");
        let claims = Claims::of(&records, &body, &HeaderMap::new());
        (claims.total, claims.more)
    }

    #[test]
    fn totals_and_next_pages_are_known_by_their_usual_names() {
        let cases = [
            (".data[]", r#"{"total":8,"data":[]}"#, (Some(8), false)),
            (
                ".rows[]",
                r#"{"totalcount":"8","rows":[],"next":"/v1?offset=3"}"#,
                (Some(8), true),
            ),
            (
                ".value[]",
                r#"{"@odata.count":8,"@odata.nextLink":"x","value":[]}"#,
                (Some(8), true),
            ),
            (
                ".items[]",
                r#"{"items":[],"links":{"next":null}}"#,
                (None, false),
            ),
            (
                ".items[]",
                r#"{"items":[],"_links":{"next":{"href":"/p2"}}}"#,
                (None, true),
            ),
            (
                ".items[]",
                r#"{"items":[],"links":[{"rel":"self"},{"rel":"next","href":"/p2"}]}"#,
                (None, true),
            ),
            (
                ".data.visits.nodes[]",
                r#"{"data":{"visits":{"totalCount":8,"pageInfo":{"hasNextPage":true},"nodes":[]}}}"#,
                (Some(8), true),
            ),
            (".[]", "[]", (None, false)),
            // An echo of the request is no claim.
            (
                ".items[]",
                r#"{"items":[],"count":50,"limit":50,"size":50,"page":1}"#,
                (None, false),
            ),
            (
                "fhir_matches",
                r#"{"resourceType":"Bundle","total":155,"link":[{"relation":"next","url":"x"}]}"#,
                (Some(155), true),
            ),
        ];
        for (records, body, wanted) in cases {
            assert_eq!(claims(records, body), wanted, "{body}");
        }
    }
}
