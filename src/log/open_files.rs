//! A bound on open files over all logs: files are opened when they are first needed, and those that were not used for
//! the longest time are closed. Whoever still holds an `Arc` of a closed one reads on undisturbed.
//!
//! Where the system allows fewer, the half that was not used for the longest time is closed and the file tried once more.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::disk::{Disk, DiskFile, Open, is_out_of_files};

/// The files that logs have open.
#[derive(Debug)]
pub struct OpenFiles {
    disk: Arc<dyn Disk>,
    max: usize,
    uses: AtomicU64,
    open: Mutex<Vec<Weak<LazyFile>>>,
}

/// A file that is open only while it is used.
#[derive(Debug)]
pub(super) struct LazyFile {
    path: PathBuf,
    file: Mutex<Option<Arc<dyn DiskFile>>>,
    last_use: AtomicU64,
}

impl OpenFiles {
    /// At most `max` files of sealed segments stay open.
    pub fn new(disk: Arc<dyn Disk>, max: usize) -> Arc<Self> {
        Arc::new(Self { disk, max: max.max(1), uses: AtomicU64::new(0), open: Mutex::default() })
    }

    /// The disk.
    pub fn disk(&self) -> &dyn Disk {
        self.disk.as_ref()
    }

    /// How many are open now.
    pub fn count(&self) -> usize {
        self.open.lock().iter().filter(|file| file.upgrade().is_some_and(|file| file.file.lock().is_some())).count()
    }

    /// The file, opened if it is not.
    pub(super) fn get(&self, lazy: &Arc<LazyFile>) -> io::Result<Arc<dyn DiskFile>> {
        lazy.last_use.store(self.uses.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        match self.open(lazy) {
            Err(error) if is_out_of_files(&error) => {
                // The file's own lock is free meanwhile: two that make room must not wait for each other.
                let mut open = self.open.lock();
                let half = open.len() / 2;
                close_idle(&mut open, half);
                drop(open);
                self.open(lazy)
            }
            opened => opened,
        }
    }

    fn open(&self, lazy: &Arc<LazyFile>) -> io::Result<Arc<dyn DiskFile>> {
        let file = {
            let mut slot = lazy.file.lock();
            if let Some(file) = slot.as_ref() {
                return Ok(Arc::clone(file));
            }
            Arc::clone(slot.insert(self.disk.open(&lazy.path, Open::Write)?))
        };
        let mut open = self.open.lock();
        open.push(Arc::downgrade(lazy));
        if open.len() > self.max {
            close_idle(&mut open, self.max);
        }
        Ok(file)
    }
}

/// Closes an eighth more than has to be, so that the next opening need not search again.
fn close_idle(open: &mut Vec<Weak<LazyFile>>, max: usize) {
    // Files are used while they are sorted: each use is looked at once, or the order would change under the sort.
    let alive = open.iter().filter_map(Weak::upgrade);
    let mut alive: Vec<_> = alive.map(|file| (file.last_use.load(Ordering::Relaxed), file)).collect();
    alive.sort_unstable_by_key(|(last_use, _)| std::cmp::Reverse(*last_use));
    let keep = (max - max / 8).max(1);
    for (_, idle) in alive.iter().skip(keep) {
        *idle.file.lock() = None;
    }
    open.clear();
    open.extend(alive.iter().take(keep).map(|(_, file)| Arc::downgrade(file)));
}

impl LazyFile {
    pub(super) fn new(path: PathBuf) -> Arc<Self> {
        Arc::new(Self { path, file: Mutex::new(None), last_use: AtomicU64::new(0) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;
    use crate::disk::recorded::RecordedDisk;

    #[test]
    fn where_the_system_allows_fewer_idle_files_make_room() {
        let disk = RecordedDisk::new();
        let lazy: Vec<_> = (0..50)
            .map(|n| {
                let path = PathBuf::from(format!("/{n}"));
                disk.open(&path, Open::Create).unwrap().write_all_at(n.to_string().as_bytes(), 0).unwrap();
                LazyFile::new(path)
            })
            .collect();
        let files = OpenFiles::new(Arc::new(disk.clone()), 40);
        disk.set_open_files_max(Some(10));
        for (n, lazy) in lazy.iter().enumerate() {
            assert_eq!(files.get(lazy).unwrap().len().unwrap(), n.to_string().len() as u64);
        }
        let held: Vec<_> = lazy.iter().take(10).map(|lazy| files.get(lazy).unwrap()).collect();
        let refused = files.get(&lazy[20]).unwrap_err();
        assert!(is_out_of_files(&refused), "what is in use cannot make room: {refused}");
        drop(held);
        files.get(&lazy[20]).unwrap();
    }

    #[test]
    fn files_may_be_used_while_idle_ones_are_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        let files = OpenFiles::new(Arc::new(RealDisk), 64);
        let lazy: Vec<_> = (0..512)
            .map(|n| {
                let path = folder.path().join(n.to_string());
                std::fs::write(&path, "").unwrap();
                LazyFile::new(path)
            })
            .collect();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (files, lazy) = (&files, &lazy);
                scope.spawn(move || {
                    for turn in 0..100_000usize {
                        // Most uses are of what is open, as a partition's active segment is.
                        let at = if turn % 8 == 0 { turn.wrapping_mul(7_919 + thread) % lazy.len() } else { turn % 40 };
                        files.get(&lazy[at]).unwrap();
                    }
                });
            }
        });
        assert!(files.count() <= 64, "{}", files.count());
    }

    #[test]
    fn the_bound_holds_and_closed_files_open_again() {
        let folder = tempfile::tempdir().unwrap();
        let files = OpenFiles::new(Arc::new(RealDisk), 8);
        let lazy: Vec<_> = (0..50)
            .map(|n| {
                let path = folder.path().join(n.to_string());
                std::fs::write(&path, n.to_string()).unwrap();
                LazyFile::new(path)
            })
            .collect();
        for _ in 0..2 {
            for (n, lazy) in lazy.iter().enumerate() {
                assert_eq!(files.get(lazy).unwrap().len().unwrap(), n.to_string().len() as u64);
                assert!(files.count() <= 8);
            }
        }
    }
}
