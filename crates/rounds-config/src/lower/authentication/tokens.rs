//! Access tokens: OAuth 2.0 and SMART Backend Services.

use super::whole_url;
use crate::codes;
use crate::diagnostic::{Findings, list};
use crate::face::{OAuth2Keys, SmartBackendKeys};
use crate::kinds::{ClientWord, Flag, GrantWord, LiteralText, Pairs};
use crate::reading::{Given, Here};
use crate::source::Place;
use rounds_domain::plan::{ClientProof, Grant, OAuth2, SmartBackend, TokenUrl};
use url::Url;

/// Form parameters that Rounds sets itself.
const RESERVED: [&str; 10] = [
    "grant_type",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "scope",
    "username",
    "password",
    "refresh_token",
    "assertion",
];

pub(in crate::lower) fn oauth2(
    given: &Here<OAuth2Keys>,
    base_url: Option<&Url>,
    findings: &mut Findings<'_>,
) -> Option<OAuth2> {
    let keys = &given.value;
    let token_url = oauth2_token_url(given, base_url, findings);
    let word = match &keys.grant {
        Given::Absent => Some(GrantWord::ClientCredentials),
        Given::Wrong => None,
        Given::Here(here) => Some(here.value),
    };
    let grant = word.and_then(|word| grant(given, word, findings));
    let client = client(keys);
    let parameters = parameters(&keys.parameters, findings);
    Some(OAuth2 {
        grant: grant?,
        token_url: token_url?,
        client_id: keys.client_id.value()?.0.text.clone(),
        client: client?,
        scope: keys.scope.value().map(|scope| scope.0.text.clone()),
        parameters,
    })
}

fn oauth2_token_url(
    given: &Here<OAuth2Keys>,
    base_url: Option<&Url>,
    findings: &mut Findings<'_>,
) -> Option<TokenUrl> {
    let keys = &given.value;
    match (&keys.token_url, keys.discover.value()) {
        (Given::Here(url), Some(Flag::Yes)) => {
            findings
                .error(
                    codes::TOKEN_URL,
                    url.key,
                    "`token_url` together with `discover: true`",
                )
                .expected("only one of the two can hold")
                .help("keep `token_url` if it is known for sure, and `discover` otherwise");
            None
        }
        (Given::Here(url), _) => whole_url(url, base_url, findings).map(TokenUrl::At),
        (Given::Wrong, _) => None,
        (Given::Absent, Some(Flag::Yes)) => Some(TokenUrl::Discovered),
        (Given::Absent, _) => {
            if !matches!(keys.discover, Given::Wrong) {
                findings
                    .error(
                        codes::TOKEN_URL,
                        given.key,
                        "nobody says where tokens are asked for",
                    )
                    .expected("`token_url` belongs in here")
                    .help("for example `token_url: https://auth.example.org/oauth2/token`")
                    .help(
                        "or `discover: true`, where the EHR has `.well-known/smart-configuration`",
                    );
            }
            None
        }
    }
}

/// A key of one grant: its name, its place if it is there, and whether it is there at all.
struct GrantKey {
    name: &'static str,
    key: Option<Place>,
    of: GrantWord,
}

fn grant(given: &Here<OAuth2Keys>, word: GrantWord, findings: &mut Findings<'_>) -> Option<Grant> {
    let keys = &given.value;
    let all = [
        GrantKey {
            name: "username",
            key: keys.username.here().map(|here| here.key),
            of: GrantWord::Password,
        },
        GrantKey {
            name: "password",
            key: keys.password.here().map(|here| here.key),
            of: GrantWord::Password,
        },
        GrantKey {
            name: "refresh_token",
            key: keys.refresh_token.here().map(|here| here.key),
            of: GrantWord::RefreshToken,
        },
    ];
    for key in &all {
        if let (Some(place), false) = (key.key, key.of == word) {
            findings
                .error(
                    codes::GRANT_KEYS,
                    place,
                    format!("`{}` means nothing to this grant", key.name),
                )
                .help(match key.of {
                    GrantWord::RefreshToken => "write `grant: refresh_token` if it is meant",
                    _ => "write `grant: password` if it is meant",
                });
        }
    }
    let mut need = |name: &'static str, is_absent: bool, example: &str| {
        if is_absent {
            findings
                .error(
                    codes::GRANT_KEYS,
                    given.key,
                    format!("`{name}` is missing, which this grant needs"),
                )
                .expected(format!("`{name}` belongs in here"))
                .help(format!("for example `{name}: {example}`"));
        }
    };
    match word {
        GrantWord::ClientCredentials => {
            need(
                "client_secret",
                keys.client_secret.is_absent(),
                "{ env: EHR_CLIENT_SECRET }",
            );
            keys.client_secret.value().map(|_| Grant::ClientCredentials)
        }
        GrantWord::Password => {
            need("username", keys.username.is_absent(), "rounds");
            need(
                "password",
                keys.password.is_absent(),
                "{ env: EHR_PASSWORD }",
            );
            Some(Grant::Password {
                username: keys.username.value()?.0.text.clone(),
                password: keys.password.reference()?,
            })
        }
        GrantWord::RefreshToken => {
            need(
                "refresh_token",
                keys.refresh_token.is_absent(),
                "{ env: EHR_REFRESH_TOKEN }",
            );
            Some(Grant::RefreshToken {
                first: keys.refresh_token.reference()?,
            })
        }
    }
}

