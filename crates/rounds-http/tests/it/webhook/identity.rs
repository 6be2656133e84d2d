//! Who we are towards a destination: access tokens, certificates.

use super::{client, destination, destination_at, message, name};
use crate::clock;
use crate::server::{Server, answer, until};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rounds_domain::AttemptOutcome;
use rounds_domain::plan::{
    ClientCertificate, ClientProof, Destination, Grant, OAuth2, SecretReference, TokenUrl,
};
use rounds_domain::ports::Destinations;
use rounds_http::{Secrets, WebhookClient};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use url::Url;

fn with_tokens(server: &Server, tokens: &Server) -> Destination {
    Destination {
        oauth2: Some(Box::new(OAuth2 {
            grant: Grant::ClientCredentials,
            token_url: TokenUrl::At(
                Url::parse(&format!("http://{}/token", tokens.address())).expect("a URL"),
            ),
            client_id: "rounds".to_owned(),
            client: ClientProof::Post(SecretReference::Environment("TOKEN_CLIENT".to_owned())),
            scope: Some("notify".to_owned()),
            parameters: Vec::new(),
        })),
        ..destination_at(server)
    }
}

/// Gives `token-0`, `token-1`...
async fn token_server() -> Server {
    Server::start(|number| {
        let body = format!(
            r#"{{"access_token":"token-{number}","token_type":"Bearer","expires_in":3600}}"#
        );
        answer("200 OK", &["content-type: application/json"], body)
    })
    .await
}

#[tokio::test]
async fn one_token_serves_all_attempts() {
    let (tokens, server) = (
        token_server().await,
        Server::always(answer("204 No Content", &[], "")).await,
    );
    let client = client(with_tokens(&server, &tokens));
    for _ in 0..3 {
        let outcome = client.deliver(&name(), message()).await;
        assert_eq!(outcome, AttemptOutcome::Delivered { status: 204 });
    }
    let asked = String::from_utf8(tokens.only().body).expect("a form");
    for part in [
        "grant_type=client_credentials",
        "client_id=rounds",
        "scope=notify",
    ] {
        assert!(asked.contains(part), "{asked}");
    }
    for received in server.received() {
        assert_eq!(received.header("authorization"), "Bearer token-0");
    }
}

#[tokio::test]
async fn a_refused_token_is_had_anew_once_and_the_attempt_made_again() {
    let tokens = token_server().await;
    let server = Server::start(|number| match number {
        0 => answer("401 Unauthorized", &[], ""),
        _ => answer("200 OK", &[], ""),
    })
    .await;
    let client = client(with_tokens(&server, &tokens));
    let outcome = client.deliver(&name(), message()).await;
    assert_eq!(outcome, AttemptOutcome::Delivered { status: 200 });
    let sent = server.received();
    let used: Vec<String> = sent.iter().map(|one| one.header("authorization")).collect();
    assert_eq!(used, ["Bearer token-0", "Bearer token-1"]);
    assert_eq!(sent[0].body, sent[1].body);
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    let server = Server::always(answer("200 OK", &[], "")).await;
    let tokens = Server::always(answer(
        "401 Unauthorized",
        &[],
        r#"{"error":"invalid_client"}"#,
    ))
    .await;
    let client = client(with_tokens(&server, &tokens));
    let AttemptOutcome::Impossible { code, reason } = client.deliver(&name(), message()).await
    else {
        panic!("there is no token");
    };
    assert_eq!(code.as_str(), "R0513", "{reason}");
    assert!(reason.contains("invalid_client"), "{reason}");
    crate::assert_discreet(&reason);
    assert!(server.received().is_empty());
}

/// A token URL is dialled by the destination's rules: what may be an EHR's may not be a destination's.
#[tokio::test]
async fn a_token_url_is_guarded_like_its_destination() {
    let (tokens, server) = (
        token_server().await,
        Server::always(answer("200 OK", &[], "")).await,
    );
    let mut destination = with_tokens(&server, &tokens);
    destination.url = Url::parse("https://app.example.org/").expect("a URL");
    destination.allow_addresses = Vec::new();
    let client = client(destination);
    let AttemptOutcome::Impossible { code, reason } = client.deliver(&name(), message()).await
    else {
        panic!("it may not be dialled");
    };
    assert_eq!(code.as_str(), "R0513", "{reason}");
    assert!(reason.contains("loopback"), "{reason}");
    assert!(tokens.received().is_empty());
}

/// A server that asks for a certificate of one authority, and has one of another authority itself.
struct Mutual {
    port: u16,
    taken: Arc<AtomicUsize>,
    turned_away: Arc<AtomicUsize>,
    authority: String,
    ours: (String, String),
    strangers: (String, String),
}

fn pem(label: &str, der: &[u8]) -> String {
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        STANDARD.encode(der)
    )
}

