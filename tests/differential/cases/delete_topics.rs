//! DeleteTopics.

use serde_json::json;

use super::setup::{gone, topic};
use crate::peer::Peer;
use crate::uuids;

/// By name, in every version.
pub fn by_name(peer: &mut Peer) {
    peer.step("one that is there");
    for version in peer.versions("DeleteTopics") {
        let one = topic(peer, &format!("v{version}"), 2, &[]);
        let body = json!({ "topics": [{ "name": one.name }], "topicNames": [one.name], "timeoutMs": 10_000 });
        peer.ask("DeleteTopics", version, &body);
        gone(peer, &one.name);
        peer.ask_newest("Metadata", &json!({ "topics": [{ "name": one.name }], "allowAutoTopicCreation": false }));
    }
    peer.step("none");
    let none = peer.name("none");
    let body = json!({ "topics": [{ "name": none }], "topicNames": [none], "timeoutMs": 10_000 });
    peer.ask_all("DeleteTopics", &body);
    peer.step("one twice");
    let twice = topic(peer, "twice", 1, &[]);
    let body = json!({
        "topics": [{ "name": twice.name }, { "name": twice.name }],
        "topicNames": [twice.name, twice.name],
        "timeoutMs": 10_000,
    });
    peer.ask_all("DeleteTopics", &body);
    peer.step("names that are none");
    for name in ["", "a b", ".."] {
        let body = json!({ "topics": [{ "name": name }], "topicNames": [name], "timeoutMs": 10_000 });
        peer.ask_all("DeleteTopics", &body);
    }
    peer.step("an empty list");
    peer.ask_all("DeleteTopics", &json!({ "topics": [], "topicNames": [], "timeoutMs": 10_000 }));
    peer.step("made again");
    let again = topic(peer, "v6", 1, &[]);
    peer.ask_newest("Metadata", &json!({ "topics": [{ "name": again.name }], "allowAutoTopicCreation": false }));
}

/// By id, in the versions that have one.
pub fn by_id(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    let other = topic(peer, "other", 1, &[]);
    let ask = |peer: &mut Peer, words: &str, topics: serde_json::Value| {
        peer.step(words);
        peer.ask_newest("DeleteTopics", &json!({ "topics": topics, "timeoutMs": 10_000 }));
    };
    ask(peer, "nobody's", json!([{ "topicId": uuids::NOBODYS }]));
    ask(peer, "none and no name", json!([{ "topicId": uuids::ZERO }]));
    ask(peer, "id and name", json!([{ "topicId": one.id, "name": one.name }]));
    ask(peer, "id twice", json!([{ "topicId": one.id }, { "topicId": one.id }]));
    ask(peer, "nobody's twice", json!([{ "topicId": uuids::NOBODYS }, { "topicId": uuids::NOBODYS }]));
    ask(peer, "by name and by id", json!([{ "name": one.name }, { "topicId": one.id }]));
    ask(peer, "two", json!([{ "name": peer.name("none") }, { "topicId": other.id }]));
    gone(peer, &other.name);
    ask(peer, "again", json!([{ "topicId": other.id }]));
}
