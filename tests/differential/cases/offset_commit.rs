//! OffsetCommit.

use serde_json::{Value, json};

use super::members::{joined, leave, stable};
use super::setup::{Topic, topic};
use crate::peer::Peer;
use crate::uuids;

fn commit(group: &str, topic: &Topic, offset: i64) -> Value {
    json!({
        "groupId": group,
        "generationIdOrMemberEpoch": -1,
        "memberId": "",
        "topics": [{
            "name": topic.name,
            "topicId": topic.id,
            "partitions": [{
                "partitionIndex": 0, "committedOffset": offset, "committedLeaderEpoch": 0, "committedMetadata": "m",
            }],
        }],
    })
}

fn committed(peer: &mut Peer, group: &str) {
    let body = json!({ "groupId": group, "topics": null, "groups": [{ "groupId": group, "topics": null }] });
    peer.ask_newest("OffsetFetch", &body);
}

/// By whoever is no member, in every version.
pub fn simple(peer: &mut Peer) {
    let one = topic(peer, "one", 2, &[]);
    let group = peer.name("g");
    for version in peer.versions("OffsetCommit") {
        peer.step("an offset");
        peer.ask("OffsetCommit", version, &commit(&group, &one, 10 + i64::from(version)));
        committed(peer, &group);
    }
    for (words, field, value) in [
        ("an offset below zero", "committedOffset", json!(-1)),
        ("an offset far below zero", "committedOffset", json!(-100)),
        ("the greatest offset", "committedOffset", json!(i64::MAX)),
        ("no metadata", "committedMetadata", Value::Null),
        ("empty metadata", "committedMetadata", json!("")),
        ("the longest metadata", "committedMetadata", json!("m".repeat(4096))),
        ("metadata a byte too long", "committedMetadata", json!("m".repeat(4097))),
        ("metadata of many bytes in few letters", "committedMetadata", json!("ä".repeat(4000))),
        ("no epoch", "committedLeaderEpoch", json!(-1)),
        ("a far epoch", "committedLeaderEpoch", json!(99)),
        ("an unknown partition", "partitionIndex", json!(9)),
        ("a negative partition", "partitionIndex", json!(-1)),
    ] {
        peer.step(words);
        let mut body = commit(&group, &one, 50);
        body["topics"][0]["partitions"][0][field] = value;
        peer.ask_all("OffsetCommit", &body);
        committed(peer, &group);
    }
    peer.step("how long to keep it");
    let mut body = commit(&group, &one, 51);
    body["retentionTimeMs"] = json!(1_000_000);
    peer.ask_all("OffsetCommit", &body);
}

/// By members.
pub fn members(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    let waiting = joined(peer, "waiting");
    let by = |group: &str, member: &Value, generation: &Value| {
        let mut body = commit(group, &one, 5);
        body["memberId"] = member.clone();
        body["generationIdOrMemberEpoch"] = generation.clone();
        body
    };
    peer.step("before the leader has synced");
    peer.ask_all("OffsetCommit", &by(&waiting.group, &waiting.id, &waiting.generation));
    let member = stable(peer, "stable");
    peer.step("a member");
    peer.ask_all("OffsetCommit", &by(&member.group, &member.id, &member.generation));
    peer.step("a simple commit into a group with members");
    peer.ask_all("OffsetCommit", &by(&member.group, &json!(""), &json!(-1)));
    for generation in [0, 2, -1, i32::MAX] {
        peer.step(&format!("generation {generation}"));
        peer.ask_all("OffsetCommit", &by(&member.group, &member.id, &json!(generation)));
    }
    peer.step("an unknown member");
    peer.ask_all("OffsetCommit", &by(&member.group, &json!("nobody"), &member.generation));
    peer.step("no member, a generation");
    peer.ask_all("OffsetCommit", &by(&member.group, &json!(""), &member.generation));
    peer.step("an unknown name of its own");
    let mut body = by(&member.group, &member.id, &member.generation);
    body["groupInstanceId"] = json!("one");
    peer.ask_all("OffsetCommit", &body);
    peer.quietly("LeaveGroup", &leave(&member));
    peer.step("after it has left");
    peer.ask_all("OffsetCommit", &by(&member.group, &member.id, &member.generation));
    peer.step("an unknown group, a member");
    peer.ask_all("OffsetCommit", &by(&peer.name("none"), &json!("nobody"), &json!(1)));
    peer.quietly("LeaveGroup", &leave(&waiting));
}

/// Groups and topics that are not there.
pub fn refused(peer: &mut Peer) {
    let one = topic(peer, "one", 2, &[]);
    let group = peer.name("g");
    peer.step("no group");
    peer.ask_all("OffsetCommit", &commit("", &one, 1));
    peer.step("unknown topic");
    let none = Topic { name: peer.name("none"), id: json!(uuids::NOBODYS) };
    peer.ask_all("OffsetCommit", &commit(&group, &none, 1));
    peer.step("a bad name, no id");
    let none = Topic { name: "a b".to_owned(), id: json!(uuids::ZERO) };
    peer.ask_all("OffsetCommit", &commit(&group, &none, 1));
    peer.step("known and unknown");
    let none = Topic { name: peer.name("none"), id: json!(uuids::NOBODYS) };
    let mut body = commit(&group, &one, 1);
    body["topics"] = json!([body["topics"][0], commit(&group, &none, 1)["topics"][0]]);
    peer.ask_all("OffsetCommit", &body);
    peer.step("one partition twice");
    let mut body = commit(&group, &one, 1);
    let partition = |offset: i64| json!({ "partitionIndex": 1, "committedOffset": offset, "committedMetadata": "" });
    body["topics"][0]["partitions"] = json!([partition(7), partition(8)]);
    peer.ask_newest("OffsetCommit", &body);
    committed(peer, &group);
    peer.step("nothing");
    peer.ask_all("OffsetCommit", &json!({ "groupId": group, "generationIdOrMemberEpoch": -1, "topics": [] }));
    peer.step("a long group name");
    let long = peer.name(&"g".repeat(300));
    peer.ask_all("OffsetCommit", &commit(&long, &one, 1));
}
