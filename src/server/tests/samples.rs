//! One filled request of each kind that is served, in any version: what hostile frames are made from. Its arrays hold
//! something, so that those inside of them are there too.

use bytes::Bytes;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::bench::{batch, fetch, id_of, produce, topic};
use super::wire::frame_of;

fn word(word: &'static str) -> StrBytes {
    StrBytes::from_static_str(word)
}

fn group() -> GroupId {
    GroupId(word("g"))
}

/// The frame, without its length.
pub fn sample(key: ApiKey, version: i16) -> Bytes {
    let v = version;
    match key {
        ApiKey::Produce => sent(&produce(-1, v, batch(&["a", "b"])), v),
        ApiKey::Fetch => sent(&fetch_with_forgotten(v), v),
        ApiKey::ListOffsets => sent(&list_offsets(), v),
        ApiKey::Metadata => {
            let asked = metadata_request::MetadataRequestTopic::default().with_name(Some(topic("orders")));
            sent(&MetadataRequest::default().with_topics(Some(vec![asked])), v)
        }
        ApiKey::ApiVersions => sent(&api_versions(v), v),
        ApiKey::FindCoordinator => sent(&find_coordinator(v), v),
        ApiKey::DescribeCluster => sent(&DescribeClusterRequest::default(), v),
        ApiKey::DescribeProducers => {
            let asked = describe_producers_request::TopicRequest::default();
            let asked = asked.with_name(topic("orders")).with_partition_indexes(vec![0, 1]);
            sent(&DescribeProducersRequest::default().with_topics(vec![asked]), v)
        }
        ApiKey::DescribeTopicPartitions => {
            let asked = describe_topic_partitions_request::TopicRequest::default().with_name(topic("orders"));
            let cursor = describe_topic_partitions_request::Cursor::default().with_topic_name(topic("orders"));
            let request = DescribeTopicPartitionsRequest::default().with_topics(vec![asked]);
            sent(&request.with_response_partition_limit(10).with_cursor(Some(cursor)), v)
        }
        ApiKey::OffsetForLeaderEpoch => sent(&offset_for_leader_epoch(), v),
        ApiKey::InitProducerId => sent(&InitProducerIdRequest::default().with_transactional_id(None), v),
        _ => change(key, v),
    }
}

fn sent<R: kafka_protocol::protocol::Request>(request: &R, version: i16) -> Bytes {
    frame_of(request, version, 1).slice(4..)
}

fn change(key: ApiKey, v: i16) -> Bytes {
    match key {
        ApiKey::CreateTopics => sent(&create_topics(), v),
        ApiKey::DeleteTopics => {
            let state = delete_topics_request::DeleteTopicState::default();
            let states = vec![state.clone().with_name(Some(topic("nope"))), state.with_name(None)];
            let request = DeleteTopicsRequest::default();
            let request =
                if v >= 6 { request.with_topics(states) } else { request.with_topic_names(vec![topic("nope")]) };
            sent(&request, v)
        }
        ApiKey::CreatePartitions => {
            let brokers = create_partitions_request::CreatePartitionsAssignment::default();
            let brokers = brokers.with_broker_ids(vec![BrokerId(9)]);
            let asked = create_partitions_request::CreatePartitionsTopic::default();
            let asked = asked.with_name(topic("orders")).with_count(3).with_assignments(Some(vec![brokers]));
            sent(&CreatePartitionsRequest::default().with_topics(vec![asked]), v)
        }
        ApiKey::DeleteRecords => {
            let partition = delete_records_request::DeleteRecordsPartition::default();
            let asked = delete_records_request::DeleteRecordsTopic::default();
            let asked = asked.with_name(topic("orders")).with_partitions(vec![partition]);
            sent(&DeleteRecordsRequest::default().with_topics(vec![asked]), v)
        }
        ApiKey::DescribeConfigs => {
            let resource = describe_configs_request::DescribeConfigsResource::default();
            let resource = resource.with_resource_type(2).with_resource_name(word("orders"));
            let resource = resource.with_configuration_keys(Some(vec![word("retention.ms")]));
            sent(&DescribeConfigsRequest::default().with_resources(vec![resource]), v)
        }
        ApiKey::AlterConfigs => {
            let config = alter_configs_request::AlterableConfig::default();
            let config = config.with_name(word("retention.ms")).with_value(Some(word("5000")));
            let resource = alter_configs_request::AlterConfigsResource::default();
            let resource = resource.with_resource_type(2).with_resource_name(word("orders")).with_configs(vec![config]);
            sent(&AlterConfigsRequest::default().with_resources(vec![resource]), v)
        }
        ApiKey::IncrementalAlterConfigs => {
            let config = incremental_alter_configs_request::AlterableConfig::default();
            let config = config.with_name(word("retention.ms")).with_value(Some(word("5000")));
            let resource = incremental_alter_configs_request::AlterConfigsResource::default();
            let resource = resource.with_resource_type(2).with_resource_name(word("orders")).with_configs(vec![config]);
            sent(&IncrementalAlterConfigsRequest::default().with_resources(vec![resource]), v)
        }
        ApiKey::DescribeLogDirs => {
            let asked = describe_log_dirs_request::DescribableLogDirTopic::default();
            let asked = asked.with_topic(topic("orders")).with_partitions(vec![0]);
            sent(&DescribeLogDirsRequest::default().with_topics(Some(vec![asked])), v)
        }
        _ => of_groups(key, v),
    }
}

