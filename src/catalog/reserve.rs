//! Room kept for commits: a file beside a SQLite catalog that is let go when the disk is full, and taken again when
//! there is room. While appends are refused on a full disk, tiering and retention must still be able to commit what
//! makes room.
//!
//! # Consistency
//! The file has no content that anyone reads; only its blocks matter.
//!
//! # Crash safety
//! What an earlier run left is kept, on a full disk above all; only what is missing of it is asked for, where there is
//! plenty of room.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::metrics;
use super::storage_error::StorageError;
use crate::clock::Clock;
use crate::disk::{Disk, Open, parent_of};

/// Below this many free bytes a failed write is taken for a full disk, whatever the error was called.
const FULL_BELOW_BYTES: u64 = 256 * 1024;
/// The reserve is taken again when the disk has room for it this many times over.
const ROOM_FACTOR: u64 = 4;
/// How often a missing reserve is tried for.
const TRY_EVERY: Duration = Duration::from_secs(10);
static ZEROES: [u8; 64 * 1024] = [0; 64 * 1024];

/// The reserve of one catalog.
#[derive(Debug)]
pub(super) struct Reserve {
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    path: PathBuf,
    size_bytes: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    held: bool,
    try_again_at: Duration,
}

impl Reserve {
    /// Takes the reserve where there is room for it; a disk that is already full is no reason not to start.
    pub(super) fn open(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>, path: &Path, size_bytes: u64) -> Self {
        let state = Mutex::new(State { held: false, try_again_at: Duration::ZERO });
        let reserve = Self { disk, clock, path: path.to_owned(), size_bytes, state };
        reserve.take_again();
        reserve
    }

    /// Whether it is there.
    #[cfg(test)]
    pub(super) fn is_held(&self) -> bool {
        self.state.lock().held
    }

    /// Lets go of the room if `error` means that the disk is full. True where the write is worth another try.
    pub(super) fn give_way(&self, error: &StorageError) -> bool {
        let mut state = self.state.lock();
        if !state.held || !(matches!(error, StorageError::Full(_)) || self.no_room()) {
            return false;
        }
        state.held = false;
        state.try_again_at = self.clock.monotonic() + TRY_EVERY;
        metrics::reserve_held(false);
        match self.disk.remove_file(&self.path) {
            Ok(()) => {
                tracing::error!("the disk is full: the catalog lives on its reserve");
                true
            }
            Err(error) => {
                tracing::error!(%error, "the disk is full and the catalog's reserve could not be let go");
                false
            }
        }
    }

    /// Takes the room again, if it is gone and the disk has plenty.
    pub(super) fn take_again(&self) {
        let mut state = self.state.lock();
        let now = self.clock.monotonic();
        if state.held || self.size_bytes == 0 || now < state.try_again_at {
            return;
        }
        match self.allocate() {
            Ok(held) => state.held = held,
            Err(error) => tracing::warn!(%error, "the catalog's reserve could not be taken"),
        }
        if !state.held {
            state.try_again_at = now + TRY_EVERY;
        }
        metrics::reserve_held(state.held);
    }

    fn no_room(&self) -> bool {
        self.disk.free_bytes(parent_of(&self.path)).is_ok_and(|free| free < FULL_BELOW_BYTES)
    }

    fn allocate(&self) -> io::Result<bool> {
        let mut left_bytes = 0;
        if self.disk.try_exists(&self.path)? {
            left_bytes = self.disk.open(&self.path, Open::Write)?.allocated_bytes()?;
        }
        let missing_bytes = self.size_bytes.saturating_sub(left_bytes);
        if missing_bytes == 0 {
            return Ok(true);
        }
        let free = self.disk.free_bytes(parent_of(&self.path))?;
        if free < missing_bytes.saturating_mul(ROOM_FACTOR) {
            return Ok(false);
        }
        let file = self.disk.open(&self.path, Open::Create)?;
        if file.allocate(self.size_bytes).is_err() {
            // File systems that cannot reserve get bytes. Synced, because blocks may be given only then.
            let mut at = 0;
            while at < self.size_bytes {
                file.write_all_at(&ZEROES, at)?;
                at += ZEROES.len() as u64;
            }
            file.sync_data()?;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::disk::RealDisk;
    use crate::disk::recorded::RecordedDisk;

    const SIZE_BYTES: u64 = 1 << 20;

    #[test]
    fn a_start_on_a_full_disk_keeps_the_room_that_an_earlier_run_left() {
        let disk = RecordedDisk::new();
        let clock = ManualClock::new(0);
        let path = Path::new("/reserve");
        let open = || {
            let disk: Arc<dyn Disk> = Arc::new(disk.clone());
            Reserve::open(disk, Arc::<ManualClock>::clone(&clock), path, SIZE_BYTES)
        };
        disk.set_room(Some(SIZE_BYTES * ROOM_FACTOR - 1));
        assert!(!open().is_held(), "there is not plenty");
        disk.set_room(Some(SIZE_BYTES * ROOM_FACTOR));
        assert!(open().is_held());
        disk.set_room(Some(0));
        let reserve = open();
        assert!(reserve.is_held() && disk.try_exists(path).unwrap());
        assert!(reserve.give_way(&StorageError::Closed), "the disk is full");
        assert_eq!(disk.free_bytes(Path::new("/")).unwrap(), SIZE_BYTES, "what was kept is given");
        assert!(!open().is_held(), "nothing is left, and there is not plenty");
    }

    #[test]
    fn a_restart_finds_what_the_real_disk_has_reserved() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reserve");
        let open = || Reserve::open(Arc::new(RealDisk), ManualClock::new(0), &path, SIZE_BYTES);
        assert!(open().is_held());
        let number = |path| std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(path).unwrap());
        let first = number(&path);
        // Its number is not given to another file while it has a second name.
        std::fs::hard_link(&path, folder.path().join("second name")).unwrap();
        assert!(open().is_held());
        assert_eq!(number(&path), first, "it is the same file");
        let file = RealDisk.open(&path, Open::Read).unwrap();
        assert!(file.allocated_bytes().unwrap() >= SIZE_BYTES);
    }

    #[test]
    fn the_room_is_given_when_the_disk_is_full_and_taken_again_later() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reserve");
        let clock = ManualClock::new(0);
        let reserve = Reserve::open(Arc::new(RealDisk), Arc::<ManualClock>::clone(&clock), &path, 1 << 20);
        assert!(reserve.is_held() && path.try_exists().unwrap());
        assert!(!reserve.give_way(&StorageError::Closed), "another failure is no reason");
        let full = StorageError::from(sqlx::Error::Io(io::ErrorKind::StorageFull.into()));
        assert!(reserve.give_way(&full) && !path.try_exists().unwrap());
        reserve.take_again();
        assert!(!reserve.is_held(), "not at once");
        clock.advance(TRY_EVERY);
        reserve.take_again();
        assert!(reserve.is_held() && path.try_exists().unwrap());
    }
}
