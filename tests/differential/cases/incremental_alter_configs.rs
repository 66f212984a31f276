//! IncrementalAlterConfigs: set, delete, append, subtract.

use serde_json::{Value, json};

use super::alter_configs::set_of;
use super::setup::topic;
use crate::peer::Peer;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

fn change(operation: i8, name: &str, value: Option<&str>) -> Value {
    json!({ "name": name, "configOperation": operation, "value": value })
}

fn alter(kind: i8, name: &str, configs: &[Value]) -> Value {
    json!({ "resources": [{ "resourceType": kind, "resourceName": name, "configs": configs }] })
}

/// One setting.
pub fn operations(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    for version in peer.versions("IncrementalAlterConfigs") {
        peer.step("set");
        let value = (7_000 + i32::from(version)).to_string();
        let body = alter(2, &one.name, &[change(SET, "retention.ms", Some(&value))]);
        peer.ask("IncrementalAlterConfigs", version, &body);
        set_of(peer, &one.name, "retention.ms", &value);
        peer.step("delete");
        let body = alter(2, &one.name, &[change(DELETE, "retention.ms", None)]);
        peer.ask("IncrementalAlterConfigs", version, &body);
        set_of(peer, &one.name, "retention.ms", "604800000");
        peer.step("delete what is not set");
        peer.ask("IncrementalAlterConfigs", version, &body);
    }
    peer.step("checked only");
    let mut body = alter(2, &one.name, &[change(SET, "retention.ms", Some("9"))]);
    body["validateOnly"] = json!(true);
    peer.ask_all("IncrementalAlterConfigs", &body);
    set_of(peer, &one.name, "retention.ms", "604800000");
}

/// Settings that are lists.
pub fn lists(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    let mut ask = |words: &str, operation: i8, value: &str, then: &str| {
        peer.step(words);
        let body = alter(2, &one.name, &[change(operation, "cleanup.policy", Some(value))]);
        peer.ask_newest("IncrementalAlterConfigs", &body);
        set_of(peer, &one.name, "cleanup.policy", then);
    };
    ask("append", APPEND, "compact", "delete,compact");
    ask("append what is there", APPEND, "compact", "delete,compact");
    ask("subtract", SUBTRACT, "delete", "compact");
    ask("subtract what is not there", SUBTRACT, "delete", "compact");
    ask("append two", APPEND, "delete,compact", "compact,delete");
    ask("subtract with spaces", SUBTRACT, " compact ", "compact,delete");
    ask("append nonsense", APPEND, "shred", "compact,delete");
    let throttled = "leader.replication.throttled.replicas";
    for (words, operation, value) in [("append to nothing", APPEND, "0:1"), ("append more", APPEND, "1:1,2:1")] {
        peer.step(words);
        let body = alter(2, &one.name, &[change(operation, throttled, Some(value))]);
        peer.ask_newest("IncrementalAlterConfigs", &body);
    }
    peer.step("both");
    set_of(peer, &one.name, throttled, "0:1,1:1,2:1");
}

/// What is refused.
pub fn refused(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    let ask = |peer: &mut Peer, words: &str, kind: i8, name: &str, configs: &[Value]| {
        peer.step(words);
        peer.ask_all("IncrementalAlterConfigs", &alter(kind, name, configs));
    };
    let good = change(SET, "retention.ms", Some("1"));
    ask(peer, "unknown setting", 2, &one.name, &[change(SET, "retention.moons", Some("1"))]);
    ask(peer, "delete of an unknown setting", 2, &one.name, &[change(DELETE, "retention.moons", None)]);
    ask(peer, "set to null", 2, &one.name, &[change(SET, "retention.ms", None)]);
    ask(peer, "delete with a value", 2, &one.name, &[change(DELETE, "retention.ms", Some("1"))]);
    ask(peer, "append to what is no list", 2, &one.name, &[change(APPEND, "retention.ms", Some("1"))]);
    ask(peer, "subtract from what is no list", 2, &one.name, &[change(SUBTRACT, "retention.ms", Some("1"))]);
    ask(peer, "append null", 2, &one.name, &[change(APPEND, "cleanup.policy", None)]);
    ask(peer, "operation 4", 2, &one.name, &[change(4, "retention.ms", Some("1"))]);
    ask(peer, "operation -1", 2, &one.name, &[change(-1, "retention.ms", Some("1"))]);
    ask(peer, "one twice", 2, &one.name, &[good.clone(), change(SET, "retention.ms", Some("2"))]);
    ask(peer, "no change", 2, &one.name, &[]);
    ask(peer, "no topic", 2, &peer.name("none"), std::slice::from_ref(&good));
    ask(peer, "no name", 2, "", std::slice::from_ref(&good));
    ask(peer, "a bad name", 2, "a b", std::slice::from_ref(&good));
    for kind in [0, 1, 3, 5, 64, -1] {
        ask(peer, &format!("kind {kind}"), kind, "x", std::slice::from_ref(&good));
    }
    peer.step("good and bad");
    let resource = |name: &str| json!({ "resourceType": 2, "resourceName": name, "configs": [good] });
    let body = json!({ "resources": [resource(&one.name), resource(&peer.name("none"))] });
    peer.ask_newest("IncrementalAlterConfigs", &body);
    peer.step("one resource twice");
    peer.ask_newest("IncrementalAlterConfigs", &json!({ "resources": [resource(&one.name), resource(&one.name)] }));
    peer.step("no resource");
    peer.ask_all("IncrementalAlterConfigs", &json!({ "resources": [] }));
}

