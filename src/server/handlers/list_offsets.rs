//! ListOffsets: the offset that a timestamp, or one of the numbers that stand for a place, means.
//!
//! Partitions are asked side by side, those that may have to ask the bucket apart from the others, and all of them within
//! one time: a bucket that is away costs one wait, whatever the number of partitions, and no hot partition its answer.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{StreamExt as _, iter, select};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::{ApiKey, ListOffsetsRequest, ListOffsetsResponse};

use super::wire::{epoch_of, isolation_of};
use crate::replication::{FoundOffset, Isolation, OffsetSpec, Partition};
use crate::server::dispatch::Call;
use crate::server::errors::KafkaError;
use crate::server::front_end::{FrontEnd, find_partition, find_topic};
use crate::server::metrics;

/// From this version on answers carry the leader epoch.
const EPOCHS: i16 = 4;

/// From this version on clients say how long they wait.
const TIMEOUTS: i16 = 10;
/// Partitions of one request that are looked for in local logs at once.
const LOCAL_SIDE_BY_SIDE: usize = 8;
/// Partitions of one request that may ask the bucket at once.
const COLD_SIDE_BY_SIDE: usize = 32;

/// One partition, and where it is in the answer.
struct Asked {
    topic: usize,
    place: usize,
    number: i32,
    partition: Arc<Partition>,
    spec: OffsetSpec,
    isolation: Isolation,
}

/// Finds offsets. A partition that is named twice gets none, as in Kafka; what takes longer than the client waits for is
/// told to have timed out.
pub async fn handle(call: Arc<Call<FrontEnd>>, request: ListOffsetsRequest) -> ListOffsetsResponse {
    let mut deadline = call.state().clock.sleep(patience(&call, &request));
    let (mut responses, asked) = laid_out(&call, request);
    let (cold, local): (Vec<_>, Vec<_>) =
        asked.into_iter().partition(|asked| asked.partition.may_ask_bucket(asked.spec));
    let mut finding = pin!(select(
        iter(local).map(find).buffer_unordered(LOCAL_SIDE_BY_SIDE),
        iter(cold).map(find).buffer_unordered(COLD_SIDE_BY_SIDE),
    ));
    loop {
        let (asked, found) = tokio::select! {
            biased;
            next = finding.next() => match next {
                Some(next) => next,
                None => break,
            },
            () = &mut deadline => break,
        };
        let response = responses.get_mut(asked.topic).and_then(|topic| topic.partitions.get_mut(asked.place));
        if let Some(response) = response {
            *response = answer(call.version, asked.number, found);
        }
    }
    ListOffsetsResponse::default().with_topics(responses)
}

/// How long all of it may take: what the client says, or `remote.list.offsets.request.timeout.ms`.
fn patience(call: &Call<FrontEnd>, request: &ListOffsetsRequest) -> Duration {
    let said = u64::try_from(request.timeout_ms).ok().filter(|ms| call.version >= TIMEOUTS && *ms > 0);
    let default = || call.state().broker.settings().number("remote.list.offsets.request.timeout.ms").unsigned_abs();
    Duration::from_millis(said.unwrap_or_else(default))
}

/// The answer as it is until something is found, and what is to be looked for.
fn laid_out(call: &Call<FrontEnd>, request: ListOffsetsRequest) -> (Vec<ListOffsetsTopicResponse>, Vec<Asked>) {
    let topics = call.state().topics();
    let isolation = isolation_of(request.isolation_level).ok_or(ResponseError::InvalidRequest);
    let mut responses: Vec<ListOffsetsTopicResponse> = Vec::with_capacity(request.topics.len());
    let mut all = Vec::new();
    for asked in request.topics {
        let topic = find_topic(&topics, &asked.name, None);
        let mut times: BTreeMap<i32, usize> = BTreeMap::new();
        for one in &asked.partitions {
            *times.entry(one.partition_index).or_default() += 1;
        }
        let mut partitions = Vec::with_capacity(times.len());
        for one in asked.partitions {
            let number = one.partition_index;
            let wanted = match times.remove(&number) {
                // Told with the first.
                None => continue,
                Some(2..) => Err(ResponseError::InvalidRequest),
                Some(_) => find_partition(&topic, number).and_then(|partition| {
                    Ok((Arc::clone(partition), wanted(call.version, partition, &one, isolation)?))
                }),
            };
            let pending = match wanted {
                Ok((partition, (spec, isolation))) => {
                    let (topic, place) = (responses.len(), partitions.len());
                    all.push(Asked { topic, place, number, partition, spec, isolation });
                    ResponseError::RequestTimedOut
                }
                Err(error) => error,
            };
            partitions.push(answer(call.version, number, Err(pending)));
        }
        if !partitions.is_empty() {
            responses.push(ListOffsetsTopicResponse::default().with_name(asked.name).with_partitions(partitions));
        }
    }
    (responses, all)
}

fn wanted(
    version: i16,
    partition: &Partition,
    asked: &ListOffsetsPartition,
    isolation: Result<Isolation, ResponseError>,
) -> Result<(OffsetSpec, Isolation), ResponseError> {
    let (spec, isolation) = (spec_of(asked.timestamp, version)?, isolation?);
    partition.check_epoch(epoch_of(asked.current_leader_epoch)).map_err(|error| error.kafka())?;
    Ok((spec, isolation))
}

async fn find(asked: Asked) -> (Asked, Result<Option<FoundOffset>, ResponseError>) {
    let found = asked.partition.find_offset(asked.spec, asked.isolation).await;
    let found = found.map_err(|error| {
        metrics::partition_failed(ApiKey::ListOffsets);
        tracing::debug!(%error, topic = %asked.partition.topic(), partition = asked.number, "could not find an offset");
        error.kafka()
    });
    (asked, found)
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
