//! Access tokens: the three grants, and SMART Backend Services.

use super::form::{Form, encoded};
use super::session::{Obtained, State};
use super::way::Way;
use super::{Proof, assertion, basic, discovery, scope, token};
use crate::ehr::failure::{Cause, Purpose};
use crate::headers::secret_value;
use crate::keys::SigningKey;
use crate::secrets::SecretError;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE};
use http::{HeaderMap, HeaderValue, Method};
use jiff::Timestamp;
use rounds_domain::plan::{ClientProof, Grant, OAuth2, SecretReference, SmartBackend};
use rounds_domain::ports::{Credential, EhrError, EhrResponse};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use url::Url;

/// More than this between two clocks is worth a word: it makes assertions expire before they arrive.
const NOTABLE_SKEW_SECONDS: i64 = 60;

/// What a token request is made of.
struct TokenRequest<'p> {
    url: Url,
    headers: HeaderMap,
    form: Form,
    /// What is asked for.
    scope: Option<&'p str>,
    /// What is read anew after a refusal.
    secrets: Vec<&'p SecretReference>,
}

/// Asks for a token by OAuth 2.0.
pub(super) async fn oauth2(
    way: &mut Way<'_>,
    state: &mut State,
    oauth2: &OAuth2,
) -> Result<Obtained, EhrError> {
    let url = discovery::token_url(way, state, &oauth2.token_url).await?;
    let asked = way.asked(&Method::POST, &url, Purpose::Token);
    let mut request = TokenRequest {
        url,
        headers: HeaderMap::new(),
        form: Form::default(),
        scope: oauth2.scope.as_deref(),
        secrets: Vec::new(),
    };
    let secret = |error: SecretError| asked.error(Cause::Secret(error));
    let mut origin = None;
    let form = &mut request.form;
    match &oauth2.grant {
        Grant::ClientCredentials => form.set("grant_type", "client_credentials"),
        Grant::Password { username, password } => {
            form.set("grant_type", "password");
            form.set("username", username);
            form.set_secret("password", way.secret(password).await.map_err(secret)?);
            request.secrets.push(password);
        }
        Grant::RefreshToken { first } => {
            let (refresh_token, from) = refresh_token(way, state, first)
                .await
                .map_err(|cause| asked.error(cause))?;
            form.set("grant_type", "refresh_token");
            form.set_secret("refresh_token", refresh_token);
            request.secrets.push(first);
            origin = Some(from);
        }
    }
    if let Some(scope) = request.scope {
        form.set("scope", scope);
    }
    for (name, value) in &oauth2.parameters {
        form.set(name, value);
    }
    prove_client(way, oauth2, &mut request)
        .await
        .map_err(secret)?;
    let given = ask(way, state, request).await?;
    if let (Some(new), Some(origin)) = (&given.refresh_token, origin) {
        // Before anything else, and before anybody has the access token.
        state.unkept = Some(Credential {
            secret: new.clone(),
            origin,
        });
        keep(way, state).await.map_err(|cause| asked.error(cause))?;
    }
    bearer(&given).map_err(|cause| asked.error(cause))
}

async fn prove_client<'p>(
    way: &Way<'_>,
    oauth2: &'p OAuth2,
    request: &mut TokenRequest<'p>,
) -> Result<(), SecretError> {
    let id = oauth2.client_id.as_str();
    let reference = match &oauth2.client {
        ClientProof::Public => {
            request.form.set("client_id", id);
            return Ok(());
        }
        ClientProof::Basic(reference)
        | ClientProof::RawBasic(reference)
        | ClientProof::Post(reference) => reference,
    };
    let secret = way.secret(reference).await?;
    let text = secret.expose_secret();
    let pair = match &oauth2.client {
        ClientProof::Basic(_) => basic(&encoded(id), &encoded(text)),
        ClientProof::RawBasic(_) => basic(id, text),
        _ => {
            request.form.set("client_id", id);
            request.form.set_secret("client_secret", secret);
            request.secrets.push(reference);
            return Ok(());
        }
    };
    let value = secret_value(reference, &pair)?;
    request.headers.insert(AUTHORIZATION, value);
    request.secrets.push(reference);
    Ok(())
}

