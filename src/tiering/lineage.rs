//! Whether a local log goes on with the history that is in the bucket: asked at every start, before the first read, append
//! or upload.
//!
//! # Consistency
//! The newest object's last run of offsets names the epoch of the record before `tiered_to`. A log that ends before
//! `tiered_to`, or that has that record from another epoch, is of another history: a wiped disk, a copy that was put back.
//!
//! # Retries
//! The bucket's own. What cannot be read and will not be is done without, and said: the comparison where it is the footer
//! or the row that names the object, the producers where it is their snapshot. One partition's damage must not keep all
//! others from being served.
//!
//! # Cancellation
//! Nothing is written here.
//!
//! # Crash safety
//! Can be asked again at any time.

use std::sync::Arc;

use super::errors::RemoteReadError;
use super::metrics;
use super::parquet::{DecodeError, Footer};
use super::remote_segment::RemoteSegment;
use super::tiers::Tiers;
use crate::catalog::{NewSegmentRow, PartitionRow};
use crate::log::{Beginning, EpochEntry, PartitionLog};
use crate::model::Offset;

/// What a local log is to the bucket's history.
#[derive(Debug)]
pub enum Lineage {
    /// It goes on where the bucket ends, or overlaps it.
    Sound,
    /// It does not: an empty one has to begin here.
    Elsewhere {
        /// Where, and with what.
        beginning: Beginning,
        /// How it shows.
        why: String,
    },
}

/// The newest object cannot be read, and will not be: one partition's damage must not keep all others from being served.
fn without_footer(
    row: &PartitionRow,
    tiered_to: Offset,
    newest: &NewSegmentRow,
    log_end: Offset,
    error: &RemoteReadError,
) -> Lineage {
    tracing::error!(%error, partition = %row.tp, "the newest object of a partition cannot be read: its log is not compared");
    if log_end >= tiered_to {
        return Lineage::Sound;
    }
    let epochs = vec![EpochEntry { epoch: newest.leader_epoch, start: newest.base }];
    let beginning = Beginning { start: tiered_to, log_start: row.log_start, epochs, producer_snapshot: None };
    Lineage::Elsewhere { beginning, why: format!("it ends at {log_end}, the bucket at {tiered_to}") }
}

impl Tiers {
    /// Compares a log with the newest object of its partition.
    pub async fn lineage(&self, row: &PartitionRow, log: &PartitionLog) -> Result<Lineage, RemoteReadError> {
        let Some(tiered_to) = row.tiered_to.filter(|tiered_to| *tiered_to > Offset::ZERO) else {
            return Ok(Lineage::Sound);
        };
        let Some(row_of_newest) = self.catalog().last_segment(row.tp).await? else { return Ok(Lineage::Sound) };
        if row_of_newest.head.end.next() != tiered_to {
            // The log start was put there, and no object: the log's own opening sees to that.
            return Ok(Lineage::Sound);
        }
        let (head, log_end) = (&row_of_newest.head, log.log_end_offset());
        let newest = match RemoteSegment::of_row(&row_of_newest) {
            Ok(newest) => Arc::new(newest),
            Err(error) => return Ok(without_footer(row, tiered_to, head, log_end, &error.into())),
        };
        let footer = match self.reader.footer(&self.threads, &newest).await {
            Ok(footer) => footer,
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => return Ok(without_footer(row, tiered_to, head, log_end, &error)),
        };
        let last_epoch = footer.runs().last().map(|run| run.leader_epoch);
        let local_epoch = log.epochs().epoch_at(tiered_to.prev());
        let why = if log_end < tiered_to {
            format!("it ends at {log_end}, the bucket at {tiered_to}")
        } else if let (Some(local), Some(remote)) = (local_epoch, last_epoch)
            && local != remote
        {
            format!("it has offset {} from epoch {local}, the bucket from epoch {remote}", tiered_to.prev())
        } else {
            return Ok(Lineage::Sound);
        };
        let snapshot = self.producer_snapshot(&newest, &footer).await;
        metrics::rebuilt_from_bucket(snapshot.is_ok());
        let producer_snapshot = match snapshot {
            Ok(snapshot) => snapshot,
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => {
                tracing::warn!(%error, partition = %row.tp, key = %newest.key, "the producers in the newest object of a partition cannot be read: its log begins without them");
                None
            }
        };
        let epochs = footer.runs().iter().map(|run| EpochEntry { epoch: run.leader_epoch, start: run.start_offset });
        let epochs = epochs.collect();
        let beginning = Beginning { start: tiered_to, log_start: row.log_start, epochs, producer_snapshot };
        Ok(Lineage::Elsewhere { beginning, why })
    }

    /// The producers as they were behind the newest object.
    async fn producer_snapshot(
        &self,
        newest: &RemoteSegment,
        footer: &Footer,
    ) -> Result<Option<Vec<u8>>, RemoteReadError> {
        let Some(range) = footer.producer_snapshot() else { return Ok(None) };
        let read = self.parts.bucket.get_range(&newest.key, range).await;
        let bytes = read.map_err(|error| RemoteReadError::from(error).of_object(&newest.key))?;
        let damaged = |error: DecodeError| RemoteReadError::Damaged {
            key: newest.key.to_string(),
            reason: format!("its producer snapshot: {error}"),
        };
        footer.unpack_producer_snapshot(&bytes).map(Some).map_err(damaged)
    }
}
