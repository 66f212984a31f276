//! CreateTopics.

use serde_json::{Value, json};

use super::setup::{led, topic};
use crate::peer::Peer;

fn create(topics: &Value) -> Value {
    json!({ "topics": topics, "timeoutMs": 10_000 })
}

/// One topic, with and without numbers, and what Metadata says then.
pub fn good(peer: &mut Peer) {
    for (words, partitions, factor) in [("3 and 1", 3_i32, 1), ("defaults", -1, -1), ("default factor", 2, -1)] {
        peer.step(words);
        for version in peer.versions("CreateTopics") {
            let name = peer.name(&format!("{}-{version}", words.replace(' ', "-")));
            let topics = json!([{ "name": name, "numPartitions": partitions, "replicationFactor": factor }]);
            peer.ask("CreateTopics", version, &create(&topics));
            led(peer, name.clone(), partitions.abs());
            peer.ask_newest("Metadata", &json!({ "topics": [{ "name": name }] }));
        }
    }
    peer.step("one that is there");
    let body = create(&json!([{ "name": peer.name("3-and-1-2"), "numPartitions": 1, "replicationFactor": 1 }]));
    peer.ask_all("CreateTopics", &body);
    peer.step("no topics");
    peer.ask_all("CreateTopics", &create(&json!([])));
}

/// Names.
pub fn names(peer: &mut Peer) {
    let tail = 249 - peer.name("").len();
    let longest = peer.name(&"n".repeat(tail));
    let too_long = peer.name(&"n".repeat(tail + 1));
    for name in ["", ".", "..", "a b", "a/b", "a:b", "ä", "a\u{0}b", "a\nb", &too_long] {
        peer.step(if name.len() > 100 { "too long" } else { name });
        peer.ask_all("CreateTopics", &create(&json!([{ "name": name, "numPartitions": 1, "replicationFactor": 1 }])));
    }
    peer.step("the longest");
    peer.ask_newest("CreateTopics", &create(&json!([{ "name": longest, "numPartitions": 1, "replicationFactor": 1 }])));
    led(peer, longest.clone(), 1);
    peer.ask_newest("Metadata", &json!({ "topics": [{ "name": longest }] }));
    peer.step("one that collides");
    topic(peer, "a.b_c", 1, &[]);
    let name = peer.name("a_b.c");
    peer.ask_all("CreateTopics", &create(&json!([{ "name": name, "numPartitions": 1, "replicationFactor": 1 }])));
    peer.step("internal names");
    for name in ["__consumer_offsets", "__cluster_metadata"] {
        let body = create(&json!([{ "name": name, "numPartitions": 1, "replicationFactor": 1 }]));
        peer.ask_newest("CreateTopics", &body);
    }
}

/// Numbers of partitions and replicas.
pub fn counts(peer: &mut Peer) {
    let name = peer.name("none");
    for (partitions, factor) in [(0, 1), (-2, 1), (1, 0), (1, -2), (1, 2), (1, 3), (-1, 2), (0, 0), (i32::MIN, 1)] {
        peer.step(&format!("{partitions} partitions, {factor} replicas"));
        let topics = json!([{ "name": name, "numPartitions": partitions, "replicationFactor": factor }]);
        peer.ask_all("CreateTopics", &create(&topics));
    }
    peer.step("more partitions than one request may make");
    let topics = json!([{ "name": name, "numPartitions": 10_001, "replicationFactor": 1 }]);
    peer.ask_newest("CreateTopics", &create(&topics));
}

/// Assignments by hand.
pub fn assignments(peer: &mut Peer) {
    let one = |partition: i32, brokers: &[i32]| json!({ "partitionIndex": partition, "brokerIds": brokers });
    let ask = |peer: &mut Peer, words: &str, partitions: i32, factor: i16, assignments: Value| {
        peer.step(words);
        let name = peer.name(&words.replace(' ', "-"));
        let topic = json!({
            "name": name, "numPartitions": partitions, "replicationFactor": factor, "assignments": assignments,
        });
        peer.ask_newest("CreateTopics", &create(&json!([topic])));
    };
    ask(peer, "two", -1, -1, json!([one(0, &[1]), one(1, &[1])]));
    ask(peer, "in another order", -1, -1, json!([one(1, &[1]), one(0, &[1])]));
    ask(peer, "with a count", 2, -1, json!([one(0, &[1]), one(1, &[1])]));
    ask(peer, "with a factor", -1, 1, json!([one(0, &[1])]));
    ask(peer, "with both", 1, 1, json!([one(0, &[1])]));
    ask(peer, "a gap", -1, -1, json!([one(0, &[1]), one(2, &[1])]));
    ask(peer, "not from zero", -1, -1, json!([one(1, &[1])]));
    ask(peer, "negative", -1, -1, json!([one(-1, &[1])]));
    ask(peer, "one twice", -1, -1, json!([one(0, &[1]), one(0, &[1])]));
    ask(peer, "no broker", -1, -1, json!([one(0, &[])]));
    ask(peer, "unknown broker", -1, -1, json!([one(0, &[2])]));
    ask(peer, "broker twice", -1, -1, json!([one(0, &[1, 1])]));
    ask(peer, "uneven", -1, -1, json!([one(0, &[1]), one(1, &[1, 2])]));
}

