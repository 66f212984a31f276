//! InitProducerId, without transactions.

use serde_json::{Value, json};

use crate::peer::Peer;

/// New ids, and ids that a client already has.
pub fn without_transactions(peer: &mut Peer) {
    let ask = |peer: &mut Peer, words: &str, body: Value| {
        peer.step(words);
        peer.ask_all("InitProducerId", &body);
    };
    ask(peer, "new", json!({ "transactionalId": null, "transactionTimeoutMs": 60_000 }));
    ask(peer, "no timeout", json!({ "transactionalId": null, "transactionTimeoutMs": 0 }));
    ask(peer, "a negative timeout", json!({ "transactionalId": null, "transactionTimeoutMs": -1 }));
    ask(peer, "the longest timeout", json!({ "transactionalId": null, "transactionTimeoutMs": i32::MAX }));
    let has = |id: i64, epoch: i16| {
        json!({ "transactionalId": null, "transactionTimeoutMs": 60_000, "producerId": id, "producerEpoch": epoch })
    };
    ask(peer, "with an id and an epoch", has(4_000_000, 3));
    ask(peer, "with an id alone", has(4_000_000, -1));
    ask(peer, "with an epoch alone", has(-1, 3));
    ask(peer, "with the last epoch", has(4_000_000, i16::MAX));
    ask(peer, "an empty transactional id", json!({ "transactionalId": "", "transactionTimeoutMs": 60_000 }));
}
