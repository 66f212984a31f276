//! What cuts the pauses of failed uploads short: the bucket takes something again, or the local disk runs out of room.
//!
//! Pauses grow while the bucket is away, for each partition by itself. When one upload has gone well, whoever waited for the
//! bucket goes at once: the queue lets only so many at it. While producers may be refused for want of room, one of those
//! that wait for the bucket tries soon, and then the next: each attempt writes to the catalog, which may lie on the same
//! disk, so not all of them. Whoever failed for another reason, which may be that disk, tries soon too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::tiered_log::TieredLog;
use super::tiers::Tiers;

/// Whether anybody waits.
#[derive(Debug, Default)]
pub(super) struct Pressure {
    /// Whether an upload has failed by the bucket since one went well.
    bucket_failed: AtomicBool,
}

impl Tiers {
    /// Tells that the local disk runs out of room. Called again and again, by whoever looks at it, while it does.
    pub fn note_need_of_room(&self) {
        let now = self.clock().monotonic();
        let mut first: Option<(Duration, Arc<TieredLog>)> = None;
        for log in self.all_members() {
            let mut upload = log.upload.lock();
            if upload.failures == 0 {
                continue;
            }
            if !upload.waits_for_bucket {
                upload.hurry(now);
            } else if first.as_ref().is_none_or(|(not_before, _)| upload.not_before < *not_before) {
                first = Some((upload.not_before, Arc::clone(&log)));
            }
            drop(upload);
            log.offer_upload();
        }
        if let Some((_, log)) = first {
            log.upload.lock().hurry(now);
            log.offer_upload();
        }
    }

    pub(super) fn note_bucket_failed(&self) {
        self.pressure().bucket_failed.store(true, Ordering::Relaxed);
    }

    /// An upload went well: those that waited for the bucket are in the queue when this returns.
    pub(super) fn bucket_took_something(&self) {
        if !self.pressure().bucket_failed.swap(false, Ordering::Relaxed) {
            return;
        }
        for log in self.all_members() {
            log.upload.lock().bucket_is_back();
            log.offer_upload();
        }
    }
}
