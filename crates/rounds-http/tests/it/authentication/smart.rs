//! SMART Backend Services, against a server that verifies as the standard says.

use super::fake::{Books, form};
use super::*;
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA384, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rounds_domain::plan::SmartBackend;
use rounds_http::{SigningAlgorithm, SigningKey, public_key_set};
use secrecy::ExposeSecret;
use serde_json::Value;
use std::sync::LazyLock;

/// The client's keys. Making one of RSA takes a while.
pub(super) static KEY: LazyLock<String> = LazyLock::new(|| generated(SigningAlgorithm::Es384));
pub(super) static OTHER_KEY: LazyLock<String> =
    LazyLock::new(|| generated(SigningAlgorithm::Rs384));

fn generated(algorithm: SigningAlgorithm) -> String {
    let pem = SigningKey::generate(algorithm).expect("a key");
    pem.expose_secret().to_owned()
}

fn parsed(pem: &str) -> SigningKey {
    SigningKey::parse(pem).expect("a key")
}

fn decoded(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).expect("base64url")
}

fn signature_holds(jwk: &Value, message: &str, signature: &[u8]) -> bool {
    let member = |name: &str| decoded(jwk[name].as_str().expect("a text"));
    let message = message.as_bytes();
    if jwk["kty"] == "RSA" {
        let (n, e) = (member("n"), member("e"));
        RsaPublicKeyComponents { n, e }
            .verify(&RSA_PKCS1_2048_8192_SHA384, message, signature)
            .is_ok()
    } else {
        let point = [vec![4], member("x"), member("y")].concat();
        UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point)
            .verify(message, signature)
            .is_ok()
    }
}

impl Books {
    /// Whether an assertion is good: signed by the registered key that it names, for this server, not too long, and new.
    pub(super) fn verifies(&mut self, assertion: &str, clock: &TestClock) -> bool {
        let Some((message, signature)) = assertion.rsplit_once('.') else {
            return false;
        };
        let Some((head, claims)) = message.split_once('.') else {
            return false;
        };
        let json = |text: &str| -> Value { serde_json::from_slice(&decoded(text)).expect("JSON") };
        let (head, claims) = (json(head), json(claims));
        let keys = self.jwks["keys"].as_array().cloned().unwrap_or_default();
        let Some(jwk) = keys.iter().find(|jwk| jwk["kid"] == head["kid"]) else {
            return false;
        };
        let now = clock.now().as_second();
        let expires = claims["exp"].as_i64().expect("a number");
        let members: Vec<&String> = claims.as_object().expect("claims").keys().collect();
        let jti = claims["jti"].as_str().expect("a text").to_owned();
        members == ["aud", "exp", "iss", "jti", "sub"]
            && head["alg"] == jwk["alg"]
            && head["typ"] == "JWT"
            && claims["iss"] == "rounds"
            && claims["sub"] == "rounds"
            && claims["aud"] == self.audience.as_str()
            && (now..=now + 300).contains(&expires)
            && signature_holds(jwk, message, &decoded(signature))
            && self.seen_jti.insert(jti)
    }
}

fn smart(key: &str) -> SmartBackend {
    SmartBackend {
        client_id: "rounds".to_owned(),
        private_key: environment(key),
        key_id: None,
        scope: "system/*.read".to_owned(),
        token_url: TokenUrl::Discovered,
        audience: None,
        key_set_url: None,
    }
}

/// A world whose server knows these public keys.
async fn registered(keys: &[&str]) -> World {
    let world = World::new().await;
    let keys: Vec<_> = keys.iter().map(|pem| parsed(pem)).collect();
    {
        let mut books = world.fake.books();
        books.authorization = Some("nobody".to_owned());
        books.jwks = public_key_set(&keys);
        books.audience = world.url("token").to_string();
    }
    world
}

