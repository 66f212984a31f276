//! Produce: validate, append in order, and wait, where the producer wants that, until the records are committed.
//!
//! All of it but the wait happens before the next request of the connection is looked at, so appends keep the order
//! of the requests; the waits of many requests overlap. Batches that may take long to look through (packed ones, which may
//! unfold to much, and those that the topic packs anew) have threads of their own, so that no other connection waits.
//!
//! # Cancellation
//! What has begun on such a thread is appended, whether or not the client is still there, as what has been read is.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse, TopicName};
use uuid::Uuid;

use super::produce_refusal::Refusal;
use super::produce_work::{WORK_HERE_BYTES_MAX, work_bytes};
use crate::clock::Sleep;
use crate::model::{Codec, Offset};
use crate::net::{Answer, Reply};
use crate::record::{BatchView, ValidationRules, validate};
use crate::replication::{Acks, Partition};
use crate::server::dispatch::{Call, Malformed, decode};
use crate::server::errors::KafkaError;
use crate::server::front_end::{FrontEnd, find_partition, find_topic};

/// From this version on topics are named by id.
const TOPIC_IDS: i16 = 13;
/// From this version on clients know zstd.
const ZSTD: i16 = 7;

/// A wait for one partition, with the places of topic and partition in the answer.
struct Commit {
    topic: usize,
    place: usize,
    partition: Arc<Partition>,
    upto: Offset,
}

/// One request, looked over.
struct Asked {
    /// `acks=0`: no answer is wanted.
    wants_silence: bool,
    acks: Result<Acks, ResponseError>,
    timeout: Duration,
    topics: Vec<TopicProduceData>,
}

/// Appends what was sent: here, or where it takes long on a thread that nobody else waits for.
pub fn start(call: Call<FrontEnd>, body: Bytes) -> Result<Answer, Malformed> {
    let request: ProduceRequest = decode(body, call.version)?;
    let asked = Asked {
        wants_silence: request.acks == 0,
        acks: acks_of(&request),
        timeout: Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0)),
        topics: each_once(request.topic_data),
    };
    if work(&call, &asked.topics) <= WORK_HERE_BYTES_MAX {
        return Ok(asked.append(call));
    }
    Ok(Answer::Begun(Box::pin(async move {
        let turn = Arc::clone(&call.state().unfolding).acquire_owned().await;
        let appended = tokio::task::spawn_blocking(move || {
            let _until_it_is_appended = turn;
            asked.append(call)
        });
        appended.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a batch could not be looked through");
            Answer::Close
        })
    })))
}

impl Asked {
    fn append(self, call: Call<FrontEnd>) -> Answer {
        let mut commits = Vec::new();
        let responses = append_all(&call, self.topics, self.acks, &mut commits);
        let response = ProduceResponse::default().with_responses(responses);
        if self.wants_silence {
            if has_error(&response) { Answer::Close } else { Answer::Silent }
        } else if commits.is_empty() {
            reply(&call, &response).into()
        } else {
            // It runs from now on, and not from when the answers before this one have left.
            let deadline = call.state().clock.sleep(self.timeout);
            Answer::Later(Box::pin(wait(call, response, commits, deadline)))
        }
    }
}

/// How many bytes have to be looked through, at most.
fn work(call: &Call<FrontEnd>, sent: &[TopicProduceData]) -> usize {
    let topics = call.state().topics();
    let mut bytes: usize = 0;
    for data in sent {
        let topic = find_topic(&topics, &data.name, (call.version >= TOPIC_IDS).then_some(data.topic_id));
        for one in &data.partition_data {
            if let (Ok(partition), Some(records)) = (find_partition(&topic, one.index), &one.records) {
                bytes = bytes.saturating_add(work_bytes(records, partition.config().message.compression));
            }
        }
    }
    bytes
}

fn acks_of(request: &ProduceRequest) -> Result<Acks, ResponseError> {
    let acks = match request.acks {
        0 => Acks::None,
        1 => Acks::Leader,
        -1 => Acks::All,
        _ => return Err(ResponseError::InvalidRequiredAcks),
    };
    let batches = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
    let is_transactional = |data: &PartitionProduceData| {
        let parsed = BatchView::parse(data.records.as_deref().unwrap_or_default());
        parsed.is_ok_and(|batch| batch.header().attributes.is_transactional())
    };
    // Whoever uses transactions is told for good, rather than to try again; and so is who uses them without an id.
    if batches.into_iter().any(is_transactional) {
        return Err(ResponseError::TransactionalIdAuthorizationFailed);
    }
    Ok(acks)
}

/// What was sent, each partition once: of one that is named twice the last counts, as in Kafka. A topic without
/// partitions is not answered.
fn each_once(sent: Vec<TopicProduceData>) -> Vec<TopicProduceData> {
    // What small requests are, and there are many of them.
    if matches!(&sent[..], [topic] if topic.partition_data.len() == 1) {
        return sent;
    }
    let mut topics: Vec<(TopicProduceData, HashMap<i32, usize>)> = Vec::with_capacity(sent.len());
    let mut places: HashMap<(TopicName, Uuid), usize> = HashMap::with_capacity(sent.len());
    for mut topic in sent.into_iter().filter(|topic| !topic.partition_data.is_empty()) {
        let partitions = std::mem::take(&mut topic.partition_data);
        let place = *places.entry((topic.name.clone(), topic.topic_id)).or_insert(topics.len());
        if place == topics.len() {
            topics.push((topic, HashMap::with_capacity(partitions.len())));
        }
        let Some((topic, known)) = topics.get_mut(place) else { continue };
        for data in partitions {
            let all = &mut topic.partition_data;
            match known.entry(data.index) {
                Entry::Occupied(earlier) => {
                    if let Some(earlier) = all.get_mut(*earlier.get()) {
                        *earlier = data;
                    }
                }
                Entry::Vacant(new) => {
                    new.insert(all.len());
                    all.push(data);
                }
            }
        }
    }
    topics.into_iter().map(|(topic, _)| topic).collect()
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
            partitions.push(appended.unwrap_or_else(|refusal| refusal.answer(call.version, index)));
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
    let batch = validate(data.records.unwrap_or_default(), &rules).map_err(|error| Refusal::of(&error, partition))?;
    if call.version < ZSTD && batch.header().attributes.codec() == Ok(Codec::Zstd) {
        return Err(ResponseError::UnsupportedCompressionType.into());
    }
    let appended = partition.append(&batch, acks).map_err(|error| Refusal::of_append(&error, partition))?;
    let response = PartitionProduceResponse::default()
        .with_index(data.index)
        .with_base_offset(appended.base_offset.get())
        .with_log_append_time_ms(appended.log_append_time_ms.unwrap_or(-1))
        .with_log_start_offset(partition.watermarks().log_start.get());
    Ok((response, appended.last_offset.next()))
}

fn has_error(response: &ProduceResponse) -> bool {
    response.responses.iter().flat_map(|topic| &topic.partition_responses).any(|one| one.error_code != 0)
}

async fn wait(call: Call<FrontEnd>, mut response: ProduceResponse, commits: Vec<Commit>, deadline: Sleep) -> Reply {
    let places: Vec<_> = commits.iter().map(|commit| (commit.topic, commit.place)).collect();
    let mut outcomes: Vec<Result<(), ResponseError>> = vec![Err(ResponseError::RequestTimedOut); commits.len()];
    let mut waits = join_all(commits.into_iter().zip(&mut outcomes).map(|(commit, outcome)| async move {
        *outcome = commit.partition.committed(commit.upto).await.map_err(|error| error.kafka());
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
