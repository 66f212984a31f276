//! The HTTP socket: there before the broker, so that health checks have an answer while logs are opened, and gone after it.
//!
//! Bounded: so many connections at once, the next waits in the system's queue; and whoever sends no request is let go, so that
//! connections that were forgotten do not keep health checks out.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

use super::routes::router;
use super::status::Status;

/// Connections at once.
pub(super) const CONNECTIONS_MAX: usize = 128;
/// How long a connection may be without the head of a request.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// How long to wait when the system gives no connection (too many open files): it gets better or it does not.
const PAUSE: Duration = Duration::from_millis(100);

/// HTTP that listens.
#[derive(Debug)]
pub struct AdminServer {
    address: SocketAddr,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

/// HTTP could not be started.
#[derive(Debug, thiserror::Error)]
#[error("listening on {address} for HTTP: {source}; give --http another HOST:PORT")]
pub struct BindError {
    address: String,
    source: io::Error,
}

impl AdminServer {
    /// Listens, and answers until it is stopped or dropped.
    pub async fn serve(listen: &str, status: Arc<Status>, clock: Arc<dyn Clock>) -> Result<Self, BindError> {
        Self::serve_patiently(listen, status, clock, SILENCE_MAX).await
    }

    /// The same, with another bound on silence.
    pub(super) async fn serve_patiently(
        listen: &str,
        status: Arc<Status>,
        clock: Arc<dyn Clock>,
        silence_max: Duration,
    ) -> Result<Self, BindError> {
        let failed = |source| BindError { address: listen.to_owned(), source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let stop = CancellationToken::new();
        let (router, stopped) = (router(status), stop.clone());
        let accepting = Accepting { listener, router, clock: Arc::clone(&clock), silence_max, stop: stopped };
        let serving = tokio::spawn(accepting.run());
        tracing::info!(%address, "listening for HTTP");
        Ok(Self { address, clock, stop, serving })
    }

    /// Where it listens: with the real port, where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers what is under way, and closes whatever is left after `deadline`.
    pub async fn stop(mut self, deadline: Duration) {
        self.stop.cancel();
        tokio::select! {
            _ = &mut self.serving => {}
            () = self.clock.sleep(deadline) => {}
        }
    }
}

impl Drop for AdminServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// What the accepting task owns. Connections are its own too, and end with it.
struct Accepting {
    listener: TcpListener,
    router: Router,
    clock: Arc<dyn Clock>,
    silence_max: Duration,
    stop: CancellationToken,
}

impl Accepting {
    async fn run(self) {
        let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let graceful = GracefulShutdown::new();
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let next = async {
                let slot = Arc::clone(&slots).acquire_owned().await;
                (slot, self.listener.accept().await)
            };
            let (slot, accepted) = tokio::select! {
                next = next => next,
                Some(_) = connections.join_next() => continue,
                () = self.stop.cancelled() => break,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::debug!(%error, "no HTTP connection");
                    self.clock.sleep(PAUSE).await;
                    continue;
                }
            };
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(self.silence_max)
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(self.router.clone()));
            let connection = graceful.watch(connection);
            connections.spawn(async move {
                // An error is the peer's business: it sees its connection closed.
                let _ = connection.await;
                drop(slot);
            });
        }
        drop(self.listener);
        graceful.shutdown().await;
    }
}
