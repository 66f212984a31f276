//! Metadata.

use serde_json::{Value, json};

use super::setup::{gone, led, topic};
use crate::peer::Peer;
use crate::uuids;

/// From this version on a request can forbid that what it names is made.
const FORBIDS: i16 = 4;

/// Asks in every version from one on.
fn ask_from(peer: &mut Peer, first: i16, words: &str, topics: &Value) {
    peer.step(words);
    for version in peer.versions("Metadata").filter(|version| *version >= first) {
        peer.ask("Metadata", version, &json!({ "topics": topics, "allowAutoTopicCreation": false }));
    }
}

/// By name: there, not there, twice, and names that no topic can have.
pub fn names(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    let three = topic(peer, "three", 3, &[]);
    let ask = |peer: &mut Peer, words: &str, topics: Value| ask_from(peer, 0, words, &topics);
    ask(peer, "one", json!([{ "name": one.name }]));
    ask(peer, "two", json!([{ "name": one.name }, { "name": three.name }]));
    ask(peer, "the same twice", json!([{ "name": one.name }, { "name": one.name }]));
    let none = json!({ "name": peer.name("none") });
    ask_from(peer, FORBIDS, "none of that name", &json!([none]));
    ask_from(peer, FORBIDS, "none of that name twice", &json!([none, none]));
    ask(peer, "null", json!([{ "name": null }]));
    let long = "n".repeat(250);
    for name in ["", ".", "..", "a b", "a/b", "ä", "a\u{0}b", &long] {
        ask(peer, &format!("'{}'", &name[..name.len().min(8)]), json!([{ "name": name }]));
    }
}

/// By id.
pub fn ids(peer: &mut Peer) {
    let one = topic(peer, "one", 2, &[]);
    let ask = |peer: &mut Peer, words: &str, topics: Value| ask_from(peer, 0, words, &topics);
    ask(peer, "id alone", json!([{ "topicId": one.id, "name": null }]));
    ask(peer, "id and name", json!([{ "topicId": one.id, "name": one.name }]));
    let none = peer.name("none");
    ask_from(peer, FORBIDS, "id of one, name of none", &json!([{ "topicId": one.id, "name": none }]));
    ask(peer, "id of none", json!([{ "topicId": uuids::NOBODYS, "name": null }]));
    ask(peer, "id of none, name of one", json!([{ "topicId": uuids::NOBODYS, "name": one.name }]));
    ask(peer, "one by name, one by id", json!([{ "name": one.name }, { "topicId": one.id, "name": null }]));
    ask(peer, "no id and no name", json!([{ "topicId": uuids::ZERO, "name": null }]));
    let dead = topic(peer, "dead", 1, &[]);
    peer.quietly("DeleteTopics", &json!({ "topics": [{ "name": dead.name }], "timeoutMs": 10_000 }));
    gone(peer, &dead.name);
    ask(peer, "id of one that was deleted", json!([{ "topicId": dead.id, "name": null }]));
}

/// Everything, and nothing.
pub fn listed(peer: &mut Peer) {
    topic(peer, "one", 1, &[]);
    topic(peer, "two", 2, &[]);
    peer.step("an empty list");
    for version in peer.versions("Metadata").filter(|version| *version > 0) {
        peer.ask("Metadata", version, &json!({ "topics": [] }));
    }
    peer.only_mine();
    peer.step("all");
    peer.ask("Metadata", 0, &json!({ "topics": [] }));
    for version in peer.versions("Metadata").filter(|version| *version > 0) {
        peer.ask("Metadata", version, &json!({ "topics": null }));
    }
}

/// Topics that are made because they are asked for.
pub fn automatic(peer: &mut Peer) {
    let never = json!([{ "name": peer.name("never") }]);
    ask_from(peer, FORBIDS, "not allowed by the request", &never);
    peer.step("allowed");
    for version in peer.versions("Metadata") {
        let name = peer.name(&format!("made-{version}"));
        peer.ask("Metadata", version, &json!({ "topics": [{ "name": name }], "allowAutoTopicCreation": true }));
        led(peer, name.clone(), 1);
        peer.ask("Metadata", version, &json!({ "topics": [{ "name": name }], "allowAutoTopicCreation": true }));
    }
    peer.step("allowed, under a name that is none");
    peer.ask_all("Metadata", &json!({ "topics": [{ "name": "a b" }], "allowAutoTopicCreation": true }));
    peer.step("allowed, beside one that collides");
    let name = peer.name("a.b_c");
    peer.quietly("Metadata", &json!({ "topics": [{ "name": name }], "allowAutoTopicCreation": true }));
    led(peer, name, 1);
    let other = peer.name("a_b.c");
    peer.ask_all("Metadata", &json!({ "topics": [{ "name": other }], "allowAutoTopicCreation": true }));
    peer.step("allowed, by id");
    let topics = json!([{ "topicId": uuids::NOBODYS, "name": null }]);
    peer.ask_newest("Metadata", &json!({ "topics": topics, "allowAutoTopicCreation": true }));
    peer.step("allowed, twice in one request");
    let twice = peer.name("twice");
    let topics = json!([{ "name": twice }, { "name": twice }]);
    peer.ask_newest("Metadata", &json!({ "topics": topics, "allowAutoTopicCreation": true }));
}

/// What the client may do.
pub fn operations(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    for (cluster, topics) in [(true, false), (false, true), (true, true)] {
        peer.step(&format!("cluster {cluster}, topics {topics}"));
        let body = json!({
            "topics": [{ "name": one.name }, { "name": peer.name("none") }],
            "allowAutoTopicCreation": false,
            "includeClusterAuthorizedOperations": cluster,
            "includeTopicAuthorizedOperations": topics,
        });
        for version in peer.versions("Metadata").filter(|version| *version >= FORBIDS) {
            peer.ask("Metadata", version, &body);
        }
    }
}
