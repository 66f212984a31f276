//! Writing: what is left out, what is counted, what is refused, what is held in memory.

use std::sync::Arc;

use super::super::columns::HEADER_BYTES;
use super::super::decode::{self, Window};
use super::super::error::DecodeError;
use super::super::footer::{self, ROW_GROUP_HEADERS_BYTES_MAX};
use super::super::schema::{HEADER_NAME_LEAF, LAST_LEAF, OFFSET_LEAF};
use super::super::source::{Bound, Feed, Source};
use super::super::writer::alone;
use super::samples::{Batch, Entry, Plain, digest_of, header, plain, small, write};
use crate::model::limits::{HEADERS_PER_RECORD_MAX, HUGE_BYTES, ROW_GROUP_DECODED_BYTES};
use crate::model::{Codec, LeaderEpoch, Offset, TimestampType};
use crate::record::BatchView;
use crate::record::control::Outcome;
use crate::tiering::parquet::{Aborted, Lineage, Run, SegmentHeader, SegmentWriter, WriteError, WriterOptions};

fn records(offsets: impl IntoIterator<Item = i64>) -> Vec<Plain> {
    offsets.into_iter().map(|offset| plain(offset, 1000 + offset)).collect()
}

fn transactional(offsets: std::ops::Range<i64>, producer: i64, aborted: bool) -> Entry {
    Entry::Batch(Batch { transaction: Some((producer, aborted)), ..Batch::of(records(offsets), Codec::Zstd, 2) })
}

fn writer(base: i64, end: i64) -> SegmentWriter {
    SegmentWriter::new(header(base, end), Aborted::default(), &small()).unwrap()
}

fn push(writer: &mut SegmentWriter, batch: &Batch) -> Result<(), WriteError> {
    writer.push(&BatchView::parse(&batch.bytes()).unwrap())
}

#[test]
fn aborted_transactions_and_markers_are_left_out_and_nothing_else() {
    let entries = vec![
        transactional(0..3, 1, true),
        transactional(3..5, 2, false),
        Entry::Marker(5, 1, 2, Outcome::Abort),
        transactional(6..8, 1, false),
        Entry::Batch(Batch::of(records(8..9), Codec::None, 2)),
        Entry::Marker(9, 1, 2, Outcome::Commit),
        Entry::Marker(10, 2, 2, Outcome::Commit),
        transactional(11..13, 1, true),
        Entry::Marker(13, 1, 2, Outcome::Abort),
    ];
    let file = write(&entries, 0, 13, &small());
    let offsets: Vec<_> = file.rows().iter().map(|row| row.offset).collect();
    assert_eq!(offsets, [3, 4, 6, 7, 8]);
    let bytes: usize = entries.iter().map(|entry| entry.bytes().len()).sum();
    assert_eq!(file.finished.log_size_bytes, bytes as u64);
    assert_eq!((file.finished.min_timestamp_ms, file.finished.max_timestamp_ms), (77, 1012), "markers count too");
    assert_eq!(file.finished.record_count, 5);
}

#[test]
fn an_object_without_rows_is_whole() {
    let entries = vec![transactional(7..9, 1, true), Entry::Marker(9, 1, 2, Outcome::Abort)];
    let file = write(&entries, 7, 9, &small());
    let footer = file.footer();
    assert_eq!((footer.row_groups().len(), footer.record_count()), (0, 0));
    assert_eq!((footer.timestamps_ms(), footer.header().end_offset), ((77, 1008), Offset::new(9)));
    assert_eq!(footer.row_group_at(Offset::new(7)), None);
    assert_eq!(footer.digest(), digest_of(&[]));
    let run = Run {
        start_offset: Offset::new(7),
        leader_epoch: LeaderEpoch::new(2),
        timestamp_type: TimestampType::CreateTime,
    };
    assert_eq!(footer.runs(), [run]);
    let (gap, next) = footer.gap(Offset::new(8), Offset::new(9)).unwrap();
    assert_eq!((BatchView::parse(&gap).unwrap().header().base_offset, next), (Offset::new(8), Offset::new(10)));
    let snapshot = file.range(footer.producer_snapshot().unwrap());
    assert_eq!(footer.unpack_producer_snapshot(&snapshot).unwrap(), b"the producers");
}

#[test]
fn a_range_without_batches_is_an_object_too() {
    let finished = writer(5, 9).finish(&[]).unwrap();
    assert_eq!((finished.min_timestamp_ms, finished.max_timestamp_ms, finished.log_size_bytes), (-1, -1, 0));
    assert_eq!(finished.footer.producer_snapshot(), None);
    assert!(finished.footer.runs().is_empty());
    let (_, next) = finished.footer.gap(Offset::new(5), Offset::new(9)).unwrap();
    assert_eq!(next, Offset::new(10));
}

