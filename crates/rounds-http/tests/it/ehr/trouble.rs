//! Every way in which an exchange fails, with its code and its words.

use super::*;
use crate::server::{SOCKET_BUFFERS_BYTES, deserted_address, head};
use rounds_domain::ports::Access;
use rounds_domain::ports::Transience::{Lasting, Passing};

/// Asks and expects an error; gives its code and its message, with the port (which differs every time) left out.
async fn failure(connection: Connection, request: EhrRequest) -> (String, String, EhrError) {
    let port = request.url.port();
    let error = asked(connection, request)
        .await
        .expect_err("this must fail");
    let message = port.map_or_else(
        || error.message.clone(),
        |port| error.message.replace(&format!(":{port}"), ":PORT"),
    );
    (error.code.to_string(), message, error)
}

async fn failure_of(answer: Answer) -> (String, String, EhrError) {
    let server = Server::always(answer).await;
    failure(connection_to(&server), request_to(&server)).await
}

#[tokio::test]
async fn a_deserted_port_is_a_connection_that_failed() {
    let address = deserted_address().await;
    let base = format!("http://{address}/");
    let (code, message, error) =
        failure(connection(&base), request(&format!("{base}{CONFIDENTIAL}"))).await;
    assert_eq!(code, "R0301");
    assert_eq!(
        message,
        "GET to http://127.0.0.1:PORT (connection mercy): could not connect: connection refused"
    );
    assert_eq!(error.transience, Passing);
    assert!(error.hint.is_some());
}

#[tokio::test]
async fn a_name_without_an_address_is_a_connection_that_failed() {
    let base = "http://ehr.invalid:80/";
    let (code, message, _) = failure(connection(base), request(base)).await;
    assert_eq!(code, "R0301");
    assert!(
        message.ends_with("the host name has no address"),
        "{message}"
    );
}

