//! Making appended batches stable, and the checkpoint that says from where a crash has to be recovered.
//!
//! # Consistency
//! One sync at a time. Appends go on while it runs; it covers what was appended before it began.
//!
//! # Crash safety
//! A sync that failed is never repeated as if nothing had happened: the kernel may have dropped the pages that it could
//! not write. The log is broken until recovery has looked at what is really there. Where a file could only not be opened,
//! nothing was tried, and what was to be synced is still to be synced.
//!
//! A checkpoint is written when all that it claims is stable: batches, names, indexes and the producers' snapshot below
//! the recovery point. Only then do older snapshots go.
//!
//! The file of the epochs is written before the first batch of a new epoch is synced (`epochs_file`). On a full disk it
//! cannot be: that sync has done nothing yet, and another may succeed when there is room.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::disk::Open;
use crate::model::Offset;

use super::checkpoint::{self, Checkpoint, Recovery};
use super::error::{LogError, at};
use super::leftovers;
use super::names;
use super::partition_log::{Appender, PartitionLog, load};
use super::producer_snapshot;
use super::segment::Segment;

impl PartitionLog {
    /// Syncs everything appended before the call; returns the stable end.
    pub fn sync(&self) -> Result<Offset, LogError> {
        let _one_at_a_time = self.syncing.lock();
        self.sync_locked()
    }

    /// With the sync lock held.
    pub(super) fn sync_locked(&self) -> Result<Offset, LogError> {
        let (target, segments, names, bytes, records) = loop {
            let mut appender = self.appender.lock();
            if appender.broken {
                return Err(LogError::Broken);
            }
            if !self.owes_epochs(&appender) {
                break (
                    self.log_end_offset(),
                    std::mem::take(&mut appender.unsynced),
                    std::mem::take(&mut appender.names_unsynced),
                    self.unsynced_bytes.load(Ordering::Relaxed),
                    self.unsynced_records.load(Ordering::Relaxed),
                );
            }
            // Appends go on meanwhile, and may begin another epoch.
            drop(appender);
            self.write_owed_epochs()?;
        };
        if let Err(error) = self.sync_all(&segments, names) {
            let mut appender = self.appender.lock();
            if error.is_out_of_files() {
                appender.names_unsynced |= names;
                let newer = std::mem::replace(&mut appender.unsynced, segments);
                for segment in newer {
                    if !appender.unsynced.iter().any(|known| Arc::ptr_eq(known, &segment)) {
                        appender.unsynced.push(segment);
                    }
                }
            } else {
                appender.broken = true;
            }
            return Err(error);
        }
        self.unsynced_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.unsynced_records.fetch_sub(records, Ordering::Relaxed);
        self.stable_end.fetch_max(target.get(), Ordering::AcqRel);
        Ok(self.stable_end())
    }

    /// Whether a sync would cover batches of an epoch that the file does not hold.
    fn owes_epochs(&self, appender: &Appender) -> bool {
        appender.epochs_unwritten.is_some_and(|start| start < self.log_end_offset())
    }

    pub(super) fn sync_all(&self, segments: &[Arc<Segment>], names: bool) -> Result<(), LogError> {
        if names {
            self.disk().sync_dir(&self.dir).map_err(at(&self.dir))?;
        }
        segments.iter().try_for_each(|segment| segment.sync())
    }

    /// Whether so much was appended since the last checkpoint that the next should not wait for its time.
    pub fn checkpoint_due(&self) -> bool {
        self.checkpoint_due.load(Ordering::Relaxed)
    }

    /// Whether anything was appended since the last checkpoint.
    pub fn needs_checkpoint(&self) -> bool {
        self.log_end_offset() > load(&self.recovery_point)
    }

    /// Syncs, moves the recovery point to what was the log end, and writes it down, with the log start and the high
    /// watermark. Returns the stable end.
    pub fn checkpoint(&self) -> Result<Offset, LogError> {
        let _one_at_a_time = self.syncing.lock();
        self.checkpoint_locked()
    }

