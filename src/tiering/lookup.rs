//! Finding records of the bucket by their timestamps. The catalog's index of row groups says where to look; the bucket is
//! asked only for what no index knows: the timestamps inside one row group, once.
//!
//! # Consistency
//! Rows are of one moment each; a row whose object has gone meanwhile is looked for again by the caller's next try. An
//! object that is damaged or missing is remembered as one that a fetch meets.
//!
//! # Retries
//! The bucket's own, within the deadline.
//!
//! # Cancellation
//! Between two questions.
//!
//! # Crash safety
//! Nothing is written.

use std::sync::Arc;

use super::damages::Reads;
use super::errors::RemoteReadError;
use super::parquet::{RowGroupEntry, RowGroupIndex, Times};
use super::remote_segment::{BadRow, RemoteSegment};
use super::tiered_log::TieredLog;
use crate::catalog::{SegmentRow, SegmentState};
use crate::log::TieredTo;
use crate::model::Offset;

/// A record: its offset and its timestamp in milliseconds.
pub type RecordTime = (Offset, i64);

/// Objects that are asked for at first, latest first: the latest has the answer, unless its latest record was aborted or
/// cut off.
const FIRST_LATEST_ROWS: i64 = 2;
/// Objects that are asked for at once after these.
const LATEST_ROWS: i64 = 16;

/// A row with its index, and the offsets of it that are part of the log.
struct Indexed {
    segment: Arc<RemoteSegment>,
    entries: Vec<RowGroupEntry>,
    start: Offset,
}

impl Indexed {
    fn of(row: &SegmentRow, log_start: Offset) -> Result<Self, BadRow> {
        let bad = |reason: String| BadRow { id: row.head.id, reason };
        let index = RowGroupIndex::decode(&row.content.row_groups).map_err(|error| bad(error.to_string()))?;
        let segment = Arc::new(RemoteSegment::of_row(row)?);
        let start = segment.base.max(log_start);
        Ok(Self { segment, entries: index.entries, start })
    }

    /// Where the row group's offsets end: before the next one's begin.
    fn end_of(&self, number: usize) -> Offset {
        let next = self.entries.get(number + 1).map(|next| next.base_offset.prev());
        next.unwrap_or(self.segment.end).min(self.segment.end)
    }

    /// Whether an offset of the row is part of the log.
    fn holds(&self, offset: Offset) -> bool {
        self.start <= offset && offset <= self.segment.end
    }

    /// Whether a part of the row group is not, at its front or with its latest record behind the row's end.
    fn is_cut(&self, entry: &RowGroupEntry) -> bool {
        entry.base_offset < self.start || entry.max_timestamp_offset > self.segment.end
    }
}

impl TieredLog {
    /// The first record of the bucket, in offset order, whose timestamp is at or after `timestamp_ms`; `None` where the
    /// local log has to be asked.
    pub async fn first_record_at(&self, timestamp_ms: i64) -> Result<Option<RecordTime>, RemoteReadError> {
        self.in_time(Box::pin(self.find_first(timestamp_ms))).await
    }

    /// The first record of the bucket that has the greatest timestamp there.
    pub async fn latest_record(&self) -> Result<Option<RecordTime>, RemoteReadError> {
        self.in_time(Box::pin(self.find_latest())).await
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, RemoteReadError>>) -> Result<T, RemoteReadError> {
        let deadline = self.tiers.clock().sleep(self.tiers.options.lookup_deadline);
        tokio::select! {
            biased;
            found = work => found,
            () = deadline => Err(RemoteReadError::TimedOut),
        }
    }

    /// The first offset of the bucket's part, and where the local log takes over; `None` where the bucket has none.
    fn remote_part(&self) -> Option<(Offset, Offset)> {
        let view = self.view();
        match view.tiered {
            TieredTo::Known(tiered_to) if view.log_start < view.local_start.min(tiered_to) => {
                Some((view.log_start, view.local_start))
            }
            _ => None,
        }
    }

    /// Whether the bucket has offsets that the local log has not.
    pub fn has_remote_part(&self) -> bool {
        self.remote_part().is_some()
    }

    async fn find_first(&self, timestamp_ms: i64) -> Result<Option<RecordTime>, RemoteReadError> {
        let Some((log_start, local_start)) = self.remote_part() else { return Ok(None) };
        let mut from = log_start;
        while let Some(row) = self.tiers.catalog().first_segment_reaching(self.tp(), timestamp_ms, from).await? {
            if row.head.base >= local_start {
                break;
            }
            let indexed = self.indexed(&row, log_start)?;
            for (number, entry) in indexed.entries.iter().enumerate() {
                if entry.max_timestamp_ms < timestamp_ms || indexed.end_of(number) < indexed.start {
                    continue;
                }
                if let Some(found) = self.first_in(&indexed, number, entry, timestamp_ms).await? {
                    return Ok(Some(found));
                }
            }
            from = row.head.end.next();
        }
        Ok(None)
    }

