//! Bytes that are no requests, or requests that lie: is the connection closed, and what is said before?

use serde_json::{Value, json};

use super::api_versions::with_length;
use crate::peer::Peer;

/// Lengths in front of frames.
pub fn lengths(peer: &mut Peer) {
    let lengths = [("zero", 0_i32), ("minus one", -1), ("the least", i32::MIN), ("the greatest", i32::MAX)];
    for (words, length) in lengths {
        peer.step(words);
        peer.raw(&length.to_be_bytes(), None);
    }
    peer.step("one more than is taken");
    peer.raw(&(100 * 1024 * 1024 + 1_i32).to_be_bytes(), None);
    peer.step("a length and less than a header");
    for size in 1..10 {
        peer.raw(&with_length(&vec![0; size]), None);
    }
}

/// Headers.
pub fn headers(peer: &mut Peer) {
    let honest = peer.frame("Metadata", 1, &json!({ "topics": [] }));
    let spoilt = |peer: &mut Peer, words: &str, at: usize, bytes: &[u8]| {
        peer.step(words);
        let mut frame = honest.clone();
        frame[at..at + bytes.len()].copy_from_slice(bytes);
        peer.raw(&with_length(&frame), Some(("Metadata", 1)));
    };
    spoilt(peer, "honest", 0, &[]);
    for key in [-1_i16, 4, 7, 52, 62, 94, 1000, i16::MAX, i16::MIN] {
        spoilt(peer, &format!("api key {key}"), 0, &key.to_be_bytes());
    }
    for version in [-1_i16, 14, 99, i16::MAX] {
        spoilt(peer, &format!("version {version}"), 2, &version.to_be_bytes());
    }
    spoilt(peer, "client id null", 8, &(-1_i16).to_be_bytes());
    spoilt(peer, "client id of length -2", 8, &(-2_i16).to_be_bytes());
    spoilt(peer, "client id longer than the frame", 8, &300_i16.to_be_bytes());
    spoilt(peer, "client id is no text", 10, &[0xff, 0xfe]);
    peer.step("versions that were given up");
    for (api, key, version) in [("Produce", 0_i16, 2_i16), ("Fetch", 1, 3), ("ListOffsets", 2, 0), ("OffsetCommit", 8, 1)]
    {
        let mut frame = peer.frame(api, peer.newest(api), &json!({}));
        frame[..2].copy_from_slice(&key.to_be_bytes());
        frame[2..4].copy_from_slice(&version.to_be_bytes());
        peer.raw(&with_length(&frame), Some((api, 3)));
    }
}

/// Bodies that end early or late.
pub fn bodies(peer: &mut Peer) {
    let bodies: [(&str, Value); 6] = [
        ("Metadata", json!({ "topics": [{ "name": "no topic" }], "allowAutoTopicCreation": false })),
        ("ListOffsets", json!({ "topics": [{ "name": "no topic", "partitions": [{ "timestamp": -1 }] }] })),
        ("Fetch", json!({ "topics": [{ "topic": "no topic", "partitions": [{ "partition": 0 }] }] })),
        ("FindCoordinator", json!({ "key": "g", "coordinatorKeys": ["g"] })),
        ("Heartbeat", json!({ "groupId": "g", "memberId": "m" })),
        ("DescribeConfigs", json!({ "resources": [{ "resourceType": 2, "resourceName": "no topic" }] })),
    ];
    for (api, body) in bodies {
        let versions = [*peer.versions(api).start(), peer.newest(api)];
        for version in versions.into_iter().filter(|version| *version >= 0) {
            let frame = peer.frame(api, version, &body);
            peer.step("a byte short");
            peer.raw(&with_length(&frame[..frame.len() - 1]), Some((api, version)));
            peer.step("half");
            peer.raw(&with_length(&frame[..12 + (frame.len() - 12) / 2]), Some((api, version)));
            peer.step("a byte more");
            let longer: Vec<u8> = frame.iter().copied().chain([0]).collect();
            peer.raw(&with_length(&longer), Some((api, version)));
        }
    }
}

/// Arrays that claim to be longer than they are, and nulls where none may stand.
pub fn claims(peer: &mut Peer) {
    for count in [1_i64, 1_000, 2_147_483_647] {
        let lie = json!({ "claims": count, "holds": [] });
        let bodies: [(&str, Value); 8] = [
            ("Metadata", json!({ "topics": lie })),
            ("Produce", json!({ "acks": -1, "topicData": lie })),
            ("Fetch", json!({ "topics": lie })),
            ("ListOffsets", json!({ "topics": lie })),
            ("CreateTopics", json!({ "topics": lie })),
            ("OffsetCommit", json!({ "groupId": "g", "topics": lie })),
            ("JoinGroup", json!({ "groupId": "g", "protocols": lie })),
            ("DescribeConfigs", json!({ "resources": lie })),
        ];
        for (api, body) in bodies {
            peer.step(&format!("an empty array of {count}"));
            let versions = [*peer.versions(api).start(), peer.newest(api)];
            for version in versions.into_iter().filter(|version| *version >= 0) {
                let frame = peer.frame(api, version, &body);
                peer.raw(&with_length(&frame), Some((api, version)));
            }
        }
    }
    let nulls: [(&str, Value); 9] = [
        ("FindCoordinator", json!({ "key": null, "coordinatorKeys": null })),
        ("Produce", json!({ "acks": -1, "topicData": null })),
        ("Fetch", json!({ "topics": null, "forgottenTopicsData": null })),
        ("ListOffsets", json!({ "topics": null })),
        ("CreateTopics", json!({ "topics": null })),
        ("DeleteRecords", json!({ "topics": null })),
        ("Heartbeat", json!({ "groupId": null })),
        ("OffsetCommit", json!({ "groupId": "g", "topics": null })),
        ("JoinGroup", json!({ "groupId": "g", "protocols": null })),
    ];
    for (api, body) in nulls {
        peer.step("null where none may stand");
        let versions = [*peer.versions(api).start(), peer.newest(api)];
        for version in versions.into_iter().filter(|version| *version >= 0) {
            let frame = peer.frame(api, version, &body);
            peer.raw(&with_length(&frame), Some((api, version)));
        }
    }
}
