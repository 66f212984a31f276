//! A file of format version 1, written once: every later version reads it as it was.

use std::path::Path;

use super::samples::{Batch, Entry, File, Plain, consumed, digest_of, plain, write};
use crate::model::{Codec, Offset};
use crate::record::control::Outcome;
use crate::tiering::parquet::{FinishedSegment, Footer, WriterOptions};

const FIXTURE: &str = "tests/fixtures/parquet/version-1.parquet";

/// The log that the fixture was written from.
fn entries() -> Vec<Entry> {
    let odd = Plain {
        offset: 106,
        timestamp_ms: -1,
        key: None,
        value: Some(Vec::new()),
        headers: vec![
            ("trace".to_owned(), Some(b"1".to_vec())),
            ("trace".to_owned(), None),
            (String::new(), Some(Vec::new())),
            ("имя".to_owned(), Some("значение".as_bytes().to_vec())),
        ],
    };
    let tombstone = Plain { key: Some(Vec::new()), value: None, ..plain(107, 1_700_000_000_003) };
    let many = |from: i64, to: i64| (from..to).map(|offset| plain(offset, 1_700_000_000_000 + offset)).collect();
    vec![
        Entry::Batch(Batch::of(many(100, 106), Codec::None, 1)),
        Entry::Batch(Batch::of(vec![odd, tombstone], Codec::Gzip, 1)),
        Entry::Batch(Batch { transaction: Some((9, true)), ..Batch::of(many(108, 110), Codec::Lz4, 1) }),
        Entry::Marker(110, 9, 1, Outcome::Abort),
        Entry::Batch(Batch { stamped_ms: Some(1_700_000_100_000), ..Batch::of(many(111, 140), Codec::Zstd, 2) }),
        Entry::Batch(Batch { stamped_ms: Some(1_700_000_200_000), ..Batch::of(many(145, 200), Codec::Snappy, 4) }),
    ]
}

pub fn kept() -> Vec<Plain> {
    entries().iter().flat_map(Entry::kept).collect()
}

pub fn written() -> File {
    write(&entries(), 100, 205, &WriterOptions { row_group_bytes: 4000, ..WriterOptions::default() })
}

#[test]
fn version_1_is_read_for_ever() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FIXTURE);
    let bytes = bytes::Bytes::from(std::fs::read(&path).unwrap());
    let footer = Footer::parse(bytes.len() as u64, &bytes).unwrap();
    let mut batches = Vec::new();
    for (number, meta) in footer.row_groups().iter().enumerate() {
        let range = usize::try_from(meta.bytes.start).unwrap()..usize::try_from(meta.bytes.end).unwrap();
        let group = footer.decode_row_group(number, bytes.slice(range)).unwrap();
        batches.extend(group.batches(&super::samples::all_from(0)).unwrap().batches);
    }
    assert_eq!(consumed(&batches), kept());
    assert_eq!(footer.digest(), digest_of(&kept()));
    assert_eq!(footer.digest().to_string(), "f6f2e86e9ff0ab3f3aa8a30fd1ad9825a4ad8d1bf85a1b1dad90f772e843436d");
    assert_eq!((footer.header().base_offset, footer.header().end_offset), (Offset::new(100), Offset::new(205)));
    let runs: Vec<_> = footer.runs().iter().map(|run| (run.start_offset.get(), run.leader_epoch.get())).collect();
    assert_eq!(runs, [(100, 1), (111, 2), (145, 4)]);
    let snapshot = footer.producer_snapshot().unwrap();
    let snapshot = bytes.slice(usize::try_from(snapshot.start).unwrap()..usize::try_from(snapshot.end).unwrap());
    assert_eq!(footer.unpack_producer_snapshot(&snapshot).unwrap(), b"the producers");
}

#[test]
fn what_is_written_today_says_the_same() {
    let File { finished: FinishedSegment { digest, record_count, .. }, .. } = written();
    assert_eq!((digest, record_count), (digest_of(&kept()), kept().len() as u64));
}
