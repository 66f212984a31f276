//! Fetch, without a session.

use serde_json::{Value, json};

use super::setup::{Topic, fetch, fetch_of, fill, topic};
use crate::batches::batch;
use crate::peer::Peer;
use crate::uuids;

/// From the beginning, in every version.
pub fn good(peer: &mut Peer) {
    let one = topic(peer, "one", 2, &[]);
    fill(peer, &one, 0, &[batch(&["a", "b", "c"]), batch(&["d"]), batch(&["e", "f"])]);
    peer.step("all");
    peer.ask_all("Fetch", &fetch(&one, 0, 0));
    peer.step("an empty partition");
    peer.ask_all("Fetch", &fetch(&one, 1, 0));
    peer.step("both");
    let both = json!([
        { "partition": 0, "fetchOffset": 0, "partitionMaxBytes": 10_000 },
        { "partition": 1, "fetchOffset": 0, "partitionMaxBytes": 10_000 },
    ]);
    peer.ask_all("Fetch", &fetch_of(&one, &both));
    peer.step("nothing asked");
    peer.ask_all("Fetch", &json!({ "maxWaitMs": 0, "minBytes": 0, "topics": [] }));
    peer.step("more bytes wanted than there are, and a short wait");
    let mut body = fetch(&one, 0, 0);
    body["minBytes"] = json!(1_000_000);
    body["maxWaitMs"] = json!(20);
    peer.ask_newest("Fetch", &body);
}

/// Inside, at and behind the ends.
pub fn offsets(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    fill(peer, &one, 0, &[batch(&["a", "b", "c"]), batch(&["d", "e"])]);
    for offset in [0, 1, 2, 3, 4, 5, 6, 1_000, -1, -2, i64::MAX, i64::MIN] {
        peer.step(&format!("offset {offset}"));
        peer.ask_all("Fetch", &fetch(&one, 0, offset));
    }
    peer.step("below the log start");
    let delete = json!({
        "topics": [{ "name": one.name, "partitions": [{ "partitionIndex": 0, "offset": 4 }] }], "timeoutMs": 10_000,
    });
    peer.quietly("DeleteRecords", &delete);
    for offset in [0, 3, 4, 5] {
        peer.ask_all("Fetch", &fetch(&one, 0, offset));
    }
    peer.step("where the client's log starts");
    let partitions = json!([{ "partition": 0, "fetchOffset": 4, "logStartOffset": 100, "partitionMaxBytes": 1_000 }]);
    peer.ask_newest("Fetch", &fetch_of(&one, &partitions));
}

/// Topics and partitions that are not there.
pub fn unknown_places(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    fill(peer, &one, 0, &[batch(&["a"])]);
    peer.step("unknown partition");
    for partition in [1, -1, i32::MAX] {
        peer.ask_all("Fetch", &fetch(&one, partition, 0));
    }
    peer.step("unknown topic");
    let none = Topic { name: peer.name("none"), id: json!(uuids::NOBODYS) };
    peer.ask_all("Fetch", &fetch(&none, 0, 0));
    peer.step("a bad name, no id");
    let none = Topic { name: "a b".to_owned(), id: json!(uuids::ZERO) };
    peer.ask_all("Fetch", &fetch(&none, 0, 0));
    peer.step("one partition twice");
    let twice = json!([
        { "partition": 0, "fetchOffset": 0, "partitionMaxBytes": 1_000 },
        { "partition": 0, "fetchOffset": 1, "partitionMaxBytes": 1_000 },
    ]);
    peer.ask_newest("Fetch", &fetch_of(&one, &twice));
    peer.step("good and unknown");
    let mut body = fetch(&one, 0, 0);
    let unknown = fetch(&Topic { name: peer.name("none"), id: json!(uuids::NOBODYS) }, 0, 0)["topics"][0].clone();
    body["topics"] = json!([body["topics"][0], unknown]);
    peer.ask_all("Fetch", &body);
}

