//! Fetch: what a client wants, by its session or in full, read within one budget of bytes, and waited for at the tail.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::FetchRequest;
use kafka_protocol::messages::fetch_request::{FetchTopic, ForgottenTopic};
use uuid::Uuid;

use super::wire::isolation_of;
use crate::net::{Answer, Reply};
use crate::replication::Isolation;
use crate::server::dispatch::{Call, Malformed, decode};
use crate::server::fetch_read::{Bounds, ReadOne, read_until_enough};
use crate::server::fetch_response::{self, Fetched, FetchedPartition, FetchedTopic};
use crate::server::fetch_session::{FetchAsked, FetchContext, FetchPlan, PartitionKey, Told, Wanted};
use crate::server::front_end::FrontEnd;

/// From this version on topics are named by id.
const TOPIC_IDS: i16 = 13;
/// From this version on the replica's number stands in another field.
const REPLICA_STATE: i16 = 15;

/// Reads what was asked for.
pub fn start(call: Call<FrontEnd>, body: Bytes) -> Result<Answer, Malformed> {
    let request: FetchRequest = decode(body, call.version)?;
    let isolation = isolation_of(request.isolation_level);
    let bounds = bounds_of(&call, &request, isolation.unwrap_or(Isolation::ReadUncommitted));
    let asked = asked_of(call.version, request);
    if isolation.is_none() {
        return Ok(encode(&call, refused(call.version, asked.wanted, ResponseError::InvalidRequest)).into());
    }
    let state = call.state();
    let plan = match state.fetch_sessions.plan(asked, state.clock.monotonic()) {
        Ok(plan) => plan,
        Err(error) => {
            return Ok(encode(&call, Fetched { error: Some(error), ..Fetched::default() }).into());
        }
    };
    Ok(Answer::Alone(Box::pin(async move {
        let FetchPlan { partitions, context } = plan;
        let read = read_until_enough(&call, partitions, &bounds).await;
        encode(&call, Fetched { error: None, session_id: context.session_id(), topics: answered(read, &context) })
    })))
}

/// A request that is refused as a whole. Before topics had ids every partition was told so too.
fn refused(version: i16, asked: Vec<(PartitionKey, Wanted)>, error: ResponseError) -> Fetched {
    let asked = if version < TOPIC_IDS { asked } else { Vec::new() };
    let failed = asked.into_iter().map(|(key, _)| {
        let answer = FetchedPartition { aborted: Some(Vec::new()), ..FetchedPartition::failed(key.partition, error) };
        ReadOne { key, answer }
    });
    Fetched { error: Some(error), session_id: 0, topics: answered(failed.collect(), &FetchContext::Full) }
}

fn bounds_of(call: &Call<FrontEnd>, request: &FetchRequest, isolation: Isolation) -> Bounds {
    let replica = if call.version >= REPLICA_STATE { request.replica_state.replica_id } else { request.replica_id };
    let bytes_max = usize::try_from(request.max_bytes).unwrap_or(0).min(call.state().fetch_limits.bytes_max);
    Bounds {
        by_id: call.version >= TOPIC_IDS,
        from_a_replica: replica.0 >= 0,
        isolation,
        bytes_max,
        bytes_min: usize::try_from(request.min_bytes).unwrap_or(0).min(bytes_max),
        wait_max: Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0)),
        remote_wait_max: call.state().fetch_limits.remote_wait_max,
    }
}

fn asked_of(version: i16, request: FetchRequest) -> FetchAsked {
    let by_id = version >= TOPIC_IDS;
    let (session_id, epoch) = if version >= 7 { (request.session_id, request.session_epoch) } else { (0, -1) };
    FetchAsked {
        session_id,
        epoch,
        by_id,
        wanted: each_once(request.topics.into_iter().flat_map(|topic| wanted_of(topic, by_id)).collect()),
        forgotten: request.forgotten_topics_data.into_iter().flat_map(|topic| forgotten_of(topic, by_id)).collect(),
    }
}

/// Of a partition that is named twice the last counts, as in Kafka.
fn each_once(wanted: Vec<(PartitionKey, Wanted)>) -> Vec<(PartitionKey, Wanted)> {
    let mut places = HashMap::with_capacity(wanted.len());
    let mut once: Vec<(PartitionKey, Wanted)> = Vec::with_capacity(wanted.len());
    for (key, wanted) in wanted {
        match places.entry(key.clone()) {
            Entry::Occupied(known) => {
                let known: Option<&mut (PartitionKey, Wanted)> = once.get_mut(*known.get());
                known.into_iter().for_each(|(_, earlier)| *earlier = wanted);
            }
            Entry::Vacant(new) => {
                new.insert(once.len());
                once.push((key, wanted));
            }
        }
    }
    once
}

fn wanted_of(topic: FetchTopic, by_id: bool) -> Vec<(PartitionKey, Wanted)> {
    let name: Arc<str> = if by_id { Arc::from("") } else { Arc::from(topic.topic.as_str()) };
    let topic_id = if by_id { topic.topic_id } else { Uuid::nil() };
    let wanted = |partition: &kafka_protocol::messages::fetch_request::FetchPartition| Wanted {
        fetch_offset: partition.fetch_offset,
        max_bytes: partition.partition_max_bytes,
        current_leader_epoch: partition.current_leader_epoch,
        last_fetched_epoch: partition.last_fetched_epoch,
    };
    let key = |partition: i32| PartitionKey { topic: Arc::clone(&name), topic_id, partition };
    topic.partitions.iter().map(|partition| (key(partition.partition), wanted(partition))).collect()
}

fn forgotten_of(topic: ForgottenTopic, by_id: bool) -> Vec<PartitionKey> {
    let name: Arc<str> = if by_id { Arc::from("") } else { Arc::from(topic.topic.as_str()) };
    let topic_id = if by_id { topic.topic_id } else { Uuid::nil() };
    let key = |partition: i32| PartitionKey { topic: Arc::clone(&name), topic_id, partition };
    topic.partitions.into_iter().map(key).collect()
}

/// What the client is told: everything, or what is new to its session; neighbours of one topic together.
fn answered(read: Vec<ReadOne>, context: &FetchContext) -> Vec<FetchedTopic> {
    let mut topics: Vec<FetchedTopic> = Vec::new();
    for ReadOne { key, answer } in read {
        let told = Told { high_watermark: answer.high_watermark, log_start_offset: answer.log_start_offset };
        let has_error = answer.error.is_some() || answer.diverging.is_some();
        if !context.tell(&key, told, has_error, answer.records.length() > 0) {
            continue;
        }
        match topics.last_mut() {
            Some(topic) if topic.id == key.topic_id && *topic.name == *key.topic => topic.partitions.push(answer),
            _ => {
                let name = key.topic.as_ref().to_owned();
                topics.push(FetchedTopic { name, id: key.topic_id, partitions: vec![answer] });
            }
        }
    }
    topics
}

fn encode(call: &Call<FrontEnd>, fetched: Fetched) -> Reply {
    match fetch_response::encode(call.correlation_id, call.version, fetched) {
        Ok(response) => Reply::Response(response),
        Err(error) => {
            tracing::error!(%error, "could not encode a fetch");
            Reply::Close
        }
    }
}
