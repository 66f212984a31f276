//! DescribeLogDirs.

use serde_json::{Value, json};

use super::setup::{Topic, fill, topic};
use crate::batches::batch;
use crate::peer::Peer;

/// A broker makes the files of a new topic when it gets to it.
fn made(peer: &mut Peer, topic: &Topic) {
    let body = json!({ "topics": [{ "topic": topic.name, "partitions": [0, 1] }] });
    let two = |answer: &Value| answer["results"][0]["topics"][0]["partitions"].as_array().map(Vec::len) == Some(2);
    peer.until("DescribeLogDirs", &body, two);
}

/// Chosen partitions.
pub fn chosen(peer: &mut Peer) {
    let one = topic(peer, "one", 2, &[]);
    fill(peer, &one, 0, &[batch(&["a", "b"]), batch(&["c"])]);
    made(peer, &one);
    let ask = |peer: &mut Peer, words: &str, topics: Value| {
        peer.step(words);
        peer.ask_all("DescribeLogDirs", &json!({ "topics": topics }));
    };
    ask(peer, "both", json!([{ "topic": one.name, "partitions": [0, 1] }]));
    ask(peer, "one", json!([{ "topic": one.name, "partitions": [0] }]));
    ask(peer, "one twice", json!([{ "topic": one.name, "partitions": [0, 0] }]));
    ask(peer, "unknown partition", json!([{ "topic": one.name, "partitions": [7] }]));
    ask(peer, "unknown topic", json!([{ "topic": peer.name("none"), "partitions": [0] }]));
    ask(peer, "no partition", json!([{ "topic": one.name, "partitions": [] }]));
    ask(peer, "no topic", json!([]));
}

/// All of them.
pub fn listed(peer: &mut Peer) {
    let one = topic(peer, "one", 2, &[]);
    fill(peer, &one, 1, &[batch(&["a"])]);
    made(peer, &one);
    peer.only_mine();
    peer.step("all");
    peer.ask_all("DescribeLogDirs", &json!({ "topics": null }));
}
