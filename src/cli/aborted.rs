//! Which batches of a fetch belong to transactions that were aborted (KIP-98): the broker sends them, with a list, and a reader
//! leaves them out.

use std::collections::{BTreeSet, VecDeque};

use crate::net::client::fetch::AbortedTransaction;
use crate::record::control::{self, Outcome};
use crate::record::{BatchError, BatchView};

/// Aborted transactions of one fetch, while its batches are seen in the order of their offsets.
#[derive(Debug)]
pub(super) struct Aborted {
    /// Those that begin later, in the order of their first offsets.
    ahead: VecDeque<AbortedTransaction>,
    /// Producers whose records are left out now.
    producers: BTreeSet<i64>,
}

impl Aborted {
    pub(super) fn new(transactions: &[AbortedTransaction]) -> Self {
        let mut ahead = transactions.to_vec();
        ahead.sort_by_key(|transaction| transaction.first_offset);
        Self { ahead: ahead.into(), producers: BTreeSet::new() }
    }

    /// Whether the next batch belongs to one of them.
    pub(super) fn holds(&mut self, batch: &BatchView<'_>) -> Result<bool, BatchError> {
        let header = batch.header();
        let last = header.last_offset().get();
        while let Some(begun) = self.ahead.pop_front_if(|transaction| transaction.first_offset <= last) {
            self.producers.insert(begun.producer_id);
        }
        let producer = header.producer_id.0;
        if header.attributes.is_control() {
            if control::parse(batch)?.is_some_and(|marker| marker.outcome == Outcome::Abort) {
                self.producers.remove(&producer);
            }
            return Ok(false);
        }
        Ok(header.attributes.is_transactional() && self.producers.contains(&producer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Codec, LeaderEpoch, Offset, ProducerId};
    use crate::record::control::Marker;
    use crate::record::{Attributes, BatchBuilder, BatchSpec, ValidBatch};

    fn records(producer: i64, offset: i64, attributes: Attributes) -> ValidBatch {
        let producer = Some((ProducerId(producer), 0, 0));
        let plain = BatchSpec::plain(Offset::new(offset), LeaderEpoch::ZERO, Codec::None);
        let mut builder = BatchBuilder::new(BatchSpec { producer, attributes, ..plain });
        for offset in offset..offset + 2 {
            builder.push(Offset::new(offset), 0, None, Some(b"value"), std::iter::empty()).unwrap();
        }
        builder.build().unwrap()
    }

    fn marker(producer: i64, offset: i64, outcome: Outcome) -> ValidBatch {
        let marker = Marker { outcome, coordinator_epoch: 0 };
        control::build(Offset::new(offset), LeaderEpoch::ZERO, (ProducerId(producer), 0), marker, 0).unwrap()
    }

    #[test]
    fn only_what_was_aborted_is_left_out() {
        let transactional = Attributes::default().transactional();
        let log = [
            (records(1, 0, transactional), true),
            (records(2, 2, transactional), false),
            (records(1, 4, Attributes::default()), false),
            (records(1, 6, transactional), true),
            (marker(2, 8, Outcome::Commit), false),
            (marker(1, 9, Outcome::Abort), false),
            (records(1, 10, transactional), false),
            (marker(1, 12, Outcome::Commit), false),
            (records(2, 13, transactional), true),
        ];
        let transaction = |producer_id, first_offset| AbortedTransaction { producer_id, first_offset };
        let mut aborted = Aborted::new(&[transaction(2, 13), transaction(1, 0)]);
        for (batch, is_left_out) in log {
            let batch = BatchView::parse(batch.bytes()).unwrap();
            assert_eq!(aborted.holds(&batch).unwrap(), is_left_out, "offset {}", batch.header().base_offset);
        }
    }
}
