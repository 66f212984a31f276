//! A decoded row group: its records, as views over what the decoder unpacked.
//!
//! Invariant: its offsets rise, and every record has what a record must have.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::cast::AsArray as _;
use arrow::array::{Array, BinaryViewArray, RecordBatch, StringViewArray};
use arrow::buffer::OffsetBuffer;

use crate::model::Offset;

use super::error::DecodeError;
use super::header::Run;
use super::times::Times;

/// Records of a row group.
#[derive(Clone, Debug)]
pub struct RowGroup {
    times: Times,
    keys: BinaryViewArray,
    values: BinaryViewArray,
    header_ends: OffsetBuffer<i32>,
    header_names: StringViewArray,
    header_values: BinaryViewArray,
    runs: Arc<[Run]>,
    next_offset: Offset,
    memory_bytes: usize,
}

/// A record of a row group.
#[derive(Clone, Debug)]
pub struct Row<'r> {
    /// Where it stands in the partition.
    pub offset: Offset,
    /// Its timestamp.
    pub timestamp_ms: i64,
    /// Its key.
    pub key: Option<&'r [u8]>,
    /// Its value.
    pub value: Option<&'r [u8]>,
    /// Its headers.
    pub headers: RowHeaders<'r>,
}

/// The headers of a record, in order, duplicates kept.
#[derive(Clone, Debug)]
pub struct RowHeaders<'r> {
    names: &'r StringViewArray,
    values: &'r BinaryViewArray,
    left: Range<usize>,
}

impl RowGroup {
    /// From the columns that a consumer needs; their offsets must rise inside `within`.
    pub(super) fn new(columns: &RecordBatch, runs: Arc<[Run]>, within: &Range<Offset>) -> Result<Self, DecodeError> {
        let wrong = DecodeError::Inconsistent;
        let times = Times::new(columns, within)?;
        let column = |at: usize| columns.columns().get(at).ok_or(wrong("a column is missing"));
        let binary =
            |array: &dyn Array| array.as_binary_view_opt().cloned().ok_or(wrong("keys or values are not bytes"));
        let lists = column(4)?.as_list_opt::<i32>().ok_or(wrong("its headers are not lists"))?;
        let headers = lists.values().as_struct_opt().ok_or(wrong("its headers are not pairs"))?;
        let [names, values] = headers.columns() else { return Err(wrong("its headers are not pairs")) };
        let names = names.as_string_view_opt().ok_or(wrong("names of headers are not text"))?;
        let nulls = lists.null_count() + headers.null_count() + names.null_count();
        if nulls > 0 {
            return Err(wrong("a header is null"));
        }
        let memory_bytes = columns.get_array_memory_size();
        Ok(Self {
            times,
            keys: binary(column(2)?)?,
            values: binary(column(3)?)?,
            header_ends: lists.offsets().clone(),
            header_names: names.clone(),
            header_values: binary(values)?,
            runs,
            next_offset: within.end,
            memory_bytes,
        })
    }

    /// How many records.
    pub fn rows(&self) -> usize {
        self.times.rows()
    }

    /// The offset of its first record.
    pub fn base_offset(&self) -> Offset {
        self.times.offset(0).unwrap_or(self.next_offset)
    }

    /// The offset behind all that it stands for.
    pub fn next_offset(&self) -> Offset {
        self.next_offset
    }

    /// Its offsets and timestamps.
    pub fn times(&self) -> &Times {
        &self.times
    }

    /// Memory that it takes, for a cache.
    pub fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    pub(super) fn shared_runs(&self) -> Arc<[Run]> {
        Arc::clone(&self.runs)
    }

    /// A record; `None` behind the last.
    #[inline]
    pub fn row(&self, row: usize) -> Option<Row<'_>> {
        let offset = self.times.offset(row)?;
        let timestamp_ms = self.times.timestamp_ms(row)?;
        let from = self.header_ends.get(row).and_then(|&at| usize::try_from(at).ok())?;
        let to = self.header_ends.get(row + 1).and_then(|&at| usize::try_from(at).ok())?;
        let headers = RowHeaders { names: &self.header_names, values: &self.header_values, left: from..to };
        Some(Row { offset, timestamp_ms, key: bytes(&self.keys, row), value: bytes(&self.values, row), headers })
    }

    /// All records, in offset order.
    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.rows()).filter_map(|row| self.row(row))
    }
}

/// A value or null, where the row exists.
#[inline]
fn bytes(array: &BinaryViewArray, row: usize) -> Option<&[u8]> {
    (row < array.len() && array.is_valid(row)).then(|| array.value(row))
}

impl<'r> Iterator for RowHeaders<'r> {
    type Item = (&'r str, Option<&'r [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.left.next().filter(|&at| at < self.names.len())?;
        Some((self.names.value(at), bytes(self.values, at)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.left.size_hint()
    }
}

impl ExactSizeIterator for RowHeaders<'_> {}
