//! Reading back: bounds, runs, clocks, gaps, timestamps.

use bytes::Bytes;

use super::samples::{Batch, Entry, File, Plain, all_from, consumed, plain, small, write};
use crate::model::{Codec, LeaderEpoch, Offset, TimestampType};
use crate::record::{BatchHeader, BatchView};
use crate::tiering::parquet::{Wanted, WriterOptions};

fn headers(batches: &[Bytes]) -> Vec<BatchHeader> {
    batches.iter().map(|bytes| *BatchView::parse(bytes).unwrap().header()).collect()
}

fn spans(batches: &[Bytes]) -> Vec<(i64, i64)> {
    headers(batches).iter().map(|header| (header.base_offset.get(), header.last_offset().get())).collect()
}

fn one_group(batches: Vec<Batch>, end: i64) -> File {
    let base = batches[0].records[0].offset;
    let entries: Vec<Entry> = batches.into_iter().map(Entry::Batch).collect();
    let file = write(&entries, base, end, &WriterOptions::default());
    assert_eq!(file.row_groups().len(), 1);
    file
}

fn records(offsets: impl IntoIterator<Item = i64>) -> Vec<Plain> {
    offsets.into_iter().map(|offset| plain(offset, offset)).collect()
}

#[test]
fn a_batch_keeps_to_its_run() {
    let file = one_group(
        vec![
            Batch::of(records(0..10), Codec::None, 4),
            Batch::of(records(10..20), Codec::None, 4),
            Batch::of(records(20..30), Codec::None, 6),
        ],
        35,
    );
    let built = file.row_groups()[0].batches(&all_from(0)).unwrap();
    assert_eq!(spans(&built.batches), [(0, 19), (20, 35)], "the gap at the end belongs to the last batch");
    assert_eq!(built.next_offset, Offset::new(36));
    let epochs: Vec<_> = headers(&built.batches).iter().map(|header| header.leader_epoch).collect();
    assert_eq!(epochs, [LeaderEpoch::new(4), LeaderEpoch::new(6)]);
    let footer = file.footer();
    let runs: Vec<_> = footer.runs().iter().map(|run| (run.start_offset.get(), run.leader_epoch.get())).collect();
    assert_eq!(runs, [(0, 4), (20, 6)]);
}

#[test]
fn a_batch_that_the_broker_stamped_has_one_timestamp() {
    let stamped = |offsets: std::ops::Range<i64>, stamp| Batch {
        stamped_ms: Some(stamp),
        ..Batch::of(records(offsets), Codec::Zstd, 1)
    };
    let file = one_group(
        vec![stamped(0..5, 100), stamped(5..9, 100), stamped(9..12, 101), Batch::of(records(12..14), Codec::None, 1)],
        13,
    );
    let built = file.row_groups()[0].batches(&all_from(0)).unwrap();
    assert_eq!(spans(&built.batches), [(0, 8), (9, 11), (12, 13)]);
    let clocks: Vec<_> = headers(&built.batches).iter().map(|header| header.attributes.timestamp_type()).collect();
    assert_eq!(clocks, [TimestampType::LogAppendTime, TimestampType::LogAppendTime, TimestampType::CreateTime]);
    assert!(consumed(&built.batches).iter().take(9).all(|record| record.timestamp_ms == 100));
}

#[test]
fn gaps_are_covered_by_the_batch_before_them_or_stepped_over() {
    let file = one_group(vec![Batch::of(records([10, 11, 17, 30]), Codec::None, 0)], 40);
    let group = &file.row_groups()[0];
    // An offset inside a gap is answered by the records behind it.
    assert_eq!(spans(&group.batches(&all_from(12)).unwrap().batches), [(17, 40)]);
    // A bound inside a gap ends the batch there.
    let upper = Wanted { upper: Offset::new(25), ..all_from(10) };
    let built = group.batches(&upper).unwrap();
    assert_eq!((spans(&built.batches), built.next_offset), (vec![(10, 24)], Offset::new(25)));
    // Behind the last record there is nothing to build, and it is said where to go on.
    let built = group.batches(&all_from(31)).unwrap();
    assert_eq!((built.batches.len(), built.next_offset), (0, Offset::new(41)));
    let built = group.batches(&Wanted { upper: Offset::new(25), ..all_from(18) }).unwrap();
    assert_eq!((built.batches.len(), built.next_offset), (0, Offset::new(25)));
}

