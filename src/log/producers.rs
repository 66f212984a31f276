//! What idempotent producers have written: the last five batches of each, its epoch, its open transaction (KIP-98,
//! KIP-360).
//!
//! Invariant: a batch is accepted once. Whoever sends one of its last five again is told the old offset; a gap or an old
//! epoch is refused. Memory is bounded whatever ids clients make up (`PRODUCERS_REMEMBERED_MAX`).

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::model::limits::{PRODUCER_BATCHES_REMEMBERED, PRODUCERS_REMEMBERED_MAX};
use crate::model::{Offset, ProducerId};
use crate::record::BatchHeader;
use crate::record::control::{Marker, Outcome};

use super::error::AppendError;
use super::transaction_index::AbortedTransaction;

/// A batch that is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RememberedBatch {
    pub(super) last_sequence: i32,
    pub(super) last_offset: Offset,
    pub(super) offset_delta: i32,
    pub(super) timestamp_ms: i64,
}

impl RememberedBatch {
    pub(super) fn base_offset(&self) -> Offset {
        self.last_offset + -i64::from(self.offset_delta)
    }

    fn base_sequence(&self) -> i32 {
        previous_sequence(self.last_sequence, self.offset_delta)
    }
}

/// One producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProducerEntry {
    pub(super) epoch: i16,
    pub(super) batches: VecDeque<RememberedBatch>,
    pub(super) coordinator_epoch: i32,
    pub(super) transaction_start: Option<Offset>,
    /// When it was last heard of, by the broker's clock.
    pub(super) last_seen_ms: i64,
}

/// A producer as DescribeProducers shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveProducer {
    /// Who.
    pub producer_id: ProducerId,
    /// Its epoch.
    pub epoch: i16,
    /// The last sequence number, or -1.
    pub last_sequence: i32,
    /// When it last wrote, in milliseconds.
    pub last_timestamp_ms: i64,
    /// The epoch of the coordinator that last ended a transaction of it, or -1.
    pub coordinator_epoch: i32,
    /// Where its open transaction begins.
    pub transaction_start: Option<Offset>,
}

/// What a batch is to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sequence {
    /// To be appended.
    New,
    /// Appended before.
    Duplicate(RememberedBatch),
}

/// All producers of a partition.
#[derive(Clone, Debug, Default)]
pub(super) struct Producers {
    entries: HashMap<ProducerId, ProducerEntry>,
    /// Open transactions by their first offset.
    open: BTreeMap<Offset, ProducerId>,
    /// Transactions whose marker is not below the high watermark yet: first offset to marker.
    ended: BTreeMap<Offset, Offset>,
}

impl Producers {
    /// Whether a batch is the producer's next.
    pub(super) fn check(&self, header: &BatchHeader) -> Result<Sequence, AppendError> {
        let id = header.producer_id;
        if !id.is_some() {
            return Ok(Sequence::New);
        }
        let Some(entry) = self.entries.get(&id) else { return Ok(Sequence::New) };
        let epoch = header.producer_epoch;
        if epoch < entry.epoch {
            return Err(AppendError::ProducerFenced { id, epoch, current: entry.epoch });
        }
        let expected = if epoch > entry.epoch {
            0
        } else {
            let same = |batch: &&RememberedBatch| {
                batch.last_sequence == header.last_sequence() && batch.base_sequence() == header.base_sequence
            };
            if let Some(duplicate) = entry.batches.iter().find(same) {
                return Ok(Sequence::Duplicate(*duplicate));
            }
            match entry.batches.back() {
                Some(last) => next_sequence(last.last_sequence),
                // Only its epoch is known, from a marker: any sequence may come next.
                None => return Ok(Sequence::New),
            }
        };
        if header.base_sequence != expected {
            return Err(AppendError::OutOfOrderSequence { id, expected, got: header.base_sequence });
        }
        Ok(Sequence::New)
    }

    /// Notes a batch that was appended.
    pub(super) fn appended(&mut self, header: &BatchHeader, base: Offset, now_ms: i64) {
        if !header.producer_id.is_some() {
            return;
        }
        let transactional = header.attributes.is_transactional();
        let entry = self.entry(header.producer_id, header.producer_epoch, now_ms);
        if entry.batches.len() >= PRODUCER_BATCHES_REMEMBERED {
            entry.batches.pop_front();
        }
        entry.batches.push_back(RememberedBatch {
            last_sequence: header.last_sequence(),
            last_offset: base + i64::from(header.last_offset_delta),
            offset_delta: header.last_offset_delta,
            timestamp_ms: header.max_timestamp_ms,
        });
        if transactional && entry.transaction_start.is_none() {
            entry.transaction_start = Some(base);
            self.open.insert(base, header.producer_id);
        }
    }