fn of_groups(key: ApiKey, v: i16) -> Bytes {
    match key {
        ApiKey::JoinGroup => {
            let protocol = join_group_request::JoinGroupRequestProtocol::default().with_name(word("range"));
            let request = JoinGroupRequest::default().with_group_id(group()).with_session_timeout_ms(30_000);
            sent(&request.with_protocol_type(word("consumer")).with_protocols(vec![protocol]), v)
        }
        ApiKey::SyncGroup => {
            let share = sync_group_request::SyncGroupRequestAssignment::default().with_member_id(word("m"));
            sent(&SyncGroupRequest::default().with_group_id(group()).with_assignments(vec![share]), v)
        }
        ApiKey::Heartbeat => sent(&HeartbeatRequest::default().with_group_id(group()), v),
        ApiKey::LeaveGroup => {
            let member = leave_group_request::MemberIdentity::default().with_member_id(word("m"));
            let request = LeaveGroupRequest::default().with_group_id(group());
            let request = if v >= 3 { request.with_members(vec![member]) } else { request.with_member_id(word("m")) };
            sent(&request, v)
        }
        ApiKey::OffsetCommit => {
            let partition = offset_commit_request::OffsetCommitRequestPartition::default();
            let asked = offset_commit_request::OffsetCommitRequestTopic::default();
            let asked = asked.with_name(topic("orders")).with_partitions(vec![partition]);
            sent(&OffsetCommitRequest::default().with_group_id(group()).with_topics(vec![asked]), v)
        }
        ApiKey::OffsetFetch => sent(&offset_fetch(v), v),
        ApiKey::ListGroups => {
            let request = ListGroupsRequest::default();
            sent(&if v >= 4 { request.with_states_filter(vec![word("Stable")]) } else { request }, v)
        }
        ApiKey::DescribeGroups => sent(&DescribeGroupsRequest::default().with_groups(vec![group()]), v),
        ApiKey::DeleteGroups => sent(&DeleteGroupsRequest::default().with_groups_names(vec![group()]), v),
        ApiKey::OffsetDelete => {
            let partition = offset_delete_request::OffsetDeleteRequestPartition::default();
            let asked = offset_delete_request::OffsetDeleteRequestTopic::default();
            let asked = asked.with_name(topic("orders")).with_partitions(vec![partition]);
            sent(&OffsetDeleteRequest::default().with_group_id(group()).with_topics(vec![asked]), v)
        }
        other => panic!("{other:?} is served and has no sample here"),
    }
}

fn fetch_with_forgotten(v: i16) -> FetchRequest {
    let request = fetch(v, &[(0, 0), (1, 0)], 0);
    if v < 7 {
        return request;
    }
    let mut forgotten = fetch_request::ForgottenTopic::default().with_partitions(vec![0]);
    if v >= 13 {
        forgotten.topic_id = id_of(1);
    } else {
        forgotten.topic = topic("orders");
    }
    request.with_forgotten_topics_data(vec![forgotten])
}

fn list_offsets() -> ListOffsetsRequest {
    let partition = list_offsets_request::ListOffsetsPartition::default().with_timestamp(-1);
    let asked = list_offsets_request::ListOffsetsTopic::default();
    let asked = asked.with_name(topic("orders")).with_partitions(vec![partition]);
    ListOffsetsRequest::default().with_topics(vec![asked])
}

fn api_versions(v: i16) -> ApiVersionsRequest {
    let request = ApiVersionsRequest::default();
    if v < 3 {
        return request;
    }
    request.with_client_software_name(word("a")).with_client_software_version(word("1"))
}

fn find_coordinator(v: i16) -> FindCoordinatorRequest {
    let request = FindCoordinatorRequest::default();
    if v >= 4 { request.with_coordinator_keys(vec![word("g")]) } else { request.with_key(word("g")) }
}

fn offset_for_leader_epoch() -> OffsetForLeaderEpochRequest {
    let partition = offset_for_leader_epoch_request::OffsetForLeaderPartition::default();
    let asked = offset_for_leader_epoch_request::OffsetForLeaderTopic::default();
    let asked = asked.with_topic(topic("orders")).with_partitions(vec![partition]);
    OffsetForLeaderEpochRequest::default().with_topics(vec![asked])
}

fn create_topics() -> CreateTopicsRequest {
    let brokers = create_topics_request::CreatableReplicaAssignment::default().with_broker_ids(vec![BrokerId(9)]);
    let config = create_topics_request::CreatableTopicConfig::default().with_name(word("retention.ms"));
    let asked = create_topics_request::CreatableTopic::default().with_name(topic("new"));
    let asked = asked.with_assignments(vec![brokers]).with_configs(vec![config]);
    CreateTopicsRequest::default().with_topics(vec![asked]).with_validate_only(true)
}

fn offset_fetch(v: i16) -> OffsetFetchRequest {
    if v < 8 {
        let asked = offset_fetch_request::OffsetFetchRequestTopic::default();
        let asked = asked.with_name(topic("orders")).with_partition_indexes(vec![0]);
        return OffsetFetchRequest::default().with_group_id(group()).with_topics(Some(vec![asked]));
    }
    let asked = offset_fetch_request::OffsetFetchRequestTopics::default();
    let asked = if v >= 10 { asked.with_topic_id(Uuid::nil()) } else { asked.with_name(topic("orders")) };
    let asked = asked.with_partition_indexes(vec![0]);
    let one = offset_fetch_request::OffsetFetchRequestGroup::default().with_group_id(group());
    OffsetFetchRequest::default().with_groups(vec![one.with_topics(Some(vec![asked]))])
}
