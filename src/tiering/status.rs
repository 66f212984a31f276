//! The tiers as they can be shown: how far each partition is, and which objects there are. Plain values; the edge puts them
//! on the wire.

use crate::catalog::{SegmentRow, SegmentState, StorageError};
use crate::log::TieredTo;
use crate::model::{LeaderEpoch, Offset, TopicName, TopicPartition};

use super::metrics;
use super::tiered_log::TieredLog;
use super::tiers::Tiers;

/// How far a partition is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierStatus {
    /// The topic's name.
    pub topic: TopicName,
    /// Which partition.
    pub tp: TopicPartition,
    /// Whether its history is kept in the bucket.
    pub enabled: bool,
    /// Whether nothing is added (`remote.log.copy.disable`).
    pub paused: bool,
    /// The first offset that may be read.
    pub log_start: Offset,
    /// The first offset on local disk.
    pub local_start: Offset,
    /// The offset of the next record.
    pub log_end: Offset,
    /// The first offset that is not in the bucket; `None` where that is not known.
    pub tiered_to: Option<Offset>,
    /// Sealed segments that wait for their upload.
    pub lag_segments: u64,
    /// Their bytes.
    pub lag_bytes: u64,
    /// Whether an object is on its way in.
    pub uploading: bool,
    /// Failures since the last upload that went well.
    pub failures: u32,
    /// Why the last one failed.
    pub last_error: Option<String>,
    /// Why no more uploads are tried until somebody helps: an alarm.
    pub stopped: Option<String>,
    /// Objects that cannot be read, and why: an alarm too.
    pub damaged: Vec<String>,
}

/// An object, as it can be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentListing {
    /// Its id.
    pub id: String,
    /// Whose.
    pub tp: TopicPartition,
    /// Where it lies in the bucket.
    pub key: String,
    /// Where it stands: WRITING, LIVE or DELETING.
    pub state: &'static str,
    /// The first offset that it stands for.
    pub base_offset: Offset,
    /// The last offset that it stands for.
    pub end_offset: Offset,
    /// The epoch of the leader that wrote it.
    pub leader_epoch: LeaderEpoch,
    /// 0 for an upload of the log, more for a rewrite.
    pub generation: i64,
    /// Rows.
    pub record_count: u64,
    /// Bytes of the object.
    pub object_size_bytes: u64,
    /// Bytes of the batches that it was made from.
    pub log_size_bytes: u64,
    /// The least timestamp of those batches.
    pub min_timestamp_ms: i64,
    /// The greatest.
    pub max_timestamp_ms: i64,
    /// BLAKE3 over its records, in hexadecimal digits.
    pub digest: String,
    /// When it was begun.
    pub created_at_ms: i64,
    /// When it took its state.
    pub changed_at_ms: i64,
}

impl SegmentListing {
    /// A row of the catalog, as it can be listed.
    pub fn of(row: SegmentRow) -> Self {
        let SegmentRow { head, content, state, created_at_ms, changed_at_ms, .. } = row;
        Self {
            id: head.id.to_string(),
            tp: head.tp,
            key: head.object_key,
            state: state.name(),
            base_offset: head.base,
            end_offset: head.end,
            leader_epoch: head.leader_epoch,
            generation: head.generation,
            record_count: content.record_count,
            object_size_bytes: content.object_size_bytes,
            log_size_bytes: content.log_size_bytes,
            min_timestamp_ms: content.min_timestamp_ms,
            max_timestamp_ms: content.max_timestamp_ms,
            digest: content.digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            created_at_ms,
            changed_at_ms,
        }
    }
}

impl TieredLog {
    /// How far it is.
    pub fn status(&self) -> TierStatus {
        let view = self.view();
        let config = self.config();
        let tiered_to = match view.tiered {
            TieredTo::Known(tiered_to) => Some(tiered_to),
            TieredTo::NotTiered | TieredTo::Unknown => None,
        };
        let (lag_segments, lag_bytes) = tiered_to.map_or((0, 0), |tiered_to| self.lag(tiered_to));
        let upload = self.upload.lock();
        TierStatus {
            topic: self.topic().clone(),
            tp: self.tp(),
            enabled: config.remote.enabled,
            paused: config.remote.copy_disabled,
            log_start: view.log_start,
            local_start: view.local_start,
            log_end: self.log.log_end_offset(),
            tiered_to,
            lag_segments,
            lag_bytes,
            uploading: upload.current.is_some(),
            failures: upload.failures,
            last_error: upload.last_error.clone(),
            stopped: upload.stopped.clone(),
            damaged: self.tiers.damages.of(self.tp()),
        }
    }

