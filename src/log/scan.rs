//! Reads the batches of a segment's file one after the other: their headers only, or all of their bytes.
//!
//! Invariant: one buffer, which grows to the largest batch; what does not parse ends the scan with its position.

use std::io;
use std::sync::Arc;

use crate::disk::DiskFile;
use crate::model::limits::BATCH_HEADER_BYTES;
use crate::record::{BatchError, BatchHeader, BatchView};

/// Read at once when only headers are wanted.
const HEADER_CHUNK_BYTES: usize = 8 * 1024;
/// Read at once when everything is.
const CHUNK_BYTES: usize = 1024 * 1024;
/// A length beyond this is damage: no batch may be so large (`max.message.bytes` is an int, and frames are bounded).
const BATCH_BYTES_MAX: usize = 1 << 30;

/// Where a scan ended before the end.
#[derive(Debug)]
pub(super) enum ScanError {
    /// The disk refused.
    Io(io::Error),
    /// The bytes at that position are not a batch.
    Damaged(BatchError),
}

/// Goes over `[position, end)` of a file.
#[derive(Debug)]
pub(super) struct Scan {
    file: Arc<dyn DiskFile>,
    position: u64,
    end: u64,
    chunk: Vec<u8>,
    chunk_at: u64,
}

impl Scan {
    pub(super) fn new(file: Arc<dyn DiskFile>, position: u64, end: u64) -> Self {
        Self { file, position, end, chunk: Vec::new(), chunk_at: position }
    }

    /// Where the next batch begins: after an error, where the bad one does.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The next header, without going on.
    pub(super) fn peek_header(&mut self) -> Result<Option<BatchHeader>, ScanError> {
        if self.position >= self.end {
            return Ok(None);
        }
        BatchHeader::parse(self.bytes(BATCH_HEADER_BYTES, HEADER_CHUNK_BYTES)?).map(Some).map_err(ScanError::Damaged)
    }

    /// The next header and its position; the records are not read.
    pub(super) fn next_header(&mut self) -> Result<Option<(u64, BatchHeader)>, ScanError> {
        if self.position >= self.end {
            return Ok(None);
        }
        let at = self.position;
        let bytes = self.bytes(BATCH_HEADER_BYTES, HEADER_CHUNK_BYTES)?;
        let header = BatchHeader::parse(bytes).map_err(ScanError::Damaged)?;
        let next = at + header.size_bytes() as u64;
        if next > self.end {
            let have = usize::try_from(self.end - at).unwrap_or(usize::MAX);
            return Err(ScanError::Damaged(BatchError::Cut { have, need: header.size_bytes() }));
        }
        self.position = next;
        Ok(Some((at, header)))
    }

    /// The next batch, whole, and its position. Its checksum has not been looked at.
    pub(super) fn next_batch(&mut self) -> Result<Option<(u64, BatchView<'_>)>, ScanError> {
        if self.position >= self.end {
            return Ok(None);
        }
        let at = self.position;
        let header = BatchHeader::parse(self.bytes(BATCH_HEADER_BYTES, CHUNK_BYTES)?).map_err(ScanError::Damaged)?;
        let size = header.size_bytes();
        if size > BATCH_BYTES_MAX {
            return Err(ScanError::Damaged(BatchError::BadLength(header.batch_length)));
        }
        self.bytes(size, CHUNK_BYTES)?;
        self.position = at + size as u64;
        let view = BatchView::parse(self.chunk_from(at)).map_err(ScanError::Damaged)?;
        Ok(Some((at, view)))
    }

    /// At least `need` bytes at the present position.
    fn bytes(&mut self, need: usize, chunk_bytes: usize) -> Result<&[u8], ScanError> {
        let have = self.chunk_from(self.position).len();
        if have < need {
            let left = usize::try_from(self.end - self.position).unwrap_or(usize::MAX);
            if left < need {
                return Err(ScanError::Damaged(BatchError::Cut { have: left, need }));
            }
            let length = need.max(chunk_bytes).min(left);
            self.chunk.resize(length, 0);
            self.chunk_at = self.position;
            self.file.read_exact_at(&mut self.chunk, self.position).map_err(ScanError::Io)?;
        }
        Ok(self.chunk_from(self.position))
    }

    fn chunk_from(&self, position: u64) -> &[u8] {
        let inside = position.checked_sub(self.chunk_at).and_then(|inside| usize::try_from(inside).ok());
        inside.and_then(|inside| self.chunk.get(inside..)).unwrap_or_default()
    }
}
