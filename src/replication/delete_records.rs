//! Moving the log start: DeleteRecords, and retention of a topic that has nothing in the bucket.
//!
//! # Consistency
//! The log start never passes the high watermark, so that no consumer loses what it could not have seen yet.
//!
//! # Crash safety
//! It is on stable storage before anything below it is removed and before anyone is told.

use crate::log::{self, retention};
use crate::model::Offset;

use super::errors::DeleteRecordsError;
use super::partition::Partition;

impl Partition {
    /// Moves the log start to `to`, or to the high watermark; returns where it is then. Blocks.
    pub fn delete_records(&self, to: Option<Offset>) -> Result<Offset, DeleteRecordsError> {
        self.check_serving()?;
        let high_watermark = self.watermarks().high_watermark;
        let to = to.unwrap_or(high_watermark);
        if to > high_watermark {
            return Err(DeleteRecordsError::OutOfRange { asked: to, high_watermark });
        }
        if self.log().advance_log_start(to)? {
            self.wake_watchers();
        }
        Ok(self.log().log_start_offset())
    }

    /// Applies retention to local segments. Blocks. Returns how many segments went.
    pub fn retain_local(&self, now_ms: i64) -> Result<usize, log::LogError> {
        if self.check_serving().is_err() {
            return Ok(0);
        }
        let config = self.config();
        if config.cleanup.delete
            && let Some(start) = retention::log_start(&self.log().segments(), &config.retention, now_ms)
        {
            // What is not stable cannot have been seen, and the log start may not pass it.
            if start == self.log().log_end_offset() && self.watermarks().high_watermark == start {
                self.log().roll()?;
            }
            if self.log().advance_log_start(start.min(self.watermarks().high_watermark))? {
                self.wake_watchers();
            }
        }
        let removed = self.log().delete_segments_below(self.log().log_start_offset(), now_ms)?;
        self.log().purge_deleted(now_ms)?;
        Ok(removed)
    }
}
