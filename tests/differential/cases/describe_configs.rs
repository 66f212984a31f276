//! DescribeConfigs.

use serde_json::{Value, json};

use super::setup::topic;
use crate::peer::Peer;

fn describe(resources: &Value) -> Value {
    json!({ "resources": resources, "includeSynonyms": true })
}

/// All of a topic's settings: value, type, source, synonyms.
pub fn topics(peer: &mut Peer) {
    let plain = topic(peer, "plain", 1, &[]);
    let set = topic(
        peer,
        "set",
        1,
        &[("retention.ms", "1000"), ("cleanup.policy", "compact,delete"), ("compression.type", "zstd")],
    );
    for (words, name) in [("plain", &plain.name), ("set", &set.name)] {
        peer.step(words);
        peer.ask_all("DescribeConfigs", &describe(&json!([{ "resourceType": 2, "resourceName": name, "configurationKeys": null }])));
    }
    peer.step("without synonyms");
    let resources = json!([{ "resourceType": 2, "resourceName": set.name, "configurationKeys": null }]);
    peer.ask_newest("DescribeConfigs", &json!({ "resources": resources }));
}

/// All of the broker's settings.
pub fn brokers(peer: &mut Peer) {
    peer.step("the broker");
    let resources = json!([{ "resourceType": 4, "resourceName": "1", "configurationKeys": null }]);
    peer.ask_all("DescribeConfigs", &describe(&resources));
    peer.step("the default of all brokers");
    let resources = json!([{ "resourceType": 4, "resourceName": "", "configurationKeys": null }]);
    peer.ask_all("DescribeConfigs", &describe(&resources));
}

/// Some of them.
pub fn chosen(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    let ask = |peer: &mut Peer, words: &str, kind: i8, name: &str, keys: Value| {
        peer.step(words);
        let resources = json!([{ "resourceType": kind, "resourceName": name, "configurationKeys": keys }]);
        peer.ask_all("DescribeConfigs", &describe(&resources));
    };
    ask(peer, "one", 2, &one.name, json!(["retention.ms"]));
    ask(peer, "one twice", 2, &one.name, json!(["retention.ms", "retention.ms"]));
    ask(peer, "an unknown one", 2, &one.name, json!(["retention.moons"]));
    ask(peer, "no key at all", 2, &one.name, json!([]));
    ask(peer, "of the broker", 4, "1", json!(["num.partitions", "log.retention.ms", "offsets.topic.num.partitions"]));
    ask(peer, "an unknown one of the broker", 4, "1", json!(["no.such.thing"]));
    ask(peer, "no key of the broker", 4, "1", json!([]));
}

/// Resources that are not there, or of another kind.
pub fn odd_resources(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    let key = json!(["retention.ms"]);
    let ask = |peer: &mut Peer, words: &str, resources: Value| {
        peer.step(words);
        peer.ask_all("DescribeConfigs", &describe(&resources));
    };
    let odd = |kind: i8, name: &str| json!({ "resourceType": kind, "resourceName": name, "configurationKeys": key });
    ask(peer, "no topic", json!([odd(2, &peer.name("none"))]));
    ask(peer, "no name", json!([odd(2, "")]));
    ask(peer, "a bad name", json!([odd(2, "a b")]));
    ask(peer, "another broker", json!([odd(4, "2")]));
    ask(peer, "a broker that is no number", json!([odd(4, "x")]));
    for kind in [0, 1, 3, 5, 64, -1, 127] {
        ask(peer, &format!("kind {kind}"), json!([odd(kind, "x")]));
    }
    ask(peer, "none", json!([]));
    ask(peer, "one twice", json!([odd(2, &one.name), odd(2, &one.name)]));
    ask(peer, "good and bad", json!([odd(2, &one.name), odd(2, &peer.name("none"))]));
    peer.step("loggers");
    let keys = json!(["kafka.log.UnifiedLog"]);
    let resources = json!([{ "resourceType": 8, "resourceName": "2", "configurationKeys": keys }]);
    peer.ask_newest("DescribeConfigs", &describe(&resources));
    peer.step("groups");
    for kind in [16, 32] {
        let resources = json!([{ "resourceType": kind, "resourceName": "g", "configurationKeys": [] }]);
        peer.ask_newest("DescribeConfigs", &describe(&resources));
    }
}
