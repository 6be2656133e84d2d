//! What EHRs push, over real sockets: who may, what is answered, and what strangers cannot do.

use crate::{CONFIDENTIAL, SECRET, clock, environment, secrets};
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, Mac};
use rounds_domain::plan::{Inbound, InboundProof, Plan};
use rounds_domain::ports::{NotTaken, Receipt, Reception};
use rounds_domain::{ActionName, Code, ConnectionName};
use rounds_http::{InboundServers, Secrets};
use sha2::Sha256;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Keeps what it is given; what it answers follows from the body.
#[derive(Default)]
struct Desk(Mutex<Vec<(String, String, Bytes)>>);

#[async_trait]
impl Reception for Desk {
    async fn receive(
        &self,
        connection: &ConnectionName,
        action: &ActionName,
        body: Bytes,
    ) -> Result<Receipt, NotTaken> {
        let outcome = match &body[..] {
            b"unknown" => Err(NotTaken::Unknown),
            b"unreadable" => Err(NotTaken::Unreadable {
                code: Code::new("R0390"),
                reason: "no JSON".to_owned(),
            }),
            b"full" => Err(NotTaken::Unavailable {
                code: Code::new("R0601"),
                reason: "the disk is full".to_owned(),
            }),
            _ => Ok(Receipt { told: 1, known: 2 }),
        };
        let taken = (connection.to_string(), action.to_string(), body);
        self.0.lock().expect("not poisoned").push(taken);
        outcome
    }
}

struct Story {
    desk: Arc<Desk>,
    address: SocketAddr,
    _servers: InboundServers,
}

impl Story {
    async fn with(proof: InboundProof, secrets: Arc<Secrets>) -> Self {
        let mut connection = crate::ehr::connection("https://ehr.example/api/");
        connection.receive = Some(Inbound {
            listen: ([127, 0, 0, 1], 0).into(),
            proof,
            body_limit_bytes: 1_000,
        });
        let plan = Plan {
            connections: [(connection.name.clone(), Arc::new(connection))].into(),
            ..Plan::default()
        };
        let desk = Arc::new(Desk::default());
        let reception = Arc::clone(&desk) as Arc<dyn Reception>;
        let servers = InboundServers::start(&plan, &secrets, &clock(), &reception)
            .await
            .expect("a free port");
        Self {
            address: servers.addresses()[0],
            desk,
            _servers: servers,
        }
    }

    async fn bearer() -> Self {
        Self::with(InboundProof::Bearer(environment("TOKEN_PUSH")), secrets()).await
    }

    async fn send(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("it listens");
        let sent = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        // A body that is too long is not read to its end: the answer may come with a reset.
        let _ = (sent, stream.read_to_end(&mut answer).await);
        String::from_utf8(answer).expect("text")
    }

    /// The status of a POST with these headers.
    async fn post(&self, path: &str, headers: &[String], body: &str) -> (u16, String) {
        let headers = headers
            .iter()
            .fold(String::new(), |all, header| all + header + "\r\n");
        let answer = self
            .send(&format!(
                "POST {path} HTTP/1.1\r\nhost: rounds\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
                body.len()
            ))
            .await;
        let status = answer.get(9..12).and_then(|status| status.parse().ok());
        (status.unwrap_or_default(), answer)
    }

    fn taken(&self) -> usize {
        self.desk.0.lock().expect("not poisoned").len()
    }
}

fn token() -> Vec<String> {
    vec![format!("authorization: Bearer {SECRET}-TOKEN_PUSH")]
}

