//! What a log needs to know of its topic's configuration. Can be changed while it runs.

use crate::model::TopicConfig;

/// Bytes appended since the last checkpoint after which the next is due at once.
pub(super) const CHECKPOINT_BYTES: u64 = 64 * 1024 * 1024;

/// Settings of one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// A segment is rolled before it would grow beyond this.
    pub segment_bytes: u64,
    /// A segment is rolled when its first batch was appended so long ago.
    pub segment_ms: i64,
    /// How much earlier than that a segment may be rolled.
    pub segment_jitter_ms: i64,
    /// Most bytes of the offset index of a segment.
    pub index_bytes: u64,
    /// Bytes of batches between two index entries.
    pub index_interval_bytes: u64,
    /// Whether a new segment's room is reserved at once.
    pub preallocate: bool,
    /// How long a removed segment's files stay for those who still read them.
    pub file_delete_delay_ms: i64,
    /// `producer.id.expiration.ms`.
    pub producer_id_expiration_ms: i64,
}

impl From<&TopicConfig> for LogOptions {
    fn from(config: &TopicConfig) -> Self {
        Self {
            segment_bytes: u64::from(config.segment.bytes),
            segment_ms: config.segment.ms,
            segment_jitter_ms: config.segment.jitter_ms,
            index_bytes: u64::from(config.segment.index_bytes),
            index_interval_bytes: u64::from(config.segment.index_interval_bytes),
            preallocate: config.segment.preallocate,
            file_delete_delay_ms: config.retention.file_delete_delay_ms,
            producer_id_expiration_ms: config.producer_id_expiration_ms,
        }
    }
}

impl LogOptions {
    /// The age at which the segment that begins at `base` is rolled: `segment.ms` less its share of
    /// `segment.jitter.ms`, so that the partitions of a topic do not all roll at once.
    pub(super) fn roll_age_ms(&self, base: i64) -> i64 {
        if self.segment_jitter_ms <= 0 {
            return self.segment_ms;
        }
        // Knuth's multiplicative hash: spread, and the same at every look.
        let share = base.wrapping_mul(2_654_435_761).rem_euclid(self.segment_jitter_ms);
        self.segment_ms.saturating_sub(share).max(0)
    }
}
