//! Which batches of a range belong to transactions that were aborted.

use std::collections::HashMap;

use crate::model::{Offset, ProducerId};
use crate::record::BatchHeader;

/// Aborted transactions, by producer: each from its first record to its marker.
#[derive(Clone, Debug, Default)]
pub struct Aborted(HashMap<ProducerId, Vec<(Offset, Offset)>>);

impl FromIterator<(ProducerId, Offset, Offset)> for Aborted {
    fn from_iter<I: IntoIterator<Item = (ProducerId, Offset, Offset)>>(transactions: I) -> Self {
        let mut producers: HashMap<_, Vec<_>> = HashMap::new();
        for (producer, first, marker) in transactions {
            producers.entry(producer).or_default().push((first, marker));
        }
        // One producer's transactions follow one another, so that the one to ask is found by its beginning.
        producers.values_mut().for_each(|ranges| ranges.sort_unstable());
        Self(producers)
    }
}

impl Aborted {
    /// Whether the records of this batch do not count.
    pub fn holds(&self, batch: &BatchHeader) -> bool {
        if !batch.attributes.is_transactional() {
            return false;
        }
        let Some(ranges) = self.0.get(&batch.producer_id) else { return false };
        let after = ranges.partition_point(|&(first, _)| first <= batch.base_offset);
        let last = after.checked_sub(1).and_then(|at| ranges.get(at));
        last.is_some_and(|&(_, marker)| batch.base_offset <= marker)
    }
}
