//! Produce: validate, append in order, and wait, where the producer wants that, until the records are committed.
//!
//! All of it but the wait happens before the next request of the connection is looked at, so appends keep the order
//! of the requests; the waits of many requests overlap.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, TopicProduceResponse,
};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse};
use kafka_protocol::protocol::StrBytes;

use crate::model::{Codec, Offset};
use crate::net::{Answer, Reply};
use crate::record::{ValidationError, ValidationRules, validate};
use crate::replication::{Acks, Partition};
use crate::server::dispatch::{Call, Malformed, decode};
use crate::server::errors::KafkaError;
use crate::server::front_end::{FrontEnd, find_partition, find_topic};

/// From this version on topics are named by id.
const TOPIC_IDS: i16 = 13;
/// From this version on clients know zstd.
const ZSTD: i16 = 7;
/// From this version on single records are blamed.
const RECORD_ERRORS: i16 = 8;

/// A wait for one partition, with the places of topic and partition in the answer.
struct Commit {
    topic: usize,
    place: usize,
    partition: Arc<Partition>,
    upto: Offset,
}

/// Why a partition's batch was not appended.
struct Refusal {
    error: ResponseError,
    message: Option<String>,
    records: Vec<(i32, String)>,
    /// Whether Kafka tells where the log starts beside this error.
    tells_log_start: bool,
    log_start: Option<Offset>,
}

impl Refusal {
    /// With the log start, where that is told.
    fn of(mut self, partition: &Partition) -> Self {
        self.log_start = self.tells_log_start.then(|| partition.watermarks().log_start);
        self
    }
}

impl From<ResponseError> for Refusal {
    fn from(error: ResponseError) -> Self {
        Self { error, message: None, records: Vec::new(), tells_log_start: false, log_start: None }
    }
}

impl From<ValidationError> for Refusal {
    fn from(error: ValidationError) -> Self {
        let (code, message) = (error.kafka(), Some(error.to_string()));
        let tells_log_start = match &error {
            ValidationError::NotOneBatch | ValidationError::OldMagic(_) => false,
            _ => !matches!(code, ResponseError::CorruptMessage | ResponseError::MessageTooLarge),
        };
        let records = match error {
            ValidationError::Records { errors, .. } => {
                errors.into_iter().map(|record| (record.index, record.message)).collect()
            }
            _ => Vec::new(),
        };
        Self { error: code, message, records, tells_log_start, log_start: None }
    }
}

/// Appends what was sent.
pub fn start(call: Call<FrontEnd>, body: Bytes) -> Result<Answer, Malformed> {
    let request: ProduceRequest = decode(body, call.version)?;
    let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
    let acks = acks_of(&request);
    let mut commits = Vec::new();
    let responses = append_all(&call, request.topic_data, acks, &mut commits);
    let response = ProduceResponse::default().with_responses(responses);
    Ok(match acks {
        Ok(Acks::None) if has_error(&response) => Answer::Close,
        Ok(Acks::None) => Answer::Silent,
        _ if commits.is_empty() => reply(&call, &response).into(),
        _ => Answer::Later(Box::pin(wait(call, response, commits, timeout))),
    })
}

fn acks_of(request: &ProduceRequest) -> Result<Acks, ResponseError> {
    let acks = match request.acks {
        0 => Acks::None,
        1 => Acks::Leader,
        -1 => Acks::All,
        _ => return Err(ResponseError::InvalidRequiredAcks),
    };
    match request.transactional_id {
        // Whoever uses transactions is told for good, rather than to try again.
        Some(_) if acks != Acks::None => Err(ResponseError::TransactionalIdAuthorizationFailed),
        _ => Ok(acks),
    }
}

fn append_all(
    call: &Call<FrontEnd>,
    sent: Vec<TopicProduceData>,
    acks: Result<Acks, ResponseError>,
    commits: &mut Vec<Commit>,
) -> Vec<TopicProduceResponse> {
    let topics = call.state().topics();
    let mut responses = Vec::with_capacity(sent.len());
    for data in sent {
        let topic = find_topic(&topics, &data.name, (call.version >= TOPIC_IDS).then_some(data.topic_id));
        let mut partitions = Vec::with_capacity(data.partition_data.len());
        for one in data.partition_data {
            let index = one.index;
            let appended = acks.map_err(Refusal::from).and_then(|acks| {
                let partition = find_partition(&topic, index)?;
                let (response, upto) = append(call, partition, one, acks)?;
                if acks == Acks::All {
                    let partition = Arc::clone(partition);
                    commits.push(Commit { topic: responses.len(), place: partitions.len(), partition, upto });
                }
                Ok(response)
            });
            partitions.push(appended.unwrap_or_else(|refusal| refused(call.version, index, refusal)));
        }
        let mut response = TopicProduceResponse::default().with_partition_responses(partitions);
        if call.version >= TOPIC_IDS {
            response = response.with_topic_id(data.topic_id);
        } else {
            response = response.with_name(data.name);
        }
        responses.push(response);
    }
    responses
}

