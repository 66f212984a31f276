//! What a command runs on: threads, built by hand, one worker for each core; and what the machine calls itself.

use std::future::Future;
use std::time::Duration;

use super::outcome::Failure;

/// How long what still runs on the runtime's threads is waited for at the end.
const LEFTOVERS: Duration = Duration::from_secs(5);

/// Runs a future to its end on a runtime of its own.
pub fn on_runtime<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZeroUsize::get);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores)
        .thread_name("tidelog")
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("threads cannot be started: {error}")))?;
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(LEFTOVERS);
    done
}

/// This machine's name.
pub fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