#[tokio::test]
async fn a_push_is_answered_by_what_became_of_it() {
    let story = Story::bearer().await;
    for (body, status, words) in [
        ("{\"id\":1}", 200, r#"{"known":2,"told":1}"#),
        ("unknown", 404, "R0391"),
        ("unreadable", 400, "R0390"),
        ("full", 503, "retry-after: 5"),
    ] {
        let (found, answer) = story.post("/mercy/appointments", &token(), body).await;
        assert_eq!(found, status, "{answer}");
        assert!(answer.contains(words), "{answer}");
        assert!(
            !answer.contains("disk"),
            "a sender learns nothing of us: {answer}"
        );
    }
    let (connection, action, body) = story.desk.0.lock().expect("not poisoned")[0].clone();
    assert_eq!(
        (&*connection, &*action, &body[..]),
        ("mercy", "appointments", &b"{\"id\":1}"[..])
    );
}

#[tokio::test]
async fn only_who_has_the_secret_is_heard() {
    let story = Story::bearer().await;
    let wrong = |value: &str| vec![format!("authorization: {value}")];
    for headers in [
        Vec::new(),
        wrong("Bearer hunter3"),
        wrong(&format!("Basic {SECRET}-TOKEN_PUSH")),
        wrong(&format!("Bearer {SECRET}-TOKEN_PUS")),
        wrong("Bearer "),
    ] {
        let (status, answer) = story
            .post("/mercy/appointments", &headers, CONFIDENTIAL)
            .await;
        assert_eq!(status, 401, "{headers:?}");
        crate::assert_discreet(&answer);
    }
    assert_eq!(story.taken(), 0);
}

#[tokio::test]
async fn every_kind_of_proof_is_checked() {
    let body = format!("{{\"id\":\"{CONFIDENTIAL}\"}}");
    let key = format!("{SECRET}-TOKEN_MAC");
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("a key");
    mac.update(body.as_bytes());
    let mac = mac.finalize().into_bytes();
    let hex = format!("{mac:x}");
    let signature = http::HeaderName::from_static("x-ehr-signature");
    let hmac = || InboundProof::BodyHmac {
        header: signature.clone(),
        secret: environment("TOKEN_MAC"),
    };
    let basic = InboundProof::Basic {
        username: "ehr".to_owned(),
        password: environment("TOKEN_BASIC"),
    };
    let header = InboundProof::Header {
        name: http::HeaderName::from_static("x-key"),
        value: environment("TOKEN_KEY"),
    };
    let pair = STANDARD.encode(format!("ehr:{SECRET}-TOKEN_BASIC"));
    for (proof, good, bad) in [
        (
            basic,
            format!("authorization: Basic {pair}"),
            "authorization: Basic ZTpm".to_owned(),
        ),
        (
            header,
            format!("x-key: {SECRET}-TOKEN_KEY"),
            "x-key: x".to_owned(),
        ),
        (
            hmac(),
            format!("x-ehr-signature: {hex}"),
            format!("x-ehr-signature: {}", "0".repeat(64)),
        ),
        (
            hmac(),
            format!("x-ehr-signature: sha256={}", hex.to_uppercase()),
            "x-ehr-signature: sha256=".to_owned(),
        ),
        (
            hmac(),
            format!("x-ehr-signature: {}", STANDARD.encode(mac)),
            "x-ehr-signature: AAAA".to_owned(),
        ),
    ] {
        let story = Story::with(proof, secrets()).await;
        assert_eq!(story.post("/mercy/a", &[bad], &body).await.0, 401);
        assert_eq!(
            story
                .post("/mercy/a", std::slice::from_ref(&good), &body)
                .await
                .0,
            200,
            "{good}"
        );
        assert_eq!(story.taken(), 1);
    }
    // A MAC is one body's alone.
    let story = Story::with(hmac(), secrets()).await;
    let (status, _) = story
        .post("/mercy/a", &[format!("x-ehr-signature: {hex}")], "{}")
        .await;
    assert_eq!(status, 401);
}

#[tokio::test]
async fn a_standard_webhook_holds_for_its_body_and_its_time() {
    let secret = |number: u8| format!("whsec_{}", STANDARD.encode([number; 32]));
    let known = Arc::new(Secrets::with_environment(clock(), move |name| match name {
        "OLD" => Some(secret(1).into()),
        "NEW" => Some(secret(2).into()),
        _ => None,
    }));
    let proof = InboundProof::Signature(vec![environment("NEW"), environment("OLD")]);
    let story = Story::with(proof, known).await;
    let now = clock().now().as_second();
    let body = "{\"id\":1}";
    let signed = |number: u8, seconds: i64, body: &str| {
        let webhook = standardwebhooks::Webhook::new(&secret(number)).expect("a secret");
        let signature = webhook
            .sign("msg_1", seconds, body.as_bytes())
            .expect("signed");
        vec![
            "webhook-id: msg_1".to_owned(),
            format!("webhook-timestamp: {seconds}"),
            format!("webhook-signature: v1a,abc {signature}"),
        ]
    };
    for number in [1, 2] {
        let (status, answer) = story
            .post("/mercy/a", &signed(number, now, body), body)
            .await;
        assert_eq!(status, 200, "{answer}");
    }
    for (headers, sent) in [
        (signed(3, now, body), body),
        (signed(1, now, "{}"), body),
        (signed(1, now - 3_600, body), body),
        (signed(1, now + 3_600, body), body),
        (Vec::new(), body),
    ] {
        assert_eq!(story.post("/mercy/a", &headers, sent).await.0, 401);
    }
    assert_eq!(story.taken(), 2);
}

#[tokio::test]
async fn what_strangers_send_is_bounded_and_refused() {
    let story = Story::bearer().await;
    for path in [
        "/",
        "/mercy",
        "/other/appointments",
        "//",
        "/mercy%2Fappointments",
    ] {
        assert_eq!(story.post(path, &token(), "{}").await.0, 404, "{path}");
    }
    let get = story
        .send("GET /mercy/appointments HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await;
    assert!(
        get.starts_with("HTTP/1.1 405") && get.contains("allow: POST"),
        "{get}"
    );
    let (status, _) = story.post("/mercy/a", &token(), &"x".repeat(1_001)).await;
    assert_eq!(status, 413);
    // A promise of bytes that do not come.
    let broken = format!(
        "POST /mercy/a HTTP/1.1\r\nhost: x\r\n{}\r\ncontent-length: 100\r\n\r\nhalf",
        token()[0]
    );
    let mut stream = TcpStream::connect(story.address).await.expect("it listens");
    stream.write_all(broken.as_bytes()).await.expect("sent");
    stream.shutdown().await.expect("hung up");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    let garbage = story.send("\u{1}\u{2}\u{3}\r\n\r\n").await;
    assert!(!garbage.starts_with("HTTP/1.1 200"), "{garbage}");
    let mut huge = "POST /mercy/a HTTP/1.1\r\nhost: x\r\n".to_owned();
    for number in 0..20_000 {
        let line = ["x-", &number.to_string(), ": 1\r\n"];
        huge.extend(line);
    }
    let huge = story.send(&huge).await;
    assert!(!huge.starts_with("HTTP/1.1 200"), "{huge}");
    assert_eq!(story.taken(), 0);
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_is_our_fault() {
    let story = Story::with(InboundProof::Bearer(environment("NOT_THERE")), secrets()).await;
    let (status, answer) = story.post("/mercy/a", &token(), "{}").await;
    assert_eq!(status, 503, "{answer}");
    assert!(answer.contains("R0394"), "{answer}");
}

#[tokio::test]
async fn an_address_that_somebody_else_has_is_an_error() {
    let story = Story::bearer().await;
    let mut connection = crate::ehr::connection("https://ehr.example/api/");
    connection.receive = Some(Inbound {
        listen: story.address,
        proof: InboundProof::Bearer(environment("TOKEN_PUSH")),
        body_limit_bytes: 1_000,
    });
    let plan = Plan {
        connections: [(connection.name.clone(), Arc::new(connection))].into(),
        ..Plan::default()
    };
    let reception = Arc::clone(&story.desk) as Arc<dyn Reception>;
    let error = InboundServers::start(&plan, &secrets(), &clock(), &reception)
        .await
        .expect_err("it is taken");
    assert!(
        error.to_string().contains(&story.address.to_string()),
        "{error}"
    );
}
