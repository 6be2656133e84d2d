//! The receiver: what it takes, what it refuses, and what it keeps.

use jiff::{SignedDuration, Timestamp};
use rounds_testkit::clock::ManualClock;
use rounds_testkit::http::StatusCode;
use rounds_testkit::receiver::{FakeReceiver, Fate, RefusalReason, SignatureError, SigningSecret};
use rounds_testkit::wire::{Answered, Gate, LengthHeader, RetryAfter, StatusAnswer, WireFault};
use std::time::Duration;

use crate::client::{Reply, get, post, request};
use crate::{PATIENCE, ten_o_clock};

const OLD: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const NEW: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const BODY: &[u8] = br#"{"record":{"id":7}}"#;

fn secret(text: &str) -> SigningSecret {
    SigningSecret::parse(text).expect("a valid secret")
}

/// Sends [`BODY`] as a Standard Webhooks notification.
async fn notify(url: &str, secret: &SigningSecret, at: Timestamp) -> Reply {
    let (timestamp, signature) = (at.as_second().to_string(), secret.sign("msg_1", at, BODY));
    post(
        url,
        &[
            ("webhook-id", "msg_1"),
            ("webhook-timestamp", &timestamp),
            ("webhook-signature", &signature),
        ],
        BODY,
    )
    .await
}

fn fates(receiver: &FakeReceiver) -> Vec<Fate> {
    receiver
        .attempts()
        .iter()
        .map(|received| received.fate.clone())
        .collect()
}

