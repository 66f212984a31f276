//! Table `partitions`: who leads, in which epoch, where the log starts, how much is in the bucket.
//!
//! Invariant: leader epochs and log starts never fall; what is known to be tiered never lies below the log start.

use futures::FutureExt as _;

use crate::model::{BrokerId, LeaderEpoch, Offset, TopicPartition};

use super::catalog::Catalog;
use super::session::{Row, Session, Value};
use super::storage_error::{StorageError, write_error};

/// A partition as the catalog has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionRow {
    /// Which.
    pub tp: TopicPartition,
    /// Who leads it.
    pub leader: BrokerId,
    /// The epoch that it is led in.
    pub leader_epoch: LeaderEpoch,
    /// The first offset that may be read.
    pub log_start: Offset,
    /// The first offset that is not in the bucket; unknown for a topic that is not tiered.
    pub tiered_to: Option<Offset>,
}

/// A change that only the leader may make was refused.
#[derive(Debug, thiserror::Error)]
pub enum FencedError {
    /// Another epoch leads.
    #[error("leader epoch {epoch} of {tp} is fenced")]
    Fenced {
        /// Which partition.
        tp: TopicPartition,
        /// Who asked.
        epoch: LeaderEpoch,
    },
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
write_error!(FencedError);

pub(super) fn tp_values(tp: &TopicPartition) -> ([u8; 16], i32) {
    (*tp.topic_id.uuid().as_bytes(), tp.partition)
}

impl Catalog {
    /// A broker starts: the epochs of all its partitions rise, in one statement. Returns all of them.
    pub async fn raise_leader_epochs(&self, broker: BrokerId) -> Result<Vec<PartitionRow>, StorageError> {
        self.write(broker, |session, broker| {
            async move {
                let raise = "UPDATE partitions SET leader_epoch = leader_epoch + 1 WHERE leader = $1";
                session.execute(raise, &[(*broker).into()]).await?;
                let sql = "SELECT topic_id, partition, leader, leader_epoch, log_start_offset, tiered_to FROM partitions \
                           WHERE leader = $1 ORDER BY topic_id, partition";
                session.rows(sql, &[(*broker).into()]).await?.iter().map(partition_row).collect()
            }
            .boxed()
        })
        .await
    }

    /// One partition.
    pub async fn partition(&self, tp: TopicPartition) -> Result<Option<PartitionRow>, StorageError> {
        self.read(tp, |session, tp| async move { partition(session, tp).await }.boxed()).await
    }

    /// Moves the log start forward, and ends what lies below it in the bucket: one transaction. It never goes back.
    pub async fn advance_log_start(
        &self,
        tp: TopicPartition,
        epoch: LeaderEpoch,
        to: Offset,
    ) -> Result<(), FencedError> {
        self.write((tp, epoch, to, self.clock.now_ms()), |session, (tp, epoch, to, now_ms)| {
            async move {
                let (id, number) = tp_values(tp);
                let key = [id.as_slice().into(), number.into()];
                let sql = "UPDATE partitions SET log_start_offset = $4, \
                           tiered_to = CASE WHEN tiered_to < $4 THEN $4 ELSE tiered_to END \
                           WHERE topic_id = $1 AND partition = $2 AND leader_epoch = $3 AND log_start_offset <= $4";
                let values: Vec<Value<'_>> = key.into_iter().chain([(*epoch).into(), (*to).into()]).collect();
                if session.execute(sql, &values).await? == 0 {
                    let known = partition(session, tp).await?;
                    return match known {
                        Some(known) if known.leader_epoch == *epoch => Ok(()),
                        _ => Err(FencedError::Fenced { tp: *tp, epoch: *epoch }),
                    };
                }
                let end = "UPDATE remote_segments SET state = 'DELETING', changed_at_ms = $4 \
                           WHERE topic_id = $1 AND partition = $2 AND state = 'LIVE' AND end_offset < $3";
                let values: Vec<Value<'_>> = key.into_iter().chain([(*to).into(), (*now_ms).into()]).collect();
                session.execute(end, &values).await?;
                Ok(())
            }
            .boxed()
        })
        .await
    }

