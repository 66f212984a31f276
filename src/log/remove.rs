//! Removing from the front: the log start moves, segments that nobody needs go.
//!
//! # Consistency
//! Readers that hold a removed segment's file read on; the files are removed `file.delete.delay.ms` later.
//!
//! # Crash safety
//! The log start is written down before anything below it is removed. Removed files carry another name at once, and what
//! a crash leaves of them is removed at the next start.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::model::Offset;

use super::error::{LogError, at};
use super::leader_epochs::LeaderEpochs;
use super::partition_log::PartitionLog;
use super::segment::Segment;

impl PartitionLog {
    /// Moves the log start forward; durable when it returns. It never goes back, nor beyond the stable end. Says
    /// whether it moved.
    pub fn advance_log_start(&self, to: Offset) -> Result<bool, LogError> {
        let _one_at_a_time = self.syncing.lock();
        let to = to.min(self.stable_end());
        if self.log_start.fetch_max(to.get(), Ordering::AcqRel) >= to.get() {
            return Ok(false);
        }
        let (recovery_point, active) = {
            let appender = self.appender.lock();
            // Indexes above the last checkpoint are not synced: the recovery point stays where that put it.
            (self.recovery_point.load(Ordering::Acquire), Arc::clone(&appender.active))
        };
        self.write_checkpoint(Offset::new(recovery_point), &active)?;
        Ok(true)
    }

    /// Removes the sealed segments that end at or below `to`; for a topic without a bucket the log start follows.
    /// Returns how many went.
    pub fn delete_segments_below(&self, to: Offset, now_ms: i64) -> Result<usize, LogError> {
        let _one_at_a_time = self.syncing.lock();
        let mut appender = self.appender.lock();
        let segments = self.segments.load_full();
        let sealed = segments.split_last().map_or(&[] as &[Arc<Segment>], |(_, sealed)| sealed);
        let gone = sealed.iter().take_while(|segment| segment.next_offset() <= to).count();
        let (gone, kept) = segments.split_at_checked(gone).unwrap_or((&[], &segments));
        if gone.is_empty() {
            return Ok(0);
        }
        self.segments.store(Arc::new(kept.to_vec()));
        let is_gone = |segment: &Arc<Segment>| gone.iter().any(|removed| Arc::ptr_eq(removed, segment));
        appender.unsynced.retain(|segment| !is_gone(segment));
        appender.indexes_unsynced.retain(|segment| !is_gone(segment));
        drop(appender);
        let when_ms = now_ms.saturating_add(self.options.load().file_delete_delay_ms);
        for segment in gone {
            let marked = segment.mark_deleted()?;
            self.doomed.lock().extend(marked.into_iter().map(|path| (when_ms, path)));
        }
        self.disk().sync_dir(&self.dir).map_err(at(&self.dir))?;
        self.forget_epochs()?;
        Ok(gone.len())
    }

    /// Drops the epochs that no offset from the log start on belongs to.
    fn forget_epochs(&self) -> Result<(), LogError> {
        let mut epochs = LeaderEpochs::clone(&self.epochs.load());
        epochs.advance_to(self.log_start_offset());
        if epochs != **self.epochs.load() {
            self.epochs.store(Arc::new(epochs));
            self.write_epochs()?;
        }
        Ok(())
    }

    /// Removes files whose delay is over. Returns how many.
    pub fn purge_deleted(&self, now_ms: i64) -> Result<usize, LogError> {
        let due: Vec<_> = {
            let mut doomed = self.doomed.lock();
            let (due, later): (Vec<_>, Vec<_>) = doomed.drain(..).partition(|(when_ms, _)| *when_ms <= now_ms);
            *doomed = later;
            due
        };
        for (_, path) in &due {
            self.disk().remove_file(path).map_err(at(path))?;
        }
        Ok(due.len())
    }
}
