//! Requests to EHRs.

mod limits;
mod trouble;

use crate::server::{Answer, Server, answer};
use crate::test_clock::TestClock;
use crate::{CONFIDENTIAL, SECRET, assert_discreet, clock, environment, secrets};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use rounds_domain::ConnectionName;
use rounds_domain::plan::{AnswerFormat, Authentication, Connection, HeaderSource, Limits};
use rounds_domain::ports::{Ehr, EhrError, EhrRequest, EhrResponse};
use rounds_http::{EhrClient, Secrets};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use url::Url;

/// Long enough for anything that should happen, so that only what should not happen meets it.
const PATIENCE: Duration = Duration::from_mins(1);

fn url(text: &str) -> Url {
    Url::parse(text).expect("a URL in a test")
}

pub(crate) fn connection(base_url: &str) -> Connection {
    Connection {
        name: ConnectionName::new("mercy"),
        base_url: url(base_url),
        authentication: Authentication::None,
        headers: Vec::new(),
        secrets: Vec::new(),
        format: AnswerFormat::Json,
        answers: Vec::new(),
        limits: Limits::default(),
        receive: None,
        connect_timeout: PATIENCE,
        request_timeout: PATIENCE,
        tests: Vec::new(),
        body_limit_bytes: 1024 * 1024,
    }
}

fn connection_to(server: &Server) -> Connection {
    connection(&format!("http://{}/api/", server.address()))
}

fn client(connection: Connection) -> EhrClient {
    EhrClient::new([Arc::new(connection)], secrets(), clock()).expect("a client")
}

pub(crate) fn request(url_text: &str) -> EhrRequest {
    EhrRequest {
        connection: ConnectionName::new("mercy"),
        turn: rounds_domain::ports::Turn::Poll,
        access: rounds_domain::ports::Access::AsUser,
        method: Method::GET,
        url: url(url_text),
        headers: HeaderMap::new(),
        accept: "application/json",
        body: None,
        timeout: None,
    }
}

fn request_to(server: &Server) -> EhrRequest {
    request(&format!(
        "http://{}/api/{CONFIDENTIAL}?q={CONFIDENTIAL}",
        server.address()
    ))
}

async fn asked(connection: Connection, request: EhrRequest) -> Result<EhrResponse, EhrError> {
    let answer = client(connection).send(request).await;
    if let Err(error) = &answer {
        assert_discreet(&format!("{error} {error:?}"));
        assert!(error.message.contains("(connection mercy)"), "{error}");
    }
    answer
}

