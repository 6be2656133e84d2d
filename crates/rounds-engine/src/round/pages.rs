//! How an answer is continued, and what keeps it from going on for ever, or from ending too soon.
//!
//! A page that is not full is the last one only if the answer does not say otherwise. Fullness counts what the page showed before `records`
//! and `skip` left something out of it. A server that caps its pages shows fewer than were asked for and says with a total, or with
//! a next page, that there are more: where the place of the next page can be made from what was shown, the walk goes on; where it
//! cannot, the answer was not drained, and the round says what to write.

mod link_header;
mod place;
mod sizes;
mod walk;

use super::failure::{self, failure};
use super::read::{NextPage, PageContent};
use crate::exchange::claims::Claims;
use crate::request;
use http::HeaderMap;
use link_header::link_in;
use place::LinkPlace;
use rounds_domain::RoundFailure;
use rounds_domain::plan::{Connection, Feed, Links, Paging, PagingRule, RequestRule, Rows, Within};
use rounds_domain::ports::{BodyPiece, EhrRequest};
use rounds_map::Json;
use sha2::{Digest, Sha256};
use sizes::{Sizes, is_last};
use std::collections::HashSet;
use url::Url;
use walk::{Places, Step, Walk};

/// The pages of one answer: gives the next request until there is none.
pub(super) struct Pages<'a> {
    paging: &'a Paging,
    maker: Maker<'a>,
    first: EhrRequest,
    next: Option<EhrRequest>,
    walk: Option<Walk>,
    /// Where links hold a place: its parameter, and a link to put it into.
    linked: Option<(String, EhrRequest)>,
    /// Against what a Bundle's relative links are resolved; None where that is the request.
    link_base: Option<&'a Url>,
    taken: u32,
    /// How many records were shown, where pages do not overlap.
    shown: u64,
    /// What is made of what the answer says of its size.
    sizes: Sizes,
    /// What the page said of it that reached furthest, and how many rows that showed.
    furthest: (Claims, u64),
    /// Marks, so that an answer of a million records is remembered in a few bytes for each of its pages.
    asked: HashSet<[u8; 16]>,
    seen: HashSet<[u8; 16]>,
}

impl<'a> Pages<'a> {
    /// Starts with this request; the paging's own parameters are added to it.
    pub(super) fn new(feed: &'a Feed, maker: Maker<'a>) -> Result<Self, RoundFailure> {
        let paging = &feed.paging;
        let walk = match &paging.rule {
            PagingRule::PageNumber {
                first, size, rows, ..
            } => Some(Walk::new(
                Places::Numbers {
                    first: *first,
                    size: *size,
                },
                *rows,
            )),
            PagingRule::Offset { size, rows, .. } => {
                Some(Walk::new(Places::Offsets { size: *size }, *rows))
            }
            _ => None,
        };
        let connection = maker.connection;
        let mut first = maker.at(Json::null())?;
        if let PagingRule::After {
            size: Some(size),
            size_parameter: Some(name),
            ..
        } = &paging.rule
        {
            set(&mut first.url, name, &size.to_string());
        }
        let mut pages = Self {
            paging,
            maker,
            first,
            next: None,
            walk,
            linked: None,
            link_base: matches!(feed.records.within(), Within::Bundle(_))
                .then_some(&connection.base_url),
            taken: 0,
            shown: 0,
            sizes: Sizes::of(feed),
            furthest: (Claims::default(), 0),
            asked: HashSet::new(),
            seen: HashSet::new(),
        };
        pages.next = Some(match pages.at_place()? {
            Some(at_place) => at_place,
            None => pages.first.clone(),
        });
        Ok(pages)
    }

    /// The next page's request.
    pub(super) fn take(&mut self) -> Result<Option<EhrRequest>, RoundFailure> {
        let Some(request) = self.next.take() else {
            return Ok(None);
        };
        if self.taken >= self.paging.max_pages {
            return Err(failure(
                failure::TOO_MANY_PAGES,
                format!("the answer has more than {} pages", self.paging.max_pages),
                "raise `max_pages` if that many are right; if not, check `paging` with `rounds poll ACTION --dry-run`",
            ));
        }
        self.taken += 1;
        // A walk by place may well ask for a place again, and a queue is asked the same until it has nothing more.
        let may_repeat = self.walk.is_some() || matches!(self.paging.rule, PagingRule::UntilEmpty);
        if !may_repeat && !self.asked.insert(mark_of(&request)) {
            return Err(loops("a next page that was asked for already"));
        }
        Ok(Some(request))
    }

