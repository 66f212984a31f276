//! What engines find in a file: names, ids, encodings, dictionaries, statistics, filters, indexes.

use parquet::basic::{
    Compression, ConvertedType, Encoding, LogicalType, PageType, Repetition, TimeUnit, Type as Physical,
};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::properties::ReaderProperties;
use parquet::file::reader::FileReader as _;
use parquet::file::serialized_reader::{ReadOptionsBuilder, SerializedFileReader};
use parquet::file::statistics::Statistics;
use parquet::schema::types::Type;

use super::super::columns::HEADER_BYTES;
use super::samples::{Batch, Entry, File, Plain, plain, write};
use crate::model::Codec;
use crate::tiering::parquet::WriterOptions;

/// Bytes that do not compress, the same ones for a seed.
fn noise(seed: i64, length: usize) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    let mut bytes = vec![0; length];
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

/// A file with three row groups of a thousand records each, keys that differ, some headers.
fn file(key_bytes: usize, value_bytes: usize) -> File {
    let record = |offset: i64| {
        let key = Some([format!("{offset:08}").into_bytes(), noise(offset, key_bytes)].concat());
        let headers = if offset % 10 == 0 { vec![("trace".to_owned(), Some(noise(-offset, 8)))] } else { Vec::new() };
        Plain { key, value: Some(noise(offset, value_bytes)), headers, ..plain(offset, 1_700_000_000_000 + offset) }
    };
    let entries: Vec<Entry> = (0..30)
        .map(|n| Entry::Batch(Batch::of((0..100).map(|at| record(n * 100 + at)).collect(), Codec::None, 1)))
        .collect();
    // A row is its two numbers, two lengths, key and value; every tenth has a header and its bytes.
    let row_group_bytes = 1000 * (24 + 8 + key_bytes + value_bytes) + 100 * (HEADER_BYTES + 5 + 8);
    write(&entries, 0, 2999, &WriterOptions { row_group_bytes, ..WriterOptions::default() })
}

fn metadata(file: &File) -> ParquetMetaData {
    ParquetMetaDataReader::new()
        .with_page_index_policy(PageIndexPolicy::Required)
        .with_metadata_options(Some(ParquetMetaDataOptions::new().with_encoding_stats_as_mask(false)))
        .parse_and_finish(&file.bytes)
        .unwrap()
}