    /// Tiering was enabled: what is in the bucket is known from now on to end at max(log start, `oldest_local`). A
    /// partition of which it is known already keeps what it has. Returns the row.
    pub async fn begin_tiering(
        &self,
        tp: TopicPartition,
        epoch: LeaderEpoch,
        oldest_local: Offset,
    ) -> Result<PartitionRow, FencedError> {
        self.write((tp, epoch, oldest_local), |session, (tp, epoch, oldest_local)| {
            async move {
                let (id, number) = tp_values(tp);
                let sql = "UPDATE partitions SET tiered_to = \
                           CASE WHEN log_start_offset > $4 THEN log_start_offset ELSE $4 END \
                           WHERE topic_id = $1 AND partition = $2 AND leader_epoch = $3 AND tiered_to IS NULL";
                let values = [id.as_slice().into(), number.into(), (*epoch).into(), (*oldest_local).into()];
                session.execute(sql, &values).await?;
                fenced_row(session, tp, *epoch).await
            }
            .boxed()
        })
        .await
    }

    /// Tiering was disabled with delete: the log starts at `local_start`, everything in the bucket ends, and what is tiered
    /// is not known any more: one transaction.
    pub async fn end_tiering(
        &self,
        tp: TopicPartition,
        epoch: LeaderEpoch,
        local_start: Offset,
    ) -> Result<PartitionRow, FencedError> {
        self.write((tp, epoch, local_start, self.clock.now_ms()), |session, (tp, epoch, local_start, now_ms)| {
            async move {
                let (id, number) = tp_values(tp);
                let sql = "UPDATE partitions SET tiered_to = NULL, log_start_offset = \
                           CASE WHEN log_start_offset > $4 THEN log_start_offset ELSE $4 END \
                           WHERE topic_id = $1 AND partition = $2 AND leader_epoch = $3";
                let values = [id.as_slice().into(), number.into(), (*epoch).into(), (*local_start).into()];
                session.execute(sql, &values).await?;
                let row = fenced_row(session, tp, *epoch).await?;
                let end = "UPDATE remote_segments SET state = 'DELETING', changed_at_ms = $3 \
                           WHERE topic_id = $1 AND partition = $2 AND state = 'LIVE'";
                session.execute(end, &[id.as_slice().into(), number.into(), (*now_ms).into()]).await?;
                Ok(row)
            }
            .boxed()
        })
        .await
    }
}

async fn fenced_row(
    session: &mut Session<'_>,
    tp: &TopicPartition,
    epoch: LeaderEpoch,
) -> Result<PartitionRow, FencedError> {
    match partition(session, tp).await? {
        Some(row) if row.leader_epoch == epoch => Ok(row),
        _ => Err(FencedError::Fenced { tp: *tp, epoch }),
    }
}

pub(super) async fn partition(
    session: &mut Session<'_>,
    tp: &TopicPartition,
) -> Result<Option<PartitionRow>, StorageError> {
    let (id, number) = tp_values(tp);
    let sql = "SELECT topic_id, partition, leader, leader_epoch, log_start_offset, tiered_to FROM partitions \
               WHERE topic_id = $1 AND partition = $2";
    session.row(sql, &[id.as_slice().into(), number.into()]).await?.map(|row| partition_row(&row)).transpose()
}

fn partition_row(row: &Row) -> Result<PartitionRow, StorageError> {
    Ok(PartitionRow {
        tp: row.partition()?,
        leader: BrokerId(row.small("leader")?),
        leader_epoch: row.epoch("leader_epoch")?,
        log_start: row.offset("log_start_offset")?,
        tiered_to: row.maybe_int("tiered_to")?.map(Offset::new),
    })
}
