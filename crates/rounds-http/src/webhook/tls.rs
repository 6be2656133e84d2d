//! Clients with a certificate of their own (mTLS), or that trust an authority that the machine does not.
//!
//! Certificates and keys are secrets by reference like all others: read late, kept for a minute. When what is read has changed, a
//! new client is made, so that a renewed certificate needs no restart.

use crate::dial::{DialRules, builder};
use crate::secrets::{SecretError, Secrets};
use reqwest::{Certificate, Identity};
use rounds_domain::plan::{ClientCertificate, Destination, SecretReference};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

/// The client of one destination.
pub(super) enum Dialler {
    /// Nothing of its own: shared with whoever has the same rules.
    Shared(reqwest::Client),
    /// Its own.
    Own(Box<Own>),
}

/// What an own client is made of.
pub(super) struct Own {
    rules: DialRules,
    certificate: Option<ClientCertificate>,
    authority: Option<SecretReference>,
    /// Whichever is named when no client can be made of them.
    named: SecretReference,
    made: Mutex<Option<Made>>,
}

struct Made {
    /// A hash of what it was made of.
    mark: [u8; 32],
    client: reqwest::Client,
}

impl Dialler {
    /// The client of a destination. Where it needs one of its own, that is made when it is first used; else it is
    /// the one that is shared by all with these rules.
    pub(super) fn of(destination: &Destination, rules: DialRules, shared: reqwest::Client) -> Self {
        let (certificate, authority) = (
            destination.client_certificate.clone(),
            destination.certificate_authority.clone(),
        );
        let named = match (&certificate, &authority) {
            (Some(certificate), _) => certificate.private_key.clone(),
            (None, Some(authority)) => authority.clone(),
            (None, None) => return Self::Shared(shared),
        };
        Self::Own(Box::new(Own {
            rules,
            certificate,
            authority,
            named,
            made: Mutex::default(),
        }))
    }

    /// The client, with what its secrets say now.
    pub(super) async fn client(&self, secrets: &Secrets) -> Result<reqwest::Client, SecretError> {
        match self {
            Self::Shared(client) => Ok(client.clone()),
            Self::Own(own) => own.client(secrets).await,
        }
    }
}

impl Own {
    async fn client(&self, secrets: &Secrets) -> Result<reqwest::Client, SecretError> {
        let mut made = self.made.lock().await;
        let mut hash = Sha256::new();
        let mut builder = builder(&self.rules);
        if let Some(ClientCertificate {
            certificate,
            private_key,
        }) = &self.certificate
        {
            let chain = secrets.read(certificate).await?;
            let key = secrets.read(private_key).await?;
            let pem = format!("{}\n{}", chain.expose_secret(), key.expose_secret());
            hash.update(&pem);
            let identity = Identity::from_pem(pem.as_bytes()).map_err(|_| {
                SecretError::new(
                    certificate,
                    "and the private key beside it are no certificate with its key",
                    "both are PEM: the certificate with its chain, and a PKCS #8, PKCS #1 or SEC 1 key",
                )
            })?;
            builder = builder.identity(identity);
        }
        if let Some(authority) = &self.authority {
            let bundle = secrets.read(authority).await?;
            hash.update(bundle.expose_secret());
            let refused = || {
                SecretError::new(
                    authority,
                    "holds no certificate",
                    "a certificate authority is one or more certificates in PEM",
                )
            };
            let certificates = Certificate::from_pem_bundle(bundle.expose_secret().as_bytes())
                .ok()
                .filter(|certificates| !certificates.is_empty())
                .ok_or_else(refused)?;
            builder = builder.tls_certs_merge(certificates);
        }
        let mark: [u8; 32] = hash.finalize().into();
        if let Some(made) = made.as_ref().filter(|made| made.mark == mark) {
            return Ok(made.client.clone());
        }
        let client = builder.build().map_err(|_| {
            SecretError::new(
                &self.named,
                "and what belongs to it make no TLS client",
                "check that the private key belongs to the certificate",
            )
        })?;
        *made = Some(Made {
            mark,
            client: client.clone(),
        });
        Ok(client)
    }
}