#[tokio::test]
async fn what_was_sent_is_kept_as_it_was() {
    let clock = ten_o_clock();
    let receiver = FakeReceiver::builder()
        .clock(clock.clock())
        .start()
        .await
        .expect("it starts");
    let reply = post(
        &receiver.url("app"),
        &[("webhook-id", "msg_1"), ("x-extra", "1")],
        BODY,
    )
    .await;
    assert_eq!(
        (reply.status, reply.header("date")),
        (204, Some("Tue, 10 May 2022 10:00:00 GMT"))
    );

    let received = receiver
        .wait_for(1, PATIENCE)
        .await
        .expect("it came")
        .remove(0);
    assert_eq!(
        (
            received.hook.as_str(),
            received.at,
            received.notification_id()
        ),
        ("app", clock.now(), Some("msg_1"))
    );
    assert_eq!(
        (&received.body[..], received.headers["x-extra"].as_bytes()),
        (BODY, b"1".as_slice())
    );
    assert_eq!(received.json().expect("it is JSON")["record"]["id"], 7);
    assert_eq!(received.answered, Answered::Status(StatusCode::NO_CONTENT));
    assert_eq!(
        post(&format!("{}x", receiver.url("")), &[], BODY)
            .await
            .status,
        204,
        "every name is a hook"
    );
    assert_eq!(
        post(&receiver.url("").replace("/hooks/", "/other"), &[], BODY)
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn signatures_are_checked_also_through_a_rotation() {
    let clock: ManualClock = ten_o_clock();
    let receiver = FakeReceiver::builder()
        .clock(clock.clock())
        .signing_secret(secret(OLD))
        .start()
        .await
        .expect("it starts");
    let url = receiver.url("app");
    assert_eq!(notify(&url, &secret(OLD), clock.now()).await.status, 204);
    assert_eq!(notify(&url, &secret(NEW), clock.now()).await.status, 401);
    receiver.set_signing_secrets(vec![secret(OLD), secret(NEW)]);
    assert_eq!(notify(&url, &secret(NEW), clock.now()).await.status, 204);
    assert_eq!(
        notify(
            &url,
            &secret(NEW),
            clock.now() - SignedDuration::from_secs(301)
        )
        .await
        .status,
        401
    );
    assert_eq!(post(&url, &[], BODY).await.status, 401);

    let refused = |error| Fate::Refused(RefusalReason::Signature(error));
    assert_eq!(
        fates(&receiver),
        [
            Fate::Taken,
            refused(SignatureError::Mismatch),
            Fate::Taken,
            refused(SignatureError::Stale(SignedDuration::from_secs(301))),
            refused(SignatureError::MissingHeader("webhook-id")),
        ]
    );
}

#[tokio::test]
async fn the_verification_token_is_checked_on_every_notification() {
    let receiver = FakeReceiver::builder()
        .verification_token("agreed")
        .start()
        .await
        .expect("it starts");
    let url = receiver.url("redox");
    assert_eq!(
        post(&url, &[("verification-token", "agreed")], BODY)
            .await
            .status,
        204
    );
    assert_eq!(
        post(&url, &[("verification-token", "guessed")], BODY)
            .await
            .status,
        401
    );
    assert_eq!(post(&url, &[], BODY).await.status, 401);
    assert_eq!(
        fates(&receiver)[1..],
        [
            Fate::Refused(RefusalReason::VerificationToken),
            Fate::Refused(RefusalReason::VerificationToken)
        ]
    );
    assert_eq!(receiver.taken().len(), 1);
}

#[tokio::test]
async fn redoxs_challenge_is_met_by_post_and_by_get() {
    let receiver = FakeReceiver::builder()
        .verification_token("agreed")
        .start()
        .await
        .expect("it starts");
    let url = receiver.url("redox");
    let right = post(
        &url,
        &[],
        br#"{"verification-token":"agreed","challenge":"9f2c"}"#,
    )
    .await;
    assert_eq!(
        (right.status, right.body.as_slice()),
        (200, b"9f2c".as_slice())
    );
    let by_get = get(&format!("{url}?challenge=77aa&verification-token=agreed")).await;
    assert_eq!(
        (by_get.status, by_get.body.as_slice()),
        (200, b"77aa".as_slice())
    );

    assert_eq!(
        post(
            &url,
            &[],
            br#"{"verification-token":"guessed","challenge":"9f2c"}"#
        )
        .await
        .status,
        403
    );
    assert_eq!(
        get(&format!("{url}?challenge=77aa&verification-token=guessed"))
            .await
            .status,
        403
    );
    assert_eq!(get(&url).await.status, 400);
    assert_eq!(
        (receiver.challenges_met(), receiver.attempts().len()),
        (2, 0),
        "a challenge is no notification"
    );
}

#[tokio::test]
async fn refusals_by_number_by_body_and_for_good() {
    let receiver = FakeReceiver::start().await.expect("it starts");
    let url = receiver.url("app");
    let busy = StatusAnswer::new(StatusCode::TOO_MANY_REQUESTS).retry_after(RetryAfter::Seconds(3));
    receiver.next(busy);
    receiver.refuse_next(1, StatusCode::BAD_GATEWAY);
    receiver.next(StatusAnswer::redirect("http://127.0.0.1:1/elsewhere"));
    receiver.when(
        |received| received.body.starts_with(b"poison"),
        StatusAnswer::new(StatusCode::GONE),
    );

    let first = post(&url, &[], b"{}").await;
    assert_eq!(
        (first.status, first.header("retry-after")),
        (429, Some("3"))
    );
    assert_eq!(post(&url, &[], b"{}").await.status, 502);
    let redirect = post(&url, &[], b"{}").await;
    assert_eq!(
        (redirect.status, redirect.header("location")),
        (302, Some("http://127.0.0.1:1/elsewhere"))
    );
    assert_eq!(post(&url, &[], b"poison").await.status, 410);
    assert_eq!(post(&url, &[], b"{}").await.status, 204);
    receiver.heal();
    assert_eq!(post(&url, &[], b"poison").await.status, 204);

    let scripted = Fate::Refused(RefusalReason::Scripted);
    assert_eq!(
        fates(&receiver),
        [
            scripted.clone(),
            scripted.clone(),
            scripted.clone(),
            scripted,
            Fate::Taken,
            Fate::Taken
        ]
    );
}

#[tokio::test]
async fn it_may_take_a_notification_and_never_say_so() {
    let receiver = FakeReceiver::start().await.expect("it starts");
    let url = receiver.url("app");
    receiver.next(WireFault::Reset);
    request("POST", &url, &[("webhook-id", "msg_1")], BODY)
        .await
        .expect_err("the answer is lost");
    assert_eq!(
        post(&url, &[("webhook-id", "msg_1")], BODY).await.status,
        204
    );
    let answered: Vec<_> = receiver
        .taken()
        .iter()
        .map(|received| received.answered)
        .collect();
    assert_eq!(
        answered,
        [Answered::Reset, Answered::Status(StatusCode::NO_CONTENT)]
    );
}

#[tokio::test]
async fn it_may_answer_after_the_senders_patience() {
    let receiver = FakeReceiver::start().await.expect("it starts");
    let gate = Gate::shut();
    receiver.next(WireFault::HeldUntil(gate.clone()));
    let sender = tokio::spawn({
        let url = receiver.url("app");
        async move { post(&url, &[], BODY).await.status }
    });
    receiver
        .wait_for(1, PATIENCE)
        .await
        .expect("it is taken before it is answered");
    sender.abort();
    assert!(sender.await.expect_err("the sender gave up").is_cancelled());
    gate.open();
    assert_eq!(receiver.taken().len(), 1);
}

#[tokio::test]
async fn its_answer_may_be_huge() {
    let receiver = FakeReceiver::start().await.expect("it starts");
    receiver.next(StatusAnswer::new(StatusCode::OK));
    receiver.when(
        |_received| true,
        WireFault::Oversized {
            bytes: 500_000,
            length: LengthHeader::Chunked,
        },
    );
    assert_eq!(
        post(&receiver.url("app"), &[], BODY).await.body.len(),
        500_000
    );
}

#[tokio::test]
async fn waiting_for_too_many_says_how_many_came() {
    let receiver = FakeReceiver::start().await.expect("it starts");
    receiver.refuse_next(1, StatusCode::BAD_GATEWAY);
    post(&receiver.url("app"), &[], BODY).await;
    assert_eq!(
        receiver
            .wait_for_attempts(1, PATIENCE)
            .await
            .expect("it came")
            .len(),
        1
    );
    let error = receiver
        .wait_for(1, Duration::from_millis(1))
        .await
        .expect_err("it was refused");
    assert_eq!(
        error.to_string(),
        "waited 1ms for 1 notifications, and 0 came"
    );
}
