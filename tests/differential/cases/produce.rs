//! Produce: places, acks, and batches that are not what they say.

use serde_json::{Value, json};

use super::api_versions::with_length;
use super::setup::{Topic, fetch, list_offsets, produce, produce_with, producer, topic};
use crate::batches::{Batch, batch};
use crate::peer::Peer;
use crate::uuids;

/// Honest batches, in every version, and what a consumer gets.
pub fn good(peer: &mut Peer) {
    let one = topic(peer, "one", 2, &[]);
    peer.step("two records");
    peer.ask_all("Produce", &produce(&one, 0, &batch(&["a", "b"]).hex()));
    peer.step("one record, at the other partition");
    peer.ask_all("Produce", &produce(&one, 1, &batch(&["a"]).hex()));
    peer.step("read back");
    peer.ask_newest("Fetch", &fetch(&one, 0, 0));
    peer.step("nulls, empty values, headers");
    let odd = batch(&["", "b", "c"]).with(|batch| {
        batch.records[0].key = None;
        batch.records[1].value = None;
        batch.records[1].key = Some(Vec::new());
        batch.records[2].headers = vec![(b"h".to_vec(), None), (b"h".to_vec(), Some(Vec::new())), (Vec::new(), Some(b"v".to_vec()))];
    });
    peer.ask_newest("Produce", &produce(&one, 1, &odd.hex()));
    peer.ask_newest("Fetch", &fetch(&one, 1, 0));
    peer.step("to both partitions at once");
    let records = batch(&["x"]).hex();
    let mut body = produce(&one, 0, &records);
    body["topicData"][0]["partitionData"] = json!([{ "index": 0, "records": records }, { "index": 1, "records": records }]);
    peer.ask_all("Produce", &body);
}

/// How many replicas have to confirm.
pub fn acks(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    let records = batch(&["a"]).hex();
    for acks in [-1, 1, 2, -2, 127, i16::MIN] {
        peer.step(&format!("acks {acks}"));
        peer.ask_all("Produce", &produce_with(acks, &one, 0, &records));
    }
    for version in peer.versions("Produce") {
        peer.step("acks 0");
        let frame = peer.frame("Produce", version, &produce_with(0, &one, 0, &records));
        peer.raw(&with_length(&frame), None);
        peer.step("acks 0, where nothing can be written");
        let none = Topic { name: peer.name("none"), id: json!(uuids::NOBODYS) };
        let frame = peer.frame("Produce", version, &produce_with(0, &none, 0, &records));
        peer.raw(&with_length(&frame), None);
        peer.step("acks 0, a bad batch");
        let spoilt = batch(&["a"]).with(|batch| batch.crc = Some(1)).hex();
        let frame = peer.frame("Produce", version, &produce_with(0, &one, 0, &spoilt));
        peer.raw(&with_length(&frame), None);
    }
    peer.step("all of it arrived");
    let count = 2 * i64::try_from(peer.versions("Produce").count()).unwrap() + i64::try_from(peer.versions("Produce").count()).unwrap();
    let latest = list_offsets(&one, 0, -1);
    peer.until("ListOffsets", &latest, |answer| answer["topics"][0]["partitions"][0]["offset"] == count);
    peer.ask_newest("ListOffsets", &latest);
    peer.step("no time to wait");
    for timeout in [0, -1, i32::MAX] {
        let mut body = produce(&one, 0, &records);
        body["timeoutMs"] = json!(timeout);
        body["acks"] = json!(1);
        peer.ask_newest("Produce", &body);
    }
    peer.step("a transactional id");
    let mut body = produce(&one, 0, &records);
    body["transactionalId"] = json!("t");
    peer.ask_newest("Produce", &body);
}

