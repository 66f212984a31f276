//! How the uploads of one partition go: what failed and is not cleared away yet, how long to wait, why it stands still.
//!
//! Invariant: an attempt that failed is ended before another begins, so at most one object of a partition is on its way in
//! and at most one waits to be removed.

use std::time::Duration;

use ulid::Ulid;

use super::backoff;
use crate::object_storage::ObjectKey;

/// An object that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its id.
    pub id: Ulid,
    /// Its key.
    pub key: ObjectKey,
    /// The store's name for the upload, once there is one.
    pub upload_id: Option<String>,
}

/// The state.
#[derive(Debug, Default)]
pub struct UploadState {
    /// Whether it stands in the queue or is being uploaded.
    pub queued: bool,
    /// Failures since the last success.
    pub failures: u32,
    /// When the next attempt may begin, by the monotonic clock.
    pub not_before: Duration,
    /// What failed and has not been ended.
    pub unfinished: Option<Attempt>,
    /// What is being uploaded.
    pub current: Option<Ulid>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// Why no attempt is made any more, until somebody helps.
    pub stopped: Option<String>,
}

impl UploadState {
    /// An attempt failed.
    pub fn failed(&mut self, reason: String, now: Duration, chance: f64) {
        self.failures = self.failures.saturating_add(1);
        self.not_before = now.saturating_add(backoff::pause(self.failures, chance));
        self.last_error = Some(reason);
    }

    /// An attempt went well.
    pub fn succeeded(&mut self) {
        self.failures = 0;
        self.not_before = Duration::ZERO;
        self.last_error = None;
        self.stopped = None;
    }

    /// No more attempts.
    pub fn stop(&mut self, reason: String) {
        self.stopped = Some(reason);
    }

    /// Attempts are made again, at once.
    pub fn forgive(&mut self) {
        self.stopped = None;
        self.not_before = Duration::ZERO;
    }

    /// Whether an attempt may begin.
    pub fn may_begin(&self, now: Duration) -> bool {
        !self.queued && self.stopped.is_none() && now >= self.not_before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_waits_longer_and_a_success_forgets() {
        let mut state = UploadState::default();
        assert!(state.may_begin(Duration::ZERO));
        state.failed("down".to_owned(), Duration::from_secs(10), 0.0);
        let first = state.not_before;
        assert!(!state.may_begin(Duration::from_secs(10)) && state.may_begin(first));
        state.failed("down".to_owned(), first, 0.0);
        assert!(state.not_before - first > first - Duration::from_secs(10));
        state.succeeded();
        assert!(state.may_begin(Duration::ZERO) && state.last_error.is_none());
        state.stop("a bad sector".to_owned());
        assert!(!state.may_begin(Duration::MAX));
        state.forgive();
        assert!(state.may_begin(Duration::ZERO));
    }
}
