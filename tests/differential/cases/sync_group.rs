//! SyncGroup.

use serde_json::{Value, json};

use super::members::{Member, joined, leave, second, stable, sync};
use crate::peer::Peer;

/// The leader assigns, in every version.
pub fn assignments(peer: &mut Peer) {
    for version in peer.versions("SyncGroup") {
        let member = joined(peer, &format!("v{version}"));
        peer.step("the leader");
        peer.ask("SyncGroup", version, &sync(&member, &[&member.id]));
        peer.step("again, with nothing");
        peer.ask("SyncGroup", version, &sync(&member, &[]));
        peer.quietly("LeaveGroup", &leave(&member));
        let member = joined(peer, &format!("none-{version}"));
        peer.step("the leader forgets itself");
        peer.ask("SyncGroup", version, &sync(&member, &[]));
        peer.quietly("LeaveGroup", &leave(&member));
        let member = joined(peer, &format!("stranger-{version}"));
        peer.step("the leader names a stranger");
        peer.ask("SyncGroup", version, &sync(&member, &[&member.id, &json!("stranger")]));
        peer.quietly("LeaveGroup", &leave(&member));
    }
    let first = stable(peer, "two");
    let (first, other) = second(peer, &first);
    peer.step("two members");
    let newest = peer.newest("SyncGroup");
    let waiting = peer.send(1, "SyncGroup", newest, &sync(&other, &[]));
    peer.ask_newest("SyncGroup", &sync(&first, &[&first.id, &other.id]));
    if let Some(ticket) = waiting {
        peer.receive(ticket);
    }
    peer.quietly("LeaveGroup", &leave(&other));
    peer.quietly("LeaveGroup", &leave(&first));
}

/// What is refused.
pub fn refused(peer: &mut Peer) {
    let member = stable(peer, "g");
    let good = sync(&member, &[]);
    let ask = |peer: &mut Peer, words: &str, field: &str, value: Value| {
        peer.step(words);
        let mut body = good.clone();
        body[field] = value;
        peer.ask_all("SyncGroup", &body);
    };
    ask(peer, "no group", "groupId", json!(""));
    ask(peer, "an unknown group", "groupId", json!(peer.name("none")));
    ask(peer, "an unknown member", "memberId", json!("nobody"));
    ask(peer, "no member", "memberId", json!(""));
    for generation in [0, 2, -1, i32::MAX] {
        ask(peer, &format!("generation {generation}"), "generationId", json!(generation));
    }
    ask(peer, "another type", "protocolType", json!("connect"));
    ask(peer, "another protocol", "protocolName", json!("sticky"));
    ask(peer, "no type", "protocolType", Value::Null);
    ask(peer, "no protocol", "protocolName", Value::Null);
    ask(peer, "a name of its own", "groupInstanceId", json!("one"));
    peer.quietly("LeaveGroup", &leave(&member));
    peer.step("after it has left");
    peer.ask_all("SyncGroup", &sync(&Member { generation: json!(1), ..member }, &[]));
}
