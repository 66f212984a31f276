//! Groups: which there are, who is in them, how far they have come, and changing that while nobody is in them.
//!
//! # Retries
//! A coordinator that is only coming up is asked again for a while; nothing that changes anything is asked twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use kafka_protocol::messages::delete_groups_request::DeleteGroupsRequest;
use kafka_protocol::messages::describe_groups_request::DescribeGroupsRequest;
use kafka_protocol::messages::describe_groups_response::DescribedGroupMember;
use kafka_protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use kafka_protocol::messages::list_groups_request::ListGroupsRequest;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequest;
use kafka_protocol::messages::{ConsumerProtocolAssignment, GroupId};
use kafka_protocol::protocol::Decodable;

use super::cluster::{KafkaClient, text, topic_name};
use super::connection::ClientConnection;
use super::error::{ClientError, KafkaError};

/// How long a coordinator may come up.
const RETRY: Duration = Duration::from_secs(10);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(200);
/// Newer versions ask for several groups at once.
const FIND_COORDINATOR: i16 = 3;
const OFFSET_FETCH: i16 = 7;
/// Newer versions name a group that is not there an error; before, it is one that is dead.
const DESCRIBE_GROUPS: i16 = 5;
const OFFSET_COMMIT: i16 = 8;

/// A group in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedGroup {
    /// Its name.
    pub group: String,
    /// Kafka's word for its state; empty where the broker does not say.
    pub state: String,
    /// What its members have in common: `consumer`, `connect`, …
    pub protocol_type: String,
}

/// A group and who is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupDescription {
    /// Kafka's word for its state: `Dead` is one that is not there.
    pub state: String,
    /// What its members have in common.
    pub protocol_type: String,
    /// How partitions are shared out.
    pub protocol: String,
    /// Who is in it.
    pub members: Vec<GroupMember>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    /// Its id.
    pub member_id: String,
    /// A static member's name.
    pub instance_id: Option<String>,
    /// What its client calls itself.
    pub client_id: String,
    /// Where it connects from.
    pub host: String,
    /// What it reads; empty where that is not a consumer's assignment.
    pub partitions: BTreeMap<String, Vec<i32>>,
}

/// Committed offsets: by topic and partition.
pub type Committed = BTreeMap<(String, i32), i64>;

impl KafkaClient {
    /// Every group, of every broker.
    pub async fn groups(&self) -> Result<Vec<ListedGroup>, ClientError> {
        let brokers: Vec<i32> = self.metadata(Some(&[])).await?.brokers.into_keys().collect();
        let mut groups = Vec::new();
        for broker in brokers {
            let connection = self.broker(broker).await?;
            let version = connection.version::<ListGroupsRequest>(5)?;
            let response = connection.call(&ListGroupsRequest::default(), version, Duration::ZERO).await?;
            KafkaError::check("groups", response.error_code, None)?;
            groups.extend(response.groups.into_iter().map(|group| ListedGroup {
                group: group.group_id.to_string(),
                state: group.group_state.to_string(),
                protocol_type: group.protocol_type.to_string(),
            }));
        }
        groups.sort_by(|one, other| one.group.cmp(&other.group));
        Ok(groups)
    }

    /// One group, and who is in it.
    pub async fn group(&self, group: &str) -> Result<GroupDescription, ClientError> {
        let connection = self.coordinator(group).await?;
        let version = connection.version::<DescribeGroupsRequest>(DESCRIBE_GROUPS)?;
        let request = DescribeGroupsRequest::default().with_groups(vec![group_id(group)]);
        let response = connection.call(&request, version, Duration::ZERO).await?;
        let Some(found) = response.groups.into_iter().next() else { return Ok(GroupDescription::default()) };
        KafkaError::check(subject(group), found.error_code, found.error_message.as_deref())?;
        Ok(GroupDescription {
            state: found.group_state.to_string(),
            protocol_type: found.protocol_type.to_string(),
            protocol: found.protocol_data.to_string(),
            members: found.members.into_iter().map(member).collect(),
        })
    }

    /// How far a group has come, wherever it has committed.
    pub async fn committed(&self, group: &str) -> Result<Committed, ClientError> {
        let connection = self.coordinator(group).await?;
        let version = connection.version::<OffsetFetchRequest>(OFFSET_FETCH)?;
        let request = OffsetFetchRequest::default().with_group_id(group_id(group)).with_topics(None);
        let response = connection.call(&request, version, Duration::ZERO).await?;
        KafkaError::check(subject(group), response.error_code, None)?;
        let mut committed = Committed::new();
        for topic in response.topics {
            for partition in topic.partitions {
                let number = partition.partition_index;
                KafkaError::check(format!("{}-{number}", topic.name.as_str()), partition.error_code, None)?;
                if partition.committed_offset >= 0 {
                    committed.insert((topic.name.to_string(), number), partition.committed_offset);
                }
            }
        }
        Ok(committed)
    }

