//! What goes around and with a body: signatures, tokens, headers.

use super::signature::SigningKey;
use crate::headers::secret_value;
use crate::secrets::{SecretError, Secrets};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use rounds_domain::Former;
use rounds_domain::plan::{Destination, HeaderSource, SecretReference, is_framing_header};
use rounds_domain::ports::Message;
use secrecy::{ExposeSecret, SecretString};

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
/// Redox's, on every request.
const VERIFICATION_TOKEN: HeaderName = HeaderName::from_static("verification-token");
/// The lookups whose answers are missing, separated by commas.
const ROUNDS_MISSING: HeaderName = HeaderName::from_static("rounds-missing");
/// The paths of the body that are not as they were, separated by commas.
const ROUNDS_CHANGED: HeaderName = HeaderName::from_static("rounds-changed");
/// `unknown` where the record was there before the feed began, or may have been, and what it was then was not seen.
const ROUNDS_FORMER: HeaderName = HeaderName::from_static("rounds-former");
/// How long that list gets at most: receivers bound their headers.
const MOST_CHANGED_BYTES: usize = 1024;
/// Which attempt it is, from 1.
const ROUNDS_ATTEMPT: HeaderName = HeaderName::from_static("rounds-attempt");

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Whether a configured header may not have this name.
pub(super) fn is_ours(name: &HeaderName) -> bool {
    is_framing_header(name)
        || [
            WEBHOOK_ID,
            WEBHOOK_TIMESTAMP,
            WEBHOOK_SIGNATURE,
            ROUNDS_CHANGED,
            ROUNDS_FORMER,
            ROUNDS_MISSING,
            ROUNDS_ATTEMPT,
        ]
        .contains(name)
}

/// One request but for its method and URL.
#[derive(Clone)]
pub(super) struct Envelope {
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
}

/// Why it cannot be made.
pub(super) enum EnvelopeError {
    Secret(SecretError),
    Header(HeaderName),
}

impl From<SecretError> for EnvelopeError {
    fn from(error: SecretError) -> Self {
        Self::Secret(error)
    }
}

impl Envelope {
    /// A notification's.
    pub(super) async fn of_message(
        destination: &Destination,
        message: &Message,
        secrets: &Secrets,
    ) -> Result<Self, EnvelopeError> {
        let body = message.body.bytes().clone();
        let mut envelope = Self::with_credentials(destination, secrets).await?;
        envelope
            .sign(
                destination,
                secrets,
                message.id.as_str(),
                message.sent_at,
                body,
            )
            .await?;
        let content_type = HeaderValue::from_static(message.content_type);
        envelope.headers.entry(CONTENT_TYPE).or_insert(content_type);
        for (name, value) in &message.headers {
            let name = HeaderName::from_static(name);
            let value = header(&name, value)?;
            envelope.headers.insert(name, value);
        }
        envelope
            .headers
            .insert(ROUNDS_ATTEMPT, HeaderValue::from(message.attempt));
        let missing: Vec<&str> = message.gaps.iter().map(|gap| gap.lookup.as_str()).collect();
        if !missing.is_empty() {
            let value = header(&ROUNDS_MISSING, &missing.join(", "))?;
            envelope.headers.insert(ROUNDS_MISSING, value);
        }
        if message.former == Former::Unknown {
            let value = HeaderValue::from_static(Former::Unknown.as_str());
            envelope.headers.insert(ROUNDS_FORMER, value);
        }
        if let Some(value) = changed(&message.changed) {
            envelope.headers.insert(ROUNDS_CHANGED, value);
        }
        Ok(envelope)
    }

