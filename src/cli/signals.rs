//! SIGTERM, SIGINT and SIGHUP: the first asks, one that comes some seconds later ends.
//!
//! One wish often comes twice: `timeout` signals its child and then its process group, a terminal everybody in it. So
//! what follows the first at once is the same wish, and takes nobody's flush away. A SIGHUP that was ignored when the
//! process began (`nohup`) stays so.

use std::future::pending;
use std::io;
use std::process;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

/// What a shell shows for a process that a signal ended.
const SIGNALLED: i32 = 128;
/// For so long all signals are the first one.
const ONE_WISH: Duration = Duration::from_secs(3);

/// Cancelled by the first signal. One that comes seconds later ends the process at once: what was acknowledged is safe,
/// the next start recovers.
pub fn asked_to_stop(clock: Arc<dyn Clock>) -> io::Result<CancellationToken> {
    let asked = CancellationToken::new();
    let hangup = if is_hangup_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
    let signals =
        Signals { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())?, hangup };
    tokio::spawn(watch(asked.clone(), signals, clock));
    Ok(asked)
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
}

impl Signals {
    async fn next(&mut self) -> SignalKind {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = hangup => SignalKind::hangup(),
        }
    }
}

async fn watch(asked: CancellationToken, mut signals: Signals, clock: Arc<dyn Clock>) {
    let mut first = None;
    loop {
        let kind = signals.next().await;
        match judge(&mut first, clock.monotonic()) {
            Meaning::Stop => {
                tracing::info!(
                    "stopping: letting clients go and flushing; a second signal, {} s from now or later, ends at once",
                    ONE_WISH.as_secs()
                );
                asked.cancel();
            }
            Meaning::TheSame => tracing::info!("stopping already"),
            Meaning::End => {
                tracing::warn!("a second signal: ending at once");
                process::exit(SIGNALLED + kind.as_raw_value());
            }
        }
    }
}

/// What a signal means.
#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    Stop,
    TheSame,
    End,
}

/// `first` is when the first one came.
fn judge(first: &mut Option<Duration>, now: Duration) -> Meaning {
    match *first {
        None => {
            *first = Some(now);
            Meaning::Stop
        }
        Some(first) if now.saturating_sub(first) < ONE_WISH => Meaning::TheSame,
        Some(_) => Meaning::End,
    }
}

/// Whether whoever started this process wants it to outlive its terminal. Where the system does not say: no.
fn is_hangup_ignored() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hangup(&status))
}

/// `SigIgn:` is a mask of signals, the lowest bit the first, which is SIGHUP.
fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wish_may_come_twice_and_a_later_one_ends() {
        let (mut first, at) = (None, Duration::from_millis);
        assert_eq!(judge(&mut first, at(500)), Meaning::Stop);
        assert_eq!(judge(&mut first, at(500)), Meaning::TheSame);
        assert_eq!(judge(&mut first, at(3_499)), Meaning::TheSame);
        assert_eq!(judge(&mut first, at(3_500)), Meaning::End);
    }

    #[test]
    fn nohup_is_seen() {
        assert!(ignores_hangup("SigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n"));
        assert!(!ignores_hangup("SigBlk:\t0000000000000001\nSigIgn:\t0000000000001000\n"));
        assert!(!ignores_hangup(""));
    }
}
