//! The offsets that a group has committed.

use std::collections::BTreeMap;

use crate::model::{TopicId, TopicPartition};

use super::commit::CommittedOffset;

/// Committed offsets by partition. They are here only once they are stored.
#[derive(Clone, Debug, Default)]
pub(super) struct Offsets {
    committed: BTreeMap<TopicPartition, CommittedOffset>,
    /// Commits that are allowed and not yet stored.
    pub(super) on_their_way: usize,
    /// What they take in memory, about.
    bytes: usize,
}

/// A committed offset without its metadata, with its place in the tree.
const OFFSET_BYTES: usize = 128;

fn bytes_of(offset: &CommittedOffset) -> usize {
    OFFSET_BYTES + offset.metadata.len()
}

impl Offsets {
    pub(super) fn get(&self, partition: &TopicPartition) -> Option<&CommittedOffset> {
        self.committed.get(partition)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&TopicPartition, &CommittedOffset)> {
        self.committed.iter()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.committed.is_empty()
    }

    pub(super) fn put(&mut self, partition: TopicPartition, offset: CommittedOffset) {
        self.bytes += bytes_of(&offset);
        if let Some(earlier) = self.committed.insert(partition, offset) {
            self.bytes -= bytes_of(&earlier);
        }
    }

    pub(super) fn remove(&mut self, partition: &TopicPartition) {
        if let Some(gone) = self.committed.remove(partition) {
            self.bytes -= bytes_of(&gone);
        }
    }

    pub(super) fn of_topic(&self, topic_id: TopicId) -> impl Iterator<Item = TopicPartition> {
        let of_topic = TopicPartition::new(topic_id, i32::MIN)..=TopicPartition::new(topic_id, i32::MAX);
        self.committed.range(of_topic).map(|(partition, _)| *partition)
    }
}
