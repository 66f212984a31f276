//! A lock that one process holds: a file that says who holds it, and an advisory lock on it that ends with the process,
//! however that ends. Of a data directory, and of a SQLite catalog.
//!
//! # Consistency
//! The lock is the operating system's (`flock`); the text inside only names the holder to whoever is refused.
//!
//! # Crash safety
//! The kernel lets go when the process dies. The file itself stays: removing it would let two hold "the" lock.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};

use super::{Disk, DiskFile, Open};

/// Longest holder text that is read back.
const HOLDER_BYTES_MAX: usize = 512;

/// A held lock. Dropping it lets go.
#[derive(Debug)]
pub struct LockFile {
    _file: Arc<dyn DiskFile>,
}

/// Why the lock was not taken.
#[derive(Debug)]
pub enum LockRefused {
    /// Somebody has it.
    Held(String),
    /// The file could not be used.
    Io(io::Error),
}

impl From<io::Error> for LockRefused {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl LockFile {
    /// Takes the lock at once, or says who has it.
    pub fn take(disk: &dyn Disk, path: &Path, holder: &str) -> Result<Self, LockRefused> {
        let file = disk.open(path, Open::Create)?;
        match flock(file.as_fd(), FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(LockRefused::Held(read_holder(&*file)?)),
            Err(error) => return Err(LockRefused::Io(error.into())),
        }
        file.set_len(0)?;
        file.write_all_at(holder.as_bytes(), 0)?;
        Ok(Self { _file: file })
    }
}

fn read_holder(file: &dyn DiskFile) -> io::Result<String> {
    let mut buffer = vec![0; HOLDER_BYTES_MAX];
    let read = file.read_at(&mut buffer, 0)?;
    buffer.truncate(read);
    let text = String::from_utf8_lossy(&buffer).trim().to_owned();
    Ok(if text.is_empty() { "a process that has not named itself yet".to_owned() } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    #[test]
    fn the_second_is_refused_with_the_name_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.lock");
        let first = LockFile::take(&RealDisk, &path, "broker 1").unwrap();
        let Err(LockRefused::Held(holder)) = LockFile::take(&RealDisk, &path, "broker 2") else {
            panic!("taken twice")
        };
        assert_eq!(holder, "broker 1");
        drop(first);
        LockFile::take(&RealDisk, &path, "broker 2").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "broker 2");
    }
}
