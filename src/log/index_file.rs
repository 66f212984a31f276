//! A file of entries of one width, in ascending order, appended by one writer and searched by many readers.
//!
//! # Consistency
//! A reader sees the entries that were counted when it began; an entry is counted after it was written.
//!
//! # Crash safety
//! None is needed: whatever an index lost or holds wrongly is rebuilt from the batches (`recovery`).

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::open_files::{LazyFile, OpenFiles};

/// Entries of `N` bytes.
#[derive(Debug)]
pub(super) struct IndexFile<const N: usize> {
    files: Arc<OpenFiles>,
    file: Arc<LazyFile>,
    entries: AtomicU64,
}

impl<const N: usize> IndexFile<N> {
    /// An index whose file is there, or is made. A length that is no multiple of an entry's is an error.
    pub(super) fn open(files: Arc<OpenFiles>, path: std::path::PathBuf) -> io::Result<Self> {
        files.disk().open(&path, crate::disk::Open::Create)?;
        let file = LazyFile::new(path);
        let bytes = files.get(&file)?.len()?;
        if bytes % N as u64 != 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the index ends within an entry"));
        }
        Ok(Self { files, file, entries: AtomicU64::new(bytes / N as u64) })
    }

    /// How many entries.
    pub(super) fn len(&self) -> u64 {
        self.entries.load(Ordering::Acquire)
    }

    /// How many bytes.
    pub(super) fn size_bytes(&self) -> u64 {
        self.len() * N as u64
    }

    /// The file's path.
    pub(super) fn path(&self) -> &std::path::Path {
        self.file.path()
    }

    /// Adds an entry. Only the one writer calls it.
    pub(super) fn append(&self, entry: [u8; N]) -> io::Result<()> {
        let at = self.len();
        self.files.get(&self.file)?.write_all_at(&entry, at * N as u64)?;
        self.entries.store(at + 1, Ordering::Release);
        Ok(())
    }

    /// The entry of that number.
    pub(super) fn entry(&self, number: u64) -> io::Result<[u8; N]> {
        let mut entry = [0; N];
        self.files.get(&self.file)?.read_exact_at(&mut entry, number * N as u64)?;
        Ok(entry)
    }

    /// All entries.
    pub(super) fn entries(&self) -> io::Result<Vec<[u8; N]>> {
        let length = usize::try_from(self.size_bytes()).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        self.files.get(&self.file)?.read_exact_at(&mut bytes, 0)?;
        let (entries, _) = bytes.as_chunks::<N>();
        Ok(entries.to_vec())
    }

    /// The first entry for which `before` is false, as a number; entries for which it is true come first.
    pub(super) fn partition_point(&self, before: impl Fn(&[u8; N]) -> bool) -> io::Result<u64> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if before(&self.entry(middle)?) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// Drops all entries from that number on.
    pub(super) fn truncate(&self, entries: u64) -> io::Result<()> {
        if entries == self.len() {
            return Ok(());
        }
        self.entries.store(entries, Ordering::Release);
        self.files.get(&self.file)?.set_len(entries * N as u64)
    }

    /// Makes it stable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.files.get(&self.file)?.sync_data()
    }
}
