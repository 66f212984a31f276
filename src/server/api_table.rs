//! THE table: which requests are answered, in which versions, by which handler. It stands above the handlers; what they work
//! on stands below them.

use kafka_protocol::messages::ApiKey;

use super::dispatch::{Api, Start, Table, alone, at_once};
use super::front_end::FrontEnd;
use super::handlers::{
    alter_configs, api_versions, create_partitions, create_topics, delete_groups, delete_records, delete_topics,
    describe_cluster, describe_configs, describe_groups, describe_log_dirs, describe_producers,
    describe_topic_partitions, fetch, find_coordinator, heartbeat, incremental_alter_configs, init_producer_id,
    join_group, leave_group, list_groups, list_offsets, metadata, offset_commit, offset_delete, offset_fetch,
    offset_for_leader_epoch, produce, sync_group,
};

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
