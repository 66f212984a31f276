//! The producers as they were at the end of a sealed segment: what an object in the bucket carries, so that a log which has
//! to begin behind it knows them.

use std::sync::Arc;

use crate::model::Offset;

use super::error::LogError;
use super::partition_log::PartitionLog;
use super::producer_snapshot;
use super::producers::Producers;
use super::recovery;
use super::segment::Segment;

impl PartitionLog {
    /// The producers at `end`, which is where a segment ends, in the format of a snapshot; empty where there is none.
    pub fn producer_snapshot_at(&self, end: Offset, now_ms: i64) -> Result<Vec<u8>, LogError> {
        let newest = producer_snapshot::newest(self.disk(), &self.dir, end, Offset::MAX)?;
        let (from, mut producers) = newest.unwrap_or((Offset::ZERO, Producers::default()));
        if from < end {
            let segments: Vec<Arc<Segment>> =
                self.segments.load().iter().filter(|segment| segment.next_offset() <= end).cloned().collect();
            recovery::replay(&segments, from, &mut producers, now_ms)?;
        }
        Ok(if producers.len() == 0 { Vec::new() } else { producer_snapshot::encode(&producers) })
    }
}