    /// Notes a marker that was appended at `offset`; returns the transaction if it was aborted.
    pub(super) fn ended(
        &mut self,
        header: &BatchHeader,
        marker: Marker,
        offset: Offset,
        now_ms: i64,
    ) -> Option<AbortedTransaction> {
        let entry = self.entry(header.producer_id, header.producer_epoch, now_ms);
        entry.coordinator_epoch = marker.coordinator_epoch;
        let first_offset = entry.transaction_start.take()?;
        self.open.remove(&first_offset);
        self.ended.insert(first_offset, offset);
        (marker.outcome == Outcome::Abort).then(|| AbortedTransaction {
            producer_id: header.producer_id,
            first_offset,
            last_offset: offset,
            last_stable_offset: self.open.keys().next().copied().unwrap_or(offset.next()),
        })
    }

    /// Makes room for others, a tenth at a time, so that a crowd of new ids does not cost a look at all for each of them.
    /// Who has a transaction open stays.
    fn forget_the_longest_unseen(&mut self) {
        let idle = self.entries.iter().filter(|(_, entry)| entry.transaction_start.is_none());
        let mut idle: Vec<_> = idle.map(|(id, entry)| (entry.last_seen_ms, *id)).collect();
        idle.sort_unstable();
        for (_, id) in idle.into_iter().take(PRODUCERS_REMEMBERED_MAX / 10) {
            self.entries.remove(&id);
        }
    }

    fn entry(&mut self, id: ProducerId, epoch: i16, now_ms: i64) -> &mut ProducerEntry {
        if self.entries.len() >= PRODUCERS_REMEMBERED_MAX && !self.entries.contains_key(&id) {
            self.forget_the_longest_unseen();
        }
        let entry = self.entries.entry(id).or_insert_with(|| ProducerEntry {
            epoch,
            batches: VecDeque::new(),
            coordinator_epoch: -1,
            transaction_start: None,
            last_seen_ms: now_ms,
        });
        if epoch > entry.epoch {
            entry.epoch = epoch;
            entry.batches.clear();
        }
        entry.last_seen_ms = now_ms;
        entry
    }

    /// The first offset whose transaction is open, or ended by a marker that is not below `high_watermark`.
    pub(super) fn first_unstable(&self, high_watermark: Offset) -> Option<Offset> {
        let open = self.open.keys().next();
        let ended = self.ended.iter().find(|(_, marker)| **marker >= high_watermark).map(|(first, _)| first);
        open.into_iter().chain(ended).min().copied()
    }

    /// The watermark has moved: what was ended below it is settled.
    pub(super) fn settle(&mut self, high_watermark: Offset) {
        self.ended.retain(|_, marker| *marker >= high_watermark);
    }

    /// Whether any transaction is open or not settled: otherwise the last stable offset needs no look.
    pub(super) fn all_stable(&self) -> bool {
        self.open.is_empty() && self.ended.is_empty()
    }

    /// Forgets producers that were not heard of for so long and have no open transaction.
    pub(super) fn expire(&mut self, now_ms: i64, after_ms: i64) {
        self.entries.retain(|_, entry| {
            entry.transaction_start.is_some() || now_ms.saturating_sub(entry.last_seen_ms) < after_ms
        });
    }

