//! Table `partitions`: who leads, in which epoch, where the log starts, how much is in the bucket.
//!
//! Invariant: leader epochs and log starts never fall; what is known to be tiered never lies below the log start.
//!
//! # Consistency
//! Each write is one transaction; what depends on who leads compares the epoch under the row's lock.
//!
//! # Crash safety
//! Whoever was answered finds its write after a crash.
//!
//! # Cancellation
//! As for every write of the catalog: one that was handed over may be made without its caller.

use futures::FutureExt as _;

use crate::model::{BrokerId, LeaderEpoch, Offset, TopicPartition};

use super::catalog::Catalog;
use super::session::{Row, Session};
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

    /// All partitions that a broker leads, as they are.
    pub async fn partitions_of(&self, broker: BrokerId) -> Result<Vec<PartitionRow>, StorageError> {
        self.read(broker, |session, broker| {
            async move {
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

    /// One partition, as it is when every commit that had begun has ended: whoever does not know how its own did asks so. A
    /// read would not do: where a commit is held up, it shows what was before.
    pub async fn settled_partition(&self, tp: TopicPartition, epoch: LeaderEpoch) -> Result<PartitionRow, FencedError> {
        self.write((tp, epoch), |session, (tp, epoch)| async move { hold_partition(session, tp, *epoch).await }.boxed())
            .await
    }

    /// The *delete*: moves the log start forward, and ends what lies below it in the bucket: one transaction. It never goes
    /// back; then nothing changes. An object that is still being written below it is left to its writer, whose commit is
    /// refused. Returns the partition as it is then.
    pub async fn advance_log_start(
        &self,
        tp: TopicPartition,
        epoch: LeaderEpoch,
        to: Offset,
    ) -> Result<PartitionRow, FencedError> {
        self.write((tp, epoch, to, self.clock.now_ms()), |session, (tp, epoch, to, now_ms)| {
            async move {
                let known = hold_partition(session, tp, *epoch).await?;
                if known.log_start >= *to {
                    return Ok(known);
                }
                let tiered_to = known.tiered_to.map(|tiered_to| tiered_to.max(*to));
                let moved = PartitionRow { log_start: *to, tiered_to, ..known };
                set_ends(session, &moved).await?;
                let (id, number) = tp_values(tp);
                let end = "UPDATE remote_segments SET state = 'DELETING', changed_at_ms = $4 \
                           WHERE topic_id = $1 AND partition = $2 AND state = 'LIVE' AND end_offset < $3";
                session.execute(end, &[id.as_slice().into(), number.into(), (*to).into(), (*now_ms).into()]).await?;
                Ok(moved)
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
                let known = hold_partition(session, tp, *epoch).await?;
                if known.tiered_to.is_some() {
                    return Ok(known);
                }
                let begun = PartitionRow { tiered_to: Some(known.log_start.max(*oldest_local)), ..known };
                set_ends(session, &begun).await?;
                Ok(begun)
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
                let known = hold_partition(session, tp, *epoch).await?;
                let ended = PartitionRow { log_start: known.log_start.max(*local_start), tiered_to: None, ..known };
                set_ends(session, &ended).await?;
                let (id, number) = tp_values(tp);
                let end = "UPDATE remote_segments SET state = 'DELETING', changed_at_ms = $3 \
                           WHERE topic_id = $1 AND partition = $2 AND state = 'LIVE'";
                session.execute(end, &[id.as_slice().into(), number.into(), (*now_ms).into()]).await?;
                Ok(ended)
            }
            .boxed()
        })
        .await
    }
}

/// The partition, if `epoch` leads it, held as it is until the transaction ends. By a statement that writes, because with
/// PostgreSQL only such a one keeps others from raising the epoch, or from doing the same, before this commits.
pub(super) async fn hold_partition(
    session: &mut Session<'_>,
    tp: &TopicPartition,
    epoch: LeaderEpoch,
) -> Result<PartitionRow, FencedError> {
    let (id, number) = tp_values(tp);
    let sql = "UPDATE partitions SET leader_epoch = leader_epoch \
               WHERE topic_id = $1 AND partition = $2 AND leader_epoch = $3 \
               RETURNING topic_id, partition, leader, leader_epoch, log_start_offset, tiered_to";
    match session.row(sql, &[id.as_slice().into(), number.into(), epoch.into()]).await? {
        Some(row) => Ok(partition_row(&row)?),
        None => Err(FencedError::Fenced { tp: *tp, epoch }),
    }
}

async fn set_ends(session: &mut Session<'_>, row: &PartitionRow) -> Result<(), StorageError> {
    let (id, number) = tp_values(&row.tp);
    let sql = "UPDATE partitions SET log_start_offset = $3, tiered_to = $4 WHERE topic_id = $1 AND partition = $2";
    let values = [id.as_slice().into(), number.into(), row.log_start.into(), row.tiered_to.into()];
    session.execute(sql, &values).await?;
    Ok(())
}

async fn partition(session: &mut Session<'_>, tp: &TopicPartition) -> Result<Option<PartitionRow>, StorageError> {
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
