//! AlterConfigs: all settings of a resource at once.

use serde_json::{Value, json};

use super::setup::topic;
use crate::peer::Peer;

fn alter(kind: i8, name: &str, configs: &Value) -> Value {
    json!({ "resources": [{ "resourceType": kind, "resourceName": name, "configs": configs }] })
}

/// What a topic has been set to, once it shows.
pub fn set_of(peer: &mut Peer, name: &str, key: &str, value: &str) {
    let resources = json!([{ "resourceType": 2, "resourceName": name, "configurationKeys": null }]);
    let body = json!({ "resources": resources, "includeSynonyms": true });
    let shows = |answer: &Value| {
        let configs = answer["results"][0]["configs"].as_array();
        configs.into_iter().flatten().any(|one| one["name"] == key && one["value"] == value)
    };
    peer.until("DescribeConfigs", &body, shows);
    peer.ask_newest("DescribeConfigs", &body);
}

/// What is not named goes back to its default.
pub fn topics(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[("retention.ms", "1000"), ("segment.bytes", "2000000")]);
    peer.step("one in place of two");
    for version in peer.versions("AlterConfigs") {
        let value = (5_000 + i32::from(version)).to_string();
        let configs = json!([{ "name": "retention.ms", "value": value }]);
        peer.ask("AlterConfigs", version, &alter(2, &one.name, &configs));
        set_of(peer, &one.name, "retention.ms", &value);
    }
    peer.step("checked only");
    let mut body = alter(2, &one.name, &json!([{ "name": "retention.ms", "value": "9" }]));
    body["validateOnly"] = json!(true);
    peer.ask_all("AlterConfigs", &body);
    peer.step("none");
    peer.ask_newest("AlterConfigs", &alter(2, &one.name, &json!([])));
    set_of(peer, &one.name, "retention.ms", "604800000");
}

/// What is refused.
pub fn refused(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    let ask = |peer: &mut Peer, words: &str, kind: i8, name: &str, configs: Value| {
        peer.step(words);
        peer.ask_all("AlterConfigs", &alter(kind, name, &configs));
    };
    let good = json!([{ "name": "retention.ms", "value": "100000" }]);
    ask(peer, "unknown setting", 2, &one.name, json!([{ "name": "retention.moons", "value": "1" }]));
    ask(peer, "no number", 2, &one.name, json!([{ "name": "retention.ms", "value": "x" }]));
    ask(peer, "null", 2, &one.name, json!([{ "name": "retention.ms", "value": null }]));
    ask(peer, "one twice", 2, &one.name, json!([
        { "name": "retention.ms", "value": "1" }, { "name": "retention.ms", "value": "2" },
    ]));
    ask(peer, "no topic", 2, &peer.name("none"), good.clone());
    ask(peer, "no name", 2, "", good.clone());
    ask(peer, "kind 0", 0, "x", good.clone());
    ask(peer, "kind 3", 3, "x", good.clone());
    ask(peer, "another broker", 4, "7", good.clone());
    peer.step("no resource");
    peer.ask_all("AlterConfigs", &json!({ "resources": [] }));
    peer.step("one resource twice");
    peer.impatient();
    let resource = json!({ "resourceType": 2, "resourceName": one.name, "configs": good });
    peer.ask_newest("AlterConfigs", &json!({ "resources": [resource, resource] }));
}