#[test]
fn a_response_of_nothing_but_a_gap_is_a_control_batch() {
    let file = one_group(vec![Batch::of(records([10]), Codec::None, 3), Batch::of(records([20]), Codec::None, 4)], 40);
    let footer = file.footer();
    let (batch, next) = footer.gap(Offset::new(25), Offset::new(40)).unwrap();
    let view = BatchView::parse(&batch).unwrap();
    view.verify_crc().unwrap();
    let header = view.header();
    assert!(header.attributes.is_control() && !header.producer_id.is_some());
    assert_eq!((header.base_offset.get(), header.last_offset().get(), next.get()), (25, 40, 41));
    assert_eq!((header.record_count, header.leader_epoch.get()), (1, 4));
    // It does not claim offsets of a later epoch: clients would take that for a truncated log.
    let (batch, next) = footer.gap(Offset::new(12), Offset::new(40)).unwrap();
    let header = *BatchView::parse(&batch).unwrap().header();
    assert_eq!((header.last_offset().get(), header.leader_epoch.get(), next.get()), (19, 3, 20));
}

#[test]
fn bytes_are_bounded_except_for_one_large_record() {
    let mut large = records(0..100);
    large[50].value = Some(vec![1; 5000]);
    let file = one_group(vec![Batch::of(large, Codec::None, 0)], 99);
    let group = &file.row_groups()[0];
    let wanted = Wanted { batch_bytes_max: 1000, ..all_from(0) };
    let built = group.batches(&wanted).unwrap();
    let sizes: Vec<_> = built.batches.iter().map(Bytes::len).collect();
    assert_eq!(sizes.iter().filter(|&&size| size > 1000).count(), 1, "{sizes:?}");
    assert_eq!(sizes.iter().sum::<usize>(), built.size_bytes);
    assert_eq!(consumed(&built.batches).len(), 100);
    let alone = headers(&built.batches).into_iter().find(|header| header.size_bytes() > 1000).unwrap();
    assert_eq!((alone.record_count, alone.base_offset.get()), (1, 50));

    let little = |from, at_least_one| {
        let wanted = Wanted { max_bytes: 300, at_least_one, ..all_from(from) };
        group.batches(&wanted).unwrap()
    };
    assert!(little(0, false).size_bytes <= 300 && !little(0, false).batches.is_empty());
    assert_eq!(little(50, false).batches.len(), 0);
    assert_eq!(little(50, false).next_offset, Offset::new(50), "the record is still to come");
    let first = little(50, true);
    assert_eq!((spans(&first.batches), first.next_offset), (vec![(50, 50)], Offset::new(51)));
}

#[test]
fn batches_are_packed_as_the_topic_asks() {
    let file = one_group(vec![Batch::of(records(0..1000), Codec::Snappy, 0)], 999);
    let plain = file.row_groups()[0].batches(&all_from(0)).unwrap();
    for codec in super::samples::CODECS {
        let built = file.row_groups()[0].batches(&Wanted { codec, ..all_from(0) }).unwrap();
        assert_eq!(headers(&built.batches)[0].attributes.codec().unwrap(), codec);
        assert_eq!(consumed(&built.batches), consumed(&plain.batches));
        assert!(codec == Codec::None || built.size_bytes < plain.size_bytes / 2, "{codec:?}");
    }
}