    /// With the sync lock held.
    pub(super) fn checkpoint_locked(&self) -> Result<Offset, LogError> {
        let (recovery, snapshot, active) = {
            let mut appender = self.appender.lock();
            if appender.broken {
                return Err(LogError::Broken);
            }
            appender.bytes_since_checkpoint = 0;
            self.checkpoint_due.store(false, Ordering::Relaxed);
            let known = (appender.producers.len() > 0).then(|| producer_snapshot::encode(&appender.producers));
            let active = Arc::clone(&appender.active);
            let recovery = Recovery {
                point: self.log_end_offset().get(),
                has_producers: known.is_some(),
                base_offset: active.base.get(),
                entries: active.index_entries(),
                max_timestamp: active.max_timestamp().map(|max| (max.timestamp_ms, max.offset.get())),
            };
            (recovery, known, active)
        };
        let stable_end = self.sync_locked()?;
        self.sync_sealed_indexes()?;
        active.sync_indexes()?;
        if let Some(snapshot) = &snapshot {
            self.put_snapshot(Offset::new(recovery.point), snapshot, true)?;
        }
        self.write_checkpoint(&Checkpoint { recovery, ..self.checkpoint_now(&active) })?;
        self.set_recovery(recovery);
        self.remove_old_snapshots(Offset::new(recovery.point))?;
        Ok(stable_end)
    }

    pub(super) fn set_recovery(&self, recovery: Recovery) {
        *self.recovery.lock() = recovery;
        self.recovery_point.store(recovery.point, Ordering::Release);
    }

    /// Indexes of segments that were sealed, and the snapshots that were taken then.
    fn sync_sealed_indexes(&self) -> Result<(), LogError> {
        let sealed = std::mem::take(&mut self.appender.lock().indexes_unsynced);
        let sync = |segment: &Arc<Segment>| {
            segment.sync_indexes()?;
            let path = names::file(&self.dir, segment.next_offset(), names::SNAPSHOT);
            match self.disk().open(&path, Open::Write) {
                // Without producers there is none.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
                opened => opened.and_then(|file| file.sync_data()).map_err(at(&path)),
            }
        };
        let synced = sealed.iter().try_for_each(sync);
        if synced.is_err() {
            // They are still to be synced before a recovery point may pass them.
            self.appender.lock().indexes_unsynced.extend(sealed);
        }
        synced
    }

    /// What a checkpoint says that moves nothing.
    pub(super) fn checkpoint_now(&self, active: &Segment) -> Checkpoint {
        Checkpoint {
            version: checkpoint::VERSION,
            log_start_offset: self.log_start_offset().get(),
            local_start_offset: self.removed_below.load(Ordering::Acquire),
            recovery: *self.recovery.lock(),
            high_watermark: self.high_watermark.load(Ordering::Acquire),
            active_base_offset: active.base.get(),
            active_first_append_ms: active.first_append_ms(),
            given_up_below: self.given_up_below.get(),
        }
    }

    pub(super) fn write_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), LogError> {
        checkpoint::write(self.disk(), &self.dir, checkpoint).map_err(at(&self.dir))
    }

    /// Syncs, checkpoints: the next start has nothing to recover.
    pub fn close(&self) -> Result<(), LogError> {
        self.checkpoint().map(|_| ())
    }

    /// Keeps the snapshot at the recovery point and those behind it, one before it, and those at the base of a segment,
    /// where a truncation or a rebuilt index may want to begin.
    fn remove_old_snapshots(&self, recovery_point: Offset) -> Result<(), LogError> {
        let segments = self.segments.load();
        let entries = self.disk().read_dir(&self.dir).map_err(at(&self.dir))?;
        let older: Vec<Offset> = entries
            .iter()
            .filter_map(|entry| names::offset_of(&entry.name, names::SNAPSHOT))
            .filter(|offset| *offset < recovery_point)
            .collect();
        let all_but_one = older.split_last().map_or(&[] as &[Offset], |(_, rest)| rest);
        for offset in all_but_one.iter().filter(|offset| !segments.iter().any(|segment| segment.base == **offset)) {
            leftovers::remove_file(self.disk(), &names::file(&self.dir, *offset, names::SNAPSHOT))?;
        }
        Ok(())
    }
}
