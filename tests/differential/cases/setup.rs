//! What cases begin with: topics, records in them, and the requests that most cases send.

use serde_json::{Value, json};

use crate::batches::Batch;
use crate::peer::Peer;

/// A topic by both its names.
#[derive(Debug, Clone)]
pub struct Topic {
    pub name: String,
    pub id: Value,
}

/// Waits until a broker's coordinators are up, so that no case meets them half awake.
pub fn warm_up(peer: &mut Peer) {
    let right = |answer: &Value| answer["errorCode"] == 0 || answer["coordinators"][0]["errorCode"] == 0;
    peer.until("Metadata", &json!({ "topics": [] }), |answer| !answer["brokers"][0].is_null());
    peer.until("FindCoordinator", &json!({ "keyType": 0, "coordinatorKeys": ["w"], "key": "w" }), right);
    let fetch = json!({ "groupId": "w", "groups": [{ "groupId": "w" }] });
    peer.until("OffsetFetch", &fetch, |answer| answer["groups"][0]["errorCode"] == 0 || right(answer));
    peer.until("InitProducerId", &json!({ "transactionTimeoutMs": 1000 }), right);
}

/// Makes a topic and waits until its partitions have a leader.
pub fn topic(peer: &mut Peer, what: &str, partitions: i32, configs: &[(&str, &str)]) -> Topic {
    let name = peer.name(what);
    topic_named(peer, name, partitions, configs)
}

/// The same under a name that is already whole.
pub fn topic_named(peer: &mut Peer, name: String, partitions: i32, configs: &[(&str, &str)]) -> Topic {
    let configs: Vec<Value> = configs.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    let request = json!({
        "topics": [{ "name": name, "numPartitions": partitions, "replicationFactor": 1, "configs": configs }],
        "timeoutMs": 10_000,
    });
    peer.quietly("CreateTopics", &request);
    led(peer, name, partitions)
}

/// Waits until a topic has that many partitions with a leader.
pub fn led(peer: &mut Peer, name: String, partitions: i32) -> Topic {
    let all_led = |answer: &Value| {
        let all = answer["topics"][0]["partitions"].as_array();
        let led = all.into_iter().flatten().filter(|one| one["errorCode"] == 0 && one["leaderId"] == 1).count();
        i32::try_from(led) == Ok(partitions)
    };
    let request = json!({ "topics": [{ "name": name }], "allowAutoTopicCreation": false });
    let answer = peer.until("Metadata", &request, all_led);
    // Kafka tells of a leader a moment before there is one.
    let all: Vec<Value> = (0..partitions).map(|at| json!({ "partitionIndex": at, "timestamp": -1 })).collect();
    let request = json!({ "replicaId": -1, "topics": [{ "name": name, "partitions": all }] });
    let all_answer = |answer: &Value| {
        let all = answer["topics"][0]["partitions"].as_array();
        all.into_iter().flatten().all(|one| one["errorCode"] == 0)
    };
    peer.until("ListOffsets", &request, all_answer);
    Topic { id: answer["topics"][0]["topicId"].clone(), name }
}

/// Waits until a topic is gone.
pub fn gone(peer: &mut Peer, name: &str) {
    let request = json!({ "topics": [{ "name": name }], "allowAutoTopicCreation": false });
    peer.until("Metadata", &request, |answer| answer["topics"][0]["errorCode"] == 3);
}

/// A Produce request for one partition, durable.
pub fn produce(topic: &Topic, partition: i32, records: &Value) -> Value {
    produce_with(-1, topic, partition, records)
}

/// The same with other acks.
pub fn produce_with(acks: i16, topic: &Topic, partition: i32, records: &Value) -> Value {
    json!({
        "acks": acks,
        "timeoutMs": 10_000,
        "topicData": [{
            "name": topic.name,
            "topicId": topic.id,
            "partitionData": [{ "index": partition, "records": records }],
        }],
    })
}

/// Appends batches, one request each.
pub fn fill(peer: &mut Peer, topic: &Topic, partition: i32, batches: &[Batch]) {
    for batch in batches {
        peer.quietly("Produce", &produce(topic, partition, &batch.hex()));
    }
}

/// A Fetch request for one partition that answers at once.
pub fn fetch(topic: &Topic, partition: i32, offset: i64) -> Value {
    fetch_of(topic, &json!([{ "partition": partition, "fetchOffset": offset, "partitionMaxBytes": 1_048_576 }]))
}

/// The same for partitions as given.
pub fn fetch_of(topic: &Topic, partitions: &Value) -> Value {
    json!({
        "maxWaitMs": 0,
        "minBytes": 0,
        "maxBytes": 10_485_760,
        "topics": [{ "topic": topic.name, "topicId": topic.id, "partitions": partitions }],
    })
}

/// A ListOffsets request for one partition.
pub fn list_offsets(topic: &Topic, partition: i32, timestamp: i64) -> Value {
    json!({
        "replicaId": -1,
        "timeoutMs": 10_000,
        "topics": [{ "name": topic.name, "partitions": [{ "partitionIndex": partition, "timestamp": timestamp }] }],
    })
}

/// A new producer's id.
pub fn producer(peer: &mut Peer) -> Value {
    let request = json!({ "transactionalId": null, "transactionTimeoutMs": 60_000 });
    peer.quietly("InitProducerId", &request)["producerId"].clone()
}

/// Commits an offset for a group without members.
pub fn commit(peer: &mut Peer, group: &str, topic: &Topic, partition: i32, offset: i64) {
    let partitions = json!([{ "partitionIndex": partition, "committedOffset": offset, "committedMetadata": "" }]);
    let topics = json!([{ "name": topic.name, "topicId": topic.id, "partitions": partitions }]);
    let body = json!({ "groupId": group, "generationIdOrMemberEpoch": -1, "memberId": "", "topics": topics });
    peer.quietly("OffsetCommit", &body);
}
