//! Layer 0: the files and folders under the local log and under a `file://` bucket.
//!
//! Everything durable goes through [`Disk`], so that one rule holds in one place (*a file or a folder is real
//! only after its parent directory is synced*), syncs can be counted, and a test can replay the states that a
//! machine may wake up in after a power cut.
//!
//! # Consistency
//! A write is visible to readers of the same file at once. A rename replaces its target in one step.
//!
//! # Crash safety
//! What a process left that was killed is seen by the next one, and still not stable: whoever goes on with it calls
//! [`Disk::sync_all`] first. Bytes are stable after [`DiskFile::sync_data`]; names after [`Disk::sync_dir`] of the folder that holds
//! them. The `*_durable` operations do both in the right order; nothing else may be relied upon after a power cut.

mod lock_file;
mod real;
pub mod recorded;

use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use lock_file::{LockFile, LockRefused};
pub use real::RealDisk;

/// Whether the process, or the machine, has as many files open as it may: nothing was done, and closing one helps.
pub fn is_out_of_files(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::MFILE, Errno::NFILE].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// An open file. Positions are explicit: no shared cursor, so readers and the one writer never disturb each other.
pub trait DiskFile: Send + Sync + Debug {
    /// Fills `buffer` from `position`; `UnexpectedEof` where the file is shorter.
    fn read_exact_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()>;
    /// Reads up to `buffer.len()` bytes; 0 at the end of the file.
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize>;
    /// Writes all of `bytes` at `position`, to the page cache.
    fn write_all_at(&self, bytes: &[u8], position: u64) -> io::Result<()>;
    /// Writes all of `parts`, one behind the other, at `position`.
    fn write_vectored_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        let mut at = position;
        for part in parts {
            self.write_all_at(part, at)?;
            at += part.len() as u64;
        }
        Ok(())
    }
    /// `fdatasync`: the bytes and the length are stable when it returns.
    fn sync_data(&self) -> io::Result<()>;
    /// Cuts or extends.
    fn set_len(&self, length: u64) -> io::Result<()>;
    /// The length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether nothing was written yet.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Reserves room, so that later writes cannot meet a full disk. The length stays where the platform can.
    fn allocate(&self, length: u64) -> io::Result<()>;
    /// What it has of the disk: its length, or more where more is reserved for it.
    fn allocated_bytes(&self) -> io::Result<u64> {
        self.len()
    }
    /// The descriptor, for `sendfile`.
    fn as_fd(&self) -> BorrowedFd<'_>;
}

/// How a file is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Open {
    /// It must be there; read only.
    Read,
    /// It must be there; read and write.
    Write,
    /// It is made where it is missing; read and write.
    Create,
    /// It must not be there; read and write.
    CreateNew,
}

/// What lies in a folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirEntry {
    /// The file's or folder's own name.
    pub name: String,
    /// Whether it is a folder.
    pub is_dir: bool,
}

/// Which folder it is, whatever stands at its path: device and number there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FolderId {
    /// The device that it lies on.
    pub device: u64,
    /// Its number there.
    pub number: u64,
}

/// A file system.
pub trait Disk: Send + Sync + Debug {
    /// Opens a file. A new file's name is stable only after [`Disk::sync_dir`] of its folder.
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>>;
    /// Makes one folder; `AlreadyExists` where it is.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// Renames, replacing.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty folder.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a folder stable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Makes everything stable that anyone has written to the disk that holds `path`: after a start, what a process left
    /// that was killed. One flush, where a sync of each of ten thousand folders would be as many.
    fn sync_all(&self, path: &Path) -> io::Result<()>;
    /// What lies in a folder, sorted by name.
    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>>;
    /// How long a file is.
    fn file_length(&self, path: &Path) -> io::Result<u64> {
        self.open(path, Open::Read)?.len()
    }
    /// Whether the path leads to something.
    fn try_exists(&self, path: &Path) -> io::Result<bool>;
    /// Which folder stands at the path now; another one, when what was mounted there has gone. A disk without mounts has
    /// one that never changes.
    fn folder_id(&self, path: &Path) -> io::Result<FolderId> {
        if self.try_exists(path)? { Ok(FolderId::default()) } else { Err(io::ErrorKind::NotFound.into()) }
    }
    /// Bytes that may still be written on the disk that holds `path`.
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;
    /// Bytes of the disk that holds `path`, used or not.
    fn total_bytes(&self, path: &Path) -> io::Result<u64>;

    /// Makes a folder and all that leads to it, syncing the parent of each new one. Fine where it exists: its name is
    /// synced all the same, because whoever made it may have died before, or not have come to it yet.
    fn create_dir_all_durable(&self, path: &Path) -> io::Result<()> {
        self.create_dirs_durable_below(Path::new(""), path)
    }

    /// The same below `root`, which is never made.
    fn create_dirs_durable_below(&self, root: &Path, path: &Path) -> io::Result<()> {
        if path == root {
            return Ok(());
        }
        let parent = parent_of(path);
        match self.create_dir(path) {
            Ok(()) => self.sync_dir(parent),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match self.sync_dir(parent) {
                // A folder that this process may not read was not made by one like it.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
                other => other,
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound && parent != path && parent != root => {
                self.create_dirs_durable_below(root, parent)?;
                match self.create_dir(path) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    other => other?,
                }
                self.sync_dir(parent)
            }
            Err(error) => Err(error),
        }
    }

    /// Renames and makes both folders' names stable.
    fn rename_durable(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.rename(from, to)?;
        self.sync_dir(parent_of(to))?;
        if from.parent() != to.parent() {
            self.sync_dir(parent_of(from))?;
        }
        Ok(())
    }

    /// Writes a small file so that after a crash either the old or the new content is there, whole.
    fn replace_durable(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let beside = with_suffix(path, ".tmp");
        let file = self.open(&beside, Open::Create)?;
        file.set_len(0)?;
        file.write_all_at(bytes, 0)?;
        file.sync_data()?;
        self.rename_durable(&beside, path)
    }

    /// Reads a whole file; `None` where there is none.
    fn read_all(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let file = match self.open(path, Open::Read) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let length = usize::try_from(file.len()?).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(Some(bytes))
    }

    /// Removes a folder with all that is in it. Fine where there is none. Not atomic.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        if !self.try_exists(path)? {
            return Ok(());
        }
        for entry in self.read_dir(path)? {
            let inner = path.join(&entry.name);
            if entry.is_dir {
                self.remove_dir_all(&inner)?;
            } else {
                self.remove_file(&inner)?;
            }
        }
        self.remove_dir(path)
    }
}

/// The folder that holds `path`.
pub fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// `path` with `suffix` behind its name.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
