//! Bytes of a row group → its columns.
//!
//! Invariant: bytes reach the decoder only after their checksum, and what it gives is checked against the footer.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::buf::Reader;
use bytes::{Buf as _, Bytes};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{ChunkReader, Length};

use super::error::DecodeError;
use super::footer::{self, Footer, ROW_GROUP_HEADERS_BYTES_MAX, ROW_GROUP_UNFOLDED_BYTES_MAX, RowGroupMeta};
use super::guard::guarded;
use super::header::Run;
use super::pages;
use super::row_group::RowGroup;
use super::schema::{HEADER_NAME_LEAF, LAST_LEAF, OFFSET_LEAF, TIMESTAMP_LEAF};
use super::times::Times;
use crate::model::Offset;

/// A stretch of a file, which the decoder takes for the file.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub(super) start: u64,
    pub(super) bytes: Bytes,
}

impl Length for Window {
    fn len(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl Window {
    fn from(&self, at: u64) -> Result<Bytes, ParquetError> {
        let inside = at.checked_sub(self.start).and_then(|inside| usize::try_from(inside).ok());
        let inside = inside.filter(|&inside| inside <= self.bytes.len());
        inside
            .map(|inside| self.bytes.slice(inside..))
            .ok_or_else(|| ParquetError::EOF(format!("byte {at} lies outside the row group")))
    }
}

impl ChunkReader for Window {
    type T = Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(self.from(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let bytes = self.from(start)?;
        if bytes.len() < length {
            return Err(ParquetError::EOF(format!("{length} bytes from {start} reach behind the row group")));
        }
        Ok(bytes.slice(..length))
    }
}

/// Rows of a row group, some at a time.
pub(super) struct Parts {
    reader: ParquetRecordBatchReader,
    rows: usize,
}

/// Decodes some leaves of a row group, at most `part_rows` rows at a time.
pub(super) fn parts(
    reader: &ArrowReaderMetadata,
    number: usize,
    window: Window,
    leaves: Range<usize>,
    part_rows: usize,
) -> Result<Parts, DecodeError> {
    within_bounds(reader, number, &window, leaves.clone())?;
    let rows = reader.metadata().row_groups().get(number).map_or(0, RowGroupMetaData::num_rows);
    let reader = guarded(|| {
        let mask = ProjectionMask::leaves(reader.parquet_schema(), leaves);
        ParquetRecordBatchReaderBuilder::new_with_metadata(window, reader.clone())
            .with_row_groups(vec![number])
            .with_projection(mask)
            .with_batch_size(part_rows.max(1))
            .build()
    })?;
    let rows = usize::try_from(rows).map_err(|_| DecodeError::Inconsistent("it has negative rows"))?;
    Ok(Parts { reader, rows })
}

impl Parts {
    /// The next rows; `None` when all were given, which are as many as the footer says.
    pub(super) fn next(&mut self) -> Result<Option<RecordBatch>, DecodeError> {
        let part = guarded(|| self.reader.next().transpose().map_err(ParquetError::from))?;
        let rows = part.as_ref().map_or(0, RecordBatch::num_rows);
        self.rows = self.rows.checked_sub(rows).ok_or(OTHER_ROWS)?;
        if part.is_none() && self.rows > 0 { Err(OTHER_ROWS) } else { Ok(part) }
    }
}

const OTHER_ROWS: DecodeError = DecodeError::Inconsistent("it has another number of rows");

/// Decodes some leaves of a row group; all of its rows at once.
pub(super) fn leaves(
    reader: &ArrowReaderMetadata,
    number: usize,
    rows: usize,
    window: Window,
    leaves: Range<usize>,
) -> Result<RecordBatch, DecodeError> {
    let decoded = parts(reader, number, window, leaves, rows)?.next()?;
    decoded.filter(|decoded| decoded.num_rows() == rows).ok_or(OTHER_ROWS)
}

/// Refuses pages that would unfold to more than a row group may have.
fn within_bounds(
    reader: &ArrowReaderMetadata,
    number: usize,
    window: &Window,
    leaves: Range<usize>,
) -> Result<(), DecodeError> {
    let wrong = DecodeError::Inconsistent;
    let row_group = reader.metadata().row_groups().get(number);
    let columns = row_group.map(RowGroupMetaData::columns).unwrap_or_default();
    if leaves.end > HEADER_NAME_LEAF && row_group.map_or(0, footer::headers_bytes) > ROW_GROUP_HEADERS_BYTES_MAX {
        return Err(wrong("it has more headers than any row group"));
    }
    let mut unfolded = 0u64;
    for column in columns.get(leaves).ok_or(wrong("a column is missing"))? {
        let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
        let (start, length) = (u64::try_from(start), usize::try_from(column.compressed_size()));
        let (start, length) = start.ok().zip(length.ok()).ok_or(wrong("a column lies before the file"))?;
        unfolded = unfolded.saturating_add(pages::unfolded_bytes(&window.get_bytes(start, length)?)?);
    }
    if unfolded > ROW_GROUP_UNFOLDED_BYTES_MAX {
        return Err(wrong("it unfolds to more than any row group"));
    }
    Ok(())
}

/// A row group as it is decoded, a few rows at a time.
pub(super) struct RowGroupParts {
    parts: Parts,
    runs: Arc<[Run]>,
    unfolded_bytes: u64,
    base_offset: Offset,
    next_offset: Offset,
    /// Behind the last row so far; `None` before the first.
    behind: Option<Offset>,
}

impl RowGroupParts {
    /// The next rows; `None` when all were given. Each has offsets behind those before it.
    pub(super) fn next(&mut self) -> Result<Option<RowGroup>, DecodeError> {
        let Some(columns) = self.parts.next()? else { return Ok(None) };
        let within = self.behind.unwrap_or(self.base_offset)..self.next_offset;
        let rows = RowGroup::new(&columns, Arc::clone(&self.runs), &within)?;
        if self.behind.is_none() && rows.base_offset() != self.base_offset {
            return Err(BEGINS_ELSEWHERE);
        }
        let last = rows.rows().checked_sub(1).and_then(|last| rows.times().offset(last));
        self.behind = last.map(Offset::next);
        Ok(Some(rows))
    }

    /// What its pages unfold to, by the footer.
    pub(super) fn unfolded_bytes(&self) -> u64 {
        self.unfolded_bytes
    }

    /// The offset behind all that it stands for.
    pub(super) fn next_offset(&self) -> Offset {
        self.next_offset
    }
}

impl Footer {
    /// Begins to decode a row group from the bytes of [`RowGroupMeta::bytes`], about `part_bytes` of decoded ones at a time.
    pub(super) fn row_group_parts(
        &self,
        number: usize,
        bytes: Bytes,
        part_bytes: usize,
    ) -> Result<RowGroupParts, DecodeError> {
        let meta = self.row_group(number)?;
        let window = window(&bytes, &meta.bytes, meta.crc)?;
        let parts_count = usize::try_from(meta.unfolded_bytes).unwrap_or(usize::MAX).div_ceil(part_bytes.max(1)).max(1);
        let part_rows = meta.rows.div_ceil(parts_count);
        Ok(RowGroupParts {
            parts: parts(self.reader(), number, window, OFFSET_LEAF..LAST_LEAF + 1, part_rows)?,
            runs: self.shared_runs(),
            unfolded_bytes: meta.unfolded_bytes,
            base_offset: meta.base_offset,
            next_offset: meta.next_offset,
            behind: None,
        })
    }

    /// Decodes a row group from the bytes of [`RowGroupMeta::bytes`].
    pub fn decode_row_group(&self, number: usize, bytes: Bytes) -> Result<RowGroup, DecodeError> {
        let meta = self.row_group(number)?;
        let window = window(&bytes, &meta.bytes, meta.crc)?;
        let decoded = leaves(self.reader(), number, meta.rows, window, OFFSET_LEAF..LAST_LEAF + 1)?;
        let group = RowGroup::new(&decoded, self.shared_runs(), &(meta.base_offset..meta.next_offset))?;
        begins(group.times(), meta)?;
        Ok(group)
    }

    /// Decodes only offsets and timestamps of a row group, from the bytes of [`RowGroupMeta::times`].
    pub fn decode_times(&self, number: usize, bytes: Bytes) -> Result<Times, DecodeError> {
        let meta = self.row_group(number)?;
        let window = window(&bytes, &meta.times, meta.times_crc)?;
        let decoded = leaves(self.reader(), number, meta.rows, window, OFFSET_LEAF..TIMESTAMP_LEAF + 1)?;
        let times = Times::new(&decoded, &(meta.base_offset..meta.next_offset))?;
        begins(&times, meta)?;
        Ok(times)
    }

    fn row_group(&self, number: usize) -> Result<&RowGroupMeta, DecodeError> {
        let count = self.row_groups().len();
        self.row_groups().get(number).ok_or(DecodeError::NoSuchRowGroup { number, count })
    }
}

fn window(bytes: &Bytes, range: &Range<u64>, stored: u32) -> Result<Window, DecodeError> {
    let need = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
    if bytes.len() != need {
        return Err(DecodeError::Length { have: bytes.len(), need });
    }
    let computed = crc32c::crc32c(bytes);
    if computed != stored {
        return Err(DecodeError::Crc { stored, computed });
    }
    Ok(Window { start: range.start, bytes: bytes.clone() })
}

fn begins(times: &Times, meta: &RowGroupMeta) -> Result<(), DecodeError> {
    let same = times.offset(0) == Some(meta.base_offset);
    if same { Ok(()) } else { Err(BEGINS_ELSEWHERE) }
}

const BEGINS_ELSEWHERE: DecodeError = DecodeError::Inconsistent("it begins at another offset");