    /// Whether this is the first page.
    pub(super) const fn is_first(&self) -> bool {
        self.taken == 1
    }

    /// The next page's request, if there is one.
    pub(super) const fn next(&self) -> Option<&EhrRequest> {
        self.next.as_ref()
    }

    /// Whether the page that was asked for last was shown before.
    pub(super) fn is_looking_back(&self) -> bool {
        self.walk.as_ref().is_some_and(Walk::is_looking_back)
    }

    /// No further page is wanted.
    pub(super) fn stop(&mut self) {
        self.next = None;
    }

    /// Whether everything before the end of what was read was shown.
    pub(super) fn has_no_gap(&self) -> bool {
        self.walk.as_ref().is_none_or(Walk::has_no_gap)
    }

    /// Finds the next page from this one.
    pub(super) fn advance(
        &mut self,
        current: &EhrRequest,
        headers: &HeaderMap,
        page: &PageContent,
    ) -> Result<(), RoundFailure> {
        if self.is_looking_back() {
            // What is read again on the way onward is not a circle.
            if self.walk.as_ref().is_some_and(Walk::is_by_offset) {
                self.seen.clear();
            }
        } else if !page.records.is_empty() && !self.seen.insert(page.mark) {
            return Err(loops(
                "the same records again as another page of this answer",
            ));
        }
        let claims = self.sizes.claims(page);
        let links = matches!(
            self.paging.rule,
            PagingRule::NextLink(_) | PagingRule::LinkHeader { .. }
        );
        if links && self.walk.is_none() && page.more != Some(false) {
            self.walk_by_links(current, headers, page, claims)?;
        }
        if !self.is_looking_back() {
            self.furthest = (claims, page.shown);
        }
        if let Some(walk) = &mut self.walk {
            let more = if links {
                let has_link = names_next(self.paging, headers, page);
                // What has no link any more may still be short of its total.
                let may_go_on = self.paging.offset_parameter.is_some();
                (page.more).or((has_link || !may_go_on).then_some(has_link))
            } else {
                page.more.or(claims.more.then_some(true))
            };
            let step = Step {
                shown: page.shown,
                more,
                total: claims.total,
            };
            let goes_on = walk.step(page.states(), step);
            self.shown = walk.covered();
            self.next = if goes_on { self.at_place()? } else { None };
        } else {
            self.shown += page.shown;
            self.next = match page.more {
                Some(false) => None,
                more => self.named(current, headers, page, more)?,
            };
        }
        match &self.next {
            None if page.more != Some(false) => self.sizes.check(self.furthest, self.shown),
            _ => Ok(()),
        }
    }

    /// Goes on by places where the first page's link holds one, or where there is none and the server is known to take an offset.
    fn walk_by_links(
        &mut self,
        current: &EhrRequest,
        headers: &HeaderMap,
        page: &PageContent,
        claims: Claims,
    ) -> Result<(), RoundFailure> {
        if !self.is_first() || self.paging.rows == Rows::Stay {
            self.walk_beyond_links(headers, page, claims);
            return Ok(());
        }
        let Some(next) = self.named(current, headers, page, None)? else {
            self.walk_beyond_links(headers, page, claims);
            return Ok(());
        };
        if let Some(LinkPlace { parameter, places }) =
            place::in_link(&current.url, &next.url, page.shown)
        {
            self.walk = Some(Walk::new(places, Rows::Move));
            self.linked = Some((parameter, next));
        }
        Ok(())
    }

