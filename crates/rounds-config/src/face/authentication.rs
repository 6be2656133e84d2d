//! How requests to an EHR prove who asks.

use crate::codes;
use crate::kinds::{
    BodyTree, ClientWord, Command, EnvironmentName, Flag, GrantWord, HeaderName, HeaderValueSource,
    LiteralText, OneOrMany, Pairs, PositiveLength, Secret, SessionInBody, SessionToken, Text,
    UrlOrPath, WebUrl, WholeBody,
};
use crate::reading::keys;
use rounds_domain::plan::AnswerFormat;

keys! {
    /// How requests to an EHR prove who asks.
    #[exactly_one(bearer, basic, header, query, oauth2, smart_backend, login; codes::ONE_OF, "an authentication of no kind", "leave `auth` out for none")]
    struct AuthKeys = "Auth" {
        /// The token of `Authorization: Bearer`.
        optional bearer: Secret = "{\"env\": \"FAKEDATA_TOKEN\"}",
        /// User name and password of `Authorization: Basic`.
        optional basic: BasicKeys,
        /// A header of its own, such as `x-api-key`.
        optional header: HeaderAuthKeys,
        /// A query parameter of its own, such as `api_key`. It stands in no URL that is shown.
        optional query: QueryAuthKeys,
        /// An access token by OAuth 2.0: client credentials, password or refresh token.
        optional oauth2: OAuth2Keys,
        /// An access token by SMART Backend Services: a signed assertion instead of a client secret.
        optional smart_backend: SmartBackendKeys,
        /// A session that a login request gives.
        optional login: LoginKeys,
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

    /// A query parameter that holds a secret.
    struct QueryAuthKeys = "QueryAuth" {
        /// Its name.
        required name: Text = "api_key",
        /// Its value.
        required value: Secret = "{\"env\": \"EHR_KEY\"}",
    }

    /// An access token by OAuth 2.0.
    struct OAuth2Keys = "OAuth2" {
        /// What is given for a token: `client_credentials`, `password` or `refresh_token`. Default `client_credentials`.
        optional grant: GrantWord = "client_credentials",
        /// Where tokens are asked for: a URL, or a path under `base_url`.
        optional token_url: UrlOrPath = "https://auth.example.org/oauth2/token",
        /// Whether the token URL is read from `.well-known/smart-configuration` under `base_url` instead. Default false.
        optional discover: Flag = "true",
        /// The client's name.
        required client_id: LiteralText = "rounds",
        /// The client's secret. A public client has none.
        optional client_secret: Secret = "{\"env\": \"EHR_CLIENT_SECRET\"}",
        /// How the secret is sent: `basic` (form-encoded first, as the standard says), `basic_raw` (as it is) or `post` (in the form). Default basic.
        optional client: ClientWord = "basic",
        /// The scopes that are asked for, with blanks between them.
        optional scope: Text = "athena/service/Athenanet.MDP.*",
        /// The user's name, for the grant `password`.
        optional username: LiteralText = "rounds",
        /// The user's password, for the grant `password`.
        optional password: Secret = "{\"env\": \"EHR_PASSWORD\"}",
        /// The first refresh token, for the grant `refresh_token`. Those that the EHR gives later are kept in the data directory.
        optional refresh_token: Secret = "{\"env\": \"EHR_REFRESH_TOKEN\"}",
        /// Further form parameters of token requests.
        optional parameters: Pairs<LiteralText> = "{\"audience\": \"https://ehr.example.org\"}",
    }

    /// An access token by SMART Backend Services.
    struct SmartBackendKeys = "SmartBackend" {
        /// The client's name, as the EHR registered it.
        required client_id: LiteralText = "rounds",
        /// The private key, PEM or JWK: RSA for RS384, P-384 for ES384. `rounds keys generate` makes one.
        required private_key: Secret = "{\"file\": \"key.pem\"}",
        /// The key's name (`kid`) as it was registered. Default: the JWK's own, or the RFC 7638 thumbprint, as `rounds keys jwks` writes it.
        optional key_id: LiteralText = "2026-11",
        /// The scopes that are asked for, with blanks between them.
        required scope: Text = "system/*.read",
        /// Where tokens are asked for: a URL, or a path under `base_url`. Default: as `.well-known/smart-configuration` under `base_url` says.
        optional token_url: UrlOrPath = "https://auth.example.org/oauth2/token",
        /// Whom assertions are for (`aud`). Default: the token URL.
        optional audience: LiteralText = "https://auth.example.org",
        /// The registered URL of the public keys (`jku`), if the EHR wants it said.
        optional jku: WebUrl = "https://rounds.example.org/jwks.json",
    }

    /// A session that a login request gives.
    #[exactly_one(get, post; codes::ONE_OF, "a login without a request", "write `post: /login` or `get: /login`")]
    struct LoginKeys = "Login" {
        /// The request's URL, or its path under `base_url`, asked with GET.
        optional get: UrlOrPath = "/login",
        /// The request's URL, or its path under `base_url`, asked with POST.
        optional post: UrlOrPath = "/login",
        /// The request's headers: literal values or secrets.
        optional headers: Pairs<HeaderValueSource> = "{\"x-tenant\": \"abc\"}",
        /// A form as the request's body: literal values or secrets.
        optional form: Pairs<HeaderValueSource> = "{\"user\": \"rounds\", \"password\": {\"env\": \"EHR_PASSWORD\"}}",
        /// JSON as the request's body. A mapping with nothing but `env`, `file` or `command` is a secret.
        optional json: BodyTree = "{\"Username\": \"rounds\", \"Password\": {\"env\": \"EHR_PASSWORD\"}}",
        /// Text as the request's body, or pieces of it, one after the other: literal ones or secrets.
        optional text: OneOrMany<HeaderValueSource> = "[\"<login user='rounds' password='\", {\"env\": \"EHR_PASSWORD\"}, \"'/>\"]",
        /// How the answer is written: `json` or `xml` (read as JSON). Default json.
        optional format: AnswerFormat = "xml",
        /// Where the session stands in the answer: a jq expression over it, or `{ body: text }`, `{ header: name }`, `{ cookie: name }`.
        required token: SessionToken = ".access_token",
        /// Where the session stands in requests. Default: `Authorization: Bearer`, or the same cookie.
        optional send: SendKeys,
        /// How long a session is believed. Default: until the EHR answers 401.
        optional lasts: PositiveLength = "1h",
    }

    /// Where the session stands in the answer to a login.
    #[exactly_one(body, header, cookie; codes::ONE_OF, "a session from nowhere", "write a jq expression such as `.access_token`, or one of these keys")]
    struct SessionTokenKeys = "SessionToken" {
        /// The whole body, as `text`.
        optional body: WholeBody = "text",
        /// A header of the answer.
        optional header: HeaderName = "x-session",
        /// A cookie that the answer sets.
        optional cookie: Text = "JSESSIONID",
    }

    /// Where the session stands in requests.
    #[exactly_one(header, query, cookie, body; codes::ONE_OF, "a session that is sent nowhere", "write `send: { header: x-session }`, `{ query: token }`, `{ cookie: name }` or `{ body: session }`")]
    struct SendKeys = "Send" {
        /// A header.
        optional header: HeaderName = "Authorization",
        /// What stands before the session in the header. Default: nothing.
        optional prefix: LiteralText = "Bearer ",
        /// A query parameter. It stands in no URL that is shown.
        optional query: Text = "token",
        /// A cookie.
        optional cookie: Text = "JSESSIONID",
        /// Bodies of requests, where they say `{{ session }}`.
        optional body: SessionInBody = "session",
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
}
