//! How long the catalog is waited for while the broker stops. What it does not answer by then is given up, and with the first
//! that is given up so is everything behind it: a stop is over soon, however much asks one after the other.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

/// How long one question may take once the broker stops.
pub(super) const STOP_WAITS: Duration = Duration::from_secs(3);

/// The bound; none before the stop begins.
#[derive(Debug, Default)]
pub(super) struct StopBound {
    stopping: CancellationToken,
    given_up: CancellationToken,
}

impl StopBound {
    /// The broker stops.
    pub(super) fn begin(&self) {
        self.stopping.cancel();
    }

    /// Waits for `work`; `None` where it was given up.
    pub(super) async fn bound<T>(&self, clock: &dyn Clock, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.run_out(clock) => None,
        }
    }

    async fn run_out(&self, clock: &dyn Clock) {
        self.stopping.cancelled().await;
        tokio::select! {
            biased;
            () = self.given_up.cancelled() => return,
            () = clock.sleep(STOP_WAITS) => {}
        }
        if !self.given_up.is_cancelled() {
            self.given_up.cancel();
            tracing::warn!(
                "the catalog did not answer within {} s: the stop goes on without it; what it had been asked may be done or not, as after a crash",
                STOP_WAITS.as_secs()
            );
        }
    }
}