    /// Goes on by an offset where the answer is short of its total, and the server gives no link.
    fn walk_beyond_links(&mut self, headers: &HeaderMap, page: &PageContent, claims: Claims) {
        let shown = self.shown + page.shown;
        let is_short = claims.total.is_some_and(|total| total > shown) && page.shown > 0;
        let has_link = names_next(self.paging, headers, page);
        if let (Some(parameter), true, false) = (&self.paging.offset_parameter, is_short, has_link)
        {
            let size = page.shown.max(2);
            let walk = Walk::new(Places::Offsets { size }, Rows::Move);
            // Where links have led up to here, the walk begins behind what they showed.
            self.walk = Some(walk.beginning_at(self.shown));
            self.linked = Some((parameter.clone(), self.first.clone()));
        }
    }

    /// The next page where this one names it; `more` is what it says of there being one.
    fn named(
        &self,
        current: &EhrRequest,
        headers: &HeaderMap,
        page: &PageContent,
        more: Option<bool>,
    ) -> Result<Option<EhrRequest>, RoundFailure> {
        let next = match (&self.paging.rule, &page.next) {
            (PagingRule::NextLink(_), NextPage::Pointer(link)) => Some(self.follow(current, link)?),
            (PagingRule::LinkHeader { relation }, _) => match link_in(headers, relation) {
                Some(link) => Some(self.follow(current, &link)?),
                None => None,
            },
            (PagingRule::Token { parameter, .. }, NextPage::Pointer(token)) => {
                Some(self.first_with(parameter.as_deref(), token)?)
            }
            (PagingRule::After { size, .. }, _)
                if more.is_none() && is_last(page, *size, self.sizes.claims(page), self.shown) =>
            {
                None
            }
            (PagingRule::After { parameter, .. }, NextPage::Pointer(value)) => {
                Some(self.first_with(parameter.as_deref(), value)?)
            }
            (PagingRule::After { .. }, NextPage::Unsaid) => return Err(no_way_on()),
            (PagingRule::UntilEmpty, _) => {
                let goes_on = more.unwrap_or(page.shown > 0);
                goes_on.then(|| self.first.clone())
            }
            _ => None,
        };
        // An answer that ends where it says that there is more was not drained.
        match (&next, more) {
            (None, Some(true)) => Err(no_way_on()),
            _ => Ok(next),
        }
    }

    /// The request for another place: in its parameter, or where the request says `page`.
    fn first_with(&self, parameter: Option<&str>, value: &str) -> Result<EhrRequest, RoundFailure> {
        let Some(parameter) = parameter else {
            return self.maker.at(Json::string(value));
        };
        let mut request = self.first.clone();
        set(&mut request.url, parameter, value);
        Ok(request)
    }

    fn follow(&self, current: &EhrRequest, link: &str) -> Result<EhrRequest, RoundFailure> {
        // FHIR resolves a link that begins with a type against the service's base (R4, bundle, 2.36.4).
        let is_of_base = link.starts_with(|first: char| first.is_ascii_uppercase());
        let base = self
            .link_base
            .filter(|_| is_of_base && !link.contains("://"));
        let url = base
            .unwrap_or(&current.url)
            .join(link)
            .map_err(|_| unusable_link("the next link is no URL".to_owned()))?;
        let is_foreign = url.origin() != current.url.origin();
        let url = match (is_foreign, self.paging.links) {
            (false, _) => url,
            (true, Links::AsGiven) => {
                return Err(unusable_link(format!(
                    "the next link leads to another host, {}",
                    url.origin().ascii_serialization()
                )));
            }
            (true, Links::Rebased) => self.rebased(&url)?,
        };
        Ok(EhrRequest {
            method: http::Method::GET,
            url,
            body: None,
            ..current.clone()
        })
    }

    /// A link's path and query at the connection's own address.
    fn rebased(&self, link: &Url) -> Result<Url, RoundFailure> {
        let below = format!("{}/", link.path().trim_end_matches('/'));
        if !below.starts_with(self.maker.connection.base_url.path()) {
            return Err(unusable_link(format!(
                "the next link leads to another host, {}, and to a path that is not under that of `base_url`",
                link.origin().ascii_serialization()
            )));
        }
        let mut url = self.maker.connection.base_url.clone();
        url.set_path(link.path());
        url.set_query(link.query());
        Ok(url)
    }

