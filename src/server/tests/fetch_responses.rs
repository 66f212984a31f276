//! The hand-written Fetch response beside the wire crate's.

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_response::{
    AbortedTransaction, EpochEndOffset, FetchableTopicResponse, PartitionData,
};
use kafka_protocol::messages::{FetchResponse, ResponseHeader};
use kafka_protocol::protocol::{Encodable, HeaderVersion, StrBytes};
use proptest::prelude::*;
use uuid::Uuid;

use crate::disk::{Disk, Open, RealDisk};
use crate::model::{LeaderEpoch, Offset, ProducerId};
use crate::net::FileSlice;
use crate::server::fetch_response::{Fetched, FetchedPartition, FetchedRecords, FetchedTopic, encode};

#[derive(Clone, Debug)]
struct PartitionCase {
    partition: i32,
    failed: bool,
    offsets: [i64; 3],
    diverging: Option<(i32, i64)>,
    aborted: Option<Vec<(i64, i64)>>,
    records: Vec<u8>,
    in_file: bool,
}

fn partition() -> impl Strategy<Value = PartitionCase> {
    let aborted = prop::option::of(prop::collection::vec(any::<(i64, i64)>(), 0..4));
    let records = prop_oneof![Just(Vec::new()), prop::collection::vec(any::<u8>(), 1..300)];
    (
        any::<i32>(),
        any::<bool>(),
        any::<[i64; 3]>(),
        prop::option::of((0..9i32, 0..99i64)),
        aborted,
        records,
        any::<bool>(),
    )
        .prop_map(|(partition, failed, offsets, diverging, aborted, records, in_file)| PartitionCase {
            partition,
            failed,
            offsets,
            diverging,
            aborted,
            records,
            in_file,
        })
}

fn ours(case: &PartitionCase, dir: &std::path::Path, number: &mut usize) -> FetchedPartition {
    *number += 1;
    let records = if case.records.is_empty() {
        FetchedRecords::None
    } else if case.in_file {
        let file = RealDisk.open(&dir.join(number.to_string()), Open::CreateNew).unwrap();
        file.write_all_at(&case.records, 5).unwrap();
        FetchedRecords::File(FileSlice { file, position: 5, length: case.records.len() })
    } else {
        FetchedRecords::Memory(vec![Bytes::from(case.records.clone())])
    };
    FetchedPartition {
        partition: case.partition,
        error: case.failed.then_some(ResponseError::OffsetOutOfRange),
        high_watermark: case.offsets[0],
        last_stable_offset: case.offsets[1],
        log_start_offset: case.offsets[2],
        diverging: case.diverging.map(|(epoch, end)| (LeaderEpoch::new(epoch), Offset::new(end))),
        aborted: case
            .aborted
            .as_ref()
            .map(|aborted| aborted.iter().map(|(id, first)| (ProducerId(*id), Offset::new(*first))).collect()),
        records,
    }
}

fn theirs(case: &PartitionCase, version: i16) -> PartitionData {
    let mut data = PartitionData::default()
        .with_partition_index(case.partition)
        .with_error_code(if case.failed { ResponseError::OffsetOutOfRange.code() } else { 0 })
        .with_high_watermark(case.offsets[0])
        .with_last_stable_offset(case.offsets[1])
        .with_log_start_offset(case.offsets[2])
        .with_aborted_transactions(case.aborted.as_ref().map(|aborted| {
            aborted
                .iter()
                .map(|(id, first)| {
                    AbortedTransaction::default().with_producer_id((*id).into()).with_first_offset(*first)
                })
                .collect()
        }))
        .with_records(Some(Bytes::from(case.records.clone())));
    if let Some((epoch, end)) = case.diverging.filter(|_| version >= 12) {
        data = data.with_diverging_epoch(EpochEndOffset::default().with_epoch(epoch).with_end_offset(end));
    }
    data
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn equal_to_the_wire_crates_in_every_version(
        topics in prop::collection::vec(("[a-z]{1,200}", any::<u128>(), prop::collection::vec(partition(), 0..3)), 0..3),
        session_id: i32,
    ) {
        for version in 4..=18 {
            let dir = tempfile::tempdir().unwrap();
            let mut number = 0;
            let fetched = Fetched {
                error: (version >= 7).then_some(ResponseError::FetchSessionIdNotFound),
                session_id,
                topics: topics
                    .iter()
                    .map(|(name, id, partitions)| FetchedTopic {
                        name: name.clone(),
                        id: Uuid::from_u128(*id),
                        partitions: partitions.iter().map(|case| ours(case, dir.path(), &mut number)).collect(),
                    })
                    .collect(),
            };
            let mut frame = encode(5, version, fetched).unwrap().into_bytes().unwrap();

            let mut response = FetchResponse::default().with_responses(
                topics
                    .iter()
                    .map(|(name, id, partitions)| {
                        FetchableTopicResponse::default()
                            .with_topic(StrBytes::from_string(name.clone()).into())
                            .with_topic_id(Uuid::from_u128(*id))
                            .with_partitions(partitions.iter().map(|case| theirs(case, version)).collect())
                    })
                    .collect(),
            );
            if version >= 7 {
                response = response
                    .with_error_code(ResponseError::FetchSessionIdNotFound.code())
                    .with_session_id(session_id);
            }
            let mut expected = BytesMut::new();
            let header = ResponseHeader::default().with_correlation_id(5);
            header.encode(&mut expected, FetchResponse::header_version(version)).unwrap();
            response.encode(&mut expected, version).unwrap();
            prop_assert_eq!(usize::try_from(frame.get_i32()).unwrap(), expected.len());
            prop_assert_eq!(&frame[..], &expected[..], "version {}", version);
        }
    }
}
