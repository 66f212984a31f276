//! A broker in this process, from its options to its end: what `serve` and `demo` run.
//!
//! HTTP first, so that health checks have an answer, and the address for clients, where nobody can connect yet: one that
//! cannot be had is told before anything is made. Then the broker, whose logs may take their time; then the Kafka front end,
//! and only then is the process ready. It stops in the reverse order, each step bounded.
//!
//! # Crash safety
//! A step of the end that takes too long is given up: what was acknowledged is stable, the next start recovers.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::admin::{AdminServer, Status};
use crate::broker::{Broker, BrokerParts, DataDirError, Endpoint, StartError};
use crate::catalog;
use crate::clock::{Clock, SystemClock};
use crate::config::ServeOptions;
use crate::config::listeners::shown;
use crate::disk::RealDisk;
use crate::object_storage::{BucketError, ErrorKind, OpenError};
use crate::server::api_table::table;
use crate::server::dispatch::Shared;
use crate::server::{BindError, Claimed, FetchLimits, FrontEnd, Server, ServerOptions};

use super::outcome::{Exit, Failure};

/// How long clients have to get their last answers.
const DRAIN: Duration = Duration::from_secs(10);
/// How long flushing may take.
const FLUSH: Duration = Duration::from_secs(60);
/// How long HTTP may take to end.
const HTTP_END: Duration = Duration::from_secs(1);

/// A broker that serves clients.
#[derive(Debug)]
pub struct Running {
    broker: Arc<Broker>,
    status: Arc<Status>,
    server: Server,
    http: AdminServer,
}

impl Running {
    /// Starts one; ready when it returns.
    pub async fn start(options: &ServeOptions) -> Result<Self, Failure> {
        let clock = SystemClock::shared();
        let status = Status::starting();
        let http = AdminServer::serve(&options.http, Arc::clone(&status), Arc::clone(&clock)).await;
        let http = http
            .map_err(|error| Failure::new(if error.is_wrong_address() { Exit::Usage } else { Exit::Failed }, error))?;
        let claimed = Claimed::take(&options.server.listen).await.map_err(|error| no_listener(&error))?;
        let parts = BrokerParts::new(Arc::new(RealDisk), clock, rand::random);
        let mut broker = options.broker.clone();
        broker.bucket.seed = rand::random();
        let broker = Box::pin(Broker::start(broker, parts)).await.map_err(|error| start_failure(&error))?;
        let server = match listen(claimed, options, &broker) {
            Ok(server) => server,
            Err(failure) => {
                stop_broker(&broker).await?;
                return Err(failure);
            }
        };
        status.ready(&broker);
        Ok(Self { broker, status, server, http })
    }

    /// The broker.
    pub fn broker(&self) -> &Arc<Broker> {
        &self.broker
    }

    /// Where clients are told to connect.
    pub fn address(&self) -> String {
        shown(&self.broker.advertised())
    }

    /// Where HTTP is.
    pub fn http(&self) -> SocketAddr {
        self.http.address()
    }

    /// Ends when the broker may not go on.
    pub async fn deposed(&self) -> Failure {
        self.broker.leadership().lost().await;
        Failure::new(
            Exit::Deposed,
            "the catalog's lock is lost (its database went away or another broker has started): nothing was acknowledged \
             since; start the broker again, and it leads anew or says who holds the lock",
        )
    }

    /// Lets clients go, flushes, ends.
    pub async fn stop(self) -> Result<(), Failure> {
        self.status.stopping();
        self.broker.begin_stop();
        self.server.stop(DRAIN).await;
        let stopped = stop_broker(&self.broker).await;
        self.http.stop(HTTP_END).await;
        stopped
    }
}

fn start_failure(error: &StartError) -> Failure {
    let is_away = |error: &BucketError| matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::TimedOut);
    let exit = match error {
        StartError::DataDir(DataDirError::Foreign { .. })
        | StartError::OpenBucket(OpenError::BadUrl { .. } | OpenError::Setting { .. })
        | StartError::OpenCatalog(catalog::OpenError::Url { .. }) => Exit::Usage,
        StartError::OpenCatalog(catalog::OpenError::Storage { source, .. }) if source.is_damage() => Exit::Failed,
        StartError::Bucket(refused) if refused.bucket_error().is_some_and(is_away) => Exit::Unreachable,
        StartError::OpenCatalog(catalog::OpenError::Storage { .. }) | StartError::Lineage(_) => Exit::Unreachable,
        StartError::SelfTest(error) if error.source.as_ref().is_some_and(is_away) => Exit::Unreachable,
        _ => Exit::Failed,
    };
    match error {
        StartError::DataDir(DataDirError::Io { source, .. }) if is_unfit_folder(source) => {
            let text =
                format!("{error}; give --data-dir (log.dirs in a settings file) a folder that can be made and written");
            Failure::new(exit, text)
        }
        _ => Failure::new(exit, error),
    }
}

/// Whether it is the folder's name or its rights that are wrong, and not the disk.
fn is_unfit_folder(error: &io::Error) -> bool {
    use io::ErrorKind::{
        AlreadyExists, InvalidFilename, NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem,
    };
    matches!(
        error.kind(),
        AlreadyExists | InvalidFilename | NotADirectory | NotFound | PermissionDenied | ReadOnlyFilesystem
    )
}

fn no_listener(error: &BindError) -> Failure {
    let exit = if error.is_wrong_address() { Exit::Usage } else { Exit::Failed };
    Failure::new(exit, format!("{error} Give --listen another HOST:PORT"))
}

fn listen(claimed: Claimed, options: &ServeOptions, broker: &Arc<Broker>) -> Result<Server, Failure> {
    let settings = broker.settings();
    let front_end = FrontEnd::new(Arc::clone(broker), FetchLimits::from(&*settings));
    let server = ServerOptions { replies: front_end.replies(), ..options.server.clone() };
    let shared = Arc::new(Shared { state: Arc::new(front_end), table: table() });
    let server = Server::serve_at(claimed, server, shared, Arc::clone(broker.clock()));
    let server = server.map_err(|error| no_listener(&error))?;
    let advertised = broker.advertised();
    if advertised.port == 0 {
        let port = server.address().port();
        broker.set_advertised(Endpoint { port, host: advertised.host.clone() });
    }
    Ok(server)
}

async fn stop_broker(broker: &Arc<Broker>) -> Result<(), Failure> {
    let clock: &Arc<dyn Clock> = broker.clock();
    tokio::select! {
        () = broker.stop() => Ok(()),
        () = clock.sleep(FLUSH) => Err(Failure::failed(format!(
            "flushing took longer than {} s and was given up; nothing acknowledged is lost, the next start recovers",
            FLUSH.as_secs()
        ))),
    }
}
