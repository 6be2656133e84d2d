//! Reading private keys.

use super::{KeyError, Pair, SigningKey};
use aws_lc_rs::rsa::{KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;

const GENERATE: &str = "make one with `rounds keys generate --algorithm ES384 --out key.pem`";
/// How many bytes a number of the curve P-384 has.
const COORDINATE_BYTES: usize = 48;

pub(super) fn parse(text: &str) -> Result<SigningKey, KeyError> {
    if text.trim_start().starts_with('{') {
        return jwk(text);
    }
    if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(KeyError::new(
            "the private key is encrypted",
            "decrypt it, for example with a command as the secret: `{ command: [openssl, pkey, -in, key.pem, -passin, file:/run/secrets/passphrase] }`",
        ));
    }
    if text.contains("BEGIN PUBLIC KEY") || text.contains("BEGIN CERTIFICATE") {
        return Err(KeyError::new(
            "there is a public key where the private key is needed",
            GENERATE,
        ));
    }
    let der = PrivateKeyDer::from_pem_slice(text.as_bytes())
        .map_err(|_| KeyError::new("it holds no private key in PEM or JWK", GENERATE))?;
    let pair = match &der {
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der())
            .ok()
            .map(Pair::Rsa),
        PrivateKeyDer::Sec1(der) => EcdsaKeyPair::from_private_key_der(
            &ECDSA_P384_SHA384_FIXED_SIGNING,
            der.secret_sec1_der(),
        )
        .ok()
        .map(Pair::Elliptic),
        PrivateKeyDer::Pkcs8(der) => {
            let der = der.secret_pkcs8_der();
            let elliptic = || EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, der);
            RsaKeyPair::from_pkcs8(der)
                .map(Pair::Rsa)
                .or_else(|_| elliptic().map(Pair::Elliptic))
                .ok()
        }
        _ => None,
    };
    match pair {
        Some(pair) => Ok(SigningKey { pair, named: None }),
        None => Err(KeyError::new(
            "the private key is neither RSA with 2048 bits or more nor on the curve P-384",
            GENERATE,
        )),
    }
}

fn jwk(text: &str) -> Result<SigningKey, KeyError> {
    // The parser's own words may quote what it read.
    let jwk: Value = serde_json::from_str(text)
        .map_err(|_| KeyError::new("it begins like a JWK and is not JSON", GENERATE))?;
    let member = |name: &str| jwk.get(name).and_then(Value::as_str);
    if jwk.get("keys").is_some() {
        return Err(KeyError::new(
            "there is a set of keys where one private key is needed",
            "give the one JWK alone, without `keys` around it",
        ));
    }
    if member("d").is_none() {
        return Err(KeyError::new(
            "the JWK has no private part (`d`)",
            "give the private JWK; the public one is for registration",
        ));
    }
    let bytes = |name: &str| -> Result<Vec<u8>, KeyError> {
        let text = member(name).ok_or_else(|| {
            KeyError::new(
                format!("the JWK has no `{name}`"),
                "give the whole private JWK, or PEM",
            )
        })?;
        URL_SAFE_NO_PAD
            .decode(text.trim_end_matches('='))
            .map_err(|_| KeyError::new(format!("`{name}` of the JWK is not base64url"), GENERATE))
    };
    let pair = match (member("kty"), member("crv")) {
        (Some("RSA"), _) => RsaKeyPair::from_components(&KeyPairComponents {
            public_key: PublicKeyComponents {
                n: bytes("n")?,
                e: bytes("e")?,
            },
            d: bytes("d")?,
            p: bytes("p")?,
            q: bytes("q")?,
            dP: bytes("dp")?,
            dQ: bytes("dq")?,
            qInv: bytes("qi")?,
        })
        .ok()
        .map(Pair::Rsa),
        (Some("EC"), Some("P-384")) => {
            let mut point = vec![4];
            point.extend(padded(&bytes("x")?));
            point.extend(padded(&bytes("y")?));
            EcdsaKeyPair::from_private_key_and_public_key(
                &ECDSA_P384_SHA384_FIXED_SIGNING,
                &padded(&bytes("d")?),
                &point,
            )
            .ok()
            .map(Pair::Elliptic)
        }
        _ => {
            return Err(KeyError::new(
                "the JWK is neither RSA nor on the curve P-384",
                GENERATE,
            ));
        }
    };
    match pair {
        Some(pair) => Ok(SigningKey {
            pair,
            named: member("kid").map(str::to_owned),
        }),
        None => Err(KeyError::new(
            "the parts of the JWK do not make a private key of 2048 bits or more",
            GENERATE,
        )),
    }
}

/// Some programs write numbers without their leading zeros.
fn padded(number: &[u8]) -> Vec<u8> {
    let zeros = COORDINATE_BYTES.saturating_sub(number.len());
    let mut padded = vec![0; zeros];
    padded.extend_from_slice(number);
    padded
}
