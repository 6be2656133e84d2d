//! The queries of an action: what is asked, and where each stands.

use super::cursor::CursorKeys;
use super::paging::PagingKeys;
use super::request::RequestBodyKeys;
use crate::codes;
use crate::kinds::{
    BaselineWord, Condition, Count, CronFields, DaysText, DeletionsWord, Expression, ForEach,
    InstantText, Many, OneOrMany, Pairs, Percent, PositiveLength, StartWord, TemplateText, Text,
    WindowText, Zone,
};
use crate::reading::keys;
use rounds_domain::plan::{AnswerFormat, Ids, Job};

keys! {
    /// A change query: its request, its cursor, its pages and its records.
    #[exactly_one(get, post; codes::ONE_OF, "a change query without a request", "write `get: /path` or `post: /path`")]
    struct ChangesKeys = "Changes" {
        /// The path of a GET request, relative to the base URL; may hold `{{ cursor }}`.
        optional get: TemplateText = "/appointments",
        /// The path of a POST request.
        optional post: TemplateText = "/appointments/_search",
        /// Query parameters; a list repeats its parameter.
        optional query: Pairs<OneOrMany<TemplateText>> = "{\"changedsince\": \"{{ cursor }}\"}",
        /// Headers of the request.
        optional headers: Pairs<TemplateText> = "{\"prefer\": \"handling=strict\"}",
        /// The body of a POST request.
        optional body: RequestBodyKeys = "{\"form\": {\"since\": \"{{ cursor }}\"}}",
        /// How the answer is written: `json`, `xml` (read as JSON) or `ndjson`. Default: as the connection's.
        optional format: AnswerFormat = "xml",
        /// The answer is made by a job, `fhir_bulk`: each round starts it, asks for its state, or reads its parts and ends it.
        optional job: Job = "fhir_bulk",
        /// Over what it is asked, each with a cursor of its own: values, or a request that gives them. Templates may use `{{ partition }}`.
        optional for_each: ForEach = "[\"10\", \"20\"]",
        /// Where the query stands and how that moves. Left out, every round asks for everything.
        optional cursor: CursorKeys,
        /// Without a cursor: the range of dates that is asked for. Templates may use `{{ from }}` and `{{ to }}`.
        optional dates: DatesKeys = "{\"from\": \"-1d\", \"to\": \"60d\", \"field\": \".start\"}",
        /// Where the first round starts: `now` (what is there is not told), `beginning` (everything is told), or an instant.
        required start: StartWord = "now",
        /// With a `time` cursor and `start: now`: how far back the first round looks, silently, so that what was there before is known and its
        /// next change is no new record: a duration, or `all`. Default: no further than any round.
        optional baseline: BaselineWord = "all",
        /// How an answer is continued. Default: one page.
        optional paging: PagingKeys,
        /// How many pages a round may have before it fails. Default 1000.
        optional max_pages: Count = "1000",
        /// jq from a page to its records; `fhir_matches` gives those of a FHIR search.
        required records: Expression = ".[]",
        /// jq from a record to whether it is none, such as the placeholder that an API gives that has nothing to give. Left out, all are records.
        optional skip: Condition = ".id == \"\"",
        /// jq from a record to its identity.
        required id: Expression = ".id",
        /// With `for_each`: whether an identity is one record's in all partitions together, `shared`, or in each of them,
        /// `per_partition`. Default shared.
        optional ids: Ids = "per_partition",
        /// jq from a record to when it was made. Written as the cursor's times, or as RFC 3339; with it a record that is seen first is told as
        /// new only if it was made since the feed began.
        optional created: Expression = ".createdAt",
        /// jq from a record to its version. Left out, the fingerprint of its content.
        optional version: Expression = ".meta.versionId",
        /// jq paths that are left out of the fingerprint.
        optional ignore: Many<Expression> = "[\".fetchedAt\"]",
        /// jq from a record to whether it is a tombstone, which says that the record is gone. Left out, none is.
        optional gone: Condition = ".deleted",
        /// Without a cursor: whether a record that is not there any more is `told` or `ignored`. Default ignored.
        optional deletions: DeletionsWord = "told",
        /// With deletions told: if more than this share is gone at once, nothing is told. Default 10%.
        optional hold_back: Percent = "10%",
    }

    /// The values that a query is asked for one at a time.
    #[exactly_one(get, post; codes::ONE_OF, "partitions that come from nowhere", "write `get: /path`, or a list of values: `for_each: [10, 20]`")]
    struct ForEachKeys = "ForEach" {
        /// The path of a GET request, relative to the base URL.
        optional get: TemplateText = "/departments",
        /// The path of a POST request.
        optional post: TemplateText = "/departments/_search",
        /// Query parameters; a list repeats its parameter.
        optional query: Pairs<OneOrMany<TemplateText>> = "{\"active\": \"true\"}",
        /// Headers of the request.
        optional headers: Pairs<TemplateText> = "{\"prefer\": \"handling=strict\"}",
        /// The body of a POST request.
        optional body: RequestBodyKeys = "{\"form\": {\"active\": \"true\"}}",
        /// How the answer is written: `json`, `xml` (read as JSON) or `ndjson`. Default: as the connection's.
        optional format: AnswerFormat = "xml",
        /// How its answer is continued. Default: one page.
        optional paging: PagingKeys,
        /// How many pages it may have. Default 1000.
        optional max_pages: Count = "1000",
        /// jq from a page to its entries.
        required records: Expression = ".departments[]",
        /// jq from an entry to whether it is none. Left out, all are entries.
        optional skip: Condition = ".closed",
        /// jq from an entry to its value.
        required id: Expression = ".id",
        /// How long an answer serves. Default 1h.
        optional every: PositiveLength = "1d",
    }

    /// A further change query that tells of the same records. What is left out is the main one's.
    #[exactly_one(get, post; codes::ONE_OF, "a change query without a request", "write `get: /path` or `post: /path`")]
    struct AlsoKeys = "Also" {
        /// The interval between its rounds. Default: the action's.
        optional every: PositiveLength = "5m",
        /// The times of its rounds as five cron fields.
        optional at: CronFields = "*/20 * * * *",
        /// The time zone of `at` and `between`. Default: the action's `zone`, otherwise UTC.
        optional zone: Zone = "America/New_York",
        /// Parts of the week outside which no round is made. Default: those of the action, if the schedule is the action's.
        optional between: OneOrMany<WindowText> = "Mon-Fri 07:00-19:00",
        /// The path of a GET request, relative to the base URL; may hold `{{ cursor }}`.
        optional get: TemplateText = "/appointments/deleted",
        /// The path of a POST request.
        optional post: TemplateText = "/appointments/_search",
        /// Query parameters; a list repeats its parameter.
        optional query: Pairs<OneOrMany<TemplateText>> = "{\"changedsince\": \"{{ cursor }}\"}",
        /// Headers of the request.
        optional headers: Pairs<TemplateText> = "{\"prefer\": \"handling=strict\"}",
        /// The body of a POST request.
        optional body: RequestBodyKeys = "{\"form\": {\"since\": \"{{ cursor }}\"}}",
        /// How the answer is written: `json`, `xml` (read as JSON) or `ndjson`. Default: as the main one's.
        optional format: AnswerFormat = "xml",
        /// Over what it is asked, each with a cursor of its own: values, or a request that gives them. Templates may use `{{ partition }}`.
        optional for_each: ForEach = "[\"10\", \"20\"]",
        /// Where the query stands and how that moves. Left out, every round asks for everything.
        optional cursor: CursorKeys,
        /// Where the first round starts. Default: as the main one.
        optional start: StartWord = "now",
        /// How an answer is continued. Default: as the main one.
        optional paging: PagingKeys,
        /// How many pages a round may have before it fails. Default: as the main one.
        optional max_pages: Count = "1000",
        /// jq from a page to its records. Default: the main one's.
        optional records: Expression = ".[]",
        /// jq from a record to whether it is none, such as the placeholder that an API gives that has nothing to give. Default: the main one's.
        optional skip: Condition = ".id == \"\"",
        /// jq from a record to its identity. Default: the main one's.
        optional id: Expression = ".id",
        /// jq from a record to its version. Default: the main one's.
        optional version: Expression = ".meta.versionId",
        /// jq paths that are left out of the fingerprint.
        optional ignore: Many<Expression> = "[\".fetchedAt\"]",
        /// jq from a record to whether it is a tombstone, which says that the record is gone. `true` if all are.
        optional gone: Condition = "true",
    }

    /// The change query once more, a horizon later.
    #[exactly_one(every, at; codes::NO_INTERVAL, "no interval: neither `every` nor `at`", "write how often the trailing sweep is made, for example `every: 10m`; there is no default")]
    struct TrailingKeys = "Trailing" {
        /// The interval between its rounds.
        optional every: PositiveLength = "10m",
        /// The times of its rounds as five cron fields.
        optional at: CronFields = "*/20 * * * *",
        /// The time zone of `at` and `between`. Default: the action's `zone`, otherwise UTC.
        optional zone: Zone = "America/New_York",
        /// Parts of the week outside which no round is made.
        optional between: OneOrMany<WindowText> = "Mon-Fri 07:00-19:00",
        /// How late a record may show up.
        required horizon: PositiveLength = "2h",
    }

    /// A slow look at everything, or at a range of dates.
    #[exactly_one(every, at; codes::NO_INTERVAL, "no interval: neither `every` nor `at`", "write how often the sweep is made, for example `every: 1d`; there is no default")]
    struct ReconcileKeys = "Reconcile" {
        /// The interval between its rounds.
        optional every: PositiveLength = "1d",
        /// The times of its rounds as five cron fields.
        optional at: CronFields = "30 3 * * *",
        /// The time zone of `at` and `between`. Default: the action's `zone`, otherwise UTC.
        optional zone: Zone = "America/New_York",
        /// Parts of the week outside which no round is made.
        optional between: OneOrMany<WindowText> = "22:00-05:00",
        /// From when the change query is asked; what changed last before that is out of sight. Default: the instant of `start` if
        /// it is one, otherwise 1970.
        optional since: InstantText = "2020-01-01T00:00:00Z",
        /// The path of a GET request of its own. Left out, the change query is asked.
        optional get: TemplateText = "/appointments",
        /// The path of a POST request of its own.
        optional post: TemplateText = "/appointments/_search",
        /// Query parameters of its own request; may hold `{{ from }}` and `{{ to }}`.
        optional query: Pairs<OneOrMany<TemplateText>> = "{\"from\": \"{{ from }}\", \"to\": \"{{ to }}\"}",
        /// Headers of its own request.
        optional headers: Pairs<TemplateText> = "{\"prefer\": \"handling=strict\"}",
        /// The body of a POST request.
        optional body: RequestBodyKeys = "{\"form\": {\"from\": \"{{ from }}\"}}",
        /// How the answer is written: `json`, `xml` (read as JSON) or `ndjson`. Default: as the change query's.
        optional format: AnswerFormat = "xml",
        /// The range of dates that its own request asks for.
        optional dates: DatesKeys,
        /// How its answer is continued. Default: as the change query's.
        optional paging: PagingKeys,
        /// How many pages it may have. Default: as many as the change query.
        optional max_pages: Count = "10000",
        /// jq from a page to its records. Default: the change query's.
        optional records: Expression = ".[]",
        /// Whether a record that is not there any more is `told` or `ignored`. Default told.
        optional deletions: DeletionsWord = "told",
        /// If more than this share is gone at once, nothing is told. Default 10%.
        optional hold_back: Percent = "10%",
    }

    /// A range of dates around the day of the round.
    struct DatesKeys = "Dates" {
        /// Its first day, counted from the day of the round.
        required from: DaysText = "-30d",
        /// Its last day.
        required to: DaysText = "90d",
        /// jq from a record to its date or time.
        required field: Expression = ".start",
        /// How dates are written, as strftime. Default `%Y-%m-%d`.
        optional format: Text = "%Y-%m-%d",
        /// In which zone days are counted. Default: the action's `zone`, otherwise UTC.
        optional zone: Zone = "Europe/Berlin",
        /// The most days that one request may ask for, the first and the last counted; a longer range is asked for in slices.
        optional longest: DaysText = "190d",
    }
}
