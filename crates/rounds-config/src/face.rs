//! The configuration's face: every key, what belongs behind it, and what it means.
//!
//! This is the one description. It reads configurations, names the nearest key for a slip, and makes the JSON Schema; a
//! new key is a new line here and its lowering. See [`crate::reading`] for how a line is read.

use crate::codes;
use crate::kinds::{
    AddressRangeText, Auth, BodyTree, Command, Count, CronFields, DaysText, DeletionsWord,
    EnvironmentName, Expression, HeaderName, HeaderValueSource, InstantText, Length, LiteralText,
    Many, Marked, Names, Natural, OneOrMany, OrderWord, Pairs, Percent, PositiveLength, RateLimit,
    Reconcile, Reference, Secret, Size, StartWord, TemplateText, Text, WebUrl, WindowText, Zone,
};
use crate::reading::keys;
use rounds_domain::plan::{Challenge, Rows, WhenMissing};

keys! {
    /// What Rounds does: which EHRs it asks, for which changes, and whom it tells.
    struct ConfigKeys = "Config" {
        /// The EHR instances, by name.
        optional connections: Names<ConnectionKeys>,
        /// The polled API actions, by name.
        optional actions: Names<ActionKeys>,
        /// Where notifications go, by name.
        optional destinations: Names<DestinationKeys>,
        /// How long finished notifications are kept. Default 30d.
        optional keep: PositiveLength = "30d",
    }

    /// One EHR instance: its base URL, authentication and limits. Every request to it goes through one gate.
    struct ConnectionKeys = "Connection" {
        /// What all paths are relative to: http or https, no query.
        required base_url: WebUrl = "https://fhir.example.org/r4",
        /// How requests prove who asks: bearer, basic, header, or none. Default none.
        optional auth: Auth = "{\"bearer\": {\"env\": \"FAKEDATA_TOKEN\"}}",
        /// Further headers of every request, with literal values.
        optional headers: Pairs<LiteralText> = "{\"accept\": \"application/fhir+json\"}",
        /// What the EHR allows.
        optional limits: LimitKeys,
        /// How long one whole exchange may take. Default 30s.
        optional timeout: PositiveLength = "30s",
        /// How long a connection attempt may take. Default 10s.
        optional connect_timeout: PositiveLength = "10s",
        /// How many bytes an answer may have after decompression. Default 64MiB.
        optional body_limit: Size = "64MiB",
    }

    /// How requests to an EHR prove who asks.
    #[exactly_one(bearer, basic, header; codes::ONE_OF, "an authentication of no kind", "leave `auth` out for none")]
    struct AuthKeys = "Auth" {
        /// The token of `Authorization: Bearer`.
        optional bearer: Secret = "{\"env\": \"FAKEDATA_TOKEN\"}",
        /// User name and password of `Authorization: Basic`.
        optional basic: BasicKeys,
        /// A header of its own, such as `x-api-key`.
        optional header: HeaderAuthKeys,
    }

    /// User name and password.
    struct BasicKeys = "Basic" {
        /// The user name.
        required username: LiteralText = "rounds",
        /// The password.
        required password: Secret = "{\"env\": \"EHR_PASSWORD\"}",
    }

    /// A header that holds a secret.
    struct HeaderAuthKeys = "HeaderAuth" {
        /// Its name.
        required name: HeaderName = "x-api-key",
        /// Its value.
        required value: Secret = "{\"env\": \"EHR_KEY\"}",
    }

    /// Where a secret is read from. The secret itself never stands in the file.
    #[exactly_one(env, file, command; codes::ONE_OF, "a secret's reference that names no place", "write `{ env: NAME }`, `{ file: /path }` or `{ command: [program, argument] }`")]
    struct SecretKeys = "Secret" {
        /// An environment variable.
        optional env: EnvironmentName = "FAKEDATA_TOKEN",
        /// A file; a line break at its end is left out.
        optional file: Text = "/run/secrets/token",
        /// A program with its arguments, run without a shell; its output is the secret.
        optional command: Command = "[\"pass\", \"show\", \"ehr/token\"]",
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

    /// One polled API action: when it is asked, for which changes, what is looked up, and who is told what.
    #[exactly_one(every, at; codes::NO_INTERVAL, "no interval: neither `every` nor `at`", "write how often the EHR is asked, for example `every: 1m`; there is no default, because only you know what the EHR allows and how soon you need to know")]
    struct ActionKeys = "Action" {
        /// Which connection it asks.
        required connection: Reference = "fakedata",
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
        /// The change query.
        required changes: ChangesKeys = "{\"get\": \"/appointments\", \"start\": \"now\", \"records\": \".[]\", \"id\": \".id\"}",
        /// The change query once more, a horizon later: finds what shows up late.
        optional trailing: TrailingKeys = "{\"every\": \"10m\", \"horizon\": \"2h\"}",
        /// A slow look at everything or at a range of dates: finds what the change query never shows, deletions included. In short
        /// `every 1d`.
        optional reconcile: Reconcile = "every 1d",
        /// Follow-up requests whose answers are put into the container, by name.
        optional lookups: Names<LookupKeys>,
        /// What is told of a change. Default: the whole container.
        optional notify: NotifyKeys,
        /// When a container whose lookup or mapping failed is tried again. Default: for about two days.
        optional retry: RetryKeys,
        /// The destinations that are told: one name or a list.
        required to: OneOrMany<Reference> = "[\"my-app\"]",
    }

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
        /// Where the query stands and how that moves. Left out, every round asks for everything.
        optional cursor: CursorKeys,
        /// Where the first round starts: `now` (what is there is not told), `beginning` (everything is told), or an instant.
        required start: StartWord = "now",
        /// How an answer is continued. Default: one page.
        optional paging: PagingKeys,
        /// How many pages a round may have before it fails. Default 1000.
        optional max_pages: Count = "1000",
        /// jq from a page to its records.
        required records: Expression = ".[]",
        /// jq from a record to its identity.
        required id: Expression = ".id",
        /// jq from a record to its version. Left out, the fingerprint of its content.
        optional version: Expression = ".meta.versionId",
        /// jq paths that are left out of the fingerprint.
        optional ignore: Many<Expression> = "[\".fetchedAt\"]",
        /// Without a cursor: whether a record that is not there any more is `told` or `ignored`. Default ignored.
        optional deletions: DeletionsWord = "told",
        /// With deletions told: if more than this share is gone at once, nothing is told. Default 10%.
        optional hold_back: Percent = "10%",
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
    }

    /// Where a feed stands and how that moves.
    #[exactly_one(time, number, token; codes::ONE_OF, "a cursor of no kind", "write `time: rfc3339`, `number: .Last` or `token: .next_token`")]
    struct CursorKeys = "Cursor" {
        /// By time: a strftime format, `rfc3339`, `epoch_seconds` or `epoch_milliseconds`.
        optional time: Text = "%Y-%m-%dT%H:%M:%S",
        /// By a number: jq over a page.
        optional number: Expression = ".Last",
        /// By an opaque token: jq over a page.
        optional token: Expression = ".next_token",
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
        /// In which order pages give that field: `ascending` lets a round that was cut short go on where it was. Default `unordered`.
        optional order: OrderWord = "ascending",
    }

    /// How an answer is continued.
    #[exactly_one(next_link, link_header, page_number, offset, token; codes::ONE_OF, "a paging of no kind", "leave `paging` out for one page")]
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
    }

    /// Numbered pages.
    struct PageNumberKeys = "PageNumber" {
        /// The query parameter.
        required parameter: Text = "page",
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
        /// The query parameter.
        required parameter: Text = "offset",
        /// How many records a full page has; a shorter one is the last.
        required size: Count = "50",
        /// The query parameter that asks for the size.
        optional size_parameter: Text = "limit",
        /// Whether records may `move` between pages meanwhile, or `stay` because the server holds the answer still. Default move.
        optional rows: Rows = "stay",
    }

    /// A token for the next page.
    struct PageTokenKeys = "PageToken" {
        /// The query parameter that carries it.
        required parameter: Text = "page_token",
        /// jq from a page to the token.
        required from: Expression = ".nextPageToken",
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
        /// What a 404 or 410 means: `null` (tell with a gap), `park` (wait for it) or `drop` (do not tell). Default null.
        optional when_missing: WhenMissing = "\"null\"",
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

    /// A webhook endpoint.
    struct DestinationKeys = "Destination" {
        /// Where notifications are posted.
        required url: WebUrl = "https://app.example.org/redox",
        /// The Standard Webhooks secret, or several for rotation.
        optional signing_secret: OneOrMany<Secret> = "{\"env\": \"MY_APP_SECRET\"}",
        /// Redox's verification token.
        optional verification_token: Secret = "{\"env\": \"MY_APP_TOKEN\"}",
        /// The token of `Authorization: Bearer`.
        optional bearer: Secret = "{\"env\": \"MY_APP_BEARER\"}",
        /// Further headers: literal values or secrets.
        optional headers: Pairs<HeaderValueSource> = "{\"x-tenant\": \"abc\"}",
        /// How the endpoint proves itself before the first notification: `post`, `get` or `none`. Default none.
        optional challenge: Challenge = "post",
        /// For a whole attempt. Default 30s.
        optional timeout: PositiveLength = "30s",
        /// For the connection. Default 10s.
        optional connect_timeout: PositiveLength = "10s",
        /// For each wait for more of the answer. Default 15s.
        optional read_timeout: PositiveLength = "15s",
        /// When a refused notification is tried again. Default: for about three days.
        optional retry: RetryKeys,
        /// How many attempts may be under way at once. Default 8.
        optional in_flight: Count = "8",
        /// Private and loopback addresses that may be dialled all the same.
        optional allow_addresses: OneOrMany<AddressRangeText> = "[\"10.0.0.0/8\", \"127.0.0.1\"]",
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::Findings;
    use crate::source::Sources;
    use crate::tree::{Parsed, parse};

    #[test]
    fn every_example_is_accepted_by_its_own_key() {
        for (keys, key) in super::ALL
            .iter()
            .flat_map(|keys| keys.all.iter().map(move |key| (keys.name, key)))
        {
            let Some(example) = key.example else { continue };
            // As in the schema: JSON where it is, plain text otherwise.
            let json = serde_json::from_str::<serde_json::Value>(example).is_ok();
            let text = if json {
                example.to_owned()
            } else {
                format!("'{}'", example.replace('\'', "''"))
            };
            let sources = Sources::from_text("example", text);
            let mut findings = Findings::new(&sources);
            let Parsed::Tree(node) = parse(0, &mut findings) else {
                panic!("{keys}.{}: not YAML", key.name)
            };
            let accepted = (key.accepts)(&node, &mut findings);
            assert!(
                accepted && !findings.has_errors(),
                "{keys}.{}: {:?}",
                key.name,
                findings.finish()
            );
        }
    }
}
