//! JoinGroup.

use serde_json::{Value, json};

use super::members::{Member, heartbeat, join, joined, leave, second, stable, sync};
use crate::peer::Peer;

/// The first member of a group, in every version.
pub fn first_member(peer: &mut Peer) {
    for version in peer.versions("JoinGroup") {
        let group = peer.name(&format!("v{version}"));
        peer.step("without an id");
        let answer = peer.ask("JoinGroup", version, &join(&group, &json!("")));
        peer.step("with the id that it was given");
        let again = peer.ask("JoinGroup", version, &join(&group, &answer["memberId"]));
        peer.step("again");
        let again = match peer.ask("JoinGroup", version, &join(&group, &answer["memberId"])) {
            Value::Null => again,
            newer => newer,
        };
        let member = Member { group, id: answer["memberId"].clone(), generation: again["generationId"].clone() };
        peer.step("synced, and joined once more");
        peer.ask_newest("SyncGroup", &sync(&member, &[&member.id]));
        peer.ask("JoinGroup", version, &join(&member.group, &member.id));
        peer.quietly("LeaveGroup", &leave(&member));
    }
}

/// Requests that are refused.
pub fn odd_requests(peer: &mut Peer) {
    let group = peer.name("g");
    let good = join(&group, &json!(""));
    let ask = |peer: &mut Peer, words: &str, field: &str, value: Value| {
        peer.step(words);
        let mut body = good.clone();
        body[field] = value;
        peer.ask_all("JoinGroup", &body);
    };
    ask(peer, "no group", "groupId", json!(""));
    ask(peer, "an unknown member", "memberId", json!("nobody"));
    for timeout in [5_999, 1_800_001, 0, -1, i32::MAX] {
        ask(peer, &format!("session of {timeout}"), "sessionTimeoutMs", json!(timeout));
    }
    ask(peer, "no protocol type", "protocolType", json!(""));
    ask(peer, "no protocols", "protocols", json!([]));
    peer.step("neither type nor protocols");
    let mut body = good.clone();
    body["protocolType"] = json!("");
    body["protocols"] = json!([]);
    peer.ask_all("JoinGroup", &body);
    peer.step("an unknown member of a group that is there");
    let member = stable(peer, "there");
    peer.ask_all("JoinGroup", &join(&member.group, &json!("nobody")));
    peer.quietly("LeaveGroup", &leave(&member));
}

/// A second member, and a rebalance.
pub fn second_member(peer: &mut Peer) {
    for version in peer.versions("JoinGroup").filter(|version| *version >= 4) {
        let first = stable(peer, &format!("v{version}"));
        let id = peer.quietly("JoinGroup", &join(&first.group, &json!("")))["memberId"].clone();
        peer.step("the second waits");
        let waiting = peer.send(1, "JoinGroup", version, &join(&first.group, &id));
        peer.until("Heartbeat", &heartbeat(&first), |answer| answer["errorCode"] == 27);
        peer.step("the first hears of it");
        peer.ask_newest("Heartbeat", &heartbeat(&first));
        peer.ask_newest("SyncGroup", &sync(&first, &[]));
        peer.step("the first joins again");
        let again = peer.ask("JoinGroup", version, &join(&first.group, &first.id));
        if let Some(ticket) = waiting {
            peer.step("the second is in");
            peer.receive(ticket);
        }
        let first = Member { generation: again["generationId"].clone(), ..first };
        let other = Member { id, ..first.clone() };
        peer.step("both sync");
        let waiting = peer.send(1, "SyncGroup", peer.newest("SyncGroup"), &sync(&other, &[]));
        peer.ask_newest("SyncGroup", &sync(&first, &[&first.id, &other.id]));
        if let Some(ticket) = waiting {
            peer.receive(ticket);
        }
        peer.step("the second goes, the first hears of it");
        peer.quietly("LeaveGroup", &leave(&other));
        peer.ask_newest("Heartbeat", &heartbeat(&first));
        peer.quietly("LeaveGroup", &leave(&first));
    }
}

/// Members with a name of their own.
pub fn static_members(peer: &mut Peer) {
    for version in peer.versions("JoinGroup").filter(|version| *version >= 5) {
        let group = peer.name(&format!("v{version}"));
        let mut body = join(&group, &json!(""));
        body["groupInstanceId"] = json!("one");
        peer.step("joins");
        let first = peer.ask("JoinGroup", version, &body);
        let old = Member { group: group.clone(), id: first["memberId"].clone(), generation: first["generationId"].clone() };
        let mut assign = sync(&old, &[&old.id]);
        assign["groupInstanceId"] = json!("one");
        peer.ask_newest("SyncGroup", &assign);
        peer.step("comes back without its id");
        let back = peer.ask("JoinGroup", version, &body);
        let new = Member { group: group.clone(), id: back["memberId"].clone(), generation: back["generationId"].clone() };
        peer.step("its old id is fenced");
        let mut stale = heartbeat(&old);
        stale["groupInstanceId"] = json!("one");
        peer.ask_newest("Heartbeat", &stale);
        let mut stale = join(&group, &old.id);
        stale["groupInstanceId"] = json!("one");
        peer.ask("JoinGroup", version, &stale);
        peer.step("its new id with another name");
        let mut other = join(&group, &new.id);
        other["groupInstanceId"] = json!("two");
        peer.ask("JoinGroup", version, &other);
        peer.step("its new id");
        let mut good = heartbeat(&new);
        good["groupInstanceId"] = json!("one");
        peer.ask_newest("Heartbeat", &good);
        peer.step("leaves by its name");
        let members = json!([{ "memberId": "", "groupInstanceId": "one" }]);
        peer.ask_newest("LeaveGroup", &json!({ "groupId": group, "members": members }));
        peer.step("leaves again");
        peer.ask_newest("LeaveGroup", &json!({ "groupId": group, "members": members }));
    }
    peer.step("odd names");
    let long = "n".repeat(250);
    for (at, name) in ["", ".", "..", "a b", "ä", &long].into_iter().enumerate() {
        let mut body = join(&peer.name(&format!("odd-{at}")), &json!(""));
        body["groupInstanceId"] = json!(name);
        peer.ask_newest("JoinGroup", &body);
    }
}

/// What members can speak.
pub fn protocols(peer: &mut Peer) {
    let first = stable(peer, "g");
    let mut ask = |words: &str, kind: &str, protocols: Value| {
        peer.step(words);
        let mut body = join(&first.group, &json!(""));
        body["protocolType"] = json!(kind);
        body["protocols"] = protocols;
        peer.ask_all("JoinGroup", &body);
    };
    ask("of another type", "connect", json!([{ "name": "range", "metadata": "0x" }]));
    ask("nothing in common", "consumer", json!([{ "name": "sticky", "metadata": "0x" }]));
    peer.step("of another type, in a group of one that has left");
    peer.quietly("LeaveGroup", &leave(&first));
    let mut body = join(&first.group, &json!(""));
    body["protocolType"] = json!("connect");
    let answer = peer.ask_newest("JoinGroup", &body);
    body["memberId"] = answer["memberId"].clone();
    peer.ask_newest("JoinGroup", &body);
    peer.step("the choice of two");
    let first = joined(peer, "two");
    peer.quietly("SyncGroup", &sync(&first, &[&first.id]));
    let (first, other) = second(peer, &first);
    peer.ask_newest("DescribeGroups", &json!({ "groups": [first.group] }));
    peer.quietly("LeaveGroup", &leave(&other));
    peer.quietly("LeaveGroup", &leave(&first));
}
