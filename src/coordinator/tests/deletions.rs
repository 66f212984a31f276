//! Groups, offsets and topics that are deleted.

use super::bench::{Bench, topic_id, tp};
use crate::coordinator::TopicOffsets;
use crate::coordinator::group::*;

fn orders(partitions: &[i32]) -> Vec<TopicOffsets> {
    vec![TopicOffsets { topic_id: topic_id(), topic: "orders".to_owned(), partitions: partitions.to_vec() }]
}

#[tokio::test]
async fn a_deleted_group_leaves_nothing() {
    let bench = Bench::start().await;
    bench.commit("g", 0, 1).await.unwrap();
    bench.commit("other", 0, 1).await.unwrap();
    assert_eq!(bench.coordinator.delete_group("g").await, Ok(()));
    assert_eq!(bench.coordinator.delete_group("g").await, Err(GroupError::GroupIdNotFound));
    assert_eq!(bench.in_catalog("g", 0).await, None);
    let left: Vec<_> = bench.coordinator.list().await.unwrap().into_iter().map(|group| group.group_id).collect();
    assert_eq!(left, ["other"]);
    bench.stable("busy", 1).await;
    assert_eq!(bench.coordinator.delete_group("busy").await, Err(GroupError::NonEmptyGroup));
    let bench = bench.restart().await;
    assert_eq!(bench.committed("g", 0).await, None);
    assert_eq!(bench.committed("other", 0).await, Some(1));
}

#[tokio::test]
async fn offsets_are_deleted_unless_members_read_the_topic() {
    let bench = Bench::start().await;
    for partition in 0..3 {
        bench.commit("g", partition, 1).await.unwrap();
    }
    assert_eq!(bench.coordinator.delete_offsets("g", &orders(&[0, 2, 7])).await, Ok(vec![Ok(())]));
    assert_eq!(bench.coordinator.delete_offsets("nope", &orders(&[0])).await, Err(GroupError::GroupIdNotFound));
    let bench = bench.restart().await;
    let left = bench.coordinator.offsets("g", None).await.unwrap();
    assert_eq!(left.iter().map(|(partition, _)| *partition).collect::<Vec<_>>(), [tp(1)]);
    bench.stable("g", 1).await;
    let refused = bench.coordinator.delete_offsets("g", &orders(&[1])).await;
    assert_eq!(refused, Ok(vec![Err(GroupError::GroupSubscribedToTopic)]));
    assert_eq!(bench.committed("g", 1).await, Some(1));
}

#[tokio::test]
async fn a_deleted_topic_is_forgotten_by_all_groups() {
    let bench = Bench::start().await;
    for group in ["g", "h"] {
        bench.commit(group, 0, 1).await.unwrap();
    }
    bench.coordinator.topic_deleted(topic_id()).await;
    assert_eq!((bench.committed("g", 0).await, bench.committed("h", 0).await), (None, None));
}