    /// What every request to the destination carries. Configured headers come first, so that what has a place of its own
    /// in the configuration wins.
    pub(super) async fn with_credentials(
        destination: &Destination,
        secrets: &Secrets,
    ) -> Result<Self, EnvelopeError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        for (name, source) in &destination.headers {
            let value = match source {
                HeaderSource::Literal(value) => value.clone(),
                HeaderSource::Secret(reference) => {
                    let secret = secrets.read(reference).await?;
                    secret_value(reference, secret.expose_secret())?
                }
            };
            headers.insert(name.clone(), value);
        }
        if let Some(reference) = &destination.verification_token {
            let token = secrets.read(reference).await?;
            let value = secret_value(reference, token.expose_secret())?;
            headers.insert(VERIFICATION_TOKEN, value);
        }
        if let Some(reference) = &destination.bearer {
            let token = secrets.read(reference).await?;
            let value = secret_value(reference, &format!("Bearer {}", token.expose_secret()))?;
            headers.insert(AUTHORIZATION, value);
        }
        Ok(Self {
            headers,
            body: None,
        })
    }

    /// Puts a JSON body in and signs it with every secret there is, so that a receiver may know the old or the new one.
    pub(super) async fn sign(
        &mut self,
        destination: &Destination,
        secrets: &Secrets,
        id: &str,
        sent_at: Timestamp,
        body: Bytes,
    ) -> Result<(), EnvelopeError> {
        let timestamp = sent_at.as_second().to_string();
        let mut signatures = Vec::with_capacity(destination.signing_secrets.len());
        for reference in &destination.signing_secrets {
            let key = signing_key(reference, &secrets.read(reference).await?)?;
            signatures.push(key.sign(id, &timestamp, &body));
        }
        let id = header(&WEBHOOK_ID, id)?;
        self.headers.insert(WEBHOOK_ID, id);
        let timestamp = header(&WEBHOOK_TIMESTAMP, &timestamp)?;
        self.headers.insert(WEBHOOK_TIMESTAMP, timestamp);
        self.headers.entry(CONTENT_TYPE).or_insert(JSON);
        if !signatures.is_empty() {
            let signatures = header(&WEBHOOK_SIGNATURE, &signatures.join(" "))?;
            self.headers.insert(WEBHOOK_SIGNATURE, signatures);
        }
        self.body = Some(body);
        Ok(())
    }
}

/// Whether a secret can be had now and can sign (`whsec_` and the base64 of 24 to 64 bytes), for `rounds check`.
pub async fn check_signing_secret(
    secrets: &Secrets,
    reference: &SecretReference,
) -> Result<(), SecretError> {
    let secret = secrets.read(reference).await?;
    signing_key(reference, &secret).map(|_| ())
}

/// Whether what came is signed with this secret, for what EHRs push.
pub(crate) fn is_signed(
    reference: &SecretReference,
    secret: &SecretString,
    signed: (&str, &str, &[u8]),
    signatures: &str,
) -> Result<bool, SecretError> {
    Ok(signing_key(reference, secret)?.is_among(signed, signatures))
}

fn signing_key(
    reference: &SecretReference,
    secret: &SecretString,
) -> Result<SigningKey, SecretError> {
    SigningKey::parse(secret.expose_secret()).map_err(|reason| {
        SecretError::new(
            reference,
            reason,
            "a signing secret is whsec_ and the base64 of 24 to 64 random bytes, or whsk_ and that of an ed25519 key; `rounds keys webhook` makes one",
        )
    })
}

/// The list as far as it fits. The body says it all; a path that no header can carry is not worth a failed delivery.
fn changed(paths: &[String]) -> Option<HeaderValue> {
    let plain = |path: &&String| {
        path.bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b',')
    };
    let mut list = String::new();
    for path in paths.iter().filter(plain) {
        if list.len() + path.len() > MOST_CHANGED_BYTES {
            break;
        }
        if !list.is_empty() {
            list.push_str(", ");
        }
        list.push_str(path);
    }
    (!list.is_empty()).then(|| HeaderValue::from_str(&list).ok())?
}

fn header(name: &HeaderName, text: &str) -> Result<HeaderValue, EnvelopeError> {
    HeaderValue::from_str(text).map_err(|_| EnvelopeError::Header(name.clone()))
}
