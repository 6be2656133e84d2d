//! A polled API action: when, whom to tell, and what is told.

use super::feed::{AlsoKeys, ChangesKeys, TrailingKeys};
use super::request::{AnswerKeys, RequestBodyKeys};
use crate::codes;
use crate::kinds::{
    BodyTree, Condition, Count, CronFields, Expression, Length, LiteralText, Many, Marked,
    ModelWord, Names, OneOrMany, Pairs, Percent, PositiveLength, Reconcile, Reference,
    TemplateText, Text, Told, WindowText, Zone,
};
use crate::reading::keys;
use rounds_domain::plan::{AnswerFormat, Expect, Payload, Shape, Untranslated, WhenMissing};
use rounds_map::models::FirstSeenOver;

keys! {
    /// One polled API action: when it is asked, for which changes, what is looked up, and who is told what.
    #[exactly_one(every, at; codes::NO_INTERVAL, "no interval: neither `every` nor `at`", "write how often the EHR is asked, for example `every: 1m`; there is no default, because only you know what the EHR allows and how soon you need to know")]
    struct ActionKeys = "Action" {
        /// What the action was called before: what is kept of that, its ledger and where it stands, is taken over.
        optional renamed_from: Text = "visits",
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
        /// How what the EHR pushes of the same records is read; the connection's `receive` says where it pushes. What is pushed and polled is told
        /// once.
        optional receive: ReceiveKeys = "{\"records\": \".\"}",
        /// Follow-up requests whose answers are put into the container, by name.
        optional lookups: Names<LookupKeys>,
        /// What answers mean where their status does not say it, before the connection's own rules; the first that fits counts.
        optional answers: Many<AnswerKeys>,
        /// What is told of a change. Default: the whole container.
        optional notify: NotifyKeys,
        /// When a container whose lookup or mapping failed is tried again. Default: for about two days.
        optional retry: RetryKeys,
        /// The destinations that are told: one name or a list; one that is not told of everything as a mapping with its rules.
        required to: OneOrMany<Told> = "[\"my-app\"]",
    }

    /// How pushes are read. What is left out is the change query's.
    struct ReceiveKeys = "Receive" {
        /// How pushes are written: `json`, `xml` (read as JSON) or `ndjson`. Default: as the change query's.
        optional format: AnswerFormat = "xml",
        /// jq from a push to its records. Default `.`: it is one record.
        optional records: Expression = ".appointment",
        /// jq from a record to whether it is none. Left out, all are records.
        optional skip: Condition = ".test",
        /// jq from a record to its identity. Default: the change query's.
        optional id: Expression = ".id",
        /// jq from a record to its version, the same as where it is polled. Default: the change query's.
        optional version: Expression = ".meta.versionId",
        /// jq from a record to whether it says that it is gone. Default: the change query's.
        optional gone: Condition = ".deleted",
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
        /// Query parameters, form fields, headers and paths of a JSON body that are left out where the container has nothing for them. Without
        /// it, nothing is asked where a placeholder gives nothing: the EHR would answer with all.
        optional optional: OneOrMany<Text> = "[\"department\"]",
        /// How many records the answer may hold: `one`, the one that was asked for, or `many`. Default `one`, or `many` where what identifies
        /// stands in the middle of the path only, as in `/patients/{{ record.patientID }}/allergies`.
        optional expect: Expect = "many",
        /// jq from the answer to the identifier in it, which must be one that was asked for. Default: what is named like an identifier.
        optional id: Expression = ".mrn",
        /// What a 404 or 410 means, or no record where one is expected: `null` (tell with a gap), `park` (wait for it) or `drop` (do not tell). Default null.
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

    /// A data model of your own.
    struct OwnModelKeys = "OwnModel" {
        /// The file of its JSON Schema, beside this one: what must be there is completed, and what does not fit is not sent.
        required schema: Text = "./visit.schema.json",
    }

    /// What is told of a change.
    struct NotifyKeys = "Notify" {
        /// A map that this begins with: its model, its body and its lookups. What is written here comes over it, leaf by leaf.
        optional map: Text = "fhir-r4/scheduling",
        /// A data model that completes the body: the name of one, or a JSON Schema of your own.
        optional model: ModelWord = "Scheduling",
        /// The model's event: a literal; `from_state`, for what the model's own rules say of what the record was and is; or jq marked with `=` that gives its
        /// name, or null to tell nothing, where `.change.event` is what those rules say. Default: `from_state`.
        optional event: Marked = "= if .record.walkIn then \"New\" else .change.event end",
        /// jq marked with `=`, over record, previous, change and the lookups: the record's status. Default: where the model has a
        /// field for it.
        optional status: Marked = "= .record.status",
        /// Further words for the states that the model's rules know, such as `cancelled`, by the state.
        optional statuses: Pairs<OneOrMany<LiteralText>> = "{\"cancelled\": [\"X\", \"CAN\"]}",
        /// What becomes of a record that is first seen when it is cancelled already: `silent` or `tell`. Default silent.
        optional first_seen_over: FirstSeenOver = "tell",
        /// Paths of the body: a changed record is told only if one of them has changed, or its state. `mapped` means all that is in
        /// the body. Default: every change is told.
        optional only: OneOrMany<Text> = "[\"Visit.VisitDateTime\", \"Visit.Location\"]",
        /// Whose order is kept: `record`, `action`, or jq over the record marked with `=`. A list of keys, as for the merge of two
        /// patients, comes after everything earlier of each and before everything later of each. Default record.
        optional order_by: Marked = "record",
        /// How it is wrapped: `plain`, `cloudevents`, `cloudevents_binary`, `fhir_message` (as Redox sends them), `fhir_subscription_r4`
        /// (the Backport) or `fhir_subscription_r5`. Those of FHIR send the record and what was looked up. Default plain.
        optional shape: Shape = "cloudevents",
        /// How much it says: `full`, `id_only` or `empty`. Default full.
        optional payload: Payload = "id_only",
        /// The canonical URL of the topic, for FHIR subscriptions. Default: one that names the action.
        optional topic: Text = "https://clinic.example.org/SubscriptionTopic/appointments",
        /// The time zone of times without an offset in what is told. Default: that of the cursor.
        optional zone: Zone = "America/Chicago",
        /// By the paths of the body, what the EHR's codes there are called in the message.
        optional codes: Pairs<Pairs<LiteralText>> = "{\"Patient.Demographics.Sex\": {\"F\": \"Female\", \"M\": \"Male\"}}",
        /// What becomes of a code that `codes` does not have: `keep` (it is told as it is), `null`, or `park`, which lets the change wait. Default keep.
        optional unknown: Untranslated = "park",
        /// By the paths of the body, what is put there before the model completes it. jq marked with `=` reads `body` and `event`
        /// besides what the body reads; where it gives nothing, the value stays.
        optional put: Pairs<BodyTree> = "{\"Visit.Reason\": \"= .body.Visit.Reason // .event\"}",
        /// By the paths of the body, the `translations` that say the value there in the receiver's words.
        optional translate: Pairs<Text> = "{\"Visit.Location.Department\": \"departments\"}",
        /// The paths of the body that are taken out.
        optional delete: OneOrMany<Text> = "[\"Patient.Demographics.SSN\"]",
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
