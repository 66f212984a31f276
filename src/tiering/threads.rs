//! Threads of the room's own: what is encoded, decoded, sent to and fetched from the bucket runs here, below the priority
//! of those that serve produce and hot fetch.
//!
//! # Cancellation
//! Closing cancels what waits and waits for what is between two durable steps; what blocks is waited for.

use std::io;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Threads that drive sockets and decide; what costs CPU is done by those that may block.
const DRIVERS: usize = 2;

/// How much lower than the rest of the process these threads stand, in the kernel's steps.
#[cfg(target_os = "linux")]
const NICER_BY: i32 = 5;

/// How long a stop waits for threads that block.
const STOP_WAITS: Duration = Duration::from_secs(5);

/// The threads.
#[derive(Debug)]
pub struct Threads {
    runtime: Mutex<Option<Runtime>>,
    handle: Handle,
    tracker: TaskTracker,
    stopping: CancellationToken,
}

/// Work ended without a result: it panicked, or the threads are closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("work on the tiering threads ended without a result: {0}")]
pub struct Unfinished(String);

impl Unfinished {
    pub(super) fn of(reason: &str) -> Self {
        Self(reason.to_owned())
    }
}

impl From<tokio::task::JoinError> for Unfinished {
    fn from(error: tokio::task::JoinError) -> Self {
        Self(error.to_string())
    }
}

impl Threads {
    /// Starts them; `blocking` of them may block.
    pub fn start(blocking: usize) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(DRIVERS)
            .max_blocking_threads(blocking.max(1))
            .thread_name("tiering")
            .on_thread_start(step_back)
            .enable_all()
            .build()?;
        Ok(Self {
            handle: runtime.handle().clone(),
            runtime: Mutex::new(Some(runtime)),
            tracker: TaskTracker::new(),
            stopping: CancellationToken::new(),
        })
    }

    /// Runs a task until it ends or the threads are closed.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stopping = self.stopping.clone();
        let until_stopped = async move {
            tokio::select! {
                biased;
                () = stopping.cancelled() => {}
                () = task => {}
            }
        };
        self.tracker.spawn_on(until_stopped, &self.handle);
    }

    /// Runs something that blocks.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unfinished> {
        self.handle.spawn_blocking(work).await.map_err(Unfinished::from)
    }

    /// Runs something to its end, whether or not whoever asked still waits for it: what has several durable steps must not
    /// stop between two because a client hung up. Only a stop of the broker ends it early.
    pub async fn whole<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Unfinished> {
        let (done, result) = oneshot::channel();
        self.spawn(async move {
            // Nobody may be left who wants to know.
            let _ = done.send(work.await);
        });
        result.await.map_err(|_| Unfinished::of("the broker stops"))
    }

    /// The same, for whoever does not wait for it.
    pub fn spawn_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.handle.spawn_blocking(work)
    }

    /// Ends all tasks and the threads.
    pub async fn close(&self) {
        self.stopping.cancel();
        self.tracker.close();
        self.tracker.wait().await;
        let runtime = self.runtime.lock().take();
        if let Some(runtime) = runtime {
            // Not on a thread of a runtime: that may not wait.
            let ended = tokio::task::spawn_blocking(move || runtime.shutdown_timeout(STOP_WAITS)).await;
            if ended.is_err() {
                tracing::error!("ending the tiering threads panicked");
            }
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stopping.cancel();
        if let Some(runtime) = self.runtime.lock().take() {
            runtime.shutdown_background();
        }
    }
}

/// Lets everyone else go first, where a thread has a priority of its own.
fn step_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICER_BY) {
        tracing::debug!(%error, "a tiering thread keeps its priority");
    }
}
