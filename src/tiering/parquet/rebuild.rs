//! A decoded row group → record batches, as a consumer fetches them.
//!
//! Invariants: a batch never spans two runs, nor two timestamps where the broker stamped them; its offsets are those of
//! its records, and it reaches over the gap behind them; no batch is larger than asked, but one that holds a single record.

use std::sync::Arc;

use bytes::Bytes;

use crate::model::limits::REBUILT_BATCH_BYTES_MAX;
use crate::model::{Codec, LeaderEpoch, Offset, TimestampType};
use crate::record::{BatchBuilder, BatchSpec};

use super::error::RebuildError;
use super::footer::{Footer, run_at, run_end};
use super::header::Run;
use super::row_group::{Row, RowGroup};
use super::source::SLAB_BYTES;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Records from here on.
    pub from: Offset,
    /// Up to here, exclusive.
    pub upper: Offset,
    /// Bytes of batches, at most.
    pub max_bytes: usize,
    /// Whether the first record is returned even where it alone is larger.
    pub at_least_one: bool,
    /// `max.message.bytes`: a whole batch.
    pub batch_bytes_max: usize,
    /// How to pack them.
    pub codec: Codec,
    /// The codec's level; its default where there is none.
    pub level: Option<i32>,
}

/// What was built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Whole batches, in offset order.
    pub batches: Vec<Bytes>,
    /// Their bytes.
    pub size_bytes: usize,
    /// Where to go on: behind all that the batches cover, or, without a batch, the first offset that may have a record.
    pub next_offset: Offset,
    /// Whether more was asked for than fits into what was allowed.
    pub is_cut: bool,
}

/// Batches under way: records come in offset order, some rows at a time.
#[derive(Debug)]
pub(super) struct Rebuilding<'w> {
    wanted: &'w Wanted,
    runs: Arc<[Run]>,
    /// Bytes that the records may take; a wrong guess costs memory or a copy and no more.
    expected_bytes: usize,
    rebuilt: Rebuilt,
    open: Option<OpenBatch>,
    /// The next record does not fit into what is wanted.
    full: bool,
    begun: bool,
}

#[derive(Debug)]
struct OpenBatch {
    builder: BatchBuilder,
    base_offset: Offset,
    /// Where the broker stamped its records: the one timestamp of all.
    stamp: Option<i64>,
    run_last: Offset,
    bytes_max: usize,
}

impl RowGroup {
    /// Builds batches of its records.
    pub fn batches(&self, wanted: &Wanted) -> Result<Rebuilt, RebuildError> {
        let mut rebuilding = Rebuilding::new(wanted, self.shared_runs(), self.memory_bytes());
        rebuilding.part(self)?;
        rebuilding.finish(self.next_offset())
    }
}

impl Footer {
    /// Decodes a row group from the bytes of [`RowGroupMeta::bytes`](super::RowGroupMeta::bytes) and builds batches of its
    /// records, a few rows at a time: they are still in the processor's cache when they are built.
    pub fn rebuild_row_group(&self, number: usize, bytes: Bytes, wanted: &Wanted) -> Result<Rebuilt, RebuildError> {
        self.rebuild_in_parts(number, bytes, wanted, SLAB_BYTES)
    }

    /// The same, about so many decoded bytes at a time.
    pub(super) fn rebuild_in_parts(
        &self,
        number: usize,
        bytes: Bytes,
        wanted: &Wanted,
        part_bytes: usize,
    ) -> Result<Rebuilt, RebuildError> {
        let mut parts = self.row_group_parts(number, bytes, part_bytes)?;
        let expected_bytes = usize::try_from(parts.unfolded_bytes()).unwrap_or(usize::MAX);
        let mut rebuilding = Rebuilding::new(wanted, self.shared_runs(), expected_bytes);
        while let Some(rows) = parts.next()? {
            rebuilding.part(&rows)?;
        }
        rebuilding.finish(parts.next_offset())
    }
}

impl<'w> Rebuilding<'w> {
    fn new(wanted: &'w Wanted, runs: Arc<[Run]>, expected_bytes: usize) -> Self {
        let rebuilt = Rebuilt { next_offset: wanted.from, ..Rebuilt::default() };
        Self { wanted, runs, expected_bytes, rebuilt, open: None, full: false, begun: false }
    }

