//! LeaveGroup.

use serde_json::{Value, json};

use super::members::stable;
use crate::peer::Peer;

/// One member, several, and strangers.
pub fn members(peer: &mut Peer) {
    for version in peer.versions("LeaveGroup") {
        let member = stable(peer, &format!("v{version}"));
        let body = |members: Value, alone: &Value| json!({ "groupId": member.group, "memberId": alone, "members": members });
        peer.step("a stranger");
        peer.ask("LeaveGroup", version, &body(json!([{ "memberId": "nobody" }]), &json!("nobody")));
        peer.step("a member");
        peer.ask("LeaveGroup", version, &body(json!([{ "memberId": member.id }]), &member.id));
        peer.step("again");
        peer.ask("LeaveGroup", version, &body(json!([{ "memberId": member.id }]), &member.id));
        peer.step("no group");
        peer.ask("LeaveGroup", version, &json!({ "groupId": "", "memberId": "x", "members": [{ "memberId": "x" }] }));
        peer.step("an unknown group");
        let unknown = json!({ "groupId": peer.name("none"), "memberId": "x", "members": [{ "memberId": "x" }] });
        peer.ask("LeaveGroup", version, &unknown);
    }
    for version in peer.versions("LeaveGroup").filter(|version| *version >= 3) {
        let member = stable(peer, &format!("many-{version}"));
        let ask = |peer: &mut Peer, words: &str, members: Value| {
            peer.step(words);
            peer.ask("LeaveGroup", version, &json!({ "groupId": member.group, "members": members }));
        };
        ask(peer, "nobody", json!([]));
        ask(peer, "an unknown name", json!([{ "memberId": "", "groupInstanceId": "one" }]));
        ask(peer, "neither id nor name", json!([{ "memberId": "" }]));
        ask(peer, "one good, one bad", json!([{ "memberId": "nobody" }, { "memberId": member.id, "reason": "enough" }]));
    }
}
