//! What the handlers work on, and the table that names them.

use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::ApiKey;
use uuid::Uuid;

use super::dispatch::{Api, Start, Table, alone, at_once};
use super::fetch_session::FetchSessions;
use super::handlers::{
    alter_configs, api_versions, create_partitions, create_topics, delete_groups, delete_records, delete_topics,
    describe_cluster, describe_configs, describe_groups, describe_log_dirs, describe_producers,
    describe_topic_partitions, fetch, find_coordinator, heartbeat, incremental_alter_configs, init_producer_id,
    join_group, leave_group, list_groups, list_offsets, metadata, offset_commit, offset_delete, offset_fetch,
    offset_for_leader_epoch, produce, sync_group,
};
use crate::broker::{Broker, Topic, Topics};
use crate::clock::Clock;
use crate::model::settings::BrokerSettings;
use crate::model::{BrokerId, TopicId};
use crate::replication::Partition;

/// Who this broker says that it is.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its number.
    pub id: BrokerId,
    /// The cluster's id.
    pub cluster_id: String,
    /// The host that clients are told.
    pub host: String,
    /// The port that clients are told.
    pub port: u16,
    /// `broker.rack`.
    pub rack: Option<String>,
}

/// Bounds of a fetch that are the broker's.
#[derive(Clone, Copy, Debug)]
pub struct FetchLimits {
    /// `fetch.max.bytes`.
    pub bytes_max: usize,
    /// `max.incremental.fetch.session.cache.slots`.
    pub sessions_max: usize,
    /// `remote.fetch.max.wait.ms`.
    pub remote_wait_max: Duration,
}

impl From<&BrokerSettings> for FetchLimits {
    fn from(settings: &BrokerSettings) -> Self {
        Self {
            bytes_max: settings.count("fetch.max.bytes"),
            sessions_max: settings.count("max.incremental.fetch.session.cache.slots"),
            remote_wait_max: Duration::from_millis(settings.number("remote.fetch.max.wait.ms").unsigned_abs()),
        }
    }
}

/// What the handlers work on.
#[derive(Debug)]
pub struct FrontEnd {
    pub(super) broker: Arc<Broker>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) fetch_limits: FetchLimits,
    pub(super) fetch_sessions: FetchSessions,
}

impl FrontEnd {
    /// A front end to this broker.
    pub fn new(broker: Arc<Broker>, fetch_limits: FetchLimits) -> Self {
        let clock = Arc::clone(broker.clock());
        let fetch_sessions = FetchSessions::new(fetch_limits.sessions_max, clock.now_ms().unsigned_abs());
        Self { broker, clock, fetch_limits, fetch_sessions }
    }

    /// Who this broker is, as clients are told.
    pub(super) fn node(&self) -> Node {
        let advertised = self.broker.advertised();
        Node {
            id: self.broker.id(),
            cluster_id: self.broker.cluster_id().to_owned(),
            host: advertised.host.clone(),
            port: advertised.port,
            rack: self.broker.rack().map(str::to_owned),
        }
    }

    /// All topics now. One request looks once, so that its answers agree with each other.
    pub(super) fn topics(&self) -> Arc<Topics> {
        self.broker.topics()
    }
}

/// The topic that a request names, by id where its version has ids.
pub(super) fn find_topic<'a>(
    topics: &'a Topics,
    name: &str,
    id: Option<Uuid>,
) -> Result<&'a Arc<Topic>, ResponseError> {
    match id {
        Some(id) => topics.by_id(TopicId::from_uuid(id)).ok_or(ResponseError::UnknownTopicId),
        None => topics.by_name(name).ok_or(ResponseError::UnknownTopicOrPartition),
    }
}

/// The partition that a request names.
pub(super) fn find_partition<'a>(
    topic: &Result<&'a Arc<Topic>, ResponseError>,
    partition: i32,
) -> Result<&'a Arc<Partition>, ResponseError> {
    let topic: &'a Arc<Topic> = (*topic)?;
    topic.partition(partition).ok_or(ResponseError::UnknownTopicOrPartition)
}

/// What is served, in which versions. Newer ones than the wire crate decodes are not promised.
pub fn table() -> Table<FrontEnd> {
    let row = |key, min, max, start: Start<FrontEnd>| Api { key, min, max, start };
    Table::new(vec![
        row(ApiKey::Produce, 3, 13, produce::start),
        row(ApiKey::Fetch, 4, 18, fetch::start),
        row(ApiKey::ListOffsets, 1, 10, |call, body| alone(call, body, list_offsets::handle)),
        row(ApiKey::Metadata, 0, 13, |call, body| alone(call, body, metadata::handle)),
        row(ApiKey::FindCoordinator, 0, 6, |call, body| at_once(call, body, find_coordinator::handle)),
        row(ApiKey::OffsetCommit, 2, 9, |call, body| alone(call, body, offset_commit::handle)),
        row(ApiKey::OffsetFetch, 1, 9, |call, body| alone(call, body, offset_fetch::handle)),
        row(ApiKey::JoinGroup, 0, 9, |call, body| alone(call, body, join_group::handle)),
        row(ApiKey::SyncGroup, 0, 5, |call, body| alone(call, body, sync_group::handle)),
        row(ApiKey::Heartbeat, 0, 4, |call, body| alone(call, body, heartbeat::handle)),
        row(ApiKey::LeaveGroup, 0, 5, |call, body| alone(call, body, leave_group::handle)),
        row(ApiKey::ListGroups, 0, 5, |call, body| alone(call, body, list_groups::handle)),
        row(ApiKey::DescribeGroups, 0, 6, |call, body| alone(call, body, describe_groups::handle)),
        row(ApiKey::DeleteGroups, 0, 2, |call, body| alone(call, body, delete_groups::handle)),
        row(ApiKey::OffsetDelete, 0, 0, |call, body| alone(call, body, offset_delete::handle)),
        row(ApiKey::CreateTopics, 2, 7, |call, body| alone(call, body, create_topics::handle)),
        row(ApiKey::DeleteTopics, 1, 6, |call, body| alone(call, body, delete_topics::handle)),
        row(ApiKey::DeleteRecords, 0, 2, |call, body| alone(call, body, delete_records::handle)),
        row(ApiKey::InitProducerId, 0, 5, |call, body| alone(call, body, init_producer_id::handle)),
        row(ApiKey::DescribeConfigs, 1, 4, |call, body| at_once(call, body, describe_configs::handle)),
        row(ApiKey::AlterConfigs, 0, 2, |call, body| alone(call, body, alter_configs::handle)),
        row(ApiKey::DescribeLogDirs, 1, 4, |call, body| at_once(call, body, describe_log_dirs::handle)),
        row(ApiKey::CreatePartitions, 0, 3, |call, body| alone(call, body, create_partitions::handle)),
        row(ApiKey::IncrementalAlterConfigs, 0, 1, |call, body| alone(call, body, incremental_alter_configs::handle)),
        row(ApiKey::OffsetForLeaderEpoch, 2, 4, |call, body| at_once(call, body, offset_for_leader_epoch::handle)),
        row(ApiKey::DescribeCluster, 0, 2, |call, body| at_once(call, body, describe_cluster::handle)),
        row(ApiKey::DescribeProducers, 0, 0, |call, body| at_once(call, body, describe_producers::handle)),
        row(ApiKey::DescribeTopicPartitions, 0, 0, |call, body| at_once(call, body, describe_topic_partitions::handle)),
        row(ApiKey::ApiVersions, 0, 4, |call, body| at_once(call, body, api_versions::handle)),
    ])
}