fn authority(name: &str) -> (rcgen::Certificate, rcgen::Issuer<'static, rcgen::KeyPair>) {
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    parameters
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = parameters.self_signed(&key).expect("a certificate");
    (certificate, rcgen::Issuer::new(parameters, key))
}

fn signed(
    issuer: &rcgen::Issuer<'_, rcgen::KeyPair>,
    name: &str,
) -> (rcgen::Certificate, rcgen::KeyPair) {
    let parameters = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("parameters");
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = parameters.signed_by(&key, issuer).expect("a certificate");
    (certificate, key)
}

impl Mutual {
    async fn start() -> Self {
        let (server_root, server_issuer) = authority("the hospital's");
        let (client_root, client_issuer) = authority("for partners");
        let (_, stranger_issuer) = authority("of somebody else");
        let (own, own_key) = signed(&server_issuer, "127.0.0.1");
        let both = |(certificate, key): (rcgen::Certificate, rcgen::KeyPair)| {
            (
                pem("CERTIFICATE", certificate.der()),
                pem("PRIVATE KEY", &key.serialize_der()),
            )
        };
        let mut roots = rustls::RootCertStore::empty();
        roots.add(client_root.der().clone()).expect("a root");
        let verifier = rustls::server::WebPkiClientVerifier::builder(Arc::new(roots))
            .build()
            .expect("a verifier");
        let config = rustls::ServerConfig::builder()
            .with_client_cert_verifier(verifier)
            .with_single_cert(
                vec![own.der().clone()],
                own_key.serialize_der().try_into().expect("a key"),
            )
            .expect("the key belongs to the certificate");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let (taken, turned_away) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (count, refused) = (Arc::clone(&taken), Arc::clone(&turned_away));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    refused.fetch_add(1, Ordering::SeqCst);
                    continue;
                };
                let mut buffer = [0; 4096];
                if stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                    count.fetch_add(1, Ordering::SeqCst);
                    let _ = stream
                        .write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
                        .await;
                    let _ = stream.shutdown().await;
                }
            }
        });
        Self {
            port,
            taken,
            turned_away,
            authority: pem("CERTIFICATE", server_root.der()),
            ours: both(signed(&client_issuer, "rounds")),
            strangers: both(signed(&stranger_issuer, "rounds")),
        }
    }

    /// A client with this certificate and key, which trusts the server's authority.
    fn client(&self, own: Option<&(String, String)>) -> WebhookClient {
        let (certificate, key) = own.cloned().unzip();
        let authority = self.authority.clone();
        let secrets = Secrets::with_environment(clock(), move |name| match name {
            "CERTIFICATE" => certificate.clone().map(Into::into),
            "KEY" => key.clone().map(Into::into),
            "AUTHORITY" => Some(authority.clone().into()),
            _ => None,
        });
        let reference = |name: &str| SecretReference::Environment(name.to_owned());
        let destination = Destination {
            client_certificate: own.map(|_| ClientCertificate {
                certificate: reference("CERTIFICATE"),
                private_key: reference("KEY"),
            }),
            certificate_authority: Some(reference("AUTHORITY")),
            ..destination(&format!("https://127.0.0.1:{}/hooks", self.port))
        };
        WebhookClient::new([Arc::new(destination)], Arc::new(secrets), clock()).expect("a client")
    }
}

#[tokio::test]
async fn a_destination_that_asks_for_a_certificate_is_shown_ours() {
    let server = Mutual::start().await;
    let outcome = server
        .client(Some(&server.ours))
        .deliver(&name(), message())
        .await;
    assert_eq!(outcome, AttemptOutcome::Delivered { status: 204 });
    for own in [None, Some(&server.strangers)] {
        let before = server.turned_away.load(Ordering::SeqCst);
        let outcome = server.client(own).deliver(&name(), message()).await;
        assert!(
            matches!(outcome, AttemptOutcome::Unreachable { .. }),
            "{outcome:?}"
        );
        until(async || server.turned_away.load(Ordering::SeqCst) > before).await;
    }
    assert_eq!(server.taken.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_certificate_that_is_none_sends_nothing_and_is_named() {
    let server = Mutual::start().await;
    let (certificate, key) = server.ours.clone();
    for own in [
        ("hunter2".to_owned(), key.clone()),
        (certificate.clone(), server.strangers.1.clone()),
        (certificate, "hunter2".to_owned()),
    ] {
        let outcome = server.client(Some(&own)).deliver(&name(), message()).await;
        let AttemptOutcome::Impossible { code, reason } = outcome else {
            panic!("nothing can be sent: {outcome:?}");
        };
        assert_eq!(code.as_str(), "R0506", "{reason}");
        assert!(
            reason.contains("CERTIFICATE") || reason.contains("KEY"),
            "{reason}"
        );
        assert!(!reason.contains("hunter2"), "{reason}");
    }
    assert_eq!(server.taken.load(Ordering::SeqCst), 0);
}
