//! What a log should hold, worked out from its batches alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidelog::log::AbortedTransaction;
use tidelog::model::{LeaderEpoch, Offset, ProducerId};
use tidelog::record::control::Outcome;

use crate::batches::Logged;

/// Batches whose producer and sequence number a broker remembers.
const REMEMBERED: usize = 5;

/// A log and what was promised of it.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// Every batch of this history, from the first on, removed from the disk or not.
    pub batches: Vec<Arc<Logged>>,
    /// Everything below is stable.
    pub durable_end: Offset,
    pub log_start: Offset,
    /// Whole segments below may be gone.
    pub removable: Offset,
}

/// A producer as the batches tell.
#[derive(Clone, Debug, Default)]
pub struct Producer {
    pub epoch: i16,
    pub last: Vec<Arc<Logged>>,
    pub coordinator_epoch: i32,
    pub transaction_start: Option<Offset>,
}

impl Model {
    pub fn end(&self) -> Offset {
        self.batches.last().map_or(Offset::ZERO, |last| last.next())
    }

    pub fn truncate(&mut self, to: Offset) {
        self.batches.retain(|batch| batch.next() <= to);
        let end = self.end();
        self.durable_end = self.durable_end.min(end);
    }

    /// The log start, or where the batch ends that it lies inside of: nothing before that is ever truncated.
    pub fn first_end(&self) -> Offset {
        let holds = self.batches.iter().find(|batch| batch.base() < self.log_start && self.log_start < batch.next());
        holds.map_or(self.log_start, |batch| batch.next())
    }

    /// The base of the batch that holds `offset`.
    pub fn boundary(&self, offset: Offset) -> Offset {
        let holds = self.batches.iter().find(|batch| batch.base() <= offset && offset < batch.next());
        holds.map_or(self.end(), |batch| batch.base())
    }
}

pub fn producers(batches: &[Arc<Logged>]) -> BTreeMap<ProducerId, Producer> {
    let mut producers: BTreeMap<ProducerId, Producer> = BTreeMap::new();
    for batch in batches.iter().filter(|batch| batch.header.producer_id.is_some()) {
        let header = &batch.header;
        let producer = producers.entry(header.producer_id).or_insert_with(|| Producer {
            epoch: header.producer_epoch,
            coordinator_epoch: -1,
            ..Producer::default()
        });
        if header.producer_epoch > producer.epoch {
            producer.epoch = header.producer_epoch;
            producer.last.clear();
        }
        if let Some(marker) = batch.marker {
            producer.coordinator_epoch = marker.coordinator_epoch;
            producer.transaction_start = None;
            continue;
        }
        producer.last.push(Arc::clone(batch));
        if producer.last.len() > REMEMBERED {
            producer.last.remove(0);
        }
        if header.attributes.is_transactional() && producer.transaction_start.is_none() {
            producer.transaction_start = Some(header.base_offset);
        }
    }
    producers
}

/// Aborted transactions whose marker lies at or above `from`.
pub fn aborted(batches: &[Arc<Logged>], from: Offset) -> Vec<AbortedTransaction> {
    let mut open: BTreeMap<ProducerId, Offset> = BTreeMap::new();
    let mut aborted = Vec::new();
    for batch in batches.iter().filter(|batch| batch.header.producer_id.is_some()) {
        let id = batch.header.producer_id;
        match batch.marker {
            None if batch.header.attributes.is_transactional() => {
                open.entry(id).or_insert(batch.base());
            }
            None => {}
            Some(marker) => {
                let Some(first_offset) = open.remove(&id) else { continue };
                if marker.outcome == Outcome::Abort && batch.base() >= from {
                    aborted.push(AbortedTransaction {
                        producer_id: id,
                        first_offset,
                        last_offset: batch.base(),
                        last_stable_offset: open.values().min().copied().unwrap_or(batch.next()),
                    });
                }
            }
        }
    }
    aborted
}

/// The leader epoch of every batch.
pub fn epoch_at(batches: &[Arc<Logged>], offset: Offset) -> Option<LeaderEpoch> {
    batches.iter().find(|batch| batch.base() <= offset && offset < batch.next()).map(|batch| batch.header.leader_epoch)
}
