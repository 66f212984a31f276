//! What was decoded is compared with its source: every kind of difference is seen.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryViewArray, Int64Array, ListArray, RecordBatch, StringViewArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::OffsetBuffer;

use super::super::error::{Difference, WriteError};
use super::super::row_group::RowGroup;
use super::super::schema::{HEADER_ELEMENT, HEADER_FIELDS};
use super::super::source::{Bound, Feed, Source, Taken};
use super::super::verify::{Comparison, Counted};
use super::samples::{Batch, Plain, digest_of, plain};
use crate::model::{Codec, Offset};
use crate::record::BatchView;
use crate::tiering::digest::RecordDigest;

fn records() -> Vec<Plain> {
    let mut records: Vec<_> = (0..4).map(|offset| plain(offset, 100 + offset)).collect();
    records[1].key = None;
    records[2].value = Some(Vec::new());
    records[3].headers = vec![("a".to_owned(), None), ("b".to_owned(), Some(Vec::new()))];
    records
}

/// The columns of records, and their source.
fn columns(records: Vec<Plain>) -> (RecordBatch, Taken) {
    let bytes = Batch::of(records, Codec::Zstd, 0).bytes();
    let view = BatchView::parse(&bytes).unwrap();
    let bound = Bound { bytes: 1 << 20, rows: 1 << 20 };
    let mut source = Source::new(bound);
    source.fill(&mut Feed::new(&view, Offset::ZERO, Offset::new(9), Offset::new(-1)).unwrap(), || {}).unwrap();
    let (rows, taken) = source.cut(0, bound).unwrap();
    (rows.project(&[1, 2, 3, 4, 5]).unwrap(), taken)
}

fn compare(found: &RowGroup, source: &Taken, digest: &mut RecordDigest) -> Result<Counted, WriteError> {
    let mut comparison = Comparison::new(source.records(), digest);
    comparison.part(found)?;
    comparison.finish()
}

/// What the comparison says where one column is another.
fn compared(place: usize, column: ArrayRef) -> Result<Counted, WriteError> {
    let (rows, taken) = columns(records());
    let mut all = rows.columns().to_vec();
    all[place] = column;
    let rows = RecordBatch::try_new(rows.schema(), all).unwrap();
    let found = RowGroup::new(&rows, Vec::new().into(), &(Offset::ZERO..Offset::new(100))).unwrap();
    compare(&found, &taken, &mut RecordDigest::default())
}

fn differs(place: usize, column: ArrayRef, offset: i64, what: &'static str) {
    let offset = Offset::new(offset);
    match compared(place, column) {
        Err(WriteError::NotTheSame(found)) => assert_eq!(found, Difference::Record { offset, what }),
        other => panic!("{what}: {other:?}"),
    }
}

fn values(change: impl Fn(&mut Vec<Option<Vec<u8>>>)) -> ArrayRef {
    let mut values: Vec<_> = records().into_iter().map(|record| record.value).collect();
    change(&mut values);
    Arc::new(BinaryViewArray::from_iter(values))
}

fn keys(change: impl Fn(&mut Vec<Option<Vec<u8>>>)) -> ArrayRef {
    let mut keys: Vec<_> = records().into_iter().map(|record| record.key).collect();
    change(&mut keys);
    Arc::new(BinaryViewArray::from_iter(keys))
}

/// The headers of four records, of which only the last has any.
fn headers(of_the_last: &[(&str, Option<&[u8]>)]) -> ArrayRef {
    let names = StringViewArray::from_iter_values(of_the_last.iter().map(|(name, _)| name));
    let values = BinaryViewArray::from_iter(of_the_last.iter().map(|(_, value)| *value));
    let pairs = StructArray::new(HEADER_FIELDS.clone(), vec![Arc::new(names), Arc::new(values)], None);
    let ends = OffsetBuffer::from_lengths([0, 0, 0, of_the_last.len()]);
    Arc::new(ListArray::new(Arc::clone(&HEADER_ELEMENT), ends, Arc::new(pairs), None))
}

#[test]
fn what_is_equal_is_taken_and_counted() {
    let (rows, taken) = columns(records());
    let found = RowGroup::new(&rows, Vec::new().into(), &(Offset::ZERO..Offset::new(4))).unwrap();
    let mut digest = RecordDigest::default();
    let counted = compare(&found, &taken, &mut digest).unwrap();
    let expected = Counted {
        rows: 4,
        base_offset: Offset::ZERO,
        min_timestamp_ms: 100,
        max_timestamp_ms: 103,
        max_timestamp_offset: Offset::new(3),
    };
    assert_eq!(counted, expected);
    assert_eq!(digest.finish(), digest_of(&records()));
}

#[test]
fn every_difference_is_seen() {
    differs(0, Arc::new(Int64Array::from(vec![0, 1, 5, 6])), 2, "offset");
    let times = TimestampMicrosecondArray::from(vec![100_000, 101_000, 102_000, 104_000]).with_timezone("UTC");
    differs(1, Arc::new(times), 3, "timestamp");
    differs(2, keys(|keys| keys[1] = Some(Vec::new())), 1, "key");
    differs(2, keys(|keys| keys[0] = None), 0, "key");
    differs(3, values(|values| values[2] = None), 2, "value");
    differs(3, values(|values| values[3].as_mut().unwrap()[5] ^= 1), 3, "value");
    let right: [(&str, Option<&[u8]>); 2] = [("a", None), ("b", Some(b""))];
    compared(4, headers(&right)).unwrap();
    differs(4, headers(&right[..1]), 3, "headers");
    differs(4, headers(&[right[1], right[0]]), 3, "headers");
    differs(4, headers(&[("a", None), ("b", None)]), 3, "headers");
    differs(4, headers(&[("a", None), ("c", Some(b""))]), 3, "headers");
    differs(4, headers(&[]), 3, "headers");
}

#[test]
fn records_that_are_missing_or_too_many_are_seen() {
    let (rows, taken) = columns(records());
    let found = |rows: &RecordBatch| RowGroup::new(rows, Vec::new().into(), &(Offset::ZERO..Offset::new(9))).unwrap();
    let error = compare(&found(&rows.slice(0, 3)), &taken, &mut RecordDigest::default()).unwrap_err();
    assert!(matches!(error, WriteError::NotTheSame(Difference::Count { expected: 4, found: 3 })), "{error}");
    let (five, _) = columns([records(), vec![Plain { offset: 4, ..plain(4, 4) }]].concat());
    let error = compare(&found(&five), &taken, &mut RecordDigest::default()).unwrap_err();
    assert!(matches!(error, WriteError::NotTheSame(Difference::Count { expected: 4, found: 5 })), "{error}");
}
