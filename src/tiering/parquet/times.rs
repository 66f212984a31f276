//! Offsets and timestamps of a row group: what finds a record by its timestamp.

use std::ops::Range;

use arrow::array::RecordBatch;
use arrow::array::cast::AsArray as _;
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};

use crate::model::Offset;

use super::error::DecodeError;

/// Microseconds in a millisecond.
const US: i64 = 1000;

/// Offsets and timestamps of a row group, in offset order.
#[derive(Clone, Debug)]
pub struct Times {
    offsets: ScalarBuffer<i64>,
    timestamps_us: ScalarBuffer<i64>,
}

impl Times {
    /// From columns that begin with these two; offsets must rise inside `within`.
    pub(super) fn new(columns: &RecordBatch, within: &Range<Offset>) -> Result<Self, DecodeError> {
        let wrong = DecodeError::Inconsistent;
        let column = |at| columns.columns().get(at).ok_or(wrong("a column is missing"));
        let offsets = column(0)?.as_primitive_opt::<Int64Type>().ok_or(wrong("its offsets are not numbers"))?;
        let timestamps = column(1)?
            .as_primitive_opt::<TimestampMicrosecondType>()
            .ok_or(wrong("its timestamps are not microseconds"))?;
        let times = Self { offsets: offsets.values().clone(), timestamps_us: timestamps.values().clone() };
        let first = times.offsets.first().is_some_and(|&first| first >= within.start.get());
        let last = times.offsets.last().is_some_and(|&last| last < within.end.get());
        if !first || !last || !times.offsets.is_sorted_by(|a, b| a < b) {
            return Err(wrong("its offsets do not rise where they should"));
        }
        Ok(times)
    }

    /// How many records.
    pub fn rows(&self) -> usize {
        self.offsets.len()
    }

    /// Memory that it takes, for a cache.
    pub fn memory_bytes(&self) -> usize {
        size_of_val(&self.offsets[..]) + size_of_val(&self.timestamps_us[..])
    }

    /// The first record in `[from, upper)`, in offset order, that is at or after `timestamp_ms`: its offset and its
    /// timestamp.
    pub fn first_at_or_after(&self, timestamp_ms: i64, from: Offset, upper: Offset) -> Option<(Offset, i64)> {
        self.within(from, upper).find(|&(_, at)| at >= timestamp_ms)
    }

    /// The first record in `[from, upper)` with the greatest timestamp of those in it.
    pub fn first_with_max(&self, from: Offset, upper: Offset) -> Option<(Offset, i64)> {
        self.within(from, upper).reduce(|best, next| if next.1 > best.1 { next } else { best })
    }

    fn within(&self, from: Offset, upper: Offset) -> impl Iterator<Item = (Offset, i64)> {
        let rows = self.row_at(from)..self.row_at(upper);
        rows.filter_map(|row| Some((self.offset(row)?, self.timestamp_ms(row)?)))
    }

    /// The first row at or behind an offset.
    pub(super) fn row_at(&self, offset: Offset) -> usize {
        self.offsets.partition_point(|&other| other < offset.get())
    }

    /// The offset of a row.
    pub(super) fn offset(&self, row: usize) -> Option<Offset> {
        self.offsets.get(row).copied().map(Offset::new)
    }

    /// The timestamp of a row.
    pub(super) fn timestamp_ms(&self, row: usize) -> Option<i64> {
        self.timestamps_us.get(row).map(|us| us.div_euclid(US))
    }
}
