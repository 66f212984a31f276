//! What cuts the pauses of failed uploads short: the bucket takes something again, or the local disk runs out of room.
//!
//! Pauses grow while the bucket is away, for each partition by itself. When one upload has gone well, whoever waited for the
//! bucket goes at once: the queue lets only so many at it. And while producers are refused for want of room, nobody pauses
//! for long.

use std::sync::atomic::{AtomicBool, Ordering};

use super::tiers::Tiers;

/// Whether anybody waits, and how badly.
#[derive(Debug, Default)]
pub(super) struct Pressure {
    /// Whether an upload has failed by the bucket since one went well.
    bucket_failed: AtomicBool,
    /// Whether the local disk runs out of room.
    in_need: AtomicBool,
}

impl Tiers {
    /// Tells whether the local disk runs out of room. Called again and again, by whoever looks at it.
    pub fn note_room(&self, in_need: bool) {
        self.pressure().in_need.store(in_need, Ordering::Relaxed);
        if !in_need {
            return;
        }
        let now = self.clock().monotonic();
        for log in self.all_members() {
            let mut upload = log.upload.lock();
            // Others wait for nothing, and are offered as ever.
            if upload.failures > 0 {
                upload.hurry(now);
                drop(upload);
                log.offer_upload();
            }
        }
    }

    pub(super) fn is_in_need(&self) -> bool {
        self.pressure().in_need.load(Ordering::Relaxed)
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