#[tokio::test]
async fn silence_and_dripping_end_at_the_timeout() {
    let short = Duration::from_millis(150);
    for answer in [
        Answer::Hang(Vec::new()),
        Answer::Hang(head("200 OK", &["content-length: 5"])),
        Answer::Drip(
            head("200 OK", &["content-length: 50000"]),
            Duration::from_millis(5),
        ),
        Answer::Drip(b"HTTP/1.1 200 OK\r\nx-".to_vec(), Duration::from_millis(5)),
    ] {
        let server = Server::always(answer).await;
        let mut request = request_to(&server);
        request.timeout = Some(short);
        let (code, message, error) = failure(connection_to(&server), request).await;
        assert_eq!(code, "R0302");
        assert!(
            message.ends_with("no whole answer within 150ms"),
            "{message}"
        );
        assert_eq!(error.transience, Passing);
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_not_read_to_its_end() {
    // Case 81: any poller. 200 MB that are promised, that never end, and that are compressed to little.
    let promised = Answer::Hang(head("200 OK", &["content-length: 209715200"]));
    let bomb = answer(
        "200 OK",
        &["content-encoding: gzip"],
        gzip(&vec![0; 16 * 1024 * 1024]),
    );
    for answer in [promised, endless(), bomb] {
        let (code, message, error) = failure_of(answer).await;
        assert_eq!(code, "R0303");
        assert!(
            message.ends_with("the answer's body has more than 1048576 bytes"),
            "{message}"
        );
        assert_eq!(error.transience, Lasting);
    }
}

#[tokio::test]
async fn what_can_be_pushed_is_bounded_by_the_limit() {
    let endless_head = Answer::Endless(
        b"HTTP/1.1 200 OK\r\n".to_vec(),
        b"x-more: and more\r\n".repeat(4096),
    );
    for (answer, code) in [(endless(), "R0303"), (endless_head, "R0309")] {
        let server = Server::always(answer).await;
        let connection = connection_to(&server);
        let limit = usize::try_from(connection.body_limit_bytes).expect("a megabyte");
        let (found, ..) = failure(connection, request_to(&server)).await;
        assert_eq!(found, code);
        let pushed = server.pushed_bytes();
        assert!(pushed < limit + SOCKET_BUFFERS_BYTES, "{pushed}");
        assert_eq!(server.received().len(), 1, "it is asked once");
    }
}

#[tokio::test]
async fn the_limit_itself_is_allowed() {
    for (length, is_allowed) in [(1024 * 1024, true), (1024 * 1024 + 1, false)] {
        let body = vec![b' '; length];
        for answer in [
            answer("200 OK", &[], &body),
            answer("200 OK", &["content-encoding: gzip"], gzip(&body)),
        ] {
            let server = Server::always(answer).await;
            let response = asked(connection_to(&server), request_to(&server)).await;
            assert_eq!(
                response.map(|response| response.body.len()).ok(),
                is_allowed.then_some(length)
            );
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_broken_off_is_an_error() {
    let mut half_a_chunk = chunked_head();
    half_a_chunk.extend_from_slice(b"10\r\n[1,2");
    let mut short = head("200 OK", &["content-length: 50"]);
    short.extend_from_slice(b"[1,2]");
    let whole = gzip(b"[1,2]");
    for (answer, words) in [
        (Answer::Bytes(Vec::new()), "broken off"),
        (
            Answer::Bytes(b"HTTP/1.1 200 OK\r\ncontent-".to_vec()),
            "broken off",
        ),
        (Answer::Bytes(short.clone()), "broken off"),
        (Answer::Bytes(half_a_chunk), "broken off"),
        (Answer::Reset(Vec::new()), "broken off"),
        (Answer::Reset(short), "broken off"),
        (
            answer(
                "200 OK",
                &["content-encoding: gzip"],
                &whole[..whole.len() - 6],
            ),
            "compressed body is damaged",
        ),
        (
            answer("200 OK", &["content-encoding: gzip"], "[1,2]"),
            "compressed body is damaged",
        ),
    ] {
        let (code, message, error) = failure_of(answer).await;
        assert_eq!(code, "R0304", "{message}");
        assert!(message.contains(words), "{message}");
        assert_eq!(error.transience, Passing);
    }
}

#[tokio::test]
async fn credentials_do_not_travel_to_another_host() {
    let own = Server::always(answer("200 OK", &[], "{}")).await;
    let other = Server::always(answer("200 OK", &[], "{}")).await;
    let mut connection = connection_to(&own);
    connection.authentication = Authentication::Bearer(environment("TOKEN"));
    for elsewhere in [
        format!("http://{}/api/{CONFIDENTIAL}", other.address()),
        format!("https://{}/api/{CONFIDENTIAL}", own.address()),
        format!(
            "http://localhost:{}/api/{CONFIDENTIAL}",
            own.address().port()
        ),
        format!("ftp://{}/{CONFIDENTIAL}", own.address()),
        format!("data:text/plain,{CONFIDENTIAL}"),
    ] {
        let error = asked(connection.clone(), request(&elsewhere))
            .await
            .expect_err("it is another host");
        assert_eq!(error.code.as_str(), "R0305", "{error}");
        assert_eq!(error.transience, Lasting);
    }
    assert!(own.received().is_empty() && other.received().is_empty());
}

#[tokio::test]
async fn a_bare_request_goes_elsewhere_with_nothing_of_the_connection() {
    let own = Server::always(answer("200 OK", &[], "{}")).await;
    let other = Server::always(answer("200 OK", &[], "{}")).await;
    let mut connection = connection_to(&own);
    connection.authentication = Authentication::Bearer(environment("TOKEN"));
    let bare = |url: &str| EhrRequest {
        access: Access::Bare,
        ..request(url)
    };
    let link = format!("http://user:secret@{}/part?sig=1", other.address());
    let answered = asked(connection.clone(), bare(&link)).await;
    assert_eq!(answered.expect("an answer").status, 200);
    let received = other.received();
    let head = received[0].head.to_ascii_lowercase();
    assert!(
        !head.contains("authorization") && !head.contains("cookie"),
        "{head}"
    );
    assert!(own.received().is_empty());

    // Of an EHR at a public address no answer leads to one that is not, nor away from TLS.
    let mut public = connection.clone();
    public.base_url = url("https://203.0.114.7/fhir/");
    for (link, code) in [
        (format!("https://{}/part", other.address()), "R0307"),
        (
            "https://169.254.169.254/latest/meta-data".to_owned(),
            "R0307",
        ),
        (format!("http://{}/part", other.address()), "R0305"),
        ("data:text/plain,part".to_owned(), "R0305"),
    ] {
        let error = asked(public.clone(), bare(&link))
            .await
            .expect_err("refused");
        assert_eq!(error.code.as_str(), code, "{error}");
    }
    // Nor does any to a metadata address.
    let metadata = bare("http://169.254.169.254/latest/meta-data");
    let error = asked(connection, metadata).await.expect_err("refused");
    assert_eq!(error.code.as_str(), "R0307", "{error}");
}

#[tokio::test]
async fn a_secret_that_is_not_there_stops_the_request() {
    let server = Server::always(answer("200 OK", &[], "{}")).await;
    let mut connection = connection_to(&server);
    connection.authentication = Authentication::Bearer(environment("ABSENT"));
    let (code, message, error) = failure(connection, request_to(&server)).await;
    assert_eq!(code, "R0306");
    assert_eq!(
        message,
        "GET to http://127.0.0.1:PORT (connection mercy): environment variable ABSENT is not set"
    );
    assert_eq!(
        error.hint.as_deref(),
        Some("set ABSENT for the process that runs Rounds")
    );
    assert_eq!(error.transience, Lasting);
    assert!(server.received().is_empty());
}

#[tokio::test]
async fn a_secret_that_no_header_can_carry_stops_the_request() {
    let server = Server::always(answer("200 OK", &[], "{}")).await;
    let mut connection = connection_to(&server);
    connection.authentication = Authentication::Bearer(environment("ANY"));
    let broken = Secrets::with_environment(clock(), |_| Some("hunter2\nx-evil: 1".into()));
    let client =
        EhrClient::new([Arc::new(connection)], Arc::new(broken), clock()).expect("a client");
    let error = client
        .send(request_to(&server))
        .await
        .expect_err("it holds a line break");
    assert_eq!(error.code.as_str(), "R0306");
    assert_discreet(&format!("{error} {error:?}"));
    assert!(server.received().is_empty());
}

#[tokio::test]
async fn metadata_addresses_are_never_dialled() {
    for host in [
        "169.254.169.254",
        "[fd00:ec2::254]",
        "[::ffff:169.254.169.254]",
        "100.100.100.200",
        "[fe80::1]",
    ] {
        let base = format!("http://{host}/");
        let error = asked(connection(&base), request(&base))
            .await
            .expect_err("it is not dialled");
        assert_eq!(error.code.as_str(), "R0307", "{error}");
        assert_eq!(error.transience, Lasting);
    }
}

#[tokio::test]
async fn a_server_without_tls_is_trouble_with_tls() {
    let server = Server::always(answer("400 Bad Request", &[], "")).await;
    let base = format!("https://{}/", server.address());
    let (code, message, error) = failure(connection(&base), request(&base)).await;
    assert_eq!(code, "R0308");
    assert!(message.contains("speaks no TLS, though"), "{message}");
    let hint = error.hint.as_deref().unwrap_or_default();
    assert!(hint.contains("the port for plain http"), "{hint}");
    assert_eq!(error.transience, Passing);
}

#[tokio::test]
async fn what_is_not_http_is_said_to_be_that() {
    let (code, message, _) = failure_of(Answer::Bytes(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec())).await;
    assert_eq!(code, "R0309");
    assert!(message.ends_with("the answer is not HTTP"), "{message}");
}

#[tokio::test]
async fn a_head_without_end_is_not_read_without_end() {
    let endless = Answer::Endless(
        b"HTTP/1.1 200 OK\r\n".to_vec(),
        b"x-more: and more\r\n".repeat(4096),
    );
    let (code, message, _) = failure_of(endless).await;
    assert_eq!(code, "R0309");
    assert!(
        message.ends_with("the answer's head is too large"),
        "{message}"
    );
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused() {
    let server = Server::always(answer("200 OK", &[], "{}")).await;
    let mut request = request_to(&server);
    request.connection = ConnectionName::new("mercy)");
    let error = client(connection_to(&server))
        .send(request)
        .await
        .expect_err("no such connection");
    assert_eq!(error.code.as_str(), "R0309");

    let mut request = request_to(&server);
    request
        .headers
        .insert("host", HeaderValue::from_static("other"));
    let (code, message, _) = failure(connection_to(&server), request).await;
    assert_eq!(code, "R0309");
    assert!(
        message.ends_with("the header host cannot be set"),
        "{message}"
    );

    let mut connection = connection_to(&server);
    connection.headers = vec![(
        HeaderName::from_static("content-length"),
        HeaderSource::Literal(HeaderValue::from_static("5")),
    )];
    let error =
        EhrClient::new([Arc::new(connection)], secrets(), clock()).expect_err("it cannot be set");
    assert_eq!(
        error.to_string(),
        "connection mercy: the header content-length cannot be set"
    );

    let connection = super::connection("https://rounds:hunter2@ehr.example.org/");
    let error = EhrClient::new([Arc::new(connection)], secrets(), clock())
        .expect_err("a password in a URL would be lost");
    assert!(
        error.to_string().contains("user name or a password"),
        "{error}"
    );
    assert_discreet(&format!("{error} {error:?}"));
    assert!(server.received().is_empty());
}
