//! Produce: what a topic's settings ask of a batch.

use serde_json::json;

use super::setup::{fetch, produce, produce_with, topic};
use crate::batches::{BASE_TIMESTAMP, batch};
use crate::peer::Peer;

const HOUR_MS: i64 = 3_600_000;
const YEAR_MS: i64 = 365 * 24 * HOUR_MS;

/// How old, and how far ahead.
pub fn timestamps(peer: &mut Peer) {
    // One moment for both brokers: their texts repeat it.
    let now = *BASE_TIMESTAMP + HOUR_MS;
    let free = topic(peer, "free", 1, &[]);
    for (words, at) in [
        ("now", now),
        ("fifty minutes ahead", now + 50 * 60_000),
        ("seventy minutes ahead", now + 70 * 60_000),
        ("a year ahead", now + YEAR_MS),
        ("ten years ago", now - 10 * YEAR_MS),
        ("zero", 0),
        ("none", -1),
        ("before 1970", -1_000),
        ("long before 1970", i64::MIN),
        ("at the end of time", i64::MAX - 10),
    ] {
        peer.step(words);
        peer.ask_newest("Produce", &produce(&free, 0, &batch(&["a", "b"]).at(at).hex()));
        peer.ask("Produce", 7, &produce(&free, 0, &batch(&["a", "b"]).at(at).hex()));
    }
    peer.step("one record of three too far ahead");
    let mut some = batch(&["a", "b", "c"]).at(now);
    some.records[1].timestamp_delta = 2 * HOUR_MS;
    peer.ask_newest("Produce", &produce(&free, 0, &some.hex()));
    let strict = topic(
        peer,
        "strict",
        1,
        &[("message.timestamp.before.max.ms", "3600000"), ("message.timestamp.after.max.ms", "7200000")],
    );
    for (words, at) in [
        ("two hours ago", now - 2 * HOUR_MS),
        ("half an hour ago", now - HOUR_MS / 2),
        ("ninety minutes ahead", now + 90 * 60_000),
        ("three hours ahead", now + 3 * HOUR_MS),
    ] {
        peer.step(&format!("strict, {words}"));
        peer.ask_newest("Produce", &produce(&strict, 0, &batch(&["a"]).at(at).hex()));
    }
}

/// The broker's clock in place of the producer's.
pub fn append_time(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[("message.timestamp.type", "LogAppendTime")]);
    peer.step("honest");
    peer.ask_all("Produce", &produce(&one, 0, &batch(&["a", "b"]).hex()));
    peer.step("that claims it already");
    let claimed = batch(&["a"]).with(|batch| batch.attributes = 8);
    peer.ask_newest("Produce", &produce(&one, 0, &claimed.hex()));
    peer.step("packed");
    let packed = batch(&["a", "b"]).with(|batch| batch.attributes = 1);
    peer.ask_newest("Produce", &produce(&one, 0, &packed.hex()));
    peer.step("far ahead");
    peer.ask_newest("Produce", &produce(&one, 0, &batch(&["a"]).at(i64::MAX - 10).hex()));
    peer.step("read back");
    peer.ask_newest("Fetch", &fetch(&one, 0, 0));
}

/// Topics that keep the last of each key.
pub fn compacted(peer: &mut Peer) {
    for policy in ["compact", "compact,delete"] {
        let one = topic(peer, &policy.replace(',', "-"), 1, &[("cleanup.policy", policy)]);
        peer.step(&format!("{policy}: keys"));
        peer.ask_newest("Produce", &produce(&one, 0, &batch(&["a", "b"]).hex()));
        peer.step(&format!("{policy}: one without a key"));
        let keyless = batch(&["a", "b", "c"]).with(|batch| batch.records[1].key = None);
        peer.ask_all("Produce", &produce(&one, 0, &keyless.hex()));
        peer.step(&format!("{policy}: an empty key"));
        let empty = batch(&["a"]).with(|batch| batch.records[0].key = Some(Vec::new()));
        peer.ask_newest("Produce", &produce(&one, 0, &empty.hex()));
        peer.step(&format!("{policy}: all without a key, packed"));
        let keyless = batch(&["a", "b"]).with(|batch| {
            batch.attributes = 1;
            batch.records.iter_mut().for_each(|record| record.key = None);
        });
        peer.ask_newest("Produce", &produce(&one, 0, &keyless.hex()));
    }
}

/// Batches that are too large.
pub fn sizes(peer: &mut Peer) {
    let small = topic(peer, "small", 1, &[("max.message.bytes", "100")]);
    peer.step("just small enough");
    let fits = "x".repeat(100 - batch(&[""]).bytes().len());
    peer.ask_newest("Produce", &produce(&small, 0, &batch(&[&fits]).hex()));
    peer.step("a byte too large");
    peer.ask_all("Produce", &produce(&small, 0, &batch(&[&format!("{fits}x")]).hex()));
    peer.step("small only while packed");
    let packed = batch(&[&"x".repeat(5_000)]).with(|batch| batch.attributes = 4);
    peer.ask_newest("Produce", &produce(&small, 0, &packed.hex()));
    let usual = topic(peer, "usual", 1, &[]);
    peer.step("the default's limit");
    let fits = "x".repeat(1_048_588 - batch(&[""]).bytes().len() - 4);
    for more in ["", "xxxxxxxx"] {
        peer.ask_newest("Produce", &produce(&usual, 0, &batch(&[&format!("{fits}{more}")]).hex()));
    }
}

/// Topics with a codec of their own.
pub fn own_codec(peer: &mut Peer) {
    for (codec, number) in [("uncompressed", 0), ("gzip", 1), ("snappy", 2), ("lz4", 3), ("zstd", 4)] {
        let one = topic(peer, codec, 1, &[("compression.type", codec)]);
        peer.step(&format!("{codec}: the same"));
        let same = batch(&["a", "b"]).with(|batch| batch.attributes = number);
        peer.ask_newest("Produce", &produce(&one, 0, &same.hex()));
        peer.step(&format!("{codec}: another"));
        let other = batch(&["a", "b"]).with(|batch| batch.attributes = if number == 1 { 0 } else { 1 });
        peer.ask_newest("Produce", &produce(&one, 0, &other.hex()));
        peer.step(&format!("{codec}: read back"));
        peer.ask_newest("Fetch", &fetch(&one, 0, 0));
    }
}

/// More replicas wanted than there are.
pub fn in_sync(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[("min.insync.replicas", "2")]);
    for acks in [-1, 1] {
        peer.step(&format!("two wanted, acks {acks}"));
        peer.ask_all("Produce", &produce_with(acks, &one, 0, &batch(&["a"]).hex()));
    }
}

/// Good and bad partitions in one request.
pub fn several(peer: &mut Peer) {
    let one = topic(peer, "one", 2, &[]);
    peer.step("good, bad and unknown");
    let good = batch(&["a"]).hex();
    let bad = batch(&["a"]).with(|batch| batch.crc = Some(1)).hex();
    let mut body = produce(&one, 0, &good);
    body["topicData"][0]["partitionData"] = json!([
        { "index": 0, "records": good }, { "index": 1, "records": bad }, { "index": 2, "records": good },
    ]);
    peer.ask_all("Produce", &body);
}
