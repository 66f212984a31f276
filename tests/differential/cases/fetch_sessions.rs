//! Fetch with sessions (KIP-227).

use serde_json::{Value, json};

use super::setup::{Topic, fetch_of, fill, topic};
use crate::batches::batch;
use crate::peer::Peer;

/// A request inside a session.
fn within(topic: &Topic, session: &Value, epoch: i32, partitions: &Value) -> Value {
    let mut body = fetch_of(topic, partitions);
    body["sessionId"] = session.clone();
    body["sessionEpoch"] = json!(epoch);
    if partitions == &json!([]) {
        body["topics"] = json!([]);
    }
    body
}

fn at(partition: i32, offset: i64) -> Value {
    json!({ "partition": partition, "fetchOffset": offset, "partitionMaxBytes": 10_000 })
}

/// Ends a session, so that the next case finds room for its own.
fn close(peer: &mut Peer, topic: &Topic, session: &Value) {
    peer.quietly("Fetch", &within(topic, session, -1, &json!([])));
}

/// Full, incremental, closed, in every version that has sessions.
pub fn life(peer: &mut Peer) {
    for version in peer.versions("Fetch").filter(|version| *version >= 7) {
        let one = topic(peer, &format!("v{version}"), 2, &[]);
        fill(peer, &one, 0, &[batch(&["a"])]);
        peer.step("a new session");
        let answer = peer.ask("Fetch", version, &within(&one, &json!(0), 0, &json!([at(0, 0), at(1, 0)])));
        let session = answer["sessionId"].clone();
        peer.step("nothing new is said, the same is there");
        peer.ask("Fetch", version, &within(&one, &session, 1, &json!([])));
        peer.step("one offset moves on");
        peer.ask("Fetch", version, &within(&one, &session, 2, &json!([at(0, 1)])));
        peer.step("nothing has changed");
        peer.ask("Fetch", version, &within(&one, &session, 3, &json!([])));
        peer.step("something was written");
        fill(peer, &one, 1, &[batch(&["b"])]);
        peer.ask("Fetch", version, &within(&one, &session, 4, &json!([])));
        peer.step("an offset out of range");
        peer.ask("Fetch", version, &within(&one, &session, 5, &json!([at(1, 99)])));
        peer.step("and still");
        peer.ask("Fetch", version, &within(&one, &session, 6, &json!([])));
        peer.step("a partition that is not there");
        peer.ask("Fetch", version, &within(&one, &session, 7, &json!([at(5, 0)])));
        peer.step("closed");
        peer.ask("Fetch", version, &within(&one, &session, -1, &json!([])));
        peer.step("and used again");
        peer.ask("Fetch", version, &within(&one, &session, 8, &json!([])));
    }
}

/// Partitions that a session lets go of.
pub fn forgetting(peer: &mut Peer) {
    let one = topic(peer, "one", 3, &[]);
    for partition in 0..3 {
        fill(peer, &one, partition, &[batch(&["a"])]);
    }
    for version in peer.versions("Fetch").filter(|version| *version >= 7) {
        peer.step("three");
        let answer = peer.ask("Fetch", version, &within(&one, &json!(0), 0, &json!([at(0, 0), at(1, 0), at(2, 0)])));
        let session = answer["sessionId"].clone();
        let forget = |epoch: i32, partitions: Value, asked: Value| {
            let mut body = within(&one, &session, epoch, &asked);
            body["forgottenTopicsData"] =
                json!([{ "topic": one.name, "topicId": one.id, "partitions": partitions }]);
            body
        };
        peer.step("one forgotten");
        peer.ask("Fetch", version, &forget(1, json!([1]), json!([])));
        peer.step("one that is forgotten already, and one that never was");
        peer.ask("Fetch", version, &forget(2, json!([1, 9]), json!([])));
        peer.step("forgotten and asked for at once");
        peer.ask("Fetch", version, &forget(3, json!([0]), json!([at(0, 0)])));
        peer.step("all forgotten");
        peer.ask("Fetch", version, &forget(4, json!([0, 2]), json!([])));
        peer.step("what is left");
        peer.ask("Fetch", version, &within(&one, &session, 5, &json!([])));
        close(peer, &one, &session);
    }
}

/// Sessions that are none, and epochs that are not next.
pub fn bad_epochs(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    fill(peer, &one, 0, &[batch(&["a"])]);
    let all = json!([at(0, 0)]);
    peer.step("no session");
    for (session, epoch) in [(0, -1), (12_345, 1), (12_345, 0), (12_345, -1), (-1, 1), (0, 1), (0, 5), (12_345, -2), (0, -2)] {
        for version in peer.versions("Fetch").filter(|version| *version >= 7) {
            let answer = peer.ask("Fetch", version, &within(&one, &json!(session), epoch, &all));
            if answer["sessionId"] != 0 {
                close(peer, &one, &answer["sessionId"]);
            }
        }
    }
    peer.step("a session");
    let answer = peer.ask_newest("Fetch", &within(&one, &json!(0), 0, &all));
    let session = answer["sessionId"].clone();
    for epoch in [2, 0, 1, 1, 3, 2, i32::MAX] {
        peer.step(&format!("epoch {epoch}"));
        let answer = peer.ask_newest("Fetch", &within(&one, &session, epoch, &all));
        if answer["sessionId"] != 0 && answer["sessionId"] != session {
            close(peer, &one, &answer["sessionId"]);
        }
    }
    close(peer, &one, &session);
    peer.step("a new session in place of one");
    let first = peer.ask_newest("Fetch", &within(&one, &json!(0), 0, &all));
    let second = peer.ask_newest("Fetch", &within(&one, &first["sessionId"], 0, &all));
    peer.ask_newest("Fetch", &within(&one, &first["sessionId"], 1, &json!([])));
    close(peer, &one, &second["sessionId"]);
}

/// More sessions than the broker keeps: nobody's is taken, those that come later have none.
pub fn full_cache(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    let asked = within(&one, &json!(0), 0, &json!([at(0, 0)]));
    peer.step("the first session");
    let mut sessions = vec![peer.ask_newest("Fetch", &asked)["sessionId"].clone()];
    for _ in 0..100 {
        sessions.push(peer.quietly("Fetch", &asked)["sessionId"].clone());
    }
    peer.step("when there is no more room");
    peer.ask_newest("Fetch", &asked);
    peer.step("the first goes on");
    peer.ask_newest("Fetch", &within(&one, &sessions[0], 1, &json!([])));
    for session in sessions.iter().filter(|session| **session != 0) {
        close(peer, &one, session);
    }
    peer.step("a session without partitions");
    let answer = peer.ask_newest("Fetch", &within(&one, &json!(0), 0, &json!([])));
    if answer["sessionId"] != 0 {
        close(peer, &one, &answer["sessionId"]);
    }
}
