//! One segment: a file of batches and the indexes beside it.
//!
//! # Consistency
//! One writer (whoever holds the log's append lock), any number of readers. A reader sees `size_bytes` and `next_offset`
//! as they were published together after a write: no lock, and never half a batch.
//!
//! # Crash safety
//! A new segment's names are stable after the folder was synced, which the log does before it calls anything in the
//! segment stable.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::disk::{DiskFile, Open, with_suffix};
use crate::model::Offset;
use crate::record::BatchHeader;

use super::checkpoint::IndexEntries;
use super::error::{LogError, at};
use super::leftovers;
use super::names;
use super::offset_index::OffsetIndex;
use super::open_files::{LazyFile, OpenFiles};
use super::scan::{Scan, ScanError};
use super::time_index::TimeIndex;
use super::transaction_index::TransactionIndex;

/// The greatest timestamp of a segment and the batch that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MaxTimestamp {
    pub(super) timestamp_ms: i64,
    /// The last offset of the batch.
    pub(super) offset: Offset,
}

/// A segment.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) base: Offset,
    files: Arc<OpenFiles>,
    log: Arc<LazyFile>,
    pub(super) offset_index: OffsetIndex,
    pub(super) time_index: TimeIndex,
    pub(super) transactions: TransactionIndex,
    size_bytes: AtomicU64,
    next_offset: AtomicI64,
    max_timestamp: Mutex<Option<MaxTimestamp>>,
    /// When its first batch was appended, by the broker's clock; `i64::MAX` while that is not known.
    first_append_ms: AtomicI64,
    /// When its last batch was appended, or when it was opened.
    last_append_ms: AtomicI64,
}

impl Segment {
    /// Makes the files of an empty segment; what an earlier one of that base left in them goes.
    pub(super) fn create(files: &Arc<OpenFiles>, dir: &Path, base: Offset, preallocate: u64) -> Result<Self, LogError> {
        let path = names::file(dir, base, names::LOG);
        let file = files.disk().open(&path, Open::Create).map_err(at(&path))?;
        file.set_len(0).map_err(at(&path))?;
        if preallocate > 0 {
            file.allocate(preallocate).map_err(at(&path))?;
        }
        for suffix in [names::OFFSET_INDEX, names::TIME_INDEX] {
            let path = names::file(dir, base, suffix);
            files.disk().open(&path, Open::Create).and_then(|file| file.set_len(0)).map_err(at(&path))?;
        }
        leftovers::remove_file(files.disk(), &names::file(dir, base, names::TRANSACTION_INDEX))?;
        Self::open(files, dir, base)
    }

    /// Opens a segment as it lies there; size and next offset are to be set by who knows them.
    pub(super) fn open(files: &Arc<OpenFiles>, dir: &Path, base: Offset) -> Result<Self, LogError> {
        let path = |suffix| names::file(dir, base, suffix);
        let opened = |suffix| {
            let path = path(suffix);
            move |source| LogError::Io { path, source }
        };
        Ok(Self {
            base,
            log: LazyFile::new(path(names::LOG)),
            offset_index: OffsetIndex::open(Arc::clone(files), path(names::OFFSET_INDEX), base)
                .map_err(opened(names::OFFSET_INDEX))?,
            time_index: TimeIndex::open(Arc::clone(files), path(names::TIME_INDEX), base)
                .map_err(opened(names::TIME_INDEX))?,
            transactions: TransactionIndex::open(Arc::clone(files), path(names::TRANSACTION_INDEX))
                .map_err(opened(names::TRANSACTION_INDEX))?,
            files: Arc::clone(files),
            size_bytes: AtomicU64::new(0),
            next_offset: AtomicI64::new(base.get()),
            max_timestamp: Mutex::new(None),
            first_append_ms: AtomicI64::new(i64::MAX),
            last_append_ms: AtomicI64::new(i64::MIN),
        })
    }

    pub(super) fn path(&self) -> &Path {
        self.log.path()
    }

    pub(super) fn size_bytes(&self) -> u64 {
        self.size_bytes.load(Ordering::Acquire)
    }

    /// The offset behind its last record.
    pub(super) fn next_offset(&self) -> Offset {
        Offset::new(self.next_offset.load(Ordering::Acquire))
    }

    pub(super) fn max_timestamp(&self) -> Option<MaxTimestamp> {
        *self.max_timestamp.lock()
    }

    pub(super) fn first_append_ms(&self) -> Option<i64> {
        Some(self.first_append_ms.load(Ordering::Relaxed)).filter(|at| *at != i64::MAX)
    }

    pub(super) fn last_append_ms(&self) -> i64 {
        self.last_append_ms.load(Ordering::Relaxed)
    }

    /// The file of batches, opened if it is not.
    pub(super) fn file(&self) -> Result<Arc<dyn DiskFile>, LogError> {
        self.files.get(&self.log).map_err(at(self.path()))
    }

    /// Publishes what is in the file. The size last: a reader that sees it sees the rest.
    pub(super) fn publish(&self, next_offset: Offset, size_bytes: u64) {
        self.next_offset.store(next_offset.get(), Ordering::Release);
        self.size_bytes.store(size_bytes, Ordering::Release);
    }