/// Settings.
pub fn configs(peer: &mut Peer) {
    let ask = |peer: &mut Peer, words: &str, configs: Value| {
        peer.step(words);
        for version in peer.versions("CreateTopics") {
            let name = peer.name(&format!("{}-{version}", words.replace(' ', "-")));
            let topic = json!({ "name": name, "numPartitions": 1, "replicationFactor": 1, "configs": configs });
            peer.ask("CreateTopics", version, &create(&json!([topic])));
        }
    };
    ask(peer, "good", json!([{ "name": "retention.ms", "value": "1000" }, { "name": "segment.bytes", "value": "2097152" }]));
    ask(peer, "null", json!([{ "name": "retention.ms", "value": null }]));
    ask(peer, "empty", json!([{ "name": "retention.ms", "value": "" }]));
    ask(peer, "unknown", json!([{ "name": "retention.moons", "value": "1" }]));
    ask(peer, "given up", json!([{ "name": "message.format.version", "value": "3.0" }]));
    ask(peer, "no number", json!([{ "name": "retention.ms", "value": "long" }]));
    ask(peer, "too small", json!([{ "name": "segment.bytes", "value": "1" }]));
    ask(peer, "twice", json!([{ "name": "retention.ms", "value": "1" }, { "name": "retention.ms", "value": "2" }]));
    ask(peer, "broker setting", json!([{ "name": "log.retention.ms", "value": "1" }]));
    ask(peer, "no name", json!([{ "name": "", "value": "1" }]));
}

/// Several in one request.
pub fn several(peer: &mut Peer) {
    let one = |peer: &Peer, name: &str| json!({ "name": peer.name(name), "numPartitions": 1, "replicationFactor": 1 });
    peer.step("good and bad");
    for version in peer.versions("CreateTopics") {
        let bad = json!({ "name": peer.name("bad"), "numPartitions": 0, "replicationFactor": 1 });
        let body = create(&json!([one(peer, &format!("good-{version}")), bad]));
        peer.ask("CreateTopics", version, &body);
    }
    peer.step("one twice");
    let body = create(&json!([one(peer, "twice"), one(peer, "twice"), one(peer, "once")]));
    peer.ask_newest("CreateTopics", &body);
    led(peer, peer.name("once"), 1);
    peer.ask_newest("Metadata", &json!({
        "topics": [{ "name": peer.name("twice") }, { "name": peer.name("once") }], "allowAutoTopicCreation": false,
    }));
    peer.step("two that collide");
    let body = create(&json!([one(peer, "p.q_r"), one(peer, "p_q.r")]));
    peer.ask_newest("CreateTopics", &body);
}

/// Checked only.
pub fn validated(peer: &mut Peer) {
    let name = peer.name("never");
    let ask = |peer: &mut Peer, words: &str, topic: Value| {
        peer.step(words);
        peer.ask_all("CreateTopics", &json!({ "topics": [topic], "timeoutMs": 10_000, "validateOnly": true }));
    };
    ask(peer, "good", json!({ "name": name, "numPartitions": 2, "replicationFactor": 1 }));
    ask(peer, "defaults", json!({ "name": name, "numPartitions": -1, "replicationFactor": -1 }));
    ask(peer, "bad", json!({ "name": name, "numPartitions": 0, "replicationFactor": 1 }));
    let configs = json!([{ "name": "cleanup.policy", "value": "shred" }]);
    ask(peer, "bad setting", json!({ "name": name, "numPartitions": 1, "replicationFactor": 1, "configs": configs }));
    let configs = json!([{ "name": "cleanup.policy", "value": "compact" }]);
    ask(peer, "setting", json!({ "name": name, "numPartitions": 1, "replicationFactor": 1, "configs": configs }));
    peer.step("nothing was made");
    peer.ask_newest("Metadata", &json!({ "topics": [{ "name": name }], "allowAutoTopicCreation": false }));
    topic(peer, "there", 1, &[]);
    ask(peer, "one that is there", json!({ "name": peer.name("there"), "numPartitions": 1, "replicationFactor": 1 }));
}