#[test]
fn timestamps_are_found_with_the_small_range_alone() {
    let mut all = records(0..300);
    all[120].timestamp_ms = 900;
    all[130].timestamp_ms = 900;
    let entries = vec![Entry::Batch(Batch::of(all.clone(), Codec::None, 0))];
    let file = write(&entries, 0, 299, &small());
    let footer = file.footer();
    assert!(footer.row_groups().len() > 3);
    for timestamp in [-5, 0, 1, 119, 120, 121, 299, 300, 900, 901] {
        let expected = all.iter().find(|record| record.timestamp_ms >= timestamp).map(|r| (r.offset, r.timestamp_ms));
        let number = footer.row_groups().iter().position(|group| group.max_timestamp_ms >= timestamp);
        let found = number.and_then(|number| {
            let range = footer.row_groups()[number].times.clone();
            assert!(range.end - range.start < 1500, "{range:?}");
            let times = footer.decode_times(number, file.range(range)).unwrap();
            times.first_at_or_after(timestamp, Offset::ZERO, Offset::MAX)
        });
        assert_eq!(found.map(|(offset, at)| (offset.get(), at)), expected, "{timestamp}");
    }
    let number = footer.row_group_at(Offset::new(125)).unwrap();
    let meta = &footer.row_groups()[number];
    let times = footer.decode_times(number, file.range(meta.times.clone())).unwrap();
    assert_eq!(times.first_with_max(Offset::new(125), Offset::MAX), Some((Offset::new(130), 900)));
    assert_eq!(times.first_at_or_after(0, Offset::new(125), Offset::new(125)), None);
    assert_eq!((meta.max_timestamp_ms, meta.max_timestamp_offset), (900, Offset::new(120)));
}

#[test]
fn the_catalogs_index_is_that_of_the_footer() {
    let entries = vec![Entry::Batch(Batch::of(records(5..300), Codec::None, 0))];
    let file = write(&entries, 5, 310, &small());
    let footer = file.footer();
    let index = &file.finished.index;
    assert_eq!(index, &footer.index());
    assert_eq!(index.footer_bytes as usize, footer.footer_bytes());
    assert_eq!(index.entries.len(), footer.row_groups().len());
    let tail = file.bytes.slice(file.bytes.len() - index.footer_bytes as usize..);
    let again = crate::tiering::parquet::Footer::parse(file.bytes.len() as u64, &tail).unwrap();
    assert_eq!(again.row_groups(), footer.row_groups());
    assert_eq!(footer.row_group_at(Offset::new(311)), None);
}

#[test]
fn columns_that_come_later_do_not_disturb() {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    use arrow::datatypes::{DataType, Field, Schema};
    use parquet::arrow::ArrowWriter;
    use parquet::file::metadata::ParquetMetaDataReader;

    use super::super::{columns::Columns, decode, footer, row_group::RowGroup, schema};

    // Columns of ours, and a typed one behind them.
    let batch = Batch::of(records(0..50), Codec::None, 0).bytes();
    let view = BatchView::parse(&batch).unwrap();
    let mut columns = Columns::with_capacity(0);
    for record in &view.records().unwrap() {
        let record = record.unwrap();
        columns.push(&batch, &record, record.timestamp_ms * 1000);
    }
    let ours = columns.into_arrays(3, &batch.clone().into()).unwrap();
    let field = Field::new("value_total", DataType::Int64, true);
    let fields = ours.schema().fields().iter().cloned().chain([Arc::new(field)]).collect::<Vec<_>>();
    let typed = Arc::new(Int64Array::from_iter_values(0..50)) as ArrayRef;
    let all = ours.columns().iter().cloned().chain([typed]).collect();
    let all = RecordBatch::try_new(Arc::new(Schema::new(fields)), all).unwrap();
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, all.schema(), None).unwrap();
    writer.write(&all).unwrap();
    writer.close().unwrap();

    let file = Bytes::from(file);
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&file).unwrap();
    let (bytes, _) = footer::ranges(metadata.row_group(0)).unwrap();
    let typed = metadata.row_group(0).column(7).byte_range();
    assert_eq!(bytes.end, typed.0, "consumers do not read the typed column");
    let reader = footer::reader(Arc::new(metadata)).unwrap();
    let window = decode::Window { start: 0, bytes: file.slice(..usize::try_from(bytes.end).unwrap()) };
    let columns = decode::leaves(&reader, 0, 50, window, schema::OFFSET_LEAF..schema::LAST_LEAF + 1).unwrap();
    let group = RowGroup::new(&columns, Vec::new().into(), &(Offset::ZERO..Offset::new(50))).unwrap();
    assert_eq!(consumed(&group.batches(&all_from(0)).unwrap().batches), records(0..50));
}
