//! Rewrites of what lies in the bucket: the same offsets in other objects, which take the place of the old ones in one
//! transaction (merge, compaction, erasure).
//!
//! No walk rewrites anything yet, and only tests call this; but generations and the transition are part of the format, and
//! what reads rows and listings counts on them.
//!
//! # Consistency
//! While a rewrite of a range is being written, no second one may start on it; its generation is above that of every
//! row that overlaps it, in whatever state, so that a listing alone says which object is the newest.
//!
//! # Crash safety
//! As `segments.rs`: named before the first byte, DELETING before anything is removed.
//!
//! # Cancellation
//! As for every write of the catalog: one that was handed over may be made without its caller.

use futures::FutureExt as _;
use ulid::Ulid;

use crate::model::{LeaderEpoch, Offset, TopicPartition};

use super::catalog::Catalog;
use super::partitions::{FencedError, hold_partition, tp_values};
use super::segment_rows::{NewSegmentRow, SegmentContent, segment_row, select_segments};
use super::segments::{CommitError, insert, make_live};
use super::session::Session;
use super::storage_error::{StorageError, write_error};

/// A range is not rewritten.
#[derive(Debug, thiserror::Error)]
pub enum RewriteError {
    /// Another epoch leads.
    #[error("leader epoch {epoch} of {tp} is fenced")]
    Fenced {
        /// Which partition.
        tp: TopicPartition,
        /// Who asked.
        epoch: LeaderEpoch,
    },
    /// Another rewrite of some of these offsets is being written.
    #[error("the range is being rewritten by {0}")]
    UnderWay(Ulid),
    /// The objects bear another generation than they must.
    #[error("the rewrite must be of generation {expected}")]
    Generation {
        /// What they must bear.
        expected: i64,
    },
    /// The objects are not one set: of one partition and epoch, side by side without hole or overlap.
    #[error("the objects of a rewrite must lie side by side in one partition")]
    NotASet,
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
write_error!(RewriteError);

impl From<FencedError> for RewriteError {
    fn from(error: FencedError) -> Self {
        match error {
            FencedError::Fenced { tp, epoch } => Self::Fenced { tp, epoch },
            FencedError::Storage(error) => Self::Storage(error),
        }
    }
}

impl Catalog {
    /// The generation that a rewrite of `[base, end]` has to bear.
    pub async fn next_generation(&self, tp: TopicPartition, base: Offset, end: Offset) -> Result<i64, StorageError> {
        self.read((tp, base, end), |session, (tp, base, end)| {
            async move { Ok(overlapping(session, tp, *base, *end).await?.0) }.boxed()
        })
        .await
    }

    /// Names all objects of a rewrite before the first byte of the first is sent.
    pub async fn insert_rewrite(&self, rows: Vec<NewSegmentRow>) -> Result<(), RewriteError> {
        self.write((rows, self.clock.now_ms()), |session, (rows, now_ms)| {
            async move {
                let (first, base, end) = one_set(rows.iter()).ok_or(RewriteError::NotASet)?;
                hold_partition(session, &first.tp, first.leader_epoch).await?;
                let (expected, writing) = overlapping(session, &first.tp, base, end).await?;
                if let Some(writing) = writing {
                    return Err(RewriteError::UnderWay(writing));
                }
                if rows.iter().any(|row| row.generation != expected) {
                    return Err(RewriteError::Generation { expected });
                }
                for row in rows {
                    insert(session, row, *now_ms).await?;
                }
                Ok(())
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
                let not_one_set = CommitError::NotAsExpected(first.id);
                let (first, base, end) = one_set(new.iter().map(|(row, _)| row)).ok_or(not_one_set)?;
                hold_partition(session, &first.tp, first.leader_epoch).await?;
                if end_live(session, &first.tp, old, *now_ms).await? != Some((base, end)) {
                    return Err(CommitError::NotContiguous { base, tiered_to: None });
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
}

/// The generation above all rows that overlap a range, and the rewrite that is being written there.
async fn overlapping(
    session: &mut Session<'_>,
    tp: &TopicPartition,
    base: Offset,
    end: Offset,
) -> Result<(i64, Option<Ulid>), StorageError> {
    let (topic, number) = tp_values(tp);
    let sql = "SELECT COALESCE(MAX(generation), 0) + 1 AS generation, \
               MAX(CASE WHEN state = 'WRITING' AND generation > 0 THEN segment_id END) AS writing FROM remote_segments \
               WHERE topic_id = $1 AND partition = $2 AND base_offset <= $4 AND end_offset >= $3";
    let values = [topic.as_slice().into(), number.into(), base.into(), end.into()];
    let Some(row) = session.row(sql, &values).await? else { return Ok((1, None)) };
    let writing = row.maybe_text("writing")?;
    let writing = writing.map(|id| Ulid::from_string(&id)).transpose();
    Ok((row.int("generation")?, writing.map_err(|error| super::session::unreadable("segment_id", error))?))
}

/// LIVE rows of one partition become DELETING. Returns the range that they made together.
async fn end_live(
    session: &mut Session<'_>,
    tp: &TopicPartition,
    ids: &[Ulid],
    now_ms: i64,
) -> Result<Option<(Offset, Offset)>, CommitError> {
    let mut ranges = Vec::with_capacity(ids.len());
    for id in ids {
        let key = id.to_string();
        let find = select_segments!("WHERE segment_id = $1 AND state = 'LIVE'");
        let found = session.row(find, &[key.as_str().into()]).await?.ok_or(CommitError::NotAsExpected(*id))?;
        let row = segment_row(&found)?;
        let end = "UPDATE remote_segments SET state = 'DELETING', changed_at_ms = $2 \
                   WHERE segment_id = $1 AND state = 'LIVE'";
        let ended = session.execute(end, &[key.as_str().into(), now_ms.into()]).await?;
        if row.head.tp != *tp || ended == 0 {
            return Err(CommitError::NotAsExpected(*id));
        }
        ranges.push((row.head.base, row.head.end));
    }
    Ok(cover(ranges))
}

/// The first of a set and the range that it covers, if it is one: of one partition and epoch, without hole or overlap.
fn one_set<'r>(rows: impl Iterator<Item = &'r NewSegmentRow> + Clone) -> Option<(&'r NewSegmentRow, Offset, Offset)> {
    let first = rows.clone().next()?;
    if rows.clone().any(|row| row.tp != first.tp || row.leader_epoch != first.leader_epoch) {
        return None;
    }
    let (base, end) = cover(rows.map(|row| (row.base, row.end)).collect())?;
    Some((first, base, end))
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
