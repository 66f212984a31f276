//! Files for other engines to read: `tests/analytics/segment.py` compares what they find with what went in.

use std::path::{Path, PathBuf};

use super::samples::{Batch, Entry, File, Plain, plain, write};
use crate::model::Codec;
use crate::tiering::parquet::WriterOptions;

/// Names the folder to write them to; without it this test has nothing to do.
const FOLDER: &str = "TIDELOG_PARQUET_OUT";

/// Several row groups of several pages each, with keys that have a bloom filter.
fn large() -> (File, Vec<Plain>) {
    let record = |offset: i64| {
        let mut value = vec![0; 1000];
        blake3::Hasher::new().update(&offset.to_le_bytes()).finalize_xof().fill(&mut value);
        Plain { value: Some(value), ..plain(offset, 1_700_000_000_000 + offset * 7 % 1000) }
    };
    let records: Vec<_> = (0..6000).map(record).collect();
    let batches = records.chunks(100).map(|chunk| Entry::Batch(Batch::of(chunk.to_vec(), Codec::Lz4, 1)));
    let options = WriterOptions { row_group_bytes: 2_500_000, ..WriterOptions::default() };
    (write(&batches.collect::<Vec<_>>(), 0, 5999, &options), records)
}

/// The file and its records as JSON lines, bytes in hexadecimal.
fn save(folder: &Path, file: &File, records: &[Plain]) {
    let hex = |bytes: &Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let line = |record: &Plain| {
        let headers: Vec<_> = record.headers.iter().map(|(name, value)| (name, value.as_ref().map(hex))).collect();
        let json = serde_json::json!({
            "offset": record.offset,
            "timestamp_ms": record.timestamp_ms,
            "key": record.key.as_ref().map(hex),
            "value": record.value.as_ref().map(hex),
            "headers": headers,
        });
        json.to_string() + "\n"
    };
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("segment.parquet"), &file.bytes).unwrap();
    std::fs::write(folder.join("records.jsonl"), records.iter().map(line).collect::<String>()).unwrap();
}

#[test]
fn files_for_other_engines() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    save(&folder.join("odd"), &super::fixture::written(), &super::fixture::kept());
    let (file, records) = large();
    save(&folder.join("large"), &file, &records);
}
