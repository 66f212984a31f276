//! Which range of a partition is uploaded next, and when: its place in the queue, and what follows from how an attempt
//! ends.
//!
//! The range is `[tiered_to, e)`: the next sealed segment, once all of it is decided, on stable storage and below the high
//! watermark. Each failure in a row makes the pause before the next attempt longer, those of the local disk too: it may come
//! back. Where trying again is no use, because bytes are not what was written, the partition stands still, and the log says
//! so.
//!
//! Invariant: whoever calls [`TieredLog::upload_next`] has taken the partition out of the queue, so no two attempts of one
//! partition run side by side.

use std::sync::Arc;

use crate::log::TieredTo;
use crate::model::Offset;

use super::backoff;
use super::encoding_job::Content;
use super::metrics;
use super::tiered_log::TieredLog;
use super::upload_error::UploadError;

/// What is to be uploaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing yet.
    Nothing,
    /// These offsets, of that many bytes of log.
    Range { base: Offset, to: Offset, bytes: u64 },
    /// Offsets that should be uploaded are not in the local log any more.
    Hole { from: Offset, to: Offset },
}

/// What was uploaded.
struct Uploaded {
    log_bytes: u64,
    object_bytes: u64,
}

impl TieredLog {
    /// What is to be uploaded next.
    pub(super) fn next_range(&self) -> Next {
        let TieredTo::Known(tiered_to) = self.view().tiered else { return Next::Nothing };
        let log = &self.log;
        let decided = log.last_stable_offset().min(log.high_watermark()).min(log.stable_end());
        let segments = log.segments();
        match segments.first() {
            Some(first) if first.base > tiered_to => return Next::Hole { from: tiered_to, to: first.base },
            _ => {}
        }
        match segments.iter().find(|segment| segment.end > tiered_to) {
            Some(segment) if segment.sealed && segment.end <= decided => {
                Next::Range { base: tiered_to, to: segment.end, bytes: segment.size_bytes }
            }
            _ => Next::Nothing,
        }
    }

    /// Puts the partition in the queue where there is something to upload and nothing keeps it from that.
    pub fn offer_upload(self: &Arc<Self>) {
        let config = self.config();
        if !config.remote.enabled || config.remote.copy_disabled || self.retired().is_cancelled() {
            return;
        }
        if !self.upload.lock().may_begin(self.tiers.clock().monotonic()) {
            return;
        }
        match self.next_range() {
            Next::Nothing => {}
            Next::Hole { from, to } => {
                let reason = format!(
                    "offsets {from} to {to} are neither in the bucket nor in the local log, as far as the catalog knows"
                );
                self.stop_uploads(reason);
            }
            Next::Range { .. } => {
                let mut upload = self.upload.lock();
                if !std::mem::replace(&mut upload.queued, true) {
                    drop(upload);
                    self.tiers.uploads.push(Arc::clone(self));
                }
            }
        }
    }

    /// Whether what an attempt did not find is missing for good: what retention removed meanwhile is not looked for again.
    pub(super) fn has_hole(&self, error: &UploadError) -> bool {
        let UploadError::Hole { from, .. } = error else { return false };
        self.log.local_start_offset() <= *from
    }

    fn stop_uploads(&self, reason: String) {
        tracing::error!(
            topic = %self.topic(),
            partition = self.tp().partition,
            reason,
            "uploads of this partition stand still until somebody helps: if the catalog was put back from a copy, give back the newest one; else `tidelog tier skip` gives the range up"
        );
        self.upload.lock().stop(reason);
    }

    /// Notes that an attempt failed.
    pub(super) fn upload_failed(&self, reason: String, by_bucket: bool) {
        let (now, chance) = (self.tiers.clock().monotonic(), self.tiers.chance());
        self.upload.lock().failed(reason, by_bucket, now, |failures| backoff::pause(failures, chance));
        if by_bucket {
            self.tiers.note_bucket_failed();
        }
    }

    /// One attempt at the next range, and what follows from how it ends. By whoever has taken the partition out of the
    /// queue.
    pub(super) async fn upload_next(self: &Arc<Self>) {
        let Next::Range { base, .. } = self.next_range() else { return };
        let began = self.tiers.clock().monotonic();
        metrics::copy_began();
        match self.upload_what_is_next().await {
            Ok(uploaded) => {
                self.upload.lock().succeeded();
                if uploaded.is_some() {
                    self.tiers.bucket_took_something();
                }
                if let Some(Uploaded { log_bytes, object_bytes }) = uploaded {
                    metrics::copied(log_bytes, object_bytes, self.tiers.clock().monotonic().saturating_sub(began));
                }
            }
            Err(UploadError::Retired | UploadError::Fenced(_)) => {
                tracing::info!(topic = %self.topic(), partition = self.tp().partition, "uploads end: not led here any more");
                self.retire();
            }
            // Retention, or somebody who deletes records, was faster: nobody needs the range any more.
            Err(error) if self.view().log_start > base => {
                tracing::debug!(%error, topic = %self.topic(), partition = self.tp().partition, base = base.get(), "the log start has moved over what was uploaded");
            }
            Err(error) => {
                metrics::copy_failed();
                self.tell_failure(base, &error);
                if error.needs_help() || self.has_hole(&error) {
                    self.stop_uploads(error.to_string());
                }
                self.upload_failed(error.to_string(), error.is_of_bucket());
            }
        }
    }

    fn tell_failure(&self, base: Offset, error: &UploadError) {
        let (topic, partition, base) = (self.topic(), self.tp().partition, base.get());
        if error.is_of_disk() {
            tracing::error!(
                %error, %topic, partition, base,
                "the disk does not give what is to be uploaded: it is tried again, less and less often, and what follows waits; if the disk does not come back, `tidelog tier skip` gives the range up"
            );
        } else {
            tracing::warn!(%error, %topic, partition, base, "an upload failed");
        }
    }

    /// Ends what has failed before, then uploads what comes next.
    async fn upload_what_is_next(self: &Arc<Self>) -> Result<Option<Uploaded>, UploadError> {
        self.end_unfinished().await?;
        // Looked at only now: what seemed to have failed may be part of the log.
        let Next::Range { base, to, bytes: log_bytes } = self.next_range() else { return Ok(None) };
        let uploaded = self.upload_range(base..to, Content::Log).await;
        self.tiers.uploads.spent(log_bytes);
        Ok(Some(Uploaded { log_bytes, object_bytes: uploaded? }))
    }
}