    /// Notes a batch's timestamp and when it came.
    pub(super) fn note_times(&self, header: &BatchHeader, last_offset: Offset, now_ms: i64) {
        let mut max = self.max_timestamp.lock();
        if max.is_none_or(|max| header.max_timestamp_ms > max.timestamp_ms) {
            *max = Some(MaxTimestamp { timestamp_ms: header.max_timestamp_ms, offset: last_offset });
        }
        self.first_append_ms.fetch_min(now_ms, Ordering::Relaxed);
        self.last_append_ms.fetch_max(now_ms, Ordering::Relaxed);
    }

    pub(super) fn set_times(&self, max: Option<MaxTimestamp>, first_append_ms: Option<i64>, last_append_ms: i64) {
        *self.max_timestamp.lock() = max;
        self.first_append_ms.store(first_append_ms.unwrap_or(i64::MAX), Ordering::Relaxed);
        self.last_append_ms.store(last_append_ms, Ordering::Relaxed);
    }

    /// Adds both index entries for a batch.
    pub(super) fn index(&self, last_offset: Offset, position: u64) -> io::Result<()> {
        self.offset_index.append(last_offset, position)?;
        self.index_time()
    }

    /// Adds the time index's entry for the greatest timestamp so far.
    pub(super) fn index_time(&self) -> io::Result<()> {
        match self.max_timestamp() {
            Some(max) => self.time_index.maybe_append(max.timestamp_ms, max.offset),
            None => Ok(()),
        }
    }

    /// A scan from the first batch whose last offset is at or above `offset`, or from a batch before it.
    pub(super) fn scan_near(&self, offset: Offset) -> Result<Scan, LogError> {
        let position = self.offset_index.position_before(offset).map_err(at(self.offset_index.file.path()))?;
        Ok(Scan::new(self.file()?, position, self.size_bytes()))
    }

    /// The first batch that ends at or above `offset`: where it begins, and its header. `None` behind the last.
    pub(super) fn find(&self, offset: Offset) -> Result<Option<(u64, BatchHeader)>, LogError> {
        let mut scan = self.scan_near(offset)?;
        while let Some((position, header)) = self.scanned(scan.next_header(), &scan)? {
            if header.last_offset() >= offset {
                return Ok(Some((position, header)));
            }
        }
        Ok(None)
    }

    /// Where the batches below `upper` end.
    pub(super) fn end_position(&self, upper: Offset) -> Result<u64, LogError> {
        let size_bytes = self.size_bytes();
        if upper >= self.next_offset() {
            return Ok(size_bytes);
        }
        Ok(self.find(upper)?.map_or(size_bytes, |(position, _)| position))
    }

    /// Puts the path to what a scan of this segment said.
    pub(super) fn scanned<T>(&self, result: Result<T, ScanError>, scan: &Scan) -> Result<T, LogError> {
        self.scan_result(result, scan.position())
    }

    pub(super) fn scan_result<T>(&self, result: Result<T, ScanError>, position: u64) -> Result<T, LogError> {
        result.map_err(|error| match error {
            ScanError::Io(source) => LogError::Io { path: self.path().to_owned(), source },
            ScanError::Damaged(source) => LogError::Damaged { path: self.path().to_owned(), position, source },
        })
    }

    /// How many entries its indexes have.
    pub(super) fn index_entries(&self) -> IndexEntries {
        IndexEntries {
            offset: self.offset_index.file.len(),
            time: self.time_index.file.len(),
            transaction: self.transactions.len(),
        }
    }

    /// How many of them are of batches below `end`, which begins at `position`.
    pub(super) fn index_entries_below(&self, end: Offset, position: u64) -> Result<IndexEntries, LogError> {
        let count = || {
            Ok(IndexEntries {
                offset: self.offset_index.count_below(position)?,
                time: self.time_index.count_below(end)?,
                transaction: self.transactions.count_below(end)?,
            })
        };
        count().map_err(at(self.path()))
    }

    /// Makes batches stable.
    pub(super) fn sync(&self) -> Result<(), LogError> {
        self.file()?.sync_data().map_err(at(self.path()))
    }

    /// Makes indexes stable.
    pub(super) fn sync_indexes(&self) -> Result<(), LogError> {
        self.offset_index.file.sync().map_err(at(self.offset_index.file.path()))?;
        self.time_index.file.sync().map_err(at(self.time_index.file.path()))?;
        self.transactions.sync().map_err(at(self.transactions.path()))
    }

    /// Renames its files, so that a crash cannot bring back a part of it; returns what they are called now.
    pub(super) fn mark_deleted(&self) -> Result<Vec<PathBuf>, LogError> {
        let dir = crate::disk::parent_of(self.path());
        let mut marked = Vec::new();
        for suffix in names::SEGMENT_FILES {
            let path = names::file(dir, self.base, suffix);
            let deleted = with_suffix(&path, names::DELETED);
            match self.files.disk().rename(&path, &deleted) {
                Ok(()) => marked.push(deleted),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(LogError::Io { path, source }),
            }
        }
        Ok(marked)
    }
}
