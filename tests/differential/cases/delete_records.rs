//! DeleteRecords.

use serde_json::{Value, json};

use super::setup::{fetch, fill, list_offsets, topic};
use crate::batches::batch;
use crate::peer::Peer;

fn delete(topic: &str, partitions: &Value) -> Value {
    json!({ "topics": [{ "name": topic, "partitions": partitions }], "timeoutMs": 10_000 })
}

/// Offsets inside, at and behind the ends.
pub fn bounds(peer: &mut Peer) {
    let one = topic(peer, "one", 2, &[]);
    fill(peer, &one, 0, &[batch(&["a", "b", "c"]), batch(&["d", "e"])]);
    for offset in [0, 2, 1, 2, -2, 6, i64::MAX, i64::MIN, 3, 4] {
        peer.step(&format!("to {offset}"));
        peer.ask_all("DeleteRecords", &delete(&one.name, &json!([{ "partitionIndex": 0, "offset": offset }])));
        peer.ask_newest("ListOffsets", &list_offsets(&one, 0, -2));
    }
    peer.step("read what is left");
    peer.ask_newest("Fetch", &fetch(&one, 0, 4));
    peer.step("to the end");
    peer.ask_all("DeleteRecords", &delete(&one.name, &json!([{ "partitionIndex": 0, "offset": -1 }])));
    peer.ask_newest("ListOffsets", &list_offsets(&one, 0, -2));
    peer.ask_newest("Fetch", &fetch(&one, 0, 5));
    peer.step("an empty partition");
    for offset in [-1, 0, 1] {
        peer.ask_newest("DeleteRecords", &delete(&one.name, &json!([{ "partitionIndex": 1, "offset": offset }])));
    }
    peer.step("unknown partition");
    peer.ask_all("DeleteRecords", &delete(&one.name, &json!([{ "partitionIndex": 9, "offset": 0 }])));
    peer.step("unknown topic");
    for name in [&peer.name("none"), "", "a b"] {
        peer.ask_all("DeleteRecords", &delete(name, &json!([{ "partitionIndex": 0, "offset": 0 }])));
    }
    peer.step("good and bad");
    let two = json!([{ "partitionIndex": 1, "offset": -1 }, { "partitionIndex": 9, "offset": 0 }]);
    peer.ask_all("DeleteRecords", &delete(&one.name, &two));
    peer.step("nothing");
    peer.ask_all("DeleteRecords", &json!({ "topics": [], "timeoutMs": 10_000 }));
    peer.step("a compacted topic");
    for policy in ["compact", "compact,delete"] {
        let one = topic(peer, &policy.replace(',', "-"), 1, &[("cleanup.policy", policy)]);
        fill(peer, &one, 0, &[batch(&["a", "b"])]);
        peer.ask_newest("DeleteRecords", &delete(&one.name, &json!([{ "partitionIndex": 0, "offset": 1 }])));
    }
}
