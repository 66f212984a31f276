//! Producer state as a file, in Kafka's format: version, CRC32C of what follows, entries. It holds the last batch of each
//! producer; what came after the snapshot is read from the log again.

use std::collections::VecDeque;

use bytes::{Buf, BufMut};

use crate::model::{Offset, ProducerId};

use super::producers::{ProducerEntry, Producers, RememberedBatch};

const VERSION: i16 = 1;
const CHECKED_AT: usize = 6;
const ENTRY_BYTES: usize = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8;

/// Writes all producers.
pub(super) fn encode(producers: &Producers) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(CHECKED_AT + 4 + producers.len() * ENTRY_BYTES);
    bytes.put_i16(VERSION);
    bytes.put_u32(0);
    bytes.put_i32(i32::try_from(producers.len()).unwrap_or(i32::MAX));
    for (id, entry) in producers.entries() {
        let last = entry.batches.back();
        bytes.put_i64(id.0);
        bytes.put_i16(entry.epoch);
        bytes.put_i32(last.map_or(-1, |batch| batch.last_sequence));
        bytes.put_i64(last.map_or(-1, |batch| batch.last_offset.get()));
        bytes.put_i32(last.map_or(0, |batch| batch.offset_delta));
        bytes.put_i64(entry.last_seen_ms);
        bytes.put_i32(entry.coordinator_epoch);
        bytes.put_i64(entry.transaction_start.map_or(-1, Offset::get));
    }
    let crc = crc32c::crc32c(bytes.get(CHECKED_AT..).unwrap_or_default());
    if let Some(room) = bytes.get_mut(2..CHECKED_AT) {
        room.copy_from_slice(&crc.to_be_bytes());
    }
    bytes
}

/// Reads them; `None` where the bytes are not a whole snapshot.
pub(super) fn decode(bytes: &[u8]) -> Option<Producers> {
    let checked = bytes.get(CHECKED_AT..)?;
    let mut head = bytes;
    let (version, crc) = (head.try_get_i16().ok()?, head.try_get_u32().ok()?);
    if version != VERSION || crc != crc32c::crc32c(checked) {
        return None;
    }
    let mut rest = checked;
    let count = usize::try_from(rest.try_get_i32().ok()?).ok()?;
    if rest.len() != count.checked_mul(ENTRY_BYTES)? {
        return None;
    }
    let mut producers = Producers::default();
    for _ in 0..count {
        let id = ProducerId(rest.get_i64());
        let epoch = rest.get_i16();
        let (last_sequence, last_offset) = (rest.get_i32(), rest.get_i64());
        let (offset_delta, last_seen_ms) = (rest.get_i32(), rest.get_i64());
        let (coordinator_epoch, transaction_start) = (rest.get_i32(), rest.get_i64());
        let batch = RememberedBatch {
            last_sequence,
            last_offset: Offset::new(last_offset),
            offset_delta,
            timestamp_ms: last_seen_ms,
        };
        producers.restore(
            id,
            ProducerEntry {
                epoch,
                batches: if last_sequence >= 0 { VecDeque::from([batch]) } else { VecDeque::new() },
                coordinator_epoch,
                transaction_start: (transaction_start >= 0).then(|| Offset::new(transaction_start)),
                last_seen_ms,
            },
        );
    }
    Some(producers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_remembered_comes_back() {
        let mut producers = Producers::default();
        let batch =
            RememberedBatch { last_sequence: 9, last_offset: Offset::new(20), offset_delta: 4, timestamp_ms: 77 };
        let entry = ProducerEntry {
            epoch: 3,
            batches: VecDeque::from([batch]),
            coordinator_epoch: 5,
            transaction_start: Some(Offset::new(16)),
            last_seen_ms: 77,
        };
        producers.restore(ProducerId(1), entry.clone());
        let bytes = encode(&producers);
        let back = decode(&bytes).unwrap();
        assert_eq!(back.entries().collect::<Vec<_>>(), vec![(&ProducerId(1), &entry)]);
        assert_eq!(back.first_unstable(Offset::ZERO), Some(Offset::new(16)));
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert!(decode(&damaged).is_none(), "byte {at}");
            assert!(decode(&bytes[..at]).is_none(), "cut at {at}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
        }
    }
}