/// Topics and partitions that are not there.
pub fn unknown_places(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    let records = batch(&["a"]).hex();
    peer.step("unknown partition");
    for partition in [1, -1, i32::MAX] {
        peer.ask_all("Produce", &produce(&one, partition, &records));
    }
    peer.step("unknown topic");
    let none = Topic { name: peer.name("none"), id: json!(uuids::NOBODYS) };
    peer.ask_all("Produce", &produce(&none, 0, &records));
    peer.step("no name and no id");
    let none = Topic { name: String::new(), id: json!(uuids::ZERO) };
    peer.ask_all("Produce", &produce(&none, 0, &records));
    peer.step("a bad name");
    let none = Topic { name: "a b".to_owned(), id: json!(uuids::NOBODYS) };
    peer.ask_all("Produce", &produce(&none, 0, &records));
    peer.step("no topics");
    peer.ask_all("Produce", &json!({ "acks": -1, "timeoutMs": 1000, "topicData": [] }));
    peer.step("no partitions");
    let mut body = produce(&one, 0, &records);
    body["topicData"][0]["partitionData"] = json!([]);
    peer.ask_all("Produce", &body);
    peer.step("one partition twice");
    body["topicData"][0]["partitionData"] = json!([{ "index": 0, "records": records }, { "index": 0, "records": records }]);
    peer.ask_newest("Produce", &body);
    peer.step("one topic twice");
    let mut body = produce(&one, 0, &records);
    body["topicData"] = json!([body["topicData"][0], body["topicData"][0]]);
    peer.ask_newest("Produce", &body);
}

/// Nothing, too little, too much.
pub fn records_missing(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    // What only Kafka takes goes where nothing else is written.
    let odd = topic(peer, "odd", 1, &[]);
    let whole = batch(&["a", "b"]).bytes();
    let hex = |bytes: &[u8]| json!(crate::encode::to_hex(bytes));
    let ask_of = |peer: &mut Peer, topic: &Topic, words: &str, records: &Value| {
        peer.step(words);
        peer.ask_all("Produce", &produce(topic, 0, records));
    };
    let ask = |peer: &mut Peer, words: &str, records: &Value| ask_of(peer, &one, words, records);
    ask(peer, "no bytes", &hex(&[]));
    ask(peer, "half a header", &hex(&whole[..20]));
    ask(peer, "a header and no more", &hex(&whole[..61]));
    ask(peer, "all but a byte", &hex(&whole[..whole.len() - 1]));
    ask(peer, "two batches", &hex(&[whole.clone(), whole.clone()].concat()));
    ask_of(peer, &odd, "one and a half", &hex(&[whole.clone(), whole[..30].to_vec()].concat()));
    ask_of(peer, &odd, "a byte more", &hex(&[whole, vec![0]].concat()));
    ask(peer, "zeros", &hex(&[0; 80]));
    peer.impatient();
    peer.step("null");
    peer.ask_newest("Produce", &produce(&one, 0, &Value::Null));
}

/// Headers that lie.
pub fn headers_that_lie(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    let odd = topic(peer, "odd", 1, &[]);
    let ask_of = |peer: &mut Peer, topic: &Topic, words: &str, change: &dyn Fn(&mut Batch)| {
        peer.step(words);
        let spoilt = batch(&["a", "b", "c"]).with(|batch| change(batch));
        peer.ask_newest("Produce", &produce(topic, 0, &spoilt.hex()));
        peer.ask("Produce", 7, &produce(topic, 0, &spoilt.hex()));
    };
    let ask = |peer: &mut Peer, words: &str, change: &dyn Fn(&mut Batch)| ask_of(peer, &one, words, change);
    ask(peer, "wrong checksum", &|batch| batch.crc = Some(7));
    for magic in [0, 1, 3, 127, 255] {
        ask(peer, &format!("magic {magic}"), &|batch| batch.magic = magic);
    }
    for length in [-1, 0, 13, 48, 49, 60, 1_000_000, i32::MAX, i32::MIN] {
        ask(peer, &format!("length {length}"), &|batch| batch.length = Some(length));
    }
    for offset in [1, 100, -1, i64::MAX, i64::MIN] {
        ask(peer, &format!("base offset {offset}"), &|batch| batch.base_offset = offset);
    }
    for epoch in [0, 5, i32::MIN] {
        ask(peer, &format!("leader epoch {epoch}"), &|batch| batch.leader_epoch = epoch);
    }
    for count in [0, -1, 2, 4, i32::MAX, i32::MIN] {
        ask(peer, &format!("count {count}"), &|batch| batch.count = Some(count));
    }
    for delta in [0, -1, 1, 3, i32::MAX, i32::MIN] {
        ask(peer, &format!("last offset delta {delta}"), &|batch| batch.last_offset_delta = Some(delta));
    }
    ask(peer, "count and delta that agree on too many", &|batch| {
        batch.count = Some(5);
        batch.last_offset_delta = Some(4);
    });
    ask(peer, "count and delta that agree on too few", &|batch| {
        batch.count = Some(2);
        batch.last_offset_delta = Some(1);
    });
    ask(peer, "no records", &|batch| batch.records.clear());
    ask(peer, "a control batch", &|batch| batch.attributes = 0x20);
    ask(peer, "a transactional batch without a producer", &|batch| batch.attributes = 0x10);
    ask(peer, "a delete horizon", &|batch| batch.attributes = 0x40);
    ask_of(peer, &odd, "log append time", &|batch| batch.attributes = 0x08);
    ask(peer, "unused attributes", &|batch| batch.attributes = 0x0780);
    for codec in [5, 6, 7] {
        ask(peer, &format!("codec {codec}"), &|batch| batch.attributes = codec);
    }
    peer.step("a transaction that nobody has begun");
    let id = producer(peer);
    let transactional = batch(&["a"]).from(&id, 0, 0).with(|batch| batch.attributes = 0x10);
    let mut body = produce(&odd, 0, &transactional.hex());
    body["transactionalId"] = json!(peer.name("t"));
    peer.ask_all("Produce", &body);
}

