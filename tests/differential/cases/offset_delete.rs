//! OffsetDelete.

use serde_json::{Value, json};

use super::members::{join, leave, stable};
use super::setup::{commit, topic};
use crate::peer::Peer;

/// Offsets of a group without members.
pub fn simple(peer: &mut Peer) {
    let one = topic(peer, "one", 3, &[]);
    let other = topic(peer, "other", 1, &[]);
    let group = peer.name("g");
    for partition in 0..3 {
        commit(peer, &group, &one, partition, 5);
    }
    let ask = |peer: &mut Peer, words: &str, group: &str, topics: Value| {
        peer.step(words);
        peer.ask_all("OffsetDelete", &json!({ "groupId": group, "topics": topics }));
    };
    let of = |name: &str, partitions: &[i32]| {
        let partitions: Vec<Value> = partitions.iter().map(|at| json!({ "partitionIndex": at })).collect();
        json!({ "name": name, "partitions": partitions })
    };
    ask(peer, "one", &group, json!([of(&one.name, &[0])]));
    peer.step("what is left");
    let all = json!({ "groupId": group, "groups": [{ "groupId": group, "topics": null }], "topics": null });
    peer.ask_newest("OffsetFetch", &all);
    ask(peer, "one that is gone", &group, json!([of(&one.name, &[0])]));
    ask(peer, "one that never was", &group, json!([of(&other.name, &[0])]));
    ask(peer, "unknown partition", &group, json!([of(&one.name, &[1, 9])]));
    ask(peer, "unknown topic", &group, json!([of(&peer.name("none"), &[0]), of(&one.name, &[2])]));
    ask(peer, "no partition", &group, json!([of(&one.name, &[])]));
    ask(peer, "no topic", &group, json!([]));
    ask(peer, "unknown group", &peer.name("none"), json!([of(&one.name, &[0])]));
    ask(peer, "no group", "", json!([of(&one.name, &[0])]));
    peer.step("nothing is left");
    peer.ask_newest("OffsetFetch", &all);
}

/// Offsets of a group that has members: of topics that they read, and of others.
pub fn members(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    let read = topic(peer, "read", 1, &[]);
    let odd = stable(peer, "odd");
    let body = |group: &str| {
        let of = |name: &str| json!({ "name": name, "partitions": [{ "partitionIndex": 0 }] });
        json!({ "groupId": group, "topics": [of(&one.name), of(&read.name)] })
    };
    peer.step("members whose metadata is no subscription");
    peer.ask_all("OffsetDelete", &body(&odd.group));
    peer.quietly("LeaveGroup", &leave(&odd));
    let group = peer.name("readers");
    // A consumer's subscription: its version, one topic, no more.
    let name = read.name.as_bytes();
    let length = u16::try_from(name.len()).unwrap().to_be_bytes();
    let metadata = [&[0, 1, 0, 0, 0, 1][..], &length, name, &[0xff; 4], &[0; 4]].concat();
    let mut asked = join(&group, &json!(""));
    asked["protocols"] = json!([{ "name": "range", "metadata": crate::encode::to_hex(&metadata) }]);
    asked["memberId"] = peer.quietly("JoinGroup", &asked)["memberId"].clone();
    let generation = peer.quietly("JoinGroup", &asked)["generationId"].clone();
    let member = super::members::Member { group: group.clone(), id: asked["memberId"].clone(), generation };
    peer.quietly("SyncGroup", &super::members::sync(&member, &[&member.id]));
    peer.step("members that read one of two");
    peer.ask_all("OffsetDelete", &body(&group));
    peer.quietly("LeaveGroup", &leave(&member));
    peer.step("and have left");
    peer.ask_all("OffsetDelete", &body(&group));
}
