//! `.txnindex`: which transactions were aborted. 34 bytes an entry (Kafka's `AbortedTxn`). The file is made with the
//! first entry.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Buf, BufMut};
use parking_lot::Mutex;

use crate::model::{Offset, ProducerId};

use super::index_file::IndexFile;
use super::open_files::OpenFiles;

const ENTRY_BYTES: usize = 34;

/// A transaction that was aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// Whose.
    pub producer_id: ProducerId,
    /// Its first record.
    pub first_offset: Offset,
    /// Its marker.
    pub last_offset: Offset,
    /// The last stable offset once it had ended.
    pub last_stable_offset: Offset,
}

/// The transaction index of a segment.
#[derive(Debug)]
pub(super) struct TransactionIndex {
    files: Arc<OpenFiles>,
    path: PathBuf,
    file: Mutex<Option<Arc<IndexFile<ENTRY_BYTES>>>>,
}

impl TransactionIndex {
    pub(super) fn open(files: Arc<OpenFiles>, path: PathBuf) -> io::Result<Self> {
        let file = if files.disk().try_exists(&path)? {
            Some(Arc::new(IndexFile::open(Arc::clone(&files), path.clone())?))
        } else {
            None
        };
        Ok(Self { files, path, file: Mutex::new(file) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a transaction. Says whether the file was made for it: its name is not stable then.
    pub(super) fn append(&self, aborted: &AbortedTransaction) -> io::Result<bool> {
        let mut made = false;
        let file = {
            let mut slot = self.file.lock();
            match slot.as_ref() {
                Some(file) => Arc::clone(file),
                None => {
                    made = true;
                    Arc::clone(slot.insert(Arc::new(IndexFile::open(Arc::clone(&self.files), self.path.clone())?)))
                }
            }
        };
        let mut entry = [0; ENTRY_BYTES];
        let mut room = entry.as_mut_slice();
        room.put_i16(0);
        room.put_i64(aborted.producer_id.0);
        room.put_i64(aborted.first_offset.get());
        room.put_i64(aborted.last_offset.get());
        room.put_i64(aborted.last_stable_offset.get());
        file.append(entry)?;
        Ok(made)
    }

    pub(super) fn entries(&self) -> io::Result<Vec<AbortedTransaction>> {
        let file = self.file.lock().clone();
        let Some(file) = file else { return Ok(Vec::new()) };
        Ok(file.entries()?.iter().map(parse).collect())
    }

    /// How many transactions.
    pub(super) fn len(&self) -> u64 {
        self.file.lock().as_ref().map_or(0, |file| file.len())
    }

    /// How many have their marker below `offset`.
    pub(super) fn count_below(&self, offset: Offset) -> io::Result<u64> {
        Ok(self.entries()?.iter().take_while(|entry| entry.last_offset < offset).count() as u64)
    }

    /// Drops the transactions whose marker lies at or behind `offset`.
    pub(super) fn truncate_to(&self, offset: Offset) -> io::Result<()> {
        let keep = self.count_below(offset)?;
        let file = self.file.lock().clone();
        file.map_or(Ok(()), |file| file.truncate(keep))
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        let file = self.file.lock().clone();
        file.map_or(Ok(()), |file| file.sync())
    }
}

fn parse(entry: &[u8; ENTRY_BYTES]) -> AbortedTransaction {
    let mut bytes = entry.as_slice();
    bytes.advance(2);
    AbortedTransaction {
        producer_id: ProducerId(bytes.get_i64()),
        first_offset: Offset::new(bytes.get_i64()),
        last_offset: Offset::new(bytes.get_i64()),
        last_stable_offset: Offset::new(bytes.get_i64()),
    }
}
