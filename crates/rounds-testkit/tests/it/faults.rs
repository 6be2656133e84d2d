//! What goes wrong, goes wrong exactly as the script says.

use std::io::ErrorKind;
use std::time::Duration;

use jiff::SignedDuration;
use rounds_testkit::ehr::{FakeEhr, Fault, Scope};
use rounds_testkit::http::StatusCode;
use rounds_testkit::wire::{
    Answered, DateFault, Gate, LengthHeader, RetryAfter, StatusAnswer, WireFault,
};

use crate::client::{get, peek, request};
use crate::{PATIENCE, hospital, instant, ten_o_clock};

/// An EHR with one appointment, and the URL of its feed.
async fn ehr() -> (FakeEhr, String) {
    let hospital = hospital(&ten_o_clock());
    hospital.book_anything();
    let ehr = FakeEhr::start(hospital).await.expect("it starts");
    let url = format!("{}/appointments", ehr.base_url());
    (ehr, url)
}

#[tokio::test]
async fn a_scripted_status_comes_as_often_as_was_said_and_only_there() {
    let (ehr, url) = ehr().await;
    ehr.next_times(
        2,
        Scope::path("/appointments"),
        StatusAnswer::new(StatusCode::SERVICE_UNAVAILABLE)
            .header("x-why", "maintenance")
            .body("later"),
    );
    assert_eq!(
        get(&format!("{}/patient/P1001", ehr.base_url()))
            .await
            .status,
        200
    );
    for _ in 0..2 {
        let reply = get(&url).await;
        assert_eq!(
            (reply.status, reply.header("x-why"), reply.body.as_slice()),
            (503, Some("maintenance"), b"later".as_slice())
        );
    }
    assert_eq!(get(&url).await.status, 200);
    ehr.always(
        Scope::Everything,
        StatusAnswer::new(StatusCode::INTERNAL_SERVER_ERROR),
    );
    assert_eq!(get(&url).await.status, 500);
    ehr.heal();
    assert_eq!(get(&url).await.status, 200);
}

#[tokio::test]
async fn retry_after_has_both_forms() {
    let (ehr, url) = ehr().await;
    for (form, text) in [
        (RetryAfter::Seconds(7), "7"),
        (
            RetryAfter::At(instant("2022-05-10T10:00:30Z")),
            "Tue, 10 May 2022 10:00:30 GMT",
        ),
    ] {
        ehr.next(
            Scope::Everything,
            StatusAnswer::new(StatusCode::TOO_MANY_REQUESTS).retry_after(form),
        );
        let reply = get(&url).await;
        assert_eq!(
            (reply.status, reply.header("retry-after")),
            (429, Some(text))
        );
    }
}

#[tokio::test]
async fn bodies_can_be_html_empty_or_broken_off() {
    let (ehr, url) = ehr().await;
    let whole = get(&url).await.body;

    ehr.next(Scope::Everything, WireFault::HtmlPage);
    let html = get(&url).await;
    assert_eq!(
        (html.status, html.header("content-type")),
        (200, Some("text/html; charset=utf-8"))
    );
    assert!(html.body.starts_with(b"<!DOCTYPE html>"));

    ehr.next(Scope::Everything, WireFault::EmptyBody);
    let empty = get(&url).await;
    assert_eq!(
        (empty.status, empty.header("content-type"), empty.body.len()),
        (200, Some("application/json"), 0)
    );

    ehr.next(Scope::Everything, WireFault::TruncatedBody);
    let truncated = get(&url).await;
    assert_eq!(
        truncated.header("content-length"),
        Some(truncated.body.len().to_string().as_str()),
        "the transfer is sound"
    );
    assert_eq!(truncated.body, whole[..whole.len() / 2]);

    ehr.next(Scope::Everything, WireFault::CutTransfer);
    let cut = get(&url).await;
    assert_eq!(
        cut.header("content-length"),
        Some(whole.len().to_string().as_str()),
        "more was announced than came"
    );
    assert_eq!(cut.body, whole[..whole.len() / 2]);
}

#[tokio::test]
async fn a_body_can_be_of_any_size() {
    let (ehr, url) = ehr().await;
    ehr.next(
        Scope::Everything,
        WireFault::Oversized {
            bytes: 1_000_000,
            length: LengthHeader::Declared,
        },
    );
    let declared = get(&url).await;
    assert_eq!(
        (declared.header("content-length"), declared.body.len()),
        (Some("1000000"), 1_000_000)
    );
    assert_eq!(declared.ids(), [1], "what is added is blank");

    ehr.next(
        Scope::Everything,
        WireFault::Oversized {
            bytes: 200_000,
            length: LengthHeader::Chunked,
        },
    );
    let chunked = get(&url).await;
    assert_eq!(
        (chunked.header("content-length"), chunked.body.len()),
        (None, 200_000)
    );

    ehr.next(
        Scope::Everything,
        WireFault::Oversized {
            bytes: u64::MAX,
            length: LengthHeader::Chunked,
        },
    );
    let endless = peek(&url, 3_000_000)
        .await
        .expect("as much as one cares to read");
    assert!(endless.ends_with(b"   "));
    ehr.stop().await;
}

