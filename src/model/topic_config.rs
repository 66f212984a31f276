//! A topic's configuration, parsed once and valid ever after. Names and meanings are Kafka's; the fields that
//! Kafka lacks carry the prefix `tidelog.` on the wire. Defaults here are the broker's without any file.

/// How the records of a batch are packed. The numbers are those of a batch's attributes, bits 0 to 2.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Codec {
    /// Not compressed.
    #[default]
    None,
    /// RFC 1952.
    Gzip,
    /// Snappy: xerial framing from Java clients, raw from some others.
    Snappy,
    /// LZ4 frames.
    Lz4,
    /// RFC 8878.
    Zstd,
}

impl Codec {
    /// Kafka's name for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

/// Which clock a record's timestamp comes from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum TimestampType {
    /// The producer's.
    #[default]
    CreateTime,
    /// The broker's, at append; every record of a batch has the batch's max timestamp.
    LogAppendTime,
}

impl TimestampType {
    /// Kafka's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CreateTime => "CreateTime",
            Self::LogAppendTime => "LogAppendTime",
        }
    }
}

/// `compression.type`: as produced, or packed anew at append.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TopicCompression {
    /// `producer`: as it came.
    #[default]
    Producer,
    /// `uncompressed`, `gzip`, `snappy`, `lz4` or `zstd`, with the level of the codec where it has one.
    Fixed(Codec, Option<i32>),
}

/// `cleanup.policy`: which of the two apply. Neither, either or both.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CleanupPolicy {
    /// Old segments are deleted by retention.
    pub delete: bool,
    /// The last record of every key is kept.
    pub compact: bool,
}

/// When a segment is rolled, and how its indexes are spaced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentConfig {
    /// `segment.bytes`.
    pub bytes: u32,
    /// `segment.ms`, by the broker's clock since the segment's first append. Kafka compares the timestamps of the batch that
    /// comes and of the first one, so there a segment of a partition that falls idle is never rolled, and a backfill of old
    /// records rolls one for each `segment.ms` of their time.
    pub ms: i64,
    /// `segment.jitter.ms`.
    pub jitter_ms: i64,
    /// `segment.index.bytes`.
    pub index_bytes: u32,
    /// `index.interval.bytes`.
    pub index_interval_bytes: u32,
    /// `preallocate`.
    pub preallocate: bool,
}

/// What ends history, in each tier. `None` is Kafka's −1: without end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RetentionConfig {
    /// `retention.ms`.
    pub total_ms: Option<i64>,
    /// `retention.bytes`.
    pub total_bytes: Option<u64>,
    /// `local.retention.ms`, already resolved: never above the total.
    pub local_ms: Option<i64>,
    /// `local.retention.bytes`, already resolved.
    pub local_bytes: Option<u64>,
    /// `file.delete.delay.ms`.
    pub file_delete_delay_ms: i64,
}

/// When appended bytes are forced to stable storage.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FlushConfig {
    /// `tidelog.flush.on.ack`: an acknowledged record is on stable storage; false is Kafka's own meaning.
    pub on_ack: bool,
    /// `flush.messages`.
    pub messages: u64,
    /// `flush.ms`.
    pub ms: u64,
}

/// What a produced batch must be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MessageConfig {
    /// `max.message.bytes`: a whole batch, as received.
    pub max_bytes: u32,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`.
    pub timestamp_after_max_ms: i64,
    /// `compression.type` with the level of its codec.
    pub compression: TopicCompression,
}

/// Whether and how the history of a topic is kept in the bucket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RemoteConfig {
    /// `remote.storage.enable`, as it is in effect.
    pub enabled: bool,
    /// `remote.log.copy.disable`: what is there stays, nothing is added (KIP-950).
    pub copy_disabled: bool,
    /// `remote.log.delete.on.disable` (KIP-950).
    pub delete_on_disable: bool,
    /// `tidelog.remote.max.lag.ms`: the active segment rolls when its first batch was appended so long ago.
    pub max_lag_ms: i64,
    /// `tidelog.remote.fetch.compression.type`: the codec of batches rebuilt from the bucket.
    pub fetch_compression: Codec,
    /// `tidelog.remote.parquet.zstd.level`: of what is written.
    pub parquet_zstd_level: i32,
    /// `tidelog.delete.max.delay.ms`: how long a table may delay the deletion of an object.
    pub delete_max_delay_ms: i64,
}

/// All of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicConfig {
    /// `cleanup.policy`.
    pub cleanup: CleanupPolicy,
    /// Segments and indexes.
    pub segment: SegmentConfig,
    /// Retention, in total and local.
    pub retention: RetentionConfig,
    /// Stable storage.
    pub flush: FlushConfig,
    /// Batches.
    pub message: MessageConfig,
    /// The bucket.
    pub remote: RemoteConfig,
    /// `min.insync.replicas`.
    pub min_insync_replicas: u32,
    /// `producer.id.expiration.ms`, the broker's: how long an idle producer is remembered.
    pub producer_id_expiration_ms: i64,
}

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

impl Default for TopicConfig {
    fn default() -> Self {
        Self {
            cleanup: CleanupPolicy { delete: true, compact: false },
            segment: SegmentConfig {
                bytes: 1024 * 1024 * 1024,
                ms: 7 * DAY_MS,
                jitter_ms: 0,
                index_bytes: 10 * 1024 * 1024,
                index_interval_bytes: 4096,
                preallocate: false,
            },
            retention: RetentionConfig {
                total_ms: Some(7 * DAY_MS),
                total_bytes: None,
                local_ms: Some(DAY_MS),
                local_bytes: None,
                file_delete_delay_ms: 60_000,
            },
            flush: FlushConfig { on_ack: true, messages: i64::MAX.unsigned_abs(), ms: i64::MAX.unsigned_abs() },
            message: MessageConfig {
                max_bytes: 1_048_588,
                timestamp_type: TimestampType::CreateTime,
                timestamp_before_max_ms: i64::MAX,
                timestamp_after_max_ms: 60 * 60 * 1000,
                compression: TopicCompression::Producer,
            },
            remote: RemoteConfig {
                enabled: true,
                copy_disabled: false,
                delete_on_disable: false,
                max_lag_ms: 60 * 60 * 1000,
                fetch_compression: Codec::None,
                parquet_zstd_level: 1,
                delete_max_delay_ms: 7 * DAY_MS,
            },
            min_insync_replicas: 1,
            producer_id_expiration_ms: DAY_MS,
        }
    }
}
