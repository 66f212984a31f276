//! Producer state as a file, in Kafka's format: version, CRC32C of what follows, entries. Each of Kafka's entries holds
//! the last batch of a producer; a tail behind them, which Kafka's reader does not look at, holds all that are remembered,
//! so that a start forgets none.

use std::collections::VecDeque;
use std::path::Path;

use bytes::{Buf, BufMut};

use crate::disk::Disk;
use crate::model::limits::PRODUCER_BATCHES_REMEMBERED;
use crate::model::{Offset, ProducerId};

use super::error::{LogError, at};
use super::leftovers;
use super::names;
use super::producers::{ProducerEntry, Producers, RememberedBatch};

const VERSION: i16 = 1;
const CHECKED_AT: usize = 6;
const ENTRY_BYTES: usize = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8;
/// The version of the tail.
const TAIL_VERSION: u8 = 1;
const BATCH_BYTES: usize = 4 + 8 + 4 + 8;

/// Writes all producers.
pub(super) fn encode(producers: &Producers) -> Vec<u8> {
    let entries = in_order(producers);
    let mut bytes = Vec::with_capacity(CHECKED_AT + 4 + entries.len() * (ENTRY_BYTES + 1 + BATCH_BYTES));
    bytes.put_i16(VERSION);
    bytes.put_u32(0);
    bytes.put_i32(i32::try_from(entries.len()).unwrap_or(i32::MAX));
    for (id, entry) in &entries {
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
    bytes.put_u8(TAIL_VERSION);
    for (_, entry) in &entries {
        bytes.put_u8(u8::try_from(entry.batches.len()).unwrap_or(u8::MAX));
        for batch in &entry.batches {
            bytes.put_i32(batch.last_sequence);
            bytes.put_i64(batch.last_offset.get());
            bytes.put_i32(batch.offset_delta);
            bytes.put_i64(batch.timestamp_ms);
        }
    }
    let crc = crc32c::crc32c(bytes.get(CHECKED_AT..).unwrap_or_default());
    if let Some(room) = bytes.get_mut(2..CHECKED_AT) {
        room.copy_from_slice(&crc.to_be_bytes());
    }
    bytes
}

/// By id, so that equal producers give equal bytes.
fn in_order(producers: &Producers) -> Vec<(&ProducerId, &ProducerEntry)> {
    let mut entries: Vec<_> = producers.entries().collect();
    entries.sort_unstable_by_key(|(id, _)| **id);
    entries
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
    let (mut entries, mut tail) = rest.split_at_checked(count.checked_mul(ENTRY_BYTES)?)?;
    let has_tail = match tail.try_get_u8() {
        // Kafka's own have none.
        Err(_) => false,
        Ok(TAIL_VERSION) => true,
        Ok(_) => return None,
    };
    let mut producers = Producers::default();
    for _ in 0..count {
        let (id, mut entry) = decode_entry(&mut entries);
        if has_tail {
            entry.batches = decode_batches(&mut tail)?;
        }
        producers.restore(id, entry);
    }
    tail.is_empty().then_some(producers)
}

/// One of Kafka's entries; the caller knows that the bytes are there.
fn decode_entry(bytes: &mut &[u8]) -> (ProducerId, ProducerEntry) {
    let id = ProducerId(bytes.get_i64());
    let epoch = bytes.get_i16();
    let (last_sequence, last_offset) = (bytes.get_i32(), bytes.get_i64());
    let (offset_delta, last_seen_ms) = (bytes.get_i32(), bytes.get_i64());
    let (coordinator_epoch, transaction_start) = (bytes.get_i32(), bytes.get_i64());
    let batch = RememberedBatch {
        last_sequence,
        last_offset: Offset::new(last_offset),
        offset_delta,
        timestamp_ms: last_seen_ms,
    };
    let entry = ProducerEntry {
        epoch,
        batches: if last_sequence >= 0 { VecDeque::from([batch]) } else { VecDeque::new() },
        coordinator_epoch,
        transaction_start: (transaction_start >= 0).then(|| Offset::new(transaction_start)),
        last_seen_ms,
    };
    (id, entry)
}

fn decode_batches(bytes: &mut &[u8]) -> Option<VecDeque<RememberedBatch>> {
    let count = usize::from(bytes.try_get_u8().ok()?);
    if count > PRODUCER_BATCHES_REMEMBERED || bytes.len() < count * BATCH_BYTES {
        return None;
    }
    let mut batches = VecDeque::with_capacity(count);
    for _ in 0..count {
        batches.push_back(RememberedBatch {
            last_sequence: bytes.get_i32(),
            last_offset: Offset::new(bytes.get_i64()),
            offset_delta: bytes.get_i32(),
            timestamp_ms: bytes.get_i64(),
        });
    }
    Some(batches)
}

/// The newest snapshot in `dir` that is whole and was taken at or below `limit`, and the offset it was taken at. Those
/// above `end` are of records that are no more: they are removed.
pub(super) fn newest(
    disk: &dyn Disk,
    dir: &Path,
    limit: Offset,
    end: Offset,
) -> Result<Option<(Offset, Producers)>, LogError> {
    let names = disk.read_dir(dir).map_err(at(dir))?;
    let mut offsets: Vec<_> = names.iter().filter_map(|entry| names::offset_of(&entry.name, names::SNAPSHOT)).collect();
    offsets.sort_unstable();
    for offset in offsets.into_iter().rev() {
        let path = names::file(dir, offset, names::SNAPSHOT);
        if offset > end {
            leftovers::remove_file(disk, &path)?;
        } else if offset <= limit {
            let bytes = disk.read_all(&path).map_err(at(&path))?;
            if let Some(producers) = bytes.and_then(|bytes| decode(&bytes)) {
                return Ok(Some((offset, producers)));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn batch(last_sequence: i32, last_offset: i64) -> RememberedBatch {
        RememberedBatch { last_sequence, last_offset: Offset::new(last_offset), offset_delta: 4, timestamp_ms: 70 }
    }

    #[test]
    fn what_is_remembered_comes_back() {
        let mut producers = Producers::default();
        let entry = ProducerEntry {
            epoch: 3,
            batches: VecDeque::from([batch(4, 9), batch(9, 20)]),
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

    #[test]
    fn one_that_kafka_wrote_holds_the_last_batch_of_each() {
        let mut producers = Producers::default();
        let entry = ProducerEntry {
            epoch: 3,
            batches: VecDeque::from([batch(4, 9), batch(9, 20)]),
            coordinator_epoch: -1,
            transaction_start: None,
            last_seen_ms: 70,
        };
        producers.restore(ProducerId(1), entry);
        let mut bytes = encode(&producers);
        bytes.truncate(CHECKED_AT + 4 + ENTRY_BYTES);
        let crc = crc32c::crc32c(&bytes[CHECKED_AT..]);
        bytes[2..CHECKED_AT].copy_from_slice(&crc.to_be_bytes());
        let back = decode(&bytes).unwrap();
        let (_, entry) = back.entries().next().unwrap();
        assert_eq!(entry.batches, [batch(9, 20)]);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(mut bytes in proptest::collection::vec(any::<u8>(), 6..400), count in 0i32..6) {
            let _ = decode(&bytes);
            // With a checksum that holds, so that what is behind it is looked at.
            if let Some(room) = bytes.get_mut(6..10) {
                room.copy_from_slice(&count.to_be_bytes());
            }
            bytes[..2].copy_from_slice(&VERSION.to_be_bytes());
            let crc = crc32c::crc32c(&bytes[CHECKED_AT..]);
            bytes[2..CHECKED_AT].copy_from_slice(&crc.to_be_bytes());
            let _ = decode(&bytes);
        }
    }
}
