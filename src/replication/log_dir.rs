//! Whether the log directory can still be trusted, and whether it has room.
//!
//! Invariant: an I/O error is for good, unless it only says that too many files are open or that memory is short. Only a restart, with its recovery, brings the directory back (Kafka's
//! KAFKA_STORAGE_ERROR means the same). A full disk is not: appends are refused while it is full and go on when there is
//! room again; reads, retention and tiering, which make room, go on all the while. Between two looks at the disk appends are
//! counted, so that a burst stops at the reserve and not behind it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use tokio::sync::watch;

use crate::log::LogError;

use super::now_and_then::NowAndThen;

/// Free bytes below this many times the reserve are warned of, however small the disk.
const WARN_FACTOR: u64 = 4;

/// The health of one log directory, shared by all its partitions.
#[derive(Debug)]
pub struct LogDirHealth {
    failure: watch::Sender<Option<Arc<str>>>,
    full: AtomicBool,
    warned: AtomicBool,
    /// Bytes that may be appended until the next look.
    room_left: AtomicI64,
    short: NowAndThen,
}

impl LogDirHealth {
    /// A directory without a failure, with room.
    pub fn new() -> Arc<Self> {
        let failure = watch::Sender::new(None);
        let (full, warned) = (AtomicBool::new(false), AtomicBool::new(false));
        Arc::new(Self { failure, full, warned, room_left: AtomicI64::new(i64::MAX), short: NowAndThen::default() })
    }

    /// Whether nothing has failed yet.
    pub fn is_online(&self) -> bool {
        self.failure.borrow().is_none()
    }

    /// Takes the directory offline. The first reason is kept.
    pub fn fail(&self, reason: &str) {
        let first = self.failure.send_if_modified(|failure| {
            let first = failure.is_none();
            if first {
                *failure = Some(Arc::from(reason));
            }
            first
        });
        if first {
            tracing::error!(reason, "log directory is offline: its partitions refuse reads and writes until a restart");
            super::metrics::log_dir_offline();
        }
    }

    /// Why the directory is offline, if it is.
    pub fn failure(&self) -> Option<Arc<str>> {
        self.failure.borrow().clone()
    }

    /// Whether appends are refused because there is no room.
    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Something was put off because the system is short of open files or memory. Told now and then.
    pub(super) fn note_shortage(&self, error: &LogError, now_ms: i64) {
        if self.short.is_due(now_ms) {
            tracing::error!(
                %error,
                "reads and writes of the log directory are put off: the system is short of open files or memory. Raise the \
                 limit (ulimit -n), or lower tidelog.open.files.max"
            );
        }
    }

    /// A write met a full disk: no appends until the next look finds room.
    pub fn note_full(&self) {
        if !self.full.swap(true, Ordering::Relaxed) {
            tracing::error!("the disk of the log directory is full: appends are refused until there is room");
            super::metrics::log_dir_full(true);
        }
    }

    /// So many bytes were appended. Those that fill the room that was seen last are the last until the next look.
    pub fn note_appended(&self, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        if self.room_left.fetch_sub(bytes, Ordering::Relaxed) <= bytes {
            self.note_full();
        }
    }

