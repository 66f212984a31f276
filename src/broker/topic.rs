//! One topic as the broker holds it: name, id, overrides, partitions.
//!
//! Invariant: a [`Topic`] is a snapshot and never changes; an alteration publishes another one in the registry. The
//! partitions inside are shared by all snapshots of the topic.

use std::sync::Arc;

use crate::model::settings::Values;
use crate::model::{TopicConfig, TopicId, TopicName};
use crate::replication::Partition;

/// Settings that a topic overrides, by Kafka's names.
pub type Overrides = Values;

/// A topic.
#[derive(Debug, Clone)]
pub struct Topic {
    /// Its name.
    pub name: TopicName,
    /// Its id.
    pub id: TopicId,
    /// What was set for it by name; everything else is the broker's default.
    pub overrides: Arc<Overrides>,
    /// What is in effect.
    pub config: Arc<TopicConfig>,
    /// Its partitions, by number from 0.
    pub partitions: Vec<Arc<Partition>>,
}

impl Topic {
    /// The partition of that number, as it came over the wire.
    pub fn partition(&self, number: i32) -> Option<&Arc<Partition>> {
        self.partitions.get(usize::try_from(number).ok()?)
    }

    /// Tells the operator what its settings ask for and nothing here does yet. Once for each change of them.
    pub(super) fn warn_of_what_is_missing(&self) {
        if self.config.cleanup.compact {
            tracing::warn!(
                topic = self.name.as_str(),
                "cleanup.policy=compact: topics are not compacted yet, every record is kept on the local disk"
            );
        }
    }

    /// Whether the topic is Kafka's own business rather than a user's.
    pub fn is_internal(&self) -> bool {
        is_internal(self.name.as_str())
    }
}

/// Whether a topic of that name is Kafka's own business.
pub(super) fn is_internal(name: &str) -> bool {
    matches!(name, "__consumer_offsets" | "__transaction_state" | "__share_group_state")
}
