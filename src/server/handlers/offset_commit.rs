//! OffsetCommit: how far a group has come. Answered when it is stored.

use std::sync::Arc;

use kafka_protocol::messages::offset_commit_request::OffsetCommitRequestPartition;
use kafka_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use kafka_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse, TopicName};

use super::by_topic::CodesByTopic;
use super::wire::{code_of_error, epoch_of};
use crate::broker::Topics;
use crate::coordinator::group::{CommitRequest, GroupError, OffsetToCommit};
use crate::model::{Offset, TopicPartition};
use crate::server::dispatch::Call;
use crate::server::front_end::{FrontEnd, find_partition, find_topic};

/// Up to this version a commit may say how long it is to be kept.
const RETENTION_MAX: i16 = 4;
/// The broker's own retention.
const RETENTION_DEFAULT: i64 = -1;
/// From this version on a group that does not exist is called so.
const GROUP_ID_NOT_FOUND: i16 = 9;

/// Commits what is committed to partitions that there are.
pub async fn handle(call: Arc<Call<FrontEnd>>, request: OffsetCommitRequest) -> OffsetCommitResponse {
    let mut codes = CodesByTopic::default();
    let (places, offsets) = known(&call.state().topics(), &request, &mut codes);
    if !offsets.is_empty() {
        let commit = CommitRequest {
            member_id: request.member_id.to_string(),
            group_instance_id: request.group_instance_id.as_deref().map(str::to_owned),
            generation: request.generation_id_or_member_epoch,
            retention_ms: (call.version <= RETENTION_MAX && request.retention_time_ms != RETENTION_DEFAULT)
                .then_some(request.retention_time_ms),
            offsets,
        };
        let outcomes = match call.state().broker.coordinator().commit(&request.group_id, commit).await {
            Ok(outcomes) => outcomes,
            Err(GroupError::GroupIdNotFound) if call.version < GROUP_ID_NOT_FOUND => {
                vec![Err(GroupError::IllegalGeneration); places.len()]
            }
            Err(error) => vec![Err(error); places.len()],
        };
        for ((topic, partition), outcome) in places.iter().zip(outcomes) {
            codes.add(topic, *partition, code_of_error(&outcome));
        }
    }
    answer(codes)
}

type Known = (Vec<(TopicName, i32)>, Vec<OffsetToCommit>);

/// The offsets of partitions that there are, with their places; the others are refused.
fn known(topics: &Topics, request: &OffsetCommitRequest, codes: &mut CodesByTopic) -> Known {
    let (mut places, mut offsets) = (Vec::new(), Vec::new());
    for topic in &request.topics {
        let found = find_topic(topics, &topic.name, None);
        for one in &topic.partitions {
            match find_partition(&found, one.partition_index) {
                Ok(partition) => {
                    places.push((topic.name.clone(), one.partition_index));
                    offsets.push(offset_of(partition.tp(), one));
                }
                Err(error) => codes.add(&topic.name, one.partition_index, error.code()),
            }
        }
    }
    (places, offsets)
}

fn offset_of(partition: TopicPartition, one: &OffsetCommitRequestPartition) -> OffsetToCommit {
    OffsetToCommit {
        partition,
        offset: Offset::new(one.committed_offset),
        leader_epoch: epoch_of(one.committed_leader_epoch).filter(|epoch| epoch.get() >= 0),
        metadata: one.committed_metadata.as_deref().unwrap_or_default().to_owned(),
    }
}

fn answer(codes: CodesByTopic) -> OffsetCommitResponse {
    let topics = codes.into_topics().into_iter().map(|(name, partitions)| {
        let partitions = partitions.into_iter().map(|(partition, code)| {
            OffsetCommitResponsePartition::default().with_partition_index(partition).with_error_code(code)
        });
        OffsetCommitResponseTopic::default().with_name(name).with_partitions(partitions.collect())
    });
    OffsetCommitResponse::default().with_topics(topics.collect())
}
