//! Truncation: the log ends earlier than it did, because its tail is not the partition's history (KIP-101).
//!
//! # Consistency
//! Appends and syncs wait. Readers that hold slices of what goes are answered from the old file.
//!
//! # Crash safety
//! Segments go from the back, each cut is synced, then the checkpoint: a crash in between leaves a longer log, never a
//! hole.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::model::Offset;

use super::error::{LogError, at};
use super::leader_epochs::LeaderEpochs;
use super::names;
use super::partition_log::PartitionLog;
use super::producer_snapshot;
use super::producers::Producers;
use super::recovery;
use super::segment::Segment;

impl PartitionLog {
    /// Drops every batch that ends at or above `to`. A batch that holds `to` goes as a whole. Returns the new end.
    pub fn truncate_to(&self, to: Offset, now_ms: i64) -> Result<Offset, LogError> {
        let _one_at_a_time = self.syncing.lock();
        let mut appender = self.appender.lock();
        if to >= self.log_end_offset() {
            return Ok(self.log_end_offset());
        }
        let mut segments = Vec::clone(&self.segments.load());
        while segments.len() > 1 && segments.last().is_some_and(|last| last.base >= to) {
            let Some(gone) = segments.pop() else { break };
            for path in gone.mark_deleted()? {
                self.disk().remove_file(&path).map_err(at(&path))?;
            }
        }
        let active = Arc::clone(segments.last().expect("one segment always stays"));
        cut(&active, to)?;
        let end = active.next_offset();
        self.disk().sync_dir(&self.dir).map_err(at(&self.dir))?;
        self.segments.store(Arc::new(segments.clone()));
        let mut epochs = LeaderEpochs::clone(&self.epochs.load());
        epochs.truncate_to(end);
        self.epochs.store(Arc::new(epochs));
        self.write_epochs()?;
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
        let recovery_point = end.min(Offset::new(self.recovery_point.load(Ordering::Acquire)));
        self.recovery_point.store(recovery_point.get(), Ordering::Release);
        self.write_checkpoint(recovery_point, &active)?;
        Ok(end)
    }

    /// The producers as they were at `end`, from the newest snapshot at or below it.
    fn producers_at(&self, segments: &[Arc<Segment>], end: Offset, now_ms: i64) -> Result<Producers, LogError> {
        let mut found = (Offset::ZERO, Producers::default());
        for entry in self.disk().read_dir(&self.dir).map_err(at(&self.dir))? {
            let Some(offset) = names::offset_of(&entry.name, names::SNAPSHOT) else { continue };
            let path = self.dir.join(&entry.name);
            if offset > end {
                self.disk().remove_file(&path).map_err(at(&path))?;
                continue;
            }
            let bytes = self.disk().read_all(&path).map_err(at(&path))?;
            if let Some(producers) = bytes.and_then(|bytes| producer_snapshot::decode(&bytes)) {
                found = (offset, producers);
            }
        }
        let (from, mut producers) = found;
        recovery::replay(segments, from, &mut producers, now_ms, |_| ())?;
        Ok(producers)
    }
}

/// Cuts one segment at the batch that holds `to`.
fn cut(segment: &Segment, to: Offset) -> Result<(), LogError> {
    let Some((position, header)) = segment.find(to)? else { return Ok(()) };
    let end = header.base_offset;
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
