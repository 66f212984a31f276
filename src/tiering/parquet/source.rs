//! The source of one row group: the records of the log's batches, unpacked, as they lay there.
//!
//! They are kept until the row group that was made from them has been decoded again and compared with them.
//!
//! Invariants: a row group is cut at any record, so that no batch, however far it unfolds, makes memory grow beyond a row
//! group, one stretch of unpacked bytes and the largest record; nothing is allocated for a record.

use std::ops::Range;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::error::ArrowError;

use crate::model::Offset;
use crate::model::limits::{HUGE_BYTES, TIMESTAMP_MS_MAX};
use crate::record::{BatchError, BatchHeader, BatchView, Begins, Record, Unpacking};

use super::columns::Columns;
use super::error::WriteError;
use super::footer::ROW_GROUP_ROWS_MAX;

/// What is unpacked at once.
const STRETCH_BYTES: usize = 256 * 1024;
/// A buffer that has grown beyond so many times its row group is not kept for the next one.
const KEEP_TIMES: usize = 2;

/// Records that become one row group.
#[derive(Debug)]
pub struct Source {
    /// Records as they lay in their batches, one behind the other.
    bytes: Vec<u8>,
    /// Where the first record begins that has not been taken.
    parsed: usize,
    pieces: Vec<Piece>,
    columns: Columns,
    /// Decoded bytes at which the row group is full.
    full_at: usize,
}

/// Consecutive records of one batch.
#[derive(Clone, Debug)]
struct Piece {
    header: BatchHeader,
    bytes: Range<usize>,
    /// Records below it are not part of the row group.
    from: Offset,
    records: i32,
}

/// A batch on its way into row groups.
#[derive(Debug)]
pub struct Feed<'b> {
    header: BatchHeader,
    unpacking: Unpacking<'b>,
    /// Records taken so far.
    taken: i32,
    from: Offset,
    end: Offset,
    last: Offset,
}

impl<'b> Feed<'b> {
    /// The records of `batch` in `[from, end]`, which must lie behind `last`.
    pub fn new(batch: &BatchView<'b>, from: Offset, end: Offset, last: Offset) -> Result<Self, WriteError> {
        let unpacking = batch.unpacking().map_err(refused(batch.header()))?;
        Ok(Self { header: *batch.header(), unpacking, taken: 0, from, end, last })
    }

    /// The last offset taken.
    pub fn last(&self) -> Offset {
        self.last
    }

    fn check(&mut self, record: &Record<'_>) -> Result<i64, WriteError> {
        let (offset, timestamp_ms) = (record.offset, record.timestamp_ms);
        if offset <= self.last {
            return Err(WriteError::Order { offset, last: self.last });
        }
        if offset > self.end {
            return Err(WriteError::OutOfRange { offset, end: self.end });
        }
        self.last = offset;
        match timestamp_ms.checked_mul(1000) {
            Some(timestamp_us) if (-TIMESTAMP_MS_MAX..=TIMESTAMP_MS_MAX).contains(&timestamp_ms) => Ok(timestamp_us),
            _ => Err(WriteError::Timestamp { offset, timestamp_ms }),
        }
    }
}

fn refused(header: &BatchHeader) -> impl Fn(BatchError) -> WriteError + use<> {
    let base_offset = header.base_offset;
    move |source| WriteError::Batch { base_offset, source }
}

impl Source {
    /// None yet.
    pub fn new(row_group_bytes: usize) -> Self {
        Self {
            bytes: Vec::new(),
            parsed: 0,
            pieces: Vec::new(),
            columns: Columns::default(),
            full_at: row_group_bytes.max(1),
        }
    }

    /// How many records it has.
    pub fn rows(&self) -> usize {
        self.columns.rows()
    }