    /// All of them, for DescribeProducers.
    pub(super) fn active(&self) -> Vec<ActiveProducer> {
        let show = |(id, entry): (&ProducerId, &ProducerEntry)| ActiveProducer {
            producer_id: *id,
            epoch: entry.epoch,
            last_sequence: entry.batches.back().map_or(-1, |batch| batch.last_sequence),
            last_timestamp_ms: entry.batches.back().map_or(-1, |batch| batch.timestamp_ms),
            coordinator_epoch: entry.coordinator_epoch,
            transaction_start: entry.transaction_start,
        };
        let mut active: Vec<_> = self.entries.iter().map(show).collect();
        active.sort_by_key(|producer| producer.producer_id);
        active
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&ProducerId, &ProducerEntry)> {
        self.entries.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Takes an entry over from a snapshot.
    pub(super) fn restore(&mut self, id: ProducerId, entry: ProducerEntry) {
        if let Some(first) = entry.transaction_start {
            self.open.insert(first, id);
        }
        self.entries.insert(id, entry);
    }
}

/// Sequence numbers wrap from `i32::MAX` to 0.
fn next_sequence(sequence: i32) -> i32 {
    sequence.checked_add(1).unwrap_or(0)
}

fn previous_sequence(last: i32, delta: i32) -> i32 {
    match last.checked_sub(delta) {
        Some(base) if base >= 0 => base,
        _ => i32::MAX - (delta - last - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Codec, LeaderEpoch};
    use crate::record::{BatchBuilder, BatchSpec};

    fn header(epoch: i16, sequence: i32, records: i64) -> BatchHeader {
        let mut spec = BatchSpec::plain(Offset::ZERO, LeaderEpoch::ZERO, Codec::None);
        spec.producer = Some((ProducerId(1), epoch, sequence));
        let mut builder = BatchBuilder::new(spec);
        for offset in 0..records {
            builder.push(Offset::new(offset), 0, None, None, std::iter::empty()).unwrap();
        }
        *builder.build().unwrap().header()
    }

    #[test]
    fn a_batch_is_accepted_once_and_in_order() {
        let mut producers = Producers::default();
        for n in 0..7 {
            let header = header(0, n * 2, 2);
            assert_eq!(producers.check(&header).unwrap(), Sequence::New);
            producers.appended(&header, Offset::new(i64::from(n) * 2), 0);
        }
        let Sequence::Duplicate(again) = producers.check(&header(0, 12, 2)).unwrap() else { panic!("a duplicate") };
        assert_eq!((again.base_offset(), again.last_offset), (Offset::new(12), Offset::new(13)));
        assert!(matches!(producers.check(&header(0, 4, 2)).unwrap(), Sequence::Duplicate(_)), "the fifth last");
        assert!(matches!(producers.check(&header(0, 2, 2)), Err(AppendError::OutOfOrderSequence { .. })), "too old");
        assert!(matches!(producers.check(&header(0, 15, 1)), Err(AppendError::OutOfOrderSequence { .. })), "a gap");
        assert!(matches!(producers.check(&header(1, 3, 1)), Err(AppendError::OutOfOrderSequence { .. })));
        assert_eq!(producers.check(&header(1, 0, 1)).unwrap(), Sequence::New);
        producers.appended(&header(1, 0, 1), Offset::new(14), 0);
        assert!(matches!(producers.check(&header(0, 14, 1)), Err(AppendError::ProducerFenced { .. })));
        producers.expire(100, 100);
        assert_eq!(producers.check(&header(0, 99, 1)).unwrap(), Sequence::New, "forgotten");
    }

    #[test]
    fn however_many_ids_clients_make_up_so_many_are_remembered() {
        let mut producers = Producers::default();
        let mut header = header(0, 0, 1);
        let open = ProducerEntry {
            epoch: 0,
            batches: VecDeque::new(),
            coordinator_epoch: -1,
            transaction_start: Some(Offset::ZERO),
            last_seen_ms: -1,
        };
        producers.restore(ProducerId(-7), open);
        let last = i64::try_from(PRODUCERS_REMEMBERED_MAX).unwrap() * 2;
        for n in 0..=last {
            header.producer_id = ProducerId(n);
            producers.appended(&header, Offset::new(n), n);
            assert!(producers.len() <= PRODUCERS_REMEMBERED_MAX);
        }
        let knows = |id| producers.entries().any(|(known, _)| *known == ProducerId(id));
        assert!(knows(last) && knows(last / 2 + last / 10), "who wrote last is known");
        assert!(!knows(0) && knows(-7), "who wrote first is not, unless its transaction is open");
    }

    #[test]
    fn sequences_wrap_around() {
        assert_eq!(next_sequence(i32::MAX), 0);
        assert_eq!(previous_sequence(1, 3), i32::MAX - 1);
        let mut producers = Producers::default();
        let last = header(0, i32::MAX - 1, 4);
        producers.appended(&last, Offset::ZERO, 0);
        assert!(matches!(producers.check(&last).unwrap(), Sequence::Duplicate(_)));
        assert_eq!(producers.check(&header(0, 2, 1)).unwrap(), Sequence::New);
    }
}
