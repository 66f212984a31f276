//! Counts requests, bytes and time by operation: for metrics, and in the process, so that a test can say "one GET".
//!
//! What is counted is what a bill counts: every try, failed ones and dropped ones too.

use std::ops::Sub;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::clock::Clock;

use super::error::{BucketError, Operation};
use super::layer::{Answer, Attempt, Call, Layer};
use super::metrics;

/// What one kind of operation came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OperationCounts {
    /// Requests that began.
    pub requests: u64,
    /// Those that ended with an error or were dropped.
    pub failures: u64,
    /// Those of them that were not even sent.
    pub not_sent: u64,
    /// Bytes sent or received by those that succeeded.
    pub bytes: u64,
}

/// All counts at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts([OperationCounts; Operation::ALL.len()]);

impl Counts {
    /// Of one operation.
    pub fn of(&self, operation: Operation) -> OperationCounts {
        self.0.get(operation as usize).copied().unwrap_or_default()
    }

    /// Requests of every kind.
    pub fn requests(&self) -> u64 {
        self.0.iter().map(|counts| counts.requests).sum()
    }

    /// What was counted since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut counts = *self;
        for (now, then) in counts.0.iter_mut().zip(earlier.0) {
            *now = *now - then;
        }
        counts
    }
}

impl Sub for OperationCounts {
    type Output = Self;
    fn sub(self, earlier: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(earlier.requests),
            failures: self.failures.saturating_sub(earlier.failures),
            not_sent: self.not_sent.saturating_sub(earlier.not_sent),
            bytes: self.bytes.saturating_sub(earlier.bytes),
        }
    }
}

#[derive(Debug, Default)]
struct Counters {
    requests: AtomicU64,
    failures: AtomicU64,
    not_sent: AtomicU64,
    bytes: AtomicU64,
}

/// The counters behind [`Counts`], and what failed last.
#[derive(Debug, Default)]
pub(super) struct Meter {
    counters: [Counters; Operation::ALL.len()],
    last_failure: Mutex<Option<BucketError>>,
}

impl Meter {
    pub(super) fn counts(&self) -> Counts {
        Counts(self.counters.each_ref().map(|counters| OperationCounts {
            requests: counters.requests.load(Ordering::Relaxed),
            failures: counters.failures.load(Ordering::Relaxed),
            not_sent: counters.not_sent.load(Ordering::Relaxed),
            bytes: counters.bytes.load(Ordering::Relaxed),
        }))
    }

    /// What the last try said that failed, of whatever operation.
    pub(super) fn last_failure(&self) -> Option<BucketError> {
        self.last_failure.lock().clone()
    }
}

/// The layer.
#[derive(Debug)]
pub(super) struct Metered {
    pub(super) meter: Arc<Meter>,
    pub(super) clock: Arc<dyn Clock>,
}

/// One request under way; ends as cancelled unless told otherwise.
struct Observed<'a> {
    metered: &'a Metered,
    operation: Operation,
    began: Duration,
    outcome: &'static str,
    bytes: u64,
}

impl Drop for Observed<'_> {
    fn drop(&mut self) {
        let took = self.metered.clock.monotonic().saturating_sub(self.began);
        metrics::ended(self.operation, self.outcome, self.bytes, took);
        if let Some(counters) = self.metered.meter.counters.get(self.operation as usize) {
            counters.failures.fetch_add(u64::from(self.outcome != "ok"), Ordering::Relaxed);
            counters.bytes.fetch_add(self.bytes, Ordering::Relaxed);
        }
    }
}

impl Layer for Metered {
    async fn around<'a, T: Answer>(&'a self, call: Call<'a>, attempt: Attempt<'a, T>) -> Result<T, BucketError> {
        metrics::began(call.operation);
        if let Some(counters) = self.meter.counters.get(call.operation as usize) {
            counters.requests.fetch_add(1, Ordering::Relaxed);
        }
        let began = self.clock.monotonic();
        let mut observed = Observed { metered: self, operation: call.operation, began, outcome: "cancelled", bytes: 0 };
        let mut answer = attempt().await;
        match &mut answer {
            Ok(answer) => {
                observed.outcome = "ok";
                observed.bytes = answer.content().map_or(call.bytes, |content| content.len() as u64);
            }
            Err(error) => {
                observed.outcome = error.kind().name();
                if let Some(counters) = self.meter.counters.get(call.operation as usize) {
                    counters.not_sent.fetch_add(u64::from(error.not_sent().is_some()), Ordering::Relaxed);
                }
                *self.meter.last_failure.lock() = Some(error.clone());
            }
        }
        answer
    }
}