    fn lag(&self, tiered_to: Offset) -> (u64, u64) {
        let waiting = self.log.segments().into_iter().filter(|segment| segment.sealed && segment.end > tiered_to);
        waiting.fold((0, 0), |(segments, bytes), segment| (segments + 1, bytes + segment.size_bytes))
    }

    /// Bytes of segments that hold something that is not in the bucket yet, the active one too: local retention cannot
    /// drop them. None where nothing is to go into the bucket.
    fn local_only_bytes(&self) -> u64 {
        let from = match self.view().tiered {
            TieredTo::NotTiered => return 0,
            TieredTo::Unknown => Offset::ZERO,
            TieredTo::Known(tiered_to) => tiered_to,
        };
        self.log.segments().into_iter().filter(|segment| segment.end > from).map(|segment| segment.size_bytes).sum()
    }

    /// Whether anything sealed waits for its upload.
    pub fn has_waiting(&self) -> bool {
        match self.view().tiered {
            TieredTo::Known(tiered_to) => self.log.sealed_end().is_some_and(|sealed_end| sealed_end > tiered_to),
            TieredTo::NotTiered | TieredTo::Unknown => true,
        }
    }

    /// Whether any object is part of its log.
    pub fn has_remote_segments(&self) -> bool {
        let view = self.view();
        matches!(view.tiered, TieredTo::Known(tiered_to) if tiered_to > view.log_start)
    }
}

impl Tiers {
    /// How far every partition that is led here is, in order.
    pub fn status(&self) -> Vec<TierStatus> {
        let mut all: Vec<TierStatus> = self.all_members().iter().map(|member| member.status()).collect();
        all.sort_by(|a, b| (&a.topic, a.tp.partition).cmp(&(&b.topic, b.tp.partition)));
        all
    }

    /// Bytes of tiered topics that only the local tier has: what a bucket that is away leaves on the disk.
    pub fn local_only_bytes(&self) -> u64 {
        self.all_members().iter().map(|member| member.local_only_bytes()).sum()
    }

    /// Tells the metrics how far behind the bucket is. Asks nothing of it: a bucket that is away is what this is for.
    pub fn report_lag(&self) {
        let (mut bytes, mut segments, mut stopped, mut paused) = (0, 0, 0, 0);
        for status in self.status() {
            bytes += status.lag_bytes;
            segments += status.lag_segments;
            stopped += u64::from(status.stopped.is_some());
            paused += u64::from(status.enabled && status.paused);
        }
        metrics::copy_lag(bytes, segments);
        metrics::local_only(self.local_only_bytes());
        metrics::uploads_stopped(stopped, paused);
    }

    /// Tells the metrics what is in the bucket and what waits to go: sums over all rows, so not every second.
    pub async fn report_sizes(&self) -> Result<(), StorageError> {
        let live = self.catalog().state_totals(SegmentState::Live).await?;
        metrics::remote_size(live.count, live.log_size_bytes, live.object_size_bytes);
        let waiting = self.catalog().state_totals(SegmentState::Deleting).await?;
        metrics::deletions_waiting(waiting.count, waiting.object_size_bytes);
        Ok(())
    }

    /// Up to `limit` of a partition's live objects, in order, from the one that stands for `from`.
    pub async fn live_segments(
        &self,
        tp: TopicPartition,
        from: Offset,
        limit: i64,
    ) -> Result<Vec<SegmentListing>, StorageError> {
        let rows = self.catalog().live_segments(tp, from, limit).await?;
        Ok(rows.into_iter().map(SegmentListing::of).collect())
    }

    /// Up to `limit` objects, of any partition, that are on their way in or out.
    pub async fn passing_segments(&self, limit: i64) -> Result<Vec<SegmentListing>, StorageError> {
        let now_ms = self.clock().now_ms();
        let mut rows = self.catalog().segments_in_state(SegmentState::Writing, now_ms, limit).await?;
        rows.extend(self.catalog().segments_in_state(SegmentState::Deleting, now_ms, limit).await?);
        Ok(rows.into_iter().map(SegmentListing::of).collect())
    }
}
