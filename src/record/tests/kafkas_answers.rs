//! What Apache Kafka 4.3.1 answered to odd batches, asked over the wire (Produce 8), and where this house is stricter on
//! purpose: in what a consumer could not read, what Parquet could not hold, or what would be lost in silence.

use bytes::BufMut;

use super::*;
use crate::record::builder::sealed;
use crate::record::header::Attributes;
use crate::record::varint::put_varlong;

use RefusalKind::{
    Corrupt, InvalidProducerEpoch, InvalidRecord, InvalidTimestamp, OldMagic, TooLarge, UnsupportedCodec,
};

/// A length and the bytes that follow it.
type Field = (i64, &'static [u8]);

/// A record's fields; what a length says may differ from what there is.
#[derive(Clone)]
struct Raw {
    size_off: i64,
    offset_delta: i64,
    timestamp_delta: i64,
    key: Field,
    value: Field,
    header_count: i64,
    headers: Vec<(Field, Field)>,
    tail: &'static [u8],
}

fn raw(offset_delta: i64) -> Raw {
    Raw {
        size_off: 0,
        offset_delta,
        timestamp_delta: 0,
        key: (1, b"k"),
        value: (1, b"v"),
        header_count: 0,
        headers: Vec::new(),
        tail: b"",
    }
}

fn with_header(name: Field, value: Field) -> Raw {
    Raw { header_count: 1, headers: vec![(name, value)], ..raw(0) }
}

fn bytes_of(records: &[Raw]) -> Vec<u8> {
    let mut all = BytesMut::new();
    for record in records {
        let mut body = BytesMut::new();
        let mut put = |(length, bytes): (i64, &[u8])| {
            put_varlong(&mut body, length);
            body.put_slice(bytes);
        };
        put((0, b""));
        put((record.timestamp_delta, b""));
        put((record.offset_delta, b""));
        put(record.key);
        put(record.value);
        put((record.header_count, record.tail));
        for (name, value) in &record.headers {
            put(*name);
            put(*value);
        }
        put_varlong(&mut all, i64::try_from(body.len()).unwrap() + record.size_off);
        all.put_slice(&body);
    }
    all.to_vec()
}

/// A header for `count` records at the rules' own time.
fn header(count: i32) -> BatchHeader {
    BatchHeader {
        record_count: count,
        last_offset_delta: count - 1,
        base_timestamp_ms: rules().now_ms,
        max_timestamp_ms: rules().now_ms,
        ..*batch(&one(0), Codec::None).header()
    }
}

fn bits(bits: i16) -> BatchHeader {
    BatchHeader { attributes: Attributes(bits), ..header(1) }
}

fn at_ms(ms: i64) -> BatchHeader {
    BatchHeader { base_timestamp_ms: ms, max_timestamp_ms: ms, ..header(1) }
}

fn of(header: BatchHeader, records: &[Raw]) -> Bytes {
    sealed(header, &bytes_of(records)).bytes().clone()
}

fn packed(codec: Codec, count: i32, records: &[Raw], tail: &[u8]) -> Bytes {
    let attributes = Attributes::default().with_codec(codec);
    let mut payload = codec::compress(codec, None, &bytes_of(records)).unwrap();
    payload.extend_from_slice(tail);
    sealed(BatchHeader { attributes, ..header(count) }, &payload).bytes().clone()
}

fn plain(header: BatchHeader) -> Bytes {
    of(header, &[raw(0)])
}

fn patched(at: usize, with: &[u8]) -> Bytes {
    let mut bytes = plain(header(1)).to_vec();
    bytes[at..at + with.len()].copy_from_slice(with);
    bytes.into()
}

fn answer(bytes: Bytes, rules: &ValidationRules) -> Result<ValidBatch, RefusalKind> {
    validate(bytes, rules).map_err(|error| error.kind())
}

#[track_caller]
fn all_refused(cases: Vec<(&str, Bytes, RefusalKind)>) {
    for (case, bytes, kind) in cases {
        assert_eq!(answer(bytes, &rules()).map(|_| ()), Err(kind), "{case}");
    }
}

#[track_caller]
fn all_accepted_as_they_are(cases: Vec<(&str, Bytes)>) {
    for (case, bytes) in cases {
        let accepted = answer(bytes.clone(), &rules());
        assert_eq!(accepted.map(|batch| batch.bytes().clone()), Ok(bytes.clone()), "{case}");
        rows_of(&bytes);
    }
}

#[test]
fn lengths_and_magic() {
    let whole = plain(header(1));
    all_refused(vec![
        ("nothing", Bytes::new(), InvalidRecord),
        ("five bytes", whole.slice(..5), InvalidRecord),
        ("cut", whole.slice(..whole.len() - 1), InvalidRecord),
        ("cut in its header", whole.slice(..40), InvalidRecord),
        ("two", [&whole[..], &whole[..]].concat().into(), InvalidRecord),
        ("length 5", patched(8, &5i32.to_be_bytes()), Corrupt),
        ("length -1", patched(8, &(-1i32).to_be_bytes()), Corrupt),
        ("zeros, whose magic would be an old one", vec![0; 80].into(), Corrupt),
        ("a length that ends among the records", patched(8, &50i32.to_be_bytes()), Corrupt),
        ("length below a header's", patched(8, &40i32.to_be_bytes()), Corrupt),
        ("magic 0", patched(16, &[0]), OldMagic),
        ("magic 1", patched(16, &[1]), OldMagic),
        ("magic 3", patched(16, &[3]), Corrupt),
        ("magic -1", patched(16, &[0xff]), Corrupt),
        ("checksum", patched(20, &[0]), Corrupt),
        ("base offset, before the checksum", patched(7, &[5]), InvalidRecord),
    ]);
    let small = ValidationRules { max_bytes: 69, ..rules() };
    let mut wrong = whole.to_vec();
    wrong[20] ^= 1;
    assert_eq!(answer(wrong.into(), &small).unwrap_err(), TooLarge, "asked before the checksum");
}

#[test]
fn counts_and_attributes() {
    let counts = |last_offset_delta, record_count| BatchHeader { last_offset_delta, record_count, ..header(1) };
    all_refused(vec![
        ("last delta -1", plain(counts(-1, 1)), InvalidRecord),
        ("last delta 3", plain(counts(3, 1)), InvalidRecord),
        ("no records", of(counts(0, 0), &[]), InvalidRecord),
        ("no records, no range", of(counts(-1, 0), &[]), InvalidRecord),
        ("count -1", plain(counts(0, -1)), InvalidRecord),
        ("one record of two", plain(counts(1, 2)), InvalidRecord),
        ("two records of one", of(header(1), &[raw(0), raw(1)]), InvalidRecord),
        ("control", plain(bits(0x20)), InvalidRecord),
        ("codec 5", plain(bits(5)), UnsupportedCodec),
        ("codec 7", plain(bits(7)), UnsupportedCodec),
        (
            "a producer without a sequence",
            plain(BatchHeader { producer_id: ProducerId(1), producer_epoch: 0, ..header(1) }),
            InvalidRecord,
        ),
    ]);
    all_accepted_as_they_are(vec![
        ("delete horizon", plain(bits(0x40))),
        ("an unknown bit", plain(bits(0x80))),
        ("the second byte", plain(bits(0x7f00))),
        ("producer -5", plain(BatchHeader { producer_id: ProducerId(-5), base_sequence: 0, ..header(1) })),
        ("a sequence without a producer", plain(BatchHeader { base_sequence: 7, ..header(1) })),
    ]);
}

#[test]
fn records() {
    all_refused(vec![
        ("size -1", of(header(1), &[Raw { size_off: -8, ..raw(0) }]), InvalidRecord),
        ("size 0", of(header(1), &[Raw { size_off: -7, ..raw(0) }]), InvalidRecord),
        ("size too great", of(header(1), &[Raw { size_off: 13, ..raw(0) }]), InvalidRecord),
        ("size too small", of(header(1), &[Raw { size_off: -3, ..raw(0) }]), InvalidRecord),
        ("bytes behind its headers", of(header(1), &[Raw { tail: b"x", ..raw(0) }]), InvalidRecord),
        ("null for a header's name", of(header(1), &[with_header((-1, b""), (1, b"x"))]), InvalidRecord),
        ("headers -1", of(header(1), &[Raw { header_count: -1, ..raw(0) }]), InvalidRecord),
        ("bytes behind, packed", packed(Codec::Gzip, 1, &[Raw { tail: b"x", ..raw(0) }], b""), InvalidRecord),
        ("two records of one, packed", packed(Codec::Gzip, 1, &[raw(0), raw(1)], b""), InvalidRecord),
        ("one record of two, packed", packed(Codec::Gzip, 2, &[raw(0)], b""), InvalidRecord),
    ]);
    all_accepted_as_they_are(vec![
        ("key -2 is null", of(header(1), &[Raw { key: (-2, b""), ..raw(0) }])),
        ("value -2 is null", of(header(1), &[Raw { value: (-2, b""), ..raw(0) }])),
        ("a header's value -2 is null", of(header(1), &[with_header((1, b"h"), (-2, b""))])),
        ("key -2 is null, packed", packed(Codec::Gzip, 1, &[Raw { key: (-2, b""), ..raw(0) }], b"")),
    ]);
    for codec in CODECS.into_iter().skip(1) {
        let garbage = sealed(bits(Attributes::default().with_codec(codec).0), b"garbage").bytes().clone();
        // Kafka: UNKNOWN_SERVER_ERROR.
        assert_eq!(answer(garbage, &rules()).unwrap_err(), InvalidRecord, "{codec:?}");
    }
}

#[test]
fn keys_and_timestamps() {
    let strict = ValidationRules {
        timestamp_before_max_ms: 1_000,
        timestamp_after_max_ms: 1_000,
        keys_required: true,
        ..rules()
    };
    let keyless = || Raw { key: (-1, b""), ..raw(0) };
    assert!(answer(of(header(1), &[Raw { key: (0, b""), ..raw(0) }]), &strict).is_ok(), "an empty key is one");
    assert!(answer(plain(at_ms(-1)), &strict).is_ok(), "-1 is no timestamp, and so in no window");
    assert_eq!(answer(plain(at_ms(5)), &strict).unwrap_err(), InvalidTimestamp);
    assert_eq!(answer(of(header(1), &[keyless()]), &strict).unwrap_err(), InvalidRecord);

    let both = BatchHeader { record_count: 2, last_offset_delta: 1, ..at_ms(5) };
    let error = validate(of(both, &[keyless(), raw(1)]), &strict).unwrap_err();
    assert_eq!(error.kind(), InvalidTimestamp, "one timestamp decides for all");
    let ValidationError::Records { total: 2, errors, .. } = error else { panic!("{error}") };
    assert_eq!(errors.iter().map(|error| error.index).collect::<Vec<_>>(), [0, 1], "one error for each record");
    let faults: Vec<RecordFault> = errors.iter().map(|error| error.fault).collect();
    let now = rules().now_ms;
    let late = RecordFault::Timestamp { at_ms: 5, from_ms: now - 1_000, to_ms: now + 1_000 };
    assert_eq!(faults, [RecordFault::NoKey, late]);

    all_refused(vec![
        ("beyond microseconds", plain(at_ms(i64::MAX)), InvalidTimestamp),
        ("beyond 64 bits", of(at_ms(i64::MAX), &[Raw { timestamp_delta: 5, ..raw(0) }]), InvalidTimestamp),
    ]);
    let corrected = answer(plain(BatchHeader { max_timestamp_ms: 7, ..header(1) }), &rules()).unwrap();
    assert_eq!(corrected.bytes(), &plain(header(1)), "the max timestamp is made true, and the checksum with it");
}

#[test]
fn the_clock_of_the_topic() {
    let append = ValidationRules { timestamp_type: TimestampType::LogAppendTime, ..rules() };
    assert_eq!(answer(plain(bits(8)), &append).unwrap_err(), InvalidTimestamp);
    let stamped = answer(plain(at_ms(5)), &append).unwrap();
    assert_eq!(stamped.header().attributes, Attributes(8));
    assert_eq!(stamped.header().max_timestamp_ms, append.now_ms);
    assert_eq!(rows_of(stamped.bytes())[0].timestamp_ms, append.now_ms);
    let ahead = answer(plain(at_ms(i64::MAX)), &append);
    assert!(ahead.is_ok(), "what the producer's clock said is not asked");
}

#[test]
fn where_this_house_is_stricter() {
    let whole = plain(header(1));
    all_refused(vec![
        ("a batch and a cut one: Kafka drops the second", [&whole[..], &whole[..50]].concat().into(), InvalidRecord),
        ("offsets with a gap", of(header(2), &[raw(0), raw(2)]), InvalidRecord),
        ("offsets with a gap, packed", packed(Codec::Gzip, 2, &[raw(0), raw(2)], b""), InvalidRecord),
        ("offsets that fall", of(header(2), &[raw(1), raw(0)]), InvalidRecord),
        ("LogAppendTime by the producer", plain(bits(8)), InvalidTimestamp),
        ("a header's name that is not UTF-8", of(header(1), &[with_header((1, b"\xff"), (1, b"x"))]), InvalidRecord),
        ("a transaction of nobody", plain(bits(0x10)), InvalidRecord),
        (
            "a producer without an epoch",
            plain(BatchHeader { producer_id: ProducerId(1), base_sequence: 0, producer_epoch: -1, ..header(1) }),
            InvalidProducerEpoch,
        ),
        ("gzip and more", packed(Codec::Gzip, 1, &[raw(0)], b"xx"), InvalidRecord),
        ("lz4 and more", packed(Codec::Lz4, 1, &[raw(0)], b"xxxx"), InvalidRecord),
    ]);
}
