//! ListGroups.

use serde_json::{Value, json};

use super::members::{joined, leave, stable};
use super::setup::topic;
use crate::peer::Peer;

/// All groups, and those of some states and types.
pub fn filters(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    let member = stable(peer, "stable");
    let waiting = joined(peer, "waiting");
    let left = stable(peer, "left");
    peer.quietly("LeaveGroup", &leave(&left));
    let partitions = json!([{ "partitionIndex": 0, "committedOffset": 1, "committedMetadata": "" }]);
    let topics = json!([{ "name": one.name, "topicId": one.id, "partitions": partitions }]);
    let simple = peer.name("simple");
    let body = json!({ "groupId": simple, "generationIdOrMemberEpoch": -1, "memberId": "", "topics": topics });
    peer.quietly("OffsetCommit", &body);
    peer.only_mine();
    let ask = |peer: &mut Peer, words: &str, states: Value, types: Value| {
        peer.step(words);
        peer.ask_all("ListGroups", &json!({ "statesFilter": states, "typesFilter": types }));
    };
    ask(peer, "all", json!([]), json!([]));
    for state in ["Stable", "stable", "STABLE", "Empty", "CompletingRebalance", "PreparingRebalance", "Dead", "none", ""] {
        ask(peer, &format!("state '{state}'"), json!([state]), json!([]));
    }
    ask(peer, "two states", json!(["Stable", "Empty"]), json!([]));
    for kind in ["classic", "Classic", "consumer", "share", "streams", "none", ""] {
        ask(peer, &format!("type '{kind}'"), json!([]), json!([kind]));
    }
    ask(peer, "state and type", json!(["Stable"]), json!(["classic"]));
    peer.quietly("LeaveGroup", &leave(&member));
    peer.quietly("LeaveGroup", &leave(&waiting));
}
