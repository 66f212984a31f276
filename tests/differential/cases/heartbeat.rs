//! Heartbeat.

use serde_json::{Value, json};

use super::members::{heartbeat, joined, leave, stable};
use crate::peer::Peer;

/// In every state of a group, and what is refused.
pub fn all(peer: &mut Peer) {
    let waiting = joined(peer, "waiting");
    peer.step("before the leader has synced");
    peer.ask_all("Heartbeat", &heartbeat(&waiting));
    let member = stable(peer, "stable");
    peer.step("stable");
    peer.ask_all("Heartbeat", &heartbeat(&member));
    let ask = |peer: &mut Peer, words: &str, field: &str, value: Value| {
        peer.step(words);
        let mut body = heartbeat(&member);
        body[field] = value;
        peer.ask_all("Heartbeat", &body);
    };
    ask(peer, "no group", "groupId", json!(""));
    ask(peer, "an unknown group", "groupId", json!(peer.name("none")));
    ask(peer, "an unknown member", "memberId", json!("nobody"));
    ask(peer, "no member", "memberId", json!(""));
    for generation in [0, 2, -1, i32::MAX] {
        ask(peer, &format!("generation {generation}"), "generationId", json!(generation));
    }
    ask(peer, "an unknown name of its own", "groupInstanceId", json!("one"));
    peer.quietly("LeaveGroup", &leave(&member));
    peer.step("after it has left");
    peer.ask_all("Heartbeat", &heartbeat(&member));
    peer.quietly("LeaveGroup", &leave(&waiting));
}
