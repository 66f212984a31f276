//! Which offset stands for "the latest", "the earliest", a timestamp: ListOffsets, without its wire.
//!
//! The special timestamps are Kafka's (`kafka-semantics`: ListOffsets); each that needs an epoch carries that of the
//! record or position it names.

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
    /// -6: the first offset that is not in the bucket.
    EarliestPendingUpload,
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
    pub fn find_offset(&self, spec: OffsetSpec, isolation: Isolation) -> Result<Option<FoundOffset>, ListOffsetsError> {
        self.check_serving()?;
        let watermarks = self.watermarks();
        let end = match isolation {
            Isolation::ReadUncommitted => watermarks.high_watermark,
            Isolation::ReadCommitted => watermarks.last_stable,
        };
        let position = |offset: Offset| {
            let leader_epoch = self.log().epochs().epoch_at(offset).or(Some(self.leader_epoch()));
            Some(FoundOffset { offset, timestamp_ms: None, leader_epoch })
        };
        Ok(match spec {
            OffsetSpec::Latest => position(end),
            OffsetSpec::Earliest => position(watermarks.log_start),
            OffsetSpec::EarliestLocal => position(self.log().local_start_offset()),
            OffsetSpec::LatestTiered | OffsetSpec::EarliestPendingUpload => None,
            OffsetSpec::MaxTimestamp => self.log().max_timestamp(end)?.map(record),
            OffsetSpec::Timestamp(at_ms) => self.log().offset_for_timestamp(at_ms, end)?.map(record),
        })
    }
}

fn record((offset, timestamp_ms, leader_epoch): (Offset, i64, LeaderEpoch)) -> FoundOffset {
    FoundOffset { offset, timestamp_ms: Some(timestamp_ms), leader_epoch: Some(leader_epoch) }
}
