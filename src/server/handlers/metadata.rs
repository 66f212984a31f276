//! Metadata: which topics and partitions there are, and who leads them.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{MetadataRequest, MetadataResponse, TopicName as WireTopicName};
use uuid::Uuid;

use super::wire::{CLUSTER_OPERATIONS, TOPIC_OPERATIONS, node_id, text};
use crate::broker::{Topic, Topics};
use crate::model::TopicName;
use crate::server::dispatch::Call;
use crate::server::errors::KafkaError;
use crate::server::front_end::{FrontEnd, Node, find_topic};

/// From this version on a topic may be named by its id alone.
const BY_ID: i16 = 12;
/// The version whose empty list of topics means all.
const EMPTY_IS_ALL: i16 = 0;

/// Describes the cluster and the topics asked for.
pub async fn handle(call: Arc<Call<FrontEnd>>, request: MetadataRequest) -> MetadataResponse {
    let state = call.state();
    let node = state.node();
    let shape = Shape { version: call.version, node: &node, operations: request.include_topic_authorized_operations };
    let asked = request.topics.filter(|topics| !(topics.is_empty() && call.version == EMPTY_IS_ALL));
    let topics = match asked {
        None => state.topics().iter().map(|topic| shape.topic(topic)).collect(),
        Some(asked) => {
            let mut topics = Vec::with_capacity(asked.len());
            for one in asked {
                topics.push(shape.asked(&state.topics(), one));
            }
            topics
        }
    };
    let mut response = MetadataResponse::default()
        .with_brokers(vec![shape.broker()])
        .with_controller_id(node_id(&node))
        .with_topics(topics);
    if call.version >= 2 {
        response.cluster_id = Some(text(node.cluster_id.clone()));
    }
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    response
}

/// What every part of the answer depends on.
struct Shape<'a> {
    version: i16,
    node: &'a Node,
    operations: bool,
}

impl Shape<'_> {
    fn broker(&self) -> MetadataResponseBroker {
        let mut broker = MetadataResponseBroker::default()
            .with_node_id(node_id(self.node))
            .with_host(text(self.node.host.clone()))
            .with_port(i32::from(self.node.port));
        if self.version >= 1 {
            broker.rack = self.node.rack.clone().map(text);
        }
        broker
    }

    fn asked(&self, topics: &Topics, asked: MetadataRequestTopic) -> MetadataResponseTopic {
        let id = (self.version >= BY_ID && !asked.topic_id.is_nil()).then_some(asked.topic_id);
        let name = asked.name.unwrap_or_default();
        match find_topic(topics, &name, id) {
            Ok(topic) => self.topic(topic),
            Err(error) => {
                let error = match TopicName::parse(&name) {
                    Err(bad) if id.is_none() => bad.kafka(),
                    _ => error,
                };
                self.missing(name, id, error)
            }
        }
    }

    fn missing(&self, name: WireTopicName, id: Option<Uuid>, error: ResponseError) -> MetadataResponseTopic {
        let mut response = MetadataResponseTopic::default().with_error_code(error.code());
        match id {
            Some(id) => response.topic_id = id,
            None => response.name = Some(name),
        }
        response
    }

    fn topic(&self, topic: &Topic) -> MetadataResponseTopic {
        let mut response =
            MetadataResponseTopic::default().with_name(Some(WireTopicName(text(topic.name.as_str())))).with_partitions(
                topic
                    .partitions
                    .iter()
                    .zip(0..)
                    .map(|(partition, number)| {
                        let mut response = MetadataResponsePartition::default()
                            .with_partition_index(number)
                            .with_leader_id(node_id(self.node))
                            .with_replica_nodes(vec![node_id(self.node)])
                            .with_isr_nodes(vec![node_id(self.node)]);
                        if self.version >= 7 {
                            response.leader_epoch = partition.leader_epoch().get();
                        }
                        response
                    })
                    .collect(),
            );
        if self.version >= 1 {
            response.is_internal = topic.is_internal();
        }
        if self.version >= 10 {
            response.topic_id = topic.id.uuid();
        }
        if self.operations {
            response.topic_authorized_operations = TOPIC_OPERATIONS;
        }
        response
    }
}
