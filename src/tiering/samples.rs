//! Values that the room's tests share.

use std::sync::Arc;

use ulid::Ulid;
use uuid::Uuid;

use super::remote_segment::RemoteSegment;
use crate::model::{LeaderEpoch, Offset, TopicId, TopicName, TopicPartition};
use crate::object_storage::{DataName, key};

/// Partition 0 of a topic of that number.
pub fn partition(number: u128) -> TopicPartition {
    TopicPartition::new(TopicId::from_uuid(Uuid::from_u128(number)), 0)
}

/// A segment that stands for `[base, end]`.
pub fn segment(base: i64, end: i64) -> Arc<RemoteSegment> {
    let id = Ulid(u128::try_from(base).unwrap() << 64 | u128::try_from(end).unwrap());
    let name = DataName {
        topic: TopicName::parse("orders").unwrap(),
        partition: partition(1),
        base_offset: Offset::new(base),
        end_offset: Offset::new(end),
        leader_epoch: LeaderEpoch::new(1),
        generation: 0,
        ulid: id,
    };
    Arc::new(RemoteSegment {
        id,
        tp: partition(1),
        base: Offset::new(base),
        end: Offset::new(end),
        leader_epoch: LeaderEpoch::new(1),
        generation: 0,
        key: key::data(&name),
        object_size_bytes: 100,
        footer_bytes: 10,
        log_size_bytes: 200,
        record_count: (end - base + 1).unsigned_abs(),
        max_timestamp_ms: end,
    })
}
