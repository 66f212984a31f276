//! Makes batches: for records that come back from the bucket, for a topic with a codec of its own, for markers, for
//! tests.
//!
//! Invariant: what is built parses, has the right checksum, and its max timestamp is the greatest of its records.

use bytes::{Bytes, BytesMut};

use crate::model::limits::BATCH_HEADER_BYTES;
use crate::model::{Codec, LeaderEpoch, Offset, ProducerId, TimestampType};

use super::codec;
use super::error::BatchError;
use super::header::{Attributes, BatchHeader, CHECKED_AT, CRC_AT, LENGTH_PREFIX_BYTES};
use super::valid::ValidBatch;
use super::varint::{put_varlong, varlong_bytes};

/// What a batch can count: its length is an `i32`.
const BATCH_BYTES_MAX: usize = 0x7fff_ffff;

/// Whose batch it is and how it is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchSpec {
    /// Offset of the first record, whether or not it is pushed: a compacted batch may begin with a gap.
    pub base_offset: Offset,
    /// The epoch that it was appended in.
    pub leader_epoch: LeaderEpoch,
    /// How to pack it.
    pub codec: Codec,
    /// The codec's level; its default where there is none.
    pub level: Option<i32>,
    /// Which clock. Under LogAppendTime all records must have one timestamp.
    pub timestamp_type: TimestampType,
    /// The idempotent producer, its epoch and the first sequence number.
    pub producer: Option<(ProducerId, i16, i32)>,
    /// Further attribute bits: transactional, control.
    pub attributes: Attributes,
}

impl BatchSpec {
    /// A plain batch at `base_offset`.
    pub fn plain(base_offset: Offset, leader_epoch: LeaderEpoch, codec: Codec) -> Self {
        Self {
            base_offset,
            leader_epoch,
            codec,
            level: None,
            timestamp_type: TimestampType::CreateTime,
            producer: None,
            attributes: Attributes::default(),
        }
    }
}

/// A record does not fit any more: the batch has as many offsets or bytes as it can count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the batch is full")]
pub struct BatchFull;

/// Collects records.
#[derive(Debug)]
pub struct BatchBuilder {
    spec: BatchSpec,
    /// Room for the header, then the records: an unpacked batch is built where it is collected.
    bytes: Vec<u8>,
    bytes_max: usize,
    count: i32,
    base_timestamp_ms: i64,
    max_timestamp_ms: i64,
    last_offset_delta: i32,
}

impl BatchBuilder {
    /// An empty batch.
    pub fn new(spec: BatchSpec) -> Self {
        Self::with_capacity(spec, 0)
    }

    /// An empty batch with room for so many bytes, header included.
    pub fn with_capacity(spec: BatchSpec, bytes: usize) -> Self {
        let mut room = Vec::with_capacity(bytes.max(BATCH_HEADER_BYTES));
        room.resize(BATCH_HEADER_BYTES, 0);
        Self {
            spec,
            bytes: room,
            bytes_max: BATCH_BYTES_MAX,
            count: 0,
            base_timestamp_ms: -1,
            max_timestamp_ms: -1,
            last_offset_delta: 0,
        }
    }

    /// How many records it has.
    pub fn len(&self) -> usize {
        usize::try_from(self.count).unwrap_or(0)
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of the batch so far, unpacked, its header included.
    pub fn size_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// From now on a record that would make it larger than this, unpacked, is not taken.
    pub fn limit(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max.min(BATCH_BYTES_MAX);
    }

    /// Adds a record. Offsets must rise, and lie at or above the base offset. What does not fit changes nothing.
    pub fn push<'h, H>(
        &mut self,
        offset: Offset,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: H,
    ) -> Result<(), BatchFull>
    where
        H: Iterator<Item = (&'h str, Option<&'h [u8]>)> + Clone,
    {
        let delta = i32::try_from(offset - self.spec.base_offset).map_err(|_| BatchFull)?;
        let base_timestamp_ms = if self.count == 0 { timestamp_ms } else { self.base_timestamp_ms };
        let timestamp_delta = timestamp_ms.wrapping_sub(base_timestamp_ms);
        let header_count = headers.clone().count();
        let body = 1
            + varlong_bytes(timestamp_delta)
            + varlong_bytes(i64::from(delta))
            + nullable_bytes(key)
            + nullable_bytes(value)
            + varlong_bytes(wide(header_count))
            + headers
                .clone()
                .map(|(name, value)| nullable_bytes(Some(name.as_bytes())) + nullable_bytes(value))
                .sum::<usize>();
        let size = varlong_bytes(wide(body)) + body;
        if size > self.bytes_max.saturating_sub(self.bytes.len()) {
            return Err(BatchFull);
        }
        self.count = self.count.checked_add(1).ok_or(BatchFull)?;
        self.bytes.reserve(size);
        put_varlong(&mut self.bytes, wide(body));
        self.bytes.push(0);
        put_varlong(&mut self.bytes, timestamp_delta);
        put_varlong(&mut self.bytes, i64::from(delta));
        self.put_nullable(key);
        self.put_nullable(value);
        put_varlong(&mut self.bytes, wide(header_count));
        for (name, value) in headers {
            self.put_nullable(Some(name.as_bytes()));
            self.put_nullable(value);
        }
        self.max_timestamp_ms = if self.count == 1 { timestamp_ms } else { self.max_timestamp_ms.max(timestamp_ms) };
        self.base_timestamp_ms = base_timestamp_ms;
        self.last_offset_delta = delta;
        Ok(())
    }

