//! `.index`: which byte of the segment a batch begins at. Eight bytes an entry: last offset of the batch relative to the
//! segment's base, position (Kafka's `OffsetIndex`). Sparse: one entry every `index.interval.bytes`.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::model::Offset;

use super::index_file::IndexFile;
use super::open_files::OpenFiles;

/// The offset index of a segment.
#[derive(Debug)]
pub(super) struct OffsetIndex {
    base: Offset,
    pub(super) file: IndexFile<8>,
}

impl OffsetIndex {
    pub(super) fn open(files: Arc<OpenFiles>, path: PathBuf, base: Offset) -> io::Result<Self> {
        Ok(Self { base, file: IndexFile::open(files, path)? })
    }

    /// Adds the batch that ends with `last_offset` and begins at `position`.
    pub(super) fn append(&self, last_offset: Offset, position: u64) -> io::Result<()> {
        let relative = i32::try_from(last_offset - self.base).map_err(io::Error::other)?;
        let position = u32::try_from(position).map_err(io::Error::other)?;
        let mut entry = [0; 8];
        let (head, tail) = entry.split_at_mut(4);
        head.copy_from_slice(&relative.to_be_bytes());
        tail.copy_from_slice(&position.to_be_bytes());
        self.file.append(entry)
    }

    /// A position at or before the batch that holds `offset`.
    pub(super) fn position_before(&self, offset: Offset) -> io::Result<u64> {
        let after = self.file.partition_point(|entry| self.parse(entry).0 <= offset)?;
        match after.checked_sub(1) {
            None => Ok(0),
            Some(number) => Ok(self.parse(&self.file.entry(number)?).1),
        }
    }

    /// Drops the entries of batches that begin at or behind `position`.
    pub(super) fn truncate_to(&self, position: u64) -> io::Result<()> {
        self.file.truncate(self.count_below(position)?)
    }

    /// How many entries are of batches that begin before `position`.
    pub(super) fn count_below(&self, position: u64) -> io::Result<u64> {
        self.file.partition_point(|entry| self.parse(entry).1 < position)
    }

    /// Whether the last entry lies in a segment of so many bytes.
    pub(super) fn ends_sane(&self, size_bytes: u64) -> io::Result<bool> {
        let Some(number) = self.file.len().checked_sub(1) else { return Ok(true) };
        let (offset, position) = self.parse(&self.file.entry(number)?);
        Ok(offset >= self.base && position < size_bytes)
    }

    fn parse(&self, entry: &[u8; 8]) -> (Offset, u64) {
        let [a, b, c, d, e, f, g, h] = *entry;
        (self.base + i64::from(i32::from_be_bytes([a, b, c, d])), u64::from(u32::from_be_bytes([e, f, g, h])))
    }
}
