//! The producers as they were at the end of a sealed segment: what an object in the bucket carries, so that a log which has
//! to begin behind it knows them.

use std::sync::Arc;

use crate::model::Offset;

use super::error::{LogError, at};
use super::names;
use super::partition_log::PartitionLog;
use super::producer_snapshot;
use super::producers::Producers;
use super::recovery;
use super::segment::Segment;

impl PartitionLog {
    /// The producers at `end`, which is where a segment ends, in the format of a snapshot; empty where there is none.
    pub fn producer_snapshot_at(&self, end: Offset, now_ms: i64) -> Result<Vec<u8>, LogError> {
        let (from, mut producers) = self.newest_snapshot(end)?;
        if from < end {
            let segments: Vec<Arc<Segment>> =
                self.segments.load().iter().filter(|segment| segment.next_offset() <= end).cloned().collect();
            recovery::replay(&segments, from, &mut producers, now_ms, |_| ())?;
        }
        Ok(if producers.len() == 0 { Vec::new() } else { producer_snapshot::encode(&producers) })
    }

    /// The newest whole snapshot at or below `end`, and where it was taken.
    fn newest_snapshot(&self, end: Offset) -> Result<(Offset, Producers), LogError> {
        let names = self.disk().read_dir(&self.dir).map_err(at(&self.dir))?;
        let mut offsets: Vec<_> =
            names.iter().filter_map(|entry| names::offset_of(&entry.name, names::SNAPSHOT)).collect();
        offsets.sort_unstable();
        for offset in offsets.into_iter().rev().filter(|offset| *offset <= end) {
            let path = names::file(&self.dir, offset, names::SNAPSHOT);
            let bytes = self.disk().read_all(&path).map_err(at(&path))?;
            if let Some(producers) = bytes.and_then(|bytes| producer_snapshot::decode(&bytes)) {
                return Ok((offset, producers));
            }
        }
        Ok((Offset::ZERO, Producers::default()))
    }
}