    /// Looks at the room there is. `local_only_bytes` is asked when there is reason to warn.
    pub fn note_room(&self, room: DiskSpace, local_only_bytes: impl FnOnce() -> u64) {
        let DiskSpace { free_bytes, reserve_bytes, .. } = room;
        super::metrics::log_dir_free(free_bytes);
        let room_left = free_bytes.saturating_sub(reserve_bytes);
        self.room_left.store(i64::try_from(room_left).unwrap_or(i64::MAX), Ordering::Relaxed);
        let full = free_bytes < reserve_bytes;
        if self.full.swap(full, Ordering::Relaxed) != full {
            if full {
                tracing::error!(
                    free_bytes,
                    reserve_bytes,
                    "the disk of the log directory is full up to tidelog.log.dir.reserve.bytes: appends are refused until \
                     there is room"
                );
            } else {
                tracing::info!(free_bytes, "the disk of the log directory has room again: appends are taken");
            }
        }
        super::metrics::log_dir_full(full);
        let warned = self.warned.load(Ordering::Relaxed);
        // Once warned it takes some more to be at ease again, so that a disk right at the mark is not told of all day.
        let enough = if warned { room.low_bytes().saturating_add(room.low_bytes() / 4) } else { room.low_bytes() };
        let low = free_bytes < enough;
        if low && !warned {
            let local_only_bytes = local_only_bytes();
            tracing::warn!(
                free_bytes,
                reserve_bytes,
                local_only_bytes,
                "the disk of the log directory is filling up: appends are taken until less than \
                 tidelog.log.dir.reserve.bytes is free. What only the local tier has cannot go before the bucket takes it; see tidelog tier status"
            );
        }
        self.warned.store(low, Ordering::Relaxed);
        super::metrics::log_dir_low(low);
    }

    /// Whether the disk is so full that the operator was warned.
    pub fn is_filling_up(&self) -> bool {
        self.warned.load(Ordering::Relaxed)
    }
}

/// The room that the disk of a log directory has.
#[derive(Clone, Copy, Debug)]
pub struct DiskSpace {
    /// What may still be written.
    pub free_bytes: u64,
    /// The disk, used or not.
    pub total_bytes: u64,
    /// What is kept free: `tidelog.log.dir.reserve.bytes`.
    pub reserve_bytes: u64,
}

impl DiskSpace {
    /// Less free than this is warned of: a tenth of the disk, and never so little that there is no time to act.
    fn low_bytes(self) -> u64 {
        (self.total_bytes / 10).max(self.reserve_bytes.saturating_mul(WARN_FACTOR))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(health: &LogDirHealth, free_bytes: u64) -> bool {
        let mut asked = false;
        let room = DiskSpace { free_bytes, total_bytes: 10_000, reserve_bytes: 100 };
        health.note_room(room, || {
            asked = true;
            0
        });
        asked
    }

    #[test]
    fn a_full_disk_passes_and_a_failure_does_not() {
        let health = LogDirHealth::new();
        note(&health, 5_000);
        assert!(!health.is_full());
        note(&health, 99);
        assert!(health.is_full() && health.is_online());
        note(&health, 100);
        assert!(!health.is_full());
        health.note_full();
        assert!(health.is_full());
        note(&health, 100);
        assert!(!health.is_full());
        health.fail("first");
        health.fail("second");
        assert_eq!(health.failure().as_deref(), Some("first"));
        note(&health, 100);
        assert!(!health.is_online());
    }

    #[test]
    fn a_burst_between_two_looks_stops_at_the_reserve() {
        let health = LogDirHealth::new();
        health.note_appended(1 << 40);
        assert!(!health.is_full(), "nobody has looked yet");
        note(&health, 5_000);
        health.note_appended(4_000);
        assert!(!health.is_full());
        health.note_appended(900);
        assert!(health.is_full(), "what is left is the reserve");
        note(&health, 300);
        assert!(!health.is_full(), "there was less than was counted");
        health.note_appended(201);
        assert!(health.is_full());
    }

    #[test]
    fn a_disk_that_fills_up_is_told_of_once_and_long_before_appends_are_refused() {
        let health = LogDirHealth::new();
        assert!(!note(&health, 1_000), "a tenth is free");
        assert!(note(&health, 999), "less is");
        assert!(health.is_filling_up() && !health.is_full());
        assert!(!note(&health, 500) && !note(&health, 1_100), "it was told");
        assert!(health.is_filling_up());
        assert!(!note(&health, 1_250) && !health.is_filling_up());
        assert!(note(&health, 999), "again, after there was room");
        let small = DiskSpace { free_bytes: 399, total_bytes: 1_000, reserve_bytes: 100 };
        let health = LogDirHealth::new();
        health.note_room(small, || 0);
        assert!(health.is_filling_up(), "four times the reserve, where a tenth is less");
    }
}