#[tokio::test]
async fn an_exchange_carries_what_it_should_and_gives_the_whole_answer() {
    let server = Server::always(answer("203 Fine", &["x-total: 2"], "[1,2]")).await;
    let mut connection = connection_to(&server);
    connection.authentication = Authentication::Bearer(environment("TOKEN"));
    connection.headers = vec![
        (
            HeaderName::from_static("x-site"),
            HeaderSource::Literal(HeaderValue::from_static("north")),
        ),
        (
            HeaderName::from_static("x-zone"),
            HeaderSource::Literal(HeaderValue::from_static("default")),
        ),
    ];
    let mut request = request_to(&server);
    request
        .headers
        .insert("x-zone", HeaderValue::from_static("own"));
    request
        .headers
        .insert("authorization", HeaderValue::from_static("mine"));

    let response = asked(connection, request).await.expect("an answer");
    assert_eq!(response.status, StatusCode::NON_AUTHORITATIVE_INFORMATION);
    assert_eq!(response.headers["x-total"], "2");
    assert_eq!(response.body, "[1,2]");

    let received = server.only();
    assert_eq!(
        received.line(),
        format!("GET /api/{CONFIDENTIAL}?q={CONFIDENTIAL} HTTP/1.1")
    );
    assert_eq!(received.header("host"), server.address().to_string());
    assert_eq!(
        received.header("user-agent"),
        concat!("rounds/", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(received.header("accept"), "application/json");
    assert_eq!(received.header("accept-encoding"), "gzip");
    assert_eq!(
        received.header("authorization"),
        format!("Bearer {SECRET}-TOKEN")
    );
    assert_eq!(received.header("x-site"), "north");
    assert_eq!(received.header("x-zone"), "own");
}

#[tokio::test]
async fn each_way_to_say_who_asks() {
    for (authentication, name, value) in [
        (Authentication::None, "authorization", ""),
        (
            Authentication::Basic {
                username: "rounds".to_owned(),
                password: environment("TOKEN"),
            },
            "authorization",
            // rounds:hunter2-TOKEN
            "Basic cm91bmRzOmh1bnRlcjItVE9LRU4=",
        ),
        (
            Authentication::Header {
                name: HeaderName::from_static("x-api-key"),
                value: environment("TOKEN"),
            },
            "x-api-key",
            "hunter2-TOKEN",
        ),
    ] {
        let server = Server::always(answer("200 OK", &[], "{}")).await;
        let mut connection = connection_to(&server);
        connection.authentication = authentication;
        asked(connection, request_to(&server))
            .await
            .expect("an answer");
        assert_eq!(server.only().header(name), value);
    }
}

#[tokio::test]
async fn a_user_that_an_answer_smuggles_into_a_link_is_left_out() {
    let server = Server::always(answer("200 OK", &[], "{}")).await;
    let link = format!("http://mallory:x@{}/api/next", server.address());
    asked(connection_to(&server), request(&link))
        .await
        .expect("an answer");
    assert_eq!(server.only().header("authorization"), "");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let elsewhere = Server::always(answer("200 OK", &[], "{}")).await;
    for location in [
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        format!("http://{}/", elsewhere.address()),
    ] {
        let server =
            Server::always(answer("302 Found", &[&format!("location: {location}")], "")).await;
        let response = asked(connection_to(&server), request_to(&server))
            .await
            .expect("an answer");
        assert_eq!(response.status, StatusCode::FOUND);
        assert_eq!(response.headers["location"], location);
        assert_eq!(server.received().len(), 1);
    }
    assert_eq!(elsewhere.received().len(), 0);
}

/// Runs itself once more in a process that has a proxy in its environment.
#[tokio::test]
async fn a_proxy_of_the_environment_is_not_asked() {
    const INNER: &str = "ROUNDS_TEST_BEHIND_A_PROXY";
    let server = Server::always(answer("200 OK", &[], "{}")).await;
    if std::env::var_os(INNER).is_some() {
        let response = asked(connection_to(&server), request_to(&server)).await;
        assert_eq!(response.expect("an answer").body, "{}");
        return;
    }
    let proxy = Server::always(answer("200 OK", &[], "proxied")).await;
    let proxy_url = format!("http://{}", proxy.address());
    let mut inner = tokio::process::Command::new(std::env::current_exe().expect("this program"));
    inner.args(["--exact", "ehr::a_proxy_of_the_environment_is_not_asked"]);
    inner
        .env(INNER, "yes")
        .env_remove("no_proxy")
        .env_remove("NO_PROXY");
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        inner.env(name, &proxy_url);
    }
    let output = inner.output().await.expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
    assert!(proxy.received().is_empty());
}

#[tokio::test]
async fn errors_of_the_server_are_answers() {
    for status in [
        "304 Not Modified",
        "400 Bad Request",
        "404 Not Found",
        "500 Oops",
        "503 Busy",
    ] {
        let server = Server::always(answer(status, &[], "")).await;
        let response = asked(connection_to(&server), request_to(&server))
            .await
            .expect("an answer");
        assert_eq!(response.status.as_str(), &status[..3]);
    }
}

#[tokio::test]
async fn a_compressed_body_arrives_decompressed() {
    let text = "[\"appointment\"]".repeat(1000);
    let server = Server::always(answer(
        "200 OK",
        &["content-encoding: gzip"],
        gzip(text.as_bytes()),
    ))
    .await;
    let response = asked(connection_to(&server), request_to(&server))
        .await
        .expect("an answer");
    assert_eq!(response.body, text);
}

#[tokio::test]
async fn a_refused_secret_is_read_anew() {
    // Case 84: CDK's changelog of 5.14.1, CDK#987.
    let server = Server::start(|number| match number {
        0 => answer("401 Unauthorized", &[], ""),
        _ => answer("200 OK", &[], "{}"),
    })
    .await;
    let mut connection = connection_to(&server);
    connection.authentication = Authentication::Bearer(environment("TOKEN"));
    let clock = TestClock::default();
    let looks = AtomicU32::new(0);
    let rotating = Secrets::with_environment(Arc::new(clock.clone()), move |_| {
        Some(format!("token-{}", looks.fetch_add(1, Ordering::Relaxed)).into())
    });
    // The secret is old enough to be forgotten by the time that it is refused.
    rotating
        .read(&environment("TOKEN"))
        .await
        .expect("a secret");
    clock.advance(Duration::from_secs(10));
    let client = EhrClient::new([Arc::new(connection)], Arc::new(rotating), Arc::new(clock))
        .expect("a client");
    for _ in 0..2 {
        client.send(request_to(&server)).await.expect("an answer");
    }
    let sent: Vec<_> = server
        .received()
        .iter()
        .map(|request| request.header("authorization"))
        .collect();
    assert_eq!(sent, ["Bearer token-0", "Bearer token-1"]);
}

#[tokio::test]
async fn debug_shows_names_only() {
    let mut connection = connection("https://ehr.example.org/patient-4711/");
    connection.authentication = Authentication::Bearer(environment("TOKEN"));
    let client = client(connection);
    let shown = format!("{client:?}");
    assert_eq!(shown, "EhrClient { connections: [\"mercy\"], .. }");
    assert_eq!(format!("{:?}", secrets()), "Secrets { .. }");
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(plain).expect("memory takes everything");
    encoder.finish().expect("memory takes everything")
}

/// The beginning of an answer whose body has no known end.
fn chunked_head() -> Vec<u8> {
    crate::server::head("200 OK", &["transfer-encoding: chunked"])
}

/// One chunk of 64 KiB.
fn chunk() -> Vec<u8> {
    let mut chunk = b"10000\r\n".to_vec();
    chunk.extend(std::iter::repeat_n(b' ', 0x10000));
    chunk.extend(b"\r\n");
    chunk
}

/// What never ends.
fn endless() -> Answer {
    Answer::Endless(chunked_head(), chunk())
}
