//! The HTTP socket: there before the broker, so that health checks have an answer while logs are opened, and gone after it.
//!
//! Bounded: so many connections at once; where one more comes, the one that has been longest without a request is closed
//! ([`Guests`]). Whoever connects has a while to ask, and a while between two requests. So neither connections that were
//! forgotten nor those that are held on purpose keep health checks out.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

use super::guests::{Guest, Guests};
use super::routes::router;
use super::status::Status;

/// Connections at once.
pub(super) const CONNECTIONS_MAX: usize = 128;
/// How long a new connection may take over the head of its first request.
const FIRST_HEAD: Duration = Duration::from_secs(5);
/// How long a connection may take over the head of a later one: more than most who ask regularly leave between two.
const LATER_HEAD: Duration = Duration::from_secs(65);
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

impl BindError {
    /// Whether the address is none of this machine's, and so will not do later either.
    pub fn is_wrong_address(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::NotFound)
    }
}

impl AdminServer {
    /// Listens, and answers until it is stopped or dropped.
    pub async fn serve(listen: &str, status: Arc<Status>, clock: Arc<dyn Clock>) -> Result<Self, BindError> {
        let failed = |source| BindError { address: listen.to_owned(), source };
        let no_host = |error| failed(io::Error::new(io::ErrorKind::NotFound, error));
        let found: Vec<SocketAddr> = lookup_host(listen).await.map_err(no_host)?.collect();
        let listener = TcpListener::bind(found.as_slice()).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let stop = CancellationToken::new();
        let router = router(status, Arc::clone(&clock));
        let accepting = Accepting { listener, router, clock: Arc::clone(&clock), stop: stop.clone() };
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
    stop: CancellationToken,
}

impl Accepting {
    async fn run(self) {
        let guests = Guests::new(CONNECTIONS_MAX);
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                Some(_) = connections.join_next() => continue,
                () = self.stop.cancelled() => break,
            };
            match accepted {
                Ok((stream, _)) => {
                    connections.spawn(self.connection(stream, Arc::new(guests.admit()), &graceful));
                }
                Err(error) => {
                    tracing::debug!(%error, "no HTTP connection");
                    self.clock.sleep(PAUSE).await;
                }
            }
        }
        drop(self.listener);
        guests.dismiss_silent();
        graceful.shutdown().await;
    }

    /// Answers on one connection until it ends, is silent for too long or its place is needed.
    fn connection(
        &self,
        stream: TcpStream,
        guest: Arc<Guest>,
        graceful: &GracefulShutdown,
    ) -> impl Future<Output = ()> + use<> {
        let router = TowerToHyperService::new(self.router.clone());
        let (asking, clock) = (Arc::clone(&guest), Arc::clone(&self.clock));
        let service = service_fn(move |mut request: Request<Incoming>| {
            asking.asks();
            // Whoever has read it whole says so.
            request.extensions_mut().insert(Arc::clone(&asking));
            router.call(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(LATER_HEAD)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        async move {
            let asks_nothing = async {
                clock.sleep(FIRST_HEAD).await;
                if guest.has_asked() {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                // An error is the peer's business: it sees its connection closed.
                _ = connection => {}
                () = asks_nothing => {}
                () = guest.asked_to_leave() => {}
            }
        }
    }
}
