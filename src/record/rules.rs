//! What a topic asks of a batch, and why a batch was refused.

use crate::model::topic_config::TopicCompression;
use crate::model::{MessageConfig, TimestampType};

use super::error::BatchError;

/// Record errors that are told at most; the rest are only counted.
pub(super) const RECORD_ERRORS_MAX: usize = 100;

/// A topic's rules at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValidationRules {
    /// `max.message.bytes`: a whole batch.
    pub max_bytes: usize,
    /// Which clock.
    pub timestamp_type: TimestampType,
    /// How old a record may be.
    pub timestamp_before_max_ms: i64,
    /// How far ahead a record may be.
    pub timestamp_after_max_ms: i64,
    /// What time it is.
    pub now_ms: i64,
    /// The topic's codec, or the producer's.
    pub compression: TopicCompression,
    /// Whether a record without a key is refused: the topic is compacted.
    pub keys_required: bool,
}

impl ValidationRules {
    /// The rules of a topic.
    pub fn of(message: &MessageConfig, compacted: bool, now_ms: i64) -> Self {
        Self {
            max_bytes: usize::try_from(message.max_bytes).unwrap_or(usize::MAX),
            timestamp_type: message.timestamp_type,
            timestamp_before_max_ms: message.timestamp_before_max_ms,
            timestamp_after_max_ms: message.timestamp_after_max_ms,
            now_ms,
            compression: message.compression,
            keys_required: compacted,
        }
    }
}

/// One record that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// Its place in the batch.
    pub index: i32,
    /// Why; for people.
    pub message: String,
}

/// Which of Kafka's errors the refused records make together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordsRefused {
    /// INVALID_TIMESTAMP.
    Timestamp,
    /// INVALID_RECORD.
    Record,
}

/// A batch was refused. Nothing of it is appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValidationError {
    /// CORRUPT_MESSAGE.
    #[error(transparent)]
    Corrupt(#[from] BatchError),
    /// Magic 0 or 1: UNSUPPORTED_FOR_MESSAGE_FORMAT stands for what Kafka answers by version (see `server`).
    #[error("only record batches with magic version 2 are allowed, this one has {0}")]
    OldMagic(i8),
    /// Not one batch but none or several: INVALID_RECORD.
    #[error("a produce request must hold exactly one record batch per partition")]
    NotOneBatch,
    /// MESSAGE_TOO_LARGE.
    #[error("the batch has {size} bytes, more than the maximum of {max} (max.message.bytes)")]
    TooLarge {
        /// Its size.
        size: usize,
        /// The topic's limit.
        max: usize,
    },
    /// The header contradicts itself: INVALID_RECORD.
    #[error("{0}")]
    Invalid(String),
    /// The producer set LogAppendTime itself: INVALID_TIMESTAMP.
    #[error("invalid timestamp type: a producer should not set it to LogAppendTime")]
    TimestampType,
    /// Single records were refused.
    #[error("one or more records have been rejected: {total} record error(s); the first: {}", first(errors))]
    Records {
        /// Which error they make.
        kind: RecordsRefused,
        /// How many there are.
        total: usize,
        /// The first of them.
        errors: Vec<RecordError>,
    },
}

fn first(errors: &[RecordError]) -> String {
    errors.first().map_or_else(String::new, |error| format!("record {}: {}", error.index, error.message))
}
