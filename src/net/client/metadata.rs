//! What a cluster says of itself.

use std::collections::BTreeMap;

use kafka_protocol::messages::metadata_response::MetadataResponse;

use super::error::KafkaError;

/// A cluster at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterMetadata {
    /// Its id.
    pub cluster_id: Option<String>,
    /// Who decides about topics; none known is −1.
    pub controller_id: i32,
    /// Its brokers, `host:port` by number.
    pub brokers: BTreeMap<i32, String>,
    /// The topics that were asked for, by name.
    pub topics: BTreeMap<String, TopicMetadata>,
}

/// A topic at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicMetadata {
    /// Its id, where the broker has ids.
    pub id: Option<String>,
    /// Whether it is the cluster's own.
    pub is_internal: bool,
    /// Why nothing else is known of it.
    pub error: Option<KafkaError>,
    /// Its partitions, by number.
    pub partitions: BTreeMap<i32, PartitionMetadata>,
}

/// A partition at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionMetadata {
    /// Who leads; −1 is nobody.
    pub leader: i32,
    /// In which epoch; −1 is not known.
    pub leader_epoch: i32,
    /// Who has a copy.
    pub replicas: Vec<i32>,
    /// Whose copy is up to date.
    pub in_sync: Vec<i32>,
}

impl ClusterMetadata {
    /// Who leads a partition; none where nobody does or there is no such partition.
    pub fn leader(&self, topic: &str, partition: i32) -> Option<i32> {
        let leader = self.topics.get(topic)?.partitions.get(&partition)?.leader;
        (leader >= 0).then_some(leader)
    }
}

impl From<MetadataResponse> for ClusterMetadata {
    fn from(response: MetadataResponse) -> Self {
        let brokers = response.brokers.iter();
        let topics = response.topics.into_iter().filter_map(|topic| {
            let name = topic.name.as_ref()?.to_string();
            let partitions = topic.partitions.iter().map(|partition| {
                let ids = |ids: &[kafka_protocol::messages::BrokerId]| ids.iter().map(|id| id.0).collect();
                let metadata = PartitionMetadata {
                    leader: partition.leader_id.0,
                    leader_epoch: partition.leader_epoch,
                    replicas: ids(&partition.replica_nodes),
                    in_sync: ids(&partition.isr_nodes),
                };
                (partition.partition_index, metadata)
            });
            let id = (!topic.topic_id.is_nil()).then(|| crate::model::TopicId::from_uuid(topic.topic_id).to_string());
            let error = KafkaError::check(format!("topic '{name}'"), topic.error_code, None).err();
            let metadata =
                TopicMetadata { id, is_internal: topic.is_internal, error, partitions: partitions.collect() };
            Some((name, metadata))
        });
        Self {
            cluster_id: response.cluster_id.as_ref().map(ToString::to_string),
            controller_id: response.controller_id.0,
            brokers: brokers.map(|broker| (broker.node_id.0, format!("{}:{}", broker.host, broker.port))).collect(),
            topics: topics.collect(),
        }
    }
}