    /// Takes records until the row group is full or the batch is used up; says whether it is full. Says `before_huge`
    /// before a record is unpacked that is larger than [`HUGE_BYTES`].
    pub fn fill(&mut self, feed: &mut Feed<'_>, mut before_huge: impl FnMut()) -> Result<bool, WriteError> {
        let refused = refused(&feed.header);
        let begin = self.parsed;
        let first = feed.taken;
        while feed.taken < feed.header.record_count && !self.is_full() {
            let rest = self.bytes.get(self.parsed..).unwrap_or_default();
            match feed.header.record(feed.taken, rest).map_err(&refused)? {
                Begins::Record(record, size) => {
                    if record.offset >= feed.from {
                        let timestamp_us = feed.check(&record)?;
                        self.columns.push(&self.bytes, &record, timestamp_us);
                    }
                    self.parsed += size;
                    feed.taken += 1;
                }
                Begins::Cut(missing) => {
                    let stretch = missing.max(STRETCH_BYTES);
                    if rest.len().saturating_add(missing) > HUGE_BYTES {
                        before_huge();
                    }
                    if feed.unpacking.read_into(&mut self.bytes, stretch).map_err(&refused)? == 0 {
                        let reason = "it is cut";
                        return Err(refused(BatchError::Record { index: feed.taken, reason }));
                    }
                }
            }
        }
        self.pieces.push(Piece {
            header: feed.header,
            bytes: begin..self.parsed,
            from: feed.from,
            records: feed.taken - first,
        });
        if feed.taken >= feed.header.record_count {
            let left_over = self.bytes.len() > self.parsed;
            if left_over || feed.unpacking.read_into(&mut self.bytes, 1).map_err(&refused)? > 0 {
                return Err(refused(BatchError::Trailing));
            }
        }
        Ok(self.is_full())
    }

    fn is_full(&self) -> bool {
        self.columns.decoded_bytes() >= self.full_at || self.rows() >= ROW_GROUP_ROWS_MAX
    }

    /// Begins the next row group with what was unpacked already; gives this one's columns and what they are compared
    /// with.
    pub fn cut(&mut self, partition: i32) -> Result<(RecordBatch, Taken), ArrowError> {
        let next = self.bytes.get(self.parsed..).unwrap_or_default().to_vec();
        let bytes = std::mem::replace(&mut self.bytes, next);
        self.parsed = 0;
        let taken = Taken { bytes: Buffer::from_vec(bytes), pieces: std::mem::take(&mut self.pieces) };
        let columns = std::mem::take(&mut self.columns).into_arrays(partition, &taken.bytes)?;
        Ok((columns, taken))
    }

    /// Uses a buffer again that is not needed any more.
    pub fn reuse(&mut self, taken: Taken) {
        let Ok(mut bytes) = taken.bytes.into_vec::<u8>() else { return };
        if bytes.capacity() > KEEP_TIMES * (self.full_at + STRETCH_BYTES) || bytes.capacity() < self.bytes.len() {
            return;
        }
        bytes.clear();
        bytes.extend_from_slice(&self.bytes);
        self.bytes = bytes;
    }
}

/// The records that a row group was made from.
#[derive(Debug)]
pub struct Taken {
    bytes: Buffer,
    pieces: Vec<Piece>,
}

impl Taken {
    /// Calls `see` for every record, in order, parsed once more from the bytes of its batch.
    pub(super) fn each<E>(&self, mut see: impl FnMut(Record<'_>) -> Result<(), E>) -> Result<(), E>
    where
        E: From<WriteError>,
    {
        for piece in &self.pieces {
            let refused = refused(&piece.header);
            let mut rest = self.bytes.get(piece.bytes.clone()).unwrap_or_default();
            for index in 0..piece.records {
                let Begins::Record(record, size) = piece.header.record(index, rest).map_err(&refused)? else {
                    return Err(refused(BatchError::Trailing).into());
                };
                rest = rest.get(size..).unwrap_or_default();
                if record.offset >= piece.from {
                    see(record)?;
                }
            }
        }
        Ok(())
    }
}
