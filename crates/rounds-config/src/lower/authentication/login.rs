//! A session that a login request gives.

use super::{headers, whole_url};
use crate::codes;
use crate::diagnostic::Findings;
use crate::face::{LoginKeys, SecretKeys};
use crate::kinds::{HeaderValueSource, Pairs, Secret, SessionInBody, SessionToken};
use crate::lower::body::number;
use crate::lower::request::{HeaderOwner, reserved_header};
use crate::reading::{Given, Read, duplicate_key};
use crate::source::Place;
use crate::tree::{Entry, Node, NodeKind, Scalar, ScalarType};
use http::header::AUTHORIZATION;
use rounds_domain::plan::{
    AnswerFormat, JsonSource, Login, LoginBody, SessionPlace, TextSource, TokenSource,
};
use rounds_map::Json;
use url::Url;

pub(super) fn lower(
    keys: &LoginKeys,
    base_url: Option<&Url>,
    findings: &mut Findings<'_>,
) -> Option<Login> {
    let request = match (keys.get.here(), keys.post.here()) {
        (Some(get), None) => Some((http::Method::GET, get)),
        (None, Some(post)) => Some((http::Method::POST, post)),
        _ => None,
    };
    let url = request
        .as_ref()
        .and_then(|(_, given)| whole_url(given, base_url, findings));
    let headers = headers(&keys.headers, findings);
    let body = body(keys, findings);
    let token = token(&keys.token);
    let send = send(keys, token.as_ref(), findings);
    Some(Login {
        method: request?.0,
        url: url?,
        headers,
        body: body?,
        format: keys.format.or(AnswerFormat::Json),
        token: token?,
        send: send?,
        lasts: keys.lasts.value().map(|lasts| lasts.0),
    })
}

fn body(keys: &LoginKeys, findings: &mut Findings<'_>) -> Option<LoginBody> {
    let key = |name: &'static str, place: Option<Place>| place.map(|place| (name, place));
    let given: Vec<(&str, Place)> = [
        key("form", keys.form.here().map(|here| here.key)),
        key("json", keys.json.here().map(|here| here.key)),
        key("text", keys.text.here().map(|here| here.key)),
    ]
    .into_iter()
    .flatten()
    .collect();
    if let [(first, at), others @ ..] = given.as_slice() {
        for (other, place) in others {
            findings
                .error(
                    codes::LOGIN_BODY,
                    *place,
                    format!("`{other}` together with `{first}`"),
                )
                .expected("a request has one body")
                .also(*at, "the other is here");
        }
        if let Some(get) = keys.get.here() {
            findings
                .error(
                    codes::LOGIN_BODY,
                    *at,
                    format!("`{first}` for a request that carries no body"),
                )
                .also(get.key, "asked with GET here")
                .help("write `post` instead of `get`");
        }
    }
    if let Some(form) = keys.form.value() {
        return Some(LoginBody::Form(self::form(form, findings)));
    }
    if let Some(json) = keys.json.value() {
        return json_source(&json.0, None, findings).map(LoginBody::Json);
    }
    if let Some(text) = keys.text.value() {
        let pieces = text.0.iter().map(|piece| source(&piece.value));
        return Some(LoginBody::Text(pieces.collect()));
    }
    let wrong = matches!(keys.form, Given::Wrong)
        || matches!(keys.json, Given::Wrong)
        || matches!(keys.text, Given::Wrong);
    (!wrong).then_some(LoginBody::None)
}

fn form(
    pairs: &Pairs<HeaderValueSource>,
    findings: &mut Findings<'_>,
) -> Vec<(String, TextSource)> {
    let mut lowered = Vec::new();
    for pair in &pairs.pairs {
        if let HeaderValueSource::Literal(scalar) = &pair.value {
            check_literal(&pair.key, scalar, findings);
        }
        lowered.push((pair.key.text.clone(), source(&pair.value)));
    }
    lowered
}

fn source(value: &HeaderValueSource) -> TextSource {
    match value {
        HeaderValueSource::Literal(scalar) => TextSource::Literal(scalar.text.clone()),
        HeaderValueSource::Secret(reference) => TextSource::Secret(reference.clone()),
    }
}

/// Tells of a literal value whose name says that it is a secret.
fn check_literal(key: &Scalar, value: &Scalar, findings: &mut Findings<'_>) {
    let name = key.text.to_ascii_lowercase();
    let secret = [
        "password", "passwd", "pwd", "psw", "secret", "token", "apikey", "api_key",
    ];
    if !value.text.is_empty() && secret.iter().any(|piece| name.contains(piece)) {
        let shown = crate::reading::shortened(&key.text);
        findings
            .warning(
                codes::LITERAL_SECRET,
                value.place,
                format!("the value of `{shown}` looks like a secret in the file"),
            )
            .help(format!("write `{shown}: {{ env: NAME }}`"))
            .conceal(value.place);
    }
}

