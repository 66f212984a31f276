//! OffsetDelete: a group gives up what it has committed of partitions that none of its members reads.

use std::sync::Arc;

use kafka_protocol::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use kafka_protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse, TopicName};

use super::by_topic::CodesByTopic;
use super::wire::code_of_error;
use crate::broker::Topics;
use crate::coordinator::TopicOffsets;
use crate::coordinator::group::GroupError;
use crate::server::dispatch::Call;
use crate::server::errors::KafkaError;
use crate::server::front_end::{FrontEnd, find_partition, find_topic};

/// Deletes what is committed to partitions that there are.
pub async fn handle(call: Arc<Call<FrontEnd>>, request: OffsetDeleteRequest) -> OffsetDeleteResponse {
    let failed = |error: GroupError| OffsetDeleteResponse::default().with_error_code(error.kafka().code());
    if request.group_id.is_empty() {
        return failed(GroupError::InvalidGroupId);
    }
    let mut codes = CodesByTopic::default();
    let (names, topics) = known(&call.state().topics(), &request, &mut codes);
    match call.state().broker.coordinator().delete_offsets(&request.group_id, &topics).await {
        Err(error) => failed(error),
        Ok(outcomes) => {
            for ((name, topic), outcome) in names.iter().zip(&topics).zip(outcomes) {
                topic.partitions.iter().for_each(|number| codes.add(name, *number, code_of_error(&outcome)));
            }
            answer(codes)
        }
    }
}

fn known(
    topics: &Topics,
    request: &OffsetDeleteRequest,
    codes: &mut CodesByTopic,
) -> (Vec<TopicName>, Vec<TopicOffsets>) {
    let (mut names, mut known) = (Vec::new(), Vec::new());
    for asked in &request.topics {
        let topic = find_topic(topics, &asked.name, None);
        let mut partitions = Vec::new();
        for one in &asked.partitions {
            match find_partition(&topic, one.partition_index) {
                Ok(_) => partitions.push(one.partition_index),
                Err(error) => codes.add(&asked.name, one.partition_index, error.code()),
            }
        }
        if let (Ok(topic), false) = (&topic, partitions.is_empty()) {
            names.push(asked.name.clone());
            known.push(TopicOffsets { topic_id: topic.id, topic: topic.name.to_string(), partitions });
        }
    }
    (names, known)
}

fn answer(codes: CodesByTopic) -> OffsetDeleteResponse {
    let topics = codes.into_topics().into_iter().map(|(name, partitions)| {
        let partitions = partitions.into_iter().map(|(partition, code)| {
            OffsetDeleteResponsePartition::default().with_partition_index(partition).with_error_code(code)
        });
        OffsetDeleteResponseTopic::default().with_name(name).with_partitions(partitions.collect())
    });
    OffsetDeleteResponse::default().with_topics(topics.collect())
}
