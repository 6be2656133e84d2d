//! A polled API action: when, whom to tell, and what is told.

use super::feed::{AlsoKeys, ChangesKeys, TrailingKeys};
use super::request::{AnswerKeys, RequestBodyKeys};
use crate::codes;
use crate::kinds::{
    BodyTree, Condition, Count, CronFields, Expression, Length, Many, Marked, Names, OneOrMany,
    Pairs, Percent, PositiveLength, Reconcile, Reference, TemplateText, Text, WindowText, Zone,
};
use crate::reading::keys;
use rounds_domain::plan::{AnswerFormat, WhenMissing};

keys! {
    /// One polled API action: when it is asked, for which changes, what is looked up, and who is told what.
    #[exactly_one(every, at; codes::NO_INTERVAL, "no interval: neither `every` nor `at`", "write how often the EHR is asked, for example `every: 1m`; there is no default, because only you know what the EHR allows and how soon you need to know")]
    struct ActionKeys = "Action" {
        /// Which connection it asks.
        required connection: Reference = "fakedata",
        /// The action of the connection's connector that it begins with: what is written here comes over it.
        optional uses: Text = "appointments",
        /// The interval between rounds, at least 1s. There is no default.
        optional every: PositiveLength = "1m",
        /// The times of rounds as five cron fields, instead of an interval.
        optional at: CronFields = "*/15 7-19 * * 1-5",
        /// The time zone of `at` and `between`; sweeps without a `zone` take it too. Default UTC.
        optional zone: Zone = "America/New_York",
        /// Parts of the week outside which no round is made. Default: none, rounds are always made.
        optional between: OneOrMany<WindowText> = "Mon-Fri 07:00-19:00",
        /// How long one request may take; not longer than the interval. Default: the connection's.
        optional timeout: PositiveLength = "30s",
        /// A request that must have been made before the first round, such as a subscription to the EHR's changes.
        optional setup: SetupKeys = "{\"post\": \"/appointments/changed/subscription\"}",
        /// The change query.
        required changes: ChangesKeys = "{\"get\": \"/appointments\", \"start\": \"now\", \"records\": \".[]\", \"id\": \".id\"}",
        /// Further change queries that tell of the same records, by name: an API's list of deleted ones, of cancelled ones.
        optional also: Names<AlsoKeys>,
        /// The change query once more, a horizon later: finds what shows up late.
        optional trailing: TrailingKeys = "{\"every\": \"10m\", \"horizon\": \"2h\"}",
        /// A slow look at everything or at a range of dates: finds what the change query never shows, deletions included. In short
        /// `every 1d`.
        optional reconcile: Reconcile = "every 1d",
        /// Follow-up requests whose answers are put into the container, by name.
        optional lookups: Names<LookupKeys>,
        /// What answers mean where their status does not say it, before the connection's own rules; the first that fits counts.
        optional answers: Many<AnswerKeys>,
        /// What is told of a change. Default: the whole container.
        optional notify: NotifyKeys,
        /// When a container whose lookup or mapping failed is tried again. Default: for about two days.
        optional retry: RetryKeys,
        /// The destinations that are told: one name or a list.
        required to: OneOrMany<Reference> = "[\"my-app\"]",
    }

    /// A request that must have been made before the first round. It is made once, and again when it changes or when an answer means
    /// `needs_setup`.
    #[exactly_one(post, get; codes::ONE_OF, "a setup without a request", "write `post: /path`")]
    struct SetupKeys = "Setup" {
        /// The path of a POST request, relative to the base URL.
        optional post: TemplateText = "/appointments/changed/subscription",
        /// The path of a GET request.
        optional get: TemplateText = "/subscribe",
        /// Query parameters; a list repeats its parameter.
        optional query: Pairs<OneOrMany<TemplateText>>,
        /// Headers of the request.
        optional headers: Pairs<TemplateText>,
        /// The body of a POST request.
        optional body: RequestBodyKeys = "{\"form\": {\"eventname\": \"all\"}}",
        /// How long it takes until it holds: no round is made before, and it is not repeated sooner. Default 5m.
        optional settle: Length = "15m",
    }

    /// A follow-up request. Templates may use `record`, `previous`, `change` and other lookups.
    #[exactly_one(get, post; codes::ONE_OF, "a lookup without a request", "write `get: \"/path/{{ record.id }}\"` or `post: ...`")]
    struct LookupKeys = "Lookup" {
        /// The path of a GET request, relative to the base URL.
        optional get: TemplateText = "/patient/{{ record.patientID }}",
        /// The path of a POST request.
        optional post: TemplateText = "/patient/_search",
        /// Query parameters; a list repeats its parameter.
        optional query: Pairs<OneOrMany<TemplateText>>,
        /// Headers of the request.
        optional headers: Pairs<TemplateText>,
        /// The body of a POST request.
        optional body: RequestBodyKeys = "{\"form\": {\"id\": \"{{ record.patientID }}\"}}",
        /// How the answer is written: `json`, `xml` (read as JSON) or `ndjson`. Default: as the connection's.
        optional format: AnswerFormat = "xml",
        /// jq over what templates may use: whether it is asked at all. If not, its answer is null. Default: it is.
        optional when: Condition = ".record.patientID != null",
        /// Many are asked in one request, whose templates have `ids`, the keys of all, and nothing of one container.
        optional batch: BatchKeys = "{\"key\": \".record.patientID\", \"records\": \".[]\", \"id\": \".id\"}",
        /// What a 404 or 410 means: `null` (tell with a gap), `park` (wait for it) or `drop` (do not tell). Default null.
        optional when_missing: WhenMissing = "\"null\"",
    }

    /// How the lookups of many containers become one request, such as `?id={{ ids | join(\",\") }}`.
    struct BatchKeys = "Batch" {
        /// jq over what templates may use, from a container to what it wants to have looked up.
        required key: Expression = ".record.patientID",
        /// jq from the answer to the records in it.
        required records: Expression = ".[]",
        /// jq from such a record to its key.
        required id: Expression = ".id",
        /// How many keys a request has at most. Default 50.
        optional most: Count = "50",
    }

    /// What is told of a change.
    struct NotifyKeys = "Notify" {
        /// A data model that completes the body.
        optional model: Text = "Scheduling",
        /// The model's event: a literal, or jq marked with `=`. Default: New or Modification.
        optional event: Marked = "= if .record.status == \"cancelled\" then \"Cancel\" else \"New\" end",
        /// Whose order is kept: `record`, `action`, or jq over the record marked with `=`. Default record.
        optional order_by: Marked = "record",
        /// The body. A text that begins with `=` is jq over record, previous, change and the lookups; `==` is a literal `=`.
        optional body: BodyTree = "{\"id\": \"= .record.id\"}",
    }

    /// When to try again.
    struct RetryKeys = "Retry" {
        /// Waits between tries; when they are used up, it is given up.
        optional waits: Many<Length> = "[\"5s\", \"1m\"]",
        /// By how much waits vary at random. Default 20%.
        optional jitter: Percent = "20%",
        /// The longest Retry-After that is believed. Default 6h.
        optional longest_retry_after: PositiveLength = "6h",
    }
}