/// JSON as written; a mapping with nothing but a key of a secret's reference is a secret. `key` is what it stands behind.
fn json_source(
    node: &Node,
    key: Option<&Scalar>,
    findings: &mut Findings<'_>,
) -> Option<JsonSource> {
    match &node.kind {
        NodeKind::Scalar(scalar) => {
            let literal = match scalar.scalar_type() {
                ScalarType::Null => Json::null(),
                ScalarType::Boolean(value) => Json::boolean(value),
                ScalarType::Number => number(scalar, findings)?,
                ScalarType::Text => Json::string(scalar.text.clone()),
            };
            if let (Some(key), ScalarType::Text | ScalarType::Number) = (key, scalar.scalar_type())
            {
                check_literal(key, scalar, findings);
            }
            Some(JsonSource::Literal(literal))
        }
        NodeKind::Sequence(items) => {
            let items: Vec<Option<JsonSource>> = items
                .iter()
                .map(|item| json_source(item, None, findings))
                .collect();
            items
                .into_iter()
                .collect::<Option<_>>()
                .map(JsonSource::Array)
        }
        NodeKind::Mapping(entries) if is_secret(entries) => {
            Secret::read(node, findings).map(|secret| JsonSource::Secret(secret.0))
        }
        NodeKind::Mapping(entries) => {
            let mut members: Vec<(&Scalar, Option<JsonSource>)> = Vec::new();
            for entry in entries {
                if let Some((first, _)) = members.iter().find(|(key, _)| key.text == entry.key.text)
                {
                    duplicate_key(first, &entry.key, findings);
                    continue;
                }
                let value = json_source(&entry.value, Some(&entry.key), findings);
                members.push((&entry.key, value));
            }
            let members = members
                .into_iter()
                .map(|(key, value)| value.map(|value| (key.text.clone(), value)));
            members.collect::<Option<_>>().map(JsonSource::Object)
        }
        NodeKind::Refused => None,
    }
}

fn is_secret(entries: &[Entry]) -> bool {
    let [entry] = entries else { return false };
    let known = |key: &crate::reading::Key| key.name == entry.key.text;
    SecretKeys::KEYS.all.iter().any(known)
}

fn token(given: &Given<SessionToken>) -> Option<TokenSource> {
    match given.value()? {
        SessionToken::Expression(expression) => {
            Some(TokenSource::Expression(expression.filter.clone()))
        }
        SessionToken::Keys(keys) => {
            if let Some(header) = keys.header.value() {
                return Some(TokenSource::Header(header.name.clone()));
            }
            if let Some(cookie) = keys.cookie.value() {
                return Some(TokenSource::Cookie(cookie.0.text.clone()));
            }
            keys.body.value().map(|_| TokenSource::Body)
        }
    }
}

fn send(
    keys: &LoginKeys,
    token: Option<&TokenSource>,
    findings: &mut Findings<'_>,
) -> Option<SessionPlace> {
    let given = match &keys.send {
        Given::Wrong => return None,
        Given::Absent => {
            return Some(match token? {
                TokenSource::Cookie(name) => SessionPlace::Cookie(name.clone()),
                _ => SessionPlace::Header {
                    name: AUTHORIZATION,
                    prefix: "Bearer ".to_owned(),
                },
            });
        }
        Given::Here(here) => &here.value,
    };
    if let (Some(prefix), true) = (given.prefix.here(), given.header.is_absent()) {
        findings
            .error(
                codes::MISMATCHED_KEYS,
                prefix.key,
                "`prefix` without `header`",
            )
            .help("only a header has something before the session");
    }
    if let Some(header) = given.header.value() {
        reserved_header(
            &header.name,
            &header.scalar,
            HeaderOwner::Connection,
            findings,
        );
        let prefix = given.prefix.value();
        return Some(SessionPlace::Header {
            name: header.name.clone(),
            prefix: prefix.map_or_else(String::new, |prefix| prefix.0.text.clone()),
        });
    }
    if let Some(query) = given.query.value() {
        return Some(SessionPlace::Query(query.0.text.clone()));
    }
    if let Some(SessionInBody::Session) = given.body.value() {
        return Some(SessionPlace::Body);
    }
    given
        .cookie
        .value()
        .map(|name| SessionPlace::Cookie(name.0.text.clone()))
}