    /// Has the batch reach to `last_offset`, though its last record lies before: a gap that it covers.
    pub fn cover(&mut self, last_offset: Offset) -> Result<(), BatchFull> {
        let delta = i32::try_from(last_offset - self.spec.base_offset).map_err(|_| BatchFull)?;
        self.last_offset_delta = self.last_offset_delta.max(delta);
        Ok(())
    }

    #[inline]
    fn put_nullable(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            None => put_varlong(&mut self.bytes, -1),
            Some(bytes) => {
                put_varlong(&mut self.bytes, wide(bytes.len()));
                self.bytes.extend_from_slice(bytes);
            }
        }
    }

    /// The batch, packed and sealed.
    pub fn build(self) -> Result<ValidBatch, BatchError> {
        let header = self.header();
        if self.spec.codec == Codec::None {
            return Ok(sealed_in_place(header, self.bytes));
        }
        let records = self.bytes.get(BATCH_HEADER_BYTES..).unwrap_or_default();
        Ok(sealed(header, &codec::compress(self.spec.codec, self.spec.level, records)?))
    }

    fn header(&self) -> BatchHeader {
        let (producer_id, producer_epoch, base_sequence) = self.spec.producer.unwrap_or((ProducerId::NONE, -1, -1));
        BatchHeader {
            base_offset: self.spec.base_offset,
            batch_length: 0,
            leader_epoch: self.spec.leader_epoch,
            magic: 2,
            crc: 0,
            attributes: self.spec.attributes.with_codec(self.spec.codec).with_timestamp_type(self.spec.timestamp_type),
            last_offset_delta: self.last_offset_delta,
            base_timestamp_ms: self.base_timestamp_ms,
            max_timestamp_ms: self.max_timestamp_ms,
            producer_id,
            producer_epoch,
            base_sequence,
            record_count: self.count,
        }
    }

    /// The batch's bytes.
    pub fn build_bytes(self) -> Result<Bytes, BatchError> {
        Ok(self.build()?.bytes().clone())
    }
}

/// Writes header and payload as one batch, with the right length and checksum.
pub(super) fn sealed(header: BatchHeader, payload: &[u8]) -> ValidBatch {
    let mut bytes = Vec::with_capacity(BATCH_HEADER_BYTES + payload.len());
    bytes.resize(BATCH_HEADER_BYTES, 0);
    bytes.extend_from_slice(payload);
    sealed_in_place(header, bytes)
}

/// Writes the header into the room before the payload, with the right length and checksum.
fn sealed_in_place(mut header: BatchHeader, mut bytes: Vec<u8>) -> ValidBatch {
    header.batch_length = i32::try_from(bytes.len() - LENGTH_PREFIX_BYTES).expect("a push keeps the batch below 2 GiB");
    let mut head = BytesMut::with_capacity(BATCH_HEADER_BYTES);
    header.write(&mut head);
    if let Some(room) = bytes.get_mut(..BATCH_HEADER_BYTES) {
        room.copy_from_slice(&head);
    }
    header.crc = crc32c::crc32c(bytes.get(CHECKED_AT..).unwrap_or_default());
    if let Some(crc) = bytes.get_mut(CRC_AT..CHECKED_AT) {
        crc.copy_from_slice(&header.crc.to_be_bytes());
    }
    ValidBatch::new(header, Bytes::from(bytes))
}

#[inline]
fn wide(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

#[inline]
fn nullable_bytes(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| varlong_bytes(wide(bytes.len())) + bytes.len())
}