#[test]
fn the_footer_says_what_the_file_is() {
    let digest = |n: u8| crate::tiering::digest::Digest::from_bytes(&[n; 32]).unwrap();
    let header = SegmentHeader {
        lineage: Lineage {
            generation: 4,
            predecessor_digest: Some(digest(1)),
            replaces: vec!["a".to_owned(), "b/\"c\"".to_owned()],
            replaced_digests: vec![digest(2), digest(3)],
            siblings: vec!["d".to_owned()],
        },
        ..header(10, 20)
    };
    let mut writer = SegmentWriter::new(header.clone(), Aborted::default(), &small()).unwrap();
    push(&mut writer, &Batch::of(records(10..15), Codec::None, 2)).unwrap();
    let stamped = Batch { stamped_ms: Some(5), ..Batch::of(records(15..18), Codec::None, 3) };
    push(&mut writer, &stamped).unwrap();
    let finished = writer.finish(&[]).unwrap();
    assert_eq!(finished.footer.header(), &header);
    let runs: Vec<_> = finished
        .footer
        .runs()
        .iter()
        .map(|run| (run.start_offset.get(), run.leader_epoch.get(), run.timestamp_type))
        .collect();
    assert_eq!(runs, [(10, 2, TimestampType::CreateTime), (15, 3, TimestampType::LogAppendTime)]);
    assert_eq!(finished.footer.timestamps_ms(), (5, 1014));
}

#[test]
fn a_base_inside_a_batch_leaves_out_what_lies_before_it() {
    for codec in super::samples::CODECS {
        let entries = vec![Entry::Batch(Batch::of(records(0..100), codec, 2))];
        let file = write(&entries, 90, 99, &small());
        assert_eq!(file.rows(), records(90..100), "{codec:?}");
        assert_eq!(file.footer().runs()[0].start_offset, Offset::new(90));
    }
}

#[test]
fn what_is_out_of_order_or_out_of_range_is_refused() {
    let mut refusing = writer(10, 30);
    let batch = |offsets: std::ops::Range<i64>| Batch::of(records(offsets), Codec::None, 0);
    assert!(matches!(push(&mut refusing, &batch(0..10)), Err(WriteError::Order { .. })), "it ends below the range");
    push(&mut refusing, &batch(8..15)).unwrap();
    assert!(matches!(push(&mut refusing, &batch(14..16)), Err(WriteError::Order { .. })), "it overlaps");
    assert!(matches!(push(&mut refusing, &batch(25..32)), Err(WriteError::OutOfRange { .. })));
}

#[test]
fn a_source_batch_that_is_damaged_is_refused() {
    let bytes = Batch::of(records(0..5), Codec::None, 0).bytes();
    for at in [30, 70, bytes.len() - 1] {
        let mut damaged = bytes.to_vec();
        damaged[at] ^= 1;
        let error = writer(0, 4).push(&BatchView::parse(&damaged).unwrap()).unwrap_err();
        assert!(matches!(error, WriteError::Batch { .. }), "{error}");
    }
}

#[test]
fn a_timestamp_that_microseconds_do_not_hold_is_refused() {
    for bad in [i64::MAX, i64::MIN, i64::MAX / 1000 + 1] {
        let error = push(&mut writer(0, 9), &Batch::of(vec![plain(0, bad)], Codec::None, 0)).unwrap_err();
        assert!(matches!(error, WriteError::Timestamp { timestamp_ms, .. } if timestamp_ms == bad), "{error}");
    }
    for good in [i64::MAX / 1000, -(i64::MAX / 1000), -1, 0] {
        let entries = vec![Entry::Batch(Batch::of(vec![plain(0, good)], Codec::None, 0))];
        assert_eq!(write(&entries, 0, 0, &small()).rows()[0].timestamp_ms, good);
    }
}

#[test]
fn row_groups_come_out_as_they_fill() {
    let mut streaming = writer(0, 99_999);
    let mut taken = 0;
    for n in 0..100 {
        push(&mut streaming, &Batch::of(records(n * 100..n * 100 + 100), Codec::Lz4, 0)).unwrap();
        let ready: usize = streaming.take().iter().map(bytes::Bytes::len).sum();
        assert!(ready > 0, "a hundred records fill a row group of this size");
        taken += ready;
    }
    let finished = streaming.finish(&[]).unwrap();
    let rest: usize = finished.rest.iter().map(bytes::Bytes::len).sum();
    assert_eq!((taken + rest) as u64, finished.object_size_bytes);
}

#[test]
fn one_large_packed_batch_is_cut_into_row_groups() {
    let many: Vec<_> = (0..20_000).map(|offset| Plain { value: Some(vec![b'x'; 1000]), ..plain(offset, 0) }).collect();
    let entries = vec![Entry::Batch(Batch::of(many.clone(), Codec::Zstd, 0))];
    assert!(entries[0].bytes().len() < 1 << 20);
    let options = WriterOptions { row_group_bytes: 1 << 20, ..WriterOptions::default() };
    let file = write(&entries, 0, 19_999, &options);
    let rows: Vec<_> = file.footer().row_groups().iter().map(|group| group.rows).collect();
    assert!(rows.len() >= 19 && rows.iter().all(|&rows| rows <= 1100), "{rows:?}");
    assert!(file.rows() == many);
}

