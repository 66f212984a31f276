//! Producers that count: duplicates, gaps, old epochs.

use super::setup::{fetch, producer, produce, topic};
use crate::batches::batch;
use crate::peer::Peer;

/// Sequences of one producer.
pub fn sequences(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    let id = producer(peer);
    let ask = |peer: &mut Peer, words: &str, sequence: i32, values: &[&str]| {
        peer.step(words);
        peer.ask_newest("Produce", &produce(&one, 0, &batch(values).from(&id, 0, sequence).hex()));
    };
    ask(peer, "the first", 0, &["a", "b"]);
    ask(peer, "the first again", 0, &["a", "b"]);
    ask(peer, "the next", 2, &["c"]);
    ask(peer, "a gap", 4, &["e"]);
    ask(peer, "overlapping", 1, &["b", "c"]);
    ask(peer, "part of an old one", 0, &["a"]);
    for sequence in 3..9 {
        ask(peer, "more", sequence, &["x"]);
    }
    ask(peer, "the fifth last again", 4, &["x"]);
    ask(peer, "one before the fifth last", 3, &["x"]);
    ask(peer, "the very first again", 0, &["a", "b"]);
    ask(peer, "back to zero", 0, &["y"]);
    ask(peer, "a sequence below zero", -1, &["y"]);
    ask(peer, "the greatest", i32::MAX, &["y"]);
    peer.step("in every version");
    for (sequence, version) in (9..).zip(peer.versions("Produce")) {
        let body = produce(&one, 0, &batch(&["z"]).from(&id, 0, sequence).hex());
        peer.ask("Produce", version, &body);
        peer.ask("Produce", version, &body);
    }
    peer.step("a gap, in every version");
    peer.ask_all("Produce", &produce(&one, 0, &batch(&["z"]).from(&id, 0, 500).hex()));
    peer.step("read back");
    peer.ask_newest("Fetch", &fetch(&one, 0, 0));
}

/// Epochs of one producer.
pub fn epochs(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    let id = producer(peer);
    let ask = |peer: &mut Peer, words: &str, epoch: i16, sequence: i32| {
        peer.step(words);
        peer.ask_newest("Produce", &produce(&one, 0, &batch(&["a"]).from(&id, epoch, sequence).hex()));
    };
    ask(peer, "epoch 3", 3, 0);
    ask(peer, "a newer one, not from zero", 4, 1);
    ask(peer, "a newer one", 4, 0);
    ask(peer, "the same again", 4, 0);
    ask(peer, "the older one", 3, 1);
    ask(peer, "the older one again", 3, 0);
    ask(peer, "no epoch", -1, 1);
    ask(peer, "the greatest", i16::MAX, 0);
    peer.step("an old epoch, in every version");
    peer.ask_all("Produce", &produce(&one, 0, &batch(&["a"]).from(&id, 0, 0).hex()));
}

/// Producers that nobody has heard of.
pub fn unknown_producers(peer: &mut Peer) {
    let one = topic(peer, "one", 2, &[]);
    let id = producer(peer);
    for (words, partition, sequence) in [("not from zero", 0, 5), ("and on from there", 0, 6), ("from zero", 1, 0)] {
        peer.step(words);
        peer.ask_newest("Produce", &produce(&one, partition, &batch(&["a"]).from(&id, 0, sequence).hex()));
    }
    peer.step("a new topic, not from zero");
    let other = topic(peer, "other", 1, &[]);
    peer.ask_all("Produce", &produce(&other, 0, &batch(&["a"]).from(&id, 0, 7).hex()));
}
