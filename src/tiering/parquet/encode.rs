//! Columns → bytes of a Parquet file, a row group at a time. What comes out has not been looked at again by anybody.

use std::fmt;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{AsArray as _, BinaryViewArray, RecordBatch};
use bytes::Bytes;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, RowGroupMetaData};
use parquet::file::writer::SerializedFileWriter;

use super::bloom;
use super::error::WriteError;
use super::footer_mark;
use super::options::WriterOptions;
use super::schema::{KEY_LEAF, SCHEMA, parquet_schema, writer_properties};

/// Writes one file.
pub struct Encoder {
    file: SerializedFileWriter<Written>,
    columns: ArrowRowGroupWriterFactory,
    row_groups: usize,
    /// The row group that is being written.
    open: Option<OpenRowGroup>,
    /// Bytes of the last row group: about what the next one will take.
    expected: usize,
}

/// A row group that is being written.
struct OpenRowGroup {
    leaves: Vec<ArrowColumnWriter>,
    /// For the filter, whose size is only known at the end.
    keys: Vec<BinaryViewArray>,
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").field("file", &self.file).finish_non_exhaustive()
    }
}

/// What was written and not yet taken.
#[derive(Debug, Default)]
struct Written(Vec<u8>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A row group, and whatever of the file stands before it and was not given out yet.
#[derive(Debug)]
pub struct EncodedRowGroup {
    /// The bytes.
    pub bytes: Bytes,
    /// Where they begin in the file.
    pub start: u64,
    /// What Parquet says of it.
    pub metadata: RowGroupMetaData,
}

impl EncodedRowGroup {
    /// The bytes of a range of the file.
    pub(super) fn slice(&self, range: &Range<u64>) -> Result<Bytes, ParquetError> {
        let inside = |position: u64| {
            position
                .checked_sub(self.start)
                .and_then(|at| usize::try_from(at).ok())
                .filter(|&at| at <= self.bytes.len())
                .ok_or_else(|| ParquetError::General("the columns are not in the row group's bytes".to_owned()))
        };
        Ok(self.bytes.slice(inside(range.start)?..inside(range.end)?))
    }
}

impl Encoder {
    /// Begins a file.
    pub fn new(options: &WriterOptions) -> Result<Self, ParquetError> {
        let schema = parquet_schema()?;
        let properties = Arc::new(writer_properties(options)?);
        let file = SerializedFileWriter::new(Written::default(), schema.root_schema_ptr(), properties)?;
        let columns = ArrowRowGroupWriterFactory::new(&file, Arc::clone(&SCHEMA));
        Ok(Self { file, columns, row_groups: 0, open: None, expected: 0 })
    }

    /// Bytes of the file so far.
    pub fn position(&self) -> u64 {
        self.file.bytes_written() as u64
    }

    /// Adds rows to the row group; begins one where none is open.
    pub fn write(&mut self, rows: &RecordBatch) -> Result<(), ParquetError> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => OpenRowGroup { leaves: self.columns.create_column_writers(self.row_groups)?, keys: Vec::new() },
        };
        let mut writers = open.leaves.iter_mut();
        for (place, (field, column)) in SCHEMA.fields().iter().zip(rows.columns()).enumerate() {
            if place == KEY_LEAF {
                open.keys.extend(column.as_binary_view_opt().cloned());
            }
            for leaf in compute_leaves(field, column)? {
                writers.next().ok_or_else(|| ParquetError::General("a leaf too many".to_owned()))?.write(&leaf)?;
            }
        }
        self.open = Some(open);
        Ok(())
    }

    /// Ends the row group. `None` where nothing was added to it.
    pub fn row_group(&mut self) -> Result<Option<EncodedRowGroup>, ParquetError> {
        let Some(OpenRowGroup { leaves, keys }) = self.open.take() else { return Ok(None) };
        let mut chunks = leaves.into_iter().map(ArrowColumnWriter::close).collect::<Result<Vec<_>, _>>()?;
        let bytes = chunks.iter().map(|chunk| chunk.close().bytes_written).sum();
        if let Some(chunk) = chunks.get_mut(KEY_LEAF) {
            chunk.close_mut().bloom_filter = bloom::filter(&keys, bytes);
        }
        drop(keys);
        // What was not taken begins where the last row group ended; before the first one there is the magic.
        let start = if self.row_groups == 0 { 0 } else { self.position() };
        self.file.inner_mut().0.reserve(self.expected);
        let mut row_group = self.file.next_row_group()?;
        self.row_groups += 1;
        for chunk in chunks {
            chunk.append_to_row_group(&mut row_group)?;
        }
        let metadata = Arc::unwrap_or_clone(row_group.close()?);
        self.file.flush()?;
        let bytes = std::mem::take(&mut self.file.inner_mut().0);
        // An eighth more, for no two are alike.
        self.expected = bytes.len() + bytes.len() / 8;
        Ok(Some(EncodedRowGroup { bytes: Bytes::from(bytes), start, metadata }))
    }

    /// Puts bytes where every Parquet reader skips them: behind the last row group.
    pub fn skipped(&mut self, bytes: &[u8]) -> Result<(), ParquetError> {
        Ok(self.file.write_all(bytes)?)
    }

    /// Ends the file: indexes, footer with `value` under `key`, and before the footer its checksum. Gives what was not
    /// taken yet.
    pub fn finish(mut self, key: &str, value: String) -> Result<Bytes, WriteError> {
        self.file.append_key_value_metadata(KeyValue::new(key.to_owned(), value));
        self.file.finish()?;
        let mut end = std::mem::take(&mut self.file.inner_mut().0);
        footer_mark::insert(&mut end)?;
        Ok(Bytes::from(end))
    }
}
