//! Every way in which an attempt ends.

use super::*;
use crate::server::{SOCKET_BUFFERS_BYTES, deserted_address, head};
use rounds_http::check_signing_secret;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn refused(status: u16, retry_after_seconds: Option<u64>, reason: &str) -> AttemptOutcome {
    AttemptOutcome::Refused {
        status,
        retry_after: retry_after_seconds.map(Duration::from_secs),
        reason: reason.to_owned(),
    }
}

/// The code and the words of an attempt that brought no status, with the port left out; and whether it was sent.
fn told(outcome: AttemptOutcome) -> (&'static str, String) {
    let (AttemptOutcome::Unreachable { code, reason }
    | AttemptOutcome::Impossible { code, reason }) = outcome
    else {
        panic!("a status came: {outcome:?}");
    };
    (code.as_str(), reason)
}

#[tokio::test]
async fn the_status_decides() {
    let date = "date: Sun, 06 Nov 1994 08:00:00 GMT";
    let redirected = |status: &str, target: &str| {
        format!("answered {status}{target}; redirects are not followed; set the final URL")
    };
    for (status, headers, expected) in [
        ("200 OK", vec![], AttemptOutcome::Delivered { status: 200 }),
        (
            "202 Accepted",
            vec![],
            AttemptOutcome::Delivered { status: 202 },
        ),
        (
            "299 Whatever",
            vec![],
            AttemptOutcome::Delivered { status: 299 },
        ),
        ("410 Gone", vec![], AttemptOutcome::Gone),
        (
            "400 Bad Request",
            vec![],
            refused(400, None, "answered 400 Bad Request"),
        ),
        (
            "401 Unauthorized",
            vec![],
            refused(401, None, "answered 401 Unauthorized"),
        ),
        (
            "429 Too Many Requests",
            vec!["retry-after: 90"],
            refused(429, Some(90), "answered 429 Too Many Requests"),
        ),
        (
            "503 Service Unavailable",
            vec![date, "retry-after: Sun, 06 Nov 1994 08:01:00 GMT"],
            refused(503, Some(60), "answered 503 Service Unavailable"),
        ),
        (
            "503 Service Unavailable",
            vec!["retry-after: 99999999999999999999999"],
            refused(503, Some(365 * 86_400), "answered 503 Service Unavailable"),
        ),
        (
            "429 Too Many Requests",
            vec!["retry-after: -5"],
            refused(429, None, "answered 429 Too Many Requests"),
        ),
        (
            "429 Too Many Requests",
            vec![date, "retry-after: Fri, 31 Dec 9999 23:59:59 GMT"],
            refused(429, Some(365 * 86_400), "answered 429 Too Many Requests"),
        ),
        (
            "503 Service Unavailable",
            vec![
                "date: Fri, 31 Dec 9999 23:59:59 GMT",
                "retry-after: Thu, 01 Jan 1970 00:00:00 GMT",
            ],
            refused(503, Some(0), "answered 503 Service Unavailable"),
        ),
        (
            "500 patient-4711 exploded",
            vec!["retry-after: soon"],
            refused(500, None, "answered 500 Internal Server Error"),
        ),
        (
            "302 Found",
            vec!["location: http://169.254.169.254/patient-4711?token=hunter2"],
            refused(
                302,
                None,
                &redirected("302 Found", " to http://169.254.169.254"),
            ),
        ),
        (
            "301 Moved Permanently",
            vec!["location: mailto:patient-4711@example.org"],
            refused(301, None, &redirected("301 Moved Permanently", "")),
        ),
        (
            "308 Permanent Redirect",
            vec![],
            refused(308, None, &redirected("308 Permanent Redirect", "")),
        ),
    ] {
        let server = Server::always(answer(status, &headers, CONFIDENTIAL)).await;
        assert_eq!(
            delivered(destination_at(&server), message()).await,
            expected,
            "{status}"
        );
        assert_eq!(server.received().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_status_that_came_counts_whatever_the_body_does() {
    let mut endless = b"10000\r\n".to_vec();
    endless.resize(endless.len() + 0x10000, b' ');
    endless.extend_from_slice(b"\r\n");
    for answer in [
        Answer::Bytes(head("200 OK", &["content-length: 10"])),
        Answer::Reset(head("200 OK", &["content-length: 10"])),
        Answer::Hang(head("200 OK", &["content-length: 10"])),
        Answer::Drip(
            head("200 OK", &["content-length: 100000"]),
            Duration::from_millis(20),
        ),
        Answer::Endless(head("200 OK", &["transfer-encoding: chunked"]), endless),
        Answer::Bytes(head("200 OK", &["content-length: 10000000000"])),
        Answer::Bytes(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnonsense".to_vec()),
    ] {
        let server = Server::always(answer).await;
        let mut destination = destination_at(&server);
        destination.timeouts.read = Duration::from_millis(200);
        destination.timeouts.total = Duration::from_secs(2);
        let outcome = delivered(destination, message()).await;
        assert_eq!(outcome, AttemptOutcome::Delivered { status: 200 });
    }
}

#[tokio::test]
async fn what_can_be_pushed_is_bounded_and_nothing_is_unpacked() {
    let chunk = [b"10000\r\n".as_slice(), &vec![0x1F; 0x10000], b"\r\n"].concat();
    let flood = |headers: &[&str]| Answer::Endless(head("200 OK", headers), chunk.clone());
    let endless_head = Answer::Endless(
        b"HTTP/1.1 200 OK\r\n".to_vec(),
        b"x-more: and more\r\n".repeat(4096),
    );
    let taken = AttemptOutcome::Delivered { status: 200 };
    for (answer, expected) in [
        (flood(&["transfer-encoding: chunked"]), Some(&taken)),
        // What calls itself gzip and is not would be an error to whoever unpacks.
        (
            flood(&["transfer-encoding: chunked", "content-encoding: gzip"]),
            Some(&taken),
        ),
        (endless_head, None),
    ] {
        let server = Server::always(answer).await;
        let outcome = delivered(destination_at(&server), message()).await;
        match expected {
            Some(expected) => assert_eq!(outcome, *expected),
            None => assert_eq!(told(outcome).0, "R0504"),
        }
        let pushed = server.pushed_bytes();
        assert!(pushed < SOCKET_BUFFERS_BYTES, "{pushed}");
        let received = server.only();
        assert_eq!(received.header("accept-encoding"), "");
    }
}

#[tokio::test]
async fn a_body_that_stalls_does_not_hold_the_attempt_until_its_end() {
    let server = Server::always(Answer::Hang(head("200 OK", &["content-length: 10"]))).await;
    let mut destination = destination_at(&server);
    destination.timeouts.read = Duration::from_millis(100);
    destination.timeouts.total = PATIENCE;
    let outcome = tokio::time::timeout(PATIENCE / 2, delivered(destination, message())).await;
    assert_eq!(outcome, Ok(AttemptOutcome::Delivered { status: 200 }));
}

#[tokio::test]
async fn a_deserted_port_is_unreachable() {
    let address = deserted_address().await;
    let outcome = delivered(
        destination(&format!("http://{address}/{CONFIDENTIAL}")),
        message(),
    )
    .await;
    assert!(matches!(outcome, AttemptOutcome::Unreachable { .. }));
    assert_eq!(
        told(outcome),
        (
            "R0501",
            format!("http://{address}: could not connect: connection refused")
        )
    );
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_a_timeout() {
    let short = Duration::from_millis(100);
    let drip = Answer::Drip(b"HTTP/1.1 200 OK\r\nx-".to_vec(), Duration::from_millis(5));
    for answer in [Answer::Hang(Vec::new()), drip] {
        let server = Server::always(answer).await;
        for (total, words) in [
            (short, "no answer within 100ms"),
            (PATIENCE, "no answer within 50ms of being connected"),
        ] {
            let mut destination = destination_at(&server);
            destination.timeouts = DestinationTimeouts {
                connect: short,
                read: short / 2,
                total,
            };
            let (code, reason) = told(delivered(destination, message()).await);
            assert_eq!(code, "R0502");
            assert!(reason.ends_with(words), "{reason}");
        }
    }
}

#[tokio::test]
async fn a_server_without_tls_is_trouble_with_tls() {
    let server = Server::always(answer("400 Bad Request", &[], "")).await;
    let url = format!("https://{}/{CONFIDENTIAL}", server.address());
    let (code, reason) = told(delivered(destination(&url), message()).await);
    assert_eq!(code, "R0503");
    assert!(reason.contains("speaks no TLS, though"), "{reason}");
    assert!(reason.contains("probably for plain http"), "{reason}");
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_status_is_unreachable() {
    for answer in [
        Answer::Bytes(Vec::new()),
        Answer::Reset(Vec::new()),
        Answer::Bytes(b"HTTP/1.1 2".to_vec()),
        Answer::Bytes(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()),
    ] {
        let server = Server::always(answer).await;
        let outcome = delivered(destination_at(&server), message()).await;
        assert!(matches!(outcome, AttemptOutcome::Unreachable { .. }));
        assert_eq!(told(outcome).0, "R0504");
    }
}

#[tokio::test]
async fn an_address_that_is_not_allowed_is_not_dialled() {
    let server = Server::always(answer("200 OK", &[], "")).await;
    let port = server.address().port();
    for (host, kind) in [
        ("127.0.0.1", "loopback"),
        ("127.1", "loopback"),
        ("localhost", "loopback"),
        ("localhost.", "loopback"),
        ("app.LOCALHOST", "loopback"),
        ("[::ffff:127.0.0.1]", "loopback"),
        ("[64:ff9b::7f00:1]", "loopback"),
        ("0.0.0.0", "unspecified"),
        ("10.1.2.3", "private"),
        ("169.254.169.254", "cloud metadata"),
    ] {
        let mut destination = destination(&format!("http://{host}:{port}/{CONFIDENTIAL}"));
        destination.allow_addresses.clear();
        let outcome = delivered(destination, message()).await;
        assert!(
            matches!(outcome, AttemptOutcome::Impossible { .. }),
            "{host}: {outcome:?}"
        );
        let (code, reason) = told(outcome);
        assert_eq!(code, "R0505", "{host}");
        assert!(
            reason.contains(&format!("is a {kind} address"))
                || reason.contains(&format!("is an {kind} address")),
            "{reason}"
        );
    }
    assert!(server.received().is_empty());
}

#[tokio::test]
async fn an_allowed_range_opens_names_too_but_never_metadata() {
    let server = Server::always(answer("200 OK", &[], "")).await;
    let url = format!("http://localhost.:{}/", server.address().port());
    let outcome = delivered(destination(&url), message()).await;
    assert_eq!(outcome, AttemptOutcome::Delivered { status: 200 });

    let mut destination = destination("http://169.254.169.254/");
    destination.allow_addresses = vec![AddressRange {
        address: [0, 0, 0, 0].into(),
        prefix_bits: 0,
    }];
    assert_eq!(told(delivered(destination, message()).await).0, "R0505");
}

#[tokio::test]
async fn a_secret_that_cannot_be_had_or_used_stops_the_attempt() {
    let server = Server::always(answer("200 OK", &[], "")).await;
    for (secret, words) in [
        ("ABSENT", "environment variable ABSENT is not set"),
        ("SIGN_BAD", "environment variable SIGN_BAD"),
        ("BROKEN", "environment variable BROKEN"),
    ] {
        let mut signing = destination_at(&server);
        signing.signing_secrets = vec![environment(secret)];
        let mut carried = destination_at(&server);
        carried.headers = vec![(
            HeaderName::from_static("x-api-key"),
            HeaderSource::Secret(environment(secret)),
        )];
        let mut destinations = vec![signing];
        // As a header, what is no signing secret is fine.
        if secret != "SIGN_BAD" {
            destinations.push(carried);
        }
        check_signing_secret(&secrets(), &environment(secret))
            .await
            .expect_err("a check says it before");
        for destination in destinations {
            let outcome = delivered(destination, message()).await;
            assert!(matches!(outcome, AttemptOutcome::Impossible { .. }));
            let (code, reason) = told(outcome);
            assert_eq!(code, "R0506");
            assert!(reason.starts_with(words), "{reason}");
        }
    }
    assert!(server.received().is_empty());
}

#[tokio::test]
async fn what_cannot_be_sent_is_impossible() {
    let server = Server::always(answer("200 OK", &[], "")).await;
    let mut unnamed = message();
    unnamed.gaps = vec![gap("line\nbreak")];
    assert_eq!(
        told(delivered(destination_at(&server), unnamed).await).0,
        "R0520"
    );
    let stranger = DestinationName::new("stranger");
    let outcome = client(destination_at(&server))
        .deliver(&stranger, message())
        .await;
    assert_eq!(told(outcome).0, "R0520");
    assert!(server.received().is_empty());
}

/// A receiver that keeps each connection for so many requests and ends it without a word at the next one. Gives how many requests came.
async fn keeping(answers_per_connection: usize) -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    let came = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&came);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let counted = Arc::clone(&counted);
            tokio::spawn(async move {
                for number in 0..=answers_per_connection {
                    let (mut request, mut piece) = (Vec::new(), [0; 4096]);
                    // The body is one object, and nothing else in the request ends so.
                    while !request.ends_with(b"}") {
                        match stream.read(&mut piece).await {
                            Ok(read) if read > 0 => request.extend_from_slice(&piece[..read]),
                            _ => return,
                        }
                    }
                    counted.fetch_add(1, Ordering::Relaxed);
                    if number == answers_per_connection {
                        return;
                    }
                    let said = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                    if stream.write_all(said).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, came)
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_costs_no_attempt() {
    let (address, came) = keeping(1).await;
    let client = client(destination(&format!("http://{address}/hooks")));
    for _ in 0..3 {
        let outcome = client.deliver(&name(), message()).await;
        assert_eq!(outcome, AttemptOutcome::Delivered { status: 200 });
    }
    // The second found the connection of the first closed and went on a new one, which is not kept for the third.
    assert_eq!(came.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn a_receiver_that_never_answers_is_asked_once_an_attempt() {
    let (address, came) = keeping(0).await;
    let client = client(destination(&format!("http://{address}/hooks")));
    for attempt in 1..=3 {
        let outcome = client.deliver(&name(), message()).await;
        assert!(
            matches!(outcome, AttemptOutcome::Unreachable { .. }),
            "{outcome:?}"
        );
        assert_eq!(came.load(Ordering::Relaxed), attempt);
    }
}
