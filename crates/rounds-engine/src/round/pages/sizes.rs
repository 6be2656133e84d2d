//! What becomes of what an answer says of its own size.

use super::super::failure::{self, failure};
use super::super::read::PageContent;
use crate::exchange::claims::Claims;
use rounds_domain::plan::{CursorRule, Feed};
use rounds_domain::{Code, RoundFailure};

/// Whether a page of a keyset is the last by its size, and by what the answer says of its own.
pub(super) fn is_last(page: &PageContent, size: Option<u64>, claims: Claims, shown: u64) -> bool {
    let is_short = size.is_some_and(|size| page.shown < size);
    let says_more = claims.more || claims.total.is_some_and(|total| total > shown);
    page.shown == 0 || (is_short && !says_more)
}

/// What is made of what an answer says of its own size.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    believes: Believes,
    /// The code of an answer that showed fewer than it says there are.
    fewer: Code,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Believes {
    /// How many there are, and that there are more.
    All,
    /// Nothing: a queue shows what it has, and what leads on in a log is its cursor.
    Nothing,
}

impl Sizes {
    pub(super) fn of(feed: &Feed) -> Self {
        Self {
            believes: match &feed.cursor {
                CursorRule::Time(_) | CursorRule::Sweep(_) => Believes::All,
                CursorRule::Number(_) | CursorRule::Token(_) | CursorRule::Queue(_) => {
                    Believes::Nothing
                }
            },
            fewer: match &feed.cursor {
                CursorRule::Sweep(_) => failure::SWEEP_TRUNCATED,
                _ => failure::FEWER_THAN_TOTAL,
            },
        }
    }

    pub(super) fn claims(self, page: &PageContent) -> Claims {
        match self.believes {
            Believes::All => page.claims,
            Believes::Nothing => Claims::default(),
        }
    }

    /// Fails where an answer that has ended says that it has not.
    pub(super) fn check(
        self,
        (claims, on_page): (Claims, u64),
        shown: u64,
    ) -> Result<(), RoundFailure> {
        if let Some(total) = claims.total.filter(|total| *total > shown) {
            return Err(failure(
                self.fewer,
                format!(
                    "the answer showed {shown} of the {total} records that the EHR says there are, and names no way to the rest"
                ),
                "follow all pages with `paging`; where the server gives no next link, say how it is asked for the rest, such as `paging: { offset: { parameter: _offset, size: 100 } }`; if its total is only a guess, say with a rule in `answers` that such an answer is `ok`",
            ));
        }
        // What is named behind a page that showed nothing may be the same again for ever.
        if claims.more && on_page > 0 {
            return Err(failure(
                failure::MORE_PAGES,
                "the answer names a next page, and `paging` does not lead to it",
                "say how the answer is continued, such as `paging: { next_link: .next }`, or with `more` how it says that it has ended",
            ));
        }
        Ok(())
    }
}
