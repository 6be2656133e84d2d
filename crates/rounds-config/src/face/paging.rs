//! How an answer is continued.

use crate::codes;
use crate::kinds::{Count, Expression, Natural, Text};
use crate::reading::keys;
use rounds_domain::plan::{Links, Rows};

keys! {
    /// How an answer is continued.
    #[exactly_one(next_link, link_header, page_number, offset, token, after; codes::ONE_OF, "a paging of no kind", "leave `paging` out for one page")]
    struct PagingKeys = "Paging" {
        /// jq from a page to the URL of the next.
        optional next_link: Expression = ".link[]? | select(.relation == \"next\") | .url",
        /// The relation of the Link header that names the next page.
        optional link_header: Text = "next",
        /// Numbered pages.
        optional page_number: PageNumberKeys,
        /// Pages that start at an offset, counted in records.
        optional offset: OffsetKeys,
        /// A token for the next page.
        optional token: PageTokenKeys,
        /// Pages that begin after the last record of the one before.
        optional after: AfterKeys,
        /// jq from a page to whether there are more: `false` ends the answer, `true` keeps a short page from ending it.
        optional more: Expression = ".Done | not",
        /// Whether next links are followed `as_given`, where another host is an error, or `rebased`: path and query, at `base_url`. Default `as_given`.
        optional links: Links = "rebased",
        /// For links that hold a place (`page=2`, `_offset=100`): whether records may `move` between pages meanwhile, or `stay` because the
        /// server holds the answer still. Default move.
        optional rows: Rows = "stay",
        /// For a server that gives no next link though its total says that there are more: its query parameter for an offset.
        optional offset_parameter: Text = "_offset",
    }

    /// Numbered pages.
    struct PageNumberKeys = "PageNumber" {
        /// The query parameter. Left out, the request says where by `{{ page }}`.
        optional parameter: Text = "page",
        /// The number of the first page. Default 1.
        optional first: Natural = "1",
        /// How many records a full page has; a shorter one is the last.
        optional size: Count = "50",
        /// The query parameter that asks for the size.
        optional size_parameter: Text = "per_page",
        /// Whether records may `move` between pages meanwhile, or `stay` because the server holds the answer still. Default move.
        optional rows: Rows = "stay",
    }

    /// Pages that start at an offset.
    struct OffsetKeys = "Offset" {
        /// The query parameter. Left out, the request says where by `{{ page }}`.
        optional parameter: Text = "offset",
        /// How many records a full page has; a shorter one is the last.
        required size: Count = "50",
        /// The query parameter that asks for the size.
        optional size_parameter: Text = "limit",
        /// Whether records may `move` between pages meanwhile, or `stay` because the server holds the answer still. Default move.
        optional rows: Rows = "stay",
    }

    /// Pages that begin after the last record of the one before.
    struct AfterKeys = "After" {
        /// The query parameter. Left out, the request says where by `{{ page }}`.
        optional parameter: Text = "after",
        /// jq from the last record of a page to the parameter's value.
        required from: Expression = ".id",
        /// How many records a full page has; a shorter one is the last.
        optional size: Count = "50",
        /// The query parameter that asks for the size.
        optional size_parameter: Text = "limit",
    }

    /// A token for the next page.
    struct PageTokenKeys = "PageToken" {
        /// The query parameter that carries it. Left out, the request says where by `{{ page }}`; null in JSON for the first page.
        optional parameter: Text = "page_token",
        /// jq from a page to the token.
        required from: Expression = ".nextPageToken",
    }
}
