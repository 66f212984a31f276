//! `tidelog serve`: a broker from its settings to its end.
//!
//! HTTP first, so that health checks have an answer; then the broker, whose logs may take their time; then the Kafka front
//! end, and only then is the process ready. It stops in the reverse order, each step bounded.
//!
//! # Crash safety
//! A step of the end that takes too long is given up: what was acknowledged is stable, the next start recovers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::ArgMatches;
use tokio_util::sync::CancellationToken;

use crate::admin::{AdminServer, Status};
use crate::broker::{Broker, BrokerParts, Endpoint, StartError};
use crate::clock::{Clock, SystemClock};
use crate::config::listeners::shown;
use crate::config::places::without_password;
use crate::config::{Layers, ServeOptions};
use crate::disk::RealDisk;
use crate::server::dispatch::Shared;
use crate::server::front_end::table;
use crate::server::{FetchLimits, FrontEnd, Server};
use crate::telemetry::{LogFormat, start_logs, start_metrics};

use super::outcome::{Exit, Failure};
use super::run::on_runtime;
use super::serve_args::ServeArgs;
use super::{output, signals};

/// How long clients have to get their last answers.
const DRAIN: Duration = Duration::from_secs(10);
/// How long flushing may take.
const FLUSH: Duration = Duration::from_secs(60);
/// How long HTTP may take to end.
const HTTP_END: Duration = Duration::from_secs(1);

/// Runs a broker until it is asked to stop.
pub fn run(args: &ServeArgs, matches: &ArgMatches) -> Result<(), Failure> {
    let layers = args.layers(matches, ServeArgs::set_variable().as_deref()).map_err(Failure::usage)?;
    let logs = args.logs();
    start_logs(&logs).map_err(Failure::usage)?;
    start_metrics().map_err(Failure::failed)?;
    let options = options(layers)?;
    raise_open_files();
    on_runtime(serve(options, logs.format))
}

fn options(layers: Layers) -> Result<ServeOptions, Failure> {
    let merged = layers.merge().map_err(Failure::usage)?;
    let options = ServeOptions::assemble(&merged, hostname).map_err(Failure::usage)?;
    for warning in &options.warnings {
        tracing::warn!("{warning}");
    }
    Ok(options)
}

/// This machine's name.
pub fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Connections and segments are files, and what a shell gives is too few for them.
fn raise_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limits = getrlimit(Resource::Nofile);
    if limits.current == limits.maximum {
        return;
    }
    limits.current = limits.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limits) {
        tracing::debug!(%error, "the limit of open files stays");
    }
}

async fn serve(options: ServeOptions, format: LogFormat) -> Result<(), Failure> {
    let clock = SystemClock::shared();
    let asked = signals::asked_to_stop()
        .map_err(|error| Failure::failed(format!("signals cannot be listened for: {error}")))?;
    let status = Status::starting();
    let http =
        AdminServer::serve(&options.http, Arc::clone(&status), Arc::clone(&clock)).await.map_err(Failure::failed)?;
    let done = run_broker(&options, format, &status, http.address(), &asked).await;
    http.stop(HTTP_END).await;
    done
}

async fn run_broker(
    options: &ServeOptions,
    format: LogFormat,
    status: &Status,
    http: SocketAddr,
    asked: &CancellationToken,
) -> Result<(), Failure> {
    let parts = BrokerParts::new(Arc::new(RealDisk), SystemClock::shared(), rand::random);
    let broker = tokio::select! {
        started = Broker::start(options.broker.clone(), parts) => started.map_err(|error| start_failure(&error))?,
        () = asked.cancelled() => return Ok(()),
    };
    let server = match listen(options, &broker).await {
        Ok(server) => server,
        Err(failure) => {
            stop_broker(&broker).await?;
            return Err(failure);
        }
    };
    status.ready(&broker);
    announce(options, format, &broker, http)?;
    asked.cancelled().await;
    status.stopping();
    server.stop(DRAIN).await;
    stop_broker(&broker).await
}

fn start_failure(error: &StartError) -> Failure {
    Failure::new(Exit::Failed, error)
}

async fn listen(options: &ServeOptions, broker: &Arc<Broker>) -> Result<Server, Failure> {
    let settings = broker.settings();
    let front_end = FrontEnd::new(Arc::clone(broker), FetchLimits::from(&*settings));
    let shared = Arc::new(Shared { state: Arc::new(front_end), table: table() });
    let server = Server::serve(options.server.clone(), shared, Arc::clone(broker.clock()))
        .await
        .map_err(|error| Failure::failed(format!("{error} Give --listen another HOST:PORT")))?;
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

/// Tells a person where everything is.
fn announce(options: &ServeOptions, format: LogFormat, broker: &Broker, http: SocketAddr) -> Result<(), Failure> {
    let address = shown(&broker.advertised());
    let data = options.broker.data_dir.display();
    let (bucket, catalog) =
        (without_password(&options.broker.bucket_url), without_password(&options.broker.catalog_url));
    if format == LogFormat::Json {
        tracing::info!(%address, %data, bucket, catalog, %http, "ready");
        return Ok(());
    }
    output::print(&format!(
        "\ntidelog {version} is ready for Kafka clients at {address}\n\n  \
         data     {data}  (recent segments)\n  \
         bucket   {bucket}  (the whole history, as Parquet)\n  \
         catalog  {catalog}\n  \
         http     http://{http}  (/readyz, /metrics)\n\n  \
         Try it:  kcat -b {address} -L\n  \
         Stop it: Ctrl-C\n\n",
        version = env!("CARGO_PKG_VERSION"),
    ))
}
