//! What a topic asks of a batch, and why a batch was refused.

use crate::model::limits::HEADERS_PER_RECORD_MAX;
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// Its place in the batch.
    pub index: i32,
    /// Why.
    pub fault: RecordFault,
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordFault {
    /// The topic keeps the last record of each key, and this one has none.
    #[error("a record without a key in a compacted topic")]
    NoKey,
    /// More than are uploaded and read in bounded memory.
    #[error("it has more than {HEADERS_PER_RECORD_MAX} headers: put them into its value, or into several records")]
    Headers,
    /// Parquet's texts are UTF-8.
    #[error("a header's name is not UTF-8")]
    HeaderName,
    /// Outside the topic's window.
    #[error("timestamp {at_ms} is not within [{from_ms}, {to_ms}]")]
    Timestamp {
        /// The record's.
        at_ms: i64,
        /// Where the window begins.
        from_ms: i64,
        /// Where it ends.
        to_ms: i64,
    },
    /// Parquet's times are microseconds.
    #[error("the timestamp does not fit microseconds of 64 bits")]
    Microseconds,
    /// Only a broker may say that records have the time of their append.
    #[error("a producer may not set the timestamp type to LogAppendTime")]
    TimestampType,
}

/// Which of Kafka's errors the refused records make together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordsRefused {
    /// INVALID_TIMESTAMP, as soon as one record has a timestamp out of range.
    Timestamp,
    /// INVALID_RECORD.
    Record,
}

/// What a refusal means in Kafka's words. Only [`RefusalKind::Corrupt`] is worth sending again: bytes that were
/// damaged on the way. What is wrong in itself must not be answered so, or clients repeat it until they time out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// CORRUPT_MESSAGE.
    Corrupt,
    /// INVALID_RECORD.
    InvalidRecord,
    /// INVALID_TIMESTAMP.
    InvalidTimestamp,
    /// INVALID_PRODUCER_EPOCH.
    InvalidProducerEpoch,
    /// MESSAGE_TOO_LARGE: clients cut the batch in two and try again, which helps against the bound on what it
    /// unfolds to as well.
    TooLarge,
    /// UNSUPPORTED_COMPRESSION_TYPE. Kafka has no check for unknown codec bits and answers UNKNOWN_SERVER_ERROR.
    UnsupportedCodec,
    /// Magic 0 or 1. Kafka 4.3.1 answers INVALID_RECORD to those in Produce 3 and later, all that there is.
    OldMagic,
}

/// A batch was refused. Nothing of it is appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValidationError {
    /// The bytes are not a batch, or its records are not records; which of Kafka's errors that is, says
    /// [`ValidationError::kind`].
    #[error(transparent)]
    Malformed(#[from] BatchError),
    /// One of the formats of before 2017.
    #[error("only record batches with magic version 2 are allowed, this one has {0}")]
    OldMagic(i8),
    /// Not one batch but none or several, or one that is cut.
    #[error("a produce request must hold exactly one record batch per partition")]
    NotOneBatch,
    /// Larger than the topic allows.
    #[error("the batch has {size} bytes, more than the maximum of {max} (max.message.bytes)")]
    TooLarge {
        /// Its size.
        size: usize,
        /// The topic's limit.
        max: usize,
    },
    /// The header contradicts itself.
    #[error("{0}")]
    Invalid(String),
    /// A producer's batch without the producer's epoch.
    #[error("a batch of producer {0} without an epoch")]
    NoProducerEpoch(i64),
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

impl ValidationError {
    /// Which of Kafka's errors it is.
    pub fn kind(&self) -> RefusalKind {
        match self {
            Self::Malformed(error) => match error {
                BatchError::Crc { .. } | BatchError::BadLength(_) | BatchError::Magic(_) => RefusalKind::Corrupt,
                BatchError::Codec(_) => RefusalKind::UnsupportedCodec,
                BatchError::Bomb(_) => RefusalKind::TooLarge,
                BatchError::Cut { .. }
                | BatchError::Compression { .. }
                | BatchError::Record { .. }
                | BatchError::Trailing => RefusalKind::InvalidRecord,
            },
            Self::OldMagic(_) => RefusalKind::OldMagic,
            Self::TooLarge { .. } => RefusalKind::TooLarge,
            Self::NoProducerEpoch(_) => RefusalKind::InvalidProducerEpoch,
            Self::Records { kind: RecordsRefused::Timestamp, .. } => RefusalKind::InvalidTimestamp,
            Self::NotOneBatch | Self::Invalid(_) | Self::Records { kind: RecordsRefused::Record, .. } => {
                RefusalKind::InvalidRecord
            }
        }
    }
}

fn first(errors: &[RecordError]) -> String {
    errors.first().map_or_else(String::new, |error| format!("record {}: {}", error.index, error.fault))
}
