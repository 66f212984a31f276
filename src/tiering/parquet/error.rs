//! What can go wrong, one enum per operation.

use parquet::errors::ParquetError;

use crate::model::Offset;
use crate::model::limits::HEADERS_PER_RECORD_MAX;
use crate::record::BatchError;

/// A file was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A source batch does not parse.
    #[error("the batch at offset {base_offset} cannot be tiered: {source}")]
    Batch {
        /// The batch.
        base_offset: Offset,
        /// Why.
        source: BatchError,
    },
    /// Source batches do not come in order.
    #[error("offset {offset} follows offset {last}: batches must come in the log's order")]
    Order {
        /// The offset that is out of order.
        offset: Offset,
        /// The one before it.
        last: Offset,
    },
    /// A source batch lies outside the range.
    #[error("offset {offset} lies behind the end of the range, {end}")]
    OutOfRange {
        /// The offset.
        offset: Offset,
        /// The last one of the range.
        end: Offset,
    },
    /// A timestamp that microseconds of 64 bits do not hold.
    #[error("timestamp {timestamp_ms} ms at offset {offset} does not fit microseconds of 64 bits")]
    Timestamp {
        /// The record.
        offset: Offset,
        /// Its timestamp.
        timestamp_ms: i64,
    },
    /// More headers than can be made into columns in bounded memory.
    #[error(
        "the record at offset {offset} has {count} headers, more than the {HEADERS_PER_RECORD_MAX} that can be tiered: \
         only giving its range up with 'tier skip' lets the log go on into the bucket"
    )]
    Headers {
        /// The record.
        offset: Offset,
        /// How many.
        count: usize,
    },
    /// More row groups than a Parquet file may have.
    #[error("the range needs more than {0} row groups: tier it in smaller ranges")]
    TooManyRowGroups(usize),
    /// The encoder refused.
    #[error("the range cannot be written as Parquet: {0}")]
    Parquet(#[from] ParquetError),
    /// What was written does not read back as its source: nothing of it may count.
    #[error("what was written does not read back as the log has it: {0}")]
    NotTheSame(#[from] Difference),
    /// What was written does not read back.
    #[error("what was written does not read back: {0}")]
    Unreadable(#[from] DecodeError),
    /// The footer that was written does not read back.
    #[error("the footer was written and does not read back: {0}")]
    Footer(#[from] FooterError),
}

/// How a decoded row group differs from its source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// A record is missing, or one too many.
    #[error("{found} records instead of {expected}")]
    Count {
        /// As the source has it.
        expected: usize,
        /// As it was read.
        found: usize,
    },
    /// A record differs.
    #[error("the record at offset {offset} differs in its {what}")]
    Record {
        /// Which.
        offset: Offset,
        /// In what.
        what: &'static str,
    },
    /// A row is said to be of another partition.
    #[error("a row has another partition")]
    Partition,
    /// The footer says something else than what was counted.
    #[error("the footer differs in its {0}")]
    Footer(&'static str),
}

/// The end of a file is not a footer of ours.
#[derive(Debug, thiserror::Error)]
pub enum FooterError {
    /// The bytes given do not reach to the footer's beginning.
    #[error("the footer needs the last {need} bytes of the object, {have} were given")]
    NeedMore {
        /// Bytes from the end.
        need: usize,
        /// Bytes given.
        have: usize,
    },
    /// The object is not a Parquet file, or is cut.
    #[error("the object does not end as a Parquet file does: it is cut or something else")]
    NotParquet,
    /// It claims a size that no footer of ours has.
    #[error("a footer of {0} bytes is larger than any that this program writes")]
    TooLarge(usize),
    /// The checksum before the footer differs.
    #[error("the footer is damaged (stored crc = {stored}, computed crc = {computed})")]
    Crc {
        /// What the file says.
        stored: u32,
        /// What its bytes say.
        computed: u32,
    },
    /// Parquet's part does not parse.
    #[error("the Parquet footer does not parse: {0}")]
    Parquet(#[from] ParquetError),
    /// The mark before the footer, or the part of ours in it, is missing.
    #[error("the footer was not written by this program, or is damaged")]
    NotOurs,
    /// Our part does not parse.
    #[error("the `tidelog` key of the footer does not parse: {0}")]
    Json(String),
    /// A newer version wrote it.
    #[error("the file has format version {0}, this program reads up to 1: read it with a newer one")]
    Version(u64),
    /// Its parts contradict each other.
    #[error("the footer contradicts itself: {0}")]
    Inconsistent(&'static str),
}

/// A part of a file does not read as what its footer says.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// There is no such row group.
    #[error("row group {number} of {count} was asked for")]
    NoSuchRowGroup {
        /// Which was asked for.
        number: usize,
        /// How many there are.
        count: usize,
    },
    /// Not the bytes that the footer names.
    #[error("{have} bytes were given where {need} belong")]
    Length {
        /// Bytes given.
        have: usize,
        /// Bytes that belong there.
        need: usize,
    },
    /// The bytes are not those that were written.
    #[error("the bytes are damaged (stored crc = {stored}, computed crc = {computed})")]
    Crc {
        /// What the footer says.
        stored: u32,
        /// What the bytes say.
        computed: u32,
    },
    /// The decoder refused.
    #[error("the row group does not decode: {0}")]
    Parquet(#[from] ParquetError),
    /// It decodes to something that no writer of ours writes.
    #[error("the row group is not what its footer says: {0}")]
    Inconsistent(&'static str),
    /// Zstandard refused the producer snapshot.
    #[error("the producer snapshot does not unpack: {0}")]
    Snapshot(String),
}

/// Record batches could not be built.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The builder or the codec refused.
    #[error("the batch at offset {base_offset} cannot be built: {reason}")]
    Batch {
        /// The batch.
        base_offset: Offset,
        /// Why.
        reason: String,
    },
    /// The row group does not decode.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}
