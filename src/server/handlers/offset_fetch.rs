//! OffsetFetch: how far groups have come, by their own commits.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse, TopicName};

use super::wire::text;
use crate::coordinator::group::{CommittedOffset, GroupError};
use crate::model::TopicPartition;
use crate::server::dispatch::Call;
use crate::server::errors::KafkaError;
use crate::server::front_end::FrontEnd;

/// From this version on the answer has an error of its own, not only its partitions.
const GROUP_ERROR: i16 = 2;
/// From this version on many groups are asked for at once.
const BATCHED: i16 = 8;

/// The partitions that are asked for; all that the group has committed where nobody says.
type Wanted = Option<Vec<(TopicName, Vec<i32>)>>;
/// What is answered, topic by topic.
type Found = Vec<(TopicName, Vec<(i32, Option<CommittedOffset>)>)>;

/// Answers from what is stored.
pub async fn handle(call: Arc<Call<FrontEnd>>, request: OffsetFetchRequest) -> OffsetFetchResponse {
    if call.version < BATCHED {
        let wanted: Wanted = request
            .topics
            .map(|topics| topics.into_iter().map(|topic| (topic.name, topic.partition_indexes)).collect());
        return one_group(&call, &request.group_id, wanted).await;
    }
    let mut groups = Vec::with_capacity(request.groups.len());
    for group in request.groups {
        let wanted: Wanted =
            group.topics.map(|topics| topics.into_iter().map(|topic| (topic.name, topic.partition_indexes)).collect());
        let mut response = OffsetFetchResponseGroup::default();
        match find(&call, &group.group_id, wanted.as_deref()).await {
            Ok(found) => response.topics = found.into_iter().map(topic_of_many).collect(),
            Err(error) => response.error_code = error.kafka().code(),
        }
        groups.push(response.with_group_id(group.group_id));
    }
    OffsetFetchResponse::default().with_groups(groups)
}

async fn one_group(call: &Call<FrontEnd>, group_id: &str, wanted: Wanted) -> OffsetFetchResponse {
    match find(call, group_id, wanted.as_deref()).await {
        Ok(found) => {
            let topics = found.into_iter().map(|topic| topic_of_one(topic, 0)).collect();
            OffsetFetchResponse::default().with_topics(topics)
        }
        Err(error) if call.version >= GROUP_ERROR => {
            OffsetFetchResponse::default().with_error_code(error.kafka().code())
        }
        Err(error) => {
            let unknown = wanted.unwrap_or_default().into_iter().map(|(name, numbers)| {
                let topic = (name, numbers.into_iter().map(|number| (number, None)).collect());
                topic_of_one(topic, error.kafka().code())
            });
            OffsetFetchResponse::default().with_topics(unknown.collect())
        }
    }
}

async fn find(
    call: &Call<FrontEnd>,
    group_id: &str,
    wanted: Option<&[(TopicName, Vec<i32>)]>,
) -> Result<Found, GroupError> {
    let topics = call.state().topics();
    let coordinator = call.state().broker.coordinator();
    let Some(wanted) = wanted else {
        let mut by_name: BTreeMap<String, Vec<(i32, Option<CommittedOffset>)>> = BTreeMap::new();
        for (tp, offset) in coordinator.offsets(group_id, None).await? {
            // Of a topic that is gone nobody could be told the name.
            if let Some(topic) = topics.by_id(tp.topic_id) {
                by_name.entry(topic.name.to_string()).or_default().push((tp.partition, Some(offset)));
            }
        }
        return Ok(by_name.into_iter().map(|(name, partitions)| (TopicName(text(name)), partitions)).collect());
    };
    let partition = |name: &str, number| Some(TopicPartition::new(topics.by_name(name)?.id, number));
    let known: Vec<TopicPartition> = wanted
        .iter()
        .flat_map(|(name, numbers)| numbers.iter().filter_map(|number| partition(name, *number)))
        .collect();
    let committed: HashMap<TopicPartition, CommittedOffset> =
        coordinator.offsets(group_id, Some(&known)).await?.into_iter().collect();
    let offset_of = |name: &str, number: i32| committed.get(&partition(name, number)?).cloned();
    let found = wanted.iter().map(|(name, numbers)| {
        (name.clone(), numbers.iter().map(|number| (*number, offset_of(name, *number))).collect())
    });
    Ok(found.collect())
}

type FoundTopic = (TopicName, Vec<(i32, Option<CommittedOffset>)>);

fn topic_of_one((name, partitions): FoundTopic, code: i16) -> OffsetFetchResponseTopic {
    let partitions = partitions.into_iter().map(|(number, offset)| {
        let (committed, epoch, metadata) = fields(offset);
        OffsetFetchResponsePartition::default()
            .with_partition_index(number)
            .with_committed_offset(committed)
            .with_committed_leader_epoch(epoch)
            .with_metadata(Some(text(metadata)))
            .with_error_code(code)
    });
    OffsetFetchResponseTopic::default().with_name(name).with_partitions(partitions.collect())
}

fn topic_of_many((name, partitions): FoundTopic) -> OffsetFetchResponseTopics {
    let partitions = partitions.into_iter().map(|(number, offset)| {
        let (committed, epoch, metadata) = fields(offset);
        OffsetFetchResponsePartitions::default()
            .with_partition_index(number)
            .with_committed_offset(committed)
            .with_committed_leader_epoch(epoch)
            .with_metadata(Some(text(metadata)))
    });
    OffsetFetchResponseTopics::default().with_name(name).with_partitions(partitions.collect())
}

/// Offset, epoch and metadata; where nothing is committed, as Kafka says that.
fn fields(offset: Option<CommittedOffset>) -> (i64, i32, String) {
    offset.map_or((-1, -1, String::new()), |offset| {
        (offset.offset.get(), offset.leader_epoch.map_or(-1, |epoch| epoch.get()), offset.metadata)
    })
}
