//! The 61 bytes before the records of a v2 batch.
//!
//! Invariant: layout and meaning are Kafka's (`DefaultRecordBatch`): the checksum covers everything from the
//! attributes on, so base offset and leader epoch can be rewritten without touching it.

use bytes::{BufMut, BytesMut};

use crate::model::limits::BATCH_HEADER_BYTES;
use crate::model::{Codec, LeaderEpoch, Offset, ProducerId, TimestampType};

use super::error::BatchError;

/// Bytes of base offset and length, which the length itself does not count.
pub const LENGTH_PREFIX_BYTES: usize = 12;
/// Where the checksum lies.
pub(crate) const CRC_AT: usize = 17;
/// Where the checksummed bytes begin.
pub(crate) const CHECKED_AT: usize = 21;
/// Where the max timestamp lies.
pub(crate) const MAX_TIMESTAMP_AT: usize = 35;
/// The only magic that is written today.
const MAGIC: i8 = 2;
/// The least that the length field may say in any format; what says less is no batch, whatever its magic.
pub const BATCH_LENGTH_MIN: i32 = 14;

/// The attribute bits of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Attributes(pub i16);

impl Attributes {
    const CODEC_MASK: i16 = 0x07;
    const LOG_APPEND_TIME: i16 = 0x08;
    const TRANSACTIONAL: i16 = 0x10;
    const CONTROL: i16 = 0x20;

    /// How the records are packed.
    pub fn codec(self) -> Result<Codec, BatchError> {
        match self.0 & Self::CODEC_MASK {
            0 => Ok(Codec::None),
            1 => Ok(Codec::Gzip),
            2 => Ok(Codec::Snappy),
            3 => Ok(Codec::Lz4),
            4 => Ok(Codec::Zstd),
            other => Err(BatchError::Codec(other)),
        }
    }

    /// Which clock the timestamps come from.
    pub const fn timestamp_type(self) -> TimestampType {
        if self.0 & Self::LOG_APPEND_TIME == 0 { TimestampType::CreateTime } else { TimestampType::LogAppendTime }
    }

    /// Whether the batch belongs to a transaction.
    pub const fn is_transactional(self) -> bool {
        self.0 & Self::TRANSACTIONAL != 0
    }

    /// Whether it holds markers and not records.
    pub const fn is_control(self) -> bool {
        self.0 & Self::CONTROL != 0
    }

    /// The same with another codec.
    #[must_use]
    pub const fn with_codec(self, codec: Codec) -> Self {
        let bits = match codec {
            Codec::None => 0,
            Codec::Gzip => 1,
            Codec::Snappy => 2,
            Codec::Lz4 => 3,
            Codec::Zstd => 4,
        };
        Self(self.0 & !Self::CODEC_MASK | bits)
    }

    /// The same with another clock.
    #[must_use]
    pub const fn with_timestamp_type(self, kind: TimestampType) -> Self {
        match kind {
            TimestampType::CreateTime => Self(self.0 & !Self::LOG_APPEND_TIME),
            TimestampType::LogAppendTime => Self(self.0 | Self::LOG_APPEND_TIME),
        }
    }

    /// The same, part of a transaction.
    #[must_use]
    pub const fn transactional(self) -> Self {
        Self(self.0 | Self::TRANSACTIONAL)
    }

    /// The same, holding markers.
    #[must_use]
    pub const fn control(self) -> Self {
        Self(self.0 | Self::CONTROL)
    }
}

/// A parsed header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record.
    pub base_offset: Offset,
    /// Bytes behind this field.
    pub batch_length: i32,
    /// Epoch of the leader that appended it.
    pub leader_epoch: LeaderEpoch,
    /// Always 2.
    pub magic: i8,
    /// CRC32C of everything from the attributes on.
    pub crc: u32,
    /// Codec, clock, transaction, control.
    pub attributes: Attributes,
    /// Last offset minus base offset.
    pub last_offset_delta: i32,
    /// Timestamp that the records' deltas count from.
    pub base_timestamp_ms: i64,
    /// Greatest timestamp; under LogAppendTime that of all records.
    pub max_timestamp_ms: i64,
    /// Who wrote it, if idempotent.
    pub producer_id: ProducerId,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// Sequence number of the first record, or -1.
    pub base_sequence: i32,
    /// How many records.
    pub record_count: i32,
}

