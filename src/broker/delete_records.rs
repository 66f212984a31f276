//! Deleting the oldest records of a partition, as a client asks for it.

use crate::model::Offset;
use crate::replication::{DeleteRecordsError as PartitionError, Partition};

use super::state::Broker;
use super::topic::Topic;

/// Records were not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteRecordsError {
    /// The topic is Kafka's own business.
    #[error("records of internal topic '{0}' are not deleted by clients")]
    Internal(String),
    /// A compacted topic has no oldest records that could go.
    #[error("records of a topic whose cleanup.policy is only compact are not deleted by clients")]
    Compacted,
    /// The partition refused.
    #[error(transparent)]
    Partition(#[from] PartitionError),
}

impl Broker {
    /// Moves the log start of a partition to `to`, or to its high watermark. Returns where it is then.
    pub async fn delete_records(
        &self,
        topic: &Topic,
        partition: &Partition,
        to: Option<Offset>,
    ) -> Result<Offset, DeleteRecordsError> {
        if topic.is_internal() {
            return Err(DeleteRecordsError::Internal(topic.name.as_str().to_owned()));
        }
        let cleanup = topic.config.cleanup;
        if cleanup.compact && !cleanup.delete {
            return Err(DeleteRecordsError::Compacted);
        }
        Ok(partition.delete_records(to).await?)
    }
}
