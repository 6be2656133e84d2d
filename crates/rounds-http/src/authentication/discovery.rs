//! Where tokens are asked for, from `.well-known/smart-configuration` (SMART App Launch 2.2, "Conformance").

use super::session::State;
use super::way::Way;
use crate::ehr::failure::{Asked, Cause, Purpose};
use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue, Method};
use rounds_domain::plan::TokenUrl;
use rounds_domain::ports::EhrError;
use serde_json::Value;
use std::time::Duration;
use url::Url;

/// How long an answer is believed. It is asked for anew, too, when the token endpoint refused.
const BELIEVED_FOR: Duration = Duration::from_hours(1);
const PATH: &str = ".well-known/smart-configuration";

/// The token URL that the user gave, or the one that the EHR says.
pub(super) async fn token_url(
    way: &mut Way<'_>,
    state: &mut State,
    configured: &TokenUrl,
) -> Result<Url, EhrError> {
    match configured {
        TokenUrl::At(url) => Ok(url.clone()),
        TokenUrl::Discovered => {
            let now = way.now();
            if let Some((url, at)) = &state.discovered
                && now.saturating_sub(*at) < BELIEVED_FOR
            {
                return Ok(url.clone());
            }
            let url = ask(way).await?;
            state.discovered = Some((url.clone(), now));
            Ok(url)
        }
    }
}

async fn ask(way: &mut Way<'_>) -> Result<Url, EhrError> {
    let base = way.base_url().clone();
    // A base URL ends with a slash, so this cannot fail.
    let url = base.join(PATH).unwrap_or_else(|_| base.clone());
    let asked = way.asked(&Method::GET, &url, Purpose::Discovery);
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let answer = way
        .ask(Method::GET, url, headers, None)
        .await
        .map_err(|cause| asked.error(cause))?;
    let none = |words: String| asked.error(Cause::NotDiscovered(words));
    if !answer.status.is_success() {
        return Err(
            if answer.status.is_server_error() || answer.status.as_u16() == 429 {
                asked.error(Cause::TokensUnavailable {
                    status: answer.status,
                    word: None,
                })
            } else {
                none(format!("the answer is {}", answer.status))
            },
        );
    }
    let body: Value = serde_json::from_slice(&answer.body)
        .map_err(|_| none("the answer is not JSON".to_owned()))?;
    let found = body.get("token_endpoint").and_then(Value::as_str);
    let url = found
        .and_then(|text| Url::parse(text).ok())
        .ok_or_else(|| none("the answer has no `token_endpoint` with a whole URL".to_owned()))?;
    check(&asked, &base, url)
}

/// What an answer says is not believed as the user is: no plain token URL beside an encrypted base URL.
fn check(asked: &Asked, base: &Url, url: Url) -> Result<Url, EhrError> {
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    if !is_web || (base.scheme() == "https" && url.scheme() != "https") {
        return Err(asked.error(Cause::NotDiscovered(
            "`token_endpoint` leads to where nothing is encrypted".to_owned(),
        )));
    }
    Ok(url)
}
