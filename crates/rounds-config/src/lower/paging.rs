//! How an answer is continued.

use super::request::{RootUse, UsesKnown, place_of};
use crate::codes;
use crate::diagnostic::Findings;
use crate::face::PagingKeys;
use crate::kinds::Count;
use crate::reading::Given;
use crate::source::Place;
use rounds_domain::plan::{Links, Paging, PagingRule, Rows};

/// What templates of a paged request may use: the page's number, offset or token.
pub(super) const ROOT: &str = "page";

/// The place of a page must be in the request once: in a parameter, or where the request says so.
pub(super) fn check_uses(
    paging: &Given<PagingKeys>,
    uses: &[RootUse],
    uses_known: UsesKnown,
    findings: &mut Findings<'_>,
) {
    let used = uses.iter().find(|root_use| root_use.root == ROOT);
    let by_place = match paging {
        Given::Wrong => return,
        Given::Absent => None,
        Given::Here(here) => place_of_parameter(&here.value),
    };
    match (used, by_place) {
        (Some(used), Some(Some(parameter))) => {
            let place = place_of(used, findings);
            findings
                .error(
                    codes::PAGE_NOT_SENT,
                    place,
                    "`page` is used, and sent in a parameter",
                )
                .also(parameter, "the parameter is here")
                .help("keep one of them");
        }
        (Some(used), None) => {
            let place = place_of(used, findings);
            findings
                .error(codes::PAGE_NOT_SENT, place, "`page` is used and nothing gives it")
                .help("say how the answer is continued: `paging: { page_number: {} }`, `offset`, `token` or `after`");
        }
        (None, Some(None)) if uses_known == UsesKnown::All => {
            if let Some(here) = paging.here() {
                findings
                    .error(codes::PAGE_NOT_SENT, here.key, "the place of a page is in no part of the request")
                    .expected("every page would be the first")
                    .help("name its query parameter, `parameter: page`, or write `{{ page }}` where the EHR expects it");
            }
        }
        _ => {}
    }
}

/// For paging by a place: where its parameter stands, if it has one.
#[expect(
    clippy::option_option,
    reason = "whether there are places, and whether they have a parameter"
)]
fn place_of_parameter(keys: &PagingKeys) -> Option<Option<Place>> {
    let parameter = [
        keys.page_number.value().map(|pages| &pages.parameter),
        keys.offset.value().map(|offset| &offset.parameter),
        keys.token.value().map(|token| &token.parameter),
        keys.after.value().map(|after| &after.parameter),
    ];
    let parameter = parameter.into_iter().flatten().next()?;
    Some(parameter.here().map(|here| here.key))
}

/// How an answer is continued; `default` is how many pages it may have where nothing is said.
pub(super) fn paging_of(
    paging: &Given<PagingKeys>,
    max_pages: &Given<Count>,
    default: u32,
    findings: &mut Findings<'_>,
) -> Option<Paging> {
    let (rule, keys) = match paging {
        Given::Absent => (PagingRule::Single, None),
        Given::Wrong => return None,
        Given::Here(here) => (paging_rule(&here.value, findings)?, Some(&here.value)),
    };
    let links = keys.and_then(|keys| keys.links.here());
    let has_links = matches!(
        rule,
        PagingRule::NextLink(_) | PagingRule::LinkHeader { .. }
    );
    if let (Some(links), false) = (links, has_links) {
        findings
            .error(
                codes::MISMATCHED_KEYS,
                links.key,
                "`links` where no links are followed",
            )
            .help("take it out: it goes with `next_link` and `link_header`");
    }
    let rows = keys.and_then(|keys| keys.rows.here());
    let offset = keys.and_then(|keys| keys.offset_parameter.here());
    let beside = [
        ("rows", rows.map(|rows| rows.key)),
        ("offset_parameter", offset.map(|offset| offset.key)),
    ];
    for (name, place) in beside {
        if let (Some(place), false) = (place, has_links) {
            findings
                .error(
                    codes::MISMATCHED_KEYS,
                    place,
                    format!("`{name}` beside a paging that follows no links"),
                )
                .help("it goes with `next_link` and `link_header` here; `page_number` and `offset` have one of their own");
        }
    }
    let more = match keys.map(|keys| &keys.more) {
        None | Some(Given::Absent) => None,
        Some(Given::Wrong) => return None,
        Some(Given::Here(more)) => Some(more.value.filter.clone()),
    };
    Some(Paging {
        rule,
        more,
        links: links.map_or(Links::AsGiven, |links| links.value),
        rows: rows.map_or(Rows::Move, |rows| rows.value),
        offset_parameter: offset.map(|offset| offset.value.0.text.clone()),
        max_pages: max_pages.value().map_or(default, |count| count.0),
    })
}

fn paging_rule(keys: &PagingKeys, findings: &mut Findings<'_>) -> Option<PagingRule> {
    let text = |given: &Given<crate::kinds::Text>| given.value().map(|text| text.0.text.clone());
    if let Some(link) = keys.next_link.value() {
        return Some(PagingRule::NextLink(link.filter.clone()));
    }
    if let Some(relation) = text(&keys.link_header) {
        return Some(PagingRule::LinkHeader { relation });
    }
    if let Some(pages) = keys.page_number.value() {
        size_parameter_without_size(&pages.size_parameter, &pages.size, findings);
        return Some(PagingRule::PageNumber {
            parameter: text(&pages.parameter),
            first: pages.first.value().map_or(1, |first| first.0),
            size: pages.size.value().map(|size| u64::from(size.0)),
            size_parameter: text(&pages.size_parameter),
            rows: pages.rows.or(Rows::Move),
        });
    }
    if let Some(offset) = keys.offset.value() {
        return Some(PagingRule::Offset {
            parameter: text(&offset.parameter),
            size: u64::from(offset.size.value()?.0),
            size_parameter: text(&offset.size_parameter),
            rows: offset.rows.or(Rows::Move),
        });
    }
    if let Some(after) = keys.after.value() {
        size_parameter_without_size(&after.size_parameter, &after.size, findings);
        return Some(PagingRule::After {
            parameter: text(&after.parameter),
            from: after.from.value()?.filter.clone(),
            size: after.size.value().map(|size| u64::from(size.0)),
            size_parameter: text(&after.size_parameter),
        });
    }
    let token = keys.token.value()?;
    Some(PagingRule::Token {
        parameter: text(&token.parameter),
        from: token.from.value()?.filter.clone(),
    })
}

fn size_parameter_without_size(
    parameter: &Given<crate::kinds::Text>,
    size: &Given<Count>,
    findings: &mut Findings<'_>,
) {
    if let (Some(parameter), None) = (parameter.here(), size.here()) {
        findings
            .error(
                codes::MISMATCHED_KEYS,
                parameter.key,
                "`size_parameter` without `size`",
            )
            .help("say how many records a page has: `size: 50`");
    }
}
