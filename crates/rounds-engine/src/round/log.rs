//! Where a round of a log may go on if it is cut short (law 2).
//!
//! A log of numbers or tokens only grows, and many an EHR pages it by the very place that the next round would ask from: the next
//! page's request is the request that a round beginning there would make. Where that is so, the page was read whole and the EHR
//! itself goes on behind it, so the place is one that it gave, and a first round of a million entries may end anywhere. Nothing needs to be
//! declared for it, and nothing is guessed: a value counts as a place only if the request that is made from it is the next one.
//!
//! What to mind: the number that an answer gives may be the log's end, on every page. It is no place as long as pages follow, and the
//! comparison finds that by itself. Where pages have numbers or offsets instead, `order: ascending` says that each page gives the number of
//! its last entry; a page's is believed once the next one's is higher.

use super::ASKING;
use super::ask;
use super::cursor::{Advance, SourceClock};
use super::failure::{self, failure};
use super::pages::Pages;
use super::read::NextPage;
use super::{Interruption, Purpose, Round, cursor};
use http::StatusCode;
use rounds_domain::plan::{CursorRule, Feed, RequestRule};
use rounds_domain::ports::{BodyPiece, EhrRequest, EhrResponse};
use rounds_domain::{Cursor, Phi};
use rounds_map::Json;
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
        if !Arc::ptr_eq(through, self.feed) {
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
            .find(|place| self.is_onward(place) && self.begins_with(place, next))
            .or_else(|| self.advance.step().filter(|place| self.is_onward(place)))
    }

    fn is_onward(&self, place: &Cursor) -> bool {
        cursor::is_onward(self.known, place)
    }

    /// The cursor of a round that was cut short at a place.
    pub(super) fn place_so_far(&self, place: &Cursor) -> Cursor {
        match self.purpose {
            Purpose::Baseline => Cursor::Baseline(Box::new(place.clone())),
            Purpose::FirstLook | Purpose::Tell => place.clone(),
        }
    }

    /// Asks where a log ends, if it is to be told of from there and the EHR says it without showing all of it.
    pub(super) async fn end_of_log(&mut self) -> Result<Option<Cursor>, Interruption> {
        let begins = self.purpose == Purpose::Baseline && self.known.is_none();
        let Some(end) = end_of(self.feed).filter(|_| begins) else {
            return Ok(None);
        };
        let feed = Arc::new(Feed {
            request: end.clone(),
            ..Feed::clone(self.feed)
        });
        let asked = ask::ask(&feed, None, self.started_at)?;
        let first = Pages::new(&feed, self.maker(&feed, &asked))?.take()?;
        let Some(request) = first else {
            return Ok(None);
        };
        let (page, _) = self.read_page(&feed, &request).await?;
        page.believed(ASKING)?;
        self.counts.pages += 1;
        self.advance.page(page.cursor.as_ref())?;
        let said = page.cursor.as_ref().and_then(Json::scalar_text);
        if said.is_none_or(|said| said.is_empty()) {
            return Err(failure(
                failure::CURSOR_UNUSABLE,
                "the EHR was asked where its log ends, and the answer does not say it",
                "check `cursor.end` with `rounds poll ACTION --dry-run`: the cursor is taken from its answer as from any other",
            )
            .into());
        }
        // A log has no clock in it.
        let clock = SourceClock {
            now: self.started_at,
            ours: self.started_at,
        };
        Ok(Some(self.advance.after_drain(self.purpose, &asked, clock)))
    }

    /// What an answer means that says that what was asked for is not there any more.
    pub(super) fn gone(&self, response: &EhrResponse) -> Interruption {
        let plain = failure::status(response, ASKING);
        let place = self.known.map(Cursor::place);
        let kind = match place {
            Some(Cursor::Token(token)) if !token.expose().is_empty() => "token",
            Some(Cursor::Number(number)) if number != "0" => "number",
            _ => return plain.into(),
        };
        // A 404 says that the path is wrong. Of a later page it says nothing of where the round began.
        if response.status == StatusCode::NOT_FOUND || self.counts.pages > 0 {
            return plain.into();
        }
        let expired = failure(
            failure::PLACE_EXPIRED,
            format!(
                "{ASKING}: the EHR answered {}, so it does not know the {kind} any more up to which it was read",
                response.status
            ),
            "say where to go on: `rounds reset ACTION --to now` leaves out what changed meanwhile, `--to beginning` reads all that the EHR still has and compares it with what is known",
        );
        // Without a token an EHR gives all that is there. That can be compared with what is known, unless the feed began at the
        // log's end and does not know what is old. A number that was forgotten leaves a gap that no answer shows.
        if kind == "token" && end_of(self.feed).is_none() {
            Interruption::Expired(expired)
        } else {
            expired.into()
        }
    }

    /// Begins anew where the place has expired: everything is read, and the ledger tells what is new.
    pub(super) fn forget_place(&mut self) {
        tracing::warn!(
            action = %self.action.name,
            feed = %self.feed.name,
            "the EHR does not know the token any more up to which it was read: all is read again and compared with what is known; what was deleted meanwhile only `reconcile` finds"
        );
        self.known = None;
        self.advance = Advance::new(self.feed, None);
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

/// The request for the end of a feed's log.
fn end_of(feed: &Feed) -> Option<&RequestRule> {
    match &feed.cursor {
        CursorRule::Number(log) | CursorRule::Token(log) => log.end.as_deref(),
        _ => None,
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
    one.method == other.method
        && one.url[..url::Position::AfterPath] == other.url[..url::Position::AfterPath]
        && query(one) == query(other)
        && pieces_of(one) == pieces_of(other)
}

fn pieces_of(request: &EhrRequest) -> Option<&[BodyPiece]> {
    request.body.as_ref().map(|body| body.pieces.as_slice())
}
