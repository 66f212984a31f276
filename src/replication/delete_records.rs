//! Moving the log start, by DeleteRecords, and retention.
//!
//! # Consistency
//! The log start never passes the high watermark, so that no consumer loses what it could not have seen yet.
//!
//! # Crash safety
//! It is on stable storage, for a tiered topic in the catalog too, before anything below it is removed and before anyone
//! is told.
//!
//! # Cancellation
//! A caller that goes away may leave the log start moved.

use std::sync::Arc;

use crate::log::{self, TieredTo, retention};
use crate::model::Offset;
use crate::tiering::ChangeError;

use super::errors::DeleteRecordsError;
use super::partition::Partition;

impl Partition {
    /// Moves the log start to `to`, or to the high watermark; returns where it is then.
    pub async fn delete_records(&self, to: Option<Offset>) -> Result<Offset, DeleteRecordsError> {
        self.check_serving()?;
        let high_watermark = self.watermarks().high_watermark;
        let to = to.unwrap_or(high_watermark);
        if to > high_watermark {
            return Err(DeleteRecordsError::OutOfRange { asked: to, high_watermark });
        }
        match self.tier().filter(|tier| tier.view().tiered != TieredTo::NotTiered) {
            Some(tier) => {
                tier.advance_log_start(to).await?;
            }
            None => {
                let log = Arc::clone(self.log());
                let moved = tokio::task::spawn_blocking(move || {
                    // Where records are shown before they are stable: the log start never passes what is.
                    if log.stable_end() < to {
                        log.sync()?;
                    }
                    log.advance_log_start(to)
                });
                let moved = moved.await;
                moved.map_err(|_| DeleteRecordsError::Unfinished)??;
            }
        }
        self.wake_watchers();
        Ok(self.watermarks().log_start)
    }

    /// Applies retention, in both tiers where the topic is tiered. Returns how many local segments went.
    pub async fn retain(self: &Arc<Self>, now_ms: i64) -> Result<usize, ChangeError> {
        if self.check_serving().is_err() {
            return Ok(0);
        }
        // A move that the disk has refused is made up for; while it refuses it still, the rest goes on.
        let behind = match self.tier() {
            Some(tier) => tier.bring_log_forward().await,
            None => Ok(()),
        };
        let Some(tier) = self.tier().filter(|tier| tier.view().tiered != TieredTo::NotTiered) else {
            let partition = Arc::clone(self);
            let retained = tokio::task::spawn_blocking(move || partition.retain_local(now_ms)).await;
            let removed = retained.map_err(ChangeError::panicked)??;
            return behind.map(|()| removed);
        };
        let expired = tier.expire(now_ms).await;
        if !matches!(expired, Ok(None)) {
            self.wake_watchers();
        }
        // Whatever became of that: on a full disk this is what makes room for it.
        let removed = tier.drop_local(now_ms).await?;
        let log = Arc::clone(self.log());
        tokio::task::spawn_blocking(move || log.purge_deleted(now_ms)).await.map_err(ChangeError::panicked)??;
        expired?;
        behind.map(|()| removed)
    }

    /// Applies retention where nothing is in the bucket. Blocks. Returns how many segments went.
    fn retain_local(&self, now_ms: i64) -> Result<usize, log::LogError> {
        let config = self.config();
        if config.cleanup.delete
            && let Some(start) = retention::log_start(&self.log().segments(), &config.retention, now_ms)
        {
            // What is not stable cannot have been seen, and the log start may not pass it.
            if start == self.log().log_end_offset() && self.watermarks().high_watermark == start {
                self.log().roll()?;
            }
            if self.advance_by_retention(start.min(self.watermarks().high_watermark))? {
                self.wake_watchers();
            }
        }
        let removed = self.log().delete_segments_below(self.log().log_start_offset(), now_ms)?;
        self.log().purge_deleted(now_ms)?;
        Ok(removed)
    }

    /// Moves the log start. On a disk without room to write it down, the oldest segments go first: what has expired need
    /// not be there for the log start to pass it, and a start takes the first segment for where the log starts.
    fn advance_by_retention(&self, to: Offset) -> Result<bool, log::LogError> {
        loop {
            match self.log().advance_log_start(to) {
                Err(error) if error.is_disk_full() && self.log().free_oldest_segment(to)? => {}
                other => return other,
            }
        }
    }
}
