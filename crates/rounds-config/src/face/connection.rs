//! How an EHR is reached: its base URL, authentication and limits.

use crate::codes;
use crate::kinds::{
    Auth, Command, Count, EnvironmentName, HeaderName, LiteralText, OneOrMany, Pairs,
    PositiveLength, RateLimit, Secret, Size, Text, WebUrl,
};
use crate::reading::keys;

keys! {
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
}
