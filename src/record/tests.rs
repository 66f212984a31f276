//! Batches as a whole: built, validated, walked, damaged; in the files beside, compared with what others write and with
//! what Kafka answers.

mod kafkas_answers;
mod peers;

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::*;
use crate::model::limits::HEADERS_PER_RECORD_MAX;
use crate::model::topic_config::TopicCompression;
use crate::model::{Codec, LeaderEpoch, Offset, ProducerId, TimestampType};

const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

#[derive(Clone, Debug, PartialEq)]
struct Row {
    timestamp_ms: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

fn row() -> impl Strategy<Value = Row> {
    let bytes = || proptest::option::of(proptest::collection::vec(any::<u8>(), 0..60));
    let headers = proptest::collection::vec(("[a-zäß]{0,8}", bytes()), 0..4);
    (0i64..4_000_000_000_000, bytes(), bytes(), headers).prop_map(|(timestamp_ms, key, value, headers)| Row {
        timestamp_ms,
        key,
        value,
        headers,
    })
}

fn batch(rows: &[Row], codec: Codec) -> ValidBatch {
    built(rows, BatchSpec::plain(Offset::ZERO, LeaderEpoch::new(-1), codec))
}

fn built(rows: &[Row], spec: BatchSpec) -> ValidBatch {
    let mut builder = BatchBuilder::new(spec);
    for (offset, row) in (0i64..).zip(rows) {
        let headers = row.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref()));
        builder.push(Offset::new(offset), row.timestamp_ms, row.key.as_deref(), row.value.as_deref(), headers).unwrap();
    }
    builder.build().unwrap()
}

fn rows_of(bytes: &[u8]) -> Vec<Row> {
    let view = BatchView::parse(bytes).unwrap();
    view.verify_crc().unwrap();
    let records = view.records().unwrap();
    records
        .iter()
        .map(|record| {
            let record = record.unwrap();
            Row {
                timestamp_ms: record.timestamp_ms,
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.map(<[u8]>::to_vec),
                headers: record
                    .headers
                    .iter()
                    .map(|(name, value)| (name.to_owned(), value.map(<[u8]>::to_vec)))
                    .collect(),
            }
        })
        .collect()
}

fn rules() -> ValidationRules {
    ValidationRules {
        max_bytes: 1 << 20,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: i64::MAX,
        now_ms: 1_700_000_000_000,
        compression: TopicCompression::Producer,
        keys_required: false,
    }
}

fn one(timestamp_ms: i64) -> Vec<Row> {
    vec![Row { timestamp_ms, key: None, value: Some(b"v".to_vec()), headers: Vec::new() }]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn records_round_trip_in_every_codec(rows in proptest::collection::vec(row(), 1..40)) {
        for codec in CODECS {
            let built = batch(&rows, codec);
            let accepted = validate(built.bytes().clone(), &rules()).unwrap();
            prop_assert_eq!(accepted.bytes(), built.bytes(), "nothing to change, nothing copied");
            prop_assert_eq!(&rows_of(accepted.bytes()), &rows);
        }
    }

    #[test]
    fn a_topics_own_codec_keeps_the_records(rows in proptest::collection::vec(row(), 1..20), from in 0usize..5, to in 0usize..5) {
        let compression = TopicCompression::Fixed(CODECS[to], None);
        let accepted = validate(batch(&rows, CODECS[from]).bytes().clone(), &ValidationRules { compression, ..rules() }).unwrap();
        prop_assert_eq!(accepted.header().attributes.codec().unwrap(), CODECS[to]);
        prop_assert_eq!(&rows_of(accepted.bytes()), &rows);
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = validate(Bytes::from(bytes.clone()), &rules());
        for batch in Batches::new(&bytes).flatten() {
            let _ = batch.records().map(|records| records.iter().count());
        }
    }

    #[test]
    fn a_damaged_batch_never_panics(rows in proptest::collection::vec(row(), 1..10), codec in 0usize..5, at: prop::sample::Index, to: u8, seal: bool) {
        let mut bytes = BytesMut::from(&batch(&rows, CODECS[codec]).bytes()[..]);
        let at = at.index(bytes.len());
        bytes[at] = to;
        if seal {
            // With the checksum made right, the records themselves have to stand up to it.
            let crc = crc32c::crc32c(&bytes[21..]);
            bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        }
        let _ = validate(bytes.clone().freeze(), &rules());
        if let Ok(view) = BatchView::parse(&bytes) {
            let _ = view.records().map(|records| records.iter().count());
        }
    }
}

#[test]
fn log_append_time_stamps_every_record() {
    let rules = ValidationRules { timestamp_type: TimestampType::LogAppendTime, ..rules() };
    let accepted = validate(batch(&one(5), Codec::Zstd).bytes().clone(), &rules).unwrap();
    assert_eq!(rows_of(accepted.bytes())[0].timestamp_ms, rules.now_ms);
}

