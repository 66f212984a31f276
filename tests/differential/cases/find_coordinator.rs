//! FindCoordinator.

use serde_json::json;

use crate::peer::Peer;

/// One key, in every version.
pub fn one_key(peer: &mut Peer) {
    for (words, key, kind) in [
        ("a group", "g", 0),
        ("a group without a name", "", 0),
        ("a long name", &*"g".repeat(300), 0),
        ("a name that is no topic's", "a b/ä", 0),
        ("kind 2", "g", 2),
        ("kind 3", "g", 3),
        ("kind -1", "g", -1),
    ] {
        peer.step(words);
        peer.ask_all("FindCoordinator", &json!({ "key": key, "keyType": kind, "coordinatorKeys": [key] }));
    }
}

/// Several keys.
pub fn many_keys(peer: &mut Peer) {
    for (words, keys) in [("three", json!(["a", "b", "c"])), ("one twice", json!(["a", "a"])), ("none", json!([]))] {
        peer.step(words);
        for version in peer.versions("FindCoordinator").filter(|version| *version >= 4) {
            peer.ask("FindCoordinator", version, &json!({ "keyType": 0, "coordinatorKeys": keys }));
        }
    }
}
