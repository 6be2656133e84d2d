//! How an EHR is reached: its base URL, authentication and limits.

use super::request::AnswerKeys;
use crate::kinds::{
    Auth, Count, HeaderValueSource, LiteralText, Many, Names, OneOrMany, Pairs, PositiveLength,
    RateLimit, Secret, Size, Text, WebUrl,
};
use crate::reading::keys;
use rounds_domain::plan::AnswerFormat;

keys! {
    /// One EHR instance: its base URL, authentication and limits. Every request to it goes through one gate.
    struct ConnectionKeys = "Connection" {
        /// The connector file that it begins with, such as `epic`: what is written here comes over it. `rounds connectors list` lists them.
        optional connector: Text = "fhir-r4",
        /// What the connector wants to know, by name.
        optional settings: Pairs<LiteralText> = "{\"practice_id\": \"195900\"}",
        /// What all paths are relative to: http or https, no query.
        required base_url: WebUrl = "https://fhir.example.org/r4",
        /// How requests prove who asks: bearer, basic, header, query, `oauth2`, `smart_backend`, login, or none. Default none.
        optional auth: Auth = "{\"bearer\": {\"env\": \"FAKEDATA_TOKEN\"}}",
        /// Further headers of every request: literal values or secrets. Token and login requests to the same host have them too.
        optional headers: Pairs<HeaderValueSource> = "{\"accept\": \"application/fhir+json\"}",
        /// Secrets that bodies of requests may hold, by name, as `{{ secret.NAME }}`.
        optional secrets: Names<Secret> = "{\"customer_key\": {\"env\": \"CUSTOMER_KEY\"}}",
        /// How answers are written: `json`, `xml` (read as JSON) or `ndjson`. Default json.
        optional format: AnswerFormat = "json",
        /// What answers mean where their status does not say it; the first rule that fits counts.
        optional answers: Many<AnswerKeys>,
        /// What the EHR allows.
        optional limits: LimitKeys,
        /// How long one whole exchange may take. Default 30s.
        optional timeout: PositiveLength = "30s",
        /// How long a connection attempt may take. Default 10s.
        optional connect_timeout: PositiveLength = "10s",
        /// How many bytes an answer may have after decompression. Default 64MiB.
        optional body_limit: Size = "64MiB",
    }

    /// What an EHR allows one credential.
    struct LimitKeys = "Limits" {
        /// At most so many requests in any such span; several hold at once.
        optional rate: OneOrMany<RateLimit> = "10/s",
        /// How many requests may be under way at once. Default 4.
        optional in_flight: Count = "4",
        /// The longest Retry-After that is believed. Default 1h.
        optional longest_retry_after: PositiveLength = "1h",
    }
}
