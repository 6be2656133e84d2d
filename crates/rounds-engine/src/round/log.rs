//! Where a round of a log may go on if it is cut short (law 2).
//!
//! A log of numbers or tokens only grows, and many an EHR pages it by the very place that the next round would ask from: the next
//! page's request is the request that a round beginning there would make. Where that is so, the page was read whole and the EHR
//! itself goes on behind it, so the place is one that it gave, and a first round of a million entries may end anywhere. Nothing needs to be
//! declared for it, and nothing is guessed: a value counts as a place only if the request that is made from it is the next one.
//!
//! What to mind: the number that an answer gives may be the log's end, on every page. It is no place as long as pages follow, and the
//! comparison finds that by itself.

use super::ask;
use super::pages::Pages;
use super::read::NextPage;
use super::{Purpose, Round, cursor};
use rounds_domain::plan::{CursorRule, Feed};
use rounds_domain::ports::EhrRequest;
use rounds_domain::{Cursor, Phi};
use std::sync::Arc;

impl Round<'_> {
    /// The place from which a round would go on with the page that is next; None where no value of this page's makes that request.
    pub(super) fn place_in_log(
        &self,
        through: &Arc<Feed>,
        pages: &Pages<'_>,
        next_page: &NextPage,
    ) -> Option<Cursor> {
        let next = pages.next()?;
        let is_own = Arc::ptr_eq(through, self.feed);
        if !is_own || self.purpose != Purpose::Tell {
            return None;
        }
        let given = self.advance.given().cloned();
        let pointed = match next_page {
            NextPage::Pointer(text) => cursor_of(&self.feed.cursor, text),
            NextPage::Unsaid => None,
        };
        let linked = next.url.query_pairs();
        let linked = linked.filter_map(|(_, value)| cursor_of(&self.feed.cursor, &value));
        given
            .into_iter()
            .chain(pointed)
            .chain(linked)
            .find(|place| cursor::is_onward(self.known, place) && self.begins_with(place, next))
    }

    /// Whether a round that stands at this place would make this request first.
    fn begins_with(&self, place: &Cursor, next: &EhrRequest) -> bool {
        // What cannot be asked for is no place; the page itself was asked for without it.
        let Ok(from_there) = ask::ask(self.feed, Some(place), self.started_at) else {
            return false;
        };
        let Ok(mut pages) = Pages::new(self.feed, self.maker(self.feed, &from_there)) else {
            return false;
        };
        matches!(pages.take(), Ok(Some(first)) if asks_the_same(&first, next))
    }
}

/// A text as a cursor of this kind.
fn cursor_of(rule: &CursorRule, text: &str) -> Option<Cursor> {
    match rule {
        CursorRule::Number(_) => cursor::whole_number(text).map(Cursor::Number),
        CursorRule::Token(_) if !text.is_empty() => Some(Cursor::Token(Phi::new(text.to_owned()))),
        _ => None,
    }
}

/// Whether two requests ask for the same. The order of a query's parameters says nothing.
fn asks_the_same(one: &EhrRequest, other: &EhrRequest) -> bool {
    let query = |request: &EhrRequest| {
        let mut pairs: Vec<(String, String)> = request
            .url
            .query_pairs()
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        pairs.sort_unstable();
        pairs
    };
    let bodies = |request: &EhrRequest| request.body.as_ref().map(|body| body.pieces.clone());
    one.method == other.method
        && one.url[..url::Position::AfterPath] == other.url[..url::Position::AfterPath]
        && query(one) == query(other)
        && bodies(one) == bodies(other)
}
