//! Metadata: which topics and partitions there are, and who leads them.

use std::collections::HashSet;
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse, TopicName as WireTopicName};
use uuid::Uuid;

use super::wire::{CLUSTER_OPERATIONS, TOPIC_OPERATIONS, node_id, text};
use crate::broker::{Topic, Topics};
use crate::model::TopicName;
use crate::server::dispatch::Call;
use crate::server::front_end::{FrontEnd, Node, find_topic};

/// From this version on a topic may be named by its id alone.
const BY_ID: i16 = 12;
/// From this version on a client says whether missing topics may be made.
const ASKS_FOR_CREATION: i16 = 4;
/// The version whose empty list of topics means all.
const EMPTY_IS_ALL: i16 = 0;

/// Describes the cluster and the topics asked for; makes those that are missing, where broker and client want that.
pub async fn handle(call: Arc<Call<FrontEnd>>, request: MetadataRequest) -> MetadataResponse {
    let state = call.state();
    let node = state.node();
    let shape = Shape { version: call.version, node: &node, operations: request.include_topic_authorized_operations };
    let asked = request.topics.filter(|topics| !(topics.is_empty() && call.version == EMPTY_IS_ALL));
    let may_create = call.version < ASKS_FOR_CREATION || request.allow_auto_topic_creation;
    let topics = match asked {
        None => state.topics().iter().map(|topic| shape.topic(topic)).collect(),
        Some(asked) => {
            let asked = match keys_of(call.version, asked) {
                Ok(asked) => asked,
                Err(refused) => return refused,
            };
            if may_create {
                create_missing(state, &asked).await;
            }
            let topics = state.topics();
            asked.into_iter().map(|key| shape.asked(&topics, key)).collect()
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

/// A topic as a client names it.
enum Key {
    Name(WireTopicName),
    Id(Uuid),
}

/// The topics that are asked for, each once. As in Kafka, names do not count beside ids.
fn keys_of(version: i16, asked: Vec<MetadataRequestTopic>) -> Result<Vec<Key>, MetadataResponse> {
    let impossible = |topic: &MetadataRequestTopic| match (&topic.name, topic.topic_id.is_nil()) {
        (None, true) => true,
        (name, by_name) => version < BY_ID && (name.is_none() || !by_name),
    };
    if asked.iter().any(impossible) {
        return Err(refused(version, asked));
    }
    let mut seen = HashSet::new();
    if asked.iter().any(|topic| !topic.topic_id.is_nil()) {
        let ids = asked.iter().map(|topic| topic.topic_id).filter(|id| !id.is_nil());
        return Ok(ids.filter(|id| seen.insert(*id)).map(Key::Id).collect());
    }
    let mut seen = HashSet::new();
    let names = asked.into_iter().filter_map(|topic| topic.name);
    Ok(names.filter(|name| seen.insert(name.clone())).map(Key::Name).collect())
}

/// The answer to a request that names topics as its version cannot: nothing but errors.
fn refused(version: i16, asked: Vec<MetadataRequestTopic>) -> MetadataResponse {
    let topics = asked.into_iter().map(|topic| {
        let mut response = MetadataResponseTopic::default()
            .with_error_code(ResponseError::InvalidRequest.code())
            .with_name(Some(topic.name.unwrap_or_default()));
        if version >= 10 {
            response.topic_id = topic.topic_id;
        }
        response
    });
    MetadataResponse::default().with_controller_id(BrokerId(-1)).with_topics(topics.collect())
}

/// Makes the topics that are missing. Why one could not be made is for the operator: the client is told that it is not
/// there.
async fn create_missing(state: &FrontEnd, asked: &[Key]) {
    let topics = state.topics();
    let missing = asked.iter().filter_map(|key| match key {
        Key::Name(name) if topics.by_name(name).is_none() => Some(name.to_string()),
        Key::Name(_) | Key::Id(_) => None,
    });
    let missing: Vec<String> = missing.collect();
    if missing.is_empty() || !state.broker.may_create_topics_by_themselves() {
        return;
    }
    for (name, error) in state.broker.auto_create_topics(missing).await {
        tracing::info!(topic = name, %error, "a topic that a client asked for was not made");
    }
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

    fn asked(&self, topics: &Topics, key: Key) -> MetadataResponseTopic {
        let (found, missing) = match key {
            Key::Id(id) => {
                let missing = MetadataResponseTopic::default().with_name(None).with_topic_id(id);
                (find_topic(topics, "", Some(id)), missing)
            }
            Key::Name(name) => {
                let found = match find_topic(topics, &name, None) {
                    Err(_) if TopicName::parse(&name).is_err() => Err(ResponseError::InvalidTopicException),
                    found => found,
                };
                (found, MetadataResponseTopic::default().with_name(Some(name)))
            }
        };
        match found {
            Ok(topic) => self.topic(topic),
            Err(error) => self.with_operations(missing.with_error_code(error.code())),
        }
    }

    /// Whether a topic is there or not, the client may do the same with it.
    fn with_operations(&self, mut response: MetadataResponseTopic) -> MetadataResponseTopic {
        let named = response.error_code == 0 || response.error_code == ResponseError::UnknownTopicOrPartition.code();
        if self.operations && named {
            response.topic_authorized_operations = TOPIC_OPERATIONS;
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
        self.with_operations(response)
    }
}
