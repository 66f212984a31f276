//! Table `remote_segments`: what lies in the bucket, what is on its way in, what is on its way out.
//!
//! # Consistency
//! WRITING → LIVE → DELETING → gone, or WRITING → DELETING. Every transition compares the old state and, where a leader
//! makes it, the leader epoch. LIVE rows of a partition never overlap, and together reach from the first of them to
//! `tiered_to` without a hole that the log start does not explain.
//!
//! # Crash safety
//! A WRITING row is committed before the first byte is sent and DELETING before anything is removed, so that whatever a
//! crash leaves in the bucket is named by a row.

use futures::FutureExt as _;
use ulid::Ulid;

use crate::model::{LeaderEpoch, Offset, TopicPartition};

use super::catalog::Catalog;
use super::partitions::{PartitionRow, partition, tp_values};
use super::session::{Row, Session, Value, unreadable};
use super::storage_error::{StorageError, write_error};

/// Where an object stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentState {
    /// On its way in.
    Writing,
    /// Part of the log.
    Live,
    /// On its way out.
    Deleting,
}

impl SegmentState {
    /// As the table spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Writing => "WRITING",
            Self::Live => "LIVE",
            Self::Deleting => "DELETING",
        }
    }
}

/// An object that is about to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSegmentRow {
    /// The ulid in its key.
    pub id: Ulid,
    /// Whose.
    pub tp: TopicPartition,
    /// First offset.
    pub base: Offset,
    /// Last offset.
    pub end: Offset,
    /// The epoch of the leader that writes it.
    pub leader_epoch: LeaderEpoch,
    /// 0 for an upload of the log, more for a rewrite.
    pub generation: i64,
    /// Its key in the bucket.
    pub object_key: String,
    /// Of the catalog, when it was begun.
    pub incarnation: i64,
    /// Of the broker, when it was begun.
    pub start_number: i64,
}

/// What is known once an object is whole.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SegmentContent {
    /// Bytes of the object.
    pub object_size_bytes: u64,
    /// Bytes of the batches that it was made from.
    pub log_size_bytes: u64,
    /// Rows.
    pub record_count: u64,
    /// Least timestamp of the source batches.
    pub min_timestamp_ms: i64,
    /// Greatest timestamp of the source batches.
    pub max_timestamp_ms: i64,
    /// Its row groups, at most 40 bytes each.
    pub row_groups: Vec<u8>,
    /// BLAKE3 over its records.
    pub digest: Vec<u8>,
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentRow {
    /// What was known from the beginning; base and end as the row covers them, which may be less than the object.
    pub head: NewSegmentRow,
    /// The multipart upload, where the store has one.
    pub upload_id: Option<String>,
    /// What was known at the end.
    pub content: SegmentContent,
    /// Where it stands.
    pub state: SegmentState,
    /// When it was begun, in milliseconds.
    pub created_at_ms: i64,
    /// When it took its state, in milliseconds.
    pub changed_at_ms: i64,
}

/// How much of a partition is in the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SegmentTotals {
    /// LIVE objects.
    pub count: u64,
    /// Their bytes as batches.
    pub log_size_bytes: u64,
    /// Their bytes in the bucket.
    pub object_size_bytes: u64,
}

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
    /// The row is gone or in another state.
    #[error("the row {0} is not in the state that it should be in")]
    NotAsExpected(Ulid),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
write_error!(CommitError);

const COLUMNS: &str = "SELECT segment_id, topic_id, partition, base_offset, end_offset, leader_epoch, generation, \
                       object_key, upload_id, object_size_bytes, log_size_bytes, record_count, min_timestamp_ms, \
                       max_timestamp_ms, row_groups, digest, state, incarnation, start_number, created_at_ms, \
                       changed_at_ms FROM remote_segments";

/// A query over [`COLUMNS`]. Only literals go in: nothing of it is ever made from input.
macro_rules! select {
    ($rest:literal) => {
        sqlx::AssertSqlSafe(format!("{COLUMNS} {}", $rest))
    };
}

