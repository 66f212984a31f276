//! Trying again while nobody answers: for how long, and what a person who waits is told.
//!
//! # Retries
//! It is for others to know what may be tried again; here is only how long. What is told, is told once for each time that
//! something is wrong, however many wait for the same broker.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::clock::Clock;
use crate::net::client::KafkaClient;

use super::output::tell;

/// After so long a person wants to know.
const QUIET: Duration = Duration::from_secs(3);

/// How long errors are borne.
#[derive(Debug)]
pub struct Patience {
    clock: Arc<dyn Clock>,
    limit: Duration,
    quiet: Duration,
    told: AtomicBool,
    tell: fn(&str),
}

impl Patience {
    /// As long as this client says.
    pub fn of(client: &KafkaClient) -> Arc<Self> {
        Arc::new(Self::new(Arc::clone(client.clock()), client.patience(), QUIET, tell))
    }

    /// For the first connection: it may be the address that is wrong, so a person is told at once.
    pub fn of_first_connection(clock: Arc<dyn Clock>, limit: Duration) -> Self {
        Self::new(clock, limit, Duration::ZERO, tell)
    }

    fn new(clock: Arc<dyn Clock>, limit: Duration, quiet: Duration, tell: fn(&str)) -> Self {
        Self { clock, limit, quiet, told: AtomicBool::new(false), tell }
    }

    /// Whether to try again after an error, where nothing has gone well since `since`.
    pub fn bears(&self, since: Duration, error: &dyn Display) -> bool {
        let waited = self.clock.monotonic().saturating_sub(since);
        if waited >= self.limit {
            return false;
        }
        if waited >= self.quiet && !self.told.swap(true, Ordering::Relaxed) {
            let left = (self.limit - waited).as_secs().max(1);
            (self.tell)(&format!("{error}; trying again for {left} s (--timeout)"));
        }
        true
    }

    /// Something went well.
    pub fn answered(&self) {
        if self.told.swap(false, Ordering::Relaxed) {
            (self.tell)("the broker answers");
        }
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;
    use crate::clock::ManualClock;
    use crate::net::client::ClientError;

    static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());

    #[test]
    fn a_person_is_told_once_and_told_when_it_is_over() {
        let clock = ManualClock::new(0);
        let patience = Patience::new(Arc::clone(&clock) as Arc<dyn Clock>, Duration::from_secs(60), QUIET, |text| {
            TOLD.lock().push(text.to_owned());
        });
        let error = ClientError::BadAddress("x".to_owned());
        let since = clock.monotonic();
        assert!(patience.bears(since, &error));
        patience.answered();
        assert!(TOLD.lock().is_empty(), "a short trouble is nobody's business");
        clock.advance(Duration::from_secs(5));
        assert!(patience.bears(since, &error) && patience.bears(since, &error));
        assert_eq!(*TOLD.lock(), ["'x' is not HOST:PORT; trying again for 55 s (--timeout)"]);
        patience.answered();
        assert_eq!(TOLD.lock().len(), 2);
        clock.advance(Duration::from_secs(55));
        assert!(!patience.bears(since, &error));
    }
}
