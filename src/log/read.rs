//! Reading: from an offset to a stretch of a file.
//!
//! # Consistency
//! A slice holds whole batches at its beginning, the first of which contains the offset asked for; nothing in it lies at
//! or above the bound. Its end may cut a batch where the size limit falls, as Kafka's does; clients drop that part.
//! Its file stays readable when the segment is removed.

use std::sync::Arc;

use crate::disk::DiskFile;
use crate::model::Offset;

use super::error::{LogError, ReadError};
use super::partition_log::PartitionLog;
use super::segment::Segment;
use super::transaction_index::AbortedTransaction;

/// A stretch of a segment's file.
#[derive(Clone, Debug)]
pub struct LogSlice {
    /// The file.
    pub file: Arc<dyn DiskFile>,
    /// Where the stretch begins.
    pub position: u64,
    /// How long it is; never 0.
    pub length: usize,
    /// The base offset of its first batch.
    pub base_offset: Offset,
    /// An offset that it ends at or before: where its segment ends now.
    pub segment_end: Offset,
}

impl PartitionLog {
    /// Up to `max_bytes` from the batch that holds `from`, below `upper` (exclusive, and the end of a batch). With
    /// `at_least_one` the first batch is returned even where it is larger. `None` where there is nothing to return.
    pub fn read(
        &self,
        from: Offset,
        max_bytes: usize,
        upper: Offset,
        at_least_one: bool,
    ) -> Result<Option<LogSlice>, ReadError> {
        self.look(ReadError::is_not_found, |segments| self.read_in(segments, from, max_bytes, upper, at_least_one))
    }

    /// Looks into the segments there are. One may be removed after the snapshot of them was taken and before its files are
    /// open: then the next snapshot knows.
    pub(super) fn look<T, E>(
        &self,
        is_not_found: impl Fn(&E) -> bool,
        look: impl Fn(&[Arc<Segment>]) -> Result<T, E>,
    ) -> Result<T, E> {
        match look(&self.segments.load_full()) {
            Err(error) if is_not_found(&error) => look(&self.segments.load_full()),
            other => other,
        }
    }

    fn read_in(
        &self,
        segments: &[Arc<Segment>],
        from: Offset,
        max_bytes: usize,
        upper: Offset,
        at_least_one: bool,
    ) -> Result<Option<LogSlice>, ReadError> {
        let end = self.log_end_offset();
        let start = segments.first().map_or(end, |segment| segment.base);
        if from < start || from > end {
            return Err(ReadError::OutOfRange { asked: from, start, end });
        }
        if from >= upper.min(end) {
            return Ok(None);
        }
        let after = segments.partition_point(|segment| segment.base <= from);
        let holds = segments.get(after.saturating_sub(1)..).unwrap_or_default();
        for segment in holds {
            if segment.base >= upper {
                break;
            }
            let Some((position, header)) = segment.find(from)? else { continue };
            let available = segment.end_position(upper)?.saturating_sub(position);
            let first = header.size_bytes();
            let wanted = if at_least_one { max_bytes.max(first) } else { max_bytes };
            let length = usize::try_from(available).unwrap_or(usize::MAX).min(wanted);
            if length < first {
                return Ok(None);
            }
            let (file, base_offset, segment_end) = (segment.file()?, header.base_offset, segment.next_offset());
            return Ok(Some(LogSlice { file, position, length, base_offset, segment_end }));
        }
        Ok(None)
    }

    /// Aborted transactions with records in `[from, to)`, by their markers. Indexes are read as far as a transaction that
    /// began below `to` may have ended.
    pub fn aborted_transactions(&self, from: Offset, to: Offset) -> Result<Vec<AbortedTransaction>, LogError> {
        self.look(LogError::is_not_found, |segments| aborted_in(segments, from, to))
    }
}

fn aborted_in(segments: &[Arc<Segment>], from: Offset, to: Offset) -> Result<Vec<AbortedTransaction>, LogError> {
    let mut aborted = Vec::new();
    for segment in segments.iter().filter(|segment| segment.next_offset() > from) {
        let entries = segment.transactions.entries().map_err(super::error::at(segment.transactions.path()))?;
        // By then everything below was decided, and what ends later began later.
        let is_over = entries.iter().any(|entry| entry.last_stable_offset >= to);
        aborted.extend(entries.into_iter().filter(|entry| entry.last_offset >= from && entry.first_offset < to));
        if is_over {
            break;
        }
    }
    Ok(aborted)
}
