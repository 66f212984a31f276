//! `tidelog serve`: a broker until it is asked to stop.

use clap::ArgMatches;

use crate::clock::SystemClock;
use crate::config::ServeOptions;
use crate::config::places::without_password;
use crate::telemetry::{LogFormat, start_logs, start_metrics};

use super::machine::on_runtime;
use super::outcome::Failure;
use super::running::Running;
use super::serve_args::ServeArgs;
use super::{environment, output, signals};

/// Files beside segments and connections: the catalog, the bucket's connections, HTTP, the active segments' indexes.
const OTHER_FILES: usize = 1_024;
/// The most files that macOS lets a process ask for.
const OPEN_MAX: u64 = 10_240;
/// Connections that are served however few files there are.
const CONNECTIONS_MIN: usize = 64;

/// Runs a broker until it is asked to stop.
pub fn run(args: &ServeArgs, matches: &ArgMatches) -> Result<(), Failure> {
    let (_, mut options) = args.assemble(matches)?;
    let logs = args.logs();
    start_logs(&logs).map_err(Failure::usage)?;
    start_metrics().map_err(Failure::failed)?;
    for warning in options.unused_warning().iter().chain(&environment::warning()).chain(&options.warnings) {
        tracing::warn!("{warning}");
    }
    make_room_for_files(&mut options);
    on_runtime(serve(options, logs.format))
}

/// Connections and segments are files, and what a shell gives is too few for them: takes as many as the system allows, and
/// no more segments and connections than there are files for.
fn make_room_for_files(options: &mut ServeOptions) {
    let Some(files_max) = raise_open_files() else { return };
    let set = options.settings().count("tidelog.open.files.max");
    let (segments, connections) = share_of_files(files_max, set);
    if segments < set {
        tracing::warn!(
            limit = files_max,
            segments,
            "the system allows fewer open files than tidelog.open.files.max={set} and connections need: no more than \
             {segments} of segments stay open. Raise the limit (ulimit -n), or lower the setting"
        );
        options.broker.open_files_max = Some(segments);
    }
    options.server.connections_max = options.server.connections_max.min(connections);
}

/// How many files of segments and how many connections there are files for, where `set` of segments are wanted.
fn share_of_files(files_max: usize, set: usize) -> (usize, usize) {
    // Half at most; a quarter where the others need most of them.
    let most = (files_max / 2).min(files_max.saturating_sub(OTHER_FILES)).max(files_max / 4);
    let segments = set.min(most);
    let left = files_max.saturating_sub(segments).saturating_sub(OTHER_FILES / 2);
    (segments, left.max(CONNECTIONS_MIN))
}

/// The limit of open files, raised as far as it goes; none where there is none.
fn raise_open_files() -> Option<usize> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limits = getrlimit(Resource::Nofile);
    let before = limits.current;
    // Where the second is taken, a process may not have as many as the first says (macOS, where no limit is none to ask for).
    for wanted in [limits.maximum, Some(limits.maximum.map_or(OPEN_MAX, |maximum| maximum.min(OPEN_MAX)))] {
        if before.is_none() || wanted.is_some_and(|wanted| before >= Some(wanted)) {
            break;
        }
        limits.current = wanted;
        match setrlimit(Resource::Nofile, limits) {
            Ok(()) => break,
            Err(error) => tracing::debug!(%error, ?wanted, "the limit of open files stays"),
        }
        limits.current = before;
    }
    limits.current.and_then(|files| usize::try_from(files).ok())
}

async fn serve(options: ServeOptions, format: LogFormat) -> Result<(), Failure> {
    let asked = signals::asked_to_stop(SystemClock::shared())
        .map_err(|error| Failure::failed(format!("signals cannot be listened for: {error}")))?;
    let running = tokio::select! {
        running = Running::start(&options) => running?,
        // A start that is cut off can be repeated.
        () = asked.cancelled() => return Ok(()),
    };
    announce(&options, format, &running)?;
    let deposed = tokio::select! {
        () = asked.cancelled() => return running.stop().await,
        deposed = running.deposed() => deposed,
    };
    if let Err(failure) = running.stop().await {
        tracing::error!(%failure, "the broker did not stop cleanly");
    }
    Err(deposed)
}

/// Tells a person where everything is.
fn announce(options: &ServeOptions, format: LogFormat, running: &Running) -> Result<(), Failure> {
    let (address, http) = (running.address(), running.http());
    let data = options.broker.data_dir.display();
    let bucket = without_password(&options.broker.bucket_url);
    let catalog = without_password(&options.broker.catalog_url);
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
         Try it:  kcat -b {address} -L   or   tidelog topics list -b {address}\n  \
         Stop it: Ctrl-C\n\n",
        version = env!("CARGO_PKG_VERSION"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_and_connections_share_what_files_there_are() {
        assert_eq!(share_of_files(1 << 20, 4096), (4096, (1 << 20) - 4096 - 512));
        assert_eq!(share_of_files(4096, 4096), (2048, 1536));
        assert_eq!(share_of_files(1024, 4096), (256, 256));
        assert_eq!(share_of_files(256, 4096), (64, 64), "connections are served, and files left for others");
        for files_max in [1_024, 1_500, 2_048, 4_096, 5_120, 10_240] {
            let (segments, connections) = share_of_files(files_max, 4_096);
            assert!(segments + connections < files_max, "{files_max}");
        }
    }
}