#[test]
fn what_is_out_of_the_rules_is_refused_by_its_own_error() {
    let refused = |bytes: Bytes, rules: ValidationRules| validate(bytes, &rules).unwrap_err();
    let plain = || batch(&one(5), Codec::None).bytes().clone();
    let timestamp = |error| matches!(error, ValidationError::Records { kind: RecordsRefused::Timestamp, .. });

    assert!(timestamp(refused(plain(), ValidationRules { timestamp_before_max_ms: 1_000, ..rules() })));
    let ahead = batch(&one(rules().now_ms + 5_000), Codec::Lz4).bytes().clone();
    assert!(timestamp(refused(ahead, ValidationRules { timestamp_after_max_ms: 1_000, ..rules() })));
    assert!(timestamp(refused(batch(&one(i64::MAX), Codec::None).bytes().clone(), rules())), "microseconds");
    let keyless = refused(plain(), ValidationRules { keys_required: true, ..rules() });
    assert!(matches!(keyless, ValidationError::Records { kind: RecordsRefused::Record, total: 1, .. }));
    assert!(matches!(refused(plain(), ValidationRules { max_bytes: 60, ..rules() }), ValidationError::TooLarge { .. }));
    assert_eq!(refused(Bytes::new(), rules()), ValidationError::NotOneBatch);
    let two = Bytes::from([plain(), plain()].concat());
    assert_eq!(refused(two, rules()), ValidationError::NotOneBatch);
    let mut old = plain().to_vec();
    old[16] = 1;
    assert_eq!(refused(old.into(), rules()), ValidationError::OldMagic(1));
    let mut wrong = plain().to_vec();
    *wrong.last_mut().unwrap() ^= 1;
    assert!(matches!(refused(wrong.into(), rules()), ValidationError::Malformed(BatchError::Crc { .. })));
}

#[test]
fn a_header_name_that_is_not_utf8_is_refused() {
    let rows = vec![Row { headers: vec![("name".to_owned(), None)], ..one(5).remove(0) }];
    let mut bytes = batch(&rows, Codec::None).bytes().to_vec();
    let at = bytes.windows(4).position(|window| window == b"name").unwrap();
    bytes[at] = 0xff;
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    let error = validate(bytes.into(), &rules()).unwrap_err();
    assert!(matches!(error, ValidationError::Records { kind: RecordsRefused::Record, .. }), "{error}");
}

#[test]
fn more_headers_than_can_be_uploaded_are_refused_and_not_looked_at() {
    for (count, is_refused) in [(HEADERS_PER_RECORD_MAX, false), (HEADERS_PER_RECORD_MAX + 1, true)] {
        let many = Row { headers: vec![(String::new(), None); count], ..one(5).remove(0) };
        let rows = [one(5).remove(0), many, one(6).remove(0)];
        for codec in [Codec::None, Codec::Zstd] {
            match validate(batch(&rows, codec).bytes().clone(), &rules()) {
                Ok(accepted) => assert!(!is_refused && rows_of(accepted.bytes())[1].headers.len() == count),
                Err(error) => {
                    assert!(is_refused, "{error}");
                    assert_eq!(error.kind(), RefusalKind::InvalidRecord);
                    let expected = vec![RecordError { index: 1, fault: RecordFault::Headers }];
                    assert!(matches!(error, ValidationError::Records { total: 1, errors, .. } if errors == expected));
                }
            }
        }
    }
}

#[test]
fn markers_round_trip_and_gaps_are_covered() {
    let marker = control::Marker { outcome: control::Outcome::Abort, coordinator_epoch: 3 };
    let built = control::build(Offset::new(9), LeaderEpoch::ZERO, (ProducerId(4), 2), marker, 1).unwrap();
    let view = BatchView::parse(built.bytes()).unwrap();
    assert_eq!(control::parse(&view).unwrap(), Some(marker));
    assert!(view.header().attributes.is_control() && view.header().attributes.is_transactional());
    let gap = control::gap(Offset::new(10), Offset::new(99), LeaderEpoch::ZERO).unwrap();
    assert_eq!(gap.header().next_offset(), Offset::new(100));
    assert!(validate(gap.bytes().clone(), &rules()).is_err(), "a client may not write one");
}

#[test]
fn sequences_wrap() {
    let mut header = *batch(&[one(1), one(2)].concat(), Codec::None).header();
    header.base_sequence = i32::MAX;
    assert_eq!(header.last_sequence(), 0);
}

#[test]
fn a_cut_tail_ends_the_batches_quietly() {
    let bytes = batch(&one(1), Codec::None).bytes().clone();
    let two = [&bytes[..], &bytes[..bytes.len() - 1]].concat();
    let mut batches = Batches::new(&two);
    assert!(batches.next().unwrap().is_ok());
    assert!(batches.next().is_none());
    assert_eq!(batches.rest().len(), bytes.len() - 1);
}
