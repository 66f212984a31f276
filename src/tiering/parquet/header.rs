//! What a file says of the range that it holds, apart from its records.

use crate::model::{LeaderEpoch, Offset, TimestampType, TopicId, TopicName};
use crate::tiering::digest::Digest;

/// Which range of which partition a file holds: known before its first byte is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// The topic's name when the file was written.
    pub topic_name: TopicName,
    /// The topic.
    pub topic_id: TopicId,
    /// The partition's number.
    pub partition: i32,
    /// First offset of the range, whether or not a record has it.
    pub base_offset: Offset,
    /// Last offset of the range, inclusive, whether or not a record has it.
    pub end_offset: Offset,
    /// Where the file stands among others.
    pub lineage: Lineage,
}

/// Where a file stands among others of its partition.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Lineage {
    /// 0 for an upload of the log, more for a rewrite.
    pub generation: i64,
    /// The digest of the file before it, as known at writing.
    pub predecessor_digest: Option<Digest>,
    /// The keys that a rewrite replaces.
    pub replaces: Vec<String>,
    /// The digests of what it replaces.
    pub replaced_digests: Vec<Digest>,
    /// The keys of all files of a rewrite's set, itself included.
    pub siblings: Vec<String>,
}

/// Consecutive offsets that one leader appended under one clock. A run ends where the next begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its first offset.
    pub start_offset: Offset,
    /// The epoch of the leader.
    pub leader_epoch: LeaderEpoch,
    /// Which clock the timestamps come from.
    pub timestamp_type: TimestampType,
}

impl SegmentHeader {
    /// Offset behind the range.
    pub fn next_offset(&self) -> Offset {
        self.end_offset.next()
    }
}