#[tokio::test]
async fn both_algorithms_are_verified_by_the_registered_public_keys() {
    for key in ["KEY", "OTHER_KEY"] {
        let world = registered(&[KEY.as_str(), OTHER_KEY.as_str()]).await;
        world.fake.books().lifetime = seconds(3);
        let client = world.client(Authentication::SmartBackend(Box::new(smart(key))));
        for _ in 0..4 {
            assert_eq!(world.ask(&client).await, Ok(StatusCode::OK));
            world.clock.advance(seconds(2));
        }
        world.expect(4, 4);
        // Discovered once, and every assertion was new.
        let path = "/api/.well-known/smart-configuration";
        assert_eq!(world.fake.asked(path), 1);
        assert_eq!(world.fake.books().seen_jti.len(), 4);
        let token_request = &world.server.received()[1];
        let form = form(token_request);
        let names: Vec<&str> = form.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "client_assertion",
                "client_assertion_type",
                "grant_type",
                "scope"
            ]
        );
        assert_eq!(token_request.header("authorization"), "");
    }
}

#[tokio::test]
async fn what_the_server_does_not_know_or_want_is_refused() {
    let foreign = registered(&[OTHER_KEY.as_str()]).await;
    let audience = registered(&[KEY.as_str()]).await;
    audience.fake.books().audience = "https://elsewhere".to_owned();
    for world in [&foreign, &audience] {
        let client = world.client(Authentication::SmartBackend(Box::new(smart("KEY"))));
        let error = world.ask(&client).await.expect_err("it is refused");
        assert_eq!(error.code.as_str(), "R0330");
        assert!(error.message.ends_with("invalid_client"), "{error}");
    }
    let mut own = smart("KEY");
    own.audience = Some("https://elsewhere".to_owned());
    let client = audience.client(Authentication::SmartBackend(Box::new(own)));
    assert_eq!(audience.ask(&client).await, Ok(StatusCode::OK));
}

#[tokio::test]
async fn a_replayed_assertion_is_refused_by_the_fake() {
    let world = registered(&[KEY.as_str()]).await;
    let client = world.client(Authentication::SmartBackend(Box::new(smart("KEY"))));
    world.ask(&client).await.expect("an answer");
    let assertion = form(&world.server.received()[1])["client_assertion"].clone();
    let again = world.fake.books().verifies(&assertion, &world.clock);
    assert!(!again, "the judge of these stories sees replays");
    world.fake.books().seen_jti.clear();
    let anew = world.fake.books().verifies(&assertion, &world.clock);
    assert!(anew, "and nothing else was wrong with it");
    world.fake.books().seen_jti.clear();
    world.clock.advance(seconds(300));
    let late = world.fake.books().verifies(&assertion, &world.clock);
    assert!(!late, "and it sees that it expired");
}

#[tokio::test]
async fn clocks_that_differ_are_told() {
    let world = registered(&[KEY.as_str()]).await;
    // TestClock stands at 08:49:37; the server is ten minutes ahead and finds all assertions expired.
    world.fake.books().tokens = Some(crate::server::answer(
        "400 Bad Request",
        &["date: Sun, 06 Nov 1994 08:59:37 GMT"],
        "{\"error\":\"invalid_client\"}",
    ));
    let client = world.client(Authentication::SmartBackend(Box::new(smart("KEY"))));
    let error = world.ask(&client).await.expect_err("it is refused");
    let hint = error.hint.expect("a hint");
    assert!(hint.contains("600 seconds ahead of"), "{hint}");
}

#[tokio::test]
async fn a_key_and_a_discovery_that_fail_say_how() {
    let world = registered(&[KEY.as_str()]).await;
    let client = world.client(Authentication::SmartBackend(Box::new(smart("PASSWORD"))));
    let error = world.ask(&client).await.expect_err("that is no key");
    assert_eq!(error.code.as_str(), "R0333");
    let mut connection = world.connection(Authentication::SmartBackend(Box::new(smart("KEY"))));
    connection.base_url = world.url("elsewhere/");
    let client = world.client_of(connection);
    let error = world.ask(&client).await.expect_err("nothing is there");
    assert_eq!(error.code.as_str(), "R0334");
    assert!(
        error
            .message
            .ends_with("for its SMART configuration: the answer is 401 Unauthorized"),
        "{error}"
    );
}
