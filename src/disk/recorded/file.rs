//! An open file of a recorded disk.
//!
//! # Consistency
//! As a real one's: a write is seen by every reader at once, and a file without a name lives on while it is open.
//!
//! # Crash safety
//! Every change is an entry in the disk's journal.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use super::operation::{Change, Inode, Operation};
use super::{Mirror, Shared};
use crate::disk::DiskFile;

/// One handle.
#[derive(Debug)]
pub(super) struct RecordedFile {
    shared: Arc<Shared>,
    inode: Inode,
    path: PathBuf,
    writable: bool,
    mirror: OnceLock<Mirror>,
}

impl RecordedFile {
    pub(super) fn open(shared: &Arc<Shared>, inode: Inode, path: PathBuf, writable: bool) -> Arc<dyn DiskFile> {
        shared.open_files.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self { shared: Arc::clone(shared), inode, path, writable, mirror: OnceLock::new() })
    }

    fn check_writable(&self) -> io::Result<()> {
        if self.writable { Ok(()) } else { Err(ErrorKind::PermissionDenied.into()) }
    }
}

impl Drop for RecordedFile {
    fn drop(&mut self) {
        self.shared.open_files.fetch_sub(1, Ordering::Relaxed);
    }
}

impl DiskFile for RecordedFile {
    fn read_exact_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        if self.read_at(buffer, position)? < buffer.len() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.shared.check_read(&self.path)?;
        let mut state = self.shared.state.lock();
        let bytes = state.live.bytes(self.inode).unwrap_or_default();
        let from = usize::try_from(position).unwrap_or(usize::MAX).min(bytes.len());
        let there = bytes.get(from..).unwrap_or_default();
        let length = there.len().min(buffer.len());
        if let (Some(room), Some(there)) = (buffer.get_mut(..length), there.get(..length)) {
            room.copy_from_slice(there);
        }
        match state.read.get_mut(&self.path) {
            Some(read) => *read += length as u64,
            None => drop(state.read.insert(self.path.clone(), length as u64)),
        }
        Ok(length)
    }

    fn write_all_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        self.check_writable()?;
        self.shared.watched(Change::Write, &self.path)?;
        let mut state = self.shared.state.lock();
        let grows_by = (position + bytes.len() as u64).saturating_sub(state.live.length(self.inode));
        let fits = state.take_room(self.inode, grows_by);
        let short = usize::try_from(grows_by - fits).map_err(io::Error::other)?;
        let written = bytes.get(..bytes.len().saturating_sub(short)).unwrap_or_default();
        if !written.is_empty() {
            state.record(Operation::Write { file: self.inode, position, bytes: written.into() });
        }
        if short > 0 { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    /// One entry, as the system has it: a power cut tears it as a whole.
    fn write_vectored_at(&self, parts: &[io::IoSlice<'_>], position: u64) -> io::Result<()> {
        let whole: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        self.write_all_at(&whole, position)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.shared.watched(Change::Sync, &self.path)?;
        self.shared.sync(Change::Sync, &self.path, self.inode)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.check_writable()?;
        self.shared.watched(Change::SetLen, &self.path)?;
        let mut state = self.shared.state.lock();
        let shorter_by = state.live.length(self.inode).saturating_sub(length);
        state.give_room(self.inode, shorter_by);
        state.record(Operation::SetLen { file: self.inode, length });
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.shared.state.lock().live.length(self.inode))
    }

    fn allocated_bytes(&self) -> io::Result<u64> {
        Ok(self.shared.state.lock().charged(self.inode))
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        self.check_writable()?;
        let mut state = self.shared.state.lock();
        let missing = length.saturating_sub(state.charged(self.inode));
        if state.room.is_some_and(|room| room < missing) {
            return Err(ErrorKind::StorageFull.into());
        }
        state.take_room(self.inode, missing);
        Ok(())
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        let mirror = self.mirror.get_or_init(|| self.shared.mirror(self.inode).expect("a file outside of memory"));
        let file: &File = mirror;
        file.as_fd()
    }
}