#[test]
fn columns_have_the_names_types_and_ids_that_iceberg_gives_them() {
    let metadata = metadata(&file(10, 1000));
    let fields = |of: &Type| of.get_fields().to_vec();
    let id = |of: &Type| of.get_basic_info().id();
    let root = metadata.file_metadata().schema().clone();
    let columns = fields(&root);
    let expected = [
        ("partition", Physical::INT32, Repetition::REQUIRED, None),
        ("offset", Physical::INT64, Repetition::REQUIRED, None),
        ("timestamp", Physical::INT64, Repetition::REQUIRED, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
        ("key", Physical::BYTE_ARRAY, Repetition::OPTIONAL, None),
        ("value", Physical::BYTE_ARRAY, Repetition::OPTIONAL, None),
    ];
    assert_eq!(columns.len(), 6);
    for ((number, column), (name, physical, repetition, logical)) in (1..).zip(&columns).zip(expected) {
        assert_eq!((column.name(), column.get_physical_type()), (name, physical));
        assert_eq!(column.get_basic_info().repetition(), repetition, "{name}");
        assert_eq!(column.get_basic_info().logical_type_ref(), logical.as_ref(), "{name}");
        assert_eq!(id(column), number, "{name}");
    }
    let headers = &columns[5];
    assert_eq!((headers.name(), id(headers)), ("headers", 6));
    assert_eq!(headers.get_basic_info().repetition(), Repetition::REQUIRED);
    assert_eq!(headers.get_basic_info().converted_type(), ConvertedType::LIST);
    let list = fields(headers).remove(0);
    assert_eq!((list.name(), list.get_basic_info().repetition()), ("list", Repetition::REPEATED));
    let element = fields(&list).remove(0);
    assert_eq!((element.name(), id(&element)), ("element", 7));
    assert_eq!(element.get_basic_info().repetition(), Repetition::REQUIRED);
    let pair = fields(&element);
    assert_eq!((pair[0].name(), id(&pair[0]), pair[1].name(), id(&pair[1])), ("key", 8, "value", 9));
    assert_eq!(pair[0].get_basic_info().logical_type_ref(), Some(&LogicalType::String));
    assert_eq!(pair[0].get_basic_info().repetition(), Repetition::REQUIRED);
    assert_eq!(pair[1].get_basic_info().repetition(), Repetition::OPTIONAL);
}

#[test]
fn only_what_every_engine_reads_is_written() {
    let file = file(10, 1000);
    let metadata = metadata(&file);
    assert_eq!(metadata.file_metadata().version(), 1);
    assert!(metadata.file_metadata().created_by().unwrap().starts_with("tidelog version "));
    let keys: Vec<_> = metadata.file_metadata().key_value_metadata().unwrap().iter().map(|pair| &pair.key).collect();
    assert_eq!(keys, ["tidelog"], "an arrow schema in the footer breaks filters of PyIceberg");
    assert_eq!(metadata.num_row_groups(), 3);
    for group in metadata.row_groups() {
        assert_eq!(group.num_rows(), 1000, "a row group is cut at the record that fills it");
        for (leaf, column) in group.columns().iter().enumerate() {
            let name = column.column_path().string();
            let dictionary = matches!(leaf, 0 | 5);
            assert!(
                matches!(column.compression(), Compression::ZSTD(level) if level.compression_level() == 1),
                "{name}"
            );
            assert_eq!(column.dictionary_page_offset().is_some(), dictionary, "{name}");
            let pages = column.page_encoding_stats().unwrap();
            for page in pages {
                let wanted = match (dictionary, page.page_type) {
                    (true, PageType::DATA_PAGE) => Encoding::RLE_DICTIONARY,
                    _ => Encoding::PLAIN,
                };
                assert_eq!(page.encoding, wanted, "{name}");
                assert_ne!(page.page_type, PageType::DATA_PAGE_V2, "{name}");
            }
        }
    }
}

#[test]
fn columns_stand_in_one_run_and_the_footer_says_where() {
    let file = file(10, 1000);
    let metadata = metadata(&file);
    let footer = file.footer();
    for (group, ours) in metadata.row_groups().iter().zip(footer.row_groups()) {
        let ranges: Vec<_> = group.columns().iter().map(|column| column.byte_range()).collect();
        assert!(ranges.windows(2).all(|pair| pair[0].0 + pair[0].1 == pair[1].0), "{ranges:?}");
        assert_eq!(ours.bytes, ranges[1].0..ranges[6].0 + ranges[6].1);
        assert_eq!(ours.times, ranges[1].0..ranges[2].0 + ranges[2].1);
    }
}

#[test]
fn statistics_stand_where_they_help() {
    let file = file(100, 1000);
    let metadata = metadata(&file);
    let (columns, offsets) = (metadata.column_index().unwrap(), metadata.offset_index().unwrap());
    for (number, group) in metadata.row_groups().iter().enumerate() {
        let statistics = |leaf: usize| group.column(leaf).statistics();
        let first = number as i64 * 1000;
        let Some(Statistics::Int64(offset)) = statistics(1) else { panic!("no statistics of offset") };
        assert_eq!((offset.min_opt(), offset.max_opt()), (Some(&first), Some(&(first + 999))));
        let Some(Statistics::Int64(timestamp)) = statistics(2) else { panic!("no statistics of timestamp") };
        assert_eq!(timestamp.min_opt(), Some(&((1_700_000_000_000 + first) * 1000)));
        let key = statistics(3).expect("no statistics of key");
        assert!(key.min_bytes_opt().unwrap().len() <= 64 && key.max_bytes_opt().unwrap().len() <= 64);
        assert!(!key.min_is_exact() && !key.max_is_exact());
        for leaf in 4..=6 {
            assert!(statistics(leaf).is_none(), "leaf {leaf}");
        }
        for leaf in 0..=6 {
            let indexed = !matches!(columns[number][leaf], ColumnIndexMetaData::NONE);
            assert_eq!(indexed, matches!(leaf, 1 | 2), "leaf {leaf}");
            assert!(!offsets[number][leaf].page_locations().is_empty(), "leaf {leaf}");
        }
        let pages = offsets[number][4].page_locations();
        assert!(pages.len() == 1, "a page holds a mebibyte, and this has less: {}", pages.len());
    }
}

#[test]
fn pages_are_cut_by_size_and_not_by_count() {
    let entries: Vec<Entry> = (0..60)
        .map(|n| {
            let records = (0..1000).map(|at| Plain { value: Some(vec![7; 70]), ..plain(n * 1000 + at, 0) }).collect();
            Entry::Batch(Batch::of(records, Codec::None, 0))
        })
        .collect();
    let file = write(&entries, 0, 59_999, &WriterOptions::default());
    let metadata = metadata(&file);
    assert_eq!(metadata.num_row_groups(), 1);
    let pages = |leaf: usize| metadata.offset_index().unwrap()[0][leaf].page_locations().len();
    assert_eq!((pages(1), pages(2)), (1, 1), "60,000 numbers of 8 bytes are less than a mebibyte");
    assert!((3..=6).contains(&pages(4)), "a page ends with the slab that fills it, below two mebibytes: {}", pages(4));
}

#[test]
fn keys_have_a_bloom_filter_where_it_is_cheap() {
    let filters = |file: &File| -> Vec<bool> {
        let metadata = metadata(file);
        for group in metadata.row_groups() {
            let others = (0..7).filter(|&leaf| leaf != 3 && group.column(leaf).bloom_filter_offset().is_some());
            assert_eq!(others.count(), 0);
            if let Some(length) = group.column(3).bloom_filter_length() {
                assert!(i64::from(length) * 100 <= group.compressed_size() + 4000, "{length}");
            }
        }
        metadata.row_groups().iter().map(|group| group.column(3).bloom_filter_offset().is_some()).collect()
    };
    assert_eq!(filters(&file(10, 1000)), [true; 3]);
    assert_eq!(filters(&file(10, 20)), [false; 3]);
}

#[test]
fn a_bloom_filter_knows_the_keys_of_its_row_group() {
    let file = file(10, 1000);
    let properties = ReaderProperties::builder().set_read_bloom_filter(true).build();
    let options = ReadOptionsBuilder::new().with_reader_properties(properties).build();
    let reader = SerializedFileReader::new_with_options(file.bytes.clone(), options).unwrap();
    let rows = file.rows();
    for number in 0..3 {
        let group = reader.get_row_group(number).unwrap();
        let filter = group.get_column_bloom_filter(3).expect("a filter");
        let inside = |offset: usize| filter.check(rows[offset].key.as_deref().unwrap());
        assert!((number * 1000..(number + 1) * 1000).all(inside));
        let wrong = (0..3000).filter(|offset| offset / 1000 != number && inside(*offset)).count();
        assert!(wrong < 60, "{wrong} of 2000");
    }
}
