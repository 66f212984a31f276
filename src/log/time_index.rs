//! `.timeindex`: how late the records are up to an offset. Twelve bytes an entry: the greatest timestamp so far, the
//! last offset of the batch that has it, relative to the segment's base (Kafka's `TimeIndex`).

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::model::Offset;

use super::index_file::IndexFile;
use super::open_files::OpenFiles;

/// The time index of a segment.
#[derive(Debug)]
pub(super) struct TimeIndex {
    base: Offset,
    pub(super) file: IndexFile<12>,
}

impl TimeIndex {
    pub(super) fn open(files: Arc<OpenFiles>, path: PathBuf, base: Offset) -> io::Result<Self> {
        Ok(Self { base, file: IndexFile::open(files, path)? })
    }

    /// Adds the greatest timestamp so far, if it is greater than what is there.
    pub(super) fn maybe_append(&self, timestamp_ms: i64, offset: Offset) -> io::Result<()> {
        if let Some((last_ms, last_offset)) = self.last()?
            && (timestamp_ms <= last_ms || offset <= last_offset)
        {
            return Ok(());
        }
        let relative = i32::try_from(offset - self.base).map_err(io::Error::other)?;
        let mut entry = [0; 12];
        let (head, tail) = entry.split_at_mut(8);
        head.copy_from_slice(&timestamp_ms.to_be_bytes());
        tail.copy_from_slice(&relative.to_be_bytes());
        self.file.append(entry)
    }

    /// The last entry: the greatest timestamp and the last offset of the batch that has it.
    pub(super) fn last(&self) -> io::Result<Option<(i64, Offset)>> {
        match self.file.len().checked_sub(1) {
            None => Ok(None),
            Some(number) => Ok(Some(self.parse(&self.file.entry(number)?))),
        }
    }

    /// An offset such that no record before it is as late as `timestamp_ms`.
    pub(super) fn offset_before(&self, timestamp_ms: i64) -> io::Result<Offset> {
        let at_or_later = self.file.partition_point(|entry| self.parse(entry).0 < timestamp_ms)?;
        match at_or_later.checked_sub(1) {
            None => Ok(self.base),
            Some(number) => Ok(self.parse(&self.file.entry(number)?).1),
        }
    }

    /// Drops the entries of offsets at or behind `offset`.
    pub(super) fn truncate_to(&self, offset: Offset) -> io::Result<()> {
        self.file.truncate(self.count_below(offset)?)
    }

    /// How many entries are of offsets below `offset`.
    pub(super) fn count_below(&self, offset: Offset) -> io::Result<u64> {
        self.file.partition_point(|entry| self.parse(entry).1 < offset)
    }

    /// Whether the last entry lies within `[base, end)`.
    pub(super) fn ends_sane(&self, end: Offset) -> io::Result<bool> {
        Ok(self.last()?.is_none_or(|(_, offset)| offset >= self.base && offset < end))
    }

    fn parse(&self, entry: &[u8; 12]) -> (i64, Offset) {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = *entry;
        let timestamp_ms = i64::from_be_bytes([a, b, c, d, e, f, g, h]);
        (timestamp_ms, self.base + i64::from(i32::from_be_bytes([i, j, k, l])))
    }
}
