//! One partition's log as its leader keeps it: what is appended, what of it is on stable storage, and the turn that
//! a sync takes.
//!
//! Group commit: an append that finds no sync running asks for one; those that come while it runs share the next.
//! However many appends wait, each partition has at most one sync running and one wanted.
//!
//! # Consistency
//! The high watermark follows the stable end, never the log end, unless the topic says `tidelog.flush.on.ack=false`.
//!
//! # Crash safety
//! Whoever was told that the watermark passed an offset finds its record after a power cut. A sync that failed is
//! never tried again as if nothing had happened: the log directory goes offline (the kernel may have dropped the
//! very pages that it could not write).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::log::{LogError, PartitionLog};
use crate::model::Offset;

use super::high_watermark::HighWatermark;
use super::log_dir::LogDirHealth;
use super::metrics;
use super::syncer::Syncer;

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SyncState {
    /// Nothing to do.
    Idle,
    /// Waits for a thread.
    Queued,
    /// A thread syncs it.
    Running,
    /// A thread syncs it, and more has been appended since.
    RunningAndWanted,
}

/// A log, its watermark and its turn.
#[derive(Debug)]
pub(super) struct StableLog {
    log: Arc<PartitionLog>,
    watermark: HighWatermark,
    state: Mutex<SyncState>,
    health: Arc<LogDirHealth>,
    /// The topic is deleted: its files may go under a sync, and nobody waits for that.
    retired: AtomicBool,
}

impl StableLog {
    /// A log that was just opened: all of it is stable.
    pub(super) fn new(log: Arc<PartitionLog>, health: Arc<LogDirHealth>) -> Arc<Self> {
        let watermark = HighWatermark::new(log.stable_end());
        Arc::new(Self { log, watermark, state: Mutex::new(SyncState::Idle), health, retired: AtomicBool::new(false) })
    }

    pub(super) fn log(&self) -> &Arc<PartitionLog> {
        &self.log
    }

    pub(super) fn watermark(&self) -> &HighWatermark {
        &self.watermark
    }

    /// Shows everything appended so far, stable or not: the topic has traded that away.
    pub(super) fn show_all(&self) {
        self.advance(self.log.log_end_offset());
    }

    /// Sees to it that a sync runs that covers everything appended so far.
    pub(super) fn want_sync(self: &Arc<Self>, syncer: &Syncer) {
        let mut state = self.state.lock();
        match *state {
            SyncState::Idle => {
                *state = SyncState::Queued;
                drop(state);
                syncer.submit(Arc::clone(self));
            }
            SyncState::Running => *state = SyncState::RunningAndWanted,
            SyncState::Queued | SyncState::RunningAndWanted => {}
        }
    }

    /// One sync, on a thread of the syncer's. Says whether another is wanted at once.
    pub(super) fn sync_once(&self) -> bool {
        *self.state.lock() = SyncState::Running;
        // A panic must not leave the turn taken for ever: it counts as a failed sync.
        match catch_unwind(AssertUnwindSafe(|| self.log.sync())) {
            Ok(Ok(stable_end)) => self.advance(stable_end),
            // The epochs' file had no room, and nothing was synced: the next checkpoint tries again.
            Ok(Err(error)) if error.is_disk_full() && !self.log.is_broken() => self.health.note_full(),
            // Nothing was synced either. Told by that checkpoint, if it fares no better.
            Ok(Err(error)) if error.is_shortage() && !self.log.is_broken() => {
                tracing::debug!(%error, "a sync is put off");
            }
            Ok(Err(error)) => self.fail(&error.to_string()),
            Err(_) => self.fail("a sync panicked"),
        }
        metrics::sync_done();
        let online = self.health.is_online();
        if !online {
            // Whoever waits for a sync of this log waits in vain.
            self.watermark.go_offline();
        }
        let mut state = self.state.lock();
        let again = *state == SyncState::RunningAndWanted && online;
        *state = if again { SyncState::Queued } else { SyncState::Idle };
        again
    }

    /// Nobody is served any more.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
        self.watermark.go_offline();
    }

    pub(super) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    /// An I/O error was seen: the log directory goes offline.
    pub(super) fn fail(&self, reason: &str) {
        if !self.is_retired() {
            self.health.fail(reason);
        }
        self.watermark.go_offline();
    }

    /// Syncs what is not synced and writes the recovery point down. Blocks.
    pub(super) fn checkpoint(&self) -> Result<(), LogError> {
        let stable_end = self.log.checkpoint()?;
        self.advance(stable_end);
        Ok(())
    }

    fn advance(&self, to: Offset) {
        self.log.set_high_watermark(to);
        self.watermark.advance_to(to);
    }
}
