//! OffsetForLeaderEpoch.

use serde_json::{Value, json};

use super::setup::{fill, topic};
use crate::batches::batch;
use crate::peer::Peer;

/// Known epochs, unknown ones, fenced ones.
pub fn epochs(peer: &mut Peer) {
    let full = topic(peer, "full", 1, &[]);
    fill(peer, &full, 0, &[batch(&["a", "b", "c"])]);
    let empty = topic(peer, "empty", 1, &[]);
    let ask = |peer: &mut Peer, words: &str, topic: &str, partitions: Value| {
        peer.step(words);
        let body = json!({ "replicaId": -1, "topics": [{ "topic": topic, "partitions": partitions }] });
        peer.ask_all("OffsetForLeaderEpoch", &body);
    };
    let at = |current: i32, epoch: i32| json!([{ "partition": 0, "currentLeaderEpoch": current, "leaderEpoch": epoch }]);
    for name in [&full.name, &empty.name] {
        for epoch in [0, 1, -1, -2, i32::MAX] {
            ask(peer, &format!("{}, epoch {epoch}", if *name == full.name { "full" } else { "empty" }), name, at(-1, epoch));
        }
    }
    ask(peer, "current", &full.name, at(0, 0));
    ask(peer, "of the future", &full.name, at(1, 0));
    ask(peer, "below none", &full.name, at(-2, 0));
    ask(peer, "unknown partition", &full.name, json!([{ "partition": 7, "leaderEpoch": 0 }]));
    ask(peer, "unknown topic", &peer.name("none"), at(-1, 0));
    ask(peer, "no name", "", at(-1, 0));
    ask(peer, "no partition", &full.name, json!([]));
    peer.step("no topic");
    peer.ask_all("OffsetForLeaderEpoch", &json!({ "replicaId": -1, "topics": [] }));
    peer.step("odd replicas");
    for replica in [-2, 1, 9] {
        let body = json!({ "replicaId": replica, "topics": [{ "topic": full.name, "partitions": at(-1, 0) }] });
        peer.ask_newest("OffsetForLeaderEpoch", &body);
    }
}
