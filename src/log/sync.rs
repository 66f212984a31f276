//! Making appended batches stable, and the checkpoint that says from where a crash has to be recovered.
//!
//! # Consistency
//! One sync at a time. Appends go on while it runs; it covers what was appended before it began.
//!
//! # Crash safety
//! A sync that failed is never repeated as if nothing had happened: the kernel may have dropped the pages that it could
//! not write. The log is broken until recovery has looked at what is really there.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::model::Offset;

use super::checkpoint::{self, Checkpoint};
use super::error::{LogError, at};
use super::names;
use super::partition_log::PartitionLog;
use super::segment::Segment;

impl PartitionLog {
    /// Syncs everything appended before the call; returns the stable end.
    pub fn sync(&self) -> Result<Offset, LogError> {
        let _one_at_a_time = self.syncing.lock();
        self.sync_locked()
    }

    /// With the sync lock held.
    pub(super) fn sync_locked(&self) -> Result<Offset, LogError> {
        let (target, segments, names, bytes, records) = {
            let mut appender = self.appender.lock();
            if appender.broken {
                return Err(LogError::Broken);
            }
            (
                self.log_end_offset(),
                std::mem::take(&mut appender.unsynced),
                std::mem::take(&mut appender.names_unsynced),
                self.unsynced_bytes.load(Ordering::Relaxed),
                self.unsynced_records.load(Ordering::Relaxed),
            )
        };
        if let Err(error) = self.sync_all(&segments, names) {
            self.appender.lock().broken = true;
            return Err(error);
        }
        self.unsynced_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.unsynced_records.fetch_sub(records, Ordering::Relaxed);
        self.stable_end.fetch_max(target.get(), Ordering::AcqRel);
        Ok(self.stable_end())
    }

    fn sync_all(&self, segments: &[Arc<Segment>], names: bool) -> Result<(), LogError> {
        if names {
            self.disk().sync_dir(&self.dir).map_err(at(&self.dir))?;
        }
        segments.iter().try_for_each(|segment| segment.sync())
    }

    /// Whether so much was appended since the last checkpoint that the next should not wait for its time.
    pub fn checkpoint_due(&self) -> bool {
        self.checkpoint_due.load(Ordering::Relaxed)
    }

    /// Whether anything became stable since the last checkpoint.
    pub fn needs_checkpoint(&self) -> bool {
        self.stable_end() > super::partition_log::load(&self.recovery_point)
    }

    /// Moves the recovery point to the stable end and writes it down, with the log start and the high watermark.
    pub fn checkpoint(&self) -> Result<(), LogError> {
        let _one_at_a_time = self.syncing.lock();
        let (recovery_point, sealed, active) = {
            let mut appender = self.appender.lock();
            if appender.broken {
                return Err(LogError::Broken);
            }
            let stable = self.stable_end();
            if stable == self.log_end_offset() {
                self.write_snapshot(&appender)?;
            }
            appender.bytes_since_checkpoint = 0;
            self.checkpoint_due.store(false, Ordering::Relaxed);
            (stable, std::mem::take(&mut appender.indexes_unsynced), Arc::clone(&appender.active))
        };
        sealed.iter().chain([&active]).try_for_each(|segment| segment.sync_indexes())?;
        self.write_checkpoint(recovery_point, &active)?;
        self.recovery_point.store(recovery_point.get(), Ordering::Release);
        self.remove_old_snapshots()
    }

    pub(super) fn write_checkpoint(&self, recovery_point: Offset, active: &Segment) -> Result<(), LogError> {
        let checkpoint = Checkpoint {
            version: checkpoint::VERSION,
            log_start_offset: self.log_start_offset().get(),
            recovery_point: recovery_point.get(),
            high_watermark: self.high_watermark.load(Ordering::Acquire),
            active_base_offset: active.base.get(),
            active_first_append_ms: active.first_append_ms(),
        };
        checkpoint::write(self.disk(), &self.dir, &checkpoint).map_err(at(&self.dir))
    }

    /// Syncs, checkpoints: the next start has nothing to recover.
    pub fn close(&self) -> Result<(), LogError> {
        self.sync()?;
        self.checkpoint()
    }

    /// Keeps the newest two snapshots, and those at the base of a segment: recovery may need an older one than the
    /// newest, never an older one than that.
    pub(super) fn remove_old_snapshots(&self) -> Result<(), LogError> {
        let segments = self.segments.load();
        let snapshots: Vec<Offset> = self
            .disk()
            .read_dir(&self.dir)
            .map_err(at(&self.dir))?
            .iter()
            .filter_map(|entry| names::offset_of(&entry.name, names::SNAPSHOT))
            .collect();
        for offset in snapshots.iter().rev().skip(2) {
            let is_base = segments.iter().any(|segment| segment.base == *offset);
            if !is_base {
                let path = names::file(&self.dir, *offset, names::SNAPSHOT);
                self.disk().remove_file(&path).map_err(at(&path))?;
            }
        }
        Ok(())
    }
}
