//! Every batch of a range of offsets, one after the other: what tiering reads.

use std::sync::Arc;

use crate::model::Offset;
use crate::record::BatchView;

use super::error::LogError;
use super::partition_log::PartitionLog;
use super::scan::Scan;
use super::segment::Segment;

/// Reads batches in order, through one buffer.
#[derive(Debug)]
pub struct BatchReader {
    segments: std::vec::IntoIter<Arc<Segment>>,
    current: Option<(Arc<Segment>, Scan)>,
    from: Offset,
    to: Offset,
}

impl PartitionLog {
    /// The batches that hold any offset of `[from, to)`. The first and the last may reach beyond.
    pub fn batches_from(&self, from: Offset, to: Offset) -> BatchReader {
        let segments: Vec<_> = self
            .segments
            .load()
            .iter()
            .filter(|segment| segment.next_offset() > from && segment.base < to)
            .cloned()
            .collect();
        BatchReader { segments: segments.into_iter(), current: None, from, to }
    }
}

impl BatchReader {
    /// The next batch. Its checksum has not been looked at.
    #[expect(clippy::should_implement_trait, reason = "what it returns borrows its buffer")]
    pub fn next(&mut self) -> Result<Option<BatchView<'_>>, LogError> {
        loop {
            if self.current.is_none() {
                let Some(segment) = self.segments.next() else { return Ok(None) };
                let scan = segment.scan_near(self.from)?;
                self.current = Some((segment, scan));
            }
            if self.step()? {
                break;
            }
        }
        let Some((segment, scan)) = self.current.as_mut() else { return Ok(None) };
        let position = scan.position();
        let batch = segment.scan_result(scan.next_batch(), position)?;
        Ok(batch.map(|(_, view)| view).filter(|view| view.header().base_offset < self.to))
    }

    /// Goes to the next batch that is wanted; false where the segment has none.
    fn step(&mut self) -> Result<bool, LogError> {
        let Some((segment, scan)) = self.current.as_mut() else { return Ok(false) };
        loop {
            let position = scan.position();
            let Some(header) = segment.scan_result(scan.peek_header(), position)? else {
                self.current = None;
                return Ok(false);
            };
            if header.last_offset() >= self.from {
                return Ok(true);
            }
            segment.scan_result(scan.next_header(), position)?;
        }
    }
}
