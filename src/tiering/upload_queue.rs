//! Whose upload is next. A queue of partitions with a fixed number of copiers, not a task for each: one object, then the
//! partition goes behind the others, so that a partition with a long backlog does not hold up the rest.
//!
//! Invariant: a partition stands in the queue at most once, so the queue is bounded by the partitions.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::metrics;
use super::tiered_log::TieredLog;
use crate::clock::Clock;

/// The queue.
#[derive(Debug)]
pub(super) struct UploadQueue {
    waiting: Mutex<VecDeque<Arc<TieredLog>>>,
    news: Notify,
    clock: Arc<dyn Clock>,
    bytes_per_second: u64,
    /// When what was read so far is paid for. What an object costs is known only afterwards.
    paid_at: Mutex<Duration>,
}

impl UploadQueue {
    pub(super) fn new(clock: Arc<dyn Clock>, bytes_per_second: u64) -> Self {
        Self {
            waiting: Mutex::default(),
            news: Notify::new(),
            clock,
            bytes_per_second: bytes_per_second.max(1),
            paid_at: Mutex::default(),
        }
    }

    /// Puts a partition behind the others. The caller has marked it as queued.
    pub(super) fn push(&self, log: Arc<TieredLog>) {
        self.waiting.lock().push_back(log);
        self.news.notify_one();
    }

    async fn next(&self) -> Arc<TieredLog> {
        loop {
            let (next, more) = {
                let mut waiting = self.waiting.lock();
                (waiting.pop_front(), !waiting.is_empty())
            };
            if more {
                // Of two that came while nobody waited, only one has woken somebody.
                self.news.notify_one();
            }
            match next {
                Some(log) => return log,
                None => self.news.notified().await,
            }
        }
    }

    /// Forgets who waits.
    pub(super) fn clear(&self) {
        self.waiting.lock().clear();
    }

    /// Charges bytes that were read.
    pub(super) fn spent(&self, bytes: u64) {
        #[expect(clippy::cast_precision_loss, reason = "a rate need not be exact")]
        let seconds = bytes as f64 / self.bytes_per_second as f64;
        let mut paid_at = self.paid_at.lock();
        let now = self.clock.monotonic();
        *paid_at = paid_at.max(now).saturating_add(Duration::from_secs_f64(seconds.min(86_400.0)));
    }

    async fn affordable(&self) {
        let wait = self.paid_at.lock().saturating_sub(self.clock.monotonic());
        if !wait.is_zero() {
            self.clock.sleep(wait).await;
        }
    }
}

/// A copier: uploads one object after the other.
pub(super) async fn copy(queue: Arc<UploadQueue>) {
    loop {
        queue.affordable().await;
        let log = queue.next().await;
        let uploaded = AssertUnwindSafe(log.upload_next()).catch_unwind().await;
        if uploaded.is_err() {
            tracing::error!(topic = %log.topic(), partition = log.tp().partition, "an upload panicked");
            metrics::copy_failed();
            log.upload_failed("the upload panicked".to_owned(), false);
        }
        log.upload.lock().queued = false;
        log.offer_upload();
    }
}
