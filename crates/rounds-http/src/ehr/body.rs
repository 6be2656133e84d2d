//! What a request sends along: the secrets in it are filled in when it leaves and not before.

use super::failure::{Asked, Cause};
use super::lane::Lane;
use crate::authentication::Proof;
use crate::secrets::SecretError;
use rounds_domain::ports::{BodyPiece, BodySecret, EhrError, RequestBody};
use secrecy::{ExposeSecret, SecretString};

impl Lane {
    /// The bytes of a body.
    pub(super) async fn fill(
        &self,
        body: &RequestBody,
        proof: Option<&Proof>,
        asked: &Asked,
    ) -> Result<Vec<u8>, EhrError> {
        let mut whole = String::new();
        for piece in &body.pieces {
            match piece {
                BodyPiece::Ready(text) => whole.push_str(text),
                BodyPiece::Secret { source, escape } => {
                    let secret = self
                        .secret_of(source, proof)
                        .await
                        .map_err(|cause| asked.error(cause))?;
                    escape.write(secret.expose_secret(), &mut whole);
                }
            }
        }
        Ok(whole.into_bytes())
    }

    async fn secret_of(
        &self,
        source: &BodySecret,
        proof: Option<&Proof>,
    ) -> Result<SecretString, Cause> {
        match source {
            BodySecret::Session => proof.and_then(Proof::in_body).cloned().ok_or_else(|| {
                Cause::NoSession("the connection has no session for bodies".to_owned())
            }),
            BodySecret::Named(name) => {
                let mut secrets = self.connection.secrets.iter();
                let (_, reference) = secrets.find(|(known, _)| known == name).ok_or_else(|| {
                    Cause::NoSession(format!("the connection has no secret `{name}`"))
                })?;
                let secret: Result<_, SecretError> = self.secrets.read(reference).await;
                secret.map_err(Cause::Secret)
            }
        }
    }
}