    /// Takes the next rows.
    fn part(&mut self, rows: &RowGroup) -> Result<(), RebuildError> {
        let (first, end) = (rows.times().row_at(self.wanted.from), rows.times().row_at(self.wanted.upper));
        for row in (first..end).filter_map(|row| rows.row(row)) {
            if self.full {
                break;
            }
            self.push(&row)?;
        }
        Ok(())
    }

    /// Ends the last batch, which reaches to `end` where nothing was left out.
    fn finish(mut self, end: Offset) -> Result<Rebuilt, RebuildError> {
        let end = end.min(self.wanted.upper);
        self.close(end)?;
        self.begin(end);
        self.rebuilt.is_cut = self.full;
        Ok(self.rebuilt)
    }

    fn push(&mut self, row: &Row<'_>) -> Result<(), RebuildError> {
        self.begin(row.offset);
        if self.open.as_mut().is_some_and(|open| open.take(row)) {
            return Ok(());
        }
        self.close(row.offset)?;
        let left = self.wanted.max_bytes.saturating_sub(self.rebuilt.size_bytes);
        let must = self.rebuilt.batches.is_empty() && self.wanted.at_least_one;
        let mut open = self.open_at(row, left.min(batch_bytes_max(self.wanted)));
        open.builder.limit(if must { usize::MAX } else { left });
        if open.take(row) {
            self.open = Some(open);
        } else {
            self.full = true;
        }
        Ok(())
    }

    /// Notes the first record, or the end where there is none.
    fn begin(&mut self, offset: Offset) {
        if !self.begun {
            self.begun = true;
            self.rebuilt.next_offset = self.wanted.from.max(offset);
        }
    }

    fn open_at(&self, row: &Row<'_>, bytes_max: usize) -> OpenBatch {
        let run = run_at(&self.runs, row.offset);
        let timestamp_type = run.map_or(TimestampType::CreateTime, |run| run.timestamp_type);
        let leader_epoch = run.map_or(LeaderEpoch::new(-1), |run| run.leader_epoch);
        let mut spec = BatchSpec::plain(row.offset, leader_epoch, self.wanted.codec);
        (spec.level, spec.timestamp_type) = (self.wanted.level, timestamp_type);
        let expected = self.expected_bytes.saturating_sub(self.rebuilt.size_bytes);
        OpenBatch {
            builder: BatchBuilder::with_capacity(spec, expected.min(bytes_max)),
            base_offset: row.offset,
            stamp: (timestamp_type == TimestampType::LogAppendTime).then_some(row.timestamp_ms),
            run_last: run_end(&self.runs, row.offset),
            bytes_max,
        }
    }

    /// Seals the open batch, which reaches to the record at `next`, exclusive, or to the end of its run.
    fn close(&mut self, next: Offset) -> Result<(), RebuildError> {
        let Some(OpenBatch { mut builder, base_offset, run_last, .. }) = self.open.take() else { return Ok(()) };
        // A gap too long for a batch to count is left to the next answer.
        let _ = builder.cover(next.prev().min(run_last));
        let batch = builder.build().map_err(|error| RebuildError::Batch { base_offset, reason: error.to_string() })?;
        self.rebuilt.size_bytes += batch.bytes().len();
        self.rebuilt.next_offset = batch.header().next_offset();
        self.rebuilt.batches.push(batch.bytes().clone());
        Ok(())
    }
}

impl OpenBatch {
    /// Takes a record, where it belongs to this batch and fits.
    fn take(&mut self, row: &Row<'_>) -> bool {
        if row.offset > self.run_last || self.stamp.is_some_and(|stamp| stamp != row.timestamp_ms) {
            return false;
        }
        if !self.builder.is_empty() {
            self.builder.limit(self.bytes_max);
        }
        self.builder.push(row.offset, row.timestamp_ms, row.key, row.value, row.headers.clone()).is_ok()
    }
}

fn batch_bytes_max(wanted: &Wanted) -> usize {
    wanted.batch_bytes_max.min(REBUILT_BATCH_BYTES_MAX)
}
