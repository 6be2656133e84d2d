//! How requests to an EHR prove who asks.

use crate::headers::secret_value;
use crate::secrets::{SecretError, Secrets};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use rounds_domain::plan::{Authentication, SecretReference};
use secrecy::ExposeSecret;

/// Writes the authentication over whatever the headers hold in its place.
pub(crate) async fn authenticate(
    headers: &mut HeaderMap,
    authentication: &Authentication,
    secrets: &Secrets,
) -> Result<(), SecretError> {
    let Some(reference) = reference(authentication) else {
        return Ok(());
    };
    let secret = secrets.read(reference).await?;
    let secret = secret.expose_secret();
    let (name, text) = match authentication {
        Authentication::None => return Ok(()),
        Authentication::Bearer(_) => (AUTHORIZATION, format!("Bearer {secret}")),
        Authentication::Basic { username, .. } => {
            let pair = STANDARD.encode(format!("{username}:{secret}"));
            (AUTHORIZATION, format!("Basic {pair}"))
        }
        Authentication::Header { name, .. } => (name.clone(), secret.to_owned()),
    };
    headers.insert(name, secret_value(reference, &text)?);
    Ok(())
}

/// The secret that it needs.
pub(crate) const fn reference(authentication: &Authentication) -> Option<&SecretReference> {
    match authentication {
        Authentication::None => None,
        Authentication::Bearer(value)
        | Authentication::Basic {
            password: value, ..
        }
        | Authentication::Header { value, .. } => Some(value),
    }
}
