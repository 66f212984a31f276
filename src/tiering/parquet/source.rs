//! The source of a row group, a slab at a time: records of the log's batches, unpacked, as they lay there.
//!
//! A slab is small enough to stay in the processor's cache from being unpacked to being encoded. Slabs are kept until the
//! row group that was made from them has been decoded again and compared with them.
//!
//! Invariants: a slab is cut at any record, so that no batch, however far it unfolds, makes memory grow beyond a row
//! group, one stretch of unpacked bytes and the largest record; nothing is allocated for a record.

use std::ops::Range;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::error::ArrowError;

use crate::model::Offset;
use crate::model::limits::{HEADERS_PER_RECORD_MAX, HUGE_BYTES, TIMESTAMP_MS_MAX};
use crate::record::{BatchError, BatchHeader, BatchView, Begins, Record, Unpacking};

use super::columns::Columns;
use super::error::WriteError;

/// Decoded bytes at which a slab is full, unless its row group is full before.
pub const SLAB_BYTES: usize = 1024 * 1024;
/// What is unpacked at once.
const STRETCH_BYTES: usize = 64 * 1024;
/// A buffer that has grown beyond so many times a slab is not kept for another one.
const KEEP_TIMES: usize = 2;

/// Records that become part of a row group.
#[derive(Debug)]
pub struct Source {
    /// Records as they lay in their batches, one behind the other.
    bytes: Vec<u8>,
    /// Where the first record begins that has not been taken.
    parsed: usize,
    pieces: Vec<Piece>,
    columns: Columns,
    bound: Bound,
    /// Buffers of slabs that are not needed any more.
    spare: Vec<Vec<u8>>,
}

/// What fills a slab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Decoded bytes.
    pub bytes: usize,
    /// Records.
    pub rows: usize,
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
        if record.headers.len() > HEADERS_PER_RECORD_MAX {
            return Err(WriteError::Headers { offset, count: record.headers.len() });
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
    pub fn new(bound: Bound) -> Self {
        Self {
            bytes: Vec::new(),
            parsed: 0,
            pieces: Vec::new(),
            columns: Columns::with_capacity(0),
            bound,
            spare: Vec::new(),
        }
    }

    /// How many records it has.
    pub fn rows(&self) -> usize {
        self.columns.rows()
    }

    /// Bytes that they take decoded.
    pub fn decoded_bytes(&self) -> usize {
        self.columns.decoded_bytes()
    }

    /// Takes records until the slab is full or the batch is used up; says whether it is full. Says `before_huge` before a
    /// record is unpacked that is larger than [`HUGE_BYTES`].
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
            // Not behind the records: a buffer that is just full would grow to twice its size for what is not there.
            if left_over || feed.unpacking.read_into(&mut Vec::new(), 1).map_err(&refused)? > 0 {
                return Err(refused(BatchError::Trailing));
            }
        }
        Ok(self.is_full())
    }

    fn is_full(&self) -> bool {
        self.decoded_bytes() >= self.bound.bytes || self.rows() >= self.bound.rows
    }

    /// Begins the next slab, which is filled by `bound`, with what was unpacked already; gives this one's columns and what
    /// they are compared with.
    pub fn cut(&mut self, partition: i32, bound: Bound) -> Result<(RecordBatch, Taken), ArrowError> {
        let mut next = self.spare.pop().unwrap_or_default();
        next.extend_from_slice(self.bytes.get(self.parsed..).unwrap_or_default());
        let bytes = std::mem::replace(&mut self.bytes, next);
        self.parsed = 0;
        self.bound = bound;
        let taken = Taken { bytes: Buffer::from_vec(bytes), pieces: std::mem::take(&mut self.pieces) };
        let columns = Columns::with_capacity(self.rows());
        let columns = std::mem::replace(&mut self.columns, columns).into_arrays(partition, &taken.bytes)?;
        Ok((columns, taken))
    }

    /// Uses a buffer again that is not needed any more.
    pub fn reuse(&mut self, taken: Taken) {
        let Ok(mut bytes) = taken.bytes.into_vec::<u8>() else { return };
        if bytes.capacity() <= KEEP_TIMES * (SLAB_BYTES + STRETCH_BYTES) {
            bytes.clear();
            self.spare.push(bytes);
        }
    }
}

/// The records that part of a row group was made from.
#[derive(Debug)]
pub struct Taken {
    bytes: Buffer,
    pieces: Vec<Piece>,
}

impl Taken {
    /// Its records, in order, parsed once more from the bytes of their batches. Ends after the first error.
    pub(super) fn records(&self) -> impl Iterator<Item = Result<Record<'_>, WriteError>> {
        self.pieces.iter().flat_map(|piece| PieceRecords {
            piece,
            rest: self.bytes.get(piece.bytes.clone()).unwrap_or_default(),
            index: 0,
        })
    }
}

struct PieceRecords<'t> {
    piece: &'t Piece,
    rest: &'t [u8],
    index: i32,
}

impl<'t> Iterator for PieceRecords<'t> {
    type Item = Result<Record<'t>, WriteError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        while self.index < self.piece.records {
            let index = self.index;
            self.index += 1;
            match self.piece.header.record(index, self.rest) {
                Ok(Begins::Record(record, size)) => {
                    self.rest = self.rest.get(size..).unwrap_or_default();
                    if record.offset >= self.piece.from {
                        return Some(Ok(record));
                    }
                }
                Ok(Begins::Cut(_)) => return self.stop(BatchError::Trailing),
                Err(error) => return self.stop(error),
            }
        }
        None
    }
}

impl<'t> PieceRecords<'t> {
    fn stop(&mut self, error: BatchError) -> Option<Result<Record<'t>, WriteError>> {
        self.index = self.piece.records;
        Some(Err(refused(&self.piece.header)(error)))
    }
}
