//! One object of the remote tier as the router knows it: what of the log it stands for, and its key.
//!
//! Invariant: `[base, end]` is what the catalog's row covers, which may be less than what the object holds; readers trim
//! to it.

use ulid::Ulid;

use crate::catalog::SegmentRow;
use crate::model::{LeaderEpoch, Offset, TopicPartition};
use crate::object_storage::ObjectKey;

use super::parquet::RowGroupIndex;

/// A LIVE object, without its index of row groups: a manifest holds many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteSegment {
    /// The ulid in its key.
    pub id: Ulid,
    /// Whose.
    pub tp: TopicPartition,
    /// The first offset that it stands for.
    pub base: Offset,
    /// The last offset that it stands for.
    pub end: Offset,
    /// The epoch of the leader that wrote it.
    pub leader_epoch: LeaderEpoch,
    /// 0 for an upload of the log, more for a rewrite.
    pub generation: i64,
    /// Where it lies.
    pub key: ObjectKey,
    /// Bytes of the object.
    pub object_size_bytes: u64,
    /// How many of them, from its end, hold its footer.
    pub footer_bytes: u32,
    /// Bytes of the batches that it was made from.
    pub log_size_bytes: u64,
    /// Rows.
    pub record_count: u64,
    /// The greatest timestamp of those batches.
    pub max_timestamp_ms: i64,
}

/// A row whose key is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the catalog's row {id} names no object: {reason}")]
pub struct BadRow {
    /// Which.
    pub id: Ulid,
    /// Why.
    pub reason: String,
}

impl RemoteSegment {
    /// What the router needs of a row.
    pub fn of_row(row: &SegmentRow) -> Result<Self, BadRow> {
        let head = &row.head;
        let key =
            ObjectKey::parse(&head.object_key).map_err(|error| BadRow { id: head.id, reason: error.to_string() })?;
        let index = RowGroupIndex::decode(&row.content.row_groups)
            .map_err(|error| BadRow { id: head.id, reason: error.to_string() })?;
        Ok(Self {
            id: head.id,
            tp: head.tp,
            base: head.base,
            end: head.end,
            leader_epoch: head.leader_epoch,
            generation: head.generation,
            key,
            object_size_bytes: row.content.object_size_bytes,
            footer_bytes: index.footer_bytes,
            log_size_bytes: row.content.log_size_bytes,
            record_count: row.content.record_count,
            max_timestamp_ms: row.content.max_timestamp_ms,
        })
    }

    /// Whether it stands for `offset`.
    pub fn holds(&self, offset: Offset) -> bool {
        self.base <= offset && offset <= self.end
    }

    /// Memory that it takes in a manifest, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.key.as_str().len() + 2 * size_of::<usize>()
    }
}
