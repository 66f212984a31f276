//! A disk that notes what was synced, in order.

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::disk::{DirEntry, Disk, DiskFile, FolderId, Open, RealDisk};

/// What happened, each with the last part of its path.
type Events = Arc<Mutex<Vec<String>>>;

/// The machine's disk, watched.
#[derive(Debug, Default)]
pub(super) struct CountingDisk {
    events: Events,
}

#[derive(Debug)]
struct CountingFile {
    inner: Arc<dyn DiskFile>,
    name: String,
    events: Events,
}

fn last(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

impl CountingDisk {
    /// What happened since the last call.
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.events.lock())
    }

    fn note(&self, what: &str, path: &Path) {
        self.events.lock().push(format!("{what} {}", last(path)));
    }
}

impl Disk for CountingDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let inner = RealDisk.open(path, how)?;
        Ok(Arc::new(CountingFile { inner, name: last(path), events: Arc::clone(&self.events) }))
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_dir(path)?;
        self.note("mkdir", path);
        Ok(())
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.note("rename", to);
        RealDisk.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.note("remove", path);
        RealDisk.remove_file(path)
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove_dir(path)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.note("sync_dir", path);
        RealDisk.sync_dir(path)
    }
    fn sync_all(&self, path: &Path) -> io::Result<()> {
        self.note("sync_all", path);
        Ok(())
    }
    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        RealDisk.read_dir(path)
    }
    fn try_exists(&self, path: &Path) -> io::Result<bool> {
        RealDisk.try_exists(path)
    }
    fn folder_id(&self, path: &Path) -> io::Result<FolderId> {
        RealDisk.folder_id(path)
    }
    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        RealDisk.free_bytes(path)
    }
    fn total_bytes(&self, path: &Path) -> io::Result<u64> {
        RealDisk.total_bytes(path)
    }
}

impl DiskFile for CountingFile {
    fn read_exact_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        self.inner.read_exact_at(buffer, position)
    }
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.inner.read_at(buffer, position)
    }
    fn write_all_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        self.inner.write_all_at(bytes, position)
    }
    fn write_vectored_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        self.inner.write_vectored_at(parts, position)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.events.lock().push(format!("sync {}", self.name));
        self.inner.sync_data()
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        self.inner.set_len(length)
    }
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }
    fn allocate(&self, length: u64) -> io::Result<()> {
        self.inner.allocate(length)
    }
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}
