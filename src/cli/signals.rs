//! SIGTERM and SIGINT: the first asks, the second ends.

use std::io;
use std::process;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What a shell shows for a process that a signal ended.
const SIGNALLED: i32 = 128;

/// Cancelled by the first signal. The second ends the process at once: what was acknowledged is safe, the next start
/// recovers.
pub fn asked_to_stop() -> io::Result<CancellationToken> {
    let asked = CancellationToken::new();
    let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::spawn(watch(asked.clone(), interrupt, terminate));
    Ok(asked)
}

async fn watch(asked: CancellationToken, mut interrupt: Signal, mut terminate: Signal) {
    loop {
        let kind = tokio::select! {
            _ = interrupt.recv() => SignalKind::interrupt(),
            _ = terminate.recv() => SignalKind::terminate(),
        };
        if asked.is_cancelled() {
            tracing::warn!("a second signal: ending at once");
            process::exit(SIGNALLED + kind.as_raw_value());
        }
        tracing::info!("stopping: letting clients go and flushing; a second signal ends at once");
        asked.cancel();
    }
}