/// Asks for a token by a signed assertion.
pub(super) async fn smart(
    way: &mut Way<'_>,
    state: &mut State,
    smart: &SmartBackend,
) -> Result<Obtained, EhrError> {
    let url = discovery::token_url(way, state, &smart.token_url).await?;
    let asked = way.asked(&Method::POST, &url, Purpose::Token);
    let key = way
        .secret(&smart.private_key)
        .await
        .map_err(|error| asked.error(Cause::Secret(error)))?;
    let assertion = SigningKey::parse(key.expose_secret())
        .and_then(|key| assertion::assertion(smart, &key, &url, way.wall_clock()))
        .map_err(|error| asked.error(Cause::Key(error)))?;
    let mut form = Form::default();
    form.set("grant_type", "client_credentials");
    form.set("scope", &smart.scope);
    form.set("client_assertion_type", assertion::ASSERTION_TYPE);
    form.set_secret("client_assertion", assertion);
    let request = TokenRequest {
        url,
        headers: HeaderMap::new(),
        form,
        scope: Some(&smart.scope),
        secrets: vec![&smart.private_key],
    };
    let given = ask(way, state, request).await?;
    bearer(&given).map_err(|cause| asked.error(cause))
}

async fn ask(
    way: &mut Way<'_>,
    state: &mut State,
    mut request: TokenRequest<'_>,
) -> Result<token::Given, EhrError> {
    let asked = way.asked(&Method::POST, &request.url, Purpose::Token);
    let headers = &mut request.headers;
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-www-form-urlencoded"),
    );
    let body = request.form.encoded();
    let answer = way
        .ask(Method::POST, request.url, request.headers, Some(body))
        .await
        .map_err(|cause| asked.error(cause))?;
    let given = match token::read(&answer) {
        Ok(given) => given,
        Err(mut cause) => {
            if let Cause::TokenRefused { hint, .. } = &mut cause {
                *hint = skew(&answer, way.wall_clock());
                // What is known may be what is wrong.
                state.discovered = None;
                for secret in request.secrets {
                    way.forget(secret).await;
                }
            }
            return Err(asked.error(cause));
        }
    };
    if let (Some(asked), Some(granted)) = (request.scope, &given.scope) {
        let missing = scope::missing(asked, granted);
        if !missing.is_empty() && !state.scope_was_told {
            state.scope_was_told = true;
            tracing::warn!(
                connection.name = %way.name(),
                scope.missing = missing.join(" "),
                "connection {} was granted less than it asked for: without {}, records may be missing",
                way.name(),
                missing.join(" "),
            );
        }
    }
    Ok(given)
}

/// A refused assertion may have expired on the way, if the clocks differ.
fn skew(answer: &EhrResponse, now: Timestamp) -> Option<String> {
    let text = answer.headers.get(DATE)?.to_str().ok()?;
    let theirs = httpdate::parse_http_date(text).ok()?;
    let seconds = Timestamp::try_from(theirs).ok()?.as_second() - now.as_second();
    (seconds.abs() > NOTABLE_SKEW_SECONDS).then(|| {
        let way = if seconds > 0 { "ahead of" } else { "behind" };
        format!(
            "the server's clock is {} seconds {way} this machine's, which makes assertions and tokens expire early: set the clock that is wrong",
            seconds.abs()
        )
    })
}

fn bearer(given: &token::Given) -> Result<Obtained, Cause> {
    let mut value =
        HeaderValue::from_str(&format!("Bearer {}", given.access_token.expose_secret())).map_err(
            |_| Cause::NoToken("the token has characters that no header can carry".to_owned()),
        )?;
    value.set_sensitive(true);
    Ok(Obtained {
        proof: Proof::Header(AUTHORIZATION, value),
        lifetime: given.lifetime,
    })
}

/// The refresh token that is good now, and the digest of the configured one that it goes back to.
async fn refresh_token(
    way: &Way<'_>,
    state: &mut State,
    first: &SecretReference,
) -> Result<(SecretString, [u8; 32]), Cause> {
    // One that could not be kept is kept first: nothing else knows it.
    keep(way, state).await?;
    let kept = way.kept().await?;
    let first = match (way.secret(first).await, &kept) {
        (Ok(first), _) => first,
        // What it was the first one of goes on without it.
        (Err(_), Some(kept)) => return Ok((kept.secret.clone(), kept.origin)),
        (Err(error), None) => return Err(Cause::Secret(error)),
    };
    let origin: [u8; 32] = Sha256::digest(first.expose_secret()).into();
    Ok(match kept {
        Some(kept) if kept.origin == origin => (kept.secret, origin),
        _ => (first, origin),
    })
}

/// Keeps what is not kept yet. It stays in memory until it is.
async fn keep(way: &Way<'_>, state: &mut State) -> Result<(), Cause> {
    if let Some(unkept) = &state.unkept {
        way.keep(unkept.clone()).await?;
        state.unkept = None;
    }
    Ok(())
}