/// Leader epochs that the client believes in.
pub fn epochs(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    fill(peer, &one, 0, &[batch(&["a", "b"])]);
    let ask = |peer: &mut Peer, words: &str, current: i32, last: i32, offset: i64| {
        peer.step(words);
        let partitions = json!([{
            "partition": 0, "currentLeaderEpoch": current, "lastFetchedEpoch": last,
            "fetchOffset": offset, "partitionMaxBytes": 1_000,
        }]);
        peer.ask_all("Fetch", &fetch_of(&one, &partitions));
    };
    ask(peer, "the right one", 0, -1, 0);
    ask(peer, "of the future", 1, -1, 0);
    ask(peer, "of the far future", i32::MAX, -1, 0);
    ask(peer, "below none", -2, -1, 0);
    ask(peer, "last fetched: the right one", 0, 0, 1);
    ask(peer, "last fetched: the right one, at the end", 0, 0, 2);
    ask(peer, "last fetched: the right one, behind the end", 0, 0, 5);
    ask(peer, "last fetched: of the future", 0, 7, 1);
    ask(peer, "last fetched: below none", 0, -2, 1);
}

/// Budgets of bytes.
pub fn sizes(peer: &mut Peer) {
    let one = topic(peer, "one", 3, &[]);
    let value = "v".repeat(400);
    for partition in 0..3 {
        fill(peer, &one, partition, &[batch(&[&value]), batch(&[&value]), batch(&[&value])]);
    }
    let all = |bytes: i32| {
        let one = |partition: i32| json!({ "partition": partition, "fetchOffset": 0, "partitionMaxBytes": bytes });
        json!([one(0), one(1), one(2)])
    };
    let ask = |peer: &mut Peer, max: i32, of_each: i32| {
        peer.step(&format!("{max} in all, {of_each} of each"));
        let mut body = fetch_of(&one, &all(of_each));
        body["maxBytes"] = json!(max);
        peer.ask_newest("Fetch", &body);
        peer.ask("Fetch", 4, &body);
    };
    let whole = i32::try_from(batch(&[&value]).bytes().len()).unwrap();
    for (max, of_each) in [
        (0, 0),
        (1, 1),
        (-1, -1),
        (10_000, 1),
        (10_000, 0),
        (10_000, -1),
        (1, 10_000),
        (10_000, whole),
        (10_000, 2 * whole),
        (whole, 10_000),
        (3 * whole, 10_000),
        (4 * whole, 10_000),
        (i32::MAX, i32::MAX),
    ] {
        ask(peer, max, of_each);
    }
    peer.step("the first empty");
    let empty = topic(peer, "empty", 1, &[]);
    let mut body = fetch(&empty, 0, 0);
    let full = fetch_of(&one, &all(1))["topics"][0].clone();
    body["topics"] = json!([body["topics"][0], full]);
    body["maxBytes"] = json!(1);
    peer.ask_newest("Fetch", &body);
}

/// What a consumer may see.
pub fn isolation(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    fill(peer, &one, 0, &[batch(&["a", "b"])]);
    for level in [0, 1, 2, -1] {
        peer.step(&format!("level {level}"));
        let mut body = fetch(&one, 0, 0);
        body["isolationLevel"] = json!(level);
        peer.ask_all("Fetch", &body);
    }
}

/// Who asks, from where.
pub fn odd_replicas(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    fill(peer, &one, 0, &[batch(&["a", "b"])]);
    peer.step("a rack");
    let mut body = fetch(&one, 0, 0);
    body["rackId"] = json!("somewhere");
    peer.ask_all("Fetch", &body);
    peer.step("the debugging consumer");
    let mut body = fetch(&one, 0, 0);
    body["replicaId"] = json!(-2);
    body["replicaState"] = json!({ "replicaId": -2, "replicaEpoch": -1 });
    peer.ask_all("Fetch", &body);
    peer.step("a cluster of another name");
    let mut body: Value = fetch(&one, 0, 0);
    body["clusterId"] = json!("elsewhere");
    peer.ask_newest("Fetch", &body);
}
