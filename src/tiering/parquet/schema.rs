//! The columns: their types and field ids, and how each is written.
//!
//! The ids are those that any Iceberg catalog gives these six columns when it creates a table of them; other nested ids
//! make some engines fail and others return wrong headers without a word.
//!
//! Invariant: this is the only file that spells a column's name.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use parquet::arrow::{ArrowSchemaConverter, PARQUET_FIELD_ID_META_KEY};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::{ColumnPath, SchemaDescriptor};

use super::options::WriterOptions;

/// Columns that every file has; typed ones may follow.
pub(super) const COLUMNS: usize = 6;
/// Places of the leaves in a row group.
pub(super) const OFFSET_LEAF: usize = 1;
pub(super) const TIMESTAMP_LEAF: usize = 2;
pub(super) const KEY_LEAF: usize = 3;
/// The first of the leaves of headers; the other is the last that a consumer needs.
pub(super) const HEADER_NAME_LEAF: usize = 5;
pub(super) const LAST_LEAF: usize = 6;

const PAGE_BYTES: usize = 1024 * 1024;
const STATISTICS_BYTES_MAX: usize = 64;

/// Who says that he wrote the file: in the form that Java's reader parses.
const CREATED_BY: &str = concat!("tidelog version ", env!("CARGO_PKG_VERSION"));

/// The fields of a header.
pub(super) static HEADER_FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    Fields::from(vec![field("key", DataType::Utf8View, false, 8), field("value", DataType::BinaryView, true, 9)])
});

/// The list's child: a header. Arrow's own name for it is `item`; engines look for this one.
pub(super) static HEADER_ELEMENT: LazyLock<FieldRef> =
    LazyLock::new(|| Arc::new(field("element", DataType::Struct(HEADER_FIELDS.clone()), false, 7)));

/// The columns in their order: what a consumer reads is one run, and offset and timestamp are neighbours.
pub(super) static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let timestamp = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        field("partition", DataType::Int32, false, 1),
        field("offset", DataType::Int64, false, 2),
        field("timestamp", timestamp, false, 3),
        field("key", DataType::BinaryView, true, 4),
        field("value", DataType::BinaryView, true, 5),
        field("headers", DataType::List(Arc::clone(&HEADER_ELEMENT)), false, 6),
    ]))
});

fn field(name: &str, kind: DataType, nullable: bool, id: u32) -> Field {
    let id = HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string())]);
    Field::new(name, kind, nullable).with_metadata(id)
}

/// The same in Parquet's words.
pub(super) fn parquet_schema() -> Result<SchemaDescriptor, ParquetError> {
    ArrowSchemaConverter::new().schema_root("record").convert(&SCHEMA)
}

/// A nested column is named by its parts: one string with dots in it names nothing, and is taken without a word.
fn path(parts: &[&str]) -> ColumnPath {
    ColumnPath::new(parts.iter().map(|&part| part.to_owned()).collect())
}

/// How the columns are written: what every engine reads, whatever its age.
pub(super) fn writer_properties(options: &WriterOptions) -> Result<WriterProperties, ParquetError> {
    Ok(WriterProperties::builder()
        .set_created_by(CREATED_BY.to_owned())
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(options.zstd_level)?))
        .set_encoding(Encoding::PLAIN)
        .set_dictionary_enabled(false)
        .set_column_dictionary_enabled(path(&["partition"]), true)
        .set_column_dictionary_enabled(path(&["headers", "list", "element", "key"]), true)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_column_statistics_enabled(path(&["partition"]), EnabledStatistics::Chunk)
        .set_column_statistics_enabled(path(&["offset"]), EnabledStatistics::Page)
        .set_column_statistics_enabled(path(&["timestamp"]), EnabledStatistics::Page)
        .set_column_statistics_enabled(path(&["key"]), EnabledStatistics::Chunk)
        .set_statistics_truncate_length(Some(STATISTICS_BYTES_MAX))
        .set_column_index_truncate_length(Some(STATISTICS_BYTES_MAX))
        .set_data_page_size_limit(PAGE_BYTES)
        .set_data_page_row_count_limit(usize::MAX)
        .set_max_row_group_row_count(None)
        .build())
}
