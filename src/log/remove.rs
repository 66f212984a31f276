//! Removing from the front: the log start moves, segments that nobody needs go.
//!
//! # Consistency
//! Readers that hold a removed segment's file read on; the files are removed `file.delete.delay.ms` later.
//!
//! # Crash safety
//! The log start is stable before anybody is told of it, and so is the offset below which segments go before the first of
//! them does: a power cut may undo some of the renames and not others, and the next start finishes them. Removed files
//! carry another name at once.
//!
//! On a disk without room for a checkpoint the first segment goes before that is written down. The marked names of its
//! files, which take none, stay until it is: without them a start takes a first segment that is missing for loss.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::disk::with_suffix;
use crate::model::Offset;

use super::checkpoint::Checkpoint;
use super::error::{LogError, at};
use super::leftovers;
use super::names;
use super::partition_log::{PartitionLog, load};
use super::segment::Segment;

impl PartitionLog {
    /// Moves the log start forward; durable when it returns. It never goes back, nor beyond the stable end. Says
    /// whether it moved.
    pub fn advance_log_start(&self, to: Offset) -> Result<bool, LogError> {
        let _one_at_a_time = self.syncing.lock();
        let to = to.min(self.stable_end());
        if to <= self.log_start_offset() {
            return Ok(false);
        }
        let active = Arc::clone(&self.appender.lock().active);
        self.write_checkpoint(&Checkpoint { log_start_offset: to.get(), ..self.checkpoint_now(&active) })?;
        self.log_start.fetch_max(to.get(), Ordering::AcqRel);
        Ok(true)
    }

    /// Removes the sealed segments that end at or below `to`. Returns how many went.
    pub fn delete_segments_below(&self, to: Offset, now_ms: i64) -> Result<usize, LogError> {
        let _one_at_a_time = self.syncing.lock();
        let segments = self.segments.load_full();
        let (gone, kept) = split(&segments, |segment| segment.next_offset() <= to);
        let Some(first_kept) = kept.first().filter(|_| !gone.is_empty()) else { return Ok(0) };
        if let Err(error) = self.announce_removal(first_kept.base) {
            return if error.is_disk_full() { self.free_stable(gone) } else { Err(error) };
        }
        self.removed_below.fetch_max(first_kept.base.get(), Ordering::AcqRel);
        let when_ms = now_ms.saturating_add(self.options.load().file_delete_delay_ms);
        self.let_go(gone, when_ms)?;
        self.forget_epochs()?;
        Ok(gone.len())
    }

    /// Makes stable that segments below `to` go, and what is only in them.
    fn announce_removal(&self, to: Offset) -> Result<(), LogError> {
        if load(&self.recovery_point) < to {
            // What is only in the segments that go, the producers there, has to be stable elsewhere first.
            self.checkpoint_locked()?;
        }
        let active = Arc::clone(&self.appender.lock().active);
        // Its sync of the folder also makes the names of the segments that stay stable.
        self.write_checkpoint(&Checkpoint { local_start_offset: to.get(), ..self.checkpoint_now(&active) })
    }

    /// Removes those of the segments that nothing has to be written for.
    fn free_stable(&self, gone: &[Arc<Segment>]) -> Result<usize, LogError> {
        let recovery_point = load(&self.recovery_point);
        let count = gone.iter().take_while(|segment| segment.next_offset() <= recovery_point).count();
        self.free_one_by_one(gone.get(..count).unwrap_or_default())
    }

    /// Removes segments at once, each stable before the next: one alone leaves no gap, whichever of its names a power cut
    /// brings back. For a disk that has no room for a checkpoint before the first of them is gone.
    fn free_one_by_one(&self, gone: &[Arc<Segment>]) -> Result<usize, LogError> {
        for segment in gone {
            self.let_go(std::slice::from_ref(segment), i64::MIN)?;
            leftovers::remove_file(self.disk(), &with_suffix(segment.path(), names::DELETED))?;
            let next = segment.next_offset();
            match self.announce_removal(next) {
                Ok(()) => {
                    self.removed_below.fetch_max(next.get(), Ordering::AcqRel);
                    self.purge_deleted(i64::MIN)?;
                }
                // It was a small one: the next makes room for both.
                Err(error) if error.is_disk_full() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(gone.len())
    }

    /// Removes the first segment at once, if it is sealed and ends at or below `to`: what makes room on a disk that has none
    /// for a checkpoint. Says whether it went.
    pub fn free_oldest_segment(&self, to: Offset) -> Result<bool, LogError> {
        let _one_at_a_time = self.syncing.lock();
        let segments = self.segments.load_full();
        let (gone, _) = split(&segments, |segment| segment.next_offset() <= to);
        let Some(oldest) = gone.first().filter(|oldest| oldest.next_offset() <= load(&self.recovery_point)) else {
            return Ok(false);
        };
        self.free_one_by_one(std::slice::from_ref(oldest)).map(|freed| freed > 0)
    }

    /// Takes the first segments out of sight and marks their files.
    fn let_go(&self, gone: &[Arc<Segment>], when_ms: i64) -> Result<(), LogError> {
        let is_gone = |segment: &Arc<Segment>| gone.iter().any(|removed| Arc::ptr_eq(removed, segment));
        {
            let mut appender = self.appender.lock();
            let mut kept = Vec::clone(&self.segments.load());
            kept.retain(|segment| !is_gone(segment));
            self.segments.store(Arc::new(kept));
            appender.unsynced.retain(|segment| !is_gone(segment));
            appender.indexes_unsynced.retain(|segment| !is_gone(segment));
        }
        for segment in gone {
            let marked = segment.mark_deleted()?;
            self.doomed.lock().extend(marked.into_iter().map(|path| (when_ms, path)));
        }
        self.disk().sync_dir(&self.dir).map_err(at(&self.dir))
    }

    /// Removes files whose delay is over, and whose removal is written down. Returns how many.
    pub fn purge_deleted(&self, now_ms: i64) -> Result<usize, LogError> {
        let below = load(&self.removed_below);
        let base = |path: &Path| names::marked_base(path.file_name()?.to_str()?);
        let is_due =
            |(when_ms, path): &(i64, PathBuf)| *when_ms <= now_ms && base(path).is_none_or(|base| base < below);
        let due: Vec<_> = {
            let mut doomed = self.doomed.lock();
            let (due, later): (Vec<_>, Vec<_>) = doomed.drain(..).partition(is_due);
            *doomed = later;
            due
        };
        for (number, (_, path)) in due.iter().enumerate() {
            if let Err(error) = leftovers::remove_file(self.disk(), path) {
                self.doomed.lock().extend(due.get(number..).unwrap_or_default().iter().cloned());
                return Err(error);
            }
        }
        Ok(due.len())
    }
}

/// The first sealed segments that are wanted, and the rest.
fn split(segments: &[Arc<Segment>], wanted: impl Fn(&Segment) -> bool) -> (&[Arc<Segment>], &[Arc<Segment>]) {
    let sealed = segments.len().saturating_sub(1);
    let count = segments.iter().take(sealed).take_while(|segment| wanted(segment)).count();
    segments.split_at_checked(count).unwrap_or((&[], segments))
}
