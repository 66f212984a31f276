//! The HTTP socket: there before the broker, so that health checks have an answer while logs are opened, and gone after it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

use super::bounded::Bounded;
use super::routes::router;
use super::status::Status;

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
        let failed = |source| BindError { address: listen.to_owned(), source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let bounded = Bounded::new(listener, Arc::clone(&clock));
        let serving = tokio::spawn(async move {
            let serve = axum::serve(bounded, router(status)).with_graceful_shutdown(stopped);
            if let Err(error) = serve.await {
                tracing::error!(%error, "HTTP ended");
            }
        });
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
