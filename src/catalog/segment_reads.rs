//! Table `remote_segments`, read: by range, by timestamp, by state, in sum.
//!
//! # Consistency
//! Each answer is one statement, so it is of one moment; two answers may be of two.

use futures::FutureExt as _;
use ulid::Ulid;

use crate::model::{Offset, TopicPartition};

use super::catalog::Catalog;
use super::partitions::tp_values;
use super::segment_rows::{SegmentRow, SegmentState, SegmentTotals, segment_row, select_segments};
use super::session::Row;
use super::storage_error::StorageError;

impl Catalog {
    /// One row.
    pub async fn segment(&self, id: Ulid) -> Result<Option<SegmentRow>, StorageError> {
        self.read(id, |session, id| {
            async move {
                let row =
                    session.row(select_segments!("WHERE segment_id = $1"), &[id.to_string().as_str().into()]).await?;
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
                let sql = select_segments!(
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

    /// The first LIVE row of a partition that ends at or above `from` and whose source batches reach `timestamp_ms`. If
    /// only aborted records did, none of its rows does: ask again from behind it.
    pub async fn first_segment_reaching(
        &self,
        tp: TopicPartition,
        timestamp_ms: i64,
        from: Offset,
    ) -> Result<Option<SegmentRow>, StorageError> {
        self.read((tp, timestamp_ms, from), |session, (tp, timestamp_ms, from)| {
            async move {
                let (topic, number) = tp_values(tp);
                // The inner question is answered by an index alone.
                let sql = select_segments!(
                    "WHERE segment_id = (SELECT segment_id FROM remote_segments WHERE topic_id = $1 AND partition = $2 \
                     AND state = 'LIVE' AND max_timestamp_ms >= $3 AND end_offset >= $4 AND record_count > 0 \
                     ORDER BY base_offset LIMIT 1)"
                );
                let values = [topic.as_slice().into(), number.into(), (*timestamp_ms).into(), (*from).into()];
                session.row(sql, &values).await?.map(|row| segment_row(&row)).transpose()
            }
            .boxed()
        })
        .await
    }

    /// Up to `limit` of a partition's LIVE rows, greatest timestamp first, of equal ones the first in the log; behind
    /// `after`, the timestamp and base of the last one that was seen. More than one, because the greatest timestamp of an
    /// object may be that of an aborted record.
    pub async fn latest_segments(
        &self,
        tp: TopicPartition,
        after: Option<(i64, Offset)>,
        limit: i64,
    ) -> Result<Vec<SegmentRow>, StorageError> {
        let after = after.unwrap_or((i64::MAX, Offset::ZERO.prev()));
        self.read((tp, after, limit), |session, (tp, (timestamp_ms, base), limit)| {
            async move {
                let (topic, number) = tp_values(tp);
                // The inner question is answered by an index alone, in its order.
                let sql = select_segments!(
                    "WHERE segment_id IN (SELECT segment_id FROM remote_segments WHERE topic_id = $1 AND partition = $2 \
                     AND state = 'LIVE' AND record_count > 0 AND max_timestamp_ms <= $3 AND (max_timestamp_ms < $3 OR \
                     base_offset > $4) ORDER BY max_timestamp_ms DESC, base_offset LIMIT $5) \
                     ORDER BY max_timestamp_ms DESC, base_offset"
                );
                let values =
                    [topic.as_slice().into(), number.into(), (*timestamp_ms).into(), (*base).into(), (*limit).into()];
                session.rows(sql, &values).await?.iter().map(segment_row).collect()
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
                let sql = select_segments!(
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
                let sql = select_segments!(
                    "WHERE state = $1 AND changed_at_ms <= $2 ORDER BY changed_at_ms, segment_id LIMIT $3"
                );
                let values = [state.name().into(), (*until_ms).into(), (*limit).into()];
                session.rows(sql, &values).await?.iter().map(segment_row).collect()
            }
            .boxed()
        })
        .await
    }

    /// Whether any object is part of any log.
    pub async fn has_live_segments(&self) -> Result<bool, StorageError> {
        self.read((), |session, ()| {
            async move {
                let sql = "SELECT 1 AS one FROM remote_segments WHERE state = 'LIVE' LIMIT 1";
                Ok(session.row(sql, &[]).await?.is_some())
            }
            .boxed()
        })
        .await
    }

    /// Up to `limit` rows of any partition in a state that is not LIVE, in the order in which they took it, behind `after`:
    /// the time and id of the last one that was seen.
    pub async fn segments_in_state_after(
        &self,
        state: SegmentState,
        after: Option<(i64, Ulid)>,
        limit: i64,
    ) -> Result<Vec<SegmentRow>, StorageError> {
        let after = after.map_or((i64::MIN, String::new()), |(changed_at_ms, id)| (changed_at_ms, id.to_string()));
        self.read((state, after, limit), |session, (state, (changed_at_ms, id), limit)| {
            async move {
                let sql = select_segments!(
                    "WHERE state = $1 AND (changed_at_ms > $2 OR (changed_at_ms = $2 AND segment_id > $3)) \
                     ORDER BY changed_at_ms, segment_id LIMIT $4"
                );
                let values = [state.name().into(), (*changed_at_ms).into(), id.as_str().into(), (*limit).into()];
                session.rows(sql, &values).await?.iter().map(segment_row).collect()
            }
            .boxed()
        })
        .await
    }

    /// What of all partitions is in the bucket, in one state.
    pub async fn state_totals(&self, state: SegmentState) -> Result<SegmentTotals, StorageError> {
        self.read(state, |session, state| {
            async move {
                let sql = "SELECT COUNT(*) AS rows_found, CAST(COALESCE(SUM(log_size_bytes), 0) AS BIGINT) AS log_bytes, \
                           CAST(COALESCE(SUM(object_size_bytes), 0) AS BIGINT) AS object_bytes FROM remote_segments \
                           WHERE state = $1";
                totals(session.row(sql, &[state.name().into()]).await?.as_ref())
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
                totals(session.row(sql, &[topic.as_slice().into(), number.into()]).await?.as_ref())
            }
            .boxed()
        })
        .await
    }
}

fn totals(row: Option<&Row>) -> Result<SegmentTotals, StorageError> {
    let Some(row) = row else { return Ok(SegmentTotals::default()) };
    Ok(SegmentTotals {
        count: row.count("rows_found")?,
        log_size_bytes: row.count("log_bytes")?,
        object_size_bytes: row.count("object_bytes")?,
    })
}