#[tokio::test]
async fn a_held_answer_waits_for_its_gate() {
    let (ehr, url) = ehr().await;
    let gate = Gate::shut();
    ehr.next(Scope::Everything, WireFault::HeldUntil(gate.clone()));
    let held = tokio::spawn(async move { get(&url).await.status });
    ehr.wait_for_requests(1, PATIENCE)
        .await
        .expect("the request comes");
    assert!(!held.is_finished());
    gate.open();
    assert_eq!(held.await.expect("the client ends"), 200);
}

#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "how long a real answer took is what is tested"
)]
async fn slow_answers_arrive_whole_in_the_end() {
    let (ehr, url) = ehr().await;
    let whole = get(&url).await.body;
    ehr.always(
        Scope::Everything,
        WireFault::FirstByteAfter(Duration::from_millis(2)),
    );
    ehr.next(
        Scope::Everything,
        WireFault::Drip {
            chunk_bytes: 50,
            every: Duration::from_millis(1),
        },
    );
    let before = std::time::Instant::now();
    let reply = get(&url).await;
    let at_least = Duration::from_millis(2 + (whole.len() as u64).div_ceil(50));
    assert_eq!((reply.status, &reply.body), (200, &whole));
    assert!(before.elapsed() >= at_least);
}

#[tokio::test]
async fn a_reset_connection_has_no_answer_but_a_log_entry() {
    let (ehr, url) = ehr().await;
    ehr.next(Scope::Everything, WireFault::Reset);
    let error = request("GET", &url, &[], b"")
        .await
        .expect_err("the connection is reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(ehr.requests()[0].answered, Answered::Reset);
    assert_eq!(get(&url).await.status, 200, "the next connection is well");
}

#[tokio::test]
async fn the_date_follows_the_given_clock_unless_scripted() {
    let (ehr, url) = ehr().await;
    assert_eq!(
        get(&url).await.header("date"),
        Some("Tue, 10 May 2022 10:00:00 GMT")
    );
    ehr.next(
        Scope::Everything,
        WireFault::Date(DateFault::Skewed(SignedDuration::from_mins(-10))),
    );
    assert_eq!(
        get(&url).await.header("date"),
        Some("Tue, 10 May 2022 09:50:00 GMT")
    );
    ehr.next(Scope::Everything, WireFault::Date(DateFault::Missing));
    assert_eq!(get(&url).await.header("date"), None);
}

#[tokio::test]
async fn a_filter_can_be_ignored() {
    let (ehr, url) = ehr().await;
    let future = format!("{url}?changedsince=2030-01-01T00:00:00");
    assert!(get(&future).await.ids().is_empty());
    ehr.next(Scope::Everything, Fault::IgnoreFilter);
    assert_eq!(get(&future).await.ids(), [1]);
}

#[tokio::test]
async fn stopping_ends_what_is_held_and_closes_the_port() {
    let (ehr, url) = ehr().await;
    ehr.next(Scope::Everything, WireFault::HeldUntil(Gate::shut()));
    let held = tokio::spawn({
        let url = url.clone();
        async move { get(&url).await.status }
    });
    ehr.wait_for_requests(1, PATIENCE)
        .await
        .expect("the request comes");
    ehr.stop().await;
    assert_eq!(held.await.expect("the client ends"), 200);
    let error = request("GET", &url, &[], b"")
        .await
        .expect_err("nobody listens");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_head_can_come_without_its_body_for_as_long_as_the_client_waits() {
    let (ehr, url) = ehr().await;
    let whole = get(&url).await.body;
    ehr.next(Scope::Everything, WireFault::HeadOnly);
    let waiting = tokio::spawn(async move { get(&url).await });
    ehr.wait_for_requests(2, PATIENCE)
        .await
        .expect("the request comes");
    assert!(!waiting.is_finished());
    ehr.stop().await;
    let reply = waiting.await.expect("the client ends with the server");
    let announced = whole.len().to_string();
    assert_eq!(
        (reply.status, reply.header("content-length"), &*reply.body),
        (200, Some(announced.as_str()), b"".as_slice())
    );
}

#[tokio::test]
async fn what_was_pushed_is_counted() {
    let (ehr, url) = ehr().await;
    assert_eq!(ehr.bytes_sent(), 0);
    let body_bytes = get(&url).await.body.len() as u64;
    let head_and_body = ehr.bytes_sent();
    assert!(
        (body_bytes + 20..body_bytes + 500).contains(&head_and_body),
        "{head_and_body}"
    );
    let endless = WireFault::Oversized {
        bytes: u64::MAX,
        length: LengthHeader::Chunked,
    };
    ehr.next(Scope::Everything, endless);
    peek(&url, 3_000_000).await.expect("it pushes");
    assert!(ehr.bytes_sent() >= 3_000_000);
    // The client is gone, so that no more than the socket buffers takes it.
    ehr.stop().await;
}

#[tokio::test]
async fn a_body_can_call_itself_compressed() {
    let (ehr, url) = ehr().await;
    ehr.next(
        Scope::Everything,
        StatusAnswer::new(StatusCode::OK).gzip_body("anything"),
    );
    let reply = get(&url).await;
    assert_eq!(
        (reply.header("content-encoding"), reply.body.as_slice()),
        (Some("gzip"), b"anything".as_slice())
    );
}