fn client(keys: &OAuth2Keys) -> Option<ClientProof> {
    let secret = match &keys.client_secret {
        Given::Absent => return Some(ClientProof::Public),
        Given::Wrong => return None,
        Given::Here(here) => here.value.0.clone(),
    };
    match keys.client {
        Given::Wrong => None,
        _ => Some(match keys.client.or(ClientWord::Basic) {
            ClientWord::Basic => ClientProof::Basic(secret),
            ClientWord::RawBasic => ClientProof::RawBasic(secret),
            ClientWord::Post => ClientProof::Post(secret),
        }),
    }
}

fn parameters(
    given: &Given<Pairs<LiteralText>>,
    findings: &mut Findings<'_>,
) -> Vec<(String, String)> {
    let pairs = given.value().into_iter().flat_map(|pairs| &pairs.pairs);
    let mut lowered = Vec::new();
    for pair in pairs {
        let name = pair.key.text.as_str();
        if RESERVED.contains(&name) {
            findings
                .error(
                    codes::RESERVED_PARAMETER,
                    pair.key.place,
                    format!("the parameter `{name}` is set by Rounds"),
                )
                .help("take it out; what it says has a key of its own under `oauth2`, or none")
                .conceal(pair.value.0.place);
            continue;
        }
        lowered.push((name.to_owned(), pair.value.0.text.clone()));
    }
    lowered
}

pub(super) fn smart_backend(
    keys: &SmartBackendKeys,
    base_url: Option<&Url>,
    findings: &mut Findings<'_>,
) -> Option<SmartBackend> {
    let token_url = match &keys.token_url {
        Given::Absent => Some(TokenUrl::Discovered),
        Given::Wrong => None,
        Given::Here(url) => whole_url(url, base_url, findings).map(TokenUrl::At),
    };
    if let Some(scope) = keys.scope.here() {
        let foreign: Vec<&str> = scope
            .value
            .0
            .text
            .split_whitespace()
            .filter(|scope| is_for_a_person(scope))
            .collect();
        if !foreign.is_empty() {
            findings
                .warning(
                    codes::SCOPE_OF_A_PERSON,
                    scope.place,
                    format!("{} where nobody logs in", list(&foreign)),
                )
                .expected("a backend service asks for `system/...` scopes")
                .help("for example `scope: system/*.read`, or `system/*.rs` in SMART 2");
        }
    }
    Some(SmartBackend {
        client_id: keys.client_id.value()?.0.text.clone(),
        private_key: keys.private_key.reference()?,
        key_id: keys.key_id.value().map(|id| id.0.text.clone()),
        scope: keys.scope.value()?.0.text.clone(),
        token_url: token_url?,
        audience: keys.audience.value().map(|text| text.0.text.clone()),
        key_set_url: keys.jku.value().map(|url| url.0.clone()),
    })
}

/// Scopes of SMART App Launch that need a person.
fn is_for_a_person(scope: &str) -> bool {
    scope.starts_with("patient/")
        || scope.starts_with("user/")
        || scope.starts_with("launch")
        || matches!(
            scope,
            "openid" | "fhirUser" | "profile" | "offline_access" | "online_access"
        )
}
