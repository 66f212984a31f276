//! The same records as others write them: batches of the Java client and of librdkafka in `tests/fixtures/record/`, and
//! the encoder and decoder of the `kafka-protocol` crate.

use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{
    Compression, Record as PeerRecord, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions,
    TimestampType as Kind,
};

use super::*;

/// The 40 records of every fixture.
fn fixture_rows() -> Vec<Row> {
    let row = |n: u8| Row {
        timestamp_ms: 1_700_000_000_000 + i64::from(n) * 37 % 100,
        key: (n % 7 != 3).then(|| format!("key-{}", n % 5).into_bytes()),
        value: (n % 11 != 5).then(|| format!("value {n} ").repeat(usize::from(n % 4)).into_bytes()),
        headers: match n % 3 {
            0 => vec![("trace".to_owned(), Some(format!("t{n}").into_bytes())), ("ä".to_owned(), None)],
            _ => Vec::new(),
        },
    };
    (0..40).map(row).collect()
}

macro_rules! fixture {
    ($client:literal, $codec:literal) => {
        include_bytes!(concat!("../../../tests/fixtures/record/", $client, "-", $codec, ".batch"))
    };
}

macro_rules! fixtures {
    ($client:literal) => {
        [
            (Codec::None, fixture!($client, "none").as_slice()),
            (Codec::Gzip, fixture!($client, "gzip")),
            (Codec::Snappy, fixture!($client, "snappy")),
            (Codec::Lz4, fixture!($client, "lz4")),
            (Codec::Zstd, fixture!($client, "zstd")),
        ]
    };
}

#[test]
fn batches_of_other_clients_are_accepted_as_they_are() {
    for (codec, bytes) in fixtures!("java-4.3.1").into_iter().chain(fixtures!("librdkafka-2.16.0")) {
        let bytes = Bytes::from_static(bytes);
        let accepted = validate(bytes.clone(), &rules()).unwrap();
        assert_eq!(accepted.header().attributes.codec().unwrap(), codec);
        assert_eq!(accepted.bytes(), &bytes, "{codec:?}");
        assert!(accepted.header().producer_id.is_some());
        assert_eq!(rows_of(&bytes), fixture_rows(), "{codec:?}");
    }
}

#[test]
fn a_sequence_of_javas_wraps_where_java_wraps_it() {
    let header = BatchHeader::parse(fixture!("java-4.3.1", "none")).unwrap();
    assert_eq!((header.base_sequence, header.last_sequence()), (i32::MAX - 9, 29));
}

#[test]
fn the_builder_writes_what_java_writes() {
    let java = BatchView::parse(fixture!("java-4.3.1", "none")).unwrap();
    let producer = Some((ProducerId(9), 2, i32::MAX - 9));
    let spec = BatchSpec { producer, ..BatchSpec::plain(Offset::ZERO, LeaderEpoch::new(-1), Codec::None) };
    assert_eq!(built(&fixture_rows(), spec).bytes(), java.bytes());
}

fn to_peer(offset: i64, row: &Row) -> PeerRecord {
    let bytes = |bytes: &Option<Vec<u8>>| bytes.clone().map(Bytes::from);
    PeerRecord {
        transactional: false,
        control: false,
        partition_leader_epoch: 0,
        producer_id: 7,
        producer_epoch: 1,
        timestamp_type: Kind::Creation,
        offset,
        sequence: 10 + i32::try_from(offset).unwrap(),
        timestamp: row.timestamp_ms,
        key: bytes(&row.key),
        value: bytes(&row.value),
        headers: row.headers.iter().map(|(name, value)| (StrBytes::from(name.clone()), bytes(value))).collect(),
        delete_horizon: false,
    }
}

fn from_peer(record: &PeerRecord) -> Row {
    let bytes = |bytes: &Option<Bytes>| bytes.as_ref().map(|bytes| bytes.to_vec());
    Row {
        timestamp_ms: record.timestamp,
        key: bytes(&record.key),
        value: bytes(&record.value),
        headers: record.headers.iter().map(|(name, value)| (name.to_string(), bytes(value))).collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_independent_encoder_and_decoder_agree(mut rows in proptest::collection::vec(row(), 1..30)) {
        for row in &mut rows {
            // The peer keeps headers in a map.
            row.headers.sort();
            row.headers.dedup_by(|a, b| a.0 == b.0);
        }
        let records: Vec<_> = (0..).zip(&rows).map(|(offset, row)| to_peer(offset, row)).collect();
        let mut bytes = BytesMut::new();
        let options = RecordEncodeOptions { version: 2, compression: Compression::None };
        RecordBatchEncoder::encode(&mut bytes, &records, &options).unwrap();
        let accepted = validate(bytes.freeze(), &rules()).unwrap();
        prop_assert_eq!(accepted.header().producer_id, ProducerId(7));
        prop_assert_eq!(&rows_of(accepted.bytes()), &rows);

        let mut ours = batch(&rows, Codec::None).bytes().clone();
        let decoded = RecordBatchDecoder::decode(&mut ours).unwrap();
        prop_assert_eq!(&decoded.records.iter().map(from_peer).collect::<Vec<_>>(), &rows);
    }
}
