//! Every bound in the system that is not a setting, in one place, each with its reason.

/// Longest legal topic name. Kafka's `Topic.MAX_NAME_LENGTH`: with a partition suffix it still fits a file name.
pub const TOPIC_NAME_BYTES_MAX: usize = 249;

/// Bytes of a v2 record batch header, before the first record.
pub const BATCH_HEADER_BYTES: usize = 61;

/// What a compressed batch may unfold to. A batch is at most `message.max.bytes` on the wire; a bomb of
/// one megabyte must not become a gigabyte of memory.
pub const BATCH_DECOMPRESSED_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Headers that a record may have. Each takes two bytes on the wire and dozens as columns, so a batch of kilobytes might
/// take gigabytes when it is uploaded and read; far above what any client sends.
pub const HEADERS_PER_RECORD_MAX: usize = 65_536;

/// Partitions that one request may create in total; Kafka's `controller` limit of records per request.
pub const PARTITIONS_PER_REQUEST_MAX: usize = 10_000;

/// Topics that one request for metadata may make: each takes a commit, and whoever asks again has the next made.
pub const AUTO_CREATED_PER_REQUEST_MAX: usize = 100;

/// Decoded record bytes at which a Parquet row group is cut: one cold read is one ranged GET of a few MiB.
pub const ROW_GROUP_DECODED_BYTES: usize = 8 * 1024 * 1024;

/// Decoded bytes from which on records of the remote tier are worked on one at a time, by whoever uploads or reads them:
/// each is in memory several times over meanwhile, and a batch of kilobytes may unfold to hundreds of megabytes.
pub const HUGE_BYTES: usize = 4 * ROW_GROUP_DECODED_BYTES;

/// What huge row groups that were read may take in memory, all together, until clients have them: the largest goes alone.
pub const HUGE_HELD_BYTES: usize = BATCH_DECOMPRESSED_BYTES_MAX;

/// The largest batch that is rebuilt from the remote tier, unless one record alone is larger.
pub const REBUILT_BATCH_BYTES_MAX: usize = 1024 * 1024;

/// Producers that one partition remembers: any client may make up ids, and each is written with every snapshot. Beyond it
/// those go that were not heard of for longest. A client that is sent away so is as one whose id has expired.
pub const PRODUCERS_REMEMBERED_MAX: usize = 10_000;

/// Batches whose sequence numbers are remembered for each producer: a client has at most five in flight.
pub const PRODUCER_BATCHES_REMEMBERED: usize = 5;

/// What all groups together may take in memory. Those at rest leave it when it is short; the rest is some hundred thousand
/// members, or half a million offsets of groups at work.
pub const GROUP_MEMORY_BYTES_MAX: usize = 128 * 1024 * 1024;

/// What a group counts for at least.
pub const GROUP_BYTES_MIN: usize = 1024;

/// What commits that are not stored yet may take in memory, in KiB: the next wait for their turn.
pub const GROUP_COMMITS_KIB_MAX: usize = 32 * 1024;

/// Milliseconds that still fit an `i64` of microseconds, either side of 1970.
pub const TIMESTAMP_MS_MAX: i64 = i64::MAX / 1000;

const _: () = assert!(TIMESTAMP_MS_MAX.checked_mul(1000).is_some());
const _: () = assert!(HUGE_BYTES <= HUGE_HELD_BYTES);
const _: () = assert!(REBUILT_BATCH_BYTES_MAX <= ROW_GROUP_DECODED_BYTES);
