//! Which offset stands for "the latest", "the earliest", a timestamp: ListOffsets, without its wire.
//!
//! The special timestamps are those of Kafka's ListOffsets request (KIP-734, KIP-405, KIP-1005); each that needs an epoch
//! carries that of the record or position it names.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::log::{LogError, PartitionLog, TieredTo};
use crate::model::{LeaderEpoch, Offset};

use super::errors::ListOffsetsError;
use super::partition::{Isolation, Partition};

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetSpec {
    /// -1: the end of what the reader may see.
    Latest,
    /// -2: the log start offset.
    Earliest,
    /// -3: the first record that has the greatest timestamp.
    MaxTimestamp,
    /// -4: the first offset on local disk.
    EarliestLocal,
    /// -5: the last offset in the bucket.
    LatestTiered,
    /// The first record whose timestamp is at or after this one.
    Timestamp(i64),
}

/// An offset that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundOffset {
    /// The offset.
    pub offset: Offset,
    /// The record's timestamp, in milliseconds, where a record was asked for.
    pub timestamp_ms: Option<i64>,
    /// The epoch at that offset.
    pub leader_epoch: Option<LeaderEpoch>,
}

impl Partition {
    /// Finds an offset; `None` where there is none.
    pub async fn find_offset(
        &self,
        spec: OffsetSpec,
        isolation: Isolation,
    ) -> Result<Option<FoundOffset>, ListOffsetsError> {
        self.check_serving()?;
        let watermarks = self.watermarks();
        let end = match isolation {
            Isolation::ReadUncommitted => watermarks.high_watermark,
            Isolation::ReadCommitted => watermarks.last_stable,
        };
        Ok(match spec {
            OffsetSpec::Latest => self.position(end),
            OffsetSpec::Earliest => self.position(watermarks.log_start),
            OffsetSpec::EarliestLocal => self.position(self.log().local_start_offset()),
            OffsetSpec::LatestTiered => self.tiered_to().and_then(|to| self.position(to.prev())),
            OffsetSpec::MaxTimestamp => self.latest_of_both(end).await?,
            OffsetSpec::Timestamp(at_ms) => self.first_of_both(at_ms, end).await?,
        })
    }

    /// Whether the bucket may have to be asked, which can take its time.
    pub fn may_ask_bucket(&self, spec: OffsetSpec) -> bool {
        matches!(spec, OffsetSpec::MaxTimestamp | OffsetSpec::Timestamp(_))
            && self.tier().is_some_and(|tier| tier.has_remote_part())
    }

    fn position(&self, offset: Offset) -> Option<FoundOffset> {
        let leader_epoch = self.log().epochs().epoch_at(offset).or(Some(self.leader_epoch()));
        Some(FoundOffset { offset, timestamp_ms: None, leader_epoch })
    }

    /// The first offset that is not in the bucket, where anything is.
    fn tiered_to(&self) -> Option<Offset> {
        let view = self.tier()?.view();
        match view.tiered {
            TieredTo::Known(to) if to > view.log_start => Some(to),
            _ => None,
        }
    }

    /// The first record with the greatest timestamp, in whichever tier.
    async fn latest_of_both(&self, end: Offset) -> Result<Option<FoundOffset>, ListOffsetsError> {
        let local = self.in_log(move |log| log.max_timestamp(end)).await?.map(record);
        let Some(tier) = self.tier() else { return Ok(local) };
        let remote = tier.latest_record().await?.map(|found| self.remote_record(found));
        Ok(match (remote, local) {
            (Some(remote), Some(local)) => {
                let key = |found: &FoundOffset| (found.timestamp_ms, Reverse(found.offset));
                Some(if key(&remote) >= key(&local) { remote } else { local })
            }
            (remote, local) => remote.or(local),
        })
    }

    /// The first record, in offset order, at or after a timestamp: the bucket has the older offsets.
    async fn first_of_both(&self, at_ms: i64, end: Offset) -> Result<Option<FoundOffset>, ListOffsetsError> {
        if let Some(tier) = self.tier()
            && let Some(found) = tier.first_record_at(at_ms).await?
        {
            return Ok(Some(self.remote_record(found)));
        }
        Ok(self.in_log(move |log| log.offset_for_timestamp(at_ms, end)).await?.map(record))
    }

    fn remote_record(&self, (offset, timestamp_ms): (Offset, i64)) -> FoundOffset {
        let leader_epoch = self.log().epochs().epoch_at(offset);
        FoundOffset { offset, timestamp_ms: Some(timestamp_ms), leader_epoch }
    }

    async fn in_log<T: Send + 'static>(
        &self,
        work: impl FnOnce(&PartitionLog) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, ListOffsetsError> {
        let log = Arc::clone(self.log());
        let found = tokio::task::spawn_blocking(move || work(&log)).await;
        let found = found.map_err(|_| ListOffsetsError::Unfinished)?;
        Ok(found.inspect_err(|error| self.unreadable(error))?)
    }
}

fn record((offset, timestamp_ms, leader_epoch): (Offset, i64, LeaderEpoch)) -> FoundOffset {
    FoundOffset { offset, timestamp_ms: Some(timestamp_ms), leader_epoch: Some(leader_epoch) }
}
