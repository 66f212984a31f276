//! DescribeTopicPartitions (KIP-966): topics by name, partition by partition, in pages.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_topic_partitions_request::{Cursor as AskedCursor, TopicRequest};
use kafka_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use kafka_protocol::messages::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, TopicName as WireTopicName,
};

use super::wire::{TOPIC_OPERATIONS, node_id, text};
use crate::broker::{Topic, Topics};
use crate::model::TopicName;
use crate::server::dispatch::Call;
use crate::server::errors::KafkaError;
use crate::server::front_end::{FrontEnd, Node};

/// `max.request.partition.size.limit`: partitions of one page.
const PARTITIONS_MAX: i32 = 2000;

/// One page, from the cursor on.
pub fn handle(call: &Call<FrontEnd>, request: DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse {
    let topics = call.state().topics();
    let node = call.state().node();
    if let Some(cursor) = &request.cursor
        && !points_somewhere(cursor, &request.topics)
    {
        let refused = request.topics.into_iter().map(|topic| {
            DescribeTopicPartitionsResponseTopic::default()
                .with_error_code(ResponseError::InvalidRequest.code())
                .with_name(Some(topic.name))
        });
        return DescribeTopicPartitionsResponse::default().with_topics(refused.collect());
    }
    let (from_topic, from_partition) =
        request.cursor.map_or((String::new(), 0), |cursor| (cursor.topic_name.to_string(), cursor.partition_index));
    let names = names_from(&topics, request.topics.into_iter().map(|topic| topic.name.to_string()), &from_topic);
    let mut room = request.response_partition_limit.clamp(1, PARTITIONS_MAX);
    let mut response = DescribeTopicPartitionsResponse::default();
    for name in names {
        let first = if name == from_topic { from_partition } else { 0 };
        let Some(topic) = topics.by_name(&name) else {
            response.topics.push(missing(&name));
            continue;
        };
        let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        if room == 0 {
            response.next_cursor = Some(cursor(name, first));
            break;
        }
        let end = count.min(first.saturating_add(room));
        response.topics.push(described(topic, first..end, &node));
        room -= (end - first).max(0);
        if end < count {
            response.next_cursor = Some(cursor(name, end));
            break;
        }
    }
    response
}

/// Whether a cursor names a place in what is asked for.
fn points_somewhere(cursor: &AskedCursor, topics: &[TopicRequest]) -> bool {
    cursor.partition_index >= 0 && (topics.is_empty() || topics.iter().any(|topic| topic.name == cursor.topic_name))
}

/// The names asked for, or all, sorted, from the cursor's on.
fn names_from(topics: &Topics, asked: impl Iterator<Item = String>, from: &str) -> Vec<String> {
    let mut names: Vec<String> = asked.collect();
    if names.is_empty() {
        return topics.from_name(from).map(|topic| topic.name.as_str().to_owned()).collect();
    }
    names.sort_unstable();
    names.dedup();
    names.retain(|name| name.as_str() >= from);
    names
}

fn cursor(name: String, partition: i32) -> Cursor {
    Cursor::default().with_topic_name(WireTopicName(text(name))).with_partition_index(partition)
}

fn missing(name: &str) -> DescribeTopicPartitionsResponseTopic {
    let error = TopicName::parse(name).err().map_or(ResponseError::UnknownTopicOrPartition, |bad| bad.kafka());
    DescribeTopicPartitionsResponseTopic::default()
        .with_error_code(error.code())
        .with_name(Some(WireTopicName(text(name))))
        .with_topic_authorized_operations(TOPIC_OPERATIONS)
}

fn described(topic: &Topic, numbers: std::ops::Range<i32>, node: &Node) -> DescribeTopicPartitionsResponseTopic {
    let partitions = numbers.filter_map(|number| {
        let partition = topic.partition(number)?;
        Some(
            DescribeTopicPartitionsResponsePartition::default()
                .with_partition_index(number)
                .with_leader_id(node_id(node))
                .with_leader_epoch(partition.leader_epoch().get())
                .with_replica_nodes(vec![node_id(node)])
                .with_isr_nodes(vec![node_id(node)])
                .with_eligible_leader_replicas(Some(Vec::new()))
                .with_last_known_elr(Some(Vec::new())),
        )
    });
    DescribeTopicPartitionsResponseTopic::default()
        .with_name(Some(WireTopicName(text(topic.name.as_str()))))
        .with_topic_id(topic.id.uuid())
        .with_is_internal(topic.is_internal())
        .with_partitions(partitions.collect())
        .with_topic_authorized_operations(TOPIC_OPERATIONS)
}
