//! What the Kafka front end reports. One function per observation.

use std::time::Duration;

use kafka_protocol::messages::ApiKey;
use metrics::{counter, histogram};

/// A request of a kind that is served.
pub(super) fn request_received(api: ApiKey) {
    counter!("tidelog_server_requests_total", "api" => api_name(api)).increment(1);
}

/// A request whose reply can leave, and how long that took, with all that it waited for.
pub(super) fn request_answered(api: ApiKey, took: Duration) {
    histogram!("tidelog_server_request_seconds", "api" => api_name(api)).record(took);
}

/// A request that closed its connection.
pub(super) fn request_refused() {
    counter!("tidelog_server_requests_refused_total").increment(1);
}

/// A partition of a request was not served, by the disk or the bucket. Why is told where it happens, not by every client
/// that tries again.
pub(super) fn partition_failed(api: ApiKey) {
    counter!("tidelog_server_failed_partitions_total", "api" => api_name(api)).increment(1);
}

/// A fetch was answered without what it wanted of the bucket.
pub(super) fn remote_fetch_expired() {
    counter!("kafka_server_delayedremotefetchmetrics_expires_total").increment(1);
}

fn api_name(api: ApiKey) -> &'static str {
    match api {
        ApiKey::Produce => "Produce",
        ApiKey::Fetch => "Fetch",
        ApiKey::ListOffsets => "ListOffsets",
        ApiKey::Metadata => "Metadata",
        ApiKey::OffsetCommit => "OffsetCommit",
        ApiKey::OffsetFetch => "OffsetFetch",
        ApiKey::FindCoordinator => "FindCoordinator",
        ApiKey::JoinGroup => "JoinGroup",
        ApiKey::Heartbeat => "Heartbeat",
        ApiKey::LeaveGroup => "LeaveGroup",
        ApiKey::SyncGroup => "SyncGroup",
        ApiKey::DescribeGroups => "DescribeGroups",
        ApiKey::ListGroups => "ListGroups",
        ApiKey::ApiVersions => "ApiVersions",
        ApiKey::CreateTopics => "CreateTopics",
        ApiKey::DeleteTopics => "DeleteTopics",
        ApiKey::DeleteRecords => "DeleteRecords",
        ApiKey::InitProducerId => "InitProducerId",
        ApiKey::OffsetForLeaderEpoch => "OffsetForLeaderEpoch",
        ApiKey::DescribeConfigs => "DescribeConfigs",
        ApiKey::AlterConfigs => "AlterConfigs",
        ApiKey::IncrementalAlterConfigs => "IncrementalAlterConfigs",
        ApiKey::DescribeLogDirs => "DescribeLogDirs",
        ApiKey::CreatePartitions => "CreatePartitions",
        ApiKey::DeleteGroups => "DeleteGroups",
        ApiKey::OffsetDelete => "OffsetDelete",
        ApiKey::DescribeCluster => "DescribeCluster",
        ApiKey::DescribeProducers => "DescribeProducers",
        ApiKey::DescribeTopicPartitions => "DescribeTopicPartitions",
        _ => "Other",
    }
}
