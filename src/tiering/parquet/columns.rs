//! Columns while records are put into them: views over the bytes that the records lie in, so that no key and no value is
//! copied before it is encoded.
//!
//! Invariant: every column has the same number of rows; offsets of views fit 32 bits, for a slab is cut long before.

use std::sync::Arc;

use arrow::array::builder::{NullBufferBuilder, make_view};
use arrow::array::{
    ArrayRef, BinaryViewArray, Int32Array, Int64Array, ListArray, RecordBatch, StringViewArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::error::ArrowError;

use crate::record::Record;

use super::schema::{HEADER_ELEMENT, HEADER_FIELDS, SCHEMA};

/// What a row takes decoded, besides its key, its value and its headers: offset, timestamp, two lengths.
const ROW_BYTES: usize = 8 + 8 + 4 + 4;
/// What a header takes besides its name and its value, while it is made into columns and back: in each of its two leaves a
/// view and two levels.
pub(super) const HEADER_BYTES: usize = 2 * HEADER_LEAF_BYTES;
/// The same in one leaf.
pub(super) const HEADER_LEAF_BYTES: usize = size_of::<u128>() + 2 * size_of::<i16>();

/// Columns that grow.
#[derive(Debug)]
pub(super) struct Columns {
    offsets: Vec<i64>,
    timestamps_us: Vec<i64>,
    keys: Views,
    values: Views,
    /// Where each row's headers end.
    header_ends: Vec<i32>,
    header_names: Vec<u128>,
    header_values: Views,
    decoded_bytes: usize,
}

/// Byte strings, or null.
#[derive(Debug)]
struct Views {
    views: Vec<u128>,
    nulls: NullBufferBuilder,
}

impl Views {
    fn with_capacity(rows: usize) -> Self {
        Self { views: Vec::with_capacity(rows), nulls: NullBufferBuilder::new(rows) }
    }

    #[inline]
    fn push(&mut self, base: &[u8], bytes: Option<&[u8]>) -> usize {
        let Some(bytes) = bytes else {
            self.views.push(0);
            self.nulls.append_null();
            return 0;
        };
        self.views.push(view(base, bytes));
        self.nulls.append_non_null();
        bytes.len()
    }

    fn array(mut self, buffer: &Buffer) -> Result<BinaryViewArray, ArrowError> {
        BinaryViewArray::try_new(ScalarBuffer::from(self.views), vec![buffer.clone()], self.nulls.finish())
    }
}

/// A view of `bytes`, which lie inside `base`.
fn view(base: &[u8], bytes: &[u8]) -> u128 {
    let at = bytes.as_ptr().addr().wrapping_sub(base.as_ptr().addr());
    make_view(bytes, 0, u32::try_from(at).unwrap_or(u32::MAX))
}

impl Columns {
    /// Room for so many rows before anything is copied.
    pub(super) fn with_capacity(rows: usize) -> Self {
        let mut header_ends = Vec::with_capacity(rows + 1);
        header_ends.push(0);
        Self {
            offsets: Vec::with_capacity(rows),
            timestamps_us: Vec::with_capacity(rows),
            keys: Views::with_capacity(rows),
            values: Views::with_capacity(rows),
            header_ends,
            header_names: Vec::new(),
            header_values: Views::with_capacity(0),
            decoded_bytes: 0,
        }
    }

    /// How many rows.
    pub(super) fn rows(&self) -> usize {
        self.offsets.len()
    }

    /// Bytes that the rows take decoded.
    pub(super) fn decoded_bytes(&self) -> usize {
        self.decoded_bytes
    }

    /// Adds a record whose bytes lie inside `base`; its timestamp is `timestamp_us` in microseconds.
    pub(super) fn push(&mut self, base: &[u8], record: &Record<'_>, timestamp_us: i64) {
        self.offsets.push(record.offset.get());
        self.timestamps_us.push(timestamp_us);
        self.decoded_bytes += ROW_BYTES + self.keys.push(base, record.key) + self.values.push(base, record.value);
        for (name, value) in record.headers.iter() {
            self.header_names.push(view(base, name.as_bytes()));
            self.decoded_bytes += HEADER_BYTES + name.len() + self.header_values.push(base, value);
        }
        // Fits: a header takes two bytes at least, and a slab is cut long before.
        self.header_ends.push(i32::try_from(self.header_names.len()).unwrap_or(i32::MAX));
    }

    /// As arrays over `buffer`, which holds what every `base` was.
    pub(super) fn into_arrays(self, partition: i32, buffer: &Buffer) -> Result<RecordBatch, ArrowError> {
        let rows = self.rows();
        let names = StringViewArray::try_new(ScalarBuffer::from(self.header_names), vec![buffer.clone()], None)?;
        let values = self.header_values.array(buffer)?;
        let headers =
            StructArray::try_new(HEADER_FIELDS.clone(), vec![Arc::new(names) as ArrayRef, Arc::new(values)], None)?;
        let ends = OffsetBuffer::new(ScalarBuffer::from(self.header_ends));
        let headers = ListArray::try_new(Arc::clone(&HEADER_ELEMENT), ends, Arc::new(headers), None)?;
        let timestamps = TimestampMicrosecondArray::from(self.timestamps_us).with_timezone("UTC");
        RecordBatch::try_new(
            Arc::clone(&SCHEMA),
            vec![
                Arc::new(Int32Array::from_value(partition, rows)),
                Arc::new(Int64Array::from(self.offsets)),
                Arc::new(timestamps),
                Arc::new(self.keys.array(buffer)?),
                Arc::new(self.values.array(buffer)?),
                Arc::new(headers),
            ],
        )
    }
}
