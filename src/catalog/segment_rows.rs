//! Rows of the table `remote_segments`: an object of the bucket, from its name to its end.
//!
//! ```text
//! WRITING ──append, replace──▶ LIVE ──delete, replace──▶ DELETING ──found absent──▶ (row gone)
//!    └────given up, swept, topic deleted────────────────────▲
//! ```
//!
//! Invariant: a row's range is what it stands for in the log, which may be less than what its object holds.

use ulid::Ulid;

use crate::model::{LeaderEpoch, Offset, TopicPartition};

use super::session::{Row, unreadable};
use super::storage_error::StorageError;

/// Where an object stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentState {
    /// On its way in.
    Writing,
    /// Part of the log.
    Live,
    /// On its way out.
    Deleting,
}

impl SegmentState {
    /// As the table spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Writing => "WRITING",
            Self::Live => "LIVE",
            Self::Deleting => "DELETING",
        }
    }
}

/// An object that is about to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSegmentRow {
    /// The ulid in its key.
    pub id: Ulid,
    /// Whose.
    pub tp: TopicPartition,
    /// First offset.
    pub base: Offset,
    /// Last offset.
    pub end: Offset,
    /// The epoch of the leader that writes it.
    pub leader_epoch: LeaderEpoch,
    /// 0 for an upload of the log, more for a rewrite.
    pub generation: i64,
    /// Its key in the bucket.
    pub object_key: String,
    /// Of the catalog, when it was begun.
    pub incarnation: i64,
    /// Of the broker, when it was begun.
    pub start_number: i64,
}

/// What is known once an object is whole.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SegmentContent {
    /// Bytes of the object.
    pub object_size_bytes: u64,
    /// Bytes of the batches that it was made from.
    pub log_size_bytes: u64,
    /// Rows.
    pub record_count: u64,
    /// Least timestamp of the source batches.
    pub min_timestamp_ms: i64,
    /// Greatest timestamp of the source batches.
    pub max_timestamp_ms: i64,
    /// Its row groups, at most 40 bytes each.
    pub row_groups: Vec<u8>,
    /// BLAKE3 over its records.
    pub digest: Vec<u8>,
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentRow {
    /// What was known from the beginning; base and end as the row covers them, which may be less than the object.
    pub head: NewSegmentRow,
    /// The multipart upload, where the store has one.
    pub upload_id: Option<String>,
    /// What was known at the end.
    pub content: SegmentContent,
    /// Where it stands.
    pub state: SegmentState,
    /// When it was begun, in milliseconds.
    pub created_at_ms: i64,
    /// When it took its state, in milliseconds.
    pub changed_at_ms: i64,
}

/// How much of a partition is in the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SegmentTotals {
    /// LIVE objects.
    pub count: u64,
    /// Their bytes as batches.
    pub log_size_bytes: u64,
    /// Their bytes in the bucket.
    pub object_size_bytes: u64,
}

/// The columns that [`segment_row`] reads, and what of them follows. Literals only, so the text is never made from input.
macro_rules! select_segments {
    ($rest:literal) => {
        concat!(
            "SELECT segment_id, topic_id, partition, base_offset, end_offset, leader_epoch, generation, object_key, \
             upload_id, object_size_bytes, log_size_bytes, record_count, min_timestamp_ms, max_timestamp_ms, row_groups, \
             digest, state, incarnation, start_number, created_at_ms, changed_at_ms FROM remote_segments ",
            $rest
        )
    };
}
pub(super) use select_segments;

/// A row of [`select_segments`].
pub(super) fn segment_row(row: &Row) -> Result<SegmentRow, StorageError> {
    let id = row.text("segment_id")?;
    let state = match row.text("state")?.as_str() {
        "WRITING" => SegmentState::Writing,
        "LIVE" => SegmentState::Live,
        "DELETING" => SegmentState::Deleting,
        other => return Err(unreadable("state", other)),
    };
    Ok(SegmentRow {
        head: NewSegmentRow {
            id: Ulid::from_string(&id).map_err(|error| unreadable("segment_id", error))?,
            tp: row.partition()?,
            base: row.offset("base_offset")?,
            end: row.offset("end_offset")?,
            leader_epoch: row.epoch("leader_epoch")?,
            generation: row.int("generation")?,
            object_key: row.text("object_key")?,
            incarnation: row.int("incarnation")?,
            start_number: row.int("start_number")?,
        },
        upload_id: row.maybe_text("upload_id")?,
        content: SegmentContent {
            object_size_bytes: row.count("object_size_bytes")?,
            log_size_bytes: row.count("log_size_bytes")?,
            record_count: row.count("record_count")?,
            min_timestamp_ms: row.int("min_timestamp_ms")?,
            max_timestamp_ms: row.int("max_timestamp_ms")?,
            row_groups: row.bytes("row_groups")?,
            digest: row.bytes("digest")?,
        },
        state,
        created_at_ms: row.int("created_at_ms")?,
        changed_at_ms: row.int("changed_at_ms")?,
    })
}
