//! Truncation: the log ends earlier than it did, because its tail is not the partition's history (KIP-101).
//!
//! The walk that needs it is a follower's: a diverging answer of its leader's truncates to it before anything is appended.
//! With one broker nobody follows, and only tests call it.
//!
//! # Consistency
//! Appends and syncs wait. Readers that hold slices of what goes are answered from the old file.
//!
//! # Crash safety
//! First the recovery point goes below the cut, so that a start believes nothing of what is about to change; then
//! segments go from the back, then the cut, each stable before the next. A crash in between leaves a longer log, never a
//! hole. A failure in between leaves a log that only recovery can mend.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::model::Offset;

use super::checkpoint::Recovery;
use super::error::{LogError, at};
use super::leader_epochs::LeaderEpochs;
use super::partition_log::{Appender, PartitionLog};
use super::producer_snapshot;
use super::producers::Producers;
use super::recovery;
use super::segment::Segment;

impl PartitionLog {
    /// Drops every batch that ends at or above `to`. A batch that holds `to` goes as a whole, but for the one that holds the
    /// log start: what is below the watermark is never dropped, and neither lies inside of a batch that is not. Returns the
    /// new end.
    pub fn truncate_to(&self, to: Offset, now_ms: i64) -> Result<Offset, LogError> {
        let _one_at_a_time = self.syncing.lock();
        let mut appender = self.appender.lock();
        if appender.broken {
            return Err(LogError::Broken);
        }
        let to = to.max(self.first_end()?);
        if to >= self.log_end_offset() {
            return Ok(self.log_end_offset());
        }
        let truncated = self.truncate_locked(&mut appender, to, now_ms);
        appender.broken |= truncated.is_err();
        truncated
    }

    /// The log start, or where the batch ends that it lies inside of.
    fn first_end(&self) -> Result<Offset, LogError> {
        let start = self.log_start_offset();
        let segments = self.segments.load();
        let holds = segments.iter().find(|segment| segment.base < start && start < segment.next_offset());
        let batch = holds.map(|segment| segment.find(start)).transpose()?.flatten();
        Ok(batch.filter(|(_, header)| header.base_offset < start).map_or(start, |(_, header)| header.next_offset()))
    }

    fn truncate_locked(&self, appender: &mut Appender, to: Offset, now_ms: i64) -> Result<Offset, LogError> {
        let mut segments = Vec::clone(&self.segments.load());
        let mut gone = Vec::new();
        while segments.len() > 1 && segments.last().is_some_and(|last| last.base >= to) {
            gone.extend(segments.pop());
        }
        let active = Arc::clone(segments.last().expect("one segment always stays"));
        let batch = active.find(to)?;
        let end = batch.map_or(active.next_offset(), |(_, header)| header.base_offset);
        let position = batch.map_or(active.size_bytes(), |(position, _)| position);
        self.lower_recovery_point(end, position, &active)?;
        // What stays is called stable when this is done.
        let unsynced: Vec<_> =
            appender.unsynced.iter().filter(|segment| segment.base <= active.base).cloned().collect();
        self.sync_all(&unsynced, true)?;
        for segment in gone {
            for path in segment.mark_deleted()? {
                self.disk().remove_file(&path).map_err(at(&path))?;
            }
            self.disk().sync_dir(&self.dir).map_err(at(&self.dir))?;
        }
        if let Some((position, header)) = batch {
            cut(&active, position, header.base_offset)?;
        }
        self.segments.store(Arc::new(segments.clone()));
        let mut epochs = LeaderEpochs::clone(&self.epochs.load());
        epochs.truncate_to(end);
        self.epochs.store(Arc::new(epochs));
        self.write_epochs()?;
        appender.epochs_unwritten = None;
        appender.producers = self.producers_at(&segments, end, now_ms)?;
        appender.active = Arc::clone(&active);
        appender.unsynced.clear();
        appender.indexes_unsynced.retain(|segment| segment.base < active.base);
        appender.bytes_since_index = 0;
        self.unsynced_bytes.store(0, Ordering::Relaxed);
        self.unsynced_records.store(0, Ordering::Relaxed);
        self.log_end.store(end.get(), Ordering::Release);
        self.stable_end.store(end.get(), Ordering::Release);
        self.high_watermark.fetch_min(end.get(), Ordering::AcqRel);
        self.publish_unstable(&appender.producers);
        // Its sync of the folder makes the removal of snapshots stable.
        self.write_checkpoint(&self.checkpoint_now(&active))?;
        Ok(end)
    }

    fn lower_recovery_point(&self, to: Offset, position: u64, active: &Segment) -> Result<(), LogError> {
        if to.get() >= self.recovery_point.load(Ordering::Acquire) {
            return Ok(());
        }
        let recovery = Recovery {
            point: to.get(),
            // There may have been one that is forgotten by now: a snapshot has to be looked for.
            has_producers: true,
            base_offset: active.base.get(),
            entries: active.index_entries_below(to, position)?,
            max_timestamp: None,
        };
        self.set_recovery(recovery);
        self.write_checkpoint(&self.checkpoint_now(active))
    }

    /// The producers as they were at `end`, from the newest snapshot at or below it.
    fn producers_at(&self, segments: &[Arc<Segment>], end: Offset, now_ms: i64) -> Result<Producers, LogError> {
        let found = producer_snapshot::newest(self.disk(), &self.dir, end, end)?;
        let (from, mut producers) = found.unwrap_or((Offset::ZERO, Producers::default()));
        recovery::replay(segments, from, &mut producers, now_ms)?;
        Ok(producers)
    }
}

/// Cuts one segment where the batch begins whose base offset is `end`.
fn cut(segment: &Segment, position: u64, end: Offset) -> Result<(), LogError> {
    segment.publish(end, position);
    segment
        .offset_index
        .truncate_to(position)
        .and_then(|()| segment.time_index.truncate_to(end))
        .and_then(|()| segment.transactions.truncate_to(end))
        .map_err(at(segment.path()))?;
    let file = segment.file()?;
    file.set_len(position).and_then(|()| file.sync_data()).map_err(at(segment.path()))?;
    let max = segment.time_index.last().map_err(at(segment.path()))?;
    let max = max.map(|(timestamp_ms, offset)| super::segment::MaxTimestamp { timestamp_ms, offset });
    segment.set_times(max, segment.first_append_ms(), segment.last_append_ms());
    recovery::note_unindexed(segment, position)
}
