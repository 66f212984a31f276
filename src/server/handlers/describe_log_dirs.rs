//! DescribeLogDirs: what partitions take on disk, and how large the disk is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::absolute;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use kafka_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse, TopicName as WireTopicName};

use super::wire::text;
use crate::broker::{Topic, Topics};
use crate::server::dispatch::Call;
use crate::server::front_end::FrontEnd;

/// From this version on the disk is described.
const DISK: i16 = 4;

/// Describes the one directory that there is. What is in the bucket takes nothing of it.
pub fn handle(call: &Call<FrontEnd>, request: DescribeLogDirsRequest) -> DescribeLogDirsResponse {
    let broker = &call.state().broker;
    let path = broker.log_dir();
    let path = absolute(&path).unwrap_or(path);
    let mut result = DescribeLogDirsResult::default().with_log_dir(text(path.to_string_lossy()));
    if broker.log_dir_health().is_online() {
        result.topics = topics_of(&call.state().topics(), request.topics);
        if call.version >= DISK {
            let bytes =
                |bytes: std::io::Result<u64>| bytes.ok().and_then(|bytes| i64::try_from(bytes).ok()).unwrap_or(-1);
            result.total_bytes = bytes(broker.total_bytes());
            result.usable_bytes = bytes(broker.free_bytes());
        }
    } else {
        result.error_code = ResponseError::KafkaStorageError.code();
    }
    DescribeLogDirsResponse::default().with_results(vec![result])
}

/// What was asked for of what there is; everything, where nothing is named.
fn topics_of(topics: &Topics, asked: Option<Vec<DescribableLogDirTopic>>) -> Vec<DescribeLogDirsTopic> {
    let Some(asked) = asked else {
        return topics.iter().map(|topic| described(topic, 0..count(topic))).collect();
    };
    let mut numbers: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
    for topic in asked {
        numbers.entry(topic.topic.to_string()).or_default().extend(topic.partitions);
    }
    let found = numbers.into_iter().filter_map(|(name, numbers)| Some((topics.by_name(&name)?, numbers)));
    found.map(|(topic, numbers)| described(topic, numbers)).filter(|topic| !topic.partitions.is_empty()).collect()
}

fn count(topic: &Topic) -> i32 {
    i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX)
}

fn described(topic: &Topic, numbers: impl IntoIterator<Item = i32>) -> DescribeLogDirsTopic {
    let partitions = numbers.into_iter().filter_map(|number| {
        let size = topic.partition(number)?.log().size_bytes();
        Some(
            DescribeLogDirsPartition::default()
                .with_partition_index(number)
                .with_partition_size(i64::try_from(size).unwrap_or(i64::MAX)),
        )
    });
    DescribeLogDirsTopic::default()
        .with_name(WireTopicName(text(topic.name.as_str())))
        .with_partitions(partitions.collect())
}
