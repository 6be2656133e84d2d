//! How an EHR is reached: its base URL, authentication and limits.

use super::authentication::{BasicKeys, HeaderAuthKeys};
use super::request::{AnswerKeys, RequestBodyKeys};
use crate::codes;
use crate::kinds::{
    Auth, Condition, Count, HeaderName, HeaderValueSource, ListenAddress, LiteralText, Many, Names,
    OneOrMany, Pairs, PositiveLength, RateLimit, RateRule, Secret, Size, TemplateText, Text,
    WebUrl, WindowText, Zone,
};
use crate::reading::keys;
use rounds_domain::plan::AnswerFormat;
use rounds_map::models::Traffic;

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
        /// Requests that show what the EHR can be polled by, by name; `rounds probe` asks them.
        optional tests: Names<TestKeys>,
        /// What messages of a data model call it: `Meta.Source`. Default: its name here.
        optional known_as: PartyKeys,
        /// Whether its patients are real: `production`, or `test`, which messages say (`Meta.Test`). Default production.
        optional traffic: Traffic = "test",
        /// Where the EHR may push the few events that it has by itself.
        optional receive: InboundKeys,
        /// What the EHR allows.
        optional limits: LimitKeys,
        /// How long one whole exchange may take. Default 30s.
        optional timeout: PositiveLength = "30s",
        /// How long a connection attempt may take. Default 10s.
        optional connect_timeout: PositiveLength = "10s",
        /// How many bytes an answer may have after decompression. Default 64MiB.
        optional body_limit: Size = "64MiB",
    }

    /// What messages call one of their ends.
    struct PartyKeys = "Party" {
        /// Its identifier, such as a UUID.
        optional id: Text = "7ce6f387-c33c-417d-8682-81e83628cbd9",
        /// Its name.
        optional name: Text = "RES General Hospital",
    }

    /// Where an EHR may push events: POST to `/CONNECTION/ACTION`, for actions that have `receive`. What was answered with 200 is on the disk.
    #[exactly_one(signing_secret, bearer, basic, header, body_hmac; codes::ONE_OF, "pushes that nobody proves", "write how the EHR proves itself, for example `bearer: { env: EHR_PUSH_TOKEN }`")]
    struct InboundKeys = "Inbound" {
        /// Where Rounds listens, an address and a port. There is no TLS: what is reached from outside stands behind a proxy that has it.
        required listen: ListenAddress = "127.0.0.1:8750",
        /// Standard Webhooks: the secret, or several for rotation.
        optional signing_secret: OneOrMany<Secret> = "{\"env\": \"EHR_PUSH_SECRET\"}",
        /// The token of `Authorization: Bearer`.
        optional bearer: Secret = "{\"env\": \"EHR_PUSH_TOKEN\"}",
        /// User name and password of `Authorization: Basic`.
        optional basic: BasicKeys,
        /// A header that holds a secret.
        optional header: HeaderAuthKeys,
        /// A header that holds the HMAC-SHA256 of the body, in hex or base64, perhaps after `sha256=`.
        optional body_hmac: BodyHmacKeys,
        /// How many bytes a push may have. Default 10MiB.
        optional body_limit: Size = "10MiB",
    }

    /// A header that holds the HMAC-SHA256 of the body.
    struct BodyHmacKeys = "BodyHmac" {
        /// Its name.
        required header: HeaderName = "x-drchrono-signature",
        /// The key.
        required secret: Secret = "{\"env\": \"EHR_PUSH_SECRET\"}",
    }

    /// A request that shows whether something can be polled, and changes nothing. A filter shows by the year 2100, of which nothing may come.
    #[exactly_one(get, post; codes::ONE_OF, "a test without a request", "write `get: /path`")]
    struct TestKeys = "Test" {
        /// The path of a GET request, relative to the base URL.
        optional get: TemplateText = "/appointments",
        /// The path of a POST request.
        optional post: TemplateText = "/graphql",
        /// Query parameters; a list repeats its parameter.
        optional query: Pairs<OneOrMany<TemplateText>> = "{\"since\": \"2100-01-01T00:00:00Z\"}",
        /// Headers of the request.
        optional headers: Pairs<TemplateText>,
        /// The body of a POST request.
        optional body: RequestBodyKeys = "{\"json\": {\"limit\": 1}}",
        /// How the answer is written. Default: as the connection's.
        optional format: AnswerFormat = "xml",
        /// jq from the answer to whether it can be polled.
        required works: Condition = ".results == []",
    }

    /// A rate for a part of the week.
    struct RateKeys = "Rate" {
        /// The rate.
        required rate: RateLimit = "1/m",
        /// The parts of the week in which it holds.
        optional between: OneOrMany<WindowText> = "Mon-Fri 06:00-18:00",
        /// The parts of the week outside of which it holds.
        optional outside: OneOrMany<WindowText> = "Mon-Fri 06:00-18:00",
    }

    /// What an EHR allows one credential.
    struct LimitKeys = "Limits" {
        /// At most so many requests in any such span, or in each `calendar minute`, `calendar hour` or `calendar day`; several hold at once.
        optional rate: OneOrMany<RateRule> = "10/s",
        /// In which zone hours and days of the calendar and parts of the week are read. Default UTC.
        optional zone: Zone = "America/Denver",
        /// A header that says when there is room again, where a 429 has no Retry-After: seconds, or seconds since 1970.
        optional reset: HeaderName = "x-ratelimit-reset",
        /// How many requests may be under way at once. Default 4.
        optional in_flight: Count = "4",
        /// The longest Retry-After that is believed. Default 1h.
        optional longest_retry_after: PositiveLength = "1h",
    }
}
