//! CreatePartitions.

use serde_json::{Value, json};

use super::setup::{led, topic};
use crate::peer::Peer;

fn grow(topics: &Value, validate_only: bool) -> Value {
    json!({ "topics": topics, "timeoutMs": 10_000, "validateOnly": validate_only })
}

/// How many.
pub fn counts(peer: &mut Peer) {
    let one = topic(peer, "one", 2, &[]);
    for count in [2, 1, 0, -1, i32::MIN] {
        peer.step(&format!("to {count}"));
        peer.ask_all("CreatePartitions", &grow(&json!([{ "name": one.name, "count": count, "assignments": null }]), false));
    }
    peer.step("checked only");
    peer.ask_all("CreatePartitions", &grow(&json!([{ "name": one.name, "count": 9, "assignments": null }]), true));
    peer.ask_newest("Metadata", &json!({ "topics": [{ "name": one.name }] }));
    peer.step("more");
    for version in peer.versions("CreatePartitions") {
        let count = i32::from(version) + 3;
        let topics = json!([{ "name": one.name, "count": count, "assignments": null }]);
        peer.ask("CreatePartitions", version, &grow(&topics, false));
        led(peer, one.name.clone(), count);
        peer.ask_newest("Metadata", &json!({ "topics": [{ "name": one.name }] }));
    }
    peer.step("none of that name");
    for name in [&peer.name("none"), "", "a b"] {
        peer.ask_all("CreatePartitions", &grow(&json!([{ "name": name, "count": 2, "assignments": null }]), false));
    }
    peer.step("more than one request may make");
    let topics = json!([{ "name": one.name, "count": 20_000, "assignments": null }]);
    peer.ask_newest("CreatePartitions", &grow(&topics, true));
}

/// Assignments by hand.
pub fn assignments(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    let ask = |peer: &mut Peer, words: &str, count: i32, assignments: Value| {
        peer.step(words);
        let topics = json!([{ "name": one.name, "count": count, "assignments": assignments }]);
        peer.ask_all("CreatePartitions", &grow(&topics, true));
    };
    ask(peer, "good", 2, json!([{ "brokerIds": [1] }]));
    ask(peer, "too few", 3, json!([{ "brokerIds": [1] }]));
    ask(peer, "too many", 2, json!([{ "brokerIds": [1] }, { "brokerIds": [1] }]));
    ask(peer, "empty", 2, json!([]));
    ask(peer, "no broker", 2, json!([{ "brokerIds": [] }]));
    ask(peer, "unknown broker", 2, json!([{ "brokerIds": [9] }]));
    ask(peer, "broker twice", 2, json!([{ "brokerIds": [1, 1] }]));
}

/// Several in one request.
pub fn several(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    let two = topic(peer, "two", 1, &[]);
    let ask = |peer: &mut Peer, words: &str, topics: Value| {
        peer.step(words);
        peer.ask_newest("CreatePartitions", &grow(&topics, true));
    };
    let grown = |name: &str, count: i32| json!({ "name": name, "count": count, "assignments": null });
    ask(peer, "none", json!([]));
    ask(peer, "two", json!([grown(&one.name, 2), grown(&two.name, 3)]));
    ask(peer, "good and bad", json!([grown(&one.name, 2), grown(&two.name, 1)]));
    ask(peer, "one twice", json!([grown(&one.name, 2), grown(&one.name, 3)]));
    ask(peer, "one twice and another", json!([grown(&one.name, 2), grown(&one.name, 2), grown(&two.name, 2)]));
}
