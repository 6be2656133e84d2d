//! Notifications to webhook endpoints.

mod challenge;
mod identity;
mod outcome;

use crate::server::{Answer, Server, answer};
use crate::{CONFIDENTIAL, SECRET, assert_discreet, clock, environment};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue};
use rounds_domain::plan::{
    AddressRange, Challenge, Destination, DestinationTimeouts, HeaderSource, RetrySchedule,
};
use rounds_domain::ports::{Destinations, Message};
use rounds_domain::{
    AttemptOutcome, DeliveryOrder, DestinationName, Document, Former, Gap, LookupName,
    NotificationId,
};
use rounds_http::{Secrets, WebhookClient};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use url::Url;

const PATIENCE: Duration = Duration::from_mins(1);

fn name() -> DestinationName {
    DestinationName::new("app")
}

pub(crate) fn destination(url: &str) -> Destination {
    Destination {
        name: name(),
        url: Url::parse(url).expect("a URL in a test"),
        signing_secrets: Vec::new(),
        verification_token: None,
        bearer: None,
        headers: Vec::new(),
        challenge: Challenge::None,
        timeouts: DestinationTimeouts {
            connect: PATIENCE,
            read: PATIENCE,
            total: PATIENCE,
        },
        retry: RetrySchedule::deliveries(),
        in_flight: 8,
        oauth2: None,
        client_certificate: None,
        certificate_authority: None,
        order: DeliveryOrder::Key,
        breaker_after: Destination::DEFAULT_BREAKER_AFTER,
        allow_addresses: vec![AddressRange {
            address: [127, 0, 0, 0].into(),
            prefix_bits: 8,
        }],
    }
}

fn destination_at(server: &Server) -> Destination {
    destination(&format!(
        "http://{}/hooks/{CONFIDENTIAL}?key={CONFIDENTIAL}",
        server.address()
    ))
}

/// 32 bytes that are this number; the signing secrets of the tests.
fn signing_secret(number: u8) -> String {
    format!("whsec_{}", STANDARD.encode([number; 32]))
}

fn secrets() -> Arc<Secrets> {
    Arc::new(Secrets::with_environment(clock(), |name| match name {
        "SIGN_OLD" => Some(signing_secret(1).into()),
        "SIGN_NEW" => Some(signing_secret(2).trim_start_matches("whsec_").into()),
        "SIGN_BAD" => Some("whsec_hunter2".into()),
        "BROKEN" => Some("hunter2\r\nx-evil: 1".into()),
        _ if name.starts_with("TOKEN") => Some(format!("{SECRET}-{name}").into()),
        _ => None,
    }))
}

fn client(destination: Destination) -> WebhookClient {
    WebhookClient::new([Arc::new(destination)], secrets(), clock()).expect("a client")
}

