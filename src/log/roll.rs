//! Rolling: the active segment is sealed and an empty one follows it.
//!
//! # Consistency
//! Under the append lock: a reader sees the sealed segment and the new one together or neither.
//! A roll that fails leaves the log as it was, and no files: whatever can fail comes before the new segment is seen.
//!
//! # Crash safety
//! A process that dies in a roll leaves at most an empty segment, which the next start takes away (`open`).
//! The new files' names are synced with the next sync, before anything in them is called stable. The sealed segment's
//! batches stay in the list of what is to be synced; its indexes are synced before the recovery point passes them.

use std::sync::Arc;

use crate::disk::Open;
use crate::model::Offset;
use crate::record::ValidBatch;

use super::error::{LogError, at};
use super::leftovers;
use super::names;
use super::partition_log::{Appender, PartitionLog};
use super::producer_snapshot;
use super::segment::Segment;

/// Positions in an offset index have 32 bits, and Kafka reads them with a sign.
const SEGMENT_BYTES_MAX: u64 = i32::MAX.unsigned_abs() as u64;

impl PartitionLog {
    pub(super) fn must_roll(&self, appender: &Appender, batch: &ValidBatch, now_ms: i64) -> bool {
        let active = &appender.active;
        let size = active.size_bytes();
        if size == 0 {
            return false;
        }
        let options = self.options.load();
        let with_batch = size + batch.bytes().len() as u64;
        let last_offset = self.log_end_offset() + i64::from(batch.header().last_offset_delta);
        let index_full = active.offset_index.file.size_bytes() + 8 > options.index_bytes
            || active.time_index.file.size_bytes() + 2 * 12 > options.index_bytes;
        with_batch > options.segment_bytes.min(SEGMENT_BYTES_MAX)
            || index_full
            || last_offset - active.base > i64::from(i32::MAX)
            || is_as_old(active, options.roll_age_ms(active.base.get()), now_ms)
    }

    /// Rolls the active segment if its first batch was appended `segment.ms` ago, or `max_lag_ms` where that is given. An
    /// empty segment is never rolled. Says whether it did.
    pub fn roll_if_due(&self, now_ms: i64, max_lag_ms: Option<i64>) -> Result<bool, LogError> {
        let mut appender = self.appender.lock();
        let active = &appender.active;
        let options = self.options.load();
        let age_ms = options.roll_age_ms(active.base.get()).min(max_lag_ms.unwrap_or(i64::MAX));
        let due = active.size_bytes() > 0 && is_as_old(active, age_ms, now_ms);
        if due {
            self.roll_locked(&mut appender)?;
        }
        Ok(due)
    }

    /// Rolls the active segment unless it is empty. Says whether it did.
    pub fn roll(&self) -> Result<bool, LogError> {
        let mut appender = self.appender.lock();
        let due = appender.active.size_bytes() > 0;
        if due {
            self.roll_locked(&mut appender)?;
        }
        Ok(due)
    }

    pub(super) fn roll_locked(&self, appender: &mut Appender) -> Result<(), LogError> {
        if appender.broken {
            return Err(LogError::Broken);
        }
        let base = self.log_end_offset();
        let options = self.options.load();
        let sealed = Arc::clone(&appender.active);
        // A start believes a sealed segment's index: without this entry its greatest timestamp would be too small for good.
        sealed.index_time().map_err(at(sealed.path()))?;
        if options.preallocate {
            // Gives back what was reserved and not used.
            sealed.file()?.set_len(sealed.size_bytes()).map_err(at(sealed.path()))?;
        }
        let preallocate = if options.preallocate { options.segment_bytes } else { 0 };
        self.write_snapshot(appender)?;
        let active = Segment::create(&self.files, &self.dir, base, preallocate).inspect_err(|_| {
            if let Err(error) = leftovers::remove_segment(self.disk(), &self.dir, base) {
                tracing::warn!(%error, "what was made of a new segment could not be removed: the next start does it");
            }
        })?;
        let active = Arc::new(active);
        let mut segments = Vec::clone(&self.segments.load());
        segments.push(Arc::clone(&active));
        self.segments.store(Arc::new(segments));
        appender.active = active;
        appender.bytes_since_index = 0;
        appender.names_unsynced = true;
        appender.indexes_unsynced.push(sealed);
        Ok(())
    }

    /// Writes the producers as they are at the log end. Synced with the next checkpoint; a snapshot that a crash damages
    /// is recognised, and an older one serves.
    fn write_snapshot(&self, appender: &Appender) -> Result<(), LogError> {
        if appender.producers.len() == 0 {
            return Ok(());
        }
        self.put_snapshot(self.log_end_offset(), &producer_snapshot::encode(&appender.producers), false)
    }

    /// Writes a snapshot of the producers at `offset`. The one that the checkpoint counts on is left alone.
    pub(super) fn put_snapshot(&self, offset: Offset, snapshot: &[u8], sync: bool) -> Result<(), LogError> {
        let counted_on = *self.recovery.lock();
        if counted_on.has_producers && counted_on.point == offset.get() && counted_on.point > 0 {
            return Ok(());
        }
        let path = names::file(&self.dir, offset, names::SNAPSHOT);
        let write = || {
            let file = self.disk().open(&path, Open::Create)?;
            file.set_len(0)?;
            file.write_all_at(snapshot, 0)?;
            if sync { file.sync_data() } else { Ok(()) }
        };
        write().map_err(at(&path))
    }
}

fn is_as_old(segment: &Segment, age_ms: i64, now_ms: i64) -> bool {
    segment.first_append_ms().is_some_and(|first_ms| now_ms.saturating_sub(first_ms) >= age_ms)
}
