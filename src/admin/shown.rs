//! What the admin API answers, as JSON: written here, read by the command line. Names and numbers only; a field that is
//! added later has a default, so that an older command line can ask a newer broker and the other way round.

use serde::{Deserialize, Serialize};

use crate::tiering::SegmentListing;

/// Who answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShownBroker {
    /// The program's version.
    pub version: String,
    /// Its number.
    pub broker_id: i32,
    /// The cluster's id.
    pub cluster_id: String,
    /// Where clients reach it.
    pub advertised: String,
    /// Where its local tier lies.
    pub data_dir: String,
    /// Where its bucket is.
    pub bucket: String,
}

/// A remote segment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShownSegment {
    /// The topic; none where it is gone already.
    pub topic: Option<String>,
    /// The topic's id.
    pub topic_id: String,
    /// The partition.
    pub partition: i32,
    /// WRITING, LIVE or DELETING.
    pub state: String,
    /// The first offset that it stands for.
    pub base_offset: i64,
    /// The last.
    pub end_offset: i64,
    /// Records in it.
    pub records: u64,
    /// Bytes of the object.
    pub object_bytes: u64,
    /// Bytes of the log that it was made from.
    pub log_bytes: u64,
    /// The least timestamp, in milliseconds since 1970.
    pub min_timestamp: i64,
    /// The greatest.
    pub max_timestamp: i64,
    /// The epoch of the leader that wrote it.
    pub leader_epoch: i32,
    /// 0 for an upload of the log, more for a rewrite.
    pub generation: i64,
    /// Its id in the catalog.
    pub segment_id: String,
    /// BLAKE3 over its records, in hexadecimal digits.
    pub digest: String,
    /// Where it lies in the bucket.
    pub key: String,
    /// The same with the bucket before it.
    pub url: String,
    /// When it was begun, in milliseconds since 1970.
    pub created_at: i64,
    /// When it took its state.
    pub changed_at: i64,
}

impl ShownSegment {
    /// An object as it is shown: `topic` is its topic's name, `bucket_url` what its key lies below.
    pub fn of(segment: SegmentListing, topic: Option<&str>, bucket_url: &str) -> Self {
        Self {
            topic: topic.map(str::to_owned),
            topic_id: segment.tp.topic_id.to_string(),
            partition: segment.tp.partition,
            state: segment.state.to_owned(),
            base_offset: segment.base_offset.get(),
            end_offset: segment.end_offset.get(),
            records: segment.record_count,
            object_bytes: segment.object_size_bytes,
            log_bytes: segment.log_size_bytes,
            min_timestamp: segment.min_timestamp_ms,
            max_timestamp: segment.max_timestamp_ms,
            leader_epoch: segment.leader_epoch.get(),
            generation: segment.generation,
            segment_id: segment.id,
            digest: segment.digest,
            url: format!("{}/{}", bucket_url.trim_end_matches('/'), segment.key),
            key: segment.key,
            created_at: segment.created_at_ms,
            changed_at: segment.changed_at_ms,
        }
    }
}

/// Some remote segments of a partition, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SegmentsPage {
    /// The segments.
    pub segments: Vec<ShownSegment>,
    /// From which offset to ask on; none at the end.
    pub next: Option<i64>,
    /// Whether there are more than one answer names.
    pub truncated: bool,
}

/// How far a partition's tiering is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShownTier {
    /// The topic.
    pub topic: String,
    /// The topic's id.
    pub topic_id: String,
    /// The partition.
    pub partition: i32,
    /// Whether its history is kept in the bucket.
    pub enabled: bool,
    /// Whether nothing is added now (`remote.log.copy.disable`).
    pub paused: bool,
    /// The first offset, in whichever tier.
    pub log_start_offset: i64,
    /// The first offset on the broker's disk.
    pub local_start_offset: i64,
    /// The next offset to be given.
    pub log_end_offset: i64,
    /// The first offset that is not in the bucket; none where that is not known.
    pub tiered_to: Option<i64>,
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
    /// Why nothing more is tried until somebody helps.
    pub stopped: Option<String>,
    /// Objects that cannot be read, and why.
    pub damaged: Vec<String>,
}

/// A wish to give up what cannot be uploaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkipWish {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The first offset that is not given up.
    pub to: i64,
    /// Whether to give up what could be uploaded.
    #[serde(default)]
    pub force: bool,
}

/// What was given up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Skipped {
    /// How many offsets.
    pub offsets: u64,
}

/// A refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Refusal {
    /// What is wrong, and what helps.
    pub error: String,
}
