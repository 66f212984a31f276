//! ListOffsets.

use serde_json::json;

use super::setup::{Topic, fill, list_offsets, topic};
use crate::batches::{BASE_TIMESTAMP, batch};
use crate::peer::Peer;

/// What the numbers below zero stand for, each in each version; -7 and on stand for nothing.
const SPECIALS: [i64; 8] = [-1, -2, -3, -4, -5, -6, -7, i64::MIN];

fn specials(peer: &mut Peer, topic: &Topic) {
    for timestamp in SPECIALS {
        for level in [0, 1] {
            peer.step(&format!("{timestamp}, level {level}"));
            let mut body = list_offsets(topic, 0, timestamp);
            body["isolationLevel"] = json!(level);
            peer.ask_all("ListOffsets", &body);
        }
    }
}

/// On a log without records.
pub fn specials_empty(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    specials(peer, &one);
    for level in [2, -1] {
        peer.step(&format!("level {level}"));
        let mut body = list_offsets(&one, 0, -1);
        body["isolationLevel"] = json!(level);
        peer.ask_all("ListOffsets", &body);
    }
    peer.step("by time");
    for timestamp in [0, *BASE_TIMESTAMP, i64::MAX] {
        peer.ask_all("ListOffsets", &list_offsets(&one, 0, timestamp));
    }
}

/// On a log with records, and after its head was deleted.
pub fn specials_filled(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[("retention.ms", "-1")]);
    let later = *BASE_TIMESTAMP + 1_000;
    fill(peer, &one, 0, &[batch(&["a", "b"]), batch(&["c", "d", "e"]).at(later), batch(&["f"])]);
    specials(peer, &one);
    let delete = json!({
        "topics": [{ "name": one.name, "partitions": [{ "partitionIndex": 0, "offset": 3 }] }], "timeoutMs": 10_000,
    });
    peer.quietly("DeleteRecords", &delete);
    peer.step("after records were deleted");
    for timestamp in [-1, -2, -3, -4, 0, later] {
        peer.ask_newest("ListOffsets", &list_offsets(&one, 0, timestamp));
    }
}

/// By time: in order, out of order, inside batches, packed, and by the broker's clock.
pub fn timestamps(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[("retention.ms", "-1")]);
    let base = *BASE_TIMESTAMP;
    let unordered = batch(&["d", "e", "f"]).at(base + 100).with(|batch| {
        batch.records[1].timestamp_delta = 50;
        batch.records[2].timestamp_delta = 20;
        batch.max_timestamp = Some(base + 150);
    });
    let packed = batch(&["g", "h"]).at(base + 50).with(|batch| batch.attributes = 4);
    let equal = batch(&["i", "j"]).at(base + 150).with(|batch| batch.records[1].timestamp_delta = 0);
    fill(peer, &one, 0, &[batch(&["a", "b", "c"]).at(base), unordered, packed, equal]);
    for delta in [-1, 0, 1, 2, 3, 49, 50, 51, 52, 100, 101, 120, 121, 149, 150, 151] {
        peer.step(&format!("base {delta:+}"));
        peer.ask_all("ListOffsets", &list_offsets(&one, 0, base + delta));
    }
    peer.step("the greatest");
    peer.ask_all("ListOffsets", &list_offsets(&one, 0, -3));
    peer.step("records without a time");
    let none = topic(peer, "none", 1, &[]);
    fill(peer, &none, 0, &[batch(&["a"]).at(-1)]);
    for timestamp in [-3, 0, base] {
        peer.ask_newest("ListOffsets", &list_offsets(&none, 0, timestamp));
    }
    peer.step("the broker's clock");
    let clock = topic(peer, "clock", 1, &[("message.timestamp.type", "LogAppendTime")]);
    fill(peer, &clock, 0, &[batch(&["a", "b"])]);
    for timestamp in [-3, 0, base, i64::MAX] {
        peer.ask_newest("ListOffsets", &list_offsets(&clock, 0, timestamp));
    }
    peer.step("and packed");
    fill(peer, &clock, 0, &[batch(&["a", "b"]).with(|batch| batch.attributes = 1)]);
    peer.ask_newest("ListOffsets", &list_offsets(&clock, 0, base));
}

/// What is not there, and epochs.
pub fn unknown_places(peer: &mut Peer) {
    let one = topic(peer, "one", 2, &[]);
    fill(peer, &one, 0, &[batch(&["a"])]);
    peer.step("unknown partition");
    for partition in [2, -1] {
        peer.ask_all("ListOffsets", &list_offsets(&one, partition, -1));
    }
    peer.step("unknown topic");
    for name in [&peer.name("none"), "", "a b"] {
        let none = Topic { name: name.to_owned(), id: json!(null) };
        peer.ask_all("ListOffsets", &list_offsets(&none, 0, -1));
    }
    for epoch in [0, 1, -2, i32::MAX] {
        for (words, timestamp) in [("latest", -1), ("earliest", -2), ("by time", *BASE_TIMESTAMP)] {
            peer.step(&format!("epoch {epoch}, {words}"));
            let mut body = list_offsets(&one, 0, timestamp);
            body["topics"][0]["partitions"][0]["currentLeaderEpoch"] = json!(epoch);
            peer.ask_all("ListOffsets", &body);
        }
    }
    peer.step("two, one twice, none");
    let at = |partition: i32| json!({ "partitionIndex": partition, "timestamp": -1 });
    for partitions in [json!([at(0), at(1)]), json!([at(0), at(0)]), json!([at(0), at(0), at(1)]), json!([])] {
        let mut body = list_offsets(&one, 0, -1);
        body["topics"][0]["partitions"] = partitions;
        peer.ask_all("ListOffsets", &body);
    }
    peer.step("no topic");
    peer.ask_all("ListOffsets", &json!({ "replicaId": -1, "topics": [] }));
    peer.step("odd replicas");
    for replica in [-2, 1, 9] {
        let mut body = list_offsets(&one, 0, -1);
        body["replicaId"] = json!(replica);
        peer.ask_newest("ListOffsets", &body);
    }
}
