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
    /// Whether the last attempt failed by a bucket that takes nothing now.
    pub waits_for_bucket: bool,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// Why no attempt is made any more, until somebody helps.
    pub stopped: Option<String>,
}

impl UploadState {
    /// An attempt failed. The next comes after `pause`, given how many have failed.
    pub fn failed(&mut self, reason: String, by_bucket: bool, now: Duration, pause: impl Fn(u32) -> Duration) {
        self.failures = self.failures.saturating_add(1);
        self.not_before = now.saturating_add(pause(self.failures));
        self.waits_for_bucket = by_bucket;
        self.last_error = Some(reason);
    }

    /// The bucket takes something again: no reason to wait longer for it.
    pub fn bucket_is_back(&mut self) {
        if std::mem::take(&mut self.waits_for_bucket) {
            self.not_before = Duration::ZERO;
        }
    }

    /// Room on disk is needed: waits no longer than it would have to if this were the first moment of its pause.
    pub fn hurry(&mut self, now: Duration) {
        self.not_before = self.not_before.min(now.saturating_add(backoff::LONGEST_IN_NEED));
    }

    /// An attempt went well.
    pub fn succeeded(&mut self) {
        self.failures = 0;
        self.not_before = Duration::ZERO;
        self.waits_for_bucket = false;
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
        let pause = |failures| backoff::pause(failures, 0.0);
        state.failed("down".to_owned(), true, Duration::from_secs(10), pause);
        let first = state.not_before;
        assert!(!state.may_begin(Duration::from_secs(10)) && state.may_begin(first));
        state.failed("down".to_owned(), true, first, pause);
        assert!(state.not_before - first > first - Duration::from_secs(10));
        state.succeeded();
        assert!(state.may_begin(Duration::ZERO) && state.last_error.is_none());
        state.stop("a bad sector".to_owned());
        assert!(!state.may_begin(Duration::MAX));
        state.forgive();
        assert!(state.may_begin(Duration::ZERO));
    }

    #[test]
    fn a_bucket_that_is_back_or_a_disk_that_is_full_cuts_the_pause_short() {
        let (mut state, now) = (UploadState::default(), Duration::from_secs(100));
        let pause = |failures| backoff::pause(failures, 0.0);
        for _ in 0..9 {
            state.failed("full".to_owned(), true, now, pause);
        }
        assert!(!state.may_begin(now + Duration::from_secs(119)));
        state.hurry(now);
        assert!(!state.may_begin(now) && state.may_begin(now + backoff::LONGEST_IN_NEED));
        let soon = state.not_before;
        state.hurry(now + Duration::from_secs(1));
        assert_eq!(state.not_before, soon, "it is not put off again and again");
        state.bucket_is_back();
        assert!(state.may_begin(now) && state.failures == 9 && state.last_error.is_some());
        state.failed("a bad sector".to_owned(), false, now, pause);
        state.bucket_is_back();
        assert!(!state.may_begin(now), "the bucket was not the reason");
    }
}
