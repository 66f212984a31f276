//! A decoded row group → record batches, as a consumer fetches them.
//!
//! Invariants: a batch never spans two runs, nor two timestamps where the broker stamped them; its offsets are those of
//! its records, and it reaches over the gap behind them; no batch is larger than asked, but one that holds a single record.

use std::ops::Range;

use bytes::Bytes;

use crate::model::limits::REBUILT_BATCH_BYTES_MAX;
use crate::model::{Codec, LeaderEpoch, Offset, TimestampType};
use crate::record::{BatchBuilder, BatchSpec, ValidBatch};

use super::error::RebuildError;
use super::footer::{run_at, run_end};
use super::row_group::RowGroup;

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
}

impl RowGroup {
    /// Builds batches of its records.
    pub fn batches(&self, wanted: &Wanted) -> Result<Rebuilt, RebuildError> {
        let upper = wanted.upper.min(self.next_offset());
        let mut row = self.times().row_at(wanted.from);
        let end = self.times().row_at(upper);
        let mut rebuilt = Rebuilt { next_offset: wanted.from.max(self.reach(row, upper)), ..Rebuilt::default() };
        while row < end {
            let left = wanted.max_bytes.saturating_sub(rebuilt.size_bytes);
            let must = rebuilt.batches.is_empty() && wanted.at_least_one;
            let limits = Limits { first: if must { usize::MAX } else { left }, all: left.min(batch_bytes_max(wanted)) };
            let Some((batch, next)) = self.batch(row..end, upper, limits, wanted)? else { break };
            rebuilt.size_bytes += batch.bytes().len();
            rebuilt.next_offset = batch.header().next_offset();
            rebuilt.batches.push(batch.bytes().clone());
            row = next;
        }
        Ok(rebuilt)
    }

    /// One batch from the first of `rows` on, and the row behind it. `None` where not even one record fits.
    fn batch(
        &self,
        rows: Range<usize>,
        upper: Offset,
        limits: Limits,
        wanted: &Wanted,
    ) -> Result<Option<(ValidBatch, usize)>, RebuildError> {
        let Some(first) = self.row(rows.start) else { return Ok(None) };
        let run = run_at(self.runs(), first.offset);
        let run_last = run_end(self.runs(), first.offset);
        let timestamp_type = run.map_or(TimestampType::CreateTime, |run| run.timestamp_type);
        let leader_epoch = run.map_or(LeaderEpoch::new(-1), |run| run.leader_epoch);
        let mut spec = BatchSpec::plain(first.offset, leader_epoch, wanted.codec);
        (spec.level, spec.timestamp_type) = (wanted.level, timestamp_type);
        let expected = (self.memory_bytes() / self.rows().max(1)).saturating_mul(rows.len());
        let mut builder = BatchBuilder::with_capacity(spec, expected.min(limits.all));
        let mut next = rows.start;
        for row in rows.clone().filter_map(|row| self.row(row)) {
            let stamped_otherwise =
                timestamp_type == TimestampType::LogAppendTime && row.timestamp_ms != first.timestamp_ms;
            if row.offset > run_last || stamped_otherwise {
                break;
            }
            builder.limit(if builder.is_empty() { limits.first } else { limits.all });
            if builder.push(row.offset, row.timestamp_ms, row.key, row.value, row.headers).is_err() {
                break;
            }
            next += 1;
        }
        if builder.is_empty() {
            return Ok(None);
        }
        // A gap too long for a batch to count is left to the next answer.
        let _ = builder.cover(self.reach(next, upper).prev().min(run_last));
        let base_offset = first.offset;
        let built = builder.build().map_err(|error| RebuildError::Batch { base_offset, reason: error.to_string() })?;
        Ok(Some((built, next)))
    }

    /// The first offset that may have a record from `row` on.
    fn reach(&self, row: usize, upper: Offset) -> Offset {
        self.times().offset(row).unwrap_or(self.next_offset()).min(upper)
    }
}

/// Bytes that a batch may have.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// While it holds one record.
    first: usize,
    /// With more.
    all: usize,
}

fn batch_bytes_max(wanted: &Wanted) -> usize {
    wanted.batch_bytes_max.min(REBUILT_BATCH_BYTES_MAX)
}
