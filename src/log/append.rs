//! Appending: check the producer, give offsets, write, index, publish.
//!
//! # Consistency
//! One append at a time; offsets are dense. A reader sees a batch only when all of it is written.
//!
//! # Crash safety
//! A batch is in the page cache when this returns, and stable after the next [`PartitionLog::sync`]. A write that failed
//! half-way is cut off again; where even that fails, the log is broken until recovery.

use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::model::{LeaderEpoch, Offset, TimestampType};
use crate::record::{BatchHeader, BatchView, ValidBatch, control};

use super::error::{AppendError, LogError};
use super::options::CHECKPOINT_BYTES;
use super::partition_log::{Appender, PartitionLog};
use super::producers::Sequence;

/// A batch that is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The offset of its first record.
    pub base_offset: Offset,
    /// The offset of its last record.
    pub last_offset: Offset,
    /// When it was appended, where the topic's records carry that; of a duplicate, the timestamp that it carries.
    pub log_append_time_ms: Option<i64>,
    /// Whether it was there already: these are the offsets that it was given then.
    pub duplicate: bool,
}

impl PartitionLog {
    /// Appends one batch in the leader's `epoch`.
    pub fn append(&self, batch: &ValidBatch, epoch: LeaderEpoch, now_ms: i64) -> Result<Appended, AppendError> {
        let header = batch.header();
        let mut guard = self.appender.lock();
        let appender = &mut *guard;
        if appender.broken {
            return Err(LogError::Broken.into());
        }
        self.check_epoch(appender, epoch)?;
        let log_append_time_ms =
            (header.attributes.timestamp_type() == TimestampType::LogAppendTime).then_some(header.max_timestamp_ms);
        if !header.attributes.is_control()
            && let Sequence::Duplicate(known) = appender.producers.check(header)?
        {
            return Ok(Appended {
                base_offset: known.base_offset(),
                last_offset: known.last_offset,
                // As Kafka, whichever clock the topic's records go by.
                log_append_time_ms: Some(known.timestamp_ms),
                duplicate: true,
            });
        }
        if self.must_roll(appender, batch, now_ms) {
            self.roll_locked(appender)?;
        }
        let base_offset = self.log_end_offset();
        self.write(appender, batch, base_offset, epoch)?;
        self.note(appender, batch, base_offset, now_ms);
        Ok(Appended {
            base_offset,
            last_offset: base_offset + i64::from(header.last_offset_delta),
            log_append_time_ms,
            duplicate: false,
        })
    }

    fn check_epoch(&self, appender: &mut Appender, epoch: LeaderEpoch) -> Result<(), AppendError> {
        let current = self.epochs.load().latest().map(|entry| entry.epoch);
        if current == Some(epoch) {
            return Ok(());
        }
        if let Some(current) = current.filter(|current| epoch < *current) {
            return Err(AppendError::StaleEpoch { epoch, current });
        }
        self.begin_epoch_locked(appender, epoch);
        Ok(())
    }

    fn write(
        &self,
        appender: &mut Appender,
        batch: &ValidBatch,
        base_offset: Offset,
        epoch: LeaderEpoch,
    ) -> Result<(), LogError> {
        let active = &appender.active;
        let position = active.size_bytes();
        let prefix = BatchHeader::prefix(base_offset, batch.header().batch_length, epoch);
        let file = active.file()?;
        let parts = [IoSlice::new(&prefix), IoSlice::new(batch.unchanged())];
        if let Err(source) = file.write_vectored_at(&parts, position) {
            if let Err(error) = file.set_len(position) {
                tracing::error!(%error, path = %active.path().display(), "a half-written batch cannot be cut off");
                appender.broken = true;
            }
            return Err(LogError::Io { path: active.path().to_owned(), source });
        }
        Ok(())
    }

    /// What follows a write that went well. Nothing here can fail the append: without an index entry a read scans a little
    /// further, and the greatest timestamp comes with the next entry, or with the roll, which fails without it.
    fn note(&self, appender: &mut Appender, batch: &ValidBatch, base_offset: Offset, now_ms: i64) {
        let header = batch.header();
        let size = batch.bytes().len() as u64;
        let last_offset = base_offset + i64::from(header.last_offset_delta);
        let active = Arc::clone(&appender.active);
        let position = active.size_bytes();
        active.note_times(header, last_offset, now_ms);
        if appender.bytes_since_index > self.options.load().index_interval_bytes {
            if let Err(error) = active.index(last_offset, position) {
                tracing::warn!(%error, path = %active.path().display(), "an index entry could not be written");
            }
            appender.bytes_since_index = 0;
        }
        appender.bytes_since_index += size;
        self.note_producer(appender, batch, base_offset, now_ms);
        active.publish(last_offset.next(), position + size);
        self.log_end.store(last_offset.next().get(), Ordering::Release);
        if !appender.unsynced.last().is_some_and(|last| Arc::ptr_eq(last, &active)) {
            appender.unsynced.push(active);
        }
        self.unsynced_bytes.fetch_add(size, Ordering::Relaxed);
        let records = u64::try_from(header.record_count).unwrap_or(0);
        self.unsynced_records.fetch_add(records, Ordering::Relaxed);
        appender.bytes_since_checkpoint += size;
        if appender.bytes_since_checkpoint >= CHECKPOINT_BYTES {
            self.checkpoint_due.store(true, Ordering::Relaxed);
        }
    }

    fn note_producer(&self, appender: &mut Appender, batch: &ValidBatch, base_offset: Offset, now_ms: i64) {
        let header = batch.header();
        if !header.producer_id.is_some() {
            return;
        }
        if header.attributes.is_control() {
            let marker = BatchView::parse(batch.bytes()).and_then(|view| control::parse(&view));
            let Ok(Some(marker)) = marker else { return };
            if let Some(aborted) = appender.producers.ended(header, marker, base_offset, now_ms) {
                match appender.active.transactions.append(&aborted) {
                    Ok(made) => appender.names_unsynced |= made,
                    Err(error) => {
                        let path = appender.active.path().display();
                        tracing::error!(%error, %path, "an aborted transaction is not indexed");
                        appender.broken = true;
                    }
                }
            }
            self.publish_unstable(&appender.producers);
        } else {
            appender.producers.appended(header, base_offset, now_ms);
            if header.attributes.is_transactional() {
                self.publish_unstable(&appender.producers);
            }
        }
    }
}
