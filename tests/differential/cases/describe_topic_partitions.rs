//! DescribeTopicPartitions.

use serde_json::{Value, json};

use super::setup::topic;
use crate::peer::Peer;

fn three(peer: &mut Peer) -> Vec<String> {
    ["a", "b", "c"].iter().zip([2, 1, 3]).map(|(what, partitions)| topic(peer, what, partitions, &[]).name).collect()
}

fn ask(peer: &mut Peer, words: &str, body: &Value) {
    peer.step(words);
    peer.ask_all("DescribeTopicPartitions", body);
}

/// Topics by name.
pub fn named(peer: &mut Peer) {
    let names = three(peer);
    let of = |names: &[&str]| names.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>();
    ask(peer, "one", &json!({ "topics": of(&[&names[0]]) }));
    ask(peer, "two, in no order", &json!({ "topics": of(&[&names[2], &names[0]]) }));
    ask(peer, "one twice", &json!({ "topics": of(&[&names[0], &names[0]]) }));
    let none = peer.name("none");
    ask(peer, "unknown", &json!({ "topics": of(&[&none]) }));
    ask(peer, "known and unknown", &json!({ "topics": of(&[&names[1], &none]) }));
    for name in ["", "a b", ".."] {
        ask(peer, &format!("'{name}'"), &json!({ "topics": of(&[name]) }));
    }
    peer.only_mine();
    ask(peer, "all", &json!({ "topics": [] }));
}

/// Limits and where to go on.
pub fn cursors(peer: &mut Peer) {
    let names = three(peer);
    let topics: Vec<Value> = names.iter().map(|name| json!({ "name": name })).collect();
    for limit in [1, 2, 3, 4, 5, 6, 7, 0, -1, 2_001] {
        ask(peer, &format!("at most {limit}"), &json!({ "topics": topics, "responsePartitionLimit": limit }));
    }
    let from = |name: &str, partition: i32| json!({ "topicName": name, "partitionIndex": partition });
    for (words, cursor) in [
        ("from the start of a topic", from(&names[1], 0)),
        ("from the middle of a topic", from(&names[2], 1)),
        ("from the end of a topic", from(&names[0], 2)),
        ("from behind a topic", from(&names[0], 9)),
        ("from a negative partition", from(&names[0], -1)),
        ("from a topic that was not named", from(&peer.name("bb"), 0)),
        ("from behind all", from(&peer.name("z"), 0)),
        ("from no name", from("", 0)),
    ] {
        ask(peer, words, &json!({ "topics": topics, "cursor": cursor, "responsePartitionLimit": 2 }));
    }
}
