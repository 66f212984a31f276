//! Table `remote_segments`, written: what lies in the bucket, what is on its way in, what is on its way out.
//!
//! # Consistency
//! Every transition compares the old state and the leader epoch, and holds the partition's row from the comparison to the
//! commit: no epoch can rise in between. LIVE rows of a partition never overlap, and together reach from the first of
//! them to `tiered_to` without a hole that the log start does not explain.
//!
//! # Crash safety
//! A WRITING row is committed before the first byte is sent and DELETING before anything is removed, so that whatever a
//! crash leaves in the bucket is named by a row.
//!
//! # Cancellation
//! As for every write of the catalog: one that was handed over may be made without its caller.

use futures::FutureExt as _;
use ulid::Ulid;

use crate::model::{LeaderEpoch, Offset, TopicPartition};

use super::catalog::Catalog;
use super::partitions::{FencedError, PartitionRow, hold_partition, tp_values};
use super::segment_rows::{NewSegmentRow, SegmentContent};
use super::session::{Session, Value};
use super::storage_error::{StorageError, write_error};

/// An object did not become part of the log.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Another epoch leads.
    #[error("leader epoch {epoch} of {tp} is fenced")]
    Fenced {
        /// Which partition.
        tp: TopicPartition,
        /// Who asked.
        epoch: LeaderEpoch,
    },
    /// What is tiered ends elsewhere.
    #[error("the range begins at {base}, but the bucket ends at {tiered_to:?}")]
    NotContiguous {
        /// Where the range begins.
        base: Offset,
        /// Where it should.
        tiered_to: Option<Offset>,
    },
    /// The row is gone, in another state, or of another range, partition or epoch.
    #[error("the row {0} is not what it should be")]
    NotAsExpected(Ulid),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
write_error!(CommitError);

impl From<FencedError> for CommitError {
    fn from(error: FencedError) -> Self {
        match error {
            FencedError::Fenced { tp, epoch } => Self::Fenced { tp, epoch },
            FencedError::Storage(error) => Self::Storage(error),
        }
    }
}

impl Catalog {
    /// Names an object before its first byte is sent.
    pub async fn insert_writing(&self, row: NewSegmentRow) -> Result<(), FencedError> {
        self.write((row, self.clock.now_ms()), |session, (row, now_ms)| {
            async move {
                hold_partition(session, &row.tp, row.leader_epoch).await?;
                insert(session, row, *now_ms).await?;
                Ok(())
            }
            .boxed()
        })
        .await
    }

    /// Notes the multipart upload of an object that is being written.
    pub async fn set_upload_id(&self, id: Ulid, upload_id: &str) -> Result<(), CommitError> {
        self.write((id, upload_id.to_owned()), |session, (id, upload_id)| {
            async move {
                let sql = "UPDATE remote_segments SET upload_id = $2 WHERE segment_id = $1 AND state = 'WRITING'";
                match session.execute(sql, &[id.to_string().as_str().into(), upload_id.as_str().into()]).await? {
                    0 => Err(CommitError::NotAsExpected(*id)),
                    _ => Ok(()),
                }
            }
            .boxed()
        })
        .await
    }

    /// The fenced *append*: WRITING becomes LIVE and `tiered_to` moves behind it. Where the log start has moved into the
    /// range meanwhile, the row covers only what is left. Returns the partition as it is then.
    pub async fn append_segment(
        &self,
        row: NewSegmentRow,
        content: SegmentContent,
    ) -> Result<PartitionRow, CommitError> {
        self.write((row, content, self.clock.now_ms()), |session, (row, content, now_ms)| {
            async move {
                let known = hold_partition(session, &row.tp, row.leader_epoch).await?;
                let base = contiguous_base(row, &known)?;
                make_live(session, row, base, content, *now_ms).await?;
                let (topic, number) = tp_values(&row.tp);
                let sql = "UPDATE partitions SET tiered_to = $3 WHERE topic_id = $1 AND partition = $2";
                session.execute(sql, &[topic.as_slice().into(), number.into(), row.end.next().into()]).await?;
                Ok(PartitionRow { tiered_to: Some(row.end.next()), ..known })
            }
            .boxed()
        })
        .await
    }