    /// The request for the page where the walk is, and for its size if the rule asks for one.
    fn at_place(&self) -> Result<Option<EhrRequest>, RoundFailure> {
        let Some(walk) = &self.walk else {
            return Ok(None);
        };
        let at = walk.at();
        if let Some((parameter, link)) = &self.linked {
            if at == walk.first() {
                return Ok(Some(self.first.clone()));
            }
            let mut request = link.clone();
            set(&mut request.url, parameter, &at.to_string());
            return Ok(Some(request));
        }
        let (parameter, size, size_parameter) = match &self.paging.rule {
            PagingRule::PageNumber {
                parameter,
                size,
                size_parameter,
                ..
            } => (parameter, *size, size_parameter),
            PagingRule::Offset {
                parameter,
                size,
                size_parameter,
                ..
            } => (parameter, Some(*size), size_parameter),
            _ => return Ok(None),
        };
        let mut request = match parameter {
            Some(parameter) => self.first_with(Some(parameter), &at.to_string())?,
            None => self.maker.at(number(at))?,
        };
        if let (Some(name), Some(size)) = (size_parameter, size) {
            set(&mut request.url, name, &size.to_string());
        }
        Ok(Some(request))
    }
}

/// Whether a page names another.
fn names_next(paging: &Paging, headers: &HeaderMap, page: &PageContent) -> bool {
    match (&paging.rule, &page.next) {
        (PagingRule::LinkHeader { relation }, _) => link_in(headers, relation).is_some(),
        (_, NextPage::Pointer(_)) => true,
        (_, NextPage::Unsaid) => false,
    }
}

/// A place as a JSON body wants it, exact at any size.
fn number(at: u64) -> Json {
    i64::try_from(at).map_or_else(|_| Json::string(at.to_string()), Json::integer)
}

/// Makes the requests of one answer.
pub(super) struct Maker<'a> {
    pub(super) connection: &'a Connection,
    pub(super) rule: &'a RequestRule,
    /// What its templates may use besides `page`.
    pub(super) scope: Json,
    /// What is asked for, for failures.
    pub(super) what: &'static str,
}

impl Maker<'_> {
    /// The request for a place, where it has a placeholder for one.
    fn at(&self, page: Json) -> Result<EhrRequest, RoundFailure> {
        request::build_at(self.connection, self.rule, &self.scope, page).map_err(|error| {
            failure(
                request::RequestError::CODE,
                format!("the request for {} cannot be made: {error}", self.what),
                "check it with `rounds poll ACTION --dry-run`",
            )
        })
    }
}

fn mark_of(request: &EhrRequest) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(request.url.as_str());
    for piece in request.body.iter().flat_map(|body| &body.pieces) {
        if let BodyPiece::Ready(text) = piece {
            hash.update([0]);
            hash.update(text);
        }
    }
    let mut mark = [0; 16];
    mark.copy_from_slice(&hash.finalize()[..16]);
    mark
}

fn set(url: &mut Url, parameter: &str, value: &str) {
    let others: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| name != parameter)
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    url.query_pairs_mut()
        .clear()
        .extend_pairs(others)
        .append_pair(parameter, value);
}

fn unusable_link(message: String) -> RoundFailure {
    failure(
        failure::NEXT_LINK,
        message,
        "next links are followed as they are, within the connection's host only; if the EHR builds them from an inner address, write `links: rebased` under `paging`, or set the EHR's own base URL to the one in `base_url`",
    )
}

fn no_way_on() -> RoundFailure {
    failure(
        failure::MORE_PAGES,
        "there are more pages, and the EHR does not say where",
        "check `paging` with `rounds poll ACTION --dry-run`: `more` may be wrong, or the place that leads to the next page",
    )
}

fn loops(what: &str) -> RoundFailure {
    failure(
        failure::PAGES_LOOP,
        format!("paging goes in a circle: the EHR gave {what}"),
        "the EHR may ignore the paging parameter: check `paging` with `rounds poll ACTION --dry-run`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_a_parameter_replaces_it_and_keeps_the_others() {
        let mut url: Url = "https://a/x?offset=0&since=2026-01-01T00%3A00"
            .parse()
            .expect("a URL");
        set(&mut url, "offset", "50");
        assert_eq!(
            url.as_str(),
            "https://a/x?since=2026-01-01T00%3A00&offset=50"
        );
    }
}
