//! DescribeProducers.

use serde_json::{Value, json};

use super::setup::{fill, producer, topic};
use crate::batches::batch;
use crate::peer::Peer;

/// Who writes to a partition.
pub fn all(peer: &mut Peer) {
    let one = topic(peer, "one", 2, &[]);
    let (first, second) = (producer(peer), producer(peer));
    let ask = |peer: &mut Peer, words: &str, topics: Value| {
        peer.step(words);
        peer.ask_all("DescribeProducers", &json!({ "topics": topics }));
    };
    let both = json!([{ "name": one.name, "partitionIndexes": [0, 1] }]);
    ask(peer, "nobody", both.clone());
    fill(peer, &one, 0, &[batch(&["a", "b"]).from(&first, 0, 0), batch(&["c"])]);
    ask(peer, "one", both.clone());
    fill(peer, &one, 0, &[batch(&["d"]).from(&second, 3, 0), batch(&["e"]).from(&first, 1, 0)]);
    ask(peer, "two, one of them in a newer epoch", both);
    ask(peer, "unknown partition", json!([{ "name": one.name, "partitionIndexes": [7, -1] }]));
    ask(peer, "unknown topic", json!([{ "name": peer.name("none"), "partitionIndexes": [0] }]));
    ask(peer, "bad names", json!([{ "name": "", "partitionIndexes": [0] }, { "name": "a b", "partitionIndexes": [0] }]));
    ask(peer, "one twice", json!([{ "name": one.name, "partitionIndexes": [0, 0] }]));
    ask(peer, "no partition", json!([{ "name": one.name, "partitionIndexes": [] }]));
    ask(peer, "no topic", json!([]));
}
