//! Keys that sign assertions (RFC 7523), and their public halves for registration.
//!
//! SMART Backend Services knows two algorithms: RS384 (RSA, PKCS #1 v1.5, SHA-384) and ES384 (ECDSA on P-384, SHA-384). Which
//! one it is follows from the key, so nobody has to say it and nobody can say it wrong. The cryptography is that of
//! aws-lc-rs, which TLS uses too; what stands here is reading (PEM or JWK), naming (RFC 7638 thumbprints) and writing.
//!
//! What to mind: a private key has no Debug beyond its algorithm and its name, no error repeats any of a key's text, and what
//! [`SigningKey::generate`] gives is a [`SecretString`].

mod read;

use crate::secrets::{SecretError, Secrets};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA384, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rounds_domain::plan::SecretReference;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt;

/// How assertions are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningAlgorithm {
    /// RSA with SHA-384.
    Rs384,
    /// ECDSA on the curve P-384 with SHA-384.
    Es384,
}

impl SigningAlgorithm {
    /// Its name in JWTs and JWKs (RFC 7518).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs384 => "RS384",
            Self::Es384 => "ES384",
        }
    }
}

/// A private key that cannot be used. Tells nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct KeyError {
    /// What is wrong with it.
    pub reason: String,
    /// How to mend it.
    pub hint: String,
}

impl KeyError {
    fn new(reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            hint: hint.into(),
        }
    }
}

/// A private key that signs assertions.
pub struct SigningKey {
    pair: Pair,
    /// The name that stands in a JWK.
    named: Option<String>,
}

enum Pair {
    Rsa(RsaKeyPair),
    Elliptic(EcdsaKeyPair),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm())
            .field("key_id", &self.key_id())
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Reads a private key: PEM (PKCS #8, PKCS #1 or SEC 1) or a JWK.
    ///
    /// # Errors
    /// When it is none, is a public key, is encrypted, or is of a kind that SMART does not know.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        read::parse(text)
    }

    /// Makes a key and gives it as PKCS #8 in PEM.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn generate(algorithm: SigningAlgorithm) -> Result<SecretString, KeyError> {
        let failed = |_| {
            KeyError::new(
                "a key cannot be made",
                "the system gave no randomness; try again",
            )
        };
        let der = match algorithm {
            SigningAlgorithm::Rs384 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa3072).map_err(failed)?;
                let der: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
                SecretString::from(STANDARD.encode(der.as_ref()))
            }
            SigningAlgorithm::Es384 => {
                let pair =
                    EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).map_err(failed)?;
                let der = pair.to_pkcs8v1().map_err(failed)?;
                SecretString::from(STANDARD.encode(der.as_ref()))
            }
        };
        let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
        let mut rest = der.expose_secret();
        while !rest.is_empty() {
            // RFC 7468: lines of 64 characters.
            let (line, after) = rest.split_at(rest.len().min(64));
            pem.push_str(line);
            pem.push('\n');
            rest = after;
        }
        pem.push_str("-----END PRIVATE KEY-----\n");
        Ok(SecretString::from(pem))
    }

    /// The algorithm that goes with the key.
    pub const fn algorithm(&self) -> SigningAlgorithm {
        match self.pair {
            Pair::Rsa(_) => SigningAlgorithm::Rs384,
            Pair::Elliptic(_) => SigningAlgorithm::Es384,
        }
    }

    /// The name of the key: what its JWK says, or else its thumbprint.
    pub fn key_id(&self) -> String {
        self.named.clone().unwrap_or_else(|| self.thumbprint())
    }

    /// The RFC 7638 thumbprint with SHA-256, in base64url.
    fn thumbprint(&self) -> String {
        // The required members in alphabetical order and without blanks, as serde_json writes its sorted maps.
        let required = Value::Object(self.public_members().into_iter().collect());
        URL_SAFE_NO_PAD.encode(Sha256::digest(required.to_string()))
    }

    /// The public half as a JWK, with what a server needs to know of it.
    pub fn public_jwk(&self) -> Value {
        let mut jwk: serde_json::Map<String, Value> = self.public_members().into_iter().collect();
        jwk.insert("alg".to_owned(), self.algorithm().as_str().into());
        jwk.insert("key_ops".to_owned(), json!(["verify"]));
        jwk.insert("kid".to_owned(), self.key_id().into());
        jwk.insert("use".to_owned(), "sig".into());
        Value::Object(jwk)
    }

    fn public_members(&self) -> Vec<(String, Value)> {
        let encoded = |bytes: &[u8]| Value::from(URL_SAFE_NO_PAD.encode(bytes));
        let members = match &self.pair {
            Pair::Rsa(pair) => {
                let public = pair.public_key();
                let exponent = public.exponent();
                let modulus = public.modulus();
                vec![
                    ("e", encoded(exponent.big_endian_without_leading_zero())),
                    ("kty", "RSA".into()),
                    ("n", encoded(modulus.big_endian_without_leading_zero())),
                ]
            }
            Pair::Elliptic(pair) => {
                // Uncompressed: 4, then the two coordinates in 48 bytes each.
                let point = pair.public_key().as_ref();
                let coordinates = point.get(1..).unwrap_or_default();
                let (x, y) = coordinates.split_at(coordinates.len() / 2);
                vec![
                    ("crv", "P-384".into()),
                    ("kty", "EC".into()),
                    ("x", encoded(x)),
                    ("y", encoded(y)),
                ]
            }
        };
        let owned = members.into_iter();
        owned
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    /// A JWT with these claims (RFC 7515, compact). `key_id` and `key_set_url` stand in its head.
    pub(crate) fn assertion(
        &self,
        key_id: Option<&str>,
        key_set_url: Option<&str>,
        claims: &Value,
    ) -> Result<SecretString, KeyError> {
        let mut head = json!({
            "alg": self.algorithm().as_str(),
            "kid": key_id.map_or_else(|| self.key_id(), str::to_owned),
            "typ": "JWT",
        });
        if let Some(url) = key_set_url {
            head["jku"] = url.into();
        }
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(head.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let signature = self.sign(signed.as_bytes())?;
        let whole = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
        Ok(SecretString::from(whole))
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let failed = |_| KeyError::new("the key did not sign", "make another one");
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA384, &random, message, &mut signature)
                    .map_err(failed)?;
                Ok(signature)
            }
            Pair::Elliptic(pair) => {
                let signature = pair.sign(&random, message).map_err(failed)?;
                Ok(signature.as_ref().to_vec())
            }
        }
    }
}

/// Public keys as one JWK Set: what is registered with an EHR, or served at a URL that is. Each key once.
pub fn public_key_set(keys: &[SigningKey]) -> Value {
    let mut public: Vec<Value> = Vec::new();
    for key in keys {
        let jwk = key.public_jwk();
        if !public.contains(&jwk) {
            public.push(jwk);
        }
    }
    json!({ "keys": public })
}

/// Whether the secret can be had now and is a private key that signs, for `rounds check`.
pub async fn check_private_key(
    secrets: &Secrets,
    reference: &SecretReference,
) -> Result<(), SecretError> {
    let text = secrets.read(reference).await?;
    match SigningKey::parse(text.expose_secret()) {
        Ok(_) => Ok(()),
        Err(error) => Err(SecretError::new(
            reference,
            format!("cannot be used: {}", error.reason),
            error.hint,
        )),
    }
}

#[cfg(test)]
mod tests;