/// Records that lie.
pub fn records_that_lie(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    let odd = topic(peer, "odd", 1, &[]);
    let ask_of = |peer: &mut Peer, topic: &Topic, words: &str, change: &dyn Fn(&mut Batch)| {
        for (codec, kind) in [(0, "plain"), (1, "gzip")] {
            peer.step(&format!("{words}, {kind}"));
            let spoilt = batch(&["a", "b", "c"]).with(|batch| {
                batch.attributes = codec;
                change(batch);
            });
            peer.ask_newest("Produce", &produce(topic, 0, &spoilt.hex()));
        }
    };
    let ask = |peer: &mut Peer, words: &str, change: &dyn Fn(&mut Batch)| ask_of(peer, &one, words, change);
    ask(peer, "bytes behind the last", &|batch| batch.trailing = vec![1, 2, 3]);
    ask_of(peer, &odd, "offsets with a gap", &|batch| batch.records[1].offset_delta = 5);
    ask_of(peer, &odd, "offsets that go back", &|batch| batch.records[2].offset_delta = 0);
    ask_of(peer, &odd, "offsets below zero", &|batch| batch.records[0].offset_delta = -1);
    ask(peer, "timestamps that go back", &|batch| batch.records[1].timestamp_delta = -1_000);
    ask(peer, "attributes", &|batch| batch.records[1].attributes = 0x7f);
    ask(peer, "a greatest timestamp that is too small", &|batch| batch.max_timestamp = Some(batch.base_timestamp));
    ask(peer, "a greatest timestamp that is too great", &|batch| batch.max_timestamp = Some(batch.base_timestamp + 9_999));
    ask(peer, "a greatest timestamp of -1", &|batch| batch.max_timestamp = Some(-1));
    ask_of(peer, &odd, "a header name that is no text", &|batch| batch.records[0].headers = vec![(vec![0xff, 0xfe], None)]);
    peer.step("records that are none");
    for payload in [vec![], vec![0], vec![2, 0], vec![0xff; 12], vec![0x80; 20], vec![6, 0, 0, 0, 1, 1]] {
        for codec in [0, 1, 2, 3, 4] {
            let spoilt = batch(&["a"]).with(|batch| {
                batch.payload = Some(payload.clone());
                batch.attributes = codec;
            });
            peer.ask_newest("Produce", &produce(&one, 0, &spoilt.hex()));
        }
    }
    peer.step("read back");
    peer.ask_newest("Fetch", &fetch(&one, 0, 0));
}

/// Codecs, in the versions that know them.
pub fn codecs(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    for (codec, words) in [(0, "none"), (1, "gzip"), (2, "snappy"), (3, "lz4"), (4, "zstd")] {
        peer.step(words);
        let packed = batch(&["a", "b"]).with(|batch| batch.attributes = codec);
        peer.ask_all("Produce", &produce(&one, 0, &packed.hex()));
    }
    peer.step("read back, in versions that know zstd and older ones");
    peer.ask_all("Fetch", &fetch(&one, 0, 0));
}
