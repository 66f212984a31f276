//! Rows that tests write.

use std::collections::BTreeMap;

use tidelog::catalog::{NewSegmentRow, NewTopicRow, SegmentContent};
use tidelog::model::{BrokerId, LeaderEpoch, Offset, TopicId, TopicName, TopicPartition};
use ulid::Ulid;
use uuid::Uuid;

pub const BROKER: BrokerId = BrokerId(1);

pub fn topic_id(n: u128) -> TopicId {
    TopicId::from_uuid(Uuid::from_u128(n))
}

/// Two partitions, tiered from the start, led by [`BROKER`] in epoch 0.
pub fn topic(name: &str, n: u128) -> NewTopicRow {
    NewTopicRow {
        id: topic_id(n),
        name: TopicName::parse(name).unwrap(),
        partitions: 2,
        configs: BTreeMap::from([("retention.ms".to_owned(), "5".to_owned())]),
        leader: BROKER,
        leader_epoch: 0,
        tiered: true,
    }
}

pub fn tp(n: u128) -> TopicPartition {
    TopicPartition::new(topic_id(n), 0)
}

/// An object of `[base, end]`; the same range and generation make the same ulid.
pub fn segment(tp: TopicPartition, base: i64, end: i64, epoch: i32) -> NewSegmentRow {
    rewrite(tp, base, end, epoch, 0)
}

pub fn rewrite(tp: TopicPartition, base: i64, end: i64, epoch: i32, generation: i64) -> NewSegmentRow {
    let place = u128::try_from((generation << 40) + (base << 20) + end).unwrap();
    NewSegmentRow {
        id: Ulid::from_parts(u64::try_from(tp.partition).unwrap(), place),
        tp,
        base: Offset::new(base),
        end: Offset::new(end),
        leader_epoch: LeaderEpoch::new(epoch),
        generation,
        object_key: format!("{base}-{end}-{epoch}-{generation}"),
        incarnation: 1,
        start_number: 1,
    }
}

/// What an object of so many bytes of log holds.
pub fn content(log_size_bytes: u64, max_timestamp_ms: i64) -> SegmentContent {
    SegmentContent {
        object_size_bytes: log_size_bytes / 2,
        log_size_bytes,
        record_count: 1,
        min_timestamp_ms: 0,
        max_timestamp_ms,
        row_groups: vec![1, 2, 3],
        digest: vec![0; 32],
    }
}

pub fn epoch(n: i32) -> LeaderEpoch {
    LeaderEpoch::new(n)
}

pub fn offset(n: i64) -> Offset {
    Offset::new(n)
}
