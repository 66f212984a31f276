//! DescribeGroups.

use serde_json::json;

use super::members::{heartbeat, join, joined, leave, stable};
use crate::peer::Peer;

/// Groups in each state.
pub fn states(peer: &mut Peer) {
    let ask = |peer: &mut Peer, words: &str, groups: &[&str]| {
        peer.step(words);
        peer.ask_all("DescribeGroups", &json!({ "groups": groups }));
    };
    let waiting = joined(peer, "waiting");
    ask(peer, "waiting for the leader", &[&waiting.group]);
    let member = stable(peer, "stable");
    ask(peer, "stable", &[&member.group]);
    peer.step("what a client may do");
    peer.ask_all("DescribeGroups", &json!({ "groups": [member.group], "includeAuthorizedOperations": true }));
    ask(peer, "two", &[&member.group, &waiting.group]);
    ask(peer, "one twice", &[&member.group, &member.group]);
    ask(peer, "unknown", &[&peer.name("none")]);
    ask(peer, "no name", &[""]);
    ask(peer, "none", &[]);
    let id = peer.quietly("JoinGroup", &join(&member.group, &json!("")))["memberId"].clone();
    let other = peer.send(1, "JoinGroup", peer.newest("JoinGroup"), &join(&member.group, &id));
    peer.until("Heartbeat", &heartbeat(&member), |answer| answer["errorCode"] == 27);
    ask(peer, "rebalancing", &[&member.group]);
    peer.quietly("LeaveGroup", &leave(&member));
    if let Some(ticket) = other {
        peer.step("the second is alone");
        peer.receive(ticket);
    }
    let body = json!({ "groupId": member.group, "memberId": id, "members": [{ "memberId": id }] });
    peer.quietly("LeaveGroup", &body);
    ask(peer, "empty", &[&member.group]);
    peer.quietly("LeaveGroup", &leave(&waiting));
    let mut body = join(&peer.name("static"), &json!(""));
    body["groupInstanceId"] = json!("one");
    peer.quietly("JoinGroup", &body);
    ask(peer, "a static member", &[&peer.name("static")]);
    let members = json!([{ "memberId": "", "groupInstanceId": "one" }]);
    peer.quietly("LeaveGroup", &json!({ "groupId": peer.name("static"), "members": members }));
}
