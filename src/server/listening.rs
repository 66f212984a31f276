//! The front end as a whole: listens, gives every connection a task of its own, and stops in two steps: no new
//! requests while those in flight are answered, then, at the deadline, no connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::dispatch::Shared;
use super::options::ServerOptions;
use super::session::{Session, frame_bound};
use crate::clock::Clock;
use crate::net::frame::FrameMemory;
use crate::net::{BoundAddress, Connection, ConnectionLimits, ConnectionOptions, Listener};

/// A front end that listens.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    clock: Arc<dyn Clock>,
    tasks: TaskTracker,
    drain: CancellationToken,
    abort: CancellationToken,
}

/// The front end could not be started.
#[derive(Debug, thiserror::Error)]
#[error("listening on {address}: {source}{}", taken_by(.source))]
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

/// What may help, where the system's own words do not say it.
fn taken_by(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "; no host of that name is known here.",
        io::ErrorKind::AddrInUse => "; is another broker running there?",
        io::ErrorKind::AddrNotAvailable => "; this machine has no such address.",
        _ => ".",
    }
}

/// The front end's address, taken before there is anything to serve: whoever cannot have it learns so first.
#[derive(Debug)]
pub struct Claimed {
    listen: String,
    bound: BoundAddress,
}

impl Claimed {
    /// Takes `listen` (`host:port`); nobody can connect there yet.
    pub async fn take(listen: &str) -> Result<Self, BindError> {
        let listen = listen.to_owned();
        match BoundAddress::take(&listen).await {
            Ok(bound) => Ok(Self { listen, bound }),
            Err(source) => Err(BindError { address: listen, source }),
        }
    }
}

impl Server {
    /// Takes its address, listens and serves.
    pub async fn serve<B: Send + Sync + 'static>(
        options: ServerOptions,
        shared: Arc<Shared<B>>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, BindError> {
        Self::serve_at(Claimed::take(&options.listen).await?, options, shared, clock)
    }

    /// Listens, and serves what the table says until it is stopped or dropped.
    pub fn serve_at<B: Send + Sync + 'static>(
        claimed: Claimed,
        options: ServerOptions,
        shared: Arc<Shared<B>>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, BindError> {
        let limits = ConnectionLimits::new(options.connections_max, options.connections_per_address_max);
        let Claimed { listen, bound } = claimed;
        let failed = |source| BindError { address: listen.clone(), source };
        let listener = bound.listen(limits, Arc::clone(&clock)).map_err(failed)?;
        let address = listener.local_address().map_err(failed)?;
        let server = Self {
            address,
            clock: Arc::clone(&clock),
            tasks: TaskTracker::new(),
            drain: CancellationToken::new(),
            abort: CancellationToken::new(),
        };
        let accepting = Accepting {
            listener,
            shared,
            memory: FrameMemory::new(options.request_memory_bytes),
            options: ConnectionOptions {
                frame_bytes_max: options.request_bytes_max,
                frame_bound,
                in_flight_max: options.in_flight_max,
                idle_timeout: options.idle_timeout,
                replies: options.replies,
            },
            clock,
            tasks: server.tasks.clone(),
            drain: server.drain.clone(),
            abort: server.abort.clone(),
        };
        server.tasks.spawn(accepting.run());
        tracing::info!(%address, "listening for kafka clients");
        Ok(server)
    }

    /// Where it listens: with the real port, where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more requests, answers those in flight, and closes whatever is left after `deadline`.
    pub async fn stop(self, deadline: Duration) {
        self.drain.cancel();
        self.tasks.close();
        tokio::select! {
            () = self.tasks.wait() => {}
            () = self.clock.sleep(deadline) => {
                tracing::warn!(connections = self.tasks.len(), "closing connections that did not end by themselves");
                self.abort.cancel();
                self.tasks.wait().await;
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.abort.cancel();
    }
}

/// What the accepting task owns.
struct Accepting<B> {
    listener: Listener,
    shared: Arc<Shared<B>>,
    memory: FrameMemory,
    options: ConnectionOptions,
    clock: Arc<dyn Clock>,
    tasks: TaskTracker,
    drain: CancellationToken,
    abort: CancellationToken,
}

impl<B: Send + Sync + 'static> Accepting<B> {
    async fn run(self) {
        loop {
            let (stream, peer, slot) = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = self.drain.cancelled() => return,
                () = self.abort.cancelled() => return,
            };
            let connection =
                Connection::new(stream, slot, self.memory.clone(), self.options.clone(), Arc::clone(&self.clock));
            let mut session = Session::new(Arc::clone(&self.shared), peer, connection.hurry(), Arc::clone(&self.clock));
            let (drain, abort) = (self.drain.clone(), self.abort.clone());
            self.tasks.spawn(async move {
                tokio::select! {
                    closed = connection.run(&mut session, &drain) => {
                        tracing::debug!(%peer, reason = %closed, "connection closed");
                    }
                    () = abort.cancelled() => {}
                }
            });
        }
    }
}
