//! Certificates are looked at: a server that nobody vouches for gets no request.

use crate::server::until;
use crate::{CONFIDENTIAL, assert_discreet, clock, secrets};
use rounds_domain::plan::{Connection, Destination};
use rounds_domain::ports::{Destinations, Ehr, Message, Transience};
use rounds_domain::{AttemptOutcome, Document, Former, NotificationId};
use rounds_http::{EhrClient, WebhookClient};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// A TLS server with a certificate for 127.0.0.1 that it signed itself.
struct SelfSigned {
    address: SocketAddr,
    handshakes_tried: Arc<AtomicUsize>,
    handshakes_done: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for SelfSigned {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl SelfSigned {
    async fn start() -> Self {
        let own = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()])
            .expect("a certificate");
        let key = own.signing_key.serialize_der().try_into().expect("a key");
        let config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .expect("the key belongs to the certificate");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("the address that was bound");
        let handshakes_tried = Arc::new(AtomicUsize::new(0));
        let handshakes_done = Arc::new(AtomicUsize::new(0));
        let (tried, done) = (Arc::clone(&handshakes_tried), Arc::clone(&handshakes_done));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let result = acceptor.accept(stream).await;
                done.fetch_add(usize::from(result.is_ok()), Ordering::SeqCst);
                tried.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self {
            address,
            handshakes_tried,
            handshakes_done,
            task,
        }
    }

    async fn assert_that_it_was_turned_away(&self) {
        until(async || self.handshakes_tried.load(Ordering::SeqCst) > 0).await;
        assert_eq!(self.handshakes_done.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn an_ehr_that_nobody_vouches_for_gets_no_request() {
    let server = SelfSigned::start().await;
    let base = format!("https://{}/", server.address);
    let connection: Connection = crate::ehr::connection(&base);
    let client = EhrClient::new([Arc::new(connection)], secrets(), clock()).expect("a client");
    let error = client
        .send(crate::ehr::request(&format!("{base}{CONFIDENTIAL}")))
        .await
        .expect_err("nobody vouches for it");
    assert_eq!(error.code.as_str(), "R0308", "{error}");
    assert_eq!(error.transience, Transience::Lasting);
    assert!(error.message.contains("certificate"), "{error}");
    assert_discreet(&format!("{error} {error:?}"));
    server.assert_that_it_was_turned_away().await;
}

#[tokio::test]
async fn a_destination_that_nobody_vouches_for_gets_no_notification() {
    let server = SelfSigned::start().await;
    let destination: Destination =
        crate::webhook::destination(&format!("https://{}/{CONFIDENTIAL}", server.address));
    let name = destination.name.clone();
    let client = WebhookClient::new([Arc::new(destination)], secrets(), clock()).expect("a client");
    let message = Message {
        id: NotificationId::new("ntf_1"),
        body: Document::new("{}"),
        gaps: Vec::new(),
        former: Former::None,
        changed: Vec::new(),
        content_type: "application/json",
        headers: Vec::new(),
        attempt: 1,
        sent_at: clock().now(),
    };
    let AttemptOutcome::Unreachable { code, reason } = client.deliver(&name, message).await else {
        panic!("it must not be reachable");
    };
    assert_eq!(code.as_str(), "R0503", "{reason}");
    assert_discreet(&reason);
    server.assert_that_it_was_turned_away().await;
}
