//! A listening socket on loopback, its connections, and an end that never hangs.
//!
//! The fakes serve with hyper's connection type and not with a ready-made server for two reasons: the `Date` header must follow the clock that
//! the test gives (and must be able to be missing), and a handler must be able to reset its connection.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use std::{fmt, io};

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use futures_util::future::BoxFuture;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::clock::pause;

/// How long a connection may take to end once the server stops. Only a client that stalls in the middle of a request needs it.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// How long to let be after a failed accept (no file descriptors left, most often).
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// A fake could not start.
#[derive(Debug, Error)]
#[error(
    "cannot listen on 127.0.0.1 for the fake {name}; check that loopback is up and file descriptors are left"
)]
pub struct StartError {
    /// Which fake.
    pub name: &'static str,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// What answers the requests of one server.
pub(crate) type Handler =
    Arc<dyn Fn(Request, ConnectionControl) -> BoxFuture<'static, Response> + Send + Sync>;

/// A running server on `127.0.0.1`. Dropping it stops it; [`FakeServer::stop`] also waits for the end.
pub(crate) struct FakeServer {
    address: SocketAddr,
    stop_signal: watch::Sender<bool>,
    bytes_sent: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl FakeServer {
    /// Listens on a free port. `make_handler` is told the origin (`http://127.0.0.1:PORT`) and gets a signal of the server's end.
    pub(crate) async fn start(
        name: &'static str,
        make_handler: impl FnOnce(String, Stopping) -> Handler,
    ) -> Result<Self, StartError> {
        let explain = |source| StartError { name, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(explain)?;
        let address = listener.local_addr().map_err(explain)?;
        let (stop_signal, stopping) = watch::channel(false);
        let stopping = Stopping(stopping);
        let handler = make_handler(format!("http://{address}"), stopping.clone());
        let bytes_sent = Arc::<AtomicU64>::default();
        let task = tokio::spawn(accept_until_stopped(
            listener,
            handler,
            stopping,
            Arc::clone(&bytes_sent),
        ));
        Ok(Self {
            address,
            stop_signal,
            bytes_sent,
            task,
        })
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many bytes clients and the system's socket buffers took from it, heads included.
    pub(crate) fn bytes_sent(&self) -> u64 {
        self.bytes_sent.load(Ordering::Relaxed)
    }

    /// Stops listening, ends what is under way, and returns when all connections are closed.
    pub(crate) async fn stop(self) {
        self.stop_signal.send_replace(true);
        // A task that panicked has ended too, and its panic was printed.
        let _ended = self.task.await;
    }
}

impl fmt::Debug for FakeServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "FakeServer({})", self.address)
    }
}

/// Tells that the server is about to end, by a signal or by being dropped.
#[derive(Clone)]
pub(crate) struct Stopping(watch::Receiver<bool>);

impl Stopping {
    pub(crate) async fn wait(mut self) {
        // An error means that the sender was dropped, which is the other way to stop.
        let _stopped = self.0.wait_for(|stopped| *stopped).await;
    }
}

async fn accept_until_stopped(
    listener: TcpListener,
    handler: Handler,
    stopping: Stopping,
    bytes_sent: Arc<AtomicU64>,
) {
    let mut connections = JoinSet::new();
    let mut stopped = pin!(stopping.clone().wait());
    loop {
        tokio::select! {
            biased;
            () = &mut stopped => break,
            Some(_ended) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _peer)) => {
                    let control = ConnectionControl::default();
                    let stream = ControlledStream {
                        stream,
                        control: control.clone(),
                        bytes_sent: Arc::clone(&bytes_sent),
                    };
                    connections.spawn(serve(
                        stream,
                        control,
                        Arc::clone(&handler),
                        stopping.clone(),
                    ));
                }
                Err(_full) => pause(ACCEPT_PAUSE).await,
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn serve(
    stream: ControlledStream,
    control: ConnectionControl,
    handler: Handler,
    stopping: Stopping,
) {
    // Small answers in a ping-pong of requests suffer badly from Nagle's algorithm.
    let _best_effort = stream.stream.set_nodelay(true);
    let stream = TokioIo::new(stream);
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let answer = handler(request.map(Body::new), control.clone());
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .auto_date_header(false)
            .serve_connection(stream, service)
    );
    // How a connection ends is the client's business, or a scripted fault: there is nobody here to tell.
    tokio::select! {
        biased;
        _ended = connection.as_mut() => return,
        () = stopping.wait() => connection.as_mut().graceful_shutdown(),
    }
    let _ended = tokio::time::timeout(STOP_GRACE, connection).await;
}

/// By which a handler resets the connection that its request came on.
#[derive(Clone, Default)]
pub(crate) struct ConnectionControl {
    reset: Arc<AtomicBool>,
}

impl ConnectionControl {
    /// From now on nothing more is written: the first try sends a TCP reset instead.
    pub(crate) fn reset(&self) {
        self.reset.store(true, Ordering::Release);
    }
}

/// A stream that counts what it sends, and answers its first write after [`ConnectionControl::reset`] with a TCP reset.
struct ControlledStream {
    stream: TcpStream,
    control: ConnectionControl,
    bytes_sent: Arc<AtomicU64>,
}

impl AsyncRead for ControlledStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for ControlledStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.control.reset.load(Ordering::Acquire) {
            // Closing a socket that does not linger sends RST and not FIN; the error makes hyper close it.
            let closed = self.stream.set_zero_linger();
            return Poll::Ready(Err(closed
                .err()
                .unwrap_or_else(|| io::ErrorKind::ConnectionReset.into())));
        }
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(length)) = written {
            self.bytes_sent.fetch_add(length as u64, Ordering::Relaxed);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.control.reset.load(Ordering::Acquire) {
            return Poll::Ready(Ok(())); // A shutdown would send FIN before the reset.
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