impl BatchHeader {
    /// Parses the first 61 bytes. Lengths are checked, the checksum is not.
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        let head: &[u8; BATCH_HEADER_BYTES] = bytes.first_chunk().ok_or(()).or_else(|()| cut_or_old(bytes))?;
        let at = Fields(head);
        let batch_length = i32::from_be_bytes(at.take(8));
        if batch_length < BATCH_LENGTH_MIN {
            return Err(BatchError::BadLength(batch_length));
        }
        let magic = i8::from_be_bytes(at.take(16));
        if magic != MAGIC {
            return Err(BatchError::Magic(magic));
        }
        let header = Self {
            base_offset: Offset::new(i64::from_be_bytes(at.take(0))),
            batch_length,
            leader_epoch: LeaderEpoch::new(i32::from_be_bytes(at.take(12))),
            magic,
            crc: u32::from_be_bytes(at.take(CRC_AT)),
            attributes: Attributes(i16::from_be_bytes(at.take(CHECKED_AT))),
            last_offset_delta: i32::from_be_bytes(at.take(23)),
            base_timestamp_ms: i64::from_be_bytes(at.take(27)),
            max_timestamp_ms: i64::from_be_bytes(at.take(MAX_TIMESTAMP_AT)),
            producer_id: ProducerId(i64::from_be_bytes(at.take(43))),
            producer_epoch: i16::from_be_bytes(at.take(51)),
            base_sequence: i32::from_be_bytes(at.take(53)),
            record_count: i32::from_be_bytes(at.take(57)),
        };
        if header.size_bytes() < BATCH_HEADER_BYTES {
            return Err(BatchError::BadLength(header.batch_length));
        }
        Ok(header)
    }

    /// The whole batch, in bytes.
    pub fn size_bytes(&self) -> usize {
        usize::try_from(self.batch_length).unwrap_or(0).saturating_add(LENGTH_PREFIX_BYTES)
    }

    /// Offset of the last record.
    pub fn last_offset(&self) -> Offset {
        self.base_offset + i64::from(self.last_offset_delta)
    }

    /// Offset behind the last record.
    pub fn next_offset(&self) -> Offset {
        self.last_offset().next()
    }

    /// Sequence number of the last record; numbers wrap from `i32::MAX` to 0. -1 without a sequence.
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence < 0 {
            return -1;
        }
        let last = i64::from(self.base_sequence) + i64::from(self.last_offset_delta);
        i32::try_from(last.rem_euclid(i64::from(i32::MAX) + 1)).unwrap_or(0)
    }

    /// The first bytes anew, up to the checksum: what an append rewrites.
    pub fn prefix(base_offset: Offset, batch_length: i32, epoch: LeaderEpoch) -> [u8; 16] {
        let mut prefix = [0; 16];
        let mut room = prefix.as_mut_slice();
        room.put_i64(base_offset.get());
        room.put_i32(batch_length);
        room.put_i32(epoch.get());
        prefix
    }

    /// Writes all 61 bytes.
    pub fn write(&self, to: &mut BytesMut) {
        to.put_slice(&Self::prefix(self.base_offset, self.batch_length, self.leader_epoch));
        to.put_i8(self.magic);
        to.put_u32(self.crc);
        to.put_i16(self.attributes.0);
        to.put_i32(self.last_offset_delta);
        to.put_i64(self.base_timestamp_ms);
        to.put_i64(self.max_timestamp_ms);
        to.put_i64(self.producer_id.0);
        to.put_i16(self.producer_epoch);
        to.put_i32(self.base_sequence);
        to.put_i32(self.record_count);
    }
}

/// Too short for a header: cut, or one of the old formats, whose magic lies at the same place.
fn cut_or_old(bytes: &[u8]) -> Result<&[u8; BATCH_HEADER_BYTES], BatchError> {
    match bytes.get(16) {
        Some(&magic @ (0 | 1)) => Err(BatchError::Magic(magic.cast_signed())),
        _ => Err(BatchError::Cut { have: bytes.len(), need: BATCH_HEADER_BYTES }),
    }
}

struct Fields<'a>(&'a [u8; BATCH_HEADER_BYTES]);

impl Fields<'_> {
    fn take<const N: usize>(&self, at: usize) -> [u8; N] {
        self.0.get(at..at + N).and_then(|field| field.try_into().ok()).expect("every field lies inside the header")
    }
}