fn message() -> Message {
    Message {
        id: NotificationId::new("ntf_0198abc"),
        body: Document::new(format!(r#"{{"Patient":"{CONFIDENTIAL}","é":1.50}}"#)),
        gaps: Vec::new(),
        former: Former::None,
        changed: Vec::new(),
        content_type: "application/json",
        headers: Vec::new(),
        attempt: 1,
        sent_at: clock().now(),
    }
}

async fn delivered(destination: Destination, message: Message) -> AttemptOutcome {
    let outcome = client(destination).deliver(&name(), message).await;
    assert_discreet(&format!("{outcome:?}"));
    outcome
}

fn gap(lookup: &str) -> Gap {
    Gap {
        lookup: LookupName::new(lookup),
        status: 404,
    }
}

#[tokio::test]
async fn a_notification_arrives_byte_for_byte_with_all_that_belongs_to_it() {
    let server = Server::always(answer("200 OK", &[], "thanks")).await;
    let mut destination = destination_at(&server);
    destination.verification_token = Some(environment("TOKEN_REDOX"));
    destination.bearer = Some(environment("TOKEN_BEARER"));
    destination.headers = vec![
        (
            HeaderName::from_static("x-site"),
            HeaderSource::Literal(HeaderValue::from_static("north")),
        ),
        (
            HeaderName::from_static("x-api-key"),
            HeaderSource::Secret(environment("TOKEN_KEY")),
        ),
    ];
    let mut message = message();
    message.attempt = 2;
    message.gaps = vec![gap("patient"), gap("visit")];
    let paths = [
        "Visit.VisitDateTime",
        "what no header\ncarries",
        "Visit.Duration",
    ];
    message.changed = paths.map(str::to_owned).to_vec();
    let sent_at = message.sent_at.as_second().to_string();
    let body = message.body.clone();

    let outcome = delivered(destination, message).await;
    assert_eq!(outcome, AttemptOutcome::Delivered { status: 200 });

    let received = server.only();
    assert_eq!(received.body, **body.bytes());
    assert_eq!(
        received.line(),
        format!("POST /hooks/{CONFIDENTIAL}?key={CONFIDENTIAL} HTTP/1.1")
    );
    for (header, expected) in [
        ("content-type", "application/json"),
        ("user-agent", concat!("rounds/", env!("CARGO_PKG_VERSION"))),
        ("webhook-id", "ntf_0198abc"),
        ("webhook-timestamp", &*sent_at),
        ("webhook-signature", ""),
        ("verification-token", "hunter2-TOKEN_REDOX"),
        ("authorization", "Bearer hunter2-TOKEN_BEARER"),
        ("x-site", "north"),
        ("rounds-changed", "Visit.VisitDateTime, Visit.Duration"),
        ("x-api-key", "hunter2-TOKEN_KEY"),
        ("rounds-attempt", "2"),
        ("rounds-missing", "patient, visit"),
    ] {
        assert_eq!(received.header(header), expected, "{header}");
    }
}

#[tokio::test]
async fn during_a_rotation_receivers_with_either_secret_accept_the_signature() {
    let server = Server::always(answer("204 No Content", &[], "")).await;
    let mut destination = destination_at(&server);
    destination.signing_secrets = vec![environment("SIGN_NEW"), environment("SIGN_OLD")];
    let outcome = delivered(destination, message()).await;
    assert_eq!(outcome, AttemptOutcome::Delivered { status: 204 });

    let received = server.only();
    let signatures = received.header("webhook-signature");
    assert_eq!(signatures.split(' ').count(), 2, "{signatures}");
    let verdict = |number: u8, body: &[u8]| {
        standardwebhooks::Webhook::new(&signing_secret(number))
            .expect("a secret")
            .verify(body, &received.headers())
            .is_ok()
    };
    assert!(verdict(1, &received.body), "a receiver with the old secret");
    assert!(verdict(2, &received.body), "a receiver with the new secret");
    assert!(
        !verdict(3, &received.body),
        "a receiver with another secret"
    );
    assert!(!verdict(1, b"{}"), "another body");
    assert_eq!(received.header("rounds-missing"), "");
}

#[tokio::test]
async fn attempts_share_a_connection_whose_answers_were_read() {
    let mut whole = b"HTTP/1.1 200 OK\r\ncontent-length: 30000\r\n\r\n".to_vec();
    whole.resize(whole.len() + 30_000, b' ');
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let server = Server::start(move |number| {
        counted.fetch_max(number + 1, Ordering::SeqCst);
        Answer::KeepAlive(whole.clone())
    })
    .await;
    let client = client(destination_at(&server));
    for _ in 0..5 {
        let outcome = client.deliver(&name(), message()).await;
        assert_eq!(outcome, AttemptOutcome::Delivered { status: 200 });
    }
    assert_eq!(server.received().len(), 5);
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn configured_headers_cannot_forge_what_is_ours() {
    for name in [
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
        "host",
        "content-length",
        "rounds-attempt",
    ] {
        let mut destination = destination("https://app.example.org/");
        destination.headers = vec![(
            name.parse().expect("a header name"),
            HeaderSource::Literal(HeaderValue::from_static("forged")),
        )];
        let error =
            WebhookClient::new([Arc::new(destination)], secrets(), clock()).expect_err(name);
        assert_eq!(
            error.to_string(),
            format!("destination app: the header {name} cannot be set")
        );
    }
}

#[tokio::test]
async fn a_password_in_the_url_is_refused_instead_of_lost() {
    let destination = destination("https://rounds:hunter2@app.example.org/");
    let error =
        WebhookClient::new([Arc::new(destination)], secrets(), clock()).expect_err("it is refused");
    assert!(
        error
            .to_string()
            .starts_with("destination app: the URL holds a user name")
    );
    assert_discreet(&format!("{error} {error:?}"));
}

#[tokio::test]
async fn debug_shows_names_only() {
    let client = client(destination("https://app.example.org/patient-4711"));
    assert_eq!(
        format!("{client:?}"),
        "WebhookClient { destinations: [\"app\"], .. }"
    );
}
