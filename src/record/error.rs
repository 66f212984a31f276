//! What can be wrong with the bytes of a batch.

/// The bytes are not a record batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Fewer bytes than the batch says it has.
    #[error("the batch is cut: {have} of {need} bytes")]
    Cut {
        /// Bytes there are.
        have: usize,
        /// Bytes there should be.
        need: usize,
    },
    /// A length that no batch can have.
    #[error("a batch cannot be {0} bytes long")]
    BadLength(i32),
    /// Not magic 2.
    #[error("magic {0} is not supported, only 2 is")]
    Magic(i8),
    /// The checksum differs.
    #[error("record is corrupt (stored crc = {stored}, computed crc = {computed})")]
    Crc {
        /// What the batch says.
        stored: u32,
        /// What its bytes say.
        computed: u32,
    },
    /// Codec bits that mean nothing.
    #[error("unknown compression codec {0}")]
    Codec(i16),
    /// The decompressor refused.
    #[error("{codec} cannot be decompressed: {reason}")]
    Compression {
        /// The codec's name.
        codec: &'static str,
        /// What it said.
        reason: String,
    },
    /// It would unfold to more than is allowed.
    #[error("the batch unfolds to more than {0} bytes")]
    Bomb(usize),
    /// A record does not parse.
    #[error("record {index}: {reason}")]
    Record {
        /// Which, from 0.
        index: i32,
        /// Why.
        reason: &'static str,
    },
    /// Bytes are left over behind the last record.
    #[error("bytes are left over behind the last record")]
    Trailing,
}
