//! Redox's challenge: an endpoint proves itself by echoing a text before the first notification is sent to it.
//!
//! Redox's documentation has two ways, both of which its customers' endpoints answer: a POST whose body holds the
//! token and the challenge, or a GET that has them in its query. Older pages put the token into a header, so it is
//! there as well. The endpoint answers 200 with the challenge anywhere in the body, bare or in JSON.

use super::envelope::{Envelope, EnvelopeError};
use super::{Endpoint, Failure, WebhookClient};
use crate::codes;
use bytes::Bytes;
use http::{Method, StatusCode};
use rounds_domain::plan::{Challenge, Destination};
use rounds_domain::ports::ChallengeFailure;
use secrecy::ExposeSecret;
use url::Url;

const TOKEN: &str = "verification-token";
const CHALLENGE: &str = "challenge";

impl WebhookClient {
    /// Asks the endpoint for the challenge, in the way that its destination names.
    pub(super) async fn ask(
        &self,
        endpoint: &Endpoint,
        challenge: &str,
    ) -> Result<(), ChallengeFailure> {
        let destination = &endpoint.destination;
        let question = match destination.challenge {
            Challenge::None => return Ok(()),
            Challenge::Post => self.posted(destination, challenge).await,
            Challenge::Get => self.gotten(destination, challenge).await,
        };
        let (method, url, envelope) =
            question.map_err(|error| Failure::from(error).into_challenge_failure())?;
        let answer = endpoint
            .exchange(method, url, envelope)
            .await
            .map_err(Failure::into_challenge_failure)?;
        self.forget_if_refused(destination, answer.status).await;
        let failed = |what: String| ChallengeFailure {
            code: codes::DESTINATION_CHALLENGE,
            message: format!(
                "{}: asked to echo a challenge, the endpoint {what}",
                destination.url.origin().ascii_serialization()
            ),
        };
        if answer.status != StatusCode::OK {
            return Err(failed(answer.refusal_in_words(&destination.url)));
        }
        if !holds(&answer.body, challenge.as_bytes()) {
            return Err(failed("answered 200 OK without the challenge".to_owned()));
        }
        Ok(())
    }

    async fn posted(
        &self,
        destination: &Destination,
        challenge: &str,
    ) -> Result<(Method, Url, Envelope), EnvelopeError> {
        let mut body = serde_json::Map::new();
        if let Some(token) = self.token(destination).await? {
            body.insert(TOKEN.to_owned(), token.into());
        }
        body.insert(CHALLENGE.to_owned(), challenge.into());
        let body = Bytes::from(serde_json::Value::Object(body).to_string());
        let mut envelope = Envelope::with_credentials(destination, &self.secrets).await?;
        // Signed like a notification, for receivers that look at nothing unsigned.
        let id = format!("chl_{challenge}");
        envelope
            .sign(destination, &self.secrets, &id, self.clock.now(), body)
            .await?;
        Ok((Method::POST, destination.url.clone(), envelope))
    }

    async fn gotten(
        &self,
        destination: &Destination,
        challenge: &str,
    ) -> Result<(Method, Url, Envelope), EnvelopeError> {
        let mut url = destination.url.clone();
        url.query_pairs_mut().append_pair(CHALLENGE, challenge);
        if let Some(token) = self.token(destination).await? {
            url.query_pairs_mut().append_pair(TOKEN, &token);
        }
        let envelope = Envelope::with_credentials(destination, &self.secrets).await?;
        Ok((Method::GET, url, envelope))
    }

    async fn token(&self, destination: &Destination) -> Result<Option<String>, EnvelopeError> {
        let Some(reference) = &destination.verification_token else {
            return Ok(None);
        };
        let token = self.secrets.read(reference).await?;
        Ok(Some(token.expose_secret().to_owned()))
    }
}

/// Whether the body holds the text. An empty text proves nothing.
fn holds(body: &[u8], text: &[u8]) -> bool {
    !text.is_empty() && body.windows(text.len()).any(|window| window == text)
}
