//! Reading record batches, without a fetch session: every request says all that it wants.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use kafka_protocol::messages::fetch_response;

use super::cluster::topic_name;
use super::connection::ClientConnection;
use super::error::{ClientError, KafkaError};

/// Isolation levels, as the wire has them.
pub(super) const READ_UNCOMMITTED: i8 = 0;
pub(super) const READ_COMMITTED: i8 = 1;

/// What is asked of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchFrom {
    /// The partition.
    pub partition: i32,
    /// From which offset.
    pub offset: i64,
}

/// How much, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct FetchBounds {
    /// Most bytes of the answer.
    pub bytes_max: i32,
    /// Most bytes of one partition.
    pub partition_bytes_max: i32,
    /// How long to wait where there is nothing.
    pub wait: Duration,
    /// Only what transactions have decided (`read_committed`), and not whatever is below the high watermark. Aborted
    /// records come too: see [`Fetched::aborted`].
    pub committed: bool,
}

impl Default for FetchBounds {
    fn default() -> Self {
        Self {
            bytes_max: 16 * 1024 * 1024,
            partition_bytes_max: 4 * 1024 * 1024,
            wait: Duration::from_millis(500),
            committed: false,
        }
    }
}

/// A transaction that was aborted: whoever reads only what was committed leaves it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// Whose.
    pub producer_id: i64,
    /// Its first offset. It ends at the producer's next marker.
    pub first_offset: i64,
}

/// What came of one partition.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The partition.
    pub partition: i32,
    /// Why nothing came.
    pub error: Option<KafkaError>,
    /// The end of what consumers may read.
    pub high_watermark: i64,
    /// The end of what transactions have decided.
    pub last_stable: i64,
    /// The first offset that there is; −1 where the broker does not say.
    pub log_start: i64,
    /// Transactions with records among these that were aborted; none unless only committed ones were asked for.
    pub aborted: Vec<AbortedTransaction>,
    /// Whole batches, and perhaps the beginning of one more.
    pub records: Bytes,
}

impl ClientConnection {
    /// Reads partitions of one topic that this broker leads.
    pub async fn fetch(
        &self,
        topic: &str,
        partitions: &[FetchFrom],
        bounds: FetchBounds,
    ) -> Result<Vec<Fetched>, ClientError> {
        let asked = partitions.iter().map(|from| {
            FetchPartition::default()
                .with_partition(from.partition)
                .with_current_leader_epoch(-1)
                .with_fetch_offset(from.offset)
                .with_partition_max_bytes(bounds.partition_bytes_max)
        });
        let asked_topic = FetchTopic::default().with_topic(topic_name(topic)).with_partitions(asked.collect());
        let request = FetchRequest::default()
            .with_replica_id((-1).into())
            .with_max_wait_ms(i32::try_from(bounds.wait.as_millis()).unwrap_or(i32::MAX))
            .with_min_bytes(1)
            .with_max_bytes(bounds.bytes_max)
            .with_isolation_level(if bounds.committed { READ_COMMITTED } else { READ_UNCOMMITTED })
            .with_session_id(0)
            .with_session_epoch(-1)
            .with_topics(vec![asked_topic]);
        let version = self.version::<FetchRequest>(12)?;
        let response = self.call(&request, version, bounds.wait).await?;
        KafkaError::check(format!("topic '{topic}'"), response.error_code, None)?;
        let answers = response.responses.into_iter().flat_map(|topic| topic.partitions);
        Ok(answers
            .map(|answer| Fetched {
                partition: answer.partition_index,
                error: KafkaError::check(format!("{topic}-{}", answer.partition_index), answer.error_code, None).err(),
                high_watermark: answer.high_watermark,
                last_stable: answer.last_stable_offset,
                log_start: answer.log_start_offset,
                aborted: answer.aborted_transactions.unwrap_or_default().into_iter().map(aborted).collect(),
                records: answer.records.unwrap_or_default(),
            })
            .collect())
    }
}

fn aborted(transaction: fetch_response::AbortedTransaction) -> AbortedTransaction {
    AbortedTransaction { producer_id: transaction.producer_id.0, first_offset: transaction.first_offset }
}
