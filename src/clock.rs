//! Layer 0: what time it is, and waiting. Every room takes a [`Clock`]; only this file asks the machine.
//!
//! Invariant: nothing else calls the ambient clocks (`clippy.toml` forbids it), so a test decides what time it
//! is and nothing sleeps for real unless it was given [`SystemClock`].

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

/// A future that ends when the time has come.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Wall-clock time, a monotonic time, and sleep.
pub trait Clock: Send + Sync + Debug {
    /// Milliseconds since 1970, as Kafka's timestamps are.
    fn now_ms(&self) -> i64;
    /// Time since some fixed moment; never goes back.
    fn monotonic(&self) -> Duration;
    /// Ends when `monotonic` has advanced by `duration`.
    fn sleep(&self, duration: Duration) -> Sleep;
}

/// The machine's clocks.
#[derive(Debug, Clone)]
pub struct SystemClock {
    started: std::time::Instant,
}

impl SystemClock {
    /// A clock whose monotonic time begins now.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clocks")]
    pub fn new() -> Self {
        Self { started: std::time::Instant::now() }
    }

    /// The same, shared.
    pub fn shared() -> Arc<dyn Clock> {
        Arc::new(Self::new())
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clocks")]
    fn now_ms(&self) -> i64 {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that sleeps")]
    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A clock that stands still until it is moved by hand.
#[derive(Debug)]
pub struct ManualClock {
    started_ms: i64,
    elapsed: watch::Sender<Duration>,
    moving: Mutex<()>,
}

impl ManualClock {
    /// A clock that shows `now_ms`.
    pub fn new(now_ms: i64) -> Arc<Self> {
        Arc::new(Self { started_ms: now_ms, elapsed: watch::Sender::new(Duration::ZERO), moving: Mutex::new(()) })
    }

    /// Moves both clocks on and wakes whoever's time has come.
    pub fn advance(&self, by: Duration) {
        let _one_at_a_time = self.moving.lock();
        self.elapsed.send_modify(|elapsed| *elapsed += by);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        let elapsed_ms = i64::try_from(self.elapsed.borrow().as_millis()).unwrap_or(i64::MAX);
        self.started_ms.saturating_add(elapsed_ms)
    }

    fn monotonic(&self) -> Duration {
        *self.elapsed.borrow()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        let mut elapsed = self.elapsed.subscribe();
        let until = self.monotonic().saturating_add(duration);
        Box::pin(async move {
            // An error means the clock is gone, and nobody will move it again.
            let _ = elapsed.wait_for(|now| *now >= until).await;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_manual_clock_wakes_sleepers_only_when_moved() {
        let clock = ManualClock::new(1_000);
        let sleep = clock.sleep(Duration::from_millis(50));
        clock.advance(Duration::from_millis(49));
        let mut sleep = Box::pin(sleep);
        assert!(futures::poll!(&mut sleep).is_pending());
        clock.advance(Duration::from_millis(1));
        sleep.await;
        assert_eq!(clock.now_ms(), 1_050);
    }
}
