//! DeleteRecords: moves the start of partitions forward.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{StreamExt as _, iter};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_records_request::DeleteRecordsTopic;
use kafka_protocol::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use kafka_protocol::messages::{ApiKey, DeleteRecordsRequest, DeleteRecordsResponse};

use crate::broker::Topic;
use crate::model::Offset;
use crate::server::dispatch::Call;
use crate::server::errors::KafkaError;
use crate::server::front_end::{FrontEnd, find_partition, find_topic};
use crate::server::metrics;

/// Stands for the high watermark.
const HIGH_WATERMARK: i64 = -1;
/// Partitions of one request that are worked on at once.
const SIDE_BY_SIDE: usize = 8;

/// One partition, and where it is in the answer.
struct Asked {
    topic: usize,
    place: usize,
    partition: i32,
    offset: i64,
}

/// Deletes records. What takes longer than the client waits for is told to have timed out.
pub async fn handle(call: Arc<Call<FrontEnd>>, request: DeleteRecordsRequest) -> DeleteRecordsResponse {
    let topics = call.state().topics();
    let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
    let (mut results, asked) = laid_out(request.topics);
    let found: Vec<_> = results.iter().map(|result| find_topic(&topics, &result.name, None).cloned()).collect();
    let mut each = Vec::with_capacity(asked.len());
    for asked in asked {
        let topic = found.get(asked.topic).cloned().unwrap_or(Err(ResponseError::UnknownTopicOrPartition));
        let state = call.state();
        each.push(async move { (delete(state, topic, &asked).await, asked) });
    }
    let mut deleting = iter(each).buffer_unordered(SIDE_BY_SIDE);
    let mut deadline = call.state().clock.sleep(timeout);
    loop {
        let (deleted, asked) = tokio::select! {
            biased;
            next = deleting.next() => match next {
                Some(next) => next,
                None => break,
            },
            () = &mut deadline => break,
        };
        let result = results.get_mut(asked.topic).and_then(|topic| topic.partitions.get_mut(asked.place));
        if let Some(result) = result {
            result.error_code = deleted.as_ref().err().map_or(0, ResponseError::code);
            result.low_watermark = deleted.map_or(-1, Offset::get);
        }
    }
    drop(deleting);
    results.retain(|topic| !topic.partitions.is_empty());
    DeleteRecordsResponse::default().with_topics(results)
}

/// The answer as it is until something is deleted, and what is to be deleted: of a partition that is named twice, the
/// last counts.
fn laid_out(topics: Vec<DeleteRecordsTopic>) -> (Vec<DeleteRecordsTopicResult>, Vec<Asked>) {
    let mut results: Vec<DeleteRecordsTopicResult> = Vec::new();
    let mut topic_places = std::collections::HashMap::new();
    let mut places = std::collections::HashMap::new();
    let mut asked: Vec<Asked> = Vec::new();
    for topic in topics {
        let at = *topic_places.entry(topic.name.clone()).or_insert_with(|| {
            results.push(DeleteRecordsTopicResult::default().with_name(topic.name.clone()));
            results.len() - 1
        });
        let Some(result) = results.get_mut(at) else { continue };
        for one in topic.partitions {
            match places.entry((at, one.partition_index)) {
                std::collections::hash_map::Entry::Occupied(known) => {
                    let known: Option<&mut Asked> = asked.get_mut(*known.get());
                    known.into_iter().for_each(|known| known.offset = one.offset);
                }
                std::collections::hash_map::Entry::Vacant(new) => {
                    new.insert(asked.len());
                    let (partition, offset) = (one.partition_index, one.offset);
                    asked.push(Asked { topic: at, place: result.partitions.len(), partition, offset });
                    let pending = DeleteRecordsPartitionResult::default()
                        .with_partition_index(partition)
                        .with_low_watermark(-1)
                        .with_error_code(ResponseError::RequestTimedOut.code());
                    result.partitions.push(pending);
                }
            }
        }
    }
    (results, asked)
}

async fn delete(
    state: &FrontEnd,
    topic: Result<Arc<Topic>, ResponseError>,
    asked: &Asked,
) -> Result<Offset, ResponseError> {
    let topic = topic?;
    let found = Ok(&topic);
    let partition = find_partition(&found, asked.partition)?;
    let to = match asked.offset {
        HIGH_WATERMARK => None,
        0.. => Some(Offset::new(asked.offset)),
        _ => return Err(ResponseError::OffsetOutOfRange),
    };
    state.broker.delete_records(&topic, partition, to).await.map_err(|error| {
        let code = error.kafka();
        if code == ResponseError::KafkaStorageError {
            let topic = topic.name.as_str();
            metrics::partition_failed(ApiKey::DeleteRecords);
            tracing::debug!(%error, topic, partition = asked.partition, "could not delete records");
        }
        code
    })
}