    /// Commits offsets for a group that nobody is in.
    pub async fn commit(&self, group: &str, offsets: &Committed) -> Result<(), ClientError> {
        let connection = self.coordinator(group).await?;
        let version = connection.version::<OffsetCommitRequest>(OFFSET_COMMIT)?;
        let partitions = |topic: &str| {
            let of_topic = offsets.iter().filter(|((name, _), _)| name == topic);
            let partition = |((_, number), offset): (&(String, i32), &i64)| {
                OffsetCommitRequestPartition::default().with_partition_index(*number).with_committed_offset(*offset)
            };
            of_topic.map(partition).collect()
        };
        let topics = names(offsets.keys()).into_iter().map(|topic| {
            OffsetCommitRequestTopic::default().with_name(topic_name(topic)).with_partitions(partitions(topic))
        });
        let request = OffsetCommitRequest::default().with_group_id(group_id(group)).with_topics(topics.collect());
        let response = connection.call(&request, version, Duration::ZERO).await?;
        for topic in response.topics {
            for partition in topic.partitions {
                let place = format!("group '{group}', {}-{}", topic.name.as_str(), partition.partition_index);
                KafkaError::check(place, partition.error_code, None)?;
            }
        }
        Ok(())
    }

    /// Forgets what a group has committed for partitions that none of its members reads.
    pub async fn forget(&self, group: &str, partitions: &[(String, i32)]) -> Result<(), ClientError> {
        let connection = self.coordinator(group).await?;
        let version = connection.version::<OffsetDeleteRequest>(0)?;
        let topics = names(partitions.iter()).into_iter().map(|topic| {
            let of_topic = partitions.iter().filter(|(name, _)| name == topic);
            let partition =
                |(_, number): &(String, i32)| OffsetDeleteRequestPartition::default().with_partition_index(*number);
            OffsetDeleteRequestTopic::default()
                .with_name(topic_name(topic))
                .with_partitions(of_topic.map(partition).collect())
        });
        let request = OffsetDeleteRequest::default().with_group_id(group_id(group)).with_topics(topics.collect());
        let response = connection.call(&request, version, Duration::ZERO).await?;
        KafkaError::check(subject(group), response.error_code, None)?;
        for topic in response.topics {
            for partition in topic.partitions {
                let place = format!("group '{group}', {}-{}", topic.name.as_str(), partition.partition_index);
                KafkaError::check(place, partition.error_code, None)?;
            }
        }
        Ok(())
    }

    /// Removes a group that nobody is in, with all that it has committed.
    pub async fn delete_group(&self, group: &str) -> Result<(), ClientError> {
        let connection = self.coordinator(group).await?;
        let version = connection.version::<DeleteGroupsRequest>(2)?;
        let request = DeleteGroupsRequest::default().with_groups_names(vec![group_id(group)]);
        let response = connection.call(&request, version, Duration::ZERO).await?;
        for result in response.results {
            KafkaError::check(subject(group), result.error_code, None)?;
        }
        Ok(())
    }

    /// The broker that coordinates a group.
    async fn coordinator(&self, group: &str) -> Result<Arc<ClientConnection>, ClientError> {
        let deadline = self.clock().monotonic() + RETRY;
        loop {
            let request = FindCoordinatorRequest::default().with_key(text(group)).with_key_type(0);
            let found = self.ask_any(&request, FIND_COORDINATOR).await?;
            match KafkaError::check(subject(group), found.error_code, found.error_message.as_deref()) {
                Ok(()) => return self.connection(&format!("{}:{}", found.host.as_str(), found.port)).await,
                Err(error) if !error.is_retriable() || self.clock().monotonic() >= deadline => {
                    return Err(error.into());
                }
                Err(_) => self.clock().sleep(PAUSE).await,
            }
        }
    }
}

fn subject(group: &str) -> String {
    format!("group '{group}'")
}

fn group_id(group: &str) -> GroupId {
    GroupId(text(group))
}

/// The topics among these partitions, each once.
fn names<'a>(partitions: impl Iterator<Item = &'a (String, i32)>) -> Vec<&'a str> {
    let mut names: Vec<&str> = partitions.map(|(topic, _)| topic.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn member(member: DescribedGroupMember) -> GroupMember {
    GroupMember {
        member_id: member.member_id.to_string(),
        instance_id: member.group_instance_id.map(|instance| instance.to_string()),
        client_id: member.client_id.to_string(),
        host: member.client_host.to_string(),
        partitions: assignment(member.member_assignment).unwrap_or_default(),
    }
}

/// What a consumer was given; none where it is something else.
fn assignment(mut bytes: Bytes) -> Option<BTreeMap<String, Vec<i32>>> {
    let version = bytes.try_get_i16().ok()?;
    let assignment = ConsumerProtocolAssignment::decode(&mut bytes, version.clamp(0, 3)).ok()?;
    Some(assignment.assigned_partitions.into_iter().map(|one| (one.topic.to_string(), one.partitions)).collect())
}
