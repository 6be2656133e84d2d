//! Where a feed stands.

use super::paging::PagingKeys;
use crate::codes;
use crate::kinds::{
    Expression, Length, OneOrMany, OrderWord, Pairs, PositiveLength, TemplateText, Text, Zone,
};
use crate::reading::keys;

keys! {
    /// Where a feed stands and how that moves.
    #[exactly_one(time, number, token, queue; codes::ONE_OF, "a cursor of no kind", "write `time: rfc3339`, `number: .Last`, `token: .next_token` or `queue: {}`")]
    struct CursorKeys = "Cursor" {
        /// By time: a strftime format, `rfc3339`, `epoch_seconds`, `epoch_milliseconds` or `http_date`.
        optional time: Text = "%Y-%m-%dT%H:%M:%S",
        /// By a number: jq over a page.
        optional number: Expression = ".Last",
        /// By an opaque token: jq over a page.
        optional token: Expression = ".next_token",
        /// The EHR keeps the place: what it gave it does not give again.
        optional queue: QueueKeys,
        /// The time zone of written times. Default UTC.
        optional zone: Zone = "UTC",
        /// How far before the cursor is asked again; told once all the same. Default 2m.
        optional overlap: Length = "2m",
        /// How long a record must have been there before it is told. Default 0s.
        optional settle: Length = "0s",
        /// The smallest step that the request can express. Default: the smallest unit that the format writes.
        optional granularity: PositiveLength = "1s",
        /// jq from a record to the field that the filter goes by. Left out, the EHR's clock.
        optional field: Expression = ".lastModified",
        /// In which order pages give that field, or that `number` of their last record. `ascending` lets a round that was cut short go on where it was; `descending` lets it
        /// stop at the first record from before the cursor, so that an EHR without a change filter can be asked. Default `unordered`.
        optional order: OrderWord = "ascending",
        /// jq from a page to what the EHR's clock shows: the cursor then, instead of the latest field or the header `Date`.
        optional answer: Expression = ".[0].serverDateTime",
        /// How the end of the log of a `number` or `token` is asked for: where `start: now` begins, without reading the log.
        optional end: LogEndKeys,
        /// The span that one request may ask for.
        optional window: CursorWindowKeys,
    }

    /// The span that one request may ask for.
    struct CursorWindowKeys = "CursorWindow" {
        /// The longest. A longer one is asked for in slices, the oldest first.
        required longest: PositiveLength = "7d",
    }

    /// A request whose answer gives the place at the end of a log: the change query's with another query.
    struct LogEndKeys = "LogEnd" {
        /// Query parameters instead of the change query's.
        required query: Pairs<OneOrMany<TemplateText>> = "{\"since\": \"now\"}",
    }

    /// A queue that is consumed by reading it.
    struct QueueKeys = "Queue" {
        /// How what was taken can be asked for again after a crash. Left out, a crash may lose what one answer held.
        optional recover: RecoverKeys,
    }

    /// How what was taken from a queue can be asked for again: the change query's request with another query.
    struct RecoverKeys = "Recover" {
        /// Query parameters instead of the change query's; must hold `{{ from }}`.
        required query: Pairs<OneOrMany<TemplateText>> = "{\"showprocessedstartdatetime\": \"{{ from }}\", \"showprocessedenddatetime\": \"{{ to }}\"}",
        /// How far back the EHR remembers.
        required last: PositiveLength = "12h",
        /// How `from` and `to` are written, as for a `time` cursor. Default `rfc3339`.
        optional time: Text = "%m/%d/%Y %H:%M:%S",
        /// Their time zone. Default UTC.
        optional zone: Zone = "America/New_York",
        /// How much more is asked for at both ends, because the EHR's clock is not ours. Default 2m.
        optional overlap: Length = "2m",
        /// How its answer is continued. Default: one page.
        optional paging: PagingKeys,
    }
}