    fn indexed(&self, row: &SegmentRow, log_start: Offset) -> Result<Indexed, RemoteReadError> {
        Indexed::of(row, log_start).map_err(|bad| self.failed(None, row.head.end, Reads::Times, bad.into()))
    }

    async fn times(&self, segment: &Arc<RemoteSegment>, number: usize) -> Result<Arc<Times>, RemoteReadError> {
        let error = match self.tiers.reader.record_times(&self.tiers.threads, segment, number).await {
            Ok(times) => {
                self.tiers.damages.note_read(segment.key.as_str(), Reads::Times);
                return Ok(times);
            }
            Err(error) => error,
        };
        if !error.is_transient() {
            self.tiers.reader.forget(segment.id);
        }
        if error.is_not_found() {
            let row = self.tiers.catalog().segment(segment.id).await?;
            if row.is_none_or(|row| row.state != SegmentState::Live) {
                // It has expired, or was replaced, since its row was asked for.
                return Err(error.of_object(&segment.key));
            }
        }
        let error = self.tiers.if_ours(error).await;
        Err(self.failed(Some(segment), segment.end, Reads::Times, error))
    }

    async fn first_in(
        &self,
        indexed: &Indexed,
        number: usize,
        entry: &RowGroupEntry,
        timestamp_ms: i64,
    ) -> Result<Option<RecordTime>, RemoteReadError> {
        // No record is later, so the first that is as late is the first of all.
        if entry.max_timestamp_ms == timestamp_ms && indexed.holds(entry.max_timestamp_offset) {
            return Ok(Some((entry.max_timestamp_offset, entry.max_timestamp_ms)));
        }
        let times = self.times(&indexed.segment, number).await?;
        Ok(times.first_at_or_after(timestamp_ms, indexed.start, indexed.segment.end.next()))
    }

    async fn find_latest(&self) -> Result<Option<RecordTime>, RemoteReadError> {
        let Some((log_start, _)) = self.remote_part() else { return Ok(None) };
        let (mut best, mut after): (Option<RecordTime>, _) = (None, None);
        let mut limit = FIRST_LATEST_ROWS;
        loop {
            let rows = self.tiers.catalog().latest_segments(self.tp(), after, limit).await?;
            let Some(last) = rows.last() else { return Ok(best) };
            after = Some((last.content.max_timestamp_ms, last.head.base));
            for row in &rows {
                // An object's greatest timestamp may be that of an aborted record, which it does not hold.
                if best.is_some_and(|best| precedes(best, (row.head.base, row.content.max_timestamp_ms))) {
                    return Ok(best);
                }
                let indexed = self.indexed(row, log_start)?;
                for (number, entry) in indexed.entries.iter().enumerate() {
                    if let Some(found) = self.latest_in(&indexed, number, entry, best).await? {
                        best = later(best, found);
                    }
                }
            }
            limit = LATEST_ROWS;
        }
    }

    async fn latest_in(
        &self,
        indexed: &Indexed,
        number: usize,
        entry: &RowGroupEntry,
        best: Option<RecordTime>,
    ) -> Result<Option<RecordTime>, RemoteReadError> {
        if indexed.end_of(number) < indexed.start || best.is_some_and(|(_, known_ms)| known_ms > entry.max_timestamp_ms)
        {
            return Ok(None);
        }
        if indexed.holds(entry.max_timestamp_offset) {
            return Ok(Some((entry.max_timestamp_offset, entry.max_timestamp_ms)));
        }
        if !indexed.is_cut(entry) {
            return Ok(None);
        }
        // The log start cuts this one, or another leader's row, and took the latest record with it.
        let times = self.times(&indexed.segment, number).await?;
        Ok(times.first_with_max(indexed.start, indexed.segment.end.next()))
    }
}

/// The later of two; of equal ones the first in the log.
fn later(best: Option<RecordTime>, found: RecordTime) -> Option<RecordTime> {
    match best {
        Some(known) if precedes(known, found) => best,
        _ => Some(found),
    }
}

/// Whether the first of two is the latest, or as late and not behind the other in the log.
fn precedes(one: RecordTime, other: RecordTime) -> bool {
    one.1 > other.1 || (one.1 == other.1 && one.0 <= other.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tiering::samples::segment;

    #[test]
    fn a_row_group_whose_latest_record_lies_behind_the_rows_end_is_cut() {
        let entry = |base: i64, latest: i64| RowGroupEntry {
            base_offset: Offset::new(base),
            max_timestamp_ms: 7,
            max_timestamp_offset: Offset::new(latest),
            start: 0,
            bytes: 1,
        };
        let entries = vec![entry(0, 9), entry(10, 29)];
        let indexed = Indexed { segment: segment(0, 14), entries, start: Offset::new(3) };
        let cut: Vec<bool> = indexed.entries.iter().map(|entry| indexed.is_cut(entry)).collect();
        assert_eq!(cut, [true, true], "by the log start, and by the row's end");
        assert!(!indexed.is_cut(&entry(10, 14)));
    }
}
