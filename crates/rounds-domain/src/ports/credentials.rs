//! Secrets that an EHR gave and that must outlive the process.

use super::StoreError;
use crate::ConnectionName;
use async_trait::async_trait;
use secrecy::SecretString;

/// Keeps one secret for each connection: the refresh token that is good now.
///
/// An EHR that rotates refresh tokens takes each of them once. Losing the last one means that a person has to log in
/// again, so it is kept before anything is done with what came along with it.
#[async_trait]
pub trait Credentials: Send + Sync + 'static {
    /// What is kept for this connection.
    async fn credential(
        &self,
        connection: &ConnectionName,
    ) -> Result<Option<Credential>, StoreError>;

    /// Replaces what is kept for this connection. It is on the disk when this is done.
    async fn keep_credential(
        &self,
        connection: &ConnectionName,
        credential: Credential,
    ) -> Result<(), StoreError>;
}

/// A secret that an EHR gave. Debug shows nothing of it.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The secret.
    pub secret: SecretString,
    /// SHA-256 of the configured secret that it goes back to. Where the user configures another one, what is kept is no
    /// longer meant.
    pub origin: [u8; 32],
}
