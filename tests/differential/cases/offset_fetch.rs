//! OffsetFetch.

use serde_json::{Value, json};

use super::members::{leave, stable};
use super::setup::{Topic, topic};
use crate::peer::Peer;
use crate::uuids;

fn commit(peer: &mut Peer, group: &str, topic: &Topic, partition: i32, offset: i64) {
    let partitions = json!([{
        "partitionIndex": partition, "committedOffset": offset, "committedLeaderEpoch": 3, "committedMetadata": "words",
    }]);
    let topics = json!([{ "name": topic.name, "topicId": topic.id, "partitions": partitions }]);
    let body = json!({ "groupId": group, "generationIdOrMemberEpoch": -1, "memberId": "", "topics": topics });
    peer.quietly("OffsetCommit", &body);
}

/// A request that fits every version.
fn fetch(group: &str, topics: &[(&Topic, &[i32])]) -> Value {
    let topics: Vec<Value> = topics
        .iter()
        .map(|(topic, partitions)| json!({ "name": topic.name, "topicId": topic.id, "partitionIndexes": partitions }))
        .collect();
    let old: Vec<Value> = topics
        .iter()
        .map(|one| json!({ "name": one["name"], "partitionIndexes": one["partitionIndexes"] }))
        .collect();
    json!({ "groupId": group, "topics": old, "groups": [{ "groupId": group, "topics": topics }] })
}

/// Chosen partitions.
pub fn chosen(peer: &mut Peer) {
    let one = topic(peer, "one", 3, &[]);
    let two = topic(peer, "two", 1, &[]);
    let group = peer.name("g");
    commit(peer, &group, &one, 0, 5);
    commit(peer, &group, &one, 2, 7);
    let none = Topic { name: peer.name("none"), id: json!(uuids::NOBODYS) };
    let ask = |peer: &mut Peer, words: &str, body: Value| {
        peer.step(words);
        peer.ask_all("OffsetFetch", &body);
    };
    ask(peer, "some committed, some not", fetch(&group, &[(&one, &[0, 1, 2])]));
    ask(peer, "another topic too", fetch(&group, &[(&one, &[0]), (&two, &[0])]));
    ask(peer, "unknown partition", fetch(&group, &[(&one, &[9, -1])]));
    ask(peer, "unknown topic", fetch(&group, &[(&none, &[0])]));
    ask(peer, "known and unknown", fetch(&group, &[(&none, &[0]), (&one, &[2])]));
    ask(peer, "one twice", fetch(&group, &[(&one, &[0, 0])]));
    ask(peer, "no partition", fetch(&group, &[(&one, &[])]));
    ask(peer, "no topic", fetch(&group, &[]));
    ask(peer, "unknown group", fetch(&peer.name("none"), &[(&one, &[0])]));
    ask(peer, "no group", fetch("", &[(&one, &[0])]));
    let mut stable_only = fetch(&group, &[(&one, &[0])]);
    stable_only["requireStable"] = json!(true);
    ask(peer, "what is decided only", stable_only);
}

/// All that a group has.
pub fn listed(peer: &mut Peer) {
    let one = topic(peer, "one", 2, &[]);
    let group = peer.name("g");
    commit(peer, &group, &one, 1, 7);
    for (words, name) in [("a group", group.as_str()), ("unknown group", &peer.name("none"))] {
        peer.step(words);
        for version in peer.versions("OffsetFetch").filter(|version| *version >= 2) {
            let body = json!({ "groupId": name, "topics": null, "groups": [{ "groupId": name, "topics": null }] });
            peer.ask("OffsetFetch", version, &body);
        }
    }
    peer.step("after the topic was deleted");
    let body = json!({ "topics": [{ "name": one.name }], "timeoutMs": 10_000 });
    peer.quietly("DeleteTopics", &body);
    super::setup::gone(peer, &one.name);
    let body = json!({ "groupId": group, "topics": null, "groups": [{ "groupId": group, "topics": null }] });
    peer.until("OffsetFetch", &body, |answer| answer["groups"][0]["topics"].as_array().is_some_and(Vec::is_empty));
    peer.ask_newest("OffsetFetch", &body);
}

/// Several groups at once, and who asks.
pub fn many_groups(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    let (first, second) = (peer.name("first"), peer.name("second"));
    commit(peer, &first, &one, 0, 1);
    commit(peer, &second, &one, 0, 2);
    let member = stable(peer, "members");
    let topics = json!([{ "name": one.name, "topicId": one.id, "partitionIndexes": [0] }]);
    let ask = |peer: &mut Peer, words: &str, groups: Value| {
        peer.step(words);
        for version in peer.versions("OffsetFetch").filter(|version| *version >= 8) {
            peer.ask("OffsetFetch", version, &json!({ "groups": groups }));
        }
    };
    ask(peer, "two", json!([{ "groupId": first, "topics": topics }, { "groupId": second, "topics": null }]));
    ask(peer, "one twice", json!([{ "groupId": first, "topics": topics }, { "groupId": first, "topics": null }]));
    ask(peer, "none", json!([]));
    ask(peer, "no name", json!([{ "groupId": "", "topics": topics }]));
    for (words, id, epoch) in
        [("a member", member.id.clone(), member.generation.clone()), ("a stranger", json!("nobody"), json!(1))]
    {
        ask(peer, words, json!([{
            "groupId": member.group, "memberId": id, "memberEpoch": epoch, "topics": topics,
        }]));
    }
    ask(peer, "a wrong epoch", json!([{
        "groupId": member.group, "memberId": member.id, "memberEpoch": 99, "topics": topics,
    }]));
    peer.quietly("LeaveGroup", &leave(&member));
}
