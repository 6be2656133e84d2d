//! A server that does with each connection what a test says, byte by byte.

use crate::clock;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What is done with one connection after its request was read.
#[derive(Clone)]
pub(crate) enum Answer {
    /// These bytes, then the connection is closed.
    Bytes(Vec<u8>),
    /// These bytes for each request that comes on the connection.
    KeepAlive(Vec<u8>),
    /// These bytes, then nothing more; the connection stays open.
    Hang(Vec<u8>),
    /// These bytes, then a single one again and again, after this much time each.
    Drip(Vec<u8>, Duration),
    /// These bytes, then this piece again and again, as fast as it is taken.
    Endless(Vec<u8>, Vec<u8>),
    /// These bytes, then a reset.
    Reset(Vec<u8>),
}

/// One request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Received {
    /// The first line.
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// All headers.
    pub(crate) fn headers(&self) -> http::HeaderMap {
        self.head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| {
                (
                    name.parse::<http::HeaderName>().expect("a header name"),
                    value.parse().expect("a header value"),
                )
            })
            .collect()
    }

    /// One header; empty where it is not there.
    pub(crate) fn header(&self, name: &str) -> String {
        let headers = self.headers();
        let values: Vec<_> = headers.get_all(name).iter().collect();
        assert!(values.len() < 2, "{name} came more than once");
        values.first().map_or_else(String::new, |value| {
            value.to_str().expect("visible characters").to_owned()
        })
    }
}

/// Listens until it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    most_at_once: Arc<AtomicUsize>,
    pushed_bytes: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Gives every connection the same answer.
    pub(crate) async fn always(answer: Answer) -> Self {
        Self::start(move |_| answer.clone()).await
    }

    /// Gives the n-th connection (from 0) its answer.
    pub(crate) async fn start(answer: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Self {
        Self::run(move |number, _| answer(number)).await
    }

    /// Gives each request its answer.
    pub(crate) async fn answering(
        answer: impl Fn(&Received) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::run(move |_, request| request.map_or_else(|| Answer::Reset(Vec::new()), &answer))
            .await
    }

    async fn run(
        answer: impl Fn(usize, Option<&Received>) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("the address that was bound");
        let received = Arc::new(Mutex::new(Vec::new()));
        let most_at_once = Arc::new(AtomicUsize::new(0));
        let at_once = Arc::new(AtomicUsize::new(0));
        let pushed_bytes = Arc::new(AtomicUsize::new(0));
        let answer = Arc::new(answer);
        let task = tokio::spawn({
            let (received, most_at_once) = (Arc::clone(&received), Arc::clone(&most_at_once));
            let pushed_bytes = Arc::clone(&pushed_bytes);
            async move {
                // Dropping the set with this task ends all connections.
                let mut connections = tokio::task::JoinSet::new();
                for number in 0.. {
                    let Ok((stream, _)) = listener.accept().await else {
                        return;
                    };
                    let (received, answer) = (Arc::clone(&received), Arc::clone(&answer));
                    let (most_at_once, at_once) = (Arc::clone(&most_at_once), Arc::clone(&at_once));
                    let pushed_bytes = Arc::clone(&pushed_bytes);
                    connections.spawn(async move {
                        let now = at_once.fetch_add(1, Ordering::SeqCst) + 1;
                        most_at_once.fetch_max(now, Ordering::SeqCst);
                        // A client that hangs up early is part of many stories.
                        let answer = |request: Option<&Received>| answer(number, request);
                        let _ = serve(stream, &received, answer, &pushed_bytes).await;
                        at_once.fetch_sub(1, Ordering::SeqCst);
                    });
                }
            }
        });
        Self {
            address,
            received,
            most_at_once,
            pushed_bytes,
            task,
        }
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests that came, oldest first.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.received
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The only request that came.
    #[track_caller]
    pub(crate) fn only(&self) -> Received {
        let received = self.received();
        let [only] = received.as_slice() else {
            panic!("{} requests came", received.len());
        };
        only.clone()
    }

    /// How many bytes of endless answers were taken, by clients or by the system's socket buffers.
    pub(crate) fn pushed_bytes(&self) -> usize {
        self.pushed_bytes.load(Ordering::SeqCst)
    }

    /// How many connections were open at once at most.
    pub(crate) fn most_at_once(&self) -> usize {
        self.most_at_once.load(Ordering::SeqCst)
    }
}

/// What the system's socket buffers take at most beyond what the other side reads.
pub(crate) const SOCKET_BUFFERS_BYTES: usize = 16 * 1024 * 1024;

/// An address on which nobody listens.
pub(crate) async fn deserted_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    listener.local_addr().expect("the address that was bound")
}

/// A whole answer that closes the connection.
pub(crate) fn answer(status: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Answer {
    let length = format!("content-length: {}", body.as_ref().len());
    let mut headers = headers.to_vec();
    headers.push(&length);
    let mut bytes = head(status, &headers);
    bytes.extend_from_slice(body.as_ref());
    Answer::Bytes(bytes)
}

/// The head of an answer that closes the connection.
pub(crate) fn head(status: &str, headers: &[&str]) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status}\r\nconnection: close\r\n");
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// Waits until something holds; the test's own time limit ends a wait in vain.
pub(crate) async fn until<F: Future<Output = bool>>(mut holds: impl FnMut() -> F) {
    tokio::time::timeout(Duration::from_secs(20), async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it never came to hold");
}

async fn serve(
    mut stream: TcpStream,
    received: &Mutex<Vec<Received>>,
    answer: impl Fn(Option<&Received>) -> Answer,
    pushed_bytes: &AtomicUsize,
) -> std::io::Result<()> {
    let remember = |request: Received| {
        let mut received = received.lock().unwrap_or_else(PoisonError::into_inner);
        received.push(request);
    };
    let request = read_request(&mut stream).await?;
    let answer = answer(request.as_ref());
    if let Some(request) = request {
        remember(request);
    }
    match answer {
        Answer::Bytes(bytes) => {
            stream.write_all(&bytes).await?;
            stream.shutdown().await
        }
        Answer::KeepAlive(bytes) => {
            stream.write_all(&bytes).await?;
            while let Some(request) = read_request(&mut stream).await? {
                remember(request);
                stream.write_all(&bytes).await?;
            }
            Ok(())
        }
        Answer::Hang(bytes) => {
            stream.write_all(&bytes).await?;
            std::future::pending().await
        }
        Answer::Drip(bytes, pause) => {
            stream.write_all(&bytes).await?;
            loop {
                stream.write_all(b"x").await?;
                clock().sleep(pause).await;
            }
        }
        Answer::Endless(bytes, piece) => {
            stream.write_all(&bytes).await?;
            loop {
                stream.write_all(&piece).await?;
                pushed_bytes.fetch_add(piece.len(), Ordering::SeqCst);
            }
        }
        Answer::Reset(bytes) => {
            stream.write_all(&bytes).await?;
            stream.set_zero_linger()
        }
    }
}

/// One HTTP/1.1 request; None where what comes is something else (a TLS greeting).
async fn read_request(stream: &mut TcpStream) -> std::io::Result<Option<Received>> {
    let mut bytes = Vec::new();
    loop {
        if bytes
            .first()
            .is_some_and(|first: &u8| !first.is_ascii_uppercase())
        {
            return Ok(None);
        }
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let mut request = Received {
                head,
                body: bytes.split_off(end + 4),
            };
            let length = request.header("content-length").parse().unwrap_or(0);
            while request.body.len() < length {
                if stream.read_buf(&mut request.body).await? == 0 {
                    break;
                }
            }
            return Ok(Some(request));
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
}
