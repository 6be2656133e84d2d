//! Keys are read, named and written right.

use super::*;
use aws_lc_rs::encoding::{AsBigEndian, EcPrivateKeyBin};
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA384};
use aws_lc_rs::signature::{RsaPublicKeyComponents, UnparsedPublicKey};

fn decoded(jwk: &Value, name: &str) -> Vec<u8> {
    let text = jwk[name].as_str().expect("a text");
    URL_SAFE_NO_PAD.decode(text).expect("base64url")
}

/// Whether the public JWK alone verifies it.
fn verifies(jwk: &Value, message: &[u8], signature: &[u8]) -> bool {
    if jwk["kty"] == "RSA" {
        let key = RsaPublicKeyComponents {
            n: decoded(jwk, "n"),
            e: decoded(jwk, "e"),
        };
        return key
            .verify(&RSA_PKCS1_2048_8192_SHA384, message, signature)
            .is_ok();
    }
    let point = [vec![4], decoded(jwk, "x"), decoded(jwk, "y")].concat();
    UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point)
        .verify(message, signature)
        .is_ok()
}

#[test]
fn a_generated_key_signs_what_its_public_half_verifies() -> Result<(), KeyError> {
    for algorithm in [SigningAlgorithm::Rs384, SigningAlgorithm::Es384] {
        let pem = SigningKey::generate(algorithm)?;
        let key = SigningKey::parse(pem.expose_secret())?;
        assert_eq!(key.algorithm(), algorithm);
        let jwk = key.public_jwk();
        assert_eq!(jwk["alg"], algorithm.as_str());
        assert_eq!(jwk["kid"], key.key_id());
        for private in ["d", "p", "q", "dp", "dq", "qi"] {
            assert!(jwk.get(private).is_none(), "{private} of {algorithm:?}");
        }
        let signature = key.sign(b"message")?;
        assert!(verifies(&jwk, b"message", &signature));
        assert!(!verifies(&jwk, b"another", &signature));
        let shown = format!("{key:?}");
        assert!(
            shown.starts_with("SigningKey { algorithm: ") && shown.len() < 120,
            "{shown}"
        );
    }
    Ok(())
}

#[test]
fn the_thumbprint_is_that_of_the_standard() -> Result<(), KeyError> {
    // RFC 7638, 3.1: the members of an RSA key and their thumbprint, by the same steps.
    let members = json!({
        "e": "AQAB",
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    });
    assert_eq!(
        URL_SAFE_NO_PAD.encode(Sha256::digest(members.to_string())),
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    );
    let key = SigningKey::parse(SigningKey::generate(SigningAlgorithm::Es384)?.expose_secret())?;
    let members = Value::Object(key.public_members().into_iter().collect()).to_string();
    assert!(
        members.starts_with(r#"{"crv":"P-384","kty":"EC","x":""#),
        "{members}"
    );
    Ok(())
}

/// A JWK whose parts are no numbers.
const JWK: &str = r#"{"kty":"EC","crv":"P-384","kid":"2026-11","d":"D","x":"X","y":"Y"}"#;

#[test]
fn a_private_jwk_is_the_same_key_under_its_own_name() -> Result<(), KeyError> {
    let pem = SigningKey::generate(SigningAlgorithm::Es384)?;
    let key = SigningKey::parse(pem.expose_secret())?;
    let Pair::Elliptic(pair) = &key.pair else {
        panic!("it is on a curve");
    };
    let number: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes().expect("its number");
    let mut jwk = key.public_jwk();
    jwk["d"] = URL_SAFE_NO_PAD.encode(number.as_ref()).into();
    jwk["kid"] = "2026-11".into();
    let read = SigningKey::parse(&jwk.to_string())?;
    assert_eq!(read.key_id(), "2026-11");
    assert_eq!(read.public_members(), key.public_members());
    assert!(verifies(
        &key.public_jwk(),
        b"message",
        &read.sign(b"message")?
    ));
    Ok(())
}

#[test]
fn what_is_no_private_key_is_told_without_its_text() {
    for (text, words) in [
        ("hunter2", "no private key in PEM or JWK"),
        ("{ hunter2", "not JSON"),
        (
            r#"{"kty":"EC","crv":"P-384","x":"hunter2"}"#,
            "no private part",
        ),
        (r#"{"keys":[]}"#, "set of keys"),
        (
            r#"{"kty":"EC","crv":"P-256","d":"hunter2"}"#,
            "neither RSA nor",
        ),
        (
            r#"{"kty":"RSA","d":"aHVudGVyMg","n":"AQAB","e":"AQAB"}"#,
            "no `p`",
        ),
        (JWK, "`x` of the JWK is not base64url"),
        (
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nhunter2\n-----END ENCRYPTED PRIVATE KEY-----",
            "encrypted",
        ),
        (
            "-----BEGIN PUBLIC KEY-----\nhunter2\n-----END PUBLIC KEY-----",
            "public key",
        ),
        (
            "-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----",
            "neither RSA with 2048 bits",
        ),
    ] {
        let error = SigningKey::parse(text).expect_err(words);
        assert!(error.reason.contains(words), "{}", error.reason);
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[test]
fn a_set_has_each_key_once() -> Result<(), KeyError> {
    let pem = SigningKey::generate(SigningAlgorithm::Es384)?;
    let other = SigningKey::generate(SigningAlgorithm::Es384)?;
    let keys = [&pem, &other, &pem].map(|pem| SigningKey::parse(pem.expose_secret()));
    let keys: Vec<_> = keys.into_iter().collect::<Result<_, _>>()?;
    let set = public_key_set(&keys);
    assert_eq!(set["keys"].as_array().map(Vec::len), Some(2));
    Ok(())
}