    /// Gives an object up that is not LIVE yet, so that it may be removed: of a failed attempt, or one that nobody writes
    /// any more. Says whether it was WRITING; if not, a commit whose outcome was unknown has happened, or the row is
    /// DELETING already.
    pub async fn mark_deleting(&self, id: Ulid, tp: TopicPartition, epoch: LeaderEpoch) -> Result<bool, FencedError> {
        self.write((id, tp, epoch, self.clock.now_ms()), |session, (id, tp, epoch, now_ms)| {
            async move {
                hold_partition(session, tp, *epoch).await?;
                let (topic, number) = tp_values(tp);
                let sql = "UPDATE remote_segments SET state = 'DELETING', changed_at_ms = $4 \
                           WHERE segment_id = $1 AND topic_id = $2 AND partition = $3 AND state = 'WRITING'";
                let id = id.to_string();
                let values = [id.as_str().into(), topic.as_slice().into(), number.into(), (*now_ms).into()];
                Ok(session.execute(sql, &values).await? > 0)
            }
            .boxed()
        })
        .await
    }

    /// Forgets an object that was found absent. Only a row that says DELETING can go.
    pub async fn remove_segment_row(&self, id: Ulid) -> Result<bool, StorageError> {
        self.write(id, |session, id| {
            async move {
                let sql = "DELETE FROM remote_segments WHERE segment_id = $1 AND state = 'DELETING'";
                Ok(session.execute(sql, &[id.to_string().as_str().into()]).await? > 0)
            }
            .boxed()
        })
        .await
    }
}

/// Where the row of an appended range begins: where the bucket ends, or where the log starts if that has moved into it.
fn contiguous_base(row: &NewSegmentRow, known: &PartitionRow) -> Result<Offset, CommitError> {
    let refused = CommitError::NotContiguous { base: row.base, tiered_to: known.tiered_to };
    let Some(tiered_to) = known.tiered_to else { return Err(refused) };
    let moved = tiered_to == known.log_start && tiered_to > row.base && tiered_to <= row.end;
    if tiered_to == row.base || moved { Ok(tiered_to) } else { Err(refused) }
}

/// Writes down a WRITING row.
pub(super) async fn insert(session: &mut Session<'_>, row: &NewSegmentRow, now_ms: i64) -> Result<(), StorageError> {
    let (topic, number) = tp_values(&row.tp);
    let id = row.id.to_string();
    let sql = "INSERT INTO remote_segments (segment_id, topic_id, partition, base_offset, end_offset, leader_epoch, \
               generation, object_key, upload_id, object_size_bytes, log_size_bytes, record_count, min_timestamp_ms, \
               max_timestamp_ms, row_groups, digest, state, incarnation, start_number, created_at_ms, changed_at_ms) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULL, 0, 0, 0, 0, 0, $9, $9, 'WRITING', $10, $11, $12, $12)";
    let values = [
        id.as_str().into(),
        topic.as_slice().into(),
        number.into(),
        row.base.into(),
        row.end.into(),
        row.leader_epoch.into(),
        row.generation.into(),
        row.object_key.as_str().into(),
        [].as_slice().into(),
        row.incarnation.into(),
        row.start_number.into(),
        now_ms.into(),
    ];
    session.execute(sql, &values).await?;
    Ok(())
}

/// WRITING becomes LIVE, if the row is what the writer thinks it is. Its range begins at `base` from now on.
pub(super) async fn make_live(
    session: &mut Session<'_>,
    row: &NewSegmentRow,
    base: Offset,
    content: &SegmentContent,
    now_ms: i64,
) -> Result<(), CommitError> {
    let sql = "UPDATE remote_segments SET state = 'LIVE', base_offset = $2, object_size_bytes = $3, log_size_bytes = $4, \
               record_count = $5, min_timestamp_ms = $6, max_timestamp_ms = $7, row_groups = $8, digest = $9, \
               changed_at_ms = $10 WHERE segment_id = $1 AND state = 'WRITING' AND topic_id = $11 AND partition = $12 \
               AND base_offset = $13 AND end_offset = $14 AND leader_epoch = $15";
    let id = row.id.to_string();
    let (topic, number) = tp_values(&row.tp);
    let values = [
        id.as_str().into(),
        base.into(),
        size(content.object_size_bytes),
        size(content.log_size_bytes),
        size(content.record_count),
        content.min_timestamp_ms.into(),
        content.max_timestamp_ms.into(),
        content.row_groups.as_slice().into(),
        content.digest.as_slice().into(),
        now_ms.into(),
        topic.as_slice().into(),
        number.into(),
        row.base.into(),
        row.end.into(),
        row.leader_epoch.into(),
    ];
    match session.execute(sql, &values).await? {
        0 => Err(CommitError::NotAsExpected(row.id)),
        _ => Ok(()),
    }
}

fn size(count: u64) -> Value<'static> {
    Value::Int(i64::try_from(count).unwrap_or(i64::MAX))
}