#[test]
fn transactions_are_told_apart() {
    let id = crate::model::ProducerId;
    let known: Aborted =
        [(id(1), Offset::new(10), Offset::new(20)), (id(1), Offset::new(30), Offset::new(40))].into_iter().collect();
    let held = |producer, at| {
        let batch = Batch { transaction: Some((producer, true)), ..Batch::of(records(at..at + 1), Codec::None, 0) };
        known.holds(BatchView::parse(&batch.bytes()).unwrap().header())
    };
    assert!(held(1, 10) && held(1, 19) && held(1, 30) && held(1, 39));
    assert!(!held(1, 9) && !held(1, 21) && !held(1, 29) && !held(1, 41) && !held(2, 15));
}

#[test]
fn what_unfolds_to_much_is_told_before_it_is_unpacked_and_to_who_reads_it_back() {
    for (size, is_huge) in [(1_000, false), (HUGE_BYTES + 1, true)] {
        let record = Plain { value: Some(vec![0; size]), ..plain(0, 1) };
        let batch = Batch::of(vec![record], Codec::Zstd, 0);
        assert!(batch.bytes().len() < 100_000, "it says nothing of its size");
        let bytes = batch.bytes();
        let mut told = 0;
        let mut feed =
            Feed::new(&BatchView::parse(&bytes).unwrap(), Offset::ZERO, Offset::ZERO, Offset::new(-1)).unwrap();
        assert!(Source::new(Bound { bytes: 1, rows: 1 }).fill(&mut feed, || told += 1).unwrap());
        assert_eq!(told > 0, is_huge, "{size}");
        let file = write(&[Entry::Batch(batch)], 0, 0, &small());
        assert!(file.finished.object_size_bytes < 100_000);
        assert!(file.footer().row_groups()[0].unfolded_bytes > size as u64, "{size}");
    }
}

fn with_headers(offset: i64, count: usize) -> Plain {
    Plain { headers: vec![(String::new(), None); count], ..plain(offset, 1) }
}

#[test]
fn headers_of_no_bytes_count_for_what_they_take_as_columns() {
    let each = ROW_GROUP_DECODED_BYTES / HEADER_BYTES / 4;
    let records: Vec<Plain> = (0..9).map(|offset| with_headers(offset, each)).collect();
    let file = write(&[Entry::Batch(Batch::of(records, Codec::Zstd, 0))], 0, 8, &WriterOptions::default());
    let footer = file.footer();
    let rows: Vec<usize> = footer.row_groups().iter().map(|group| group.rows).collect();
    assert_eq!(rows, [4, 4, 1], "row groups are cut by them");
    let unfolded = footer.row_groups()[0].unfolded_bytes;
    assert!(unfolded >= (4 * (each - 1) * HEADER_BYTES) as u64, "and reads reserve for them: {unfolded}");
    assert!(file.finished.object_size_bytes < 100_000);
}

#[test]
fn a_record_with_more_headers_than_are_taken_is_refused_by_name() {
    let batch = Batch::of(vec![with_headers(7, HEADERS_PER_RECORD_MAX + 1)], Codec::Zstd, 0).bytes();
    let mut feed =
        Feed::new(&BatchView::parse(&batch).unwrap(), Offset::ZERO, Offset::new(7), Offset::new(-1)).unwrap();
    let error = Source::new(Bound { bytes: 1, rows: 1 }).fill(&mut feed, || ()).unwrap_err();
    assert!(matches!(error, WriteError::Headers { count, .. } if count == HEADERS_PER_RECORD_MAX + 1), "{error}");
    assert!(error.to_string().contains("offset 7") && error.to_string().contains("tier skip"), "{error}");
}

#[test]
fn a_row_group_with_more_headers_than_any_is_not_decoded() {
    let file = write(&[Entry::Batch(Batch::of(vec![with_headers(0, 3)], Codec::None, 0))], 0, 0, &small());
    let known = file.footer().reader().metadata().row_group(0).clone();
    let range = footer::ranges(&known).unwrap().0;
    let bytes = file.bytes.slice(usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap());
    let decoded = |entries: i64| {
        let mut columns = known.columns().to_vec();
        let leaf = columns[HEADER_NAME_LEAF].clone();
        columns[HEADER_NAME_LEAF] = leaf.into_builder().set_num_values(entries).build().unwrap();
        let group = known.clone().into_builder().set_column_metadata(columns).build().unwrap();
        let reader = footer::reader(Arc::new(alone(group))).unwrap();
        let window = Window { start: range.start, bytes: bytes.clone() };
        decode::parts(&reader, 0, window, OFFSET_LEAF..LAST_LEAF + 1, 1).map(|_| ())
    };
    assert!(decoded(3).is_ok());
    let many = i64::try_from(ROW_GROUP_HEADERS_BYTES_MAX).unwrap() / 20;
    assert!(matches!(decoded(many + 2), Err(DecodeError::Inconsistent(_))));
}
