//! ListOffsets: the offset that a timestamp, or one of the numbers that stand for a place, means.

use std::collections::BTreeMap;
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};

use super::wire::{epoch_of, isolation_of};
use crate::replication::{FoundOffset, Isolation, OffsetSpec, Partition};
use crate::server::dispatch::Call;
use crate::server::errors::KafkaError;
use crate::server::front_end::{FrontEnd, find_partition, find_topic};

/// From this version on answers carry the leader epoch.
const EPOCHS: i16 = 4;

/// Finds offsets. A partition that is named twice gets none, as in Kafka.
pub async fn handle(call: Arc<Call<FrontEnd>>, request: ListOffsetsRequest) -> ListOffsetsResponse {
    let topics = call.state().topics();
    let isolation = isolation_of(request.isolation_level).ok_or(ResponseError::InvalidRequest);
    let mut responses = Vec::with_capacity(request.topics.len());
    for asked in request.topics {
        let topic = find_topic(&topics, &asked.name, None);
        let mut times: BTreeMap<i32, usize> = BTreeMap::new();
        for one in &asked.partitions {
            *times.entry(one.partition_index).or_default() += 1;
        }
        let mut partitions = Vec::with_capacity(times.len());
        for one in asked.partitions {
            let found = match (times.remove(&one.partition_index), find_partition(&topic, one.partition_index)) {
                // Told with the first.
                (None, _) => continue,
                (Some(2..), _) => Err(ResponseError::InvalidRequest),
                (Some(_), Ok(partition)) => find(call.version, partition, &one, isolation).await,
                (Some(_), Err(error)) => Err(error),
            };
            partitions.push(answer(call.version, one.partition_index, found));
        }
        if !partitions.is_empty() {
            responses.push(ListOffsetsTopicResponse::default().with_name(asked.name).with_partitions(partitions));
        }
    }
    ListOffsetsResponse::default().with_topics(responses)
}

async fn find(
    version: i16,
    partition: &Arc<Partition>,
    asked: &ListOffsetsPartition,
    isolation: Result<Isolation, ResponseError>,
) -> Result<Option<FoundOffset>, ResponseError> {
    let (spec, isolation) = (spec_of(asked.timestamp, version)?, isolation?);
    partition.check_epoch(epoch_of(asked.current_leader_epoch)).map_err(|error| error.kafka())?;
    partition.find_offset(spec, isolation).await.map_err(|error| {
        tracing::warn!(%error, topic = %partition.topic(), partition = asked.partition_index, "could not find an offset");
        error.kafka()
    })
}

/// What a timestamp stands for. Those that came later are not known to older versions.
fn spec_of(timestamp: i64, version: i16) -> Result<OffsetSpec, ResponseError> {
    match timestamp {
        0.. => Ok(OffsetSpec::Timestamp(timestamp)),
        -1 => Ok(OffsetSpec::Latest),
        -2 => Ok(OffsetSpec::Earliest),
        -3 if version >= 7 => Ok(OffsetSpec::MaxTimestamp),
        -4 if version >= 8 => Ok(OffsetSpec::EarliestLocal),
        -5 if version >= 9 => Ok(OffsetSpec::LatestTiered),
        _ => Err(ResponseError::UnsupportedVersion),
    }
}

fn answer(
    version: i16,
    partition: i32,
    found: Result<Option<FoundOffset>, ResponseError>,
) -> ListOffsetsPartitionResponse {
    let mut response =
        ListOffsetsPartitionResponse::default().with_partition_index(partition).with_timestamp(-1).with_offset(-1);
    match found {
        Ok(Some(found)) => {
            response.offset = found.offset.get();
            response.timestamp = found.timestamp_ms.unwrap_or(-1);
            if version >= EPOCHS {
                response.leader_epoch = found.leader_epoch.map_or(-1, |epoch| epoch.get());
            }
        }
        Ok(None) => {}
        Err(error) => response.error_code = error.code(),
    }
    response
}
