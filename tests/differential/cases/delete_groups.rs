//! DeleteGroups.

use serde_json::json;

use super::members::{joined, leave, stable};
use super::setup::{commit, topic};
use crate::peer::Peer;

/// Groups in each state, known and unknown, once and twice.
pub fn states(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    for version in peer.versions("DeleteGroups") {
        let ask = |peer: &mut Peer, words: &str, groups: &[&str]| {
            peer.step(words);
            peer.ask("DeleteGroups", version, &json!({ "groupsNames": groups }));
        };
        let simple = peer.name(&format!("simple-{version}"));
        commit(peer, &simple, &one, 0, 1);
        let member = stable(peer, &format!("stable-{version}"));
        let waiting = joined(peer, &format!("waiting-{version}"));
        ask(peer, "one that has only offsets", &[&simple]);
        peer.step("its offsets are gone");
        let all = json!({ "groupId": simple, "groups": [{ "groupId": simple, "topics": null }], "topics": null });
        peer.ask_newest("OffsetFetch", &all);
        ask(peer, "one that is gone", &[&simple]);
        ask(peer, "one with members", &[&member.group]);
        ask(peer, "one that waits for its leader", &[&waiting.group]);
        ask(peer, "unknown", &[&peer.name("none")]);
        ask(peer, "no name", &[""]);
        ask(peer, "none", &[]);
        peer.quietly("LeaveGroup", &leave(&member));
        peer.quietly("LeaveGroup", &leave(&waiting));
        ask(peer, "one twice, and one more", &[&member.group, &member.group, &waiting.group]);
    }
}
