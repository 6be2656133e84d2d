//! Sessions by a login request.

use super::form::Form;
use super::session::Obtained;
use super::way::Way;
use super::{Proof, write_headers};
use crate::ehr::failure::{Cause, Purpose};
use crate::secrets::SecretError;
use http::header::{ACCEPT, CONTENT_TYPE, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use rounds_domain::plan::{
    HeaderSource, JsonSource, Login, LoginBody, SecretReference, SessionPlace, TextSource,
    TokenSource,
};
use rounds_domain::ports::{EhrError, EhrResponse};
use rounds_map::Json;
use secrecy::{ExposeSecret, SecretString};

/// Logs in.
pub(super) async fn login(way: &mut Way<'_>, login: &Login) -> Result<Obtained, EhrError> {
    let asked = way.asked(&login.method, &login.url, Purpose::Login);
    let secret = |error: SecretError| asked.error(Cause::Secret(error));
    let mut headers = HeaderMap::new();
    headers.insert(
        ACCEPT,
        HeaderValue::from_static("application/json, */*;q=0.5"),
    );
    let body = body(way, &login.body).await.map_err(secret)?;
    if let Some((kind, _)) = &body {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    write_headers(&mut headers, &login.headers, way.secrets())
        .await
        .map_err(secret)?;
    let answer = way
        .ask(
            login.method.clone(),
            login.url.clone(),
            headers,
            body.map(|(_, bytes)| bytes),
        )
        .await
        .map_err(|cause| asked.error(cause))?;
    match session(way, login, &answer).await {
        Ok(text) => Ok(Obtained {
            proof: place(&login.send, text).map_err(|cause| asked.error(cause))?,
            lifetime: None,
        }),
        Err(cause) => {
            if matches!(cause, Cause::LoginRefused(_)) {
                for reference in secrets(login) {
                    way.forget(reference).await;
                }
            }
            Err(asked.error(cause))
        }
    }
}

fn secrets(login: &Login) -> Vec<&SecretReference> {
    let mut all = login.body.secrets();
    all.extend(login.headers.iter().filter_map(|(_, source)| match source {
        HeaderSource::Secret(reference) => Some(reference),
        HeaderSource::Literal(_) => None,
    }));
    all
}

/// The body and its type.
async fn body(
    way: &Way<'_>,
    body: &LoginBody,
) -> Result<Option<(&'static str, Vec<u8>)>, SecretError> {
    Ok(match body {
        LoginBody::None => None,
        LoginBody::Form(pairs) => {
            let mut form = Form::default();
            for (name, source) in pairs {
                form.set_secret(name, text(way, source).await?);
            }
            Some(("application/x-www-form-urlencoded", form.encoded()))
        }
        LoginBody::Text(pieces) => {
            let mut whole = Vec::new();
            for piece in pieces {
                whole.extend_from_slice(text(way, piece).await?.expose_secret().as_bytes());
            }
            Some(("text/plain; charset=utf-8", whole))
        }
        LoginBody::Json(source) => {
            // All secrets first: filling in does not wait then.
            let mut read = Vec::new();
            for reference in body.secrets() {
                read.push(way.secret(reference).await?);
            }
            let json = filled(source, &mut read.into_iter());
            Some(("application/json", json.to_bytes()))
        }
    })
}

async fn text(way: &Way<'_>, source: &TextSource) -> Result<SecretString, SecretError> {
    match source {
        TextSource::Literal(text) => Ok(SecretString::from(text.as_str())),
        TextSource::Secret(reference) => way.secret(reference).await,
    }
}

/// The JSON with its secrets, which come in the order in which they stand.
fn filled(source: &JsonSource, secrets: &mut impl Iterator<Item = SecretString>) -> Json {
    match source {
        JsonSource::Literal(json) => json.clone(),
        JsonSource::Secret(_) => secrets.next().map_or_else(Json::null, |secret| {
            Json::string(secret.expose_secret().to_owned())
        }),
        JsonSource::Array(items) => {
            let items: Vec<Json> = items.iter().map(|item| filled(item, secrets)).collect();
            Json::array(items)
        }
        JsonSource::Object(members) => {
            let members: Vec<(String, Json)> = members
                .iter()
                .map(|(name, member)| (name.clone(), filled(member, secrets)))
                .collect();
            Json::object(members)
        }
    }
}

/// Finds the session in the answer. A form login may answer with a redirect to a page for people; its cookie or header
/// counts, and nobody goes there.
async fn session(
    way: &Way<'_>,
    login: &Login,
    answer: &EhrResponse,
) -> Result<SecretString, Cause> {
    let status = answer.status;
    let is_fine = match login.token {
        TokenSource::Header(_) | TokenSource::Cookie(_) => {
            status.is_success() || status.is_redirection()
        }
        TokenSource::Expression(_) | TokenSource::Body => status.is_success(),
    };
    if !is_fine {
        return Err(
            if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
                Cause::TokensUnavailable { status, word: None }
            } else {
                Cause::LoginRefused(status)
            },
        );
    }
    let none = |words: String| Cause::NoSession(words);
    let found = match &login.token {
        TokenSource::Expression(filter) => way.evaluate(filter, login.format, answer).await?,
        TokenSource::Body => {
            let text = std::str::from_utf8(&answer.body)
                .map_err(|_| none("the answer's body is not text".to_owned()))?;
            text.trim().to_owned()
        }
        TokenSource::Header(name) => {
            let value = answer
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok());
            value.unwrap_or_default().trim().to_owned()
        }
        TokenSource::Cookie(name) => {
            let cookies = answer.headers.get_all(SET_COOKIE).iter();
            let mut pairs = cookies.filter_map(|cookie| {
                let pair = cookie.to_str().ok()?.split(';').next()?;
                let (known, value) = pair.split_once('=')?;
                (known.trim() == name).then(|| value.trim().to_owned())
            });
            // The last one wins, as in a browser.
            pairs.next_back().unwrap_or_default()
        }
    };
    if found.is_empty() {
        return Err(none(match &login.token {
            TokenSource::Header(name) => format!("the answer has no header {name}"),
            TokenSource::Cookie(name) => format!("the answer sets no cookie {name}"),
            TokenSource::Expression(_) | TokenSource::Body => "the answer is empty".to_owned(),
        }));
    }
    Ok(SecretString::from(found))
}

fn place(send: &SessionPlace, session: SecretString) -> Result<Proof, Cause> {
    let value = |text: String| {
        let mut value = HeaderValue::from_str(&text).map_err(|_| {
            Cause::NoSession("the session has characters that no header can carry".to_owned())
        })?;
        value.set_sensitive(true);
        Ok(value)
    };
    let text = session.expose_secret();
    Ok(match send {
        SessionPlace::Header { name, prefix } => {
            let name: HeaderName = name.clone();
            Proof::Header(name, value(format!("{prefix}{text}"))?)
        }
        SessionPlace::Cookie(name) => Proof::Cookie(value(format!("{name}={text}"))?),
        SessionPlace::Body => Proof::Body(session),
        SessionPlace::Query(name) => Proof::Query {
            name: name.clone(),
            value: session,
        },
    })
}