fn append(
    call: &Call<FrontEnd>,
    partition: &Arc<Partition>,
    data: PartitionProduceData,
    acks: Acks,
) -> Result<(PartitionProduceResponse, Offset), Refusal> {
    let config = partition.config();
    let rules = ValidationRules::of(&config.message, config.cleanup.compact, call.state().clock.now_ms());
    let batch =
        validate(data.records.unwrap_or_default(), &rules).map_err(|error| Refusal::from(error).of(partition))?;
    if batch.header().attributes.is_transactional() {
        return Err(ResponseError::TransactionalIdAuthorizationFailed.into());
    }
    if call.version < ZSTD && batch.header().attributes.codec() == Ok(Codec::Zstd) {
        return Err(ResponseError::UnsupportedCompressionType.into());
    }
    let appended = partition.append(&batch, acks).map_err(|error| {
        let code = error.kafka();
        if code == ResponseError::KafkaStorageError {
            tracing::error!(%error, topic = %partition.topic(), partition = data.index, "could not append");
        }
        let tells_log_start = !matches!(code, ResponseError::KafkaStorageError | ResponseError::NotLeaderOrFollower);
        let message = Some(error.to_string());
        Refusal { error: code, message, records: Vec::new(), tells_log_start, log_start: None }.of(partition)
    })?;
    let response = PartitionProduceResponse::default()
        .with_index(data.index)
        .with_base_offset(appended.base_offset.get())
        .with_log_append_time_ms(appended.log_append_time_ms.unwrap_or(-1))
        .with_log_start_offset(partition.watermarks().log_start.get());
    Ok((response, appended.last_offset.next()))
}

fn refused(version: i16, index: i32, refusal: Refusal) -> PartitionProduceResponse {
    let mut response = PartitionProduceResponse::default()
        .with_index(index)
        .with_error_code(refusal.error.code())
        .with_base_offset(-1)
        .with_log_append_time_ms(-1)
        .with_log_start_offset(refusal.log_start.map_or(-1, Offset::get));
    if version >= RECORD_ERRORS {
        let records = refusal.records.into_iter().map(|(index, message)| {
            BatchIndexAndErrorMessage::default()
                .with_batch_index(index)
                .with_batch_index_error_message(Some(StrBytes::from_string(message)))
        });
        response = response
            .with_record_errors(records.collect())
            .with_error_message(refusal.message.map(StrBytes::from_string));
    }
    response
}

fn has_error(response: &ProduceResponse) -> bool {
    response.responses.iter().flat_map(|topic| &topic.partition_responses).any(|one| one.error_code != 0)
}

async fn wait(call: Call<FrontEnd>, mut response: ProduceResponse, commits: Vec<Commit>, timeout: Duration) -> Reply {
    let places: Vec<_> = commits.iter().map(|commit| (commit.topic, commit.place)).collect();
    let mut outcomes: Vec<Result<(), ResponseError>> = vec![Err(ResponseError::RequestTimedOut); commits.len()];
    let deadline = call.state().clock.sleep(timeout);
    let mut waits = join_all(commits.into_iter().zip(&mut outcomes).map(|(commit, outcome)| async move {
        *outcome = commit.partition.committed(commit.upto).await.map_err(|offline| offline.kafka());
    }));
    tokio::select! {
        _ = &mut waits => {}
        () = deadline => {}
    }
    drop(waits);
    for ((topic, place), outcome) in places.into_iter().zip(outcomes) {
        let place = response.responses.get_mut(topic).and_then(|topic| topic.partition_responses.get_mut(place));
        if let (Some(place), Err(error)) = (place, outcome) {
            place.error_code = error.code();
            place.base_offset = -1;
        }
    }
    reply(&call, &response)
}

fn reply(call: &Call<FrontEnd>, response: &ProduceResponse) -> Reply {
    match call.encode(response) {
        Ok(response) => Reply::Response(response),
        Err(error) => {
            error.report(call);
            Reply::Close
        }
    }
}
