//! Transaction markers: control batches of one record whose key says commit or abort (KIP-98).

use bytes::{BufMut, BytesMut};

use crate::model::{Codec, LeaderEpoch, Offset, ProducerId, TimestampType};

use super::builder::{BatchBuilder, BatchSpec};
use super::error::BatchError;
use super::header::Attributes;
use super::valid::ValidBatch;
use super::view::BatchView;

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its records count.
    Commit,
    /// They do not.
    Abort,
}

/// A marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    /// How the transaction ended.
    pub outcome: Outcome,
    /// The epoch of the coordinator that decided.
    pub coordinator_epoch: i32,
}

/// Builds the batch that marks the end of a producer's transaction. With producer id -1 it marks nothing and only
/// covers offsets.
pub fn build(
    base_offset: Offset,
    leader_epoch: LeaderEpoch,
    producer: (ProducerId, i16),
    marker: Marker,
    timestamp_ms: i64,
) -> Result<ValidBatch, BatchError> {
    let mut builder = BatchBuilder::new(spec(base_offset, leader_epoch, producer));
    push(&mut builder, base_offset, marker, timestamp_ms)?;
    builder.build()
}

/// A COMMIT marker of nobody that covers `[base_offset, last_offset]`: clients step over it to the end of a gap.
pub fn gap(base_offset: Offset, last_offset: Offset, leader_epoch: LeaderEpoch) -> Result<ValidBatch, BatchError> {
    let mut builder = BatchBuilder::new(spec(base_offset, leader_epoch, (ProducerId::NONE, -1)));
    push(&mut builder, base_offset, Marker { outcome: Outcome::Commit, coordinator_epoch: 0 }, -1)?;
    // A gap of more offsets than a batch can count is stepped over in several.
    let last_offset = last_offset.min(base_offset + i64::from(i32::MAX));
    builder.cover(last_offset).map_err(|_| BatchError::BadLength(i32::MAX))?;
    builder.build()
}

fn spec(base_offset: Offset, leader_epoch: LeaderEpoch, (id, epoch): (ProducerId, i16)) -> BatchSpec {
    let attributes = Attributes::default().control();
    BatchSpec {
        base_offset,
        leader_epoch,
        codec: Codec::None,
        level: None,
        timestamp_type: TimestampType::CreateTime,
        producer: Some((id, epoch, -1)),
        attributes: if id.is_some() { attributes.transactional() } else { attributes },
    }
}

fn push(builder: &mut BatchBuilder, offset: Offset, marker: Marker, timestamp_ms: i64) -> Result<(), BatchError> {
    let mut key = BytesMut::with_capacity(4);
    key.put_i16(0);
    key.put_i16(match marker.outcome {
        Outcome::Abort => 0,
        Outcome::Commit => 1,
    });
    let mut value = BytesMut::with_capacity(6);
    value.put_i16(0);
    value.put_i32(marker.coordinator_epoch);
    builder
        .push(offset, timestamp_ms, Some(&key), Some(&value), std::iter::empty())
        .map_err(|_| BatchError::BadLength(i32::MAX))
}

/// Reads the marker of a control batch; `None` for control records of a kind that is not known.
pub fn parse(batch: &BatchView<'_>) -> Result<Option<Marker>, BatchError> {
    let records = batch.records()?;
    let Some(record) = records.iter().next().transpose()? else { return Ok(None) };
    let outcome = match record.key.and_then(|key| key.get(2..4)) {
        Some([0, 0]) => Outcome::Abort,
        Some([0, 1]) => Outcome::Commit,
        _ => return Ok(None),
    };
    let coordinator_epoch = record.value.and_then(|value| value.get(2..6)).and_then(|epoch| epoch.try_into().ok());
    Ok(coordinator_epoch.map(|epoch| Marker { outcome, coordinator_epoch: i32::from_be_bytes(epoch) }))
}