impl Catalog {
    /// Names an object before its first byte is sent.
    pub async fn insert_writing(&self, row: NewSegmentRow) -> Result<(), CommitError> {
        self.write((row, self.clock.now_ms()), |session, (row, now_ms)| {
            async move {
                check_epoch(session, &row.tp, row.leader_epoch).await?;
                let (topic, number) = tp_values(&row.tp);
                let id = row.id.to_string();
                let sql = "INSERT INTO remote_segments (segment_id, topic_id, partition, base_offset, end_offset, \
                           leader_epoch, generation, object_key, upload_id, object_size_bytes, log_size_bytes, \
                           record_count, min_timestamp_ms, max_timestamp_ms, row_groups, digest, state, incarnation, \
                           start_number, created_at_ms, changed_at_ms) \
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
                    (*now_ms).into(),
                ];
                session.execute(sql, &values).await?;
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
                let known = check_epoch(session, &row.tp, row.leader_epoch).await?;
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

    /// The fenced *replace*: LIVE rows that cover exactly the range of the rewritten ones become DELETING, then those
    /// LIVE; `tiered_to` stays.
    pub async fn replace_segments(
        &self,
        old: Vec<Ulid>,
        new: Vec<(NewSegmentRow, SegmentContent)>,
    ) -> Result<(), CommitError> {
        self.write((old, new, self.clock.now_ms()), |session, (old, new, now_ms)| {
            async move {
                let Some((first, _)) = new.first() else { return Ok(()) };
                check_epoch(session, &first.tp, first.leader_epoch).await?;
                let mut old_ranges = Vec::with_capacity(old.len());
                for id in old {
                    let key = id.to_string();
                    let values = [key.as_str().into()];
                    let found = session.row(select!("WHERE segment_id = $1 AND state = 'LIVE'"), &values).await?;
                    let row = found.ok_or(CommitError::NotAsExpected(*id))?;
                    let row = segment_row(&row)?;
                    if row.head.tp != first.tp {
                        return Err(CommitError::NotAsExpected(*id));
                    }
                    old_ranges.push((row.head.base, row.head.end));
                }
                let new_ranges = new.iter().map(|(row, _)| (row.base, row.end)).collect();
                if cover(old_ranges) != cover(new_ranges) {
                    return Err(CommitError::NotContiguous { base: first.base, tiered_to: None });
                }
                for id in old {
                    set_deleting(session, *id, "LIVE", *now_ms).await?;
                }
                for (row, content) in new {
                    make_live(session, row, row.base, content, *now_ms).await?;
                }
                Ok(())
            }
            .boxed()
        })
        .await
    }

    /// Marks an object to be removed, if it is in the state that is expected. Says whether it was.
    pub async fn mark_deleting(&self, id: Ulid, expected: SegmentState) -> Result<bool, StorageError> {
        self.write((id, expected, self.clock.now_ms()), |session, (id, expected, now_ms)| {
            async move { set_deleting(session, *id, expected.name(), *now_ms).await }.boxed()
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

    /// One row.
    pub async fn segment(&self, id: Ulid) -> Result<Option<SegmentRow>, StorageError> {
        self.read(id, |session, id| {
            async move {
                let row = session.row(select!("WHERE segment_id = $1"), &[id.to_string().as_str().into()]).await?;
                row.map(|row| segment_row(&row)).transpose()
            }
            .boxed()
        })
        .await
    }

    /// Up to `limit` LIVE rows of a partition that end at or above `from`, in order.
    pub async fn live_segments(
        &self,
        tp: TopicPartition,
        from: Offset,
        limit: i64,
    ) -> Result<Vec<SegmentRow>, StorageError> {
        self.read((tp, from, limit), |session, (tp, from, limit)| {
            async move {
                let (topic, number) = tp_values(tp);
                let sql = select!(
                    "WHERE topic_id = $1 AND partition = $2 AND state = 'LIVE' AND base_offset >= COALESCE((SELECT \
                     MAX(base_offset) FROM remote_segments WHERE topic_id = $1 AND partition = $2 AND state = 'LIVE' AND \
                     base_offset <= $3), 0) AND end_offset >= $3 ORDER BY base_offset LIMIT $4"
                );
                let values = [topic.as_slice().into(), number.into(), (*from).into(), (*limit).into()];
                session.rows(sql, &values).await?.iter().map(segment_row).collect()
            }
            .boxed()
        })
        .await
    }

    /// The first LIVE row of a partition with a timestamp at or after `timestamp_ms` that ends at or above `from`.
    pub async fn first_segment_reaching(
        &self,
        tp: TopicPartition,
        timestamp_ms: i64,
        from: Offset,
    ) -> Result<Option<SegmentRow>, StorageError> {
        self.read((tp, timestamp_ms, from), |session, (tp, timestamp_ms, from)| {
            async move {
                let (topic, number) = tp_values(tp);
                let sql = select!(
                    "WHERE topic_id = $1 AND partition = $2 AND state = 'LIVE' AND max_timestamp_ms >= $3 AND \
                     end_offset >= $4 AND record_count > 0 ORDER BY base_offset LIMIT 1"
                );
                let values = [topic.as_slice().into(), number.into(), (*timestamp_ms).into(), (*from).into()];
                session.row(sql, &values).await?.map(|row| segment_row(&row)).transpose()
            }
            .boxed()
        })
        .await
    }

    /// The first of a partition's LIVE rows with the greatest timestamp.
    pub async fn latest_segment(&self, tp: TopicPartition) -> Result<Option<SegmentRow>, StorageError> {
        self.read(tp, |session, tp| {
            async move {
                let (topic, number) = tp_values(tp);
                let sql = select!(
                    "WHERE topic_id = $1 AND partition = $2 AND state = 'LIVE' AND record_count > 0 \
                     ORDER BY max_timestamp_ms DESC, base_offset LIMIT 1"
                );
                let row = session.row(sql, &[topic.as_slice().into(), number.into()]).await?;
                row.map(|row| segment_row(&row)).transpose()
            }
            .boxed()
        })
        .await
    }

    /// The newest object of a partition: the LIVE row with the greatest offsets.
    pub async fn last_segment(&self, tp: TopicPartition) -> Result<Option<SegmentRow>, StorageError> {
        self.read(tp, |session, tp| {
            async move {
                let (topic, number) = tp_values(tp);
                let sql = select!(
                    "WHERE topic_id = $1 AND partition = $2 AND state = 'LIVE' ORDER BY base_offset DESC LIMIT 1"
                );
                let row = session.row(sql, &[topic.as_slice().into(), number.into()]).await?;
                row.map(|row| segment_row(&row)).transpose()
            }
            .boxed()
        })
        .await
    }

    /// Up to `limit` rows of any partition in a state that is not LIVE, which took it at or before `changed_until_ms`.
    pub async fn segments_in_state(
        &self,
        state: SegmentState,
        changed_until_ms: i64,
        limit: i64,
    ) -> Result<Vec<SegmentRow>, StorageError> {
        self.read((state, changed_until_ms, limit), |session, (state, until_ms, limit)| {
            async move {
                let sql =
                    select!("WHERE state = $1 AND changed_at_ms <= $2 ORDER BY changed_at_ms, segment_id LIMIT $3");
                let values = [state.name().into(), (*until_ms).into(), (*limit).into()];
                session.rows(sql, &values).await?.iter().map(segment_row).collect()
            }
            .boxed()
        })
        .await
    }

    /// What of a partition is in the bucket.
    pub async fn segment_totals(&self, tp: TopicPartition) -> Result<SegmentTotals, StorageError> {
        self.read(tp, |session, tp| {
            async move {
                let (topic, number) = tp_values(tp);
                // Sums are cast: PostgreSQL's of BIGINT are NUMERIC.
                let sql = "SELECT COUNT(*) AS rows_found, CAST(COALESCE(SUM(log_size_bytes), 0) AS BIGINT) AS log_bytes, \
                           CAST(COALESCE(SUM(object_size_bytes), 0) AS BIGINT) AS object_bytes FROM remote_segments \
                           WHERE topic_id = $1 AND partition = $2 AND state = 'LIVE'";
                let row = session.row(sql, &[topic.as_slice().into(), number.into()]).await?;
                let Some(row) = row else { return Ok(SegmentTotals::default()) };
                Ok(SegmentTotals {
                    count: row.count("rows_found")?,
                    log_size_bytes: row.count("log_bytes")?,
                    object_size_bytes: row.count("object_bytes")?,
                })
            }
            .boxed()
        })
        .await
    }
}

async fn check_epoch(
    session: &mut Session<'_>,
    tp: &TopicPartition,
    epoch: LeaderEpoch,
) -> Result<PartitionRow, CommitError> {
    match partition(session, tp).await? {
        Some(row) if row.leader_epoch == epoch => Ok(row),
        _ => Err(CommitError::Fenced { tp: *tp, epoch }),
    }
}

/// Where the row of an appended range begins: where the bucket ends, or where the log starts if that has moved into it.
fn contiguous_base(row: &NewSegmentRow, known: &PartitionRow) -> Result<Offset, CommitError> {
    let refused = CommitError::NotContiguous { base: row.base, tiered_to: known.tiered_to };
    let Some(tiered_to) = known.tiered_to else { return Err(refused) };
    let moved = tiered_to == known.log_start && tiered_to > row.base && tiered_to <= row.end;
    if tiered_to == row.base || moved { Ok(tiered_to) } else { Err(refused) }
}

async fn make_live(
    session: &mut Session<'_>,
    row: &NewSegmentRow,
    base: Offset,
    content: &SegmentContent,
    now_ms: i64,
) -> Result<(), CommitError> {
    let sql = "UPDATE remote_segments SET state = 'LIVE', base_offset = $2, object_size_bytes = $3, log_size_bytes = $4, \
               record_count = $5, min_timestamp_ms = $6, max_timestamp_ms = $7, row_groups = $8, digest = $9, \
               changed_at_ms = $10 WHERE segment_id = $1 AND state = 'WRITING'";
    let id = row.id.to_string();
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
    ];
    match session.execute(sql, &values).await? {
        0 => Err(CommitError::NotAsExpected(row.id)),
        _ => Ok(()),
    }
}

fn size(count: u64) -> Value<'static> {
    Value::Int(i64::try_from(count).unwrap_or(i64::MAX))
}

async fn set_deleting(
    session: &mut Session<'_>,
    id: Ulid,
    expected: &'static str,
    now_ms: i64,
) -> Result<bool, StorageError> {
    let sql = "UPDATE remote_segments SET state = 'DELETING', changed_at_ms = $3 WHERE segment_id = $1 AND state = $2";
    let id = id.to_string();
    Ok(session.execute(sql, &[id.as_str().into(), expected.into(), now_ms.into()]).await? > 0)
}

/// The one range that these make together; `None` where they overlap or leave a hole.
fn cover(mut ranges: Vec<(Offset, Offset)>) -> Option<(Offset, Offset)> {
    ranges.sort_unstable();
    let mut ranges = ranges.into_iter();
    let (first, mut end) = ranges.next()?;
    for (base, next_end) in ranges {
        if base != end.next() {
            return None;
        }
        end = next_end;
    }
    Some((first, end))
}

fn segment_row(row: &Row) -> Result<SegmentRow, StorageError> {
    let id = row.text("segment_id")?;
    let state = match row.text("state")?.as_str() {
        "WRITING" => SegmentState::Writing,
        "LIVE" => SegmentState::Live,
        "DELETING" => SegmentState::Deleting,
        other => return Err(unreadable("state", other)),
    };
    Ok(SegmentRow {
        head: NewSegmentRow {
            id: Ulid::from_string(&id).map_err(|error| unreadable("segment_id", error))?,
            tp: row.partition()?,
            base: row.offset("base_offset")?,
            end: row.offset("end_offset")?,
            leader_epoch: row.epoch("leader_epoch")?,
            generation: row.int("generation")?,
            object_key: row.text("object_key")?,
            incarnation: row.int("incarnation")?,
            start_number: row.int("start_number")?,
        },
        upload_id: row.maybe_text("upload_id")?,
        content: SegmentContent {
            object_size_bytes: row.count("object_size_bytes")?,
            log_size_bytes: row.count("log_size_bytes")?,
            record_count: row.count("record_count")?,
            min_timestamp_ms: row.int("min_timestamp_ms")?,
            max_timestamp_ms: row.int("max_timestamp_ms")?,
            row_groups: row.bytes("row_groups")?,
            digest: row.bytes("digest")?,
        },
        state,
        created_at_ms: row.int("created_at_ms")?,
        changed_at_ms: row.int("changed_at_ms")?,
    })
}
