//! Endpoints that prove themselves, and those that do not.

use super::*;
use crate::server::{deserted_address, head};
use rounds_domain::ports::ChallengeFailure;

const CHALLENGE: &str = "3b0c6c6e-5d0f-4f0e-9d55-1f2d8f5f3c11";

async fn challenged(destination: Destination) -> Result<(), ChallengeFailure> {
    let verdict = client(destination)
        .challenge(&name(), CHALLENGE.to_owned())
        .await;
    assert_discreet(&format!("{verdict:?}"));
    verdict
}

fn destination_with(server: &Server, challenge: Challenge) -> Destination {
    let mut destination = destination_at(server);
    destination.challenge = challenge;
    destination.verification_token = Some(environment("TOKEN"));
    destination
}

#[tokio::test]
async fn a_post_holds_the_token_and_the_challenge() {
    let server = Server::always(answer("200 OK", &[], CHALLENGE)).await;
    let mut destination = destination_with(&server, Challenge::Post);
    destination.signing_secrets = vec![environment("SIGN_OLD")];
    challenged(destination).await.expect("it proves itself");
    let received = server.only();
    assert!(received.line().starts_with("POST "));
    let body: serde_json::Value = serde_json::from_slice(&received.body).expect("JSON");
    assert_eq!(
        body,
        serde_json::json!({"verification-token": "hunter2-TOKEN", "challenge": CHALLENGE})
    );
    assert_eq!(received.header("verification-token"), "hunter2-TOKEN");
    standardwebhooks::Webhook::new(&signing_secret(1))
        .expect("a secret")
        .verify(&received.body, &received.headers())
        .expect("it is signed like a notification");
}

#[tokio::test]
async fn a_get_has_them_in_its_query_beside_what_was_there() {
    let body = format!(r#"{{"challenge":"{CHALLENGE}"}}"#);
    let server = Server::always(answer("200 OK", &[], body)).await;
    challenged(destination_with(&server, Challenge::Get))
        .await
        .expect("it proves itself");
    let received = server.only();
    assert_eq!(
        received.line(),
        format!(
            "GET /hooks/{CONFIDENTIAL}?key={CONFIDENTIAL}&challenge={CHALLENGE}&verification-token=hunter2-TOKEN HTTP/1.1"
        )
    );
    assert!(received.body.is_empty());
}

#[tokio::test]
async fn the_challenge_may_stand_anywhere_in_the_first_64_kib() {
    for (before, proves) in [(0, true), (50_000, true), (1_000_000, false)] {
        let body = format!("{}{CHALLENGE}", " ".repeat(before));
        let server = Server::always(answer("200 OK", &[], body)).await;
        let verdict = challenged(destination_with(&server, Challenge::Post)).await;
        assert_eq!(verdict.is_ok(), proves, "after {before} bytes");
    }
}

#[tokio::test]
async fn anything_else_proves_nothing() {
    for (answer, words) in [
        (
            answer("200 OK", &[], "ok patient-4711"),
            "answered 200 OK without the challenge",
        ),
        (
            answer("200 OK", &[], &CHALLENGE[1..]),
            "answered 200 OK without the challenge",
        ),
        (
            answer("201 Created", &[], CHALLENGE),
            "answered 201 Created",
        ),
        (
            answer("403 Forbidden", &[], CHALLENGE),
            "answered 403 Forbidden",
        ),
        (
            answer("302 Found", &["location: /patient-4711"], ""),
            "redirects are not followed; set the final URL",
        ),
        (
            Answer::Bytes(head("200 OK", &["content-length: 36"])),
            "without the challenge",
        ),
    ] {
        let server = Server::always(answer).await;
        let failure = challenged(destination_with(&server, Challenge::Post))
            .await
            .expect_err(words);
        assert_eq!(failure.code.as_str(), "R0507");
        assert!(failure.message.ends_with(words), "{failure}");
    }
}

#[tokio::test]
async fn trouble_on_the_way_keeps_its_own_code() {
    let address = deserted_address().await;
    let mut deserted = destination(&format!("http://{address}/"));
    deserted.challenge = Challenge::Get;
    assert_eq!(
        challenged(deserted)
            .await
            .expect_err("nobody is there")
            .code
            .as_str(),
        "R0501"
    );

    let mut forbidden = destination("http://10.0.0.1/");
    forbidden.challenge = Challenge::Post;
    assert_eq!(
        challenged(forbidden)
            .await
            .expect_err("it is private")
            .code
            .as_str(),
        "R0505"
    );

    let mut secretless = destination("https://app.example.org/");
    secretless.challenge = Challenge::Post;
    secretless.verification_token = Some(environment("ABSENT"));
    assert_eq!(
        challenged(secretless)
            .await
            .expect_err("no token")
            .code
            .as_str(),
        "R0506"
    );
}

#[tokio::test]
async fn without_a_challenge_nothing_is_asked() {
    let server = Server::always(answer("500 Oops", &[], "")).await;
    challenged(destination_with(&server, Challenge::None))
        .await
        .expect("nothing to prove");
    assert!(server.received().is_empty());
}