/// The settings of tiered storage among each other (KIP-405, KIP-950).
pub fn tiering(peer: &mut Peer) {
    let at = std::cell::Cell::new(0);
    let mut ask = |words: &str, before: &[(&str, &str)], changes: &[(&str, &str)]| {
        peer.step(words);
        at.set(at.get() + 1);
        let one = topic(peer, &format!("t{}", at.get()), 1, before);
        let changes: Vec<Value> = changes
            .iter()
            .map(|(name, value)| match *value {
                "-" => change(DELETE, name, None),
                value => change(SET, name, Some(value)),
            })
            .collect();
        peer.ask_newest("IncrementalAlterConfigs", &alter(2, &one.name, &changes));
    };
    let on = ("remote.storage.enable", "true");
    let off = ("remote.storage.enable", "false");
    ask("on", &[off], &[on]);
    ask("off without leave", &[on], &[off]);
    ask("off with leave", &[on], &[off, ("remote.log.delete.on.disable", "true")]);
    ask("unset without leave", &[on], &[("remote.storage.enable", "-")]);
    ask("leave alone", &[on], &[("remote.log.delete.on.disable", "true")]);
    ask("compact where tiered", &[on], &[("cleanup.policy", "compact")]);
    ask("both where tiered", &[on], &[("cleanup.policy", "compact,delete")]);
    ask("no policy where tiered", &[on], &[("cleanup.policy", "")]);
    ask("tiered where compact", &[off, ("cleanup.policy", "compact")], &[on]);
    ask("local time over the whole", &[on], &[("retention.ms", "1000"), ("local.retention.ms", "2000")]);
    ask("local time without end", &[on, ("retention.ms", "1000")], &[("local.retention.ms", "-1")]);
    ask("local size over the whole", &[on], &[("retention.bytes", "1000"), ("local.retention.bytes", "2000")]);
    ask("local size without end", &[on, ("retention.bytes", "1000")], &[("local.retention.bytes", "-1")]);
    ask("local time under the whole", &[on], &[("retention.ms", "2000"), ("local.retention.ms", "1000")]);
    ask("local time -2", &[on], &[("local.retention.ms", "-2")]);
    ask("local time -3", &[on], &[("local.retention.ms", "-3")]);
    ask("local size -3", &[on], &[("local.retention.bytes", "-3")]);
    ask("copies paused", &[on], &[("remote.log.copy.disable", "true")]);
    ask("copies paused, less kept", &[on], &[("remote.log.copy.disable", "true"), ("local.retention.ms", "1000")]);
    ask("copies paused where untiered", &[off], &[("remote.log.copy.disable", "true")]);
    ask("local over the whole, untiered", &[off], &[("retention.ms", "1000"), ("local.retention.ms", "2000")]);
}

/// Settings of the broker.
pub fn brokers(peer: &mut Peer) {
    let ask = |peer: &mut Peer, words: &str, name: &str, changes: &[Value]| {
        peer.step(words);
        let mut body = alter(4, name, changes);
        body["validateOnly"] = json!(true);
        peer.ask_newest("IncrementalAlterConfigs", &body);
    };
    ask(peer, "read-only", "1", &[change(SET, "num.partitions", Some("2"))]);
    ask(peer, "unknown", "1", &[change(SET, "no.such.thing", Some("2"))]);
    ask(peer, "bad value", "1", &[change(SET, "log.retention.ms", Some("x"))]);
    ask(peer, "another broker", "2", &[change(SET, "log.retention.ms", Some("1000"))]);
    ask(peer, "no number", "x", &[change(SET, "log.retention.ms", Some("1000"))]);
    ask(peer, "none", "1", &[]);
}
